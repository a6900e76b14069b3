/* SPDX-License-Identifier: MIT
 *
 * members.c — typed access to the members of documents that come from outside.
 */
#include "oci-internal.h"
#include <cooper/str.h>
#include <string.h>

/* A string that C can hold: NUL inside would make two readers see two texts. */
static bool plain_string(const json_t *j)
{
	return json_is_string(j) && strlen(json_string_value(j)) == json_string_length(j);
}

int oci_get_string(const char **out, struct co_arena *a, const json_t *object, const char *key,
		   const char *what, struct co_err *err)
{
	const json_t *j = json_object_get(object, key);
	if (!j || json_is_null(j)) {
		*out = NULL;
		return 0;
	}
	if (!plain_string(j))
		return co_fail(err, CO_E_INVALID, "%s: %s is not a plain string", what, key);
	*out = co_arena_strdup(a, json_string_value(j));
	return 0;
}

int oci_get_int(int64_t *out, const json_t *object, const char *key, const char *what,
		struct co_err *err)
{
	const json_t *j = json_object_get(object, key);
	if (j && !json_is_null(j) && !json_is_integer(j))
		return co_fail(err, CO_E_INVALID, "%s: %s is not a whole number", what, key);
	*out = json_is_integer(j) ? (int64_t)json_integer_value(j) : 0;
	return 0;
}

int oci_get_typed(const json_t **out, const json_t *object, const char *key, json_type type,
		  const char *what, struct co_err *err)
{
	const json_t *j = json_object_get(object, key);
	if (j && !json_is_null(j) && json_typeof(j) != type)
		return co_fail(err, CO_E_INVALID, "%s: %s is not %s", what, key,
			       type == JSON_OBJECT  ? "an object"
			       : type == JSON_ARRAY ? "a list"
						    : "of the right type");
	*out = json_is_null(j) ? NULL : j;
	return 0;
}

bool oci_has_key(const json_t *object, const char *key)
{
	const char *k;
	json_t *v;
	json_object_foreach((json_t *)object, k, v)
	{
		if (co_ieq(k, key))
			return true;
	}
	return false;
}

bool oci_copy_text(char *out, size_t size, const json_t *string)
{
	if (!string || json_is_null(string)) {
		*out = '\0';
		return true;
	}
	if (!plain_string(string) || json_string_length(string) >= size)
		return false;
	memcpy(out, json_string_value(string), json_string_length(string) + 1);
	return true;
}

void oci_set_string(json_t *object, const char *key, const char *value)
{
	auto_json k = co_json_string(key);
	json_object_set_new(object, json_string_value(k), co_json_string(value));
}
