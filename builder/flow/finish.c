/* SPDX-License-Identifier: MIT
 *
 * From a built stage to an image: the config, the manifest, the gate.
 */
#include "flow-internal.h"
#include <cooper/str.h>
#include <cooper/clock.h>
#include <stdlib.h>

static void final_config(struct build *b, struct co_config *c)
{
	char when[40];
	co_rfc3339(b->epoch, when, sizeof(when));
	c->created = co_arena_strdup(&b->arena, when);
	if (!co_config_getenv(c, "PATH"))
		co_config_setenv(c, &b->arena, "PATH", CO_DEFAULT_PATH);
	if (!c->workdir || !*c->workdir)
		c->workdir = "/";
	for (size_t i = 0; i < b->o->n_labels; i++)
		co_config_set_label(c, &b->arena, b->o->labels[i].key, b->o->labels[i].value);
}

static int put_config(struct build *b, const struct co_config *c, struct co_descriptor *out,
		      struct co_err *err)
{
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	co_config_write(&text, c);
	co_put_text(out->media_type, sizeof(out->media_type),
		    b->o->docker_types ? CO_MT_DOCKER_CONFIG : CO_MT_OCI_CONFIG);
	out->size = (int64_t)text.len;
	return co_store_put(b->store, text.data, text.len, &out->digest, err);
}

/* --cache-to type=inline: the records of the image's own layers. */
static void inline_cache(struct build *b, const struct co_exec *x, json_t *notes)
{
	struct co_cache_entry *list = NULL;
	size_t n = 0;
	auto_buf text = CO_BUF_INIT(2u << 20);
	if (!co_cache_wants_inline(b->cache))
		return;
	co_exec_entries(x, &list, &n);
	co_cache_inline(b->cache, list, n, &text);
	if (text.len && !text.overflow)
		json_object_set_new(notes, CO_CACHE_INLINE_NOTE, json_string(co_buf_str(&text)));
}

static json_t *annotations(struct build *b, const struct co_exec *x)
{
	json_t *j = json_object();
	inline_cache(b, x, j);
	for (size_t i = 0; i < b->o->n_annotations; i++)
		json_object_set_new(j, b->o->annotations[i].key,
				    co_json_string(b->o->annotations[i].value));
	json_t *sorted = co_json_sorted(j);
	json_decref(j);
	return sorted;
}

/* Base layers keep their blobs; their type is brought into the family of the manifest. */
static void layer_type(const struct build *b, struct co_descriptor *d)
{
	bool zstd = strstr(d->media_type, "zstd") != NULL;
	bool gzip = co_ends(d->media_type, "gzip");
	d->annotations = NULL;
	d->platform.os[0] = '\0';
	if (b->o->docker_types && gzip)
		co_put_text(d->media_type, sizeof(d->media_type), CO_MT_DOCKER_LAYER);
	else if (!b->o->docker_types)
		co_put_text(d->media_type, sizeof(d->media_type),
			    zstd   ? CO_MT_OCI_LAYER_ZSTD
			    : gzip ? CO_MT_OCI_LAYER_GZIP
				   : CO_MT_OCI_LAYER);
}

int finish_image(struct build *b, struct co_exec *x, struct co_built *built,
		 struct co_descriptor *out, struct co_digest *config, struct co_err *err)
{
	final_config(b, &built->config);
	struct co_manifest m = {.media_type = b->o->docker_types ? CO_MT_DOCKER_MANIFEST
								 : CO_MT_OCI_MANIFEST};
	int r = put_config(b, &built->config, &m.config, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < built->n_layers; i++) {
		struct co_descriptor *d = co_arena_push(&b->arena, m.layers, m.n_layers);
		*d = built->layers[i].desc;
		layer_type(b, d);
	}
	auto_json notes = annotations(b, x);
	m.annotations = notes;
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	co_manifest_write(&text, &m);
	struct co_descriptor d = {.size = (int64_t)text.len, .platform = built->config.platform};
	co_put_text(d.media_type, sizeof(d.media_type), m.media_type);
	r = co_store_put(b->store, text.data, text.len, &d.digest, err);
	if (!r)
		r = gate_user(b, x, built, &d, err);
	if (r < 0)
		return r;
	*out = d;
	*config = m.config.digest;
	return 0;
}

int finish_index(struct build *b, const struct co_descriptor *list, size_t n,
		 struct co_descriptor *out, struct co_err *err)
{
	struct co_index ix = {.media_type =
				      b->o->docker_types ? CO_MT_DOCKER_LIST : CO_MT_OCI_INDEX,
			      .manifests = (struct co_descriptor *)list,
			      .n = n};
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	co_index_write(&text, &ix);
	struct co_descriptor d = {.size = (int64_t)text.len};
	co_put_text(d.media_type, sizeof(d.media_type), ix.media_type);
	int r = co_store_put(b->store, text.data, text.len, &d.digest, err);
	if (!r)
		*out = d;
	return r;
}
