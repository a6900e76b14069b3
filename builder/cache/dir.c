/* SPDX-License-Identifier: MIT
 *
 * A directory as a place, for the cache folder of a CI system: an OCI image layout whose entries
 * are found by file name too, so that writers do not wait for one another.
 *
 *   DIR/oci-layout, DIR/index.json   for other tools; written under DIR/.lock
 *   DIR/blobs/sha256/<hex>           by rename, after the digest was checked
 *   DIR/entries/<tag>                the digest of the tag's manifest, by rename
 */
#include "cache-internal.h"
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <cooper/stream.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LAYOUT	  "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_MAX (64u << 20)
#define YOUNG_S	  600

static int open_dir(const struct place *p, struct co_err *err)
{
	int fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? co_fail_sys(err, "cache directory %s", p->dir) : fd;
}

/* Made when something is written. */
static int make_dir(const struct place *p, struct co_err *err)
{
	struct stat sb;
	int r = co_mkdir_p(p->dir, 0755, err);
	int fd = r ? r : open_dir(p, err);
	if (fd < 0)
		return fd;
	static const char *const names[] = {"blobs", "blobs/sha256", "entries"};
	for (size_t i = 0; i < 3; i++)
		if (mkdirat(fd, names[i], 0755) < 0 && errno != EEXIST) {
			co_fail_sys(err, "%s/%s", p->dir, names[i]);
			close(fd);
			return err->code;
		}
	if (fstatat(fd, "oci-layout", &sb, 0) < 0)
		r = co_write_file(fd, "oci-layout", LAYOUT, strlen(LAYOUT), 0644, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static void blob_name(const struct co_digest *d, char *out, size_t size)
{
	char hex[CO_DIGEST_TEXT];
	snprintf(out, size, "blobs/%s/%s", d->alg == CO_SHA512 ? "sha512" : "sha256",
		 co_digest_hex(d, hex));
}

static int read_entry(const struct place *p, int fd, const char *tag, struct co_buf *out,
		      struct co_digest *digest, struct co_err *err)
{
	char name[300], hex[CO_DIGEST_TEXT];
	auto_free char *text = NULL;
	auto_free char *doc = NULL;
	size_t len;
	struct co_digest d, got;
	snprintf(name, sizeof(name), "entries/%s", tag);
	int r = co_read_file(fd, name, sizeof(hex), &text, &len, err);
	if (!r)
		r = co_digest_parse(&d, text, err);
	if (r < 0)
		return r;
	blob_name(&d, name, sizeof(name));
	r = co_read_file(fd, name, DOC_MAX, &doc, &len, err);
	if (r < 0)
		return r;
	co_digest_of(&got, doc, len);
	if (!co_digest_eq(&got, &d))
		return co_fail(err, CO_E_INTEGRITY, "%s/%s is damaged", p->dir, name);
	co_buf_add(out, doc, len);
	if (digest)
		*digest = d;
	return 0;
}

static void dir_get(struct co_cache *c, struct tagged **list, size_t n)
{
	(void)c;
	for (size_t i = 0; i < n; i++) {
		struct tagged *t = list[i];
		struct co_err err = CO_ERR_INIT;
		auto_fd fd = open_dir(t->place, &err);
		t->body.max = DOC_MAX;
		t->code =
			fd < 0 ? err.code : read_entry(t->place, fd, t->tag, &t->body, NULL, &err);
		if (t->code == CO_E_SYSTEM)
			place_gave_up(t->place, false, &err);
	}
}

static int dir_exist(struct place *p, const struct co_digest *d, size_t n, bool *out,
		     struct co_err *err)
{
	char name[300];
	struct stat st;
	auto_fd fd = open_dir(p, err);
	if (fd < 0)
		return err->code;
	for (size_t i = 0; i < n; i++) {
		blob_name(&d[i], name, sizeof(name));
		out[i] = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
	}
	return 0;
}

static int copy_in(struct place *p, int fd, const struct co_descriptor *d, struct co_err *err)
{
	char name[300], buf[65536];
	struct co_digest got;
	int64_t size;
	ssize_t n;
	blob_name(&d->digest, name, sizeof(name));
	auto_fd in = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return co_fail_sys(err, "%s/%s", p->dir, name);
	struct co_sink *out = co_store_sink(p->cache->store, &d->digest, d->size, &got, &size);
	while ((n = co_read_full(in, buf, sizeof(buf))) > 0)
		if (co_sink_write(out, buf, (size_t)n) < 0)
			break;
	if (n < 0) {
		co_fail_sys(err, "read %s/%s", p->dir, name);
		co_sink_abort(out);
		return err->code;
	}
	return co_sink_close(out, err);
}

static int dir_fetch(struct place *p, const struct co_descriptor *d, size_t n, struct co_err *err)
{
	auto_fd fd = open_dir(p, err);
	int r = fd < 0 ? err->code : 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!co_store_has(p->cache->store, &d[i].digest, NULL))
			r = copy_in(p, fd, &d[i], err);
	return r;
}

static int copy_out(struct place *p, int fd, const struct co_descriptor *d, struct co_err *err)
{
	char name[300], tmp[330];
	int64_t size;
	int in;
	blob_name(&d->digest, name, sizeof(name));
	struct stat st;
	/* one that could not be used is written anew */
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == d->size &&
	    !is_lost(p->cache, &d->digest))
		return 0;
	int r = co_store_blob_fd(p->cache->store, &d->digest, &in, &size, err);
	if (r < 0)
		return r;
	snprintf(tmp, sizeof(tmp), "%s.%ld.tmp", name, (long)getpid());
	auto_fd out = openat(fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (out < 0)
		r = co_fail_sys(err, "%s/%s", p->dir, tmp);
	else if (co_clone_fd(out, in) < 0 || renameat(fd, tmp, fd, name) < 0)
		r = co_fail_sys(err, "write %s/%s", p->dir, name);
	close(in);
	if (r < 0)
		unlinkat(fd, tmp, 0);
	return r;
}

static int dir_put_blobs(struct place *p, const struct co_descriptor *d, size_t n,
			 const struct co_ref *from, size_t n_from, struct co_err *err)
{
	(void)from;
	(void)n_from;
	auto_fd fd = make_dir(p, err);
	int r = fd < 0 ? err->code : 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = copy_out(p, fd, &d[i], err);
	return r;
}

/* ---- index.json: what other tools see ---- */

static int list_tags(int fd, struct co_arena *a, const char ***tags, size_t *n, struct co_err *err)
{
	int sub = openat(fd, "entries", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir d = sub < 0 ? NULL : fdopendir(sub);
	if (!d)
		return errno == ENOENT ? 0 : co_fail_sys(err, "read the entries");
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.' && strlen(e->d_name) == 67)
			*co_arena_push(a, *tags, *n) = co_arena_strdup(a, e->d_name);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int lock_dir(int fd, struct co_err *err)
{
	int lock = openat(fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (lock < 0 || flock(lock, LOCK_EX) < 0) {
		co_fail_sys(err, "lock the cache directory");
		co_close_fd(&lock);
		return err->code;
	}
	return lock;
}

static int write_index(struct place *p, int fd, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	const char **tags = NULL;
	size_t n = 0;
	auto_fd lock = lock_dir(fd, err);
	int r = lock < 0 ? err->code : list_tags(fd, &a, &tags, &n, err);
	if (r < 0)
		return r;
	if (n)
		qsort(tags, n, sizeof(*tags), by_name);
	struct co_descriptor *list = co_arena_alloc(&a, (n + 1) * sizeof(*list));
	json_t **notes = co_arena_alloc(&a, (n + 1) * sizeof(json_t *));
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		auto_buf text = CO_BUF_INIT(DOC_MAX);
		struct co_err quiet = CO_ERR_INIT;
		struct co_descriptor *d = &list[used];
		if (read_entry(p, fd, tags[i], &text, &d->digest, &quiet) < 0)
			continue;
		snprintf(d->media_type, sizeof(d->media_type), "%s", CO_MT_OCI_MANIFEST);
		d->size = (int64_t)text.len;
		notes[used] = json_pack("{s:s}", "org.opencontainers.image.ref.name", tags[i]);
		d->annotations = notes[used++];
	}
	struct co_index ix = {.media_type = CO_MT_OCI_INDEX, .manifests = list, .n = used};
	auto_buf out = CO_BUF_INIT(INDEX_MAX);
	co_index_write(&out, &ix);
	for (size_t i = 0; i < used; i++)
		json_decref(notes[i]);
	return co_write_file(fd, "index.json", out.data, out.len, 0644, err);
}

static int put_one(int fd, struct tagged *t, struct co_err *err)
{
	struct co_digest d;
	char name[300], text[CO_DIGEST_TEXT];
	co_digest_of(&d, co_buf_str(&t->body), t->body.len);
	blob_name(&d, name, sizeof(name));
	int r = co_write_file(fd, name, t->body.data, t->body.len, 0644, err);
	if (r < 0)
		return r;
	co_digest_str(&d, text);
	snprintf(name, sizeof(name), "entries/%s", t->tag);
	return co_write_file(fd, name, text, strlen(text), 0644, err);
}

static int dir_put(struct place *p, struct tagged *list, size_t n, struct co_err *err)
{
	auto_fd fd = make_dir(p, err);
	int r = fd < 0 ? err->code : 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = list[i].code = put_one(fd, &list[i], err);
	return r || !n ? r : write_index(p, fd, err);
}

static int dir_list(struct place *p, struct co_arena *a, const char ***tags, size_t *n,
		    struct co_err *err)
{
	auto_fd fd = open_dir(p, err);
	return fd < 0 ? err->code : list_tags(fd, a, tags, n, err);
}

static int dir_remove(struct place *p, const char *tag, struct co_err *err)
{
	char name[300];
	auto_fd fd = open_dir(p, err);
	if (fd < 0)
		return err->code;
	snprintf(name, sizeof(name), "entries/%s", tag);
	if (unlinkat(fd, name, 0) < 0 && errno != ENOENT)
		return co_fail_sys(err, "remove %s/%s", p->dir, name);
	return 0;
}

/* ---- blobs that no entry needs ---- */

static int mark_entry(struct place *p, int fd, const char *tag, struct co_arena *a,
		      const char ***keep, size_t *n)
{
	auto_buf text = CO_BUF_INIT(DOC_MAX);
	struct co_err quiet = CO_ERR_INIT;
	struct co_digest d;
	struct co_manifest m;
	char hex[CO_DIGEST_TEXT];
	if (read_entry(p, fd, tag, &text, &d, &quiet) < 0)
		return 0;
	*co_arena_push(a, *keep, *n) = co_arena_strdup(a, co_digest_hex(&d, hex));
	if (co_manifest_parse(&m, a, co_buf_str(&text), text.len, NULL, &quiet) < 0)
		return 0;
	*co_arena_push(a, *keep, *n) = co_arena_strdup(a, co_digest_hex(&m.config.digest, hex));
	for (size_t i = 0; i < m.n_layers; i++)
		*co_arena_push(a, *keep, *n) =
			co_arena_strdup(a, co_digest_hex(&m.layers[i].digest, hex));
	co_manifest_release(&m);
	return 0;
}

static int dir_sweep(struct place *p, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	const char **tags = NULL, **keep = NULL;
	size_t n = 0, kept = 0;
	auto_fd fd = open_dir(p, err);
	int r = fd < 0 ? err->code : write_index(p, fd, err);
	if (!r)
		r = list_tags(fd, &a, &tags, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		mark_entry(p, fd, tags[i], &a, &keep, &kept);
	if (kept)
		qsort(keep, kept, sizeof(*keep), by_name);
	int sub = openat(fd, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir d = sub < 0 ? NULL : fdopendir(sub);
	for (struct dirent *e; d && (e = readdir(d));) {
		const char *name = e->d_name;
		struct stat st;
		if (name[0] == '.' || (kept && bsearch(&name, keep, kept, sizeof(*keep), by_name)))
			continue;
		/* a writer may be about to name it in an entry */
		if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_mtim.tv_sec > co_wall_s() - YOUNG_S)
			continue;
		unlinkat(dirfd(d), name, 0);
	}
	return 0;
}

const struct place_ops cache_in_dir = {.name = "local",
				       .get = dir_get,
				       .exist = dir_exist,
				       .fetch = dir_fetch,
				       .put_blobs = dir_put_blobs,
				       .put = dir_put,
				       .list = dir_list,
				       .remove = dir_remove,
				       .sweep = dir_sweep};
