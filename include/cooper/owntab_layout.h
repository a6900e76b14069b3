/* SPDX-License-Identifier: MIT
 *
 * owntab_layout.h — the memory of the ownership table, and the lock-free steps on it.
 *
 * Shared by the builder (builder/base/owntab.c) and by the interposer, which has no C library:
 * nothing here calls a function. Any process of a step may be killed at any instruction and may
 * write anything, so readers bound every index, every length and every walk.
 *
 * A table is an array of buckets and an array of entries. A bucket's head is one 64-bit word: a
 * version (high half, grows with each change) and the index of its first entry. An entry is never
 * changed while it is reachable: a change writes a new entry and swaps the head, and the old entry,
 * when it was first in its chain, is given back. A reader that sees the same head before and after
 * its walk has read a consistent state; a writer that dies leaves at most one unused entry behind.
 * An entry that is not first is shadowed by a newer one in front of it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where there is no table, an empty file with this attribute is a device node: "c MAJOR MINOR" or
 * b. */
#define OWNTAB_NODE "user.cooper.node"

#define OWNTAB_MAGIC   0x636f6f776e746233ull
#define OWNTAB_BUCKETS (1u << 19)
#define OWNTAB_ENTRIES (1u << 22)
#define OWNTAB_HEAP    (64u << 20)
#define OWNTAB_UNIT    16u	   /* granularity of the heap */
#define OWNTAB_XATTRS  (64u << 10) /* all attributes of one inode */
#define OWNTAB_WALK    8192u	   /* longest chain that is followed */

struct owntab_key {
	uint64_t dev; /* major << 32 | minor */
	uint64_t ino;
	uint64_t birth; /* ns, 0 where the file system or the kernel does not tell */
};

struct owntab_entry {
	struct owntab_key key;
	uint32_t uid, gid;
	uint32_t mode; /* type and permissions; 0: removed */
	uint32_t dev_major, dev_minor;
	uint32_t xattrs; /* place in the heap, in units; 0: none */
	uint32_t next;
	uint32_t unused[3];
};
_Static_assert(sizeof(struct owntab_entry) == 64, "entries fill cache lines");

struct owntab_map {
	uint64_t magic;
	uint32_t used;	      /* entries ever taken from the array; index 0 is never used */
	uint32_t heap_used;   /* units ever taken from the heap; unit 0 is never used */
	uint64_t free;	      /* version << 32 | index of the first entry given back */
	uint32_t changes;     /* how often anything was set: 0 means an empty table */
	uint32_t devices;     /* how often a device node was recorded */
	uint32_t setgid_dirs; /* how often a set-group-id directory was recorded */
	uint32_t fifos;	      /* how often a FIFO was made in a root that uses this table */
	uint32_t no_births;   /* how often an entry without a birth time was recorded: from then on
				 what makes a file must clear what its inode number claimed before */
	uint8_t pad[4096 - 44];
	uint64_t bucket[OWNTAB_BUCKETS];
	struct owntab_entry entry[OWNTAB_ENTRIES];
	uint8_t heap[OWNTAB_HEAP];
};

/* What a look-up saw: the state that a change is made against. */
struct owntab_seen {
	uint64_t head;
	uint32_t bucket;
	uint32_t at;		   /* index of the newest entry of this inode number, 0: none */
	bool first;		   /* it is first in its chain */
	bool live;		   /* it exists, is not removed and is of this very file */
	struct owntab_entry entry; /* a copy, valid when at != 0 */
};

#define owntab_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define owntab_bump(p) __atomic_fetch_add((p), 1, __ATOMIC_ACQ_REL)
#define owntab_cas(p, o, n)                                                                        \
	__atomic_compare_exchange_n((p), (o), (n), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

static inline uint64_t owntab_dev(uint32_t major, uint32_t minor)
{
	return (uint64_t)major << 32 | minor;
}

static inline uint32_t owntab_hash(uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino ^ dev * 0x2545f4914f6cdd1dull) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(h >> 32) & (OWNTAB_BUCKETS - 1);
}

/* Walks one chain once. Returns the index found, 0 when there is none. */
static inline uint32_t owntab_walk(const struct owntab_map *m, uint32_t i,
				   const struct owntab_key *k, struct owntab_entry *copy)
{
	for (uint32_t steps = 0; i && i < OWNTAB_ENTRIES && steps < OWNTAB_WALK; steps++) {
		const struct owntab_entry *e = &m->entry[i];
		*copy = *(const volatile struct owntab_entry *)e;
		if (copy->key.ino == k->ino && copy->key.dev == k->dev)
			return i;
		i = copy->next;
	}
	return 0;
}

