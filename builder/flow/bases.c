/* SPDX-License-Identifier: MIT
 *
 * Base images for the planner: manifest and config, never layers.
 */
#include "flow-internal.h"
#include <cooper/layout.h>

#define DOC_MAX (4u << 20)

static int load_base(struct build *b, const char *name, const struct co_descriptor *desc,
		     const struct co_base **out, struct co_err *err)
{
	struct co_base *base = co_arena_new(&b->arena, struct co_base);
	struct co_manifest m = {0};
	auto_free char *text = NULL;
	auto_free char *config = NULL;
	size_t len;
	int r = co_store_blob_read(b->store, &desc->digest, DOC_MAX, &text, &len, err);
	if (!r)
		r = co_manifest_parse(&m, &b->arena, text, len, desc->media_type, err);
	if (r < 0)
		return r;
	r = co_store_blob_read(b->store, &m.config.digest, DOC_MAX, &config, &len, err);
	if (!r)
		r = co_config_parse(&base->config, &b->arena, config, len, err);
	if (!r && base->config.n_diff_ids != m.n_layers)
		r = co_fail(err, CO_E_INVALID, "%zu layers but %zu diff ids", m.n_layers,
			    base->config.n_diff_ids);
	base->name = co_arena_strdup(&b->arena, name);
	base->manifest = *desc;
	base->layers = m.layers;
	base->n_layers = m.n_layers;
	for (size_t i = 0; i < m.n_layers; i++)
		base->layers[i].annotations = NULL;
	base->manifest.annotations = NULL;
	co_manifest_release(&m);
	if (!r)
		*out = base;
	return r;
}

/* An index in the store: the entry for the platform. */
static int pick_platform(struct build *b, const struct co_platform *p, struct co_descriptor *desc,
			 struct co_err *err)
{
	if (!co_media_is_index(desc->media_type))
		return 0;
	auto_free char *text = NULL;
	size_t len;
	struct co_index ix;
	int r = co_store_blob_read(b->store, &desc->digest, DOC_MAX, &text, &len, err);
	if (!r)
		r = co_index_parse(&ix, &b->arena, text, len, desc->media_type, err);
	if (r < 0)
		return r;
	const struct co_descriptor *d = co_index_select(&ix, p);
	char name[128];
	if (d) {
		*desc = *d;
		desc->annotations = NULL;
	} else {
		r = co_fail(err, CO_E_NOT_FOUND, "no image for platform %s",
			    co_platform_str(p, name, sizeof(name)));
	}
	co_index_release(&ix);
	return r;
}

static int from_store(struct build *b, const char *name, const struct co_platform *p,
		      struct co_descriptor *desc, bool *found)
{
	struct co_store_image img;
	struct co_err err = CO_ERR_INIT;
	*found = false;
	if (b->o->pull || co_store_lookup(b->store, name, &img, &err) < 0)
		return 0;
	*desc = img.desc;
	desc->annotations = NULL;
	if (pick_platform(b, p, desc, &err) < 0)
		return 0;
	*found = co_store_has(b->store, &desc->digest, NULL);
	return 0;
}

static int from_layout(struct build *b, const char *spec, const struct co_platform *p,
		       const struct co_base **out, struct co_err *err)
{
	struct co_descriptor desc;
	const char *path = spec + strlen("oci-layout://");
	char *dir = co_arena_strdup(&b->arena, path);
	char *select = NULL;
	char *slash = strrchr(dir, '/');
	char *cut = strpbrk(slash ? slash : dir, ":@");
	if (cut) {
		select = cut + 1;
		*cut = '\0';
	}
	int r = co_layout_read_dir(b->store, dir, select, &desc, err);
	if (!r)
		r = pick_platform(b, p, &desc, err);
	return r ? r : load_base(b, spec, &desc, out, err);
}

int base_resolve(void *ctx, const char *image, const struct co_platform *platform,
		 const struct co_base **out, struct co_err *err)
{
	struct build *b = ctx;
	struct co_ref ref;
	struct co_descriptor desc = {0};
	char name[1024];
	bool found;
	if (co_starts(image, "oci-layout://"))
		return from_layout(b, image, platform, out, err);
	if (co_starts(image, "docker-image://"))
		image += strlen("docker-image://");
	int r = co_ref_parse(&ref, image, err);
	if (r < 0)
		return r;
	co_ref_str(&ref, name, sizeof(name));
	r = from_store(b, name, platform, &desc, &found);
	if (!r && !found)
		r = co_registry_resolve(b->registry, b->store, &ref, platform, &desc, err);
	/* an image that lies here may well have come from there: a mount that fails costs little */
	if (!r)
		*co_arena_push(&b->arena, b->mounts, b->n_mounts) = ref;
	return r ? r : load_base(b, name, &desc, out, err);
}
