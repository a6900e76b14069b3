/* SPDX-License-Identifier: MIT
 *
 * json.h — jansson with our rules: duplicate keys refused, depth bounded, numbers are 64-bit,
 * output deterministic. Struct-like documents keep insertion order; maps sort by bytes.
 */
#pragma once
#include <cooper/err.h>
#include <cooper/buf.h>
#include <jansson.h>
#include <stdint.h>

static inline void co_json_unref(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}
#define auto_json	 co_cleanup_json_ json_t *
#define co_cleanup_json_ __attribute__((cleanup(co_json_unref)))

/* Parses one whole document. `what` names it in errors. Refuses keys of one object that differ only
 * by case (Go readers match case-insensitively: two tools would read two documents). */
int co_json_parse(json_t **out, const char *text, size_t len, const char *what,
		  struct co_err *err) co_must_check;
/* Compact, insertion order, `<>&` and U+2028/9 escaped as Go's encoder does, so that digests equal
 * the other builders' where the content does. Appended to out. */
void co_json_write(struct co_buf *out, const json_t *j);
/* The same with two-space indentation. */
void co_json_write_pretty(struct co_buf *out, const json_t *j);
/* A copy of an object with its keys sorted by bytes. */
json_t *co_json_sorted(const json_t *object);
/* String member or NULL; integer member or fallback. */
const char *co_json_str(const json_t *object, const char *key);
int64_t co_json_int(const json_t *object, const char *key, int64_t fallback);
/* A string value; invalid UTF-8 bytes become U+FFFD as Go does. */
json_t *co_json_string(const char *s);
json_t *co_json_string_array(const char *const *list, size_t n);
struct co_event;
/* Adds what an attempt (event.h) says to an object, as docs/events.md has it. */
void co_json_attempt(json_t *object, const struct co_event *ev);
