/* SPDX-License-Identifier: MIT
 *
 * The table of inodes that were met before.
 */
#include "context-internal.h"
#include <stdlib.h>

static struct seen *slot(struct seen *slots, size_t cap, uint64_t dev, uint64_t ino)
{
	uint64_t h = ino * 0x9e3779b97f4a7c15ull ^ dev * 0xc2b2ae3d27d4eb4full;
	for (size_t i = (size_t)(h >> 19) & (cap - 1);; i = (i + 1) & (cap - 1))
		if (!slots[i].path || (slots[i].dev == dev && slots[i].ino == ino))
			return &slots[i];
}

struct seen *seen_find(struct seen_map *m, uint64_t dev, uint64_t ino)
{
	if (2 * (m->n + 1) > m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 64;
		struct seen *more = co_xcalloc(cap, sizeof(*more));
		for (size_t i = 0; i < m->cap; i++)
			if (m->slots[i].path)
				*slot(more, cap, m->slots[i].dev, m->slots[i].ino) = m->slots[i];
		free(m->slots);
		m->slots = more;
		m->cap = cap;
	}
	struct seen *s = slot(m->slots, m->cap, dev, ino);
	s->dev = dev;
	s->ino = ino;
	return s;
}

void seen_fill(struct seen_map *m, struct seen *s, const char *path)
{
	s->path = co_arena_strdup(&m->arena, path);
	m->n++;
}

void seen_release(struct seen_map *m)
{
	co_arena_release(&m->arena);
	free(co_steal(&m->slots));
	m->n = m->cap = 0;
}