static inline void owntab_look(const struct owntab_map *m, const struct owntab_key *k,
			       struct owntab_seen *s)
{
	s->bucket = owntab_hash(k->dev, k->ino);
	s->entry.next = s->entry.xattrs = 0;
	for (int tries = 0; tries < 1000; tries++) {
		s->head = owntab_load(&m->bucket[s->bucket]);
		s->at = owntab_walk(m, (uint32_t)s->head, k, &s->entry);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (owntab_load(&m->bucket[s->bucket]) == s->head)
			break;
	}
	s->first = s->at && s->at == (uint32_t)s->head;
	s->live = s->at && s->entry.mode && s->entry.key.birth == k->birth;
}

/* An unused entry; 0 when the table is full. */
static inline uint32_t owntab_take(struct owntab_map *m)
{
	uint64_t head = owntab_load(&m->free);
	while ((uint32_t)head && (uint32_t)head < OWNTAB_ENTRIES) {
		uint32_t next = __atomic_load_n(&m->entry[(uint32_t)head].next, __ATOMIC_RELAXED);
		uint64_t want = ((head >> 32) + 1) << 32 | next;
		if (owntab_cas(&m->free, &head, want))
			return (uint32_t)head;
	}
	uint32_t i = owntab_load(&m->used);
	while (i + 1 < OWNTAB_ENTRIES)
		if (owntab_cas(&m->used, &i, i + 1))
			return i + 1;
	return 0;
}

static inline void owntab_give(struct owntab_map *m, uint32_t i)
{
	uint64_t head = owntab_load(&m->free);
	do {
		__atomic_store_n(&m->entry[i].next, (uint32_t)head, __ATOMIC_RELAXED);
	} while (!owntab_cas(&m->free, &head, ((head >> 32) + 1) << 32 | i));
}

/* Replaces what was seen by *want. 1: done; 0: somebody else changed the bucket, look again;
 * -1: full. */
static inline int owntab_commit(struct owntab_map *m, const struct owntab_seen *s,
				const struct owntab_entry *want)
{
	uint32_t i = owntab_take(m);
	if (!i)
		return -1;
	m->entry[i] = *want;
	m->entry[i].next = s->first ? s->entry.next : (uint32_t)s->head;
	uint64_t head = s->head;
	if (!owntab_cas(&m->bucket[s->bucket], &head, ((head >> 32) + 1) << 32 | i)) {
		owntab_give(m, i);
		return 0;
	}
	if (s->first)
		owntab_give(m, s->at);
	if (!want->key.birth)
		owntab_bump(&m->no_births);
	owntab_bump(&m->changes);
	return 1;
}

/* Removes what was seen; same answers. */
static inline int owntab_drop(struct owntab_map *m, const struct owntab_seen *s)
{
	if (!s->at)
		return 1;
	if (!s->first) {
		struct owntab_entry dead = s->entry;
		dead.mode = 0;
		dead.xattrs = 0;
		return owntab_commit(m, s, &dead);
	}
	uint64_t head = s->head;
	uint64_t want = ((head >> 32) + 1) << 32 | s->entry.next;
	if (!owntab_cas(&m->bucket[s->bucket], &head, want))
		return 0;
	owntab_give(m, s->at);
	return 1;
}

/* ---- attributes: a block in the heap is a 32-bit size and then records ---- */

struct owntab_xattr { /* one record, at any alignment; key and value follow */
	uint32_t value_len;
	uint32_t key_len;
};

/* The records of an entry; *size is 0 when there are none or the place is nonsense. */
static inline const uint8_t *owntab_block(const struct owntab_map *m, uint32_t place,
					  uint32_t *size)
{
	*size = 0;
	uint64_t at = (uint64_t)place * OWNTAB_UNIT;
	if (!place || at + 4 > OWNTAB_HEAP)
		return m->heap;
	uint32_t n = *(const volatile uint32_t *)(const void *)(m->heap + at);
	if (n <= OWNTAB_XATTRS && at + 4 + n <= OWNTAB_HEAP)
		*size = n;
	return m->heap + at + 4;
}

/* Room for a block of size bytes; 0 when the heap is full. */
static inline uint32_t owntab_room(struct owntab_map *m, uint32_t size)
{
	uint32_t units = (size + 4 + OWNTAB_UNIT - 1) / OWNTAB_UNIT;
	uint32_t at = owntab_load(&m->heap_used);
	do {
		if ((uint64_t)(at + 1 + units) * OWNTAB_UNIT > OWNTAB_HEAP)
			return 0;
	} while (!owntab_cas(&m->heap_used, &at, at + units));
	return at + 1;
}

/* Reads the record at *pos and moves on; false at the end or when it does not fit in its block. */
static inline bool owntab_record(const uint8_t *block, uint32_t size, uint32_t *pos,
				 struct owntab_xattr *x, const uint8_t **key)
{
	if (*pos > size || size - *pos < sizeof(*x))
		return false;
	__builtin_memcpy(x, block + *pos, sizeof(*x));
	uint64_t end = (uint64_t)*pos + sizeof(*x) + x->key_len + (uint64_t)x->value_len;
	if (!x->key_len || end > size)
		return false;
	*key = block + *pos + sizeof(*x);
	*pos = (uint32_t)end;
	return true;
}
