/* SPDX-License-Identifier: MIT
 *
 * descriptor.c — descriptors, and what manifests and indexes have in common.
 * Rules: OCI image-spec descriptor.md; one body, one meaning (CVE-2021-41190).
 */
#include "oci-internal.h"
#include <cooper/str.h>
#include <string.h>

static bool media_type_ok(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!co_is_alnum(*s) && !strchr("/.+-_!#$&^", *s))
			return false;
	return true;
}

static bool parse_platform(struct co_platform *out, const json_t *j)
{
	return oci_copy_text(out->os, sizeof(out->os), json_object_get(j, "os")) &&
	       oci_copy_text(out->arch, sizeof(out->arch), json_object_get(j, "architecture")) &&
	       oci_copy_text(out->variant, sizeof(out->variant), json_object_get(j, "variant"));
}

static bool is_string_map(const json_t *j)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)j, key, value)
	{
		if (!json_is_string(value))
			return false;
	}
	return true;
}

int oci_descriptor_parse(struct co_descriptor *out, const json_t *j, const char *what,
			 struct co_err *err)
{
	struct co_descriptor d = {0};
	const json_t *platform, *annotations;
	const char *digest = co_json_str(j, "digest");
	const json_t *size = json_object_get(j, "size");
	if (!json_is_object(j))
		return co_fail(err, CO_E_INVALID, "%s: a descriptor is not an object", what);
	if (!oci_copy_text(d.media_type, sizeof(d.media_type), json_object_get(j, "mediaType")) ||
	    !media_type_ok(d.media_type))
		return co_fail(err, CO_E_INVALID, "%s: a descriptor without a valid mediaType",
			       what);
	if (!digest)
		return co_fail(err, CO_E_INVALID, "%s: a descriptor without a digest", what);
	if (co_digest_parse(&d.digest, digest, err) < 0)
		return co_wrap(err, "%s", what);
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return co_fail(err, CO_E_INVALID, "%s: a descriptor without a valid size", what);
	d.size = (int64_t)json_integer_value(size);
	int r = oci_get_typed(&platform, j, "platform", JSON_OBJECT, what, err);
	if (!r)
		r = oci_get_typed(&annotations, j, "annotations", JSON_OBJECT, what, err);
	if (r < 0)
		return r;
	if (platform && !parse_platform(&d.platform, platform))
		return co_fail(err, CO_E_INVALID, "%s: a descriptor with an invalid platform",
			       what);
	if (annotations && !is_string_map(annotations))
		return co_fail(err, CO_E_INVALID, "%s: an annotation that is not a string", what);
	d.annotations = (json_t *)annotations;
	*out = d;
	return 0;
}

int oci_descriptors_parse(struct co_descriptor **out, size_t *n, struct co_arena *a,
			  const json_t *object, const char *key, const char *what,
			  struct co_err *err)
{
	struct co_descriptor *list = NULL;
	size_t count = 0;
	const json_t *array;
	if (!json_object_get(object, key))
		return co_fail(err, CO_E_INVALID, "%s: %s is missing", what, key);
	int r = oci_get_typed(&array, object, key, JSON_ARRAY, what, err);
	for (size_t i = 0; !r && i < json_array_size(array); i++)
		r = oci_descriptor_parse(co_arena_push(a, list, count), json_array_get(array, i),
					 what, err);
	if (r < 0)
		return r;
	*out = list;
	*n = count;
	return 0;
}

static json_t *platform_json(const struct co_platform *p)
{
	json_t *j = json_object();
	oci_set_string(j, "architecture", p->arch);
	oci_set_string(j, "os", p->os);
	if (p->variant[0])
		oci_set_string(j, "variant", p->variant);
	return j;
}

json_t *oci_descriptor_json(const struct co_descriptor *d)
{
	char text[CO_DIGEST_TEXT];
	json_t *j = json_object();
	oci_set_string(j, "mediaType", d->media_type);
	oci_set_string(j, "digest", co_digest_str(&d->digest, text));
	json_object_set_new(j, "size", json_integer(d->size));
	if (json_object_size(d->annotations))
		json_object_set_new(j, "annotations", co_json_sorted(d->annotations));
	if (d->platform.os[0])
		json_object_set_new(j, "platform", platform_json(&d->platform));
	return j;
}

json_t *oci_descriptors_json(const struct co_descriptor *list, size_t n)
{
	json_t *array = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, oci_descriptor_json(&list[i]));
	return array;
}

/* "Application/X; charset=utf-8" → "application/x", in the arena. */
static const char *bare_type(struct co_arena *a, const char *content_type)
{
	size_t n = strcspn(content_type, ";, \t\r\n");
	char *s = co_arena_strndup(a, content_type, n);
	for (char *p = s; *p; p++)
		*p = co_lower(*p);
	return s;
}

static int check_version(const json_t *doc, const char *what, struct co_err *err)
{
	int64_t version;
	if (!json_is_object(doc))
		return co_fail(err, CO_E_INVALID, "%s: not a JSON object", what);
	if (oci_get_int(&version, doc, "schemaVersion", what, err) < 0)
		return err->code;
	if (version == 1) {
		co_fail(err, CO_E_UNSUPPORTED, "%s: schema 1 images are no longer in use", what);
		return co_hint(err, "pull and push the image with a current tool to convert it");
	}
	if (version != 2)
		return co_fail(err, CO_E_INVALID, "%s: schemaVersion is not 2", what);
	return 0;
}

int oci_document_parse(json_t **out, const char **media_type, struct co_arena *a, const char *json,
		       size_t len, const char *content_type, bool (*is_kind)(const char *),
		       const char *fallback, const char *what, struct co_err *err)
{
	auto_json doc = NULL;
	const char *body;
	const char *given = content_type && *content_type ? bare_type(a, content_type) : NULL;
	if (len > OCI_DOC_MAX)
		return co_fail(err, CO_E_LIMIT, "%s: more than %u bytes", what, OCI_DOC_MAX);
	int r = co_json_parse(&doc, json, len, what, err);
	if (!r)
		r = check_version(doc, what, err);
	if (!r)
		r = oci_get_string(&body, a, doc, "mediaType", what, err);
	if (r < 0)
		return r;
	body = body && !*body ? NULL : body;
	if (body && given && strcmp(body, given))
		return co_fail(err, CO_E_INVALID, "%s: its type is %.100s but it came as %.100s",
			       what, body, given);
	const char *type = body ? body : given ? given : fallback;
	if (!is_kind(type))
		return co_fail(err, CO_E_INVALID, "%s: unexpected type %.100s", what, type);
	*media_type = type;
	*out = co_steal(&doc);
	return 0;
}
