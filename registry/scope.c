/* SPDX-License-Identifier: MIT
 *
 * scope.c — lists of token scopes "repository:name:pull,push". One resource stands once; the first
 * one stays first, because some registries honour only that.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <string.h>

/* Splits "type:name:actions"; names may hold ":" (a port), actions do not. */
static bool split(const char *scope, size_t n, size_t *name_end)
{
	for (size_t i = n; i > 0; i--)
		if (scope[i - 1] == ':') {
			*name_end = i - 1;
			return memchr(scope, ':', i - 1) != NULL;
		}
	return false;
}

static bool has_action(const char *list, size_t n, const char *action, size_t len)
{
	for (size_t at = 0; at < n;) {
		const char *comma = memchr(list + at, ',', n - at);
		size_t end = comma ? (size_t)(comma - list) : n;

		if ((end - at == len && !memcmp(list + at, action, len)) ||
		    (end - at == 1 && list[at] == '*'))
			return true;
		at = end + 1;
	}
	return false;
}

/* The entry for the same resource in the list, NULL if none. */
static const char *find(const char *list, const char *scope, size_t name_end, size_t *len)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " "), end;

		if (n && split(p, n, &end) && end == name_end && !memcmp(p, scope, end)) {
			*len = n;
			return p;
		}
		p += n;
		p += strspn(p, " ");
	}
	return NULL;
}

static void missing_actions(const char *have, size_t have_len, const char *want, size_t want_len,
			    struct co_buf *out)
{
	for (size_t at = 0; at < want_len;) {
		const char *comma = memchr(want + at, ',', want_len - at);
		size_t end = comma ? (size_t)(comma - want) : want_len;

		if (end > at && !has_action(have, have_len, want + at, end - at)) {
			co_buf_addc(out, ',');
			co_buf_add(out, want + at, end - at);
		}
		at = end + 1;
	}
}

static bool add_one(struct co_buf *list, const char *scope, size_t n)
{
	size_t end, len;

	if (!split(scope, n, &end))
		return false;
	const char *old = find(co_buf_str(list), scope, end, &len);
	if (!old) {
		if (list->len)
			co_buf_addc(list, ' ');
		co_buf_add(list, scope, n);
		return true;
	}
	auto_buf more = CO_BUF_INIT(CO_BUF_SMALL);
	missing_actions(old + end + 1, len - end - 1, scope + end + 1, n - end - 1, &more);
	if (!more.len)
		return false;
	auto_buf whole = CO_BUF_INIT(list->max);
	size_t at = (size_t)(old - list->data) + len;
	co_buf_add(&whole, list->data, at);
	co_buf_add(&whole, more.data, more.len);
	co_buf_add(&whole, list->data + at, list->len - at);
	co_buf_clear(list);
	co_buf_add(list, whole.data, whole.len);
	return true;
}

bool scope_add(struct co_buf *list, const char *scope)
{
	bool changed = false;

	for (const char *p = scope; *p;) {
		size_t n = strcspn(p, " ");

		if (n)
			changed |= add_one(list, p, n);
		p += n;
		p += strspn(p, " ");
	}
	return changed;
}

bool scope_covers(const char *list, const char *wanted)
{
	auto_buf copy = CO_BUF_INIT(CO_BUF_SMALL);

	co_buf_adds(&copy, list);
	return !scope_add(&copy, wanted);
}
