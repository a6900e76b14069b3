/* SPDX-License-Identifier: MIT
 *
 * lint_scope.c — names and what is known of them: a hash table, so that a file of a million
 * variables is no trouble.
 */
#include "lint-internal.h"

static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261u;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h;
}

/* The slot of the name, or the free one where it belongs. */
static uint32_t *slot(const struct lint_scope *s, const char *name)
{
	size_t i = hash(name) & (s->n_slots - 1);
	while (s->slots[i] && strcmp(s->vars[s->slots[i] - 1].name, name))
		i = (i + 1) & (s->n_slots - 1);
	return &s->slots[i];
}

struct lint_var *lint_scope_find(const struct lint_scope *s, const char *name)
{
	uint32_t i = s->n_slots ? *slot(s, name) : 0;
	return i ? &s->vars[i - 1] : NULL;
}

static void rehash(struct lint_scope *s, struct co_arena *a, size_t n_slots)
{
	s->n_slots = n_slots;
	s->slots = co_arena_alloc(a, n_slots * sizeof(*s->slots));
	for (size_t i = 0; i < s->n; i++)
		*slot(s, s->vars[i].name) = (uint32_t)i + 1;
}

static void unshare(struct lint_scope *s, struct co_arena *a)
{
	struct lint_scope from = *s;
	*s = (struct lint_scope){0};
	for (size_t i = 0; i < from.n; i++)
		*co_arena_push(a, s->vars, s->n) = from.vars[i];
	if (s->n)
		rehash(s, a, from.n_slots);
}

struct lint_var *lint_scope_put(struct lint_scope *s, struct co_arena *a, const char *name)
{
	if (s->shared)
		unshare(s, a);
	struct lint_var *v = lint_scope_find(s, name);
	if (v)
		return v;
	if (s->n * 2 >= s->n_slots)
		rehash(s, a, s->n_slots ? s->n_slots * 2 : 16);
	uint32_t *place = slot(s, name);
	v = co_arena_push(a, s->vars, s->n);
	*v = (struct lint_var){.name = name};
	*place = (uint32_t)s->n;
	return v;
}

void lint_scope_share(struct lint_scope *to, const struct lint_scope *from)
{
	*to = *from;
	to->shared = true;
}

/* Levenshtein; 3 stands for all from 3 on. co_distance() would take a for A. */
static unsigned edits(const char *a, size_t n, const char *b, size_t m)
{
	unsigned row[64];
	if (n > 63 || m > 63 || (n > m ? n - m : m - n) >= 3)
		return 3;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m] < 3 ? row[m] : 3;
}

const char *lint_scope_nearest(const struct lint_scope *s, const char *name, size_t *budget)
{
	const char *best = NULL;
	unsigned least = 3;
	size_t len = strlen(name);
	for (size_t i = 0; i < s->n && *budget; i++, --*budget) {
		if (!s->vars[i].value)
			continue;
		unsigned d = edits(name, len, s->vars[i].name, strlen(s->vars[i].name));
		if (d >= least)
			continue;
		least = d;
		best = s->vars[i].name;
	}
	return best;
}
