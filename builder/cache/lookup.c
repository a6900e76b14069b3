/* SPDX-License-Identifier: MIT
 *
 * Looking a key up: here, in what an index brought, then in all places at once. A hit is only
 * claimed when its blob was seen.
 */
#include "cache-internal.h"
#include <cooper/clock.h>
#include <cooper/image.h>
#include <cooper/str.h>

bool too_old(const struct co_cache *c, int64_t created)
{
	return c->max_age_s > 0 && created + c->max_age_s < co_wall_s();
}

static bool scope_read(const struct co_cache *c, const char *scope)
{
	for (size_t i = 0; c->scopes[i]; i++)
		if (!strcmp(c->scopes[i], scope))
			return true;
	return false;
}

static void distrust(struct place *p, enum envelope_state state)
{
	bool *said = &p->cache->shared->place[p->number].distrust_said;
	if (*said)
		return;
	*said = true;
	co_warn(p->cache->bus, "CacheUntrusted", "%s has entries that are %s; they count as misses",
		p->name,
		state == ENV_UNTRUSTED ? "not signed by a key of --cache-trust" : "damaged");
}

/* What is signed must be what the document offers. */
static bool offers(const struct document *doc, const struct co_descriptor *layer)
{
	for (size_t i = 0; i < doc->n_layers; i++)
		if (co_digest_eq(&doc->layers[i].digest, &layer->digest) &&
		    doc->layers[i].size == layer->size)
			return true;
	return false;
}

bool known_add(struct co_cache *c, struct place *p, json_t *env, const struct document *doc,
	       bool from_index)
{
	struct known k = {.place = p, .from_index = from_index};
	enum envelope_state state = envelope_open(&k.rec, env, c->trust);
	if (state == ENV_GOOD && !offers(doc, &k.rec.layer.desc))
		state = ENV_BROKEN;
	if (state != ENV_GOOD) {
		distrust(p, state);
		return false;
	}
	if (!scope_read(c, k.rec.scope))
		return false;
	for (size_t i = 0; i < c->n_known; i++) /* the same from both indexes */
		if (c->known[i].place == p && co_digest_eq(&c->known[i].rec.key, &k.rec.key) &&
		    co_digest_eq(&c->known[i].rec.layer.desc.digest, &k.rec.layer.desc.digest) &&
		    !strcmp(c->known[i].rec.scope, k.rec.scope))
			return true;
	k.envelope = json_incref(env);
	c->known = co_xrealloc(c->known, c->n_known + 1, sizeof(*c->known));
	c->known[c->n_known++] = k;
	return true;
}

static void take_document(struct co_cache *c, struct tagged *t, bool index)
{
	auto_document d = {.notes = NULL};
	if (t->code == 0 && document_read(&d, co_buf_str(&t->body), t->body.len))
		for (size_t i = 0; i < json_array_size(d.notes); i++)
			known_add(c, t->place, json_array_get(d.notes, i), &d, index);
	else if (t->code == CO_E_INTEGRITY || t->code == CO_E_INVALID || t->code == 0)
		distrust(t->place, ENV_BROKEN);
	co_buf_release(&t->body);
}

static void want(struct co_cache *c, struct co_arena *a, struct tagged **list, size_t *n,
		 const char *kind, const struct co_digest *key, bool (*which)(const struct place *))
{
	for (size_t i = 0; i < c->n_places && key->set; i++)
		for (size_t s = 0; which(&c->places[i]) && c->scopes[s]; s++) {
			struct tagged *t = co_arena_push(a, *list, *n);
			t->place = &c->places[i];
			tag_of(kind, c->scopes[s], key, t->tag);
		}
}

/* An image that was named itself may carry the records of its layers. */
static void want_images(struct co_cache *c, struct co_arena *a, struct tagged **list, size_t *n)
{
	for (size_t i = 0; i < c->n_places; i++) {
		struct place *p = &c->places[i];
		if (p->dir || !p->has_tag || !place_reads(p))
			continue;
		struct tagged *t = co_arena_push(a, *list, *n);
		t->place = p;
		t->image = true;
		memcpy(t->tag, p->ref.tag, TAG_MAX);
	}
}

