/* SPDX-License-Identifier: MIT */
#include "oci-internal.h"
#include <string.h>

bool co_media_is_manifest(const char *media_type)
{
	return !strcmp(media_type, CO_MT_OCI_MANIFEST) ||
	       !strcmp(media_type, CO_MT_DOCKER_MANIFEST);
}

static int parse_members(struct co_manifest *m, struct co_arena *a, const json_t *doc,
			 struct co_err *err)
{
	static const char what[] = "manifest";
	/* a second reading of the same bytes (CVE-2021-41190) */
	if (oci_has_key(doc, "manifests"))
		return co_fail(err, CO_E_INVALID, "%s: it claims to be an index as well", what);
	if (!json_object_get(doc, "config"))
		return co_fail(err, CO_E_INVALID, "%s: config is missing", what);
	const json_t *subject, *annotations;
	int r = oci_descriptor_parse(&m->config, json_object_get(doc, "config"), what, err);
	if (!r)
		r = oci_descriptors_parse(&m->layers, &m->n_layers, a, doc, "layers", what, err);
	if (!r)
		r = oci_get_string(&m->artifact_type, a, doc, "artifactType", what, err);
	if (!r)
		r = oci_get_typed(&subject, doc, "subject", JSON_OBJECT, what, err);
	if (!r)
		r = oci_get_typed(&annotations, doc, "annotations", JSON_OBJECT, what, err);
	if (r < 0)
		return r;
	m->annotations = (json_t *)annotations;
	m->has_subject = subject != NULL;
	return subject ? oci_descriptor_parse(&m->subject, subject, what, err) : 0;
}

int co_manifest_parse(struct co_manifest *out, struct co_arena *a, const char *json, size_t len,
		      const char *content_type, struct co_err *err)
{
	struct co_manifest m = {0};
	auto_json doc = NULL;
	int r = oci_document_parse(&doc, &m.media_type, a, json, len, content_type,
				   co_media_is_manifest, CO_MT_OCI_MANIFEST, "manifest", err);
	if (!r)
		r = parse_members(&m, a, doc, err);
	if (r < 0)
		return r;
	m.doc = co_steal(&doc);
	*out = m;
	return 0;
}

void co_manifest_write(struct co_buf *out, const struct co_manifest *m)
{
	auto_json j = json_object();
	json_object_set_new(j, "schemaVersion", json_integer(2));
	oci_set_string(j, "mediaType", m->media_type ? m->media_type : CO_MT_OCI_MANIFEST);
	if (m->artifact_type)
		oci_set_string(j, "artifactType", m->artifact_type);
	json_object_set_new(j, "config", oci_descriptor_json(&m->config));
	json_object_set_new(j, "layers", oci_descriptors_json(m->layers, m->n_layers));
	if (m->has_subject)
		json_object_set_new(j, "subject", oci_descriptor_json(&m->subject));
	if (json_object_size(m->annotations))
		json_object_set_new(j, "annotations", co_json_sorted(m->annotations));
	co_json_write_pretty(out, j);
}

void co_manifest_release(struct co_manifest *m)
{
	co_json_unref(&m->doc);
	m->annotations = NULL;
}
