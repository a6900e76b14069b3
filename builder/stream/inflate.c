/* SPDX-License-Identifier: MIT
 *
 * inflate.c — decompression by magic bytes: what the codecs share.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "stream-internal.h"
#include <string.h>

#define MAGIC_BYTES 10

ssize_t inflate_fill(struct inflate *f, struct co_err *err)
{
	ssize_t n;

	if (f->pos < f->len)
		return (ssize_t)(f->len - f->pos);
	if (f->eof)
		return 0;
	n = co_stream_read(f->below, f->in, INFLATE_BUFFER, err);
	if (n < 0)
		return n;
	f->pos = 0;
	f->len = (size_t)n;
	f->eof = n == 0;
	return n;
}

/* Plain: bytes as they are. */
static int plain_open(struct inflate *f, struct co_err *err)
{
	(void)f, (void)err;
	return 0;
}

static ssize_t plain_read(struct inflate *f, void *data, size_t len, struct co_err *err)
{
	ssize_t have = (ssize_t)(f->len - f->pos);

	if (!have)
		return f->eof ? 0 : co_stream_read(f->below, data, len, err);
	if ((size_t)have > len)
		have = (ssize_t)len;
	memcpy(data, f->in + f->pos, (size_t)have);
	f->pos += (size_t)have;
	return have;
}

static void plain_close(struct inflate *f)
{
	(void)f;
}

static const struct codec codec_plain = {"plain", plain_open, plain_read, plain_close};

static bool is_zstd(const uint8_t *p, size_t n)
{
	if (n >= 4 && (p[0] & 0xf0) == 0x50 && !memcmp(p + 1, "\x2a\x4d\x18", 3))
		return true; /* skippable frame */
	return n >= 4 && !memcmp(p, "\x28\xb5\x2f\xfd", 4);
}

/* "BZh", the level, then the magic number of a block or of the end of the stream: a tar whose first
 * name is "BZh9" is no bzip2. */
static bool is_bzip2(const uint8_t *p, size_t n)
{
	if (n < 10 || memcmp(p, "BZh", 3) || p[3] < '1' || p[3] > '9')
		return false;
	return !memcmp(p + 4, "\x31\x41\x59\x26\x53\x59", 6) ||
	       !memcmp(p + 4, "\x17\x72\x45\x38\x50\x90", 6);
}

static const struct codec *codec_of(const uint8_t *p, size_t n)
{
	if (n >= 3 && !memcmp(p, "\x1f\x8b\x08", 3))
		return &codec_gzip;
	if (is_zstd(p, n))
		return &codec_zstd;
	if (is_bzip2(p, n))
		return &codec_bzip2;
	if (n >= 6 && !memcmp(p,
			      "\xfd"
			      "7zXZ\0",
			      6))
		return &codec_xz;
	return &codec_plain;
}

static int detect(struct inflate *f, struct co_err *err)
{
	int r;

	f->in = co_xrealloc(NULL, 1, INFLATE_BUFFER);
	while (f->len < MAGIC_BYTES && !f->eof) {
		ssize_t n = co_stream_read(f->below, f->in + f->len, INFLATE_BUFFER - f->len, err);

		if (n < 0)
			return (int)n;
		f->len += (size_t)n;
		f->eof = n == 0;
	}
	f->codec = codec_of(f->in, f->len);
	r = f->codec->open(f, err);
	return r < 0 ? co_wrap(err, "%s", f->codec->name) : 0;
}

static ssize_t inflate_read(void *self, void *data, size_t len, struct co_err *err)
{
	struct inflate *f = self;
	ssize_t n;
	int r;

	if (!f->codec && (r = detect(f, err)) < 0)
		return r;
	if (f->done)
		return 0;
	n = f->codec->read(f, data, len, err);
	if (n <= 0)
		return n < 0 && f->codec != &codec_plain ? co_wrap(err, "%s", f->codec->name) : n;
	f->total += (size_t)n;
	if (f->max && f->total > f->max)
		return co_fail(err, CO_E_LIMIT, "unpacks to more than %llu bytes",
			       (unsigned long long)f->max);
	return n;
}

static void inflate_free(void *self)
{
	struct inflate *f = self;

	if (f->codec)
		f->codec->close(f);
	co_stream_close(f->below);
	free(f->in);
	free(f);
}

static const struct co_source_ops inflate_ops = {inflate_read, inflate_free};

struct co_source_stream *co_stream_inflate(struct co_source_stream *below, uint64_t max)
{
	struct inflate *f = co_xcalloc(1, sizeof(*f));

	f->below = below;
	f->max = max;
	return co_stream_new(&inflate_ops, f);
}
