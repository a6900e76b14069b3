/* SPDX-License-Identifier: MIT
 *
 * store_blob.c — blobs by digest. A blob has its name only once its content was verified.
 */
#include "store-internal.h"
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *alg_dir(const struct co_digest *d)
{
	return d->alg == CO_SHA512 ? "blobs/sha512" : "blobs/sha256";
}

const char *store_blob_path(const struct co_digest *d, char buf[STORE_PATH_MAX])
{
	char hex[CO_DIGEST_TEXT];
	snprintf(buf, STORE_PATH_MAX, "%s/%s", alg_dir(d), co_digest_hex(d, hex));
	return buf;
}

bool co_store_has(struct co_store *s, const struct co_digest *d, int64_t *size)
{
	char path[STORE_PATH_MAX];
	struct stat st;
	if (!d->set || fstatat(s->fd, store_blob_path(d, path), &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	if (size)
		*size = st.st_size;
	return true;
}

int co_store_blob_fd(struct co_store *s, const struct co_digest *d, int *fd, int64_t *size,
		     struct co_err *err)
{
	char path[STORE_PATH_MAX], text[CO_DIGEST_TEXT];
	struct stat st;
	auto_fd blob = openat(s->fd, store_blob_path(d, path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (blob < 0 && errno == ENOENT)
		return co_fail(err, CO_E_NOT_FOUND, "blob %s is not in the store",
			       co_digest_str(d, text));
	if (blob < 0 || fstat(blob, &st) < 0)
		return co_fail_sys(err, "store: open blob %s", co_digest_str(d, text));
	*fd = co_steal_fd(&blob);
	if (size)
		*size = st.st_size;
	return 0;
}

static void digest_as(const struct co_digest *like, struct co_digest *out, const void *data,
		      size_t len)
{
	struct co_hash *h = co_hash_new((enum co_digest_alg)like->alg);
	co_hash_add(h, data, len);
	co_hash_done(h, out);
}

int co_store_blob_read(struct co_store *s, const struct co_digest *d, size_t max, char **out,
		       size_t *len, struct co_err *err)
{
	char path[STORE_PATH_MAX], text[CO_DIGEST_TEXT], other[CO_DIGEST_TEXT];
	struct co_digest got;
	auto_fd fd = -1;
	auto_buf b = CO_BUF_INIT(max);
	int r = co_store_blob_fd(s, d, &fd, NULL, err);
	if (r < 0)
		return r;
	co_digest_str(d, text);
	r = co_buf_read_fd(&b, fd, text, err);
	if (r < 0)
		return co_wrap(err, "store: blob");
	digest_as(d, &got, co_buf_str(&b), b.len);
	if (!co_digest_eq(d, &got)) {
		unlinkat(s->fd, store_blob_path(d, path), 0);
		co_fail(err, CO_E_INTEGRITY, "store: blob %s is damaged: its content is %s", text,
			co_digest_str(&got, other));
		return co_hint(err, "the copy was removed; run the command again to fetch it anew");
	}
	*len = b.len;
	*out = co_buf_take(&b);
	return 0;
}

/* ---- writing ---- */

struct blob_sink {
	struct co_store *store;
	struct co_sink *file;	 /* owned; hashes and writes to tmp */
	struct co_err born;	 /* the file could not be made */
	char name[32];		 /* in tmp; "" if none */
	struct co_digest expect; /* unset: any */
	int64_t expect_size, count;
	struct co_digest got;
	struct co_digest *digest;  /* the caller's; may be NULL */
	int64_t *size;		   /* the caller's; may be NULL */
	struct store_spool *spool; /* not NULL: the file stays in tmp */
	bool watched;		   /* somebody was told that it begins, and not yet how it ends */
};

void co_store_watch(struct co_store *s, const struct co_store_watch *w)
{
	s->watch = w;
}

static void watch_begin(struct blob_sink *b)
{
	const struct co_store_watch *w = b->store->watch;
	int fd = w && b->name[0] ? openat(b->store->tmp, b->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
				 : -1;
	b->watched = fd >= 0;
	if (b->watched)
		w->begins(w->ctx, &b->expect, fd);
}

static void watch_end(struct blob_sink *b, bool ok)
{
	const struct co_store_watch *w = b->store->watch;
	if (b->watched && w)
		w->ends(w->ctx, &b->expect, ok);
	b->watched = false;
}

static int wrong_size(const struct blob_sink *b, const char *how, struct co_err *err)
{
	char text[CO_DIGEST_TEXT];
	bool named = b->expect.set;
	return co_fail(err, CO_E_INTEGRITY, "blob %s: %s than the %lld bytes announced",
		       named ? co_digest_str(&b->expect, text) : "without a digest", how,
		       (long long)b->expect_size);
}

static int blob_write(void *self, const void *data, size_t len, struct co_err *err)
{
	struct blob_sink *b = self;
	if (b->born.code) {
		*err = b->born;
		return err->code;
	}
	if (__builtin_add_overflow(b->count, (int64_t)len, &b->count) ||
	    (b->expect_size >= 0 && b->count > b->expect_size))
		return wrong_size(b, "more", err);
	int r = co_sink_pass(b->file, data, len, err);
	if (!r && b->watched && b->store->watch)
		b->store->watch->grows(b->store->watch->ctx, &b->expect, b->count);
	return r;
}

static int check(const struct blob_sink *b, struct co_err *err)
{
	char want[CO_DIGEST_TEXT], got[CO_DIGEST_TEXT];
	if (b->expect.set && !co_digest_eq(&b->expect, &b->got))
		return co_fail(err, CO_E_INTEGRITY, "blob %s: its content is %s",
			       co_digest_str(&b->expect, want), co_digest_str(&b->got, got));
	if (b->expect_size >= 0 && b->count != b->expect_size)
		return wrong_size(b, "fewer", err);
	return 0;
}

/* Over an existing one: the same bytes, or a damaged copy that is healed by it. */
static int publish(struct co_store *s, char *name, const struct co_digest *d, struct co_err *err)
{
	char path[STORE_PATH_MAX], text[CO_DIGEST_TEXT];
	if (d->alg == CO_SHA512 && store_subdir(s, alg_dir(d), err) < 0)
		return err->code;
	if (renameat(s->tmp, name, s->fd, store_blob_path(d, path)) < 0)
		return co_fail_sys(err, "store: publish blob %s", co_digest_str(d, text));
	name[0] = '\0';
	return 0;
}

static void hand_over_spool(struct blob_sink *b)
{
	memcpy(b->spool->name, b->name, sizeof(b->name));
	b->spool->digest = b->got;
	b->spool->size = b->count;
	b->name[0] = '\0';
}

static int blob_close(void *self, struct co_err *err)
{
	struct blob_sink *b = self;
	if (b->born.code) {
		*err = b->born;
		return err->code;
	}
	int r = co_sink_close(co_steal(&b->file), err);
	if (!r)
		r = check(b, err);
	if (!r && !b->spool)
		r = publish(b->store, b->name, &b->got, err);
	if (r < 0)
		return r;
	watch_end(b, true);
	if (b->spool)
		hand_over_spool(b);
	if (b->digest)
		*b->digest = b->got;
	if (b->size)
		*b->size = b->count;
	return 0;
}

static void blob_free(void *self, bool aborted)
{
	struct blob_sink *b = self;
	(void)aborted;
	watch_end(b, false);
	co_sink_abort(b->file);
	if (b->name[0])
		unlinkat(b->store->tmp, b->name, 0);
	free(b);
}

static const struct co_sink_ops blob_ops = {"store", blob_write, blob_close, blob_free};

static void start(struct blob_sink *b, enum co_digest_alg alg)
{
	char name[sizeof(b->name)];
	int fd = store_tmp_file(b->store, name, sizeof(name), &b->born);
	if (fd < 0)
		return;
	memcpy(b->name, name, sizeof(name));
	fchmod(fd, 0600);
	b->file = co_sink_hash(co_sink_fd(fd, true, "a blob to the store"), alg, &b->got, NULL);
}

struct co_sink *co_store_sink(struct co_store *s, const struct co_digest *expect,
			      int64_t expect_size, struct co_digest *digest, int64_t *size)
{
	struct blob_sink *b = co_xcalloc(1, sizeof(*b));
	b->store = s;
	b->expect_size = expect_size;
	b->digest = digest;
	b->size = size;
	if (expect)
		b->expect = *expect;
	start(b, b->expect.set ? (enum co_digest_alg)b->expect.alg : CO_SHA256);
	if (b->expect.set)
		watch_begin(b);
	return co_sink_new(&blob_ops, b);
}

/* A build that finds everything in its cache makes the documents it made before. */
static bool is_there(struct co_store *s, size_t len, const struct co_digest *d)
{
	struct co_err ignore = CO_ERR_INIT;
	auto_free char *have = NULL;
	size_t n;
	int64_t size;
	return co_store_has(s, d, &size) && (uint64_t)size == len &&
	       co_store_blob_read(s, d, len, &have, &n, &ignore) == 0;
}

int co_store_put(struct co_store *s, const void *data, size_t len, struct co_digest *out,
		 struct co_err *err)
{
	struct co_digest d;
	co_digest_of(&d, data, len);
	if (is_there(s, len, &d)) {
		*out = d;
		return 0;
	}
	struct co_sink *sink = co_store_sink(s, NULL, -1, out, NULL);
	co_sink_write(sink, data, len);
	return co_sink_close(sink, err);
}

struct co_sink *store_spool_sink(struct co_store *s, enum co_digest_alg alg,
				 struct store_spool *out)
{
	struct blob_sink *b = co_xcalloc(1, sizeof(*b));
	b->store = s;
	b->expect_size = -1;
	b->spool = out;
	start(b, alg);
	return co_sink_new(&blob_ops, b);
}

int store_spool_open(struct co_store *s, const struct store_spool *sp, struct co_err *err)
{
	int fd = -1;
	if (!sp->name[0]) {
		int r = co_store_blob_fd(s, &sp->digest, &fd, NULL, err);
		return r < 0 ? r : fd;
	}
	fd = openat(s->tmp, sp->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? co_fail_sys(err, "store: open a temporary file") : fd;
}

int store_spool_publish(struct co_store *s, struct store_spool *sp, struct co_err *err)
{
	return publish(s, sp->name, &sp->digest, err);
}

void store_spool_drop(struct co_store *s, struct store_spool *sp)
{
	if (sp->name[0])
		unlinkat(s->tmp, sp->name, 0);
	sp->name[0] = '\0';
}
