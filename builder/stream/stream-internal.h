/* SPDX-License-Identifier: MIT
 *
 * stream-internal.h — shared by the files of the stream module.
 */
#pragma once
#include <cooper/stream.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* gzip_block.c: one block of input as one gzip member. */
#define GZIP_BLOCK (1u << 20)
struct deflater;
struct deflater *deflater_new(int level);
void deflater_free(struct deflater *d); /* NULL is allowed */
/* Room that out needs for n bytes of input. */
size_t deflater_bound(size_t n);
/* Returns the bytes written to out; 0 when they do not fit (a broken codec). */
size_t deflater_run(struct deflater *d, const uint8_t *in, size_t n, uint8_t *out);

/* Number of cores this process may use; at least 1. */
unsigned usable_cores(void);

/* inflate.c: what the decoders share. */
struct inflate {
	struct co_source_stream *below; /* owned */
	uint8_t *in;			/* owned; INFLATE_BUFFER bytes */
	size_t pos, len;		/* unread part of in */
	bool eof;			/* below is at its end */
	uint64_t max, total;
	const struct codec *codec; /* NULL until the magic bytes were seen */
	void *state;		   /* of the codec; owned */
	bool done;		   /* the codec saw a clean end */
};
#define INFLATE_BUFFER (128u << 10)
struct codec {
	const char *name;
	int (*open)(struct inflate *f, struct co_err *err);
	/* Like co_source_ops.read. */
	ssize_t (*read)(struct inflate *f, void *data, size_t len, struct co_err *err);
	void (*close)(struct inflate *f);
};
extern const struct codec codec_gzip, codec_zstd, codec_bzip2, codec_xz;
/* Reads more input when none is left. Returns the number of bytes at f->in + f->pos, 0 at the end,
 * or a negative code. */
ssize_t inflate_fill(struct inflate *f, struct co_err *err);
