/* SPDX-License-Identifier: MIT
 *
 * refname.c — the grammar of image names (distribution reference), without the meaning: enough to
 * tell that a default leads nowhere.
 */
#include "lint-internal.h"

#define MAX_NAME 255

static bool is_low(char c)
{
	return co_is_digit(c) || (c >= 'a' && c <= 'z');
}

/* "." "_" "__" or dashes between runs of small letters and digits. */
static bool path_component(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n) {
		if (!is_low(s[i]))
			return false;
		while (i < n && is_low(s[i]))
			i++;
		if (i == n)
			return true;
		size_t start = i;
		while (i < n && s[i] == s[start] && strchr("._-", s[i]))
			i++;
		size_t most = s[start] == '.' ? 1 : s[start] == '_' ? 2 : s[start] == '-' ? n : 0;
		if (i == start || i - start > most)
			return false;
	}
	return false;
}

static bool valid_path(const char *s, size_t n)
{
	for (;;) {
		const char *slash = memchr(s, '/', n);
		size_t len = slash ? (size_t)(slash - s) : n;
		if (!path_component(s, len))
			return false;
		if (!slash)
			return true;
		s += len + 1;
		n -= len + 1;
	}
}

static bool host_label(const char *s, size_t n)
{
	if (!n || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!co_is_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

static bool valid_host(const char *s, size_t n)
{
	const char *colon = memrchr(s, ':', n);
	if (n && s[0] == '[') {
		const char *end = memchr(s, ']', n);
		size_t len = end ? (size_t)(end - s) + 1 : 0;
		if (len < 4 || (len < n && s[len] != ':'))
			return false;
		for (size_t i = 1; i + 1 < len; i++)
			if (!strchr("0123456789abcdefABCDEF:", s[i]))
				return false;
		colon = len < n ? s + len : NULL;
	}
	size_t len = colon ? (size_t)(colon - s) : n;
	for (size_t i = len + 1; colon && i <= n; i++)
		if (i == n ? n == len + 1 : !co_is_digit(s[i]))
			return false;
	if (s[0] == '[')
		return true;
	while (len) {
		const char *dot = memchr(s, '.', len);
		size_t label = dot ? (size_t)(dot - s) : len;
		if (!host_label(s, label) || (dot && label + 1 == len))
			return false;
		s += dot ? label + 1 : label;
		len -= dot ? label + 1 : label;
	}
	return true;
}

static bool valid_tag(const char *s, size_t n)
{
	if (!n || n > 128 || s[0] == '.' || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!co_is_alnum(s[i]) && !strchr("_.-", s[i]))
			return false;
	return true;
}

static bool valid_digest(const char *s)
{
	static const struct {
		const char *name;
		size_t len;
	} algorithms[] = {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}};
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (!co_starts(s, algorithms[i].name))
			continue;
		s += strlen(algorithms[i].name);
		return strlen(s) == algorithms[i].len &&
		       strspn(s, "0123456789abcdef") == algorithms[i].len;
	}
	return false;
}

/* Is what stands before the first slash a registry? */
static bool is_host(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] == '.' || s[i] == ':' || (s[i] >= 'A' && s[i] <= 'Z'))
			return true;
	return n == 9 && !memcmp(s, "localhost", n);
}

bool refname_valid(struct co_arena *a, const char *text)
{
	size_t n = strlen(text);
	if (n == 64 && strspn(text, "0123456789abcdef") == n)
		return false;
	const char *at = strchr(text, '@');
	if (at && !valid_digest(at + 1))
		return false;
	const char *rest = co_arena_strndup(a, text, at ? (size_t)(at - text) : n);
	const char *slash = strchr(rest, '/');
	size_t host = slash ? (size_t)(slash - rest) : 0;
	if (host && is_host(rest, host)) {
		if (!valid_host(rest, host))
			return false;
		rest = slash + 1;
	} else {
		host = strlen("docker.io");
	}
	const char *colon = strchr(rest, ':');
	size_t len = colon ? (size_t)(colon - rest) : strlen(rest);
	if (colon && !valid_tag(colon + 1, strlen(colon + 1)))
		return false;
	return host + len < MAX_NAME && valid_path(rest, len);
}
