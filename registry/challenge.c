/* SPDX-License-Identifier: MIT
 *
 * challenge.c — WWW-Authenticate (RFC 9110, 11.6.1): several challenges in one header or in
 * several, quoted strings with escapes, commas inside quotes, tokens without quotes.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

static bool is_token(char c)
{
	return co_is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~/:", c));
}

static const char *blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static const char *read_token(const char *p, char *out, size_t len, bool *fits)
{
	size_t n = 0;

	while (is_token(p[n]))
		n++;
	*fits = n < len;
	snprintf(out, len, "%.*s", (int)n, p);
	return p + n;
}

/* A token or a quoted string; NULL when the quote does not end. */
static const char *read_value(const char *p, char *out, size_t len, bool *fits)
{
	size_t n = 0;

	if (*p != '"')
		return read_token(p, out, len, fits);
	*fits = true;
	for (p++; *p && *p != '"' && *p != '\n'; p++) {
		if (*p == '\\' && p[1])
			p++;
		if (n + 1 < len)
			out[n++] = *p;
		else
			*fits = false;
	}
	out[n] = '\0';
	return *p == '"' ? p + 1 : NULL;
}

static void keep(struct challenge *c, const char *name, const char *value)
{
	if (co_ieq(name, "realm"))
		snprintf(c->realm, sizeof(c->realm), "%s", value);
	else if (co_ieq(name, "service"))
		snprintf(c->service, sizeof(c->service), "%.255s", value);
	else if (co_ieq(name, "scope"))
		snprintf(c->scope, sizeof(c->scope), "%s", value);
}

/* Reads "name=value, …" up to the next scheme. NULL when it is broken. */
static const char *read_params(const char *p, struct challenge *c)
{
	char name[64], value[1024];
	bool fits;

	for (;;) {
		p = blanks(p);
		while (*p == ',')
			p = blanks(p + 1);
		const char *start = p;
		p = blanks(read_token(p, name, sizeof(name), &fits));
		if (!*name)
			return *p && *p != '\n' ? NULL : p;
		if (*p != '=')
			return start; /* a scheme (or token68, which we skip as one) */
		p = blanks(p + 1);
		if (!*p || strchr("=,\n", *p)) { /* token68 with its padding */
			p += strspn(p, "=");
			continue;
		}
		p = read_value(p, value, sizeof(value), &fits);
		if (!p)
			return NULL;
		if (fits)
			keep(c, name, value);
		else if (co_ieq(name, "realm"))
			return NULL;
	}
}

static bool parse_line(const char *p, struct challenge *out)
{
	char scheme[64];
	bool fits;

	while (p && *p && *p != '\n') {
		struct challenge c = {0};

		p = blanks(p);
		const char *start = p;
		p = read_token(p, scheme, sizeof(scheme), &fits);
		if (p == start)
			return false;
		const char *after = read_params(p, &c);
		if (!after)
			return false;
		if (co_ieq(scheme, "basic"))
			c.kind = AUTH_BASIC;
		else if (co_ieq(scheme, "bearer") && c.realm[0])
			c.kind = AUTH_BEARER;
		if (c.kind != AUTH_NONE) {
			*out = c;
			return true;
		}
		p = after;
	}
	return false;
}

bool challenge_parse(const char *text, struct challenge *out)
{
	while (*text) {
		if (parse_line(text, out))
			return true;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return false;
}
