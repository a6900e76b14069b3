/* SPDX-License-Identifier: MIT
 *
 * gzip_block.c — libdeflate made continuable. libdeflate is three times as fast as zlib but always
 * ends its output with a final block. Here the start of that block is found by decoding (zlib's
 * Z_BLOCK stops at every block boundary), its final flag is cleared, and an empty stored block
 * brings the end to a byte boundary: so blocks made by different threads form one deflate stream.
 * RFC 1951, sections 3.2.3 and 3.2.4. The decoding costs a quarter of the time and proves the
 * output readable.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "stream-internal.h"
#include <libdeflate.h>
#include <sched.h>
#include <string.h>
#include <zlib.h>

#define SCRATCH	   (64u << 10)
#define STORED_END 5 /* three header bits may need a byte of their own, then 00 00 ff ff */

struct deflater {
	struct libdeflate_compressor *enc; /* owned */
	z_stream dec;
	bool dec_ready;
	uint8_t scratch[SCRATCH];
};

struct deflater *deflater_new(int level)
{
	struct deflater *d = co_xcalloc(1, sizeof(*d));

	d->enc = libdeflate_alloc_compressor(level);
	if (!d->enc)
		co_oom();
	return d;
}

void deflater_free(struct deflater *d)
{
	if (!d)
		return;
	if (d->dec_ready)
		inflateEnd(&d->dec);
	libdeflate_free_compressor(d->enc);
	free(d);
}

size_t deflater_bound(size_t n)
{
	return libdeflate_deflate_compress_bound(NULL, n) + STORED_END;
}

static void decoder_reset(struct deflater *d)
{
	int r = d->dec_ready ? inflateReset(&d->dec) : inflateInit2(&d->dec, -MAX_WBITS);

	if (r != Z_OK)
		co_oom();
	d->dec_ready = true;
}

/* Bit offsets of the last block's header and of the end behind it. */
static bool find_last_block(struct deflater *d, uint8_t *data, size_t len, size_t expect,
			    uint64_t *header, uint64_t *end)
{
	z_stream *z = &d->dec;

	decoder_reset(d);
	*header = 0;
	z->next_in = data;
	z->avail_in = (uInt)len;
	for (;;) {
		uint64_t at;

		z->next_out = d->scratch;
		z->avail_out = SCRATCH;
		if (inflate(z, Z_BLOCK) != Z_OK)
			return false;
		if (!(z->data_type & 128))
			continue;
		at = (uint64_t)(z->next_in - data) * 8 - (unsigned)(z->data_type & 7);
		if (z->data_type & 64) {
			*end = at;
			return z->total_out == expect;
		}
		*header = at;
	}
}

size_t deflater_run(struct deflater *d, const uint8_t *in, size_t n, uint8_t *out, bool last)
{
	size_t len = libdeflate_deflate_compress(d->enc, in, n, out,
						 libdeflate_deflate_compress_bound(NULL, n));
	uint64_t header, end;
	size_t bytes;

	if (!len || last)
		return len;
	if (!find_last_block(d, out, len, n, &header, &end))
		return 0;
	out[header / 8] &= (uint8_t) ~(1u << (header % 8));
	bytes = (end + 3 + 7) / 8;
	if (end % 8)
		out[end / 8] &= (uint8_t)((1u << (end % 8)) - 1);
	if (bytes > (end + 7) / 8)
		out[bytes - 1] = 0;
	memcpy(out + bytes, "\x00\x00\xff\xff", 4);
	return bytes + 4;
}

unsigned usable_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}
