/* SPDX-License-Identifier: MIT
 *
 * The content key of a copy: everything it would write, except times unless they are asked for. One
 * pass; every value is framed, so that two different copies never feed the same bytes.
 */
#include "context-internal.h"
#include <cooper/inroot.h>
#include <endian.h>
#include <fcntl.h>

#define READ_SIZE   (256u << 10)
#define XATTR_LIST  65536
#define XATTR_VALUE 65536
#define VERSION	    1

enum tag {
	TAG_VERSION = 1,
	TAG_DEST,
	TAG_OPTIONS,
	TAG_EXCLUDE,
	TAG_SOURCE,
	TAG_MATCH,
	TAG_NAME,
	TAG_META,
	TAG_TARGET,
	TAG_CONTENT,
	TAG_SAME, /* a further name of a file seen before */
	TAG_XATTR,
	TAG_XATTR_VALUE,
	TAG_LEAVE,
	TAG_TIME
};

struct hasher {
	const struct co_copy *c;
	const struct co_copy_source *src;
	struct walk *walk;
	struct co_hash *h;
	struct seen_map links;
	struct co_err *err;
	struct co_digest content; /* of the file hashed last */
	char *buf;		  /* READ_SIZE */
	char *list, *value;
};

static void field_str(struct hasher *x, enum tag tag, const char *s)
{
	co_hash_field(x->h, tag, s, strlen(s));
}

static void field_meta(struct hasher *x, const struct co_meta *m)
{
	bool device = S_ISCHR(m->mode) || S_ISBLK(m->mode);
	/* a socket becomes an empty file */
	uint32_t type = S_ISSOCK(m->mode) ? S_IFREG : m->mode & S_IFMT;
	uint32_t v[] = {htole32(type),
			htole32(S_ISLNK(m->mode) ? 0777 : copy_mode(x->c, m)),
			htole32(copy_uid(x->c, x->src, m)),
			htole32(copy_gid(x->c, x->src, m)),
			htole32(device ? m->dev_major : 0),
			htole32(device ? m->dev_minor : 0)};
	co_hash_field(x->h, TAG_META, v, sizeof(v));
	if (!x->c->times)
		return;
	int64_t t = (int64_t)m->mtime.tv_sec;
	uint64_t le = htole64((uint64_t)(t > x->c->times_max ? x->c->times_max : t));
	co_hash_field(x->h, TAG_TIME, &le, sizeof(le));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void hash_xattrs(struct hasher *x, int dirfd, const char *name)
{
	ssize_t n = co_root_listxattr(x->src->root, dirfd, name, x->list, XATTR_LIST);
	if (n <= 0)
		return;
	auto_arena a = CO_ARENA_INIT;
	char **keys = NULL;
	size_t count = 0;
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(x->list + at) + 1)
		*co_arena_push(&a, keys, count) = x->list + at;
	qsort(keys, count, sizeof(*keys), by_text);
	for (size_t i = 0; i < count; i++) {
		ssize_t size =
			co_root_getxattr(x->src->root, dirfd, name, keys[i], x->value, XATTR_VALUE);
		if (size < 0)
			continue;
		field_str(x, TAG_XATTR, keys[i]);
		co_hash_field(x->h, TAG_XATTR_VALUE, x->value, (size_t)size);
	}
}

/* The content as a digest of its own: its length need not be known before it was read. */
static int hash_fd(struct hasher *x, int fd)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	struct co_digest d;
	ssize_t n;
	for (off_t at = 0;; at += n) {
		n = pread(fd, x->buf, READ_SIZE, at);
		if (n < 0 && errno == EINTR) {
			n = 0;
			continue;
		}
		if (n <= 0)
			break;
		co_hash_add(h, x->buf, (size_t)n);
	}
	int sys = errno;
	co_hash_done(h, &d);
	errno = sys;
	if (n < 0)
		return co_fail_sys(x->err, "read");
	co_hash_field(x->h, TAG_CONTENT, d.bytes, 32);
	x->content = d;
	return 0;
}

