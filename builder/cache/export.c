/* SPDX-License-Identifier: MIT
 *
 * Writing to the places: first what is missing is found out, then the blobs go, then the entries,
 * then the index. Whatever breaks off on the way leaves blobs without an entry, never an entry
 * without blobs. The first writer of a key stays: fifty of them do no harm.
 */
#include "cache-internal.h"
#include <cooper/image.h>

/* An entry on its way to one place. */
struct outgoing {
	const struct co_cache_entry *entry;
	struct co_digest key;	   /* of the entry's one */
	struct local_record local; /* what is known about it here */
	json_t *envelope;	   /* owned */
	bool there;		   /* the place has it */
};

/* A record made here, or checked against --cache-trust, gets our signature; anything else is passed
 * on as it came: a key must not vouch for what a stranger wrote. */
static void make_envelope(struct co_cache *c, struct outgoing *o)
{
	struct record r = o->local.rec;
	if (!local_is_ours(c, &o->local) && !(c->key && c->trust)) {
		o->envelope = o->local.envelope ? json_incref(o->local.envelope)
						: envelope_make(&r, NULL);
		return;
	}
	snprintf(r.scope, sizeof(r.scope), "%s", c->scopes[0]);
	o->envelope = envelope_make(&r, c->key);
}

static void gather_one(struct co_cache *c, const struct co_cache_entry *e,
		       const struct co_digest *key, struct outgoing *out, size_t *n)
{
	struct outgoing o = {.entry = e, .key = *key};
	bool twice = !key->set;
	for (size_t k = 0; k < *n && !twice; k++)
		twice = co_digest_eq(&out[k].key, key);
	if (twice || !local_read(c, key, &o.local) ||
	    !co_digest_eq(&o.local.rec.layer.desc.digest, &e->layer.desc.digest)) {
		json_decref(o.local.envelope);
		return;
	}
	make_envelope(c, &o);
	/* an entry in a scope that is read, not written, is not copied over unsigned */
	out[(*n)++] = o;
}

/* out: room for two a step. */
static size_t gather(struct co_cache *c, const struct place *p, const struct co_cache_entry *e,
		     size_t n, struct outgoing *out)
{
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		if (!p->max && !e[i].result)
			continue;
		gather_one(c, &e[i], &e[i].key, out, &count);
		gather_one(c, &e[i], &e[i].also, out, &count);
	}
	return count;
}

/* Is the record known to be in this place, with its blob? */
static bool place_has(struct co_cache *c, const struct place *p, const struct outgoing *o,
		      bool in_index)
{
	for (size_t i = 0; i < c->n_known; i++) {
		const struct known *k = &c->known[i];
		if (k->place == p && (!in_index || k->from_index) &&
		    co_digest_eq(&k->rec.key, &o->key) &&
		    co_digest_eq(&k->rec.layer.desc.digest, &o->entry->layer.desc.digest) &&
		    (!k->checked || k->there))
			return true;
	}
	return false;
}

static void entry_tag(struct co_cache *c, const struct co_digest *key, char *out)
{
	tag_of("c1", c->scopes[0], key, out);
}

/* Entries that somebody else wrote in the meantime. */
static void ask_entries(struct co_cache *c, struct place *p, struct outgoing *list, size_t n)
{
	struct tagged *t = co_xcalloc(n + 1, sizeof(*t));
	struct outgoing **of = co_xcalloc(n + 1, sizeof(struct outgoing *));
	struct co_digest *blob = co_xcalloc(n + 1, sizeof(*blob));
	bool *exists = co_xcalloc(n + 1, sizeof(bool));
	size_t count = 0, valid = 0;
	struct co_err err = CO_ERR_INIT;
	for (size_t i = 0; i < n; i++) {
		if (list[i].there)
			continue;
		t[count].place = p;
		entry_tag(c, &list[i].key, t[count].tag);
		of[count++] = &list[i];
	}
	if (count)
		places_get(c, t, count);
	for (size_t i = 0; i < count; i++) {
		auto_document d = {.notes = NULL};
		struct record r;
		if (t[i].code == 0 && document_read(&d, co_buf_str(&t[i].body), t[i].body.len) &&
		    envelope_open(&r, json_array_get(d.notes, 0), c->trust) == ENV_GOOD &&
		    co_digest_eq(&r.key, &of[i]->key) && !is_lost(c, &r.layer.desc.digest) &&
		    !too_old(c, r.created)) {
			of[valid] = of[i];
			blob[valid++] = r.layer.desc.digest;
		}
		co_buf_release(&t[i].body);
	}
	if (valid && p->ops->exist(p, blob, valid, exists, &err) == 0)
		for (size_t i = 0; i < valid; i++)
			of[i]->there = exists[i];
	free(t);
	free(of);
	free(blob);
	free(exists);
}

static int put_blobs(struct co_cache *c, struct place *p, const struct outgoing *list, size_t n,
		     const struct co_ref *from, size_t n_from, struct co_err *err)
{
	struct co_descriptor *d = co_xcalloc(n + 3, sizeof(*d));
	struct co_layer *away = co_xcalloc(n + 1, sizeof(*away));
	size_t count = 0, n_away = 0;
	const char *text;
	int r = 0;
	for (int plain = 0; r == 0 && plain < 2; plain++) {
		struct co_digest got;
		document_config(plain != 0, &d[count++], &text);
		r = co_store_put(c->store, text, strlen(text), &got, err);
	}
	if (!p->plain)
		count = 1;
	for (size_t i = 0; i < n; i++) {
		const struct co_layer *l = &list[i].entry->layer;
		if (list[i].there)
			continue;
		d[count++] = l->desc;
		if (l->place && l->place != p->number)
			away[n_away++] = *l;
	}
	if (!r && n_away)
		r = co_cache_fetch(c, away, n_away, err);
	if (!r)
		r = p->ops->put_blobs(p, d, count, from, n_from, err);
	free(d);
	free(away);
	return r;
}

