/* SPDX-License-Identifier: MIT
 *
 * Looking a path up in a flattened tree.
 */
#include "report-internal.h"
#include <cooper/str.h>

#define MAX_LINKS 40

int path_order(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	/* the slash sorts before every other byte, the end before the slash */
	int x = *a == '/' ? 1 : *a ? (unsigned char)*a + 2 : 0;
	int y = *b == '/' ? 1 : *b ? (unsigned char)*b + 2 : 0;
	return x - y;
}

static const struct co_tree_entry *exact(const struct co_tree *t, const char *path)
{
	size_t lo = 0, hi = t->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = path_order(path, t->items[mid].e.path);
		if (!c)
			return &t->items[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct co_tree_entry *co_tree_find(const struct co_tree *t, const char *path)
{
	auto_arena a = CO_ARENA_INIT;
	const struct co_tree_entry *e = NULL;
	const char *done = "";
	unsigned links = 0;
	while (*path) {
		size_t n = strcspn(path, "/");
		const char *name = co_arena_strndup(&a, path, n);
		path += n;
		path += strspn(path, "/");
		if (!n || !strcmp(name, "."))
			continue;
		const char *next = co_path_clean_rel(&a, co_arena_printf(&a, "%s/%s", done, name));
		e = exact(t, next);
		if (!e && *next)
			return NULL;
		if (!e || !S_ISLNK(e->e.mode)) {
			if (e && !S_ISDIR(e->e.mode) && *path)
				return NULL;
			done = next;
			continue;
		}
		if (++links > MAX_LINKS)
			return NULL;
		path = co_arena_printf(&a, "%s/%s", e->e.link, path);
		if (*e->e.link == '/')
			done = "";
		e = NULL;
	}
	return e ? e : exact(t, done);
}
