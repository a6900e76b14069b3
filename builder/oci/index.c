/* SPDX-License-Identifier: MIT */
#include "oci-internal.h"
#include <string.h>

bool co_media_is_index(const char *media_type)
{
	return !strcmp(media_type, CO_MT_OCI_INDEX) || !strcmp(media_type, CO_MT_DOCKER_LIST);
}

int co_index_parse(struct co_index *out, struct co_arena *a, const char *json, size_t len,
		   const char *content_type, struct co_err *err)
{
	static const char what[] = "index";
	struct co_index ix = {0};
	auto_json doc = NULL;
	const json_t *annotations;
	int r = oci_document_parse(&doc, &ix.media_type, a, json, len, content_type,
				   co_media_is_index, CO_MT_OCI_INDEX, what, err);
	if (r < 0)
		return r;
	/* a second reading of the same bytes (CVE-2021-41190) */
	if (oci_has_key(doc, "layers") || oci_has_key(doc, "config"))
		return co_fail(err, CO_E_INVALID, "%s: it claims to be a manifest as well", what);
	r = oci_descriptors_parse(&ix.manifests, &ix.n, a, doc, "manifests", what, err);
	if (!r)
		r = oci_get_typed(&annotations, doc, "annotations", JSON_OBJECT, what, err);
	if (r < 0)
		return r;
	ix.annotations = (json_t *)annotations;
	ix.doc = co_steal(&doc);
	*out = ix;
	return 0;
}

void co_index_write(struct co_buf *out, const struct co_index *ix)
{
	auto_json j = json_object();
	json_object_set_new(j, "schemaVersion", json_integer(2));
	oci_set_string(j, "mediaType", ix->media_type ? ix->media_type : CO_MT_OCI_INDEX);
	json_object_set_new(j, "manifests", oci_descriptors_json(ix->manifests, ix->n));
	if (json_object_size(ix->annotations))
		json_object_set_new(j, "annotations", co_json_sorted(ix->annotations));
	co_json_write_pretty(out, j);
}

void co_index_release(struct co_index *ix)
{
	co_json_unref(&ix->doc);
	ix->annotations = NULL;
}

/* What stands beside the images: signatures and provenance in BuildKit's form, and other
 * artifacts. */
bool oci_is_image(const struct co_descriptor *d)
{
	return !json_object_get(d->annotations, "vnd.docker.reference.type") &&
	       strcmp(d->platform.os, "unknown") && strcmp(d->platform.arch, "unknown") &&
	       (co_media_is_manifest(d->media_type) || co_media_is_index(d->media_type));
}

const struct co_descriptor *co_index_select(const struct co_index *ix,
					    const struct co_platform *want)
{
	const struct co_descriptor *best = NULL, *nameless = NULL;
	unsigned best_rank = 0;
	size_t images = 0;
	for (size_t i = 0; i < ix->n; i++) {
		const struct co_descriptor *d = &ix->manifests[i];
		if (!oci_is_image(d))
			continue;
		images++;
		if (!d->platform.os[0]) {
			nameless = d;
			continue;
		}
		unsigned rank = oci_platform_rank(&d->platform, want);
		if (rank > best_rank) {
			best_rank = rank;
			best = d;
		}
	}
	return best || images > 1 ? best : nameless;
}
