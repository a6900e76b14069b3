/* SPDX-License-Identifier: MIT */
#include <cooper/lookup.h>
#include <string.h>

#define SHORT 24 /* up to here a look at each entry is as fast */

static uint32_t hash(const char *name, size_t len)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h;
}

static bool is(const void *items, size_t i, co_lookup_key *key, const char *name, size_t len)
{
	size_t n;
	const char *text = key(items, i, &n);
	return n == len && !memcmp(text, name, len);
}

/* The slot of the name, or the free one where it belongs. An array that was copied with its index
 * may be shorter than the index says. */
static uint32_t *slot(const struct co_lookup *x, const void *items, size_t n, co_lookup_key *key,
		      const char *name, size_t len)
{
	size_t at = hash(name, len) & (x->n_slots - 1);
	while (x->slots[at] && (x->slots[at] > n || !is(items, x->slots[at] - 1, key, name, len)))
		at = (at + 1) & (x->n_slots - 1);
	return &x->slots[at];
}

static void catch_up(struct co_lookup *x, struct co_arena *a, const void *items, size_t n,
		     co_lookup_key *key)
{
	if (n * 2 > x->n_slots) {
		size_t room = 64;
		while (room < n * 4)
			room *= 2;
		x->slots = co_arena_alloc(a, room * sizeof(*x->slots));
		x->n_slots = room;
		x->n = 0;
	}
	for (; x->n < n; x->n++) {
		size_t len;
		const char *name = key(items, x->n, &len);
		uint32_t *place = slot(x, items, x->n, key, name, len);
		if (!*place)
			*place = (uint32_t)x->n + 1;
	}
}

size_t co_lookup_peek(const struct co_lookup *x, const void *items, size_t n, co_lookup_key *key,
		      const char *name, size_t len)
{
	uint32_t found = x->n ? *slot(x, items, n, key, name, len) : 0;
	if (found)
		return found - 1;
	for (size_t i = x->n; i < n; i++)
		if (is(items, i, key, name, len))
			return i;
	return n;
}

size_t co_lookup_find(struct co_lookup *x, struct co_arena *a, const void *items, size_t n,
		      co_lookup_key *key, const char *name, size_t len)
{
	if (n > SHORT && n < UINT32_MAX / 8)
		catch_up(x, a, items, n, key);
	return co_lookup_peek(x, items, n, key, name, len);
}
