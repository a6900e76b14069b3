/* SPDX-License-Identifier: MIT
 *
 * referrers.c — a registry that does not index `subject` itself (no OCI-Subject in its answer) gets
 * the list of referrers as an index under the tag <alg>-<hex> (distribution-spec v1.1, "Pushing
 * Manifests with Subject"). Two writers may race: what was written is read again.
 */
#include "registry-internal.h"
#include <cooper/json.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define TRIES 4

static int tag_of(json_t *manifest, const struct co_ref *repo, struct co_ref *out,
		  struct co_err *err)
{
	struct co_digest d;
	char hex[CO_DIGEST_TEXT];
	const char *text = co_json_str(json_object_get(manifest, "subject"), "digest");
	int r = co_digest_parse(&d, text ? text : "", err);

	if (r < 0)
		return co_wrap(err, "subject");
	*out = *repo;
	out->digest.set = false;
	snprintf(out->tag, sizeof(out->tag), "%s-%.64s", d.alg == CO_SHA256 ? "sha256" : "sha512",
		 co_digest_hex(&d, hex));
	return 0;
}

static json_t *entry_of(json_t *manifest, const void *data, size_t len, const char *media_type)
{
	struct co_digest d;
	char text[CO_DIGEST_TEXT];
	const char *type = co_json_str(manifest, "artifactType");
	json_t *e = json_object(), *notes = json_object_get(manifest, "annotations");

	co_digest_of(&d, data, len);
	if (!type)
		type = co_json_str(json_object_get(manifest, "config"), "mediaType");
	json_object_set_new(e, "mediaType", co_json_string(media_type));
	json_object_set_new(e, "digest", json_string(co_digest_str(&d, text)));
	json_object_set_new(e, "size", json_integer((json_int_t)len));
	if (type)
		json_object_set_new(e, "artifactType", co_json_string(type));
	if (json_object_size(notes))
		json_object_set(e, "annotations", notes);
	return e;
}

/* The list as it is; an empty one when there is none. */
static int load(struct co_registry *r, const struct co_ref *tag, json_t **out, struct co_err *err)
{
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);
	struct co_descriptor d;
	int e = manifest_get(r, tag, &b, &d, err);

	if (e == CO_E_NOT_FOUND) {
		co_err_clear(err);
		*out = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType",
				 CO_MT_OCI_INDEX, "manifests");
		return 0;
	}
	if (e < 0)
		return e;
	if (!co_media_is_index(d.media_type))
		return co_fail(err, CO_E_INVALID, "the referrers tag %s is not an index", tag->tag);
	return co_json_parse(out, co_buf_str(&b), b.len, "referrers", err);
}

static bool has(json_t *index, json_t *entry)
{
	json_t *list = json_object_get(index, "manifests");
	const char *want = co_json_str(entry, "digest");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *d = co_json_str(json_array_get(list, i), "digest");

		if (d && !strcmp(d, want))
			return true;
	}
	return false;
}

int referrers_add(struct co_registry *r, const struct co_ref *repo, const void *data, size_t len,
		  const char *media_type, struct co_err *err)
{
	auto_json manifest = NULL;
	struct co_ref tag;
	int e = co_json_parse(&manifest, data, len, "manifest", err);

	if (!e)
		e = tag_of(manifest, repo, &tag, err);
	if (e < 0)
		return e;
	auto_json entry = entry_of(manifest, data, len, media_type);
	for (unsigned i = 0; i < TRIES; i++) {
		auto_json index = NULL;
		auto_buf text = CO_BUF_INIT(REG_MAX_MANIFEST);

		e = load(r, &tag, &index, err);
		if (e < 0)
			return co_wrap(err, "referrers");
		if (has(index, entry))
			return 0;
		json_array_append(json_object_get(index, "manifests"), entry);
		co_json_write_pretty(&text, index);
		if (text.overflow)
			return co_fail(err, CO_E_LIMIT, "the list of referrers is full (4 MiB)");
		e = manifest_put(r, &tag, NULL, text.data, text.len, CO_MT_OCI_INDEX, err);
		if (e < 0)
			return co_wrap(err, "referrers");
	}
	return co_fail(err, CO_E_REGISTRY, "referrers: somebody else keeps overwriting tag %s",
		       tag.tag);
}
