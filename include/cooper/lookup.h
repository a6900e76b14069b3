/* SPDX-License-Identifier: MIT
 *
 * lookup.h — where in a growing array the entry of a name is. The array stays the owner's; the
 * index is a table of numbers beside it that catches up when it is asked. A short array is searched
 * without one. Made for lists that a hostile file can make a hundred thousand entries long.
 */
#pragma once
#include <cooper/arena.h>
#include <stdbool.h>
#include <stdint.h>

/* The name of entry i: len bytes, no NUL needed behind them. */
typedef const char *co_lookup_key(const void *items, size_t i, size_t *len);
struct co_lookup {
	uint32_t *slots;   /* in the arena; number of the entry + 1 */
	size_t n_slots, n; /* n: the entries that are in it */
};
/* The first entry of that name, or n if there is none. Entries may be appended at any time and must
 * keep their names; after any other change begin anew with a zeroed index. */
size_t co_lookup_find(struct co_lookup *x, struct co_arena *a, const void *items, size_t n,
		      co_lookup_key *key, const char *name, size_t len);
/* The same without catching up: entries that are not in the index yet are searched one by one. */
size_t co_lookup_peek(const struct co_lookup *x, const void *items, size_t n, co_lookup_key *key,
		      const char *name, size_t len);
