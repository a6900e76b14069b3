/* SPDX-License-Identifier: MIT
 *
 * push_graph.c — everything an image in the store consists of, each digest once, children before
 * what names them.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <string.h>

#define MAX_BLOBS     100000
#define MAX_MANIFESTS 2000

static bool listed(const struct co_descriptor *list, size_t n, const struct co_digest *d)
{
	for (size_t i = 0; i < n; i++)
		if (co_digest_eq(&list[i].digest, d))
			return true;
	return false;
}

static int add_blob(struct graph *g, const struct co_descriptor *d, struct co_err *err)
{
	if (listed(g->blobs, g->n_blobs, &d->digest))
		return 0;
	if (g->n_blobs >= MAX_BLOBS)
		return co_fail(err, CO_E_LIMIT, "more than %d blobs", MAX_BLOBS);
	struct co_descriptor *to = co_arena_push(&g->arena, g->blobs, g->n_blobs);
	*to = *d;
	to->annotations = NULL;
	return 0;
}

static int visit(struct graph *g, struct co_store *s, const struct co_descriptor *d, unsigned depth,
		 struct co_err *err);

static int visit_index(struct graph *g, struct co_store *s, const char *json, size_t len,
		       const char *type, unsigned depth, struct co_err *err)
{
	struct co_index ix;
	int r = co_index_parse(&ix, &g->arena, json, len, type, err);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < ix.n; i++)
		r = visit(g, s, &ix.manifests[i], depth + 1, err);
	co_index_release(&ix);
	return r;
}

static int visit_manifest(struct graph *g, const char *json, size_t len, const char *type,
			  struct co_err *err)
{
	struct co_manifest m;
	int r = co_manifest_parse(&m, &g->arena, json, len, type, err);

	if (r < 0)
		return r;
	r = add_blob(g, &m.config, err);
	for (size_t i = 0; !r && i < m.n_layers; i++)
		r = add_blob(g, &m.layers[i], err);
	co_manifest_release(&m);
	return r;
}

static int visit(struct graph *g, struct co_store *s, const struct co_descriptor *d, unsigned depth,
		 struct co_err *err)
{
	auto_free char *json = NULL;
	char text[CO_DIGEST_TEXT], type[128];
	size_t len;

	if (listed(g->manifests, g->n_manifests, &d->digest))
		return 0;
	if (depth > REG_MAX_DEPTH)
		return co_fail(err, CO_E_LIMIT, "indexes nested deeper than %u", REG_MAX_DEPTH);
	if (g->n_manifests >= MAX_MANIFESTS)
		return co_fail(err, CO_E_LIMIT, "more than %d manifests", MAX_MANIFESTS);
	int r = co_store_blob_read(s, &d->digest, REG_MAX_MANIFEST, &json, &len, err);
	if (!r)
		r = manifest_type(d->media_type, json, len, type, sizeof(type), err);
	if (!r)
		r = co_media_is_index(type) ? visit_index(g, s, json, len, type, depth, err)
					    : visit_manifest(g, json, len, type, err);
	if (r < 0)
		return depth ? r : co_wrap(err, "%s", co_digest_str(&d->digest, text));
	struct co_descriptor *to = co_arena_push(&g->arena, g->manifests, g->n_manifests);
	*to = *d;
	to->annotations = NULL;
	to->size = (int64_t)len;
	memcpy(to->media_type, type, sizeof(to->media_type));
	return 0;
}

int graph_load(struct graph *g, struct co_store *s, const struct co_descriptor *root,
	       struct co_err *err)
{
	return visit(g, s, root, 0, err);
}

void graph_release(struct graph *g)
{
	co_arena_release(&g->arena);
	memset(g, 0, sizeof(*g));
}
