/* SPDX-License-Identifier: MIT
 *
 * Opening the cache: keys, places, and what the processes of a build share.
 */
#include "cache-internal.h"
#include <cooper/str.h>
#include <stdio.h>
#include <sys/mman.h>

static int load_keys(struct co_cache *c, const struct co_cache_opts *o, struct co_err *err)
{
	if (o->key_file && key_load(&c->key, o->key_file, err) < 0)
		return co_wrap(err, "--cache-key");
	if (c->key && !key_can_sign(c->key))
		return co_fail(err, CO_E_USAGE, "--cache-key %s: a public key can not sign",
			       o->key_file);
	size_t n = 0;
	for (size_t i = 0; o->trust && o->trust[i]; i++) {
		struct sign_key *k;
		if (key_load(&k, o->trust[i], err) < 0)
			return co_wrap(err, "--cache-trust");
		*co_arena_push(&c->arena, c->trust, n) = k;
	}
	if (n)
		*co_arena_push(&c->arena, c->trust, n) = NULL;
	return 0;
}

static int load_scopes(struct co_cache *c, const struct co_cache_opts *o, struct co_err *err)
{
	size_t n = 0;
	for (size_t i = 0; o->scopes && o->scopes[i]; i++) {
		if (strlen(o->scopes[i]) >= sizeof(((struct record *)0)->scope))
			return co_fail(err, CO_E_USAGE, "--cache-scope %s: the name is too long",
				       o->scopes[i]);
		*co_arena_push(&c->arena, c->scopes, n) = co_arena_strdup(&c->arena, o->scopes[i]);
	}
	if (!n)
		*co_arena_push(&c->arena, c->scopes, n) = "";
	*co_arena_push(&c->arena, c->scopes, n) = NULL;
	return 0;
}

/* Did the text name a tag, or was "latest" put there? */
static bool names_tag(const char *text)
{
	const char *slash = strrchr(text, '/');
	return strchr(slash ? slash : text, ':') != NULL;
}

static bool same_place(const struct place *p, const struct co_cache_place *o,
		       const struct co_ref *ref)
{
	if (o->kind == CO_CACHE_DIR)
		return p->dir && !strcmp(p->dir, o->where);
	return !p->dir && !strcmp(p->ref.host, ref->host) && !strcmp(p->ref.path, ref->path) &&
	       !strcmp(p->ref.tag, ref->tag);
}

static int add_place(struct co_cache *c, const struct co_cache_place *o, struct co_err *err)
{
	struct co_ref ref = {0};
	struct place *p = NULL;
	if (o->kind == CO_CACHE_INLINE) {
		c->wants_inline |= o->write;
		return 0;
	}
	if (o->kind == CO_CACHE_REGISTRY) {
		int r = co_ref_parse(&ref, o->where, err);
		if (r < 0)
			return co_wrap(err, "cache %s", o->where);
		if (ref.digest.set)
			return co_fail(err, CO_E_USAGE, "cache %s: a digest names no repository",
				       o->where);
	}
	for (size_t i = 0; i < c->n_places && !p; i++)
		if (same_place(&c->places[i], o, &ref))
			p = &c->places[i];
	if (!p && c->n_places == CO_CACHE_PLACES)
		return co_fail(err, CO_E_LIMIT, "more than %d cache places", CO_CACHE_PLACES);
	if (!p) {
		p = &c->places[c->n_places++];
		p->number = (unsigned)c->n_places;
		p->cache = c;
	}
	p->read |= o->read;
	p->write |= o->write;
	p->max |= o->write && o->max;
	p->ref = ref;
	p->ops = o->kind == CO_CACHE_DIR ? &cache_in_dir : &cache_in_registry;
	if (o->kind == CO_CACHE_DIR) {
		p->dir = co_arena_strdup(&c->arena, o->where);
		snprintf(p->name, sizeof(p->name), "%s", o->where);
	} else {
		p->has_tag = names_tag(o->where);
		snprintf(p->name, sizeof(p->name), "%s/%s", ref.host, ref.path);
	}
	return 0;
}

