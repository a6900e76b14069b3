/* SPDX-License-Identifier: MIT
 *
 * Stages by name, sorted: a Dockerfile may have a hundred thousand of them, all of one name.
 */
#include "plan-internal.h"
#include <stdlib.h>

struct plan_name {
	const char *name; /* lower case, as the parser gives it */
	unsigned stage;
};
struct plan_names {
	struct plan_name *items;
	size_t n;
};

static int compare(const void *a, const void *b)
{
	const struct plan_name *x = a, *y = b;
	int r = strcmp(x->name, y->name);
	return r ? r : (x->stage > y->stage) - (x->stage < y->stage);
}

void names_make(struct co_plan *p, struct co_arena *a)
{
	struct plan_names *t = co_arena_new(a, struct plan_names);
	t->items = co_arena_alloc(a, (p->n_stages + 1) * sizeof(*t->items));
	for (unsigned i = 0; i < p->n_stages; i++)
		if (p->dockerfile->stages[i].name)
			t->items[t->n++] = (struct plan_name){p->dockerfile->stages[i].name, i};
	qsort(t->items, t->n, sizeof(*t->items), compare);
	p->names = t;
}

bool names_find(const struct co_plan *p, const char *name, bool fold, unsigned before,
		unsigned *out)
{
	const struct plan_names *t = p->names;
	auto_free char *key = co_xstrdup(name);
	for (char *c = key; fold && *c; c++)
		*c = co_lower(*c);
	/* how many stand before (key, before) */
	size_t low = 0, high = t->n;
	struct plan_name want = {key, before};
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (compare(&t->items[mid], &want) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || strcmp(t->items[low - 1].name, key) != 0)
		return false;
	*out = t->items[low - 1].stage;
	return true;
}
