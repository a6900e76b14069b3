/* SPDX-License-Identifier: MIT
 *
 * gzip_block.c — one block of a layer as a gzip member of its own. RFC 1952 (section 2.2) makes a
 * file a series of members, and what reads layers reads them so: eStargz layers have thousands. So
 * blocks compressed by different threads need nothing but to be put one behind the other.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "stream-internal.h"
#include <libdeflate.h>
#include <sched.h>

#define STRETCH	  4096u
#define STRETCHES 4u
#define TRIED	  (64u << 10)

struct deflater {
	struct libdeflate_compressor *enc;    /* owned */
	struct libdeflate_compressor *quick;  /* owned; level 1 */
	struct libdeflate_compressor *stored; /* owned; level 0 */
};

struct deflater *deflater_new(int level)
{
	struct deflater *d = co_xcalloc(1, sizeof(*d));

	d->enc = libdeflate_alloc_compressor(level);
	d->quick = libdeflate_alloc_compressor(1);
	d->stored = libdeflate_alloc_compressor(0);
	if (!d->enc || !d->quick || !d->stored)
		co_oom();
	return d;
}

void deflater_free(struct deflater *d)
{
	if (!d)
		return;
	libdeflate_free_compressor(d->enc);
	libdeflate_free_compressor(d->quick);
	libdeflate_free_compressor(d->stored);
	free(d);
}

size_t deflater_bound(size_t n)
{
	return libdeflate_gzip_compress_bound(NULL, n);
}

/* All bytes about as frequent as each other, as in what is compressed already: the sum of the
 * squares of their numbers is near its least. Text, programs and base64 are far above. */
static bool is_flat(const uint8_t *in, size_t n)
{
	uint64_t count[256] = {0}, squares = 0;
	const uint64_t total = (uint64_t)STRETCH * STRETCHES;

	for (size_t i = 0; i < STRETCHES; i++) {
		const uint8_t *p = in + (n - STRETCH) / (STRETCHES - 1) * i;

		for (size_t k = 0; k < STRETCH; k++)
			count[p[k]]++;
	}
	for (size_t i = 0; i < 256; i++)
		squares += count[i] * count[i];
	return squares < total * total / 256 * 5 / 4;
}

/* Trying hard on what cannot become smaller takes longest of all. */
static bool is_hopeless(struct deflater *d, const uint8_t *in, size_t n, uint8_t *out)
{
	if (n < 2 * (size_t)TRIED || !is_flat(in, n))
		return false;
	size_t got =
		libdeflate_deflate_compress(d->quick, in + n / 2, TRIED, out, deflater_bound(n));
	return got > TRIED - TRIED / 128;
}

size_t deflater_run(struct deflater *d, const uint8_t *in, size_t n, uint8_t *out)
{
	struct libdeflate_compressor *enc = is_hopeless(d, in, n, out) ? d->stored : d->enc;

	return libdeflate_gzip_compress(enc, in, n, out, deflater_bound(n));
}

unsigned usable_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}
