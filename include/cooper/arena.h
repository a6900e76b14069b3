/* SPDX-License-Identifier: MIT
 *
 * arena.h — memory for trees (AST, plan, change lists, parsed documents): allocate, never free
 * singly, release all at once. Out of memory aborts. Memory is zeroed.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/err.h>
#include <stddef.h>

struct co_arena {
	struct co_arena_chunk *head; /* owned */
};
#define CO_ARENA_INIT                                                                              \
	{                                                                                          \
		NULL                                                                               \
	}
void *co_arena_alloc(struct co_arena *a, size_t size);
void *co_arena_dup(struct co_arena *a, const void *data, size_t len); /* adds a NUL behind */
char *co_arena_strdup(struct co_arena *a, const char *s);	      /* NULL gives NULL */
char *co_arena_strndup(struct co_arena *a, const char *s, size_t n);
char *co_arena_printf(struct co_arena *a, const char *fmt, ...) co_printf(2, 3);
void co_arena_release(struct co_arena *a);
#define auto_arena	   co_cleanup(co_arena_release) struct co_arena
#define co_arena_new(a, T) ((T *)co_arena_alloc((a), sizeof(T)))
/* Grows an array that lives in the arena by one zeroed element and returns a pointer to it.
 * items and count are lvalues; the old array is left behind. */
#define co_arena_push(a, items, count)                                                             \
	({                                                                                         \
		(items) = co_arena_grow((a), (items), (count), sizeof(*(items)));                  \
		&(items)[(count)++];                                                               \
	})
void *co_arena_grow(struct co_arena *a, void *items, size_t count, size_t size);

/* malloc family that aborts on failure; plain free() gives back. */
void *co_xcalloc(size_t n, size_t size);
void *co_xrealloc(void *p, size_t n, size_t size);
char *co_xstrdup(const char *s); /* NULL gives NULL */
char *co_xasprintf(const char *fmt, ...) co_printf(1, 2);
