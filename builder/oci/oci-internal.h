/* SPDX-License-Identifier: MIT
 *
 * oci-internal.h — shared by the files of the oci module.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/image.h>
#include <cooper/json.h>
#include <stdbool.h>
#include <stddef.h>

#define OCI_DOC_MAX (4u << 20) /* manifests, indexes, configs */

/* ---- json: members of untrusted documents. `what` names the document in errors. ---- */

/* A string without NUL inside, copied to the arena; NULL when absent or null. */
int oci_get_string(const char **out, struct co_arena *a, const json_t *object, const char *key,
		   const char *what, struct co_err *err);
/* A whole number; 0 when absent or null. */
int oci_get_int(int64_t *out, const json_t *object, const char *key, const char *what,
		struct co_err *err);
/* A member of the given type, NULL when absent or null. */
int oci_get_typed(const json_t **out, const json_t *object, const char *key, json_type type,
		  const char *what, struct co_err *err);
/* Does the object have this key, in whatever case? Go reads keys that way. */
bool oci_has_key(const json_t *object, const char *key);
/* A bounded copy: false when it does not fit or is not a plain string. NULL gives "". */
bool oci_copy_text(char *out, size_t size, const json_t *string);
/* Sets a string member whose key may be any bytes. */
void oci_set_string(json_t *object, const char *key, const char *value);

/* ---- descriptor.c ---- */
int oci_descriptor_parse(struct co_descriptor *out, const json_t *j, const char *what,
			 struct co_err *err);
int oci_descriptors_parse(struct co_descriptor **out, size_t *n, struct co_arena *a,
			  const json_t *object, const char *key, const char *what,
			  struct co_err *err);
json_t *oci_descriptor_json(const struct co_descriptor *d);
json_t *oci_descriptors_json(const struct co_descriptor *list, size_t n);
/* Size, syntax, schemaVersion and type of a manifest or an index. is_kind tells whether a media
 * type fits; fallback is the type when neither body nor content_type names one. */
int oci_document_parse(json_t **out, const char **media_type, struct co_arena *a, const char *json,
		       size_t len, const char *content_type, bool (*is_kind)(const char *),
		       const char *fallback, const char *what, struct co_err *err);

/* ---- platform.c ---- */
void oci_platform_normalise(struct co_platform *p);
/* How well have serves want: 0 not at all, higher is better. */
unsigned oci_platform_rank(const struct co_platform *have, const struct co_platform *want);

/* ---- index.c ---- */
/* An image or an index of images, as opposed to attestations and other artifacts. */
bool oci_is_image(const struct co_descriptor *d);
