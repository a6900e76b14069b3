/* SPDX-License-Identifier: MIT */
#include <cooper/arena.h>
#include <cooper/buf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct co_buf *b, size_t more)
{
	size_t need;
	if (b->overflow || __builtin_add_overflow(b->len, more, &need) || need > b->max) {
		b->overflow = true;
		return false;
	}
	if (need + 1 <= b->cap)
		return true;
	size_t cap = b->cap ? b->cap : 64;
	while (cap < need + 1)
		cap *= 2;
	b->data = co_xrealloc(b->data, cap, 1);
	b->cap = cap;
	return true;
}

void co_buf_add(struct co_buf *b, const void *data, size_t len)
{
	if (!len || !reserve(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void co_buf_adds(struct co_buf *b, const char *s)
{
	co_buf_add(b, s, strlen(s));
}

void co_buf_addc(struct co_buf *b, char c)
{
	co_buf_add(b, &c, 1);
}

void co_buf_addf(struct co_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0 && reserve(b, (size_t)n)) {
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void co_buf_cut(struct co_buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

void co_buf_clear(struct co_buf *b)
{
	b->overflow = false;
	co_buf_cut(b, 0);
}

void co_buf_release(struct co_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
	b->overflow = false;
}

const char *co_buf_str(const struct co_buf *b)
{
	return b->len ? b->data : "";
}

char *co_buf_take(struct co_buf *b)
{
	char *p = b->len ? b->data : co_xstrdup("");
	if (!b->len)
		free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
	return p;
}

int co_buf_read_fd(struct co_buf *b, int fd, const char *what, struct co_err *err)
{
	char chunk[65536];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return co_fail_sys(err, "read %s", what);
		if (n == 0)
			return 0;
		co_buf_add(b, chunk, (size_t)n);
		if (b->overflow)
			return co_fail(err, CO_E_LIMIT, "%s is larger than %zu bytes", what,
				       b->max);
	}
}
