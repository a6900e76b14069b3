/* SPDX-License-Identifier: MIT
 *
 * A plain tree is changed in place, so the old content of an entry is gone. When its inode or ctime
 * differ but all its metadata are the same (chown to the same owner; a rewrite that sets the time
 * back, usual where all times are clamped), the layers still know what it was. Read once, when the
 * first such entry appears.
 */
#include "plain-internal.h"
#include <cooper/str.h>
#include <stdlib.h>

#define CHUNK	 (128u << 10)
#define LIST_MAX 65536

struct record {
	const char *path; /* NULL: empty slot */
	struct co_digest d;
};
struct layer_index {
	struct co_arena arena;
	struct record *slots; /* owned; open addressing */
	size_t cap, n;
	size_t layers; /* how many have been read */
};

struct layer_index *layer_index_new(void)
{
	struct layer_index *ix = co_xcalloc(1, sizeof(*ix));
	ix->cap = 1024;
	ix->slots = co_xcalloc(ix->cap, sizeof(*ix->slots));
	return ix;
}

void layer_index_free(struct layer_index *ix)
{
	if (!ix)
		return;
	co_arena_release(&ix->arena);
	free(ix->slots);
	free(ix);
}

static struct record *find(const struct layer_index *ix, const char *path)
{
	uint64_t h = 1469598103934665603u;
	for (const char *p = path; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	for (size_t i = h & (ix->cap - 1);; i = (i + 1) & (ix->cap - 1))
		if (!ix->slots[i].path || !strcmp(ix->slots[i].path, path))
			return &ix->slots[i];
}

static void put(struct layer_index *ix, const char *path, const struct co_digest *d)
{
	struct record *r = find(ix, path);
	r->d = *d;
	if (r->path)
		return;
	r->path = co_arena_strdup(&ix->arena, path);
	if (++ix->n * 2 < ix->cap)
		return;
	struct layer_index bigger = {.cap = ix->cap * 2};
	bigger.slots = co_xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < ix->cap; i++)
		if (ix->slots[i].path)
			*find(&bigger, ix->slots[i].path) = ix->slots[i];
	free(ix->slots);
	ix->slots = bigger.slots;
	ix->cap = bigger.cap;
}

/* Attributes in any order; an order-free sum of their digests. */
static void add_xattr(struct co_digest *sum, const char *name, const void *value, size_t size)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	struct co_digest d;
	co_hash_field(h, 1, name, strlen(name));
	co_hash_field(h, 2, value, size);
	co_hash_done(h, &d);
	for (size_t i = 0; i < 32; i++)
		sum->bytes[i] = (uint8_t)(sum->bytes[i] + d.bytes[i]);
}

static int index_entry(struct layer_index *ix, struct co_tar_reader *tar,
		       const struct co_tar_entry *e, const char *path, struct co_err *err)
{
	struct co_digest sum = {0}, d;
	if (e->hardlink) {
		auto_arena a = CO_ARENA_INIT;
		struct record *to = find(ix, co_path_clean_rel(&a, e->link));
		if (to->path) {
			d = to->d;
			put(ix, path, &d);
		}
		return 0;
	}
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (!co_xattr_is_host(e->xattrs[i].name))
			add_xattr(&sum, e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].size);
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, sum.bytes, 32);
	const char *link = S_ISLNK(e->mode) && e->link ? e->link : "";
	co_hash_field(h, 2, link, strlen(link));
	char *buf = co_xrealloc(NULL, 1, CHUNK);
	ssize_t n = 0;
	while (S_ISREG(e->mode) && (n = co_tar_read(tar, buf, CHUNK, err)) > 0)
		co_hash_add(h, buf, (size_t)n);
	free(buf);
	co_hash_done(h, &d);
	if (n < 0)
		return (int)n;
	put(ix, path, &d);
	return 0;
}

static int index_layer(struct layer_index *ix, struct co_store *s, const struct co_layer *l,
		       struct co_err *err)
{
	int fd;
	int64_t size;
	int e = co_store_blob_fd(s, &l->desc.digest, &fd, &size, err);
	if (e < 0)
		return e;
	struct co_tar_reader *tar;
	e = co_tar_reader_open(&tar, co_stream_inflate(co_stream_fd(fd, true, "layer"), 0), NULL,
			       err);
	if (e < 0)
		return e;
	struct co_tar_entry entry;
	while ((e = co_tar_next(tar, &entry, err)) > 0) {
		auto_arena a = CO_ARENA_INIT;
		const char *path = co_path_clean_rel(&a, entry.path);
		e = index_entry(ix, tar, &entry, path, err);
		if (e < 0)
			break;
	}
	co_tar_reader_close(tar);
	return e;
}

int layer_index_update(struct layer_index *ix, struct co_store *s, const struct co_layer *layers,
		       size_t n, struct co_err *err)
{
	for (; ix->layers < n; ix->layers++) {
		int e = index_layer(ix, s, &layers[ix->layers], err);
		if (e < 0)
			return co_wrap(err, "read layer %zu again", ix->layers + 1);
	}
	return 0;
}

static int sum_xattrs(struct co_digest *sum, const struct same_query *q)
{
	char *list = co_xcalloc(2, LIST_MAX);
	ssize_t n = co_root_listxattr(q->root, q->dirfd, q->name, list, LIST_MAX);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(list + at) + 1) {
		ssize_t size = co_root_getxattr(q->root, q->dirfd, q->name, list + at,
						list + LIST_MAX, LIST_MAX);
		if (size >= 0)
			add_xattr(sum, list + at, list + LIST_MAX, (size_t)size);
	}
	free(list);
	return 0;
}

static int hash_content(struct co_hash *h, const struct same_query *q)
{
	auto_fd fd = co_root_open_read(q->root, q->dirfd, q->name);
	if (fd < 0)
		return -1;
	char *buf = co_xrealloc(NULL, 1, CHUNK);
	ssize_t n;
	while ((n = read(fd, buf, CHUNK)) > 0)
		co_hash_add(h, buf, (size_t)n);
	free(buf);
	return n < 0 ? -1 : 0;
}

int layer_index_same(const struct layer_index *ix, const struct same_query *q, struct co_err *err)
{
	const struct record *r = find(ix, q->path);
	if (!r->path)
		return 0;
	struct co_digest sum = {0}, d;
	char target[4097] = "";
	sum_xattrs(&sum, q);
	if (S_ISLNK(q->is->mode) && readlinkat(q->dirfd, q->name, target, sizeof(target) - 1) < 0)
		return co_fail_sys(err, "read the link /%s", q->path);
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, sum.bytes, 32);
	co_hash_field(h, 2, target, strlen(target));
	int e = S_ISREG(q->is->mode) ? hash_content(h, q) : 0;
	co_hash_done(h, &d);
	if (e < 0)
		return co_fail_sys(err, "read /%s", q->path);
	return co_digest_eq(&d, &r->d);
}
