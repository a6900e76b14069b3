/* SPDX-License-Identifier: MIT */
#include <cooper/arena.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 16384
#define ALIGN 16

struct co_arena_chunk {
	struct co_arena_chunk *next;
	size_t used, size;
	_Alignas(ALIGN) char data[];
};

void *co_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);
	if (!p)
		co_oom();
	return p;
}

void *co_xrealloc(void *p, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		co_oom();
	void *q = realloc(p, bytes ? bytes : 1);
	if (!q)
		co_oom();
	return q;
}

char *co_xstrdup(const char *s)
{
	if (!s)
		return NULL;
	char *p = strdup(s);
	if (!p)
		co_oom();
	return p;
}

char *co_xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	va_start(ap, fmt);
	int n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		co_oom();
	return p;
}

void *co_arena_alloc(struct co_arena *a, size_t size)
{
	size_t need;
	if (__builtin_add_overflow(size, (size_t)ALIGN - 1, &need))
		co_oom();
	need &= ~(size_t)(ALIGN - 1);
	struct co_arena_chunk *c = a->head;
	if (!c || c->size - c->used < need) {
		size_t room = need > CHUNK / 4 ? need : CHUNK;
		c = calloc(1, sizeof(*c) + room);
		if (!c)
			co_oom();
		c->size = room;
		/* a large block goes behind the head, so that the head's room stays in use */
		if (need > CHUNK / 4 && a->head) {
			c->next = a->head->next;
			a->head->next = c;
		} else {
			c->next = a->head;
			a->head = c;
		}
	}
	void *p = c->data + c->used;
	c->used += need;
	return p;
}

void *co_arena_dup(struct co_arena *a, const void *data, size_t len)
{
	char *p = co_arena_alloc(a, len + 1);
	if (len)
		memcpy(p, data, len);
	p[len] = '\0';
	return p;
}

char *co_arena_strdup(struct co_arena *a, const char *s)
{
	return s ? co_arena_dup(a, s, strlen(s)) : NULL;
}

char *co_arena_strndup(struct co_arena *a, const char *s, size_t n)
{
	return co_arena_dup(a, s, strnlen(s, n));
}

char *co_arena_printf(struct co_arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		co_oom();
	char *p = co_arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void *co_arena_grow(struct co_arena *a, void *items, size_t count, size_t size)
{
	/* room doubles at powers of two, from 4 */
	if (count && (count < 4 || (count & (count - 1))))
		return items;
	size_t room = count < 4 ? 4 : count * 2;
	size_t bytes;
	if (__builtin_mul_overflow(room, size, &bytes))
		co_oom();
	void *p = co_arena_alloc(a, bytes);
	if (count)
		memcpy(p, items, count * size);
	return p;
}

void co_arena_release(struct co_arena *a)
{
	for (struct co_arena_chunk *c = a->head, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	a->head = NULL;
}