static void tell_seen(struct hasher *x, const char *path, const struct co_meta *m)
{
	if (x->c->seen)
		x->c->seen(x->c->seen_ctx, path, copy_mode(x->c, m), copy_uid(x->c, x->src, m),
			   copy_gid(x->c, x->src, m), &x->content);
}

static int hash_file(struct hasher *x, int dirfd, const char *name, const struct co_meta *m)
{
	struct co_meta now;
	auto_fd fd = co_root_open_read(x->src->root, dirfd, name);
	if (fd < 0)
		return co_fail_sys(x->err, "open");
	if (co_root_stat(x->src->root, fd, "", &now) < 0)
		return co_fail_sys(x->err, "stat");
	if (!S_ISREG(now.mode) || now.dev != m->dev || now.ino != m->ino)
		return co_fail(x->err, CO_E_INVALID, "was replaced while it was read");
	hash_xattrs(x, fd, "");
	return hash_fd(x, fd);
}

static int hash_parts(struct hasher *x, int dirfd, const char *name, const char *path,
		      const struct co_meta *m)
{
	char target[4097];
	ssize_t n;
	field_str(x, TAG_NAME, path);
	field_meta(x, m);
	if (S_ISLNK(m->mode)) {
		n = readlinkat(dirfd, name, target, sizeof(target));
		if (n < 0)
			return co_fail_sys(x->err, "read the link");
		co_hash_field(x->h, TAG_TARGET, target, (size_t)n);
		co_digest_of(&x->content, target, (size_t)n);
	}
	if (S_ISREG(m->mode) && m->nlink > 1) {
		struct seen *s = seen_find(&x->links, m->dev, m->ino);
		if (s->path) {
			field_str(x, TAG_SAME, s->path);
			return 0;
		}
		seen_fill(&x->links, s, path);
	}
	if (S_ISREG(m->mode))
		return hash_file(x, dirfd, name, m);
	if (!S_ISSOCK(m->mode))
		hash_xattrs(x, dirfd, name);
	return 0;
}

static int hash_entry(struct hasher *x, int dirfd, const char *name, const char *path,
		      const struct co_meta *m)
{
	memset(&x->content, 0, sizeof(x->content));
	int r = hash_parts(x, dirfd, name, path, m);
	if (!r)
		tell_seen(x, path, m);
	return r;
}

/* ---- the visitor of a directory source ---- */

static int hash_dir(void *ctx, struct frame *f)
{
	struct hasher *x = ctx;
	/* directories that are passed through come late: only their own name is known here */
	field_str(x, TAG_NAME, f->name);
	field_meta(x, &f->meta);
	hash_xattrs(x, f->fd, "");
	return 0;
}

static int hash_leaf(void *ctx, struct frame *in, const char *name, const struct co_meta *m)
{
	struct hasher *x = ctx;
	int r = hash_entry(x, in->fd, name, walk_rel(x->walk), m);
	return r < 0 ? co_wrap(x->err, "%s", x->walk->path) : 0;
}

static int hash_leave(void *ctx, struct frame *f)
{
	struct hasher *x = ctx;
	(void)f;
	co_hash_field(x->h, TAG_LEAVE, "", 0);
	return 0;
}

static const struct walk_ops hash_ops = {hash_dir, hash_leaf, hash_leave};

static int hash_tree(struct hasher *x, const struct matches *ms, const struct match *m,
		     const struct co_ignore *exclude)
{
	auto_free struct walk *w = walk_new(x->c, x->src, exclude, x->err);
	struct frame top = {.shown = true, .full = true, .out = -1};
	w->keep = ms->keep;
	w->ops = &hash_ops;
	w->ctx = x;
	x->walk = w;
	int r = walk_tree(w, m->real, &top);
	x->walk = NULL;
	if (r == 0 && ms->keep && !ms->wildcard && !w->selected)
		return source_missing(x->src, x->src->pattern, x->err);
	return r;
}

