/* SPDX-License-Identifier: MIT
 *
 * Which path was the first one of an inode: later ones become hard links in the layer.
 */
#include "snapshot-internal.h"
#include <stdlib.h>

struct slot {
	uint64_t dev, ino;
	const char *path;
};
struct link_map {
	struct slot *slots;
	size_t n, cap;
	struct co_arena arena;
};

struct link_map *link_map_new(void)
{
	struct link_map *m = co_xcalloc(1, sizeof(*m));
	m->cap = 64;
	m->slots = co_xcalloc(m->cap, sizeof(*m->slots));
	return m;
}

static struct slot *find(const struct link_map *m, uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino * 0x9e3779b97f4a7c15ull) ^ (dev * 0xc2b2ae3d27d4eb4full);
	for (size_t i = (size_t)(h >> 17) & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct slot *s = &m->slots[i];
		if (!s->path || (s->dev == dev && s->ino == ino))
			return s;
	}
}

static void grow(struct link_map *m)
{
	struct link_map bigger = {.cap = m->cap * 2};
	bigger.slots = co_xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].path)
			*find(&bigger, m->slots[i].dev, m->slots[i].ino) = m->slots[i];
	free(m->slots);
	m->slots = bigger.slots;
	m->cap = bigger.cap;
}

const char *link_map_put(struct link_map *m, uint64_t dev, uint64_t ino, const char *path)
{
	struct slot *s = find(m, dev, ino);
	if (s->path)
		return s->path;
	s->dev = dev;
	s->ino = ino;
	s->path = co_arena_strdup(&m->arena, path);
	if (++m->n * 2 > m->cap)
		grow(m);
	return NULL;
}

void link_map_free(struct link_map *m)
{
	if (!m)
		return;
	co_arena_release(&m->arena);
	free(m->slots);
	free(m);
}
