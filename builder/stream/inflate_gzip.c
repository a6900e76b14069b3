/* SPDX-License-Identifier: MIT
 *
 * inflate_gzip.c — gzip, all members (eStargz layers have thousands), zero padding behind them.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "stream-internal.h"
#include <zlib.h>

struct gunzip {
	z_stream z;
	bool between; /* a member has ended; another one, padding or the end follows */
};

static int gzip_open(struct inflate *f, struct co_err *err)
{
	struct gunzip *g = co_xcalloc(1, sizeof(*g));

	(void)err;
	f->state = g;
	if (inflateInit2(&g->z, MAX_WBITS + 16) != Z_OK)
		co_oom();
	return 0;
}

/* Behind a member: 1 when another one starts, 0 at the end. */
static int next_member(struct inflate *f, struct gunzip *g, struct co_err *err)
{
	ssize_t n = inflate_fill(f, err);
	bool padding = n > 0 && f->in[f->pos] == 0;

	while (padding && (n = inflate_fill(f, err)) > 0)
		for (; f->pos < f->len; f->pos++)
			if (f->in[f->pos])
				return co_fail(err, CO_E_INVALID, "rubbish behind the end");
	if (n <= 0) {
		f->done = n == 0;
		return (int)n;
	}
	if (inflateReset(&g->z) != Z_OK)
		return co_fail(err, CO_E_INTERNAL, "inflateReset");
	g->between = false;
	return 1;
}

static int inflate_step(struct inflate *f, struct gunzip *g, struct co_err *err)
{
	ssize_t n = inflate_fill(f, err);
	int r;

	if (n < 0)
		return (int)n;
	if (n == 0)
		return co_fail(err, CO_E_INVALID, "the stream stops early");
	g->z.next_in = f->in + f->pos;
	g->z.avail_in = (uInt)n;
	r = inflate(&g->z, Z_NO_FLUSH);
	f->pos = f->len - g->z.avail_in;
	if (r == Z_STREAM_END)
		g->between = true;
	else if (r == Z_MEM_ERROR)
		co_oom();
	else if (r != Z_OK && r != Z_BUF_ERROR)
		return co_fail(err, CO_E_INVALID, "%s", g->z.msg ? g->z.msg : "malformed data");
	return 0;
}

static ssize_t gzip_read(struct inflate *f, void *data, size_t len, struct co_err *err)
{
	struct gunzip *g = f->state;
	size_t want = len < (1u << 30) ? len : 1u << 30;
	int r;

	g->z.next_out = data;
	g->z.avail_out = (uInt)want;
	while (g->z.avail_out) {
		if (g->between && (r = next_member(f, g, err)) <= 0) {
			if (r < 0)
				return r;
			break;
		}
		if ((r = inflate_step(f, g, err)) < 0)
			return r;
	}
	return (ssize_t)(want - g->z.avail_out);
}

static void gzip_close(struct inflate *f)
{
	struct gunzip *g = f->state;

	if (g)
		inflateEnd(&g->z);
	free(g);
}

const struct codec codec_gzip = {"gzip", gzip_open, gzip_read, gzip_close};