static int hash_match(struct hasher *x, const struct matches *ms, const struct match *m,
		      const struct co_ignore *exclude)
{
	const char *base;
	bool dir = S_ISDIR(m->meta.mode);
	field_str(x, TAG_MATCH, dir ? "dir" : "file");
	if (dir)
		return hash_tree(x, ms, m, exclude);
	if (exclude && co_ignore_match(exclude, m->name))
		return 0;
	auto_fd fd = co_inroot_parent(x->src->root->fd, m->real, &base);
	if (fd < 0)
		return co_fail_sys(x->err, "open the directory of %s", m->real);
	int r = hash_entry(x, fd, base, m->name, &m->meta);
	return r < 0 ? co_wrap(x->err, "%s", m->real) : 0;
}

static int hash_loose(struct hasher *x, const struct co_ignore *exclude)
{
	const struct co_copy_source *s = x->src;
	struct co_meta m = {.mode = S_IFREG | (s->mode & 07777), .mtime = s->mtime};
	struct co_digest d;
	const char *base;
	int r = source_name(&base, s, x->err);
	if (r < 0 || (exclude && co_ignore_match(exclude, base)))
		return r;
	field_str(x, TAG_NAME, base);
	field_meta(x, &m);
	if (!s->content) {
		r = hash_fd(x, s->fd);
	} else {
		co_digest_of(&d, s->content, s->content_len);
		co_hash_field(x->h, TAG_CONTENT, d.bytes, 32);
		x->content = d;
	}
	if (!r)
		tell_seen(x, base, &m);
	return r;
}

static int hash_source(struct hasher *x, const struct co_ignore *exclude)
{
	field_str(x, TAG_SOURCE, x->src->root ? "tree" : "file");
	if (!x->src->root)
		return hash_loose(x, exclude);
	auto_arena a = CO_ARENA_INIT;
	struct matches ms;
	int r = source_resolve(&ms, &a, x->c, x->src, x->err);
	for (size_t i = 0; r == 0 && i < ms.n; i++)
		r = hash_match(x, &ms, &ms.items[i], exclude);
	return r;
}

static void hash_options(struct hasher *x)
{
	const struct co_copy *c = x->c;
	uint32_t octal = UINT32_MAX;
	if (c->chmod)
		co_chmod_octal(c->chmod, &octal); /* modes of directories that are made */
	uint32_t v[] = {htole32(c->has_owner),
			htole32(c->has_owner ? c->uid : 0),
			htole32(c->has_owner ? c->gid : 0),
			htole32(c->chmod != NULL),
			htole32(octal),
			htole32(c->parents),
			htole32(c->link),
			htole32(c->unpack)};
	uint32_t version = htole32(VERSION);
	co_hash_field(x->h, TAG_VERSION, &version, sizeof(version));
	field_str(x, TAG_DEST, c->dest);
	co_hash_field(x->h, TAG_OPTIONS, v, sizeof(v));
	for (size_t i = 0; i < c->n_excludes; i++)
		field_str(x, TAG_EXCLUDE, c->excludes[i]);
}

int co_copy_digest(const struct co_copy *c, struct co_digest *out, struct co_err *err)
{
	struct hasher x = {.c = c, .err = err};
	struct co_ignore *exclude = NULL;
	int r = ignore_from_list(&exclude, c->excludes, c->n_excludes, err);
	if (r < 0)
		return r;
	x.h = co_hash_new(CO_SHA256);
	x.buf = co_xcalloc(1, READ_SIZE + XATTR_LIST + XATTR_VALUE);
	x.list = x.buf + READ_SIZE;
	x.value = x.list + XATTR_LIST;
	hash_options(&x);
	for (size_t i = 0; r == 0 && i < c->n_sources; i++) {
		x.src = &c->sources[i];
		r = hash_source(&x, exclude);
	}
	if (r < 0)
		co_hash_free(x.h);
	else
		co_hash_done(x.h, out);
	co_ignore_free(exclude);
	seen_release(&x.links);
	free(x.buf);
	return r;
}
