/* SPDX-License-Identifier: MIT
 *
 * creds_file.c — docker's config.json and podman's auth.json as documents: which entry means a
 * repository. Pure: no files are read here.
 */
#include "registry-internal.h"
#include <cooper/json.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define HUB_KEY "https://index.docker.io/v1/"

const char *cred_server_key(const char *host)
{
	return !strcmp(host, "docker.io") ? HUB_KEY : host;
}

/* "https://index.docker.io/v1/" and "registry-1.docker.io" are "docker.io". */
static void normal_key(const char *key, char *out, size_t len)
{
	const char *p = strstr(key, "://");

	p = p ? p + 3 : key;
	snprintf(out, len, "%s", p);
	char *slash = strchr(out, '/');
	if (slash && (!strncmp(slash, "/v1", 3) || !strncmp(slash, "/v2", 3)) &&
	    (!slash[3] || slash[3] == '/'))
		*slash = '\0';
	size_t n = strlen(out);
	while (n && out[n - 1] == '/')
		out[--n] = '\0';
	n = strcspn(out, "/");
	for (size_t i = 0; i < n; i++)
		out[i] = co_lower(out[i]);
	static const char *const hub[] = {"index.docker.io", "registry-1.docker.io"};
	for (size_t i = 0; i < 2; i++)
		if (n == strlen(hub[i]) && !strncmp(out, hub[i], n)) {
			memmove(out + 9, out + n, strlen(out + n) + 1);
			memcpy(out, "docker.io", 9);
		}
}

bool cred_key_matches(const char *key, const char *want)
{
	char a[600], b[600];

	if (strlen(key) >= sizeof(a) || strlen(want) >= sizeof(b))
		return false;
	normal_key(key, a, sizeof(a));
	normal_key(want, b, sizeof(b));
	return !strcmp(a, b);
}

static json_t *find_key(json_t *map, const char *want)
{
	const char *key;
	json_t *value;
	json_t *exact = json_object_get(map, cred_server_key(want));

	if (exact)
		return exact;
	json_object_foreach(map, key, value)
	{
		if (cred_key_matches(key, want))
			return value;
	}
	return NULL;
}

static char *copy_text(const json_t *entry, const char *key)
{
	const char *v = co_json_str(entry, key);

	return v && *v ? co_xstrdup(v) : NULL;
}

/* base64 of user:password; the password may be padded with NULs. */
static int split_auth(const char *auth, struct cred *c, const char *from, const char *host,
		      struct co_err *err)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	bool ok = co_base64_decode(&b, auth, strlen(auth));

	while (ok && b.len && !b.data[b.len - 1])
		co_buf_cut(&b, b.len - 1);
	char *colon = ok && b.len ? memchr(b.data, ':', b.len) : NULL;
	if (!colon || memchr(b.data, 0, b.len)) {
		co_fail(err, CO_E_AUTH,
			"%s: the \"auth\" value for %s is not base64 of "
			"user:password",
			from, host);
		return co_hint(err, "log in again: cooper login %s", host);
	}
	*colon = '\0';
	if (*b.data) {
		c->user = co_xstrdup(b.data);
		c->password = co_xstrdup(colon + 1);
	}
	memset(b.data, 0, b.len);
	return 0;
}

static int read_entry(const json_t *entry, struct cred *c, const char *from, const char *host,
		      struct co_err *err)
{
	const char *auth = co_json_str(entry, "auth");
	int r = 0;

	c->identity = copy_text(entry, "identitytoken");
	c->bearer = copy_text(entry, "registrytoken");
	if (auth && *auth)
		r = split_auth(auth, c, from, host, err);
	if (!r && !c->user && (c->user = copy_text(entry, "username"))) {
		c->password = copy_text(entry, "password");
		if (!c->password)
			c->password = co_xstrdup("");
	}
	if (r < 0)
		return r;
	if (!c->user && !c->identity && !c->bearer)
		return 0; /* {}: "ask the helper" */
	c->from = co_xstrdup(from);
	return 1;
}

int cred_from_doc(json_t *doc, const char *from, const char *host, const char *path, struct cred *c,
		  struct co_err *err)
{
	json_t *auths = json_object_get(doc, "auths");
	char want[520];

	if (!json_is_object(auths))
		return 0;
	/* most specific first: h/a/b, h/a, h */
	snprintf(want, sizeof(want), "%s%s%s", host, *path ? "/" : "", path);
	for (;;) {
		json_t *entry = find_key(auths, want);
		int r = json_is_object(entry) ? read_entry(entry, c, from, host, err) : 0;

		if (r)
			return r;
		char *slash = strrchr(want, '/');
		if (!slash)
			return 0;
		*slash = '\0';
	}
}

const char *cred_helper_of(json_t *doc, const char *host, bool *is_default)
{
	json_t *helpers = json_object_get(doc, "credHelpers");
	json_t *h = json_is_object(helpers) ? find_key(helpers, host) : NULL;
	const char *name = json_string_value(h);

	*is_default = false;
	if (name && *name)
		return name;
	*is_default = true;
	name = co_json_str(doc, "credsStore");
	return name && *name ? name : NULL;
}
