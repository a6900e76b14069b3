/* SPDX-License-Identifier: MIT
 *
 * stream.c — the pull side: the stream itself, descriptor, memory and hash.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/stream.h>
#include <string.h>

struct co_source_stream {
	const struct co_source_ops *ops;
	void *self;
	bool ended;
	struct co_err err; /* the first failure */
};

struct co_source_stream *co_stream_new(const struct co_source_ops *ops, void *self)
{
	struct co_source_stream *s = co_xcalloc(1, sizeof(*s));

	s->ops = ops;
	s->self = self;
	return s;
}

ssize_t co_stream_read(struct co_source_stream *s, void *data, size_t len, struct co_err *err)
{
	ssize_t n;

	if (s->err.code) {
		if (!err->code)
			*err = s->err;
		return s->err.code;
	}
	if (s->ended || !len)
		return 0;
	n = s->ops->read(s->self, data, len, &s->err);
	if (n == 0)
		s->ended = true;
	if (n < 0 && !err->code)
		*err = s->err;
	return n;
}

void co_stream_close(struct co_source_stream *s)
{
	if (!s)
		return;
	s->ops->free(s->self);
	free(s);
}

struct fd_source {
	int fd;
	bool own;
	char *what; /* owned */
};

static ssize_t fd_read(void *self, void *data, size_t len, struct co_err *err)
{
	struct fd_source *f = self;
	ssize_t n;

	do {
		n = read(f->fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? co_fail_sys(err, "read %s", f->what) : n;
}

static void fd_free(void *self)
{
	struct fd_source *f = self;

	if (f->own)
		co_close_fd(&f->fd);
	free(f->what);
	free(f);
}

static const struct co_source_ops fd_ops = {fd_read, fd_free};

struct co_source_stream *co_stream_fd(int fd, bool own, const char *what)
{
	struct fd_source *f = co_xcalloc(1, sizeof(*f));

	f->fd = fd;
	f->own = own;
	f->what = co_xstrdup(what);
	return co_stream_new(&fd_ops, f);
}

struct mem_source {
	const char *data; /* borrowed */
	size_t left;
};

static ssize_t mem_read(void *self, void *data, size_t len, struct co_err *err)
{
	struct mem_source *m = self;
	size_t n = len < m->left ? len : m->left;

	(void)err;
	if (n)
		memcpy(data, m->data, n);
	m->data += n;
	m->left -= n;
	return (ssize_t)n;
}

static const struct co_source_ops mem_ops = {mem_read, free};

struct co_source_stream *co_stream_mem(const void *data, size_t len)
{
	struct mem_source *m = co_xcalloc(1, sizeof(*m));

	m->data = data ? data : "";
	m->left = len;
	return co_stream_new(&mem_ops, m);
}

struct hash_source {
	struct co_source_stream *below; /* owned */
	struct co_hash *hash;		/* owned; NULL after the end */
	struct co_digest *out;		/* may be NULL */
	uint64_t *size;			/* may be NULL */
	uint64_t count;
};

static ssize_t hash_read(void *self, void *data, size_t len, struct co_err *err)
{
	struct hash_source *h = self;
	ssize_t n = co_stream_read(h->below, data, len, err);
	struct co_digest digest = {0};

	if (n > 0) {
		co_hash_add(h->hash, data, (size_t)n);
		h->count += (size_t)n;
	}
	if (n != 0)
		return n;
	co_hash_done(co_steal(&h->hash), &digest);
	if (h->out)
		*h->out = digest;
	if (h->size)
		*h->size = h->count;
	return 0;
}

static void hash_free(void *self)
{
	struct hash_source *h = self;

	co_stream_close(h->below);
	if (h->hash)
		co_hash_free(h->hash);
	free(h);
}

static const struct co_source_ops hash_ops = {hash_read, hash_free};

struct co_source_stream *co_stream_hash(struct co_source_stream *below, enum co_digest_alg alg,
					struct co_digest *out, uint64_t *size)
{
	struct hash_source *h = co_xcalloc(1, sizeof(*h));

	h->below = below;
	h->hash = co_hash_new(alg);
	h->out = out;
	h->size = size;
	return co_stream_new(&hash_ops, h);
}
