/* SPDX-License-Identifier: MIT */
#include <cooper/arena.h>
#include <cooper/json.h>
#include <cooper/str.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHECK_DEPTH 256

static int by_fold(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two keys of one object that differ only by case; NULL if none. */
static const char *case_twin(const json_t *object)
{
	size_t n = json_object_size(object), i = 0;
	if (n < 2)
		return NULL;
	auto_free const char **keys = co_xcalloc(n, sizeof(*keys));
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)object, key, value) keys[i++] = key;
	qsort(keys, n, sizeof(*keys), by_fold);
	for (i = 1; i < n; i++)
		if (!strcasecmp(keys[i - 1], keys[i]))
			return keys[i];
	return NULL;
}

/* User data (labels, annotations) may hold any keys; structure may not. Only the levels that
 * carry structure are checked: maps of plain strings are data. */
static bool is_string_map(const json_t *object)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)object, key, value) if (!json_is_string(value)) return false;
	return true;
}

static int check_keys(const json_t *j, const char *what, unsigned depth, struct co_err *err)
{
	if (depth > MAX_CHECK_DEPTH)
		return co_fail(err, CO_E_INVALID, "%s: JSON nested too deeply", what);
	if (json_is_object(j)) {
		const char *key = is_string_map(j) ? NULL : case_twin(j);
		if (key)
			return co_fail(err, CO_E_INVALID,
				       "%s: key \"%.60s\" occurs twice with different case", what,
				       key);
		json_t *value;
		json_object_foreach((json_t *)j, key, value)
		{
			int r = check_keys(value, what, depth + 1, err);
			if (r < 0)
				return r;
		}
	} else if (json_is_array(j)) {
		for (size_t i = 0; i < json_array_size(j); i++) {
			int r = check_keys(json_array_get(j, i), what, depth + 1, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int co_json_parse(json_t **out, const char *text, size_t len, const char *what, struct co_err *err)
{
	json_error_t e;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	if (!j)
		return co_fail(err, CO_E_INVALID, "%s: not valid JSON (line %d, column %d): %s",
			       what, e.line, e.column, e.text);
	int r = check_keys(j, what, 0, err);
	if (r < 0) {
		json_decref(j);
		return r;
	}
	*out = j;
	return 0;
}

/* Go's encoder escapes these too, so that JSON may stand in HTML. */
static void write_string(struct co_buf *out, const char *s, size_t len)
{
	co_buf_addc(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\')
			co_buf_addf(out, "\\%c", c);
		else if (c == '\n')
			co_buf_adds(out, "\\n");
		else if (c == '\r')
			co_buf_adds(out, "\\r");
		else if (c == '\t')
			co_buf_adds(out, "\\t");
		else if (c == '\b')
			co_buf_adds(out, "\\b");
		else if (c == '\f')
			co_buf_adds(out, "\\f");
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			co_buf_addf(out, "\\u%04x", c);
		else if (c == 0xe2 && i + 2 < len && (unsigned char)s[i + 1] == 0x80 &&
			 ((unsigned char)s[i + 2] & 0xfe) == 0xa8)
			co_buf_addf(out, "\\u202%c", (unsigned char)s[i += 2] == 0xa8 ? '8' : '9');
		else
			co_buf_addc(out, (char)c);
	}
	co_buf_addc(out, '"');
}

/* indent < 0: compact. */
static void new_line(struct co_buf *out, int indent)
{
	if (indent < 0)
		return;
	co_buf_addc(out, '\n');
	for (int i = 0; i < indent; i++)
		co_buf_adds(out, "  ");
}

static void write_value(struct co_buf *out, const json_t *j, int indent)
{
	int inner = indent < 0 ? -1 : indent + 1;
	const char *key;
	json_t *value;
	size_t i = 0;
	if (json_is_string(j)) {
		write_string(out, json_string_value(j), json_string_length(j));
	} else if (json_is_object(j)) {
		co_buf_addc(out, '{');
		json_object_foreach((json_t *)j, key, value)
		{
			if (i++)
				co_buf_addc(out, ',');
			new_line(out, inner);
			write_string(out, key, strlen(key));
			co_buf_adds(out, indent < 0 ? ":" : ": ");
			write_value(out, value, inner);
		}
		if (i)
			new_line(out, indent);
		co_buf_addc(out, '}');
	} else if (json_is_array(j)) {
		co_buf_addc(out, '[');
		for (i = 0; i < json_array_size(j); i++) {
			if (i)
				co_buf_addc(out, ',');
			new_line(out, inner);
			write_value(out, json_array_get(j, i), inner);
		}
		if (i)
			new_line(out, indent);
		co_buf_addc(out, ']');
	} else {
		auto_free char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);
		co_buf_adds(out, text ? text : "null");
	}
}

void co_json_write(struct co_buf *out, const json_t *j)
{
	write_value(out, j, -1);
}

void co_json_write_pretty(struct co_buf *out, const json_t *j)
{
	write_value(out, j, 0);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *co_json_sorted(const json_t *object)
{
	size_t n = json_object_size(object), i = 0;
	auto_free const char **keys = co_xcalloc(n + 1, sizeof(*keys));
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)object, key, value) keys[i++] = key;
	qsort(keys, n, sizeof(*keys), by_bytes);
	json_t *out = json_object();
	for (i = 0; i < n; i++)
		json_object_set(out, keys[i], json_object_get(object, keys[i]));
	return out;
}

const char *co_json_str(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t co_json_int(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(object, key);
	return json_is_integer(v) ? (int64_t)json_integer_value(v) : fallback;
}

json_t *co_json_string(const char *s)
{
	size_t len = strlen(s);
	if (co_utf8_valid(s, len))
		return json_stringn(s, len);
	auto_buf b = CO_BUF_INIT(len * 3 + 8);
	for (size_t i = 0; i < len;) {
		size_t n = 1;
		while (n <= 4 && i + n <= len && !co_utf8_valid(s + i, n))
			n++;
		if (n <= 4 && i + n <= len) {
			co_buf_add(&b, s + i, n);
			i += n;
		} else {
			co_buf_adds(&b, "\xef\xbf\xbd");
			i++;
		}
	}
	return json_stringn(co_buf_str(&b), b.len);
}

json_t *co_json_string_array(const char *const *list, size_t n)
{
	json_t *a = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, co_json_string(list[i]));
	return a;
}
