/* SPDX-License-Identifier: MIT
 *
 * A build and its cache: opening it, what is looked for, what is written in the end.
 */
#include "flow-internal.h"
#include <cooper/fs.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A cache that does not answer must not hold up a build: few tries. */
#define CACHE_RETRIES 2

int cache_open(struct build *b, struct co_err *err)
{
	const struct co_build_opts *o = b->o;
	struct co_registry_opts ro = o->registry;
	bool remote = false;
	int r = 0;
	for (size_t i = 0; i < o->n_cache_places; i++)
		remote |= o->cache_places[i].kind == CO_CACHE_REGISTRY;
	ro.bus = b->bus;
	ro.retries = CACHE_RETRIES;
	if (remote)
		r = co_registry_open(&b->cache_registry, &ro, err);
	struct co_cache_opts co = {.store = b->store,
				   .registry = b->cache_registry,
				   .places = o->cache_places,
				   .n_places = o->n_cache_places,
				   .key_file = o->cache_key,
				   .trust = o->cache_trust,
				   .scopes = o->cache_scopes,
				   .max_age_s = o->cache_ttl_s,
				   .bus = b->bus};
	if (!r)
		r = co_cache_open(&b->cache, &co, err);
	for (unsigned i = 1; r == 0 && i <= CO_CACHE_PLACES; i++) {
		const struct co_ref *ref = co_cache_repo(b->cache, i);
		if (ref)
			*co_arena_push(&b->arena, b->mounts, b->n_mounts) = *ref;
	}
	return r;
}

static void add(struct co_hash *h, uint32_t tag, const char *s)
{
	if (s)
		co_hash_field(h, tag, s, strlen(s));
}

/* exact: the same text with the same arguments. alike: the same file of the same project, whatever
 * has been edited in it since; most of its steps will still be there. */
void cache_expect(struct build *b, const struct co_platform *platform)
{
	const struct co_build_opts *o = b->o;
	struct co_hash *exact = co_hash_new(CO_SHA256), *alike = co_hash_new(CO_SHA256);
	struct co_digest e, a;
	char name[128];
	co_platform_str(platform, name, sizeof(name));
	add(exact, 1, "cooper-build/1");
	add(alike, 1, "cooper-project/1");
	co_hash_field(exact, 2, b->source.text, b->source.len);
	for (size_t i = 0; i < o->n_build_args; i++) {
		add(exact, 3, o->build_args[i].key);
		add(exact, 4, o->build_args[i].value);
	}
	add(alike, 2, b->source_name);
	add(alike, 3, b->n_refs ? b->refs[0].host : "");
	add(alike, 4, b->n_refs ? b->refs[0].path : "");
	struct co_hash *both[] = {exact, alike};
	for (int i = 0; i < 2; i++) {
		add(both[i], 5, name);
		add(both[i], 6, o->target);
		int32_t enc[] = {(int32_t)o->compression, o->compression_level, o->docker_types};
		co_hash_field(both[i], 7, enc, sizeof(enc));
	}
	co_hash_done(exact, &e);
	co_hash_done(alike, &a);
	co_cache_expect(b->cache, &e, &a);
	char path[PATH_MAX];
	const char *where = realpath(o->context, path) ? path : o->context;
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, a.bytes, 32);
	add(h, 2, where);
	co_hash_done(h, &e);
	co_digest_hex(&e, b->project);
}

void cache_collect(struct build *b, const struct co_exec *x)
{
	size_t first = b->n_entries;
	co_exec_entries(x, &b->entries, &b->n_entries);
	for (size_t i = 0; i < b->n_facts; i++)
		*co_arena_push(&b->arena, b->entries, b->n_entries) = b->facts[i];
	b->n_facts = 0;
	for (size_t i = first; i < b->n_entries; i++)
		b->from_places |= b->entries[i].layer.place != 0;
}

void cache_write(struct build *b)
{
	struct co_ref *from = NULL;
	size_t n = 0;
	/* what was pushed lies at the target already: mounted from there, it costs no upload */
	for (size_t i = 0; b->pushed && i < b->n_refs; i++)
		*co_arena_push(&b->arena, from, n) = b->refs[i];
	for (size_t i = 0; i < b->n_mounts; i++)
		*co_arena_push(&b->arena, from, n) = b->mounts[i];
	co_cache_export(b->cache, b->entries, b->n_entries, from, n);
}
