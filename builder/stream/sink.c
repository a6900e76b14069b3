/* SPDX-License-Identifier: MIT
 *
 * sink.c — the sink itself and the kinds that end a chain: descriptor, buffer, nothing.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/fs.h>
#include <cooper/stream.h>
#include <string.h>

struct co_sink {
	const struct co_sink_ops *ops;
	void *self;
	struct co_err err; /* the first failure */
};

struct co_sink *co_sink_new(const struct co_sink_ops *ops, void *self)
{
	struct co_sink *s = co_xcalloc(1, sizeof(*s));

	s->ops = ops;
	s->self = self;
	return s;
}

int co_sink_write(struct co_sink *s, const void *data, size_t len)
{
	if (s->err.code)
		return s->err.code;
	if (!len)
		return 0;
	return s->ops->write(s->self, data, len, &s->err);
}

int co_sink_pass(struct co_sink *below, const void *data, size_t len, struct co_err *err)
{
	int r = co_sink_write(below, data, len);

	if (r < 0 && !err->code)
		*err = below->err;
	return r;
}

static void sink_free(struct co_sink *s, bool aborted)
{
	s->ops->free(s->self, aborted);
	free(s);
}

int co_sink_close(struct co_sink *s, struct co_err *err)
{
	int r = s->err.code;

	if (!r)
		r = s->ops->close(s->self, &s->err);
	if (r < 0 && !err->code)
		*err = s->err;
	sink_free(s, r < 0);
	return r;
}

void co_sink_abort(struct co_sink *s)
{
	if (s)
		sink_free(s, true);
}

/* Descriptor: small writes (tar headers) are gathered. */
#define FD_BUFFER (64u << 10)

struct fd_sink {
	int fd;
	bool own;
	char *what; /* owned */
	size_t held;
	char buffer[FD_BUFFER];
};

static int fd_flush(struct fd_sink *f, struct co_err *err)
{
	if (f->held && co_write_all(f->fd, f->buffer, f->held) < 0)
		return co_fail_sys(err, "write %s", f->what);
	f->held = 0;
	return 0;
}

static int fd_write(void *self, const void *data, size_t len, struct co_err *err)
{
	struct fd_sink *f = self;
	int r;

	if (len > FD_BUFFER - f->held && (r = fd_flush(f, err)) < 0)
		return r;
	if (len >= FD_BUFFER) {
		if (co_write_all(f->fd, data, len) < 0)
			return co_fail_sys(err, "write %s", f->what);
		return 0;
	}
	memcpy(f->buffer + f->held, data, len);
	f->held += len;
	return 0;
}

static int fd_close(void *self, struct co_err *err)
{
	struct fd_sink *f = self;
	int r = fd_flush(f, err);

	if (r < 0 || !f->own)
		return r;
	if (close(co_steal_fd(&f->fd)) < 0 && errno != EINTR)
		return co_fail_sys(err, "close %s", f->what);
	return 0;
}

static void fd_free(void *self, bool aborted)
{
	struct fd_sink *f = self;

	(void)aborted;
	if (f->own)
		co_close_fd(&f->fd);
	free(f->what);
	free(f);
}

static const struct co_sink_ops fd_ops = {"fd", fd_write, fd_close, fd_free};

struct co_sink *co_sink_fd(int fd, bool own, const char *what)
{
	struct fd_sink *f = co_xcalloc(1, sizeof(*f));

	f->fd = fd;
	f->own = own;
	f->what = co_xstrdup(what);
	return co_sink_new(&fd_ops, f);
}

/* Nothing. */
static int null_write(void *self, const void *data, size_t len, struct co_err *err)
{
	(void)self, (void)data, (void)len, (void)err;
	return 0;
}

static int null_close(void *self, struct co_err *err)
{
	(void)self, (void)err;
	return 0;
}

static void null_free(void *self, bool aborted)
{
	(void)self, (void)aborted;
}

static const struct co_sink_ops null_ops = {"null", null_write, null_close, null_free};

struct co_sink *co_sink_null(void)
{
	return co_sink_new(&null_ops, NULL);
}

/* Buffer. */
static int buf_write(void *self, const void *data, size_t len, struct co_err *err)
{
	struct co_buf *b = self;

	co_buf_add(b, data, len);
	if (b->overflow)
		return co_fail(err, CO_E_LIMIT, "more than %zu bytes", b->max);
	return 0;
}

static const struct co_sink_ops buf_ops = {"buf", buf_write, null_close, null_free};

struct co_sink *co_sink_buf(struct co_buf *out)
{
	return co_sink_new(&buf_ops, out);
}