static void write_entry(struct tagged *t, const struct outgoing *o, bool plain)
{
	t->body.max = DOC_MAX;
	document_write(&t->body, NOTE_RECORD, o->envelope, &o->entry->layer.desc, 1, plain);
}

static int put_documents(struct co_cache *c, struct place *p, const struct outgoing *list, size_t n,
			 struct co_err *err)
{
	struct tagged *t = co_xcalloc(n + 1, sizeof(*t));
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		if (list[i].there)
			continue;
		t[count].place = p;
		entry_tag(c, &list[i].key, t[count].tag);
		write_entry(&t[count++], &list[i], p->plain);
	}
	int r = count ? p->ops->put(p, t, count, err) : 0;
	for (size_t i = 0; i < count; i++)
		co_buf_release(&t[i].body);
	free(t);
	return r;
}

static int put_index(struct co_cache *c, struct place *p, const struct outgoing *list, size_t n,
		     struct co_err *err)
{
	struct co_descriptor *d = co_xcalloc(n + 1, sizeof(*d));
	auto_json all = json_array();
	struct tagged t[2] = {{.place = p}, {.place = p}};
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		bool twice = false;
		json_array_append(all, list[i].envelope);
		for (size_t k = 0; k < count && !twice; k++)
			twice = co_digest_eq(&d[k].digest, &list[i].entry->layer.desc.digest);
		if (!twice)
			d[count++] = list[i].entry->layer.desc;
	}
	for (int i = 0; i < 2; i++) {
		t[i].body.max = DOC_MAX;
		document_write(&t[i].body, NOTE_RECORDS, all, d, count, p->plain);
		tag_of("d1", c->scopes[0], i ? &c->alike : &c->exact, t[i].tag);
	}
	int r = t[0].body.overflow ? 0 : p->ops->put(p, t, 2, err);
	co_buf_release(&t[0].body);
	co_buf_release(&t[1].body);
	free(d);
	return r;
}

static int put_all(struct co_cache *c, struct place *p, const struct outgoing *list, size_t n,
		   const struct co_ref *from, size_t n_from, struct co_err *err)
{
	int r = put_blobs(c, p, list, n, from, n_from, err);
	if (!r)
		r = put_documents(c, p, list, n, err);
	return r ? r : put_index(c, p, list, n, err);
}

static void write_place(struct co_cache *c, struct place *p, const struct co_cache_entry *e,
			size_t n, const struct co_ref *from, size_t n_from)
{
	struct outgoing *list = co_xcalloc(2 * n + 1, sizeof(*list));
	struct co_err err = CO_ERR_INIT;
	size_t count = gather(c, p, e, n, list), missing = 0;
	bool index = true;
	for (size_t i = 0; i < count; i++) {
		list[i].there = place_has(c, p, &list[i], false);
		index &= place_has(c, p, &list[i], true);
		missing += !list[i].there;
	}
	if (missing)
		ask_entries(c, p, list, count);
	if (!index && place_writes(p)) {
		int r = put_all(c, p, list, count, from, n_from, &err);
		/* a registry that knows no artifacts: the same as an ordinary image */
		if (r == CO_E_REGISTRY && !p->plain && !p->dir && err.sys >= 400 && err.sys < 429) {
			p->plain = true;
			co_err_clear(&err);
			r = put_all(c, p, list, count, from, n_from, &err);
		}
		if (r < 0 && r != CO_E_INTERRUPTED)
			place_gave_up(p, true, &err);
	}
	for (size_t i = 0; i < count; i++) {
		json_decref(list[i].envelope);
		json_decref(list[i].local.envelope);
	}
	free(list);
}

void co_cache_export(struct co_cache *c, const struct co_cache_entry *entries, size_t n,
		     const struct co_ref *mounts_from, size_t n_from)
{
	for (size_t i = 0; n && i < c->n_places; i++) {
		if (!place_writes(&c->places[i]))
			continue;
		/* the index says in one answer what is there */
		prefetch(c, false);
		prefetch(c, true);
		write_place(c, &c->places[i], entries, n, mounts_from, n_from);
	}
}

void co_cache_inline(struct co_cache *c, const struct co_cache_entry *entries, size_t n,
		     struct co_buf *out)
{
	auto_json all = json_array();
	for (size_t i = 0; i < n; i++) {
		struct outgoing o = {.entry = &entries[i]};
		if (!entries[i].result || !local_read(c, &entries[i].key, &o.local))
			continue;
		bool vouch = local_is_ours(c, &o.local) || c->trust;
		struct record r = {.key = entries[i].key, .layer = entries[i].layer};
		/* no time, no duration: the image must not depend on when it was built */
		snprintf(r.what, sizeof(r.what), "%s", o.local.rec.what);
		snprintf(r.scope, sizeof(r.scope), "%s", c->scopes[0]);
		json_array_append_new(all, envelope_make(&r, vouch ? c->key : NULL));
		json_decref(o.local.envelope);
	}
	if (json_array_size(all))
		co_json_write(out, all);
}
