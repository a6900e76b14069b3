/* SPDX-License-Identifier: MIT
 *
 * resolve.c — from a reference to a platform's manifest and config in the store.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define MAX_CONFIG    (4 << 20)
#define MAX_MANIFESTS 2000

struct resolver {
	struct co_registry *r;
	struct co_store *s;
	const struct co_ref *ref;
	struct co_arena arena;
	struct blob_job *next, *configs; /* in the arena */
	size_t n_next, n_configs, n_seen;
};

static void release(struct resolver *v)
{
	co_arena_release(&v->arena);
}

static int put(struct co_store *s, const struct co_digest *d, const struct co_buf *b,
	       struct co_err *err)
{
	struct co_sink *sink = co_store_sink(s, d, (int64_t)b->len, NULL, NULL);

	co_sink_write(sink, b->data, b->len);
	return co_sink_close(sink, err);
}

/* A digest that is in the store needs no network. */
static int from_store(struct resolver *v, struct co_descriptor *d, char **json, size_t *len,
		      struct co_err *err)
{
	int r = co_store_blob_read(v->s, &d->digest, REG_MAX_MANIFEST, json, len, err);

	if (!r)
		r = manifest_type(d->media_type, *json, *len, d->media_type, sizeof(d->media_type),
				  err);
	if (!r)
		d->size = (int64_t)*len;
	return r;
}

static int root(struct resolver *v, struct co_descriptor *d, char **json, size_t *len,
		struct co_err *err)
{
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);

	if (v->ref->digest.set && co_store_has(v->s, &v->ref->digest, NULL)) {
		struct co_err local = CO_ERR_INIT;

		*d = (struct co_descriptor){.digest = v->ref->digest};
		if (from_store(v, d, json, len, &local) == 0)
			return 0;
	}
	int r = manifest_get(v->r, v->ref, &b, d, err);
	if (!r)
		r = put(v->s, &d->digest, &b, err);
	if (r < 0)
		return r;
	*len = b.len;
	*json = co_buf_take(&b);
	return 0;
}

static int no_platform(const struct co_index *ix, const struct co_platform *want,
		       struct co_err *err)
{
	char text[128], one[128];
	auto_buf list = CO_BUF_INIT(400);

	for (size_t i = 0; i < ix->n; i++) {
		const struct co_platform *p = &ix->manifests[i].platform;

		if (!p->os[0] || !strcmp(p->os, "unknown"))
			continue;
		co_platform_str(p, one, sizeof(one));
		if (list.len + strlen(one) + 3 > list.max)
			break;
		co_buf_addf(&list, "%s%s", list.len ? ", " : "", one);
	}
	auto_buf safe = CO_BUF_INIT(2048);
	co_sanitize(&safe, co_buf_str(&list), list.len, false);
	co_fail(err, CO_E_NOT_FOUND, "there is no image for %s",
		co_platform_str(want, text, sizeof(text)));
	return co_hint(err, "it exists for: %s", safe.len ? co_buf_str(&safe) : "nothing");
}

static int select_child(const struct co_index *ix, const struct co_platform *want,
			struct co_descriptor *out, struct co_err *err)
{
	const struct co_descriptor *d = co_index_select(ix, want);

	if (!d)
		return no_platform(ix, want, err);
	*out = *d;
	out->annotations = NULL;
	return 0;
}

static int fetch_one(struct resolver *v, const struct co_descriptor *d, bool manifest,
		     struct co_err *err)
{
	struct blob_job j = {.store = v->s, .repo = v->ref, .desc = *d, .manifest = manifest};

	if (co_store_has(v->s, &d->digest, NULL))
		return 0;
	return blob_fetch_all(v->r, &j, 1, err);
}

static int check_config(const struct co_descriptor *c, struct co_err *err)
{
	if (c->size <= MAX_CONFIG)
		return 0;
	return co_fail(err, CO_E_LIMIT, "the image config has %lld bytes; 4 MiB are allowed",
		       (long long)c->size);
}

static void warn_platform(struct resolver *v, const struct co_descriptor *config,
			  const struct co_platform *want)
{
	struct co_err quiet = CO_ERR_INIT;
	struct co_config c = {0};
	auto_free char *json = NULL;
	char name[1024], a[128], b[128];
	size_t len;

	if (co_store_blob_read(v->s, &config->digest, MAX_CONFIG, &json, &len, &quiet) < 0 ||
	    co_config_parse(&c, &v->arena, json, len, &quiet) < 0)
		return;
	if (c.platform.os[0] &&
	    (strcmp(c.platform.os, want->os) != 0 || strcmp(c.platform.arch, want->arch) != 0))
		co_warn(v->r->bus, NULL, "%s is for %s, not for %s",
			co_ref_familiar(v->ref, name, sizeof(name)),
			co_platform_str(&c.platform, a, sizeof(a)),
			co_platform_str(want, b, sizeof(b)));
}

