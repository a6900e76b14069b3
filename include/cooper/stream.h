/* SPDX-License-Identifier: MIT
 *
 * stream.h — bytes in motion. A sink owns the sink below it; the first error sticks, later writes
 * do nothing; close() flushes the chain from the top, frees it and reports the error; abort() frees
 * the chain and publishes nothing. So a pipeline is written without a check after each stage:
 *
 *   tar_writer → hash(diff id) → gzip → hash(digest) + count → store file → rename to blobs/…
 */
#pragma once
#include <cooper/digest.h>
#include <cooper/err.h>
#include <stdint.h>
#include <sys/types.h>

struct co_sink;
/* For new kinds of sink. */
struct co_sink_ops {
	const char *name;
	int (*write)(void *self, const void *data, size_t len, struct co_err *err);
	/* Flush what is held and close what lies below. Called once; never after abort. */
	int (*close)(void *self, struct co_err *err);
	/* Frees self; called after close, or alone on abort (then also abort what lies below). */
	void (*free)(void *self, bool aborted);
};
struct co_sink *co_sink_new(const struct co_sink_ops *ops, void *self);

/* 0, or the error's code when the stream has failed (now or before). */
int co_sink_write(struct co_sink *s, const void *data, size_t len);
int co_sink_close(struct co_sink *s, struct co_err *err) co_must_check;
void co_sink_abort(struct co_sink *s); /* NULL is allowed */
/* For sinks that stand on another one: writes to below and, when that fails, copies its story into
 * err (the sink's own), so that the top of the chain tells what happened at its bottom. */
int co_sink_pass(struct co_sink *below, const void *data, size_t len, struct co_err *err);

/* Writes to fd (closed at the end when own is true). */
struct co_sink *co_sink_fd(int fd, bool own, const char *what);
struct co_sink *co_sink_null(void);
struct co_buf;
struct co_sink *co_sink_buf(struct co_buf *out); /* LIMIT when out overflows */
/* Passes on and hashes; *out and *size (either may be NULL) are set by a successful close. */
struct co_sink *co_sink_hash(struct co_sink *below, enum co_digest_alg alg, struct co_digest *out,
			     uint64_t *size);

enum co_compression { CO_COMP_GZIP = 0, CO_COMP_ZSTD, CO_COMP_NONE };
/* gzip: a member for each fixed block (RFC 1952, 2.2), so that the bytes do not depend on the
 * number of threads; header without time or name. level < 0: the default (4), else 0 to 9. threads
 * 0: all cores (at most 6 are used: memory stays under 24 MiB). Less than one block (1 MiB) starts
 * none.
 */
struct co_sink *co_sink_gzip(struct co_sink *below, int level, unsigned threads);
/* zstd: one frame with a checksum, fixed job size; same promises. level < 0: the default (3), else
 * 1 to 19. */
struct co_sink *co_sink_zstd(struct co_sink *below, int level, unsigned threads);
struct co_sink *co_sink_compress(struct co_sink *below, enum co_compression kind, int level,
				 unsigned threads);
const char *co_compression_name(enum co_compression c);

/* A source: pull side. read returns bytes, 0 at the end, or a negative code (the error is in err,
 * and it sticks: later reads give it again). A stream owns the one below. */
struct co_source_stream;
struct co_source_ops {
	ssize_t (*read)(void *self, void *data, size_t len, struct co_err *err);
	void (*free)(void *self);
};
struct co_source_stream *co_stream_new(const struct co_source_ops *ops, void *self);
ssize_t co_stream_read(struct co_source_stream *s, void *data, size_t len, struct co_err *err);
void co_stream_close(struct co_source_stream *s);
struct co_source_stream *co_stream_fd(int fd, bool own, const char *what);
/* Hashes what passes; *out and *size (either may be NULL) are set when the end is read. */
struct co_source_stream *co_stream_hash(struct co_source_stream *below, enum co_digest_alg alg,
					struct co_digest *out, uint64_t *size);
/* Reads from memory (borrowed). */
struct co_source_stream *co_stream_mem(const void *data, size_t len);
/* Decompresses by magic bytes: gzip (all members, zero padding behind the last), zstd (all frames,
 * window <= 128 MiB), bzip2, xz, or plain as it is. Reads below to its end. A stream that stops
 * early is INVALID. max bounds the bytes that come out (0: none) → LIMIT. */
struct co_source_stream *co_stream_inflate(struct co_source_stream *below, uint64_t max);
