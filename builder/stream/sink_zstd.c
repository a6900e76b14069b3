/* SPDX-License-Identifier: MIT
 *
 * sink_zstd.c — zstd. libzstd's multi-threaded mode gives the same bytes for any number of workers
 * (one is enough, zero is another encoder); job size and checksum are fixed. What fits into one job
 * is compressed in one call: no threads, and the frame tells its size.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "stream-internal.h"
#include <string.h>
#include <zstd.h>

#define ZSTD_LEVEL   3
#define MAX_WORKERS  4
#define JOB_SIZE     (1u << 20)
#define SMALL_STREAM (512u << 10) /* libzstd's own bound for leaving the workers out */

struct zstd_sink {
	struct co_sink *below; /* owned */
	ZSTD_CCtx *enc;	       /* owned */
	uint8_t *first;	       /* owned; the start of the stream until it is known to be long */
	size_t n_first;
	bool streaming;
	uint8_t *out; /* owned */
	size_t out_size;
};

static int run(struct zstd_sink *z, const void *data, size_t len, ZSTD_EndDirective op,
	       struct co_err *err)
{
	ZSTD_inBuffer in = {data, len, 0};

	for (;;) {
		ZSTD_outBuffer out = {z->out, z->out_size, 0};
		size_t left = ZSTD_compressStream2(z->enc, &out, &in, op);
		int r;

		if (ZSTD_isError(left))
			return co_fail(err, CO_E_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
		if ((r = co_sink_pass(z->below, z->out, out.pos, err)) < 0)
			return r;
		if (op == ZSTD_e_end ? left == 0 : in.pos == in.size)
			return 0;
	}
}

static int zstd_write(void *self, const void *data, size_t len, struct co_err *err)
{
	struct zstd_sink *z = self;
	int r;

	if (!z->streaming && z->n_first + len <= SMALL_STREAM) {
		memcpy(z->first + z->n_first, data, len);
		z->n_first += len;
		return 0;
	}
	if (!z->streaming) {
		z->streaming = true;
		if ((r = run(z, z->first, z->n_first, ZSTD_e_continue, err)) < 0)
			return r;
		free(co_steal(&z->first));
	}
	return run(z, data, len, ZSTD_e_continue, err);
}

static int zstd_close(void *self, struct co_err *err)
{
	struct zstd_sink *z = self;
	int r = run(z, z->first, z->streaming ? 0 : z->n_first, ZSTD_e_end, err);

	return r < 0 ? r : co_sink_close(co_steal(&z->below), err);
}

static void zstd_free(void *self, bool aborted)
{
	struct zstd_sink *z = self;

	(void)aborted;
	co_sink_abort(z->below);
	ZSTD_freeCCtx(z->enc);
	free(z->first);
	free(z->out);
	free(z);
}

static const struct co_sink_ops zstd_ops = {"zstd", zstd_write, zstd_close, zstd_free};

/* The table sizes of high levels (80 MiB a worker) are for long windows on large machines. */
static void bound_memory(ZSTD_CCtx *enc, int level, unsigned threads)
{
	unsigned most = level < 5 ? MAX_WORKERS : MAX_WORKERS / 2;

	ZSTD_CCtx_setParameter(enc, ZSTD_c_nbWorkers, (int)(threads > most ? most : threads));
	if (level < 5)
		return;
	ZSTD_CCtx_setParameter(enc, ZSTD_c_windowLog, 21);
	ZSTD_CCtx_setParameter(enc, ZSTD_c_hashLog, 19);
	ZSTD_CCtx_setParameter(enc, ZSTD_c_chainLog, 19);
}

struct co_sink *co_sink_zstd(struct co_sink *below, int level, unsigned threads)
{
	struct zstd_sink *z = co_xcalloc(1, sizeof(*z));

	level = level < 0 ? ZSTD_LEVEL : level < 1 ? 1 : level > 19 ? 19 : level;
	z->below = below;
	z->first = co_xrealloc(NULL, 1, SMALL_STREAM);
	z->out_size = ZSTD_CStreamOutSize();
	z->out = co_xrealloc(NULL, 1, z->out_size);
	z->enc = ZSTD_createCCtx();
	if (!z->enc)
		co_oom();
	ZSTD_CCtx_setParameter(z->enc, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(z->enc, ZSTD_c_checksumFlag, 1);
	bound_memory(z->enc, level, threads ? threads : usable_cores());
	ZSTD_CCtx_setParameter(z->enc, ZSTD_c_jobSize, JOB_SIZE);
	return co_sink_new(&zstd_ops, z);
}
