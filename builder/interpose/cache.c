/* SPDX-License-Identifier: MIT
 *
 * What directory names lead to: (name of a directory as written) -> (canonical name). An entry is
 * right as long as no link or directory changed its place, which `gen` counts (and, where the name
 * has "..", no directory was removed). Entries are shared
 * and guarded by a sequence number each; one that a killed process left odd is never used again.
 */
#include "path.h"

static uint64_t hash_of(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3ull;
	return h;
}

static struct cache_slot *slot_of(uint64_t h)
{
	return &g.shared->cache[(h ^ h >> 29) % CACHE_SLOTS];
}

uint32_t cache_gen(bool dots)
{
	uint32_t gen = __atomic_load_n(&g.shared->gen, __ATOMIC_ACQUIRE);
	return dots ? gen + __atomic_load_n(&g.shared->rmdirs, __ATOMIC_ACQUIRE) : gen;
}

bool cache_find(const char *key, size_t len, char *value, size_t *value_len, uint32_t gen)
{
	uint64_t h = hash_of(key, len);
	struct cache_slot *s = slot_of(h);
	uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);
	size_t klen = s->key_len, vlen = s->value_len;
	if (seq & 1 || s->hash != h || s->gen != gen + 1 || klen != len ||
	    klen + vlen > sizeof(s->text))
		return false;
	for (size_t i = 0; i < len; i++)
		if (s->text[i] != key[i])
			return false;
	for (size_t i = 0; i < vlen; i++)
		value[i] = s->text[klen + i];
	value[vlen] = '\0';
	*value_len = vlen;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq;
}

void cache_add(const char *key, size_t len, const char *value, size_t value_len, uint32_t gen)
{
	if (!len || len + value_len > sizeof(((struct cache_slot *)0)->text))
		return;
	uint64_t h = hash_of(key, len);
	struct cache_slot *s = slot_of(h);
	uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_RELAXED);
	if (seq & 1 || !__atomic_compare_exchange_n(&s->seq, &seq, seq + 1, false, __ATOMIC_ACQ_REL,
						    __ATOMIC_RELAXED))
		return;
	s->hash = h;
	s->gen = gen + 1;
	s->key_len = (uint16_t)len;
	s->value_len = (uint16_t)value_len;
	memcpy(s->text, key, len);
	memcpy(s->text + len, value, value_len);
	__atomic_store_n(&s->seq, seq + 2, __ATOMIC_RELEASE);
}

/* A new link can only matter where a directory was: what is in the cache exists, and a directory
 * that changes its place empties it anyway. */
void cache_new_link(void)
{
	uint32_t begun = __atomic_load_n(&g.shared->rmdirs_begun, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&g.shared->rmdirs_seen, __ATOMIC_ACQUIRE) == begun)
		return;
	cache_bump();
	__atomic_store_n(&g.shared->rmdirs_seen, begun, __ATOMIC_RELEASE);
}

void cache_bump(void)
{
	__atomic_fetch_add(&g.shared->gen, 1, __ATOMIC_ACQ_REL);
}
