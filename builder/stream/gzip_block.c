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

struct deflater {
	struct libdeflate_compressor *enc; /* owned */
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
	libdeflate_free_compressor(d->enc);
	free(d);
}

size_t deflater_bound(size_t n)
{
	return libdeflate_gzip_compress_bound(NULL, n);
}

size_t deflater_run(struct deflater *d, const uint8_t *in, size_t n, uint8_t *out)
{
	return libdeflate_gzip_compress(d->enc, in, n, out, deflater_bound(n));
}

unsigned usable_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}
