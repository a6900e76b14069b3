/* SPDX-License-Identifier: MIT
 *
 * buf.h — a growing byte buffer with a maximum at birth, always NUL-terminated after the content.
 * Appending past the maximum sets `overflow` and drops the bytes: check once at the end. Out of
 * memory aborts. A primitive: includes nothing of ours but err.h and auto.h.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/err.h>
#include <stdbool.h>
#include <stddef.h>

struct co_buf {
	char *data; /* owned; NULL until the first byte */
	size_t len, cap, max;
	bool overflow;
};
/* Common maxima. */
#define CO_BUF_SMALL (64u << 10) /* messages, paths, headers */
#define CO_BUF_TEXT  (16u << 20) /* Dockerfiles, JSON documents */

#define CO_BUF_INIT(maximum)                                                                       \
	{                                                                                          \
		.max = (maximum)                                                                   \
	}
void co_buf_add(struct co_buf *b, const void *data, size_t len);
void co_buf_adds(struct co_buf *b, const char *s);
void co_buf_addc(struct co_buf *b, char c);
void co_buf_addf(struct co_buf *b, const char *fmt, ...) co_printf(2, 3);
/* Cuts to len bytes. */
void co_buf_cut(struct co_buf *b, size_t len);
void co_buf_clear(struct co_buf *b); /* empty, keeps the memory */
void co_buf_release(struct co_buf *b);
/* Content as a C string, "" when empty. Borrowed. */
const char *co_buf_str(const struct co_buf *b);
/* Hands the content over (NUL-terminated, to be freed) and leaves b empty. */
char *co_buf_take(struct co_buf *b);
/* Reads fd to the end. Fails with LIMIT past b->max. `what` names the file in errors. */
int co_buf_read_fd(struct co_buf *b, int fd, const char *what, struct co_err *err) co_must_check;
#define auto_buf co_cleanup(co_buf_release) struct co_buf
