/* SPDX-License-Identifier: MIT
 *
 * sink_hash.c — digest and length of what passes, and the choice of a compressor.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/stream.h>

struct hash_sink {
	struct co_sink *below; /* owned */
	struct co_hash *hash;  /* owned */
	struct co_digest *out; /* may be NULL */
	uint64_t *size;	       /* may be NULL */
	uint64_t count;
};

static int hash_write(void *self, const void *data, size_t len, struct co_err *err)
{
	struct hash_sink *h = self;

	co_hash_add(h->hash, data, len);
	h->count += len;
	return co_sink_pass(h->below, data, len, err);
}

static int hash_close(void *self, struct co_err *err)
{
	struct hash_sink *h = self;
	struct co_digest digest = {0};
	int r = co_sink_close(co_steal(&h->below), err);

	if (r < 0)
		return r;
	co_hash_done(co_steal(&h->hash), &digest);
	if (h->out)
		*h->out = digest;
	if (h->size)
		*h->size = h->count;
	return 0;
}

static void hash_free(void *self, bool aborted)
{
	struct hash_sink *h = self;

	(void)aborted;
	co_sink_abort(h->below);
	if (h->hash)
		co_hash_free(h->hash);
	free(h);
}

static const struct co_sink_ops hash_ops = {"hash", hash_write, hash_close, hash_free};

struct co_sink *co_sink_hash(struct co_sink *below, enum co_digest_alg alg, struct co_digest *out,
			     uint64_t *size)
{
	struct hash_sink *h = co_xcalloc(1, sizeof(*h));

	h->below = below;
	h->hash = co_hash_new(alg);
	h->out = out;
	h->size = size;
	return co_sink_new(&hash_ops, h);
}

struct co_sink *co_sink_compress(struct co_sink *below, enum co_compression kind, int level,
				 unsigned threads)
{
	switch (kind) {
	case CO_COMP_GZIP:
		return co_sink_gzip(below, level, threads);
	case CO_COMP_ZSTD:
		return co_sink_zstd(below, level, threads);
	case CO_COMP_NONE:
		break;
	}
	return below;
}

const char *co_compression_name(enum co_compression c)
{
	switch (c) {
	case CO_COMP_GZIP:
		return "gzip";
	case CO_COMP_ZSTD:
		return "zstd";
	case CO_COMP_NONE:
		break;
	}
	return "none";
}