static bool only_writes(const struct place *p)
{
	return place_writes(p) && !p->read;
}

void prefetch(struct co_cache *c, bool to_write)
{
	auto_arena a = CO_ARENA_INIT;
	struct tagged *list = NULL;
	size_t n = 0;
	bool *done = to_write ? &c->prefetched_to_write : &c->prefetched;
	bool (*which)(const struct place *) = to_write ? only_writes : place_reads;
	if (*done)
		return;
	*done = true;
	want(c, &a, &list, &n, "d1", &c->exact, which);
	if (!to_write && !co_digest_eq(&c->exact, &c->alike))
		want(c, &a, &list, &n, "d1", &c->alike, which);
	if (!to_write)
		want_images(c, &a, &list, &n);
	places_get(c, list, n);
	for (size_t i = 0; i < n; i++) {
		/* an image without records, or an index of platforms: just of no use */
		if (list[i].code == CO_E_NOT_FOUND ||
		    (list[i].image &&
		     (list[i].code || !strstr(co_buf_str(&list[i].body), NOTE_RECORDS))))
			co_buf_release(&list[i].body);
		else
			take_document(c, &list[i], true);
	}
}

/* Asks for the blobs of all records of a place together: the next steps need them too. */
static void check_blobs(struct co_cache *c, struct place *p, bool all, const struct known *one)
{
	struct co_digest *d = co_xcalloc(c->n_known + 1, sizeof(*d));
	struct known **of = co_xcalloc(c->n_known + 1, sizeof(struct known *));
	bool *there = co_xcalloc(c->n_known + 1, sizeof(bool));
	struct co_err err = CO_ERR_INIT;
	size_t n = 0;
	for (size_t i = 0; i < c->n_known; i++) {
		struct known *k = &c->known[i];
		if (k->checked || k->place != p || (!all && k != one))
			continue;
		k->checked = true;
		k->there = co_store_has(c->store, &k->rec.layer.desc.digest, NULL);
		size_t same = 0;
		while (same < n && !co_digest_eq(&d[same], &k->rec.layer.desc.digest))
			same++;
		if (k->there)
			continue;
		if (same < n) { /* asked for already: the answer is copied below */
			k->checked = false;
			continue;
		}
		d[n] = k->rec.layer.desc.digest;
		of[n++] = k;
	}
	int r = n ? p->ops->exist(p, d, n, there, &err) : 0;
	if (r < 0 && r != CO_E_INTERRUPTED)
		place_gave_up(p, false, &err);
	for (size_t i = 0; i < n; i++)
		of[i]->there = there[i];
	for (size_t i = 0; i < c->n_known; i++)
		for (size_t k = 0; k < n && !c->known[i].checked && c->known[i].place == p; k++)
			if (co_digest_eq(&d[k], &c->known[i].rec.layer.desc.digest)) {
				c->known[i].there = there[k];
				c->known[i].checked = true;
			}
	free(d);
	free(of);
	free(there);
}

static bool usable(struct co_cache *c, struct known *k, const struct co_digest *key,
		   const char *scope)
{
	if (!co_digest_eq(&k->rec.key, key) || strcmp(k->rec.scope, scope) ||
	    too_old(c, k->rec.created) || is_lost(c, &k->rec.layer.desc.digest) ||
	    !place_reads(k->place))
		return false;
	if (!k->checked)
		check_blobs(c, k->place, k->from_index, k);
	return k->there;
}

static bool from_known(struct co_cache *c, const struct co_digest *key, struct co_layer *layer)
{
	for (size_t s = 0; c->scopes[s]; s++)
		for (size_t i = 0; i < c->n_known; i++) {
			struct known *k = &c->known[i];
			struct co_err err = CO_ERR_INIT;
			if (!usable(c, k, key, c->scopes[s]))
				continue;
			*layer = k->rec.layer;
			if (!co_store_has(c->store, &layer->desc.digest, NULL))
				layer->place = k->place->number;
			int r = local_write(c, &k->rec, k->envelope, &err);
			(void)r; /* asked for again next time */
			return true;
		}
	return false;
}

