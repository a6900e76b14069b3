/* SPDX-License-Identifier: MIT
 *
 * An image opened for questions, and what it says about itself.
 */
#include "report-internal.h"

#define MAX_NESTING 4 /* indexes inside indexes */

static int read_doc(struct co_view *v, const struct co_digest *d, const char *what, char **text,
		    size_t *len, struct co_err *err)
{
	int r = co_store_blob_read(v->store, d, DOC_MAX, text, len, err);
	return r < 0 ? co_wrap(err, "%s", what) : 0;
}

/* Replaces v->desc, an index, by the entry for the platform. */
static int choose(struct co_view *v, const struct co_platform *platform, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	auto_free char *text = NULL;
	struct co_index ix = {0};
	char name[128];
	size_t len;
	int r = read_doc(v, &v->desc.digest, "index", &text, &len, err);
	if (!r)
		r = co_index_parse(&ix, &a, text, len, v->desc.media_type, err);
	if (r < 0)
		return r;
	const struct co_descriptor *d = co_index_select(&ix, platform);
	if (d) {
		v->desc = *d;
		v->desc.annotations = NULL; /* of the document that goes away */
	} else {
		r = co_fail(err, CO_E_NOT_FOUND, "the index has no image for %s",
			    co_platform_str(platform, name, sizeof(name)));
		co_hint(err, "choose one with --platform");
	}
	co_index_release(&ix);
	return r;
}

static int read_manifest(struct co_view *v, struct co_arena *a, struct co_err *err)
{
	auto_free char *text = NULL, *config = NULL;
	size_t len;
	const char *type = *v->desc.media_type ? v->desc.media_type : NULL;
	int r = read_doc(v, &v->desc.digest, "manifest", &text, &len, err);
	if (!r)
		r = co_manifest_parse(&v->manifest, a, text, len, type, err);
	if (!r)
		r = read_doc(v, &v->manifest.config.digest, "config", &config, &len, err);
	if (!r)
		r = co_config_parse(&v->config, a, config, len, err);
	return r;
}

int co_view_open(struct co_view *v, struct co_arena *a, struct co_store *s,
		 const struct co_descriptor *desc, const struct co_platform *platform,
		 struct co_err *err)
{
	struct co_platform host;
	struct co_view view = {.store = s, .desc = *desc};
	int r = 0;
	if (!platform)
		co_platform_host(&host);
	for (int i = 0; r == 0 && co_media_is_index(view.desc.media_type); i++)
		r = i < MAX_NESTING ? choose(&view, platform ? platform : &host, err)
				    : co_fail(err, CO_E_INVALID, "indexes nested too deep");
	if (!r)
		r = read_manifest(&view, a, err);
	if (r < 0) {
		co_view_release(&view);
		return r;
	}
	*v = view;
	return 0;
}

void co_view_release(struct co_view *v)
{
	co_manifest_release(&v->manifest);
	*v = (struct co_view){0};
}

/* ---- inspect ---- */

static json_t *digest_json(const struct co_digest *d)
{
	char text[CO_DIGEST_TEXT];
	return json_string(co_digest_str(d, text));
}

static json_t *layers_json(const struct co_view *v)
{
	json_t *list = json_array();
	for (size_t i = 0; i < v->manifest.n_layers; i++) {
		const struct co_descriptor *d = &v->manifest.layers[i];
		json_t *o = json_object();
		json_object_set_new(o, "mediaType", co_json_string(d->media_type));
		json_object_set_new(o, "digest", digest_json(&d->digest));
		json_object_set_new(o, "size", json_integer(d->size));
		if (i < v->config.n_diff_ids)
			json_object_set_new(o, "diffId", digest_json(&v->config.diff_ids[i]));
		json_array_append_new(list, o);
	}
	return list;
}

int co_report_inspect(json_t **out, struct co_view *v, struct co_err *err)
{
	auto_free char *text = NULL;
	char platform[128];
	size_t len;
	json_t *config;
	int r = read_doc(v, &v->manifest.config.digest, "config", &text, &len, err);
	if (!r)
		r = co_json_parse(&config, text, len, "config", err);
	if (r < 0)
		return r;
	json_int_t size = 0;
	for (size_t i = 0; i < v->manifest.n_layers; i++)
		size += v->manifest.layers[i].size;
	json_t *o = json_object();
	json_object_set_new(o, "mediaType", co_json_string(v->manifest.media_type));
	json_object_set_new(o, "digest", digest_json(&v->desc.digest));
	json_object_set_new(o, "id", digest_json(&v->manifest.config.digest));
	co_platform_str(&v->config.platform, platform, sizeof(platform));
	json_object_set_new(o, "platform", co_json_string(platform));
	json_object_set_new(o, "size", json_integer(size));
	json_object_set_new(o, "layers", layers_json(v));
	if (v->manifest.annotations)
		json_object_set(o, "annotations", v->manifest.annotations);
	json_object_set_new(o, "image", config);
	*out = o;
	return 0;
}