static int finish_manifest(struct resolver *v, const char *json, size_t len,
			   const struct co_descriptor *d, const struct co_platform *want,
			   struct co_err *err)
{
	struct co_manifest m;
	int r = co_manifest_parse(&m, &v->arena, json, len, d->media_type, err);

	if (r < 0)
		return r;
	r = check_config(&m.config, err);
	if (!r)
		r = fetch_one(v, &m.config, false, err);
	if (!r && want)
		warn_platform(v, &m.config, want);
	co_manifest_release(&m);
	return r;
}

static int one_platform(struct resolver *v, const struct co_platform *want,
			struct co_descriptor *out, struct co_err *err)
{
	struct co_descriptor d;
	auto_free char *json = NULL;
	size_t len;
	int r = root(v, &d, &json, &len, err);
	unsigned depth = 0;

	while (!r && co_media_is_index(d.media_type)) {
		struct co_index ix;

		if (depth++ >= REG_MAX_DEPTH)
			return co_fail(err, CO_E_LIMIT, "indexes nested deeper than %u",
				       REG_MAX_DEPTH);
		r = co_index_parse(&ix, &v->arena, json, len, d.media_type, err);
		if (r < 0)
			return r;
		r = select_child(&ix, want, &d, err);
		co_index_release(&ix);
		free(co_steal(&json));
		if (!r)
			r = fetch_one(v, &d, true, err);
		if (!r)
			r = from_store(v, &d, &json, &len, err);
	}
	if (!r)
		r = finish_manifest(v, json, len, &d, depth ? NULL : want, err);
	if (!r)
		*out = d;
	return r;
}

static int collect(struct resolver *v, const char *json, size_t len, const char *type,
		   struct co_err *err)
{
	struct co_manifest m;
	struct co_index ix;
	int r;

	if (!co_media_is_index(type)) {
		r = co_manifest_parse(&m, &v->arena, json, len, type, err);
		if (r < 0)
			return r;
		r = check_config(&m.config, err);
		*co_arena_push(&v->arena, v->configs, v->n_configs) =
			(struct blob_job){.store = v->s, .repo = v->ref, .desc = m.config};
		co_manifest_release(&m);
		return r;
	}
	r = co_index_parse(&ix, &v->arena, json, len, type, err);
	if (r < 0)
		return r;
	v->n_seen += ix.n;
	if (v->n_seen > MAX_MANIFESTS)
		r = co_fail(err, CO_E_LIMIT, "more than %d manifests", MAX_MANIFESTS);
	for (size_t i = 0; !r && i < ix.n; i++)
		*co_arena_push(&v->arena, v->next, v->n_next) = (struct blob_job){
			.store = v->s, .repo = v->ref, .desc = ix.manifests[i], .manifest = true};
	co_index_release(&ix);
	return r;
}

static int all_platforms(struct resolver *v, struct co_descriptor *out, struct co_err *err)
{
	struct co_descriptor d;
	auto_free char *json = NULL;
	size_t len;
	int r = root(v, &d, &json, &len, err);

	if (!r)
		r = collect(v, json, len, d.media_type, err);
	for (unsigned depth = 0; !r && v->n_next; depth++) {
		struct blob_job *level = v->next;
		size_t n = v->n_next;

		v->next = NULL;
		v->n_next = 0;
		if (depth >= REG_MAX_DEPTH)
			return co_fail(err, CO_E_LIMIT, "indexes nested deeper than %u",
				       REG_MAX_DEPTH);
		r = blob_fetch_all(v->r, level, n, err);
		for (size_t i = 0; !r && i < n; i++) {
			free(co_steal(&json));
			r = from_store(v, &level[i].desc, &json, &len, err);
			if (!r)
				r = collect(v, json, len, level[i].desc.media_type, err);
		}
	}
	if (!r)
		r = blob_fetch_all(v->r, v->configs, v->n_configs, err);
	if (!r)
		*out = d;
	return r;
}

int co_registry_resolve(struct co_registry *r, struct co_store *s, const struct co_ref *ref,
			const struct co_platform *platform, struct co_descriptor *desc,
			struct co_err *err)
{
	struct resolver v __attribute__((cleanup(release))) = {.r = r, .s = s, .ref = ref};
	char name[1024];
	int e = platform ? one_platform(&v, platform, desc, err) : all_platforms(&v, desc, err);

	return e ? co_wrap(err, "%s", co_ref_str(ref, name, sizeof(name))) : 0;
}