static bool from_store(struct co_cache *c, const struct co_digest *key, struct co_layer *layer)
{
	struct local_record l;
	struct record checked;
	int64_t size;
	if (!local_read(c, key, &l))
		return false;
	if (l.alias.set) { /* vouches for nothing itself: co_cache_get asks for what it stands for
			    */
		json_decref(l.envelope);
		return false;
	}
	bool ok = co_store_has(c->store, &l.rec.layer.desc.digest, &size) &&
		  size == l.rec.layer.desc.size && !is_lost(c, &l.rec.layer.desc.digest) &&
		  !too_old(c, l.rec.created);
	if (ok && !l.built)
		ok = envelope_open(&checked, l.envelope, c->trust) == ENV_GOOD &&
		     co_digest_eq(&checked.layer.desc.digest, &l.rec.layer.desc.digest) &&
		     co_digest_eq(&checked.layer.diff_id, &l.rec.layer.diff_id) &&
		     co_digest_eq(&checked.key, key) && scope_read(c, checked.scope);
	if (ok)
		*layer = l.rec.layer;
	json_decref(l.envelope);
	return ok;
}

static int get_one(struct co_cache *c, const struct co_digest *key, struct co_layer *layer)
{
	auto_arena a = CO_ARENA_INIT;
	struct tagged *list = NULL;
	size_t n = 0;
	if (from_store(c, key, layer))
		return 1;
	prefetch(c, false);
	if (from_known(c, key, layer))
		return 1;
	want(c, &a, &list, &n, "c1", key, place_reads);
	if (!n)
		return 0;
	places_get(c, list, n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].code == CO_E_NOT_FOUND)
			co_buf_release(&list[i].body);
		else if (list[i].code == 0 || place_reads(list[i].place))
			take_document(c, &list[i], false);
	}
	return from_known(c, key, layer);
}

int co_cache_get(struct co_cache *c, const struct co_digest *key, struct co_layer *layer)
{
	struct local_record l;
	if (local_read(c, key, &l)) {
		json_decref(l.envelope);
		if (l.alias.set && get_one(c, &l.alias, layer))
			return 1;
	}
	return get_one(c, key, layer);
}

int co_cache_put(struct co_cache *c, const struct co_digest *key, const struct co_layer *layer,
		 const char *what, int64_t duration_ns, struct co_err *err)
{
	struct record r = {.key = *key,
			   .layer = *layer,
			   .created = co_wall_s(),
			   .duration_ms = duration_ns / 1000000};
	size_t n = what ? strcspn(what, "\n") : 0;
	if (n >= sizeof(r.what))
		n = sizeof(r.what) - 1;
	while (n && !co_utf8_valid(what, n))
		n--; /* cut in the middle of a character, or not text at all */
	memcpy(r.what, what ? what : "", n);
	snprintf(r.scope, sizeof(r.scope), "%s", c->scopes[0]);
	return local_write(c, &r, NULL, err);
}

/* ---- bringing layers ---- */

int co_cache_fetch(struct co_cache *c, const struct co_layer *layers, size_t n, struct co_err *err)
{
	struct co_descriptor *d = co_xcalloc(n + 1, sizeof(*d));
	int r = 0;
	for (size_t p = 0; r == 0 && p < c->n_places; p++) {
		size_t count = 0;
		for (size_t i = 0; i < n; i++)
			if (layers[i].place == p + 1 &&
			    !co_store_has(c->store, &layers[i].desc.digest, NULL))
				d[count++] = layers[i].desc;
		if (count)
			r = c->places[p].ops->fetch(&c->places[p], d, count, err);
		if (r < 0 && r != CO_E_INTERRUPTED && r != CO_E_NO_SPACE)
			for (size_t i = 0; i < n; i++)
				if (layers[i].place == p + 1 &&
				    !co_store_has(c->store, &layers[i].desc.digest, NULL))
					co_cache_lose(c, &layers[i]);
	}
	free(d);
	return r;
}
