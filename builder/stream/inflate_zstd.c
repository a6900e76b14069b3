/* SPDX-License-Identifier: MIT
 *
 * inflate_zstd.c — zstd, all frames, skippable ones passed over (zstd:chunked), window bounded.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "stream-internal.h"
#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG 27 /* 128 MiB: what the command line tool accepts without --long=31 */

struct unzstd {
	ZSTD_DCtx *dec; /* owned */
	bool between;	/* a frame has ended and nothing is held back */
};

static int zstd_open(struct inflate *f, struct co_err *err)
{
	struct unzstd *u = co_xcalloc(1, sizeof(*u));

	(void)err;
	f->state = u;
	u->dec = ZSTD_createDCtx();
	if (!u->dec)
		co_oom();
	ZSTD_DCtx_setParameter(u->dec, ZSTD_d_windowLogMax, WINDOW_LOG);
	return 0;
}

static int zstd_fail(size_t code, struct co_err *err)
{
	if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
		co_oom();
	if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
		return co_fail(err, CO_E_LIMIT, "window of more than 128 MiB");
	return co_fail(err, CO_E_INVALID, "%s", ZSTD_getErrorName(code));
}

static ssize_t zstd_read(struct inflate *f, void *data, size_t len, struct co_err *err)
{
	struct unzstd *u = f->state;
	ZSTD_outBuffer out = {data, len, 0};

	while (out.pos < out.size) {
		ssize_t n = inflate_fill(f, err);
		ZSTD_inBuffer in = {f->in + f->pos, n > 0 ? (size_t)n : 0, 0};
		size_t before = out.pos, r;

		if (n < 0)
			return n;
		if (n == 0 && u->between) {
			f->done = true;
			break;
		}
		r = ZSTD_decompressStream(u->dec, &out, &in);
		if (ZSTD_isError(r))
			return zstd_fail(r, err);
		f->pos += in.pos;
		u->between = r == 0;
		if (n == 0 && out.pos == before && !u->between)
			return co_fail(err, CO_E_INVALID, "the stream stops early");
	}
	return (ssize_t)out.pos;
}

static void zstd_close(struct inflate *f)
{
	struct unzstd *u = f->state;

	if (u)
		ZSTD_freeDCtx(u->dec);
	free(u);
}

const struct codec codec_zstd = {"zstd", zstd_open, zstd_read, zstd_close};