int co_cache_open(struct co_cache **out, const struct co_cache_opts *o, struct co_err *err)
{
	struct co_cache *c = co_xcalloc(1, sizeof(*c));
	c->store = o->store;
	c->registry = o->registry;
	c->bus = o->bus;
	c->max_age_s = o->max_age_s;
	c->shared = mmap(NULL, sizeof(*c->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r = 0;
	if (c->shared == MAP_FAILED) {
		c->shared = NULL;
		r = co_fail_sys(err, "memory of the cache");
	}
	if (!r)
		r = load_keys(c, o, err);
	if (!r)
		r = load_scopes(c, o, err);
	for (size_t i = 0; r == 0 && i < o->n_places; i++)
		r = add_place(c, &o->places[i], err);
	if (r < 0) {
		co_cache_close(c);
		return r;
	}
	*out = c;
	return 0;
}

void co_cache_close(struct co_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_known; i++)
		json_decref(c->known[i].envelope);
	free(c->known);
	key_free(c->key);
	for (size_t i = 0; c->trust && c->trust[i]; i++)
		key_free(c->trust[i]);
	if (c->shared)
		munmap(c->shared, sizeof(*c->shared));
	co_arena_release(&c->arena);
	free(c);
}

void co_cache_expect(struct co_cache *c, const struct co_digest *exact,
		     const struct co_digest *alike)
{
	c->exact = *exact;
	c->alike = *alike;
	c->prefetched = c->prefetched_to_write = false;
}

/* ---- places ---- */

bool place_reads(const struct place *p)
{
	const struct shared *s = p->cache->shared;
	return p->read && !s->read_none && !s->place[p->number].no_read;
}

bool place_writes(const struct place *p)
{
	return p->write && !p->cache->shared->place[p->number].no_write;
}

void place_gave_up(struct place *p, bool writing, const struct co_err *err)
{
	struct shared *s = p->cache->shared;
	bool *off = writing ? &s->place[p->number].no_write : &s->place[p->number].no_read;
	if (*off)
		return;
	*off = true;
	/* who does not answer takes nothing either */
	if (!writing && err->code != CO_E_AUTH && err->code != CO_E_UNSUPPORTED)
		s->place[p->number].no_write = true;
	co_warn(p->cache->bus, writing ? "CacheNotWritten" : "CacheNotRead",
		"the cache in %s is not %s: %s", p->name, writing ? "written" : "used",
		err->code ? err->msg : "no answer");
}

void places_get(struct co_cache *c, struct tagged *list, size_t n)
{
	static const struct place_ops *const kinds[] = {&cache_in_registry, &cache_in_dir};
	struct tagged **some = co_xcalloc(n + 1, sizeof(struct tagged *));
	for (size_t k = 0; k < 2; k++) {
		size_t count = 0;
		for (size_t i = 0; i < n; i++)
			if (list[i].place->ops == kinds[k])
				some[count++] = &list[i];
		if (count)
			kinds[k]->get(c, some, count);
	}
	free(some);
}

const struct co_ref *co_cache_repo(const struct co_cache *c, unsigned place)
{
	if (!place || place > c->n_places || c->places[place - 1].dir)
		return NULL;
	return &c->places[place - 1].ref;
}

bool co_cache_wants_inline(const struct co_cache *c)
{
	return c->wants_inline;
}

/* ---- losses ---- */

bool is_lost(const struct co_cache *c, const struct co_digest *d)
{
	unsigned n = c->shared->n_lost;
	for (unsigned i = 0; i < n && i < LOST_MAX; i++)
		if (co_digest_eq(&c->shared->losses[i], d))
			return true;
	return false;
}

void co_cache_lose(struct co_cache *c, const struct co_layer *layer)
{
	struct shared *s = c->shared;
	unsigned at = __atomic_fetch_add(&s->n_lost, 1, __ATOMIC_SEQ_CST);
	if (at < LOST_MAX)
		s->losses[at] = layer->desc.digest;
	else
		s->read_none = true;
	s->lost = true;
	char digest[CO_DIGEST_TEXT];
	co_warn(c->bus, "CacheLost",
		"the cached layer %.19s is gone or damaged: its step runs again",
		co_digest_str(&layer->desc.digest, digest));
}

void co_cache_read_none(struct co_cache *c)
{
	c->shared->read_none = true;
}

bool co_cache_lost(struct co_cache *c)
{
	return __atomic_exchange_n(&c->shared->lost, false, __ATOMIC_SEQ_CST);
}
