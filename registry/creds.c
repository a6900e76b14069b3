/* SPDX-License-Identifier: MIT
 *
 * creds.c — where credentials come from. The first place that has some for the repository wins:
 * --authfile or $REGISTRY_AUTH_FILE (then nothing else); $DOCKER_AUTH_CONFIG (a document, as GitLab
 * sets it); $DOCKER_CONFIG/config.json; $XDG_RUNTIME_DIR/containers/auth.json;
 * $XDG_CONFIG_HOME/containers/auth.json; ~/.docker/config.json.
 */
#include "registry-internal.h"
#include <cooper/fs.h>
#include <cooper/json.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MAX_CONFIG (1u << 20)
#define MAX_PLACES 6

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

static void wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void cred_free(struct cred *c)
{
	free(c->key);
	free(c->user);
	wipe(c->password);
	wipe(c->identity);
	wipe(c->bearer);
	free(c->from);
	free(c);
}

void cred_forget(struct co_registry *r)
{
	while (r->creds) {
		struct cred *c = r->creds;

		r->creds = c->next;
		cred_free(c);
	}
}

void cred_set(struct co_registry *r, const char *host, const char *user, const char *password)
{
	struct cred *c = co_xcalloc(1, sizeof(*c));

	c->key = co_xstrdup(host);
	c->user = co_xstrdup(user);
	c->password = co_xstrdup(password);
	c->from = co_xstrdup("this login");
	c->fixed = true;
	c->next = r->creds;
	r->creds = c;
}

/* Helpers before entries of the same file, as docker does. */
static int from_doc(json_t *doc, const char *from, const char *host, const char *path,
		    struct cred *c, struct co_err *err)
{
	bool is_default;
	const char *helper = cred_helper_of(doc, host, &is_default);

	if (helper) {
		int found = helper_get(helper, cred_server_key(host), c, err);

		if (found < 0)
			return co_wrap(err, "credentials for %s (%s)", host, from);
		if (found)
			return found;
	}
	return cred_from_doc(doc, from, host, path, c, err);
}

static int from_text(const char *text, size_t len, const char *from, const char *host,
		     const char *path, struct cred *c, struct co_err *err)
{
	auto_json doc = NULL;
	int r = co_json_parse(&doc, text, len, from, err);

	if (!r && !json_is_object(doc))
		r = co_fail(err, CO_E_INVALID, "%s: not a JSON object", from);
	return r ? r : from_doc(doc, from, host, path, c, err);
}

/* A missing file is no answer; a broken one is an error. */
static int from_file(const char *file, bool required, const char *host, const char *path,
		     struct cred *c, struct co_err *err)
{
	struct co_err local = CO_ERR_INIT;
	char *text = NULL;
	size_t len;
	int r = co_read_file(AT_FDCWD, file, MAX_CONFIG, &text, &len, &local);

	if (r < 0) {
		bool absent = local.sys == ENOENT || local.sys == ENOTDIR || local.sys == EACCES;
		if (absent && !required)
			return 0;
		*err = local;
		return err->code;
	}
	r = from_text(text, len, file, host, path, c, err);
	wipe(text);
	return r;
}

static size_t usual_places(struct co_arena *a, const char **out)
{
	const char *home = env("HOME"), *config = env("XDG_CONFIG_HOME");
	size_t n = 0;

	if (env("DOCKER_CONFIG"))
		out[n++] = co_arena_printf(a, "%s/config.json", env("DOCKER_CONFIG"));
	if (env("XDG_RUNTIME_DIR"))
		out[n++] = co_arena_printf(a, "%s/containers/auth.json", env("XDG_RUNTIME_DIR"));
	else
		out[n++] = co_arena_printf(a, "/run/containers/%u/auth.json", (unsigned)getuid());
	if (config)
		out[n++] = co_arena_printf(a, "%s/containers/auth.json", config);
	else if (home)
		out[n++] = co_arena_printf(a, "%s/.config/containers/auth.json", home);
	if (!env("DOCKER_CONFIG") && home)
		out[n++] = co_arena_printf(a, "%s/.docker/config.json", home);
	return n;
}

static int lookup(struct co_registry *r, const char *host, const char *path, struct cred *c,
		  struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	const char *places[MAX_PLACES];
	const char *only = r->auth_file ? r->auth_file : env("REGISTRY_AUTH_FILE");
	const char *doc = env("DOCKER_AUTH_CONFIG");

	if (only)
		return from_file(only, r->auth_file != NULL, host, path, c, err);
	if (doc) {
		int found = from_text(doc, strlen(doc), "$DOCKER_AUTH_CONFIG", host, path, c, err);
		if (found)
			return found;
	}
	size_t n = usual_places(&a, places);
	for (size_t i = 0; i < n; i++) {
		int found = from_file(places[i], false, host, path, c, err);
		if (found)
			return found;
	}
	return 0;
}

int cred_find(struct co_registry *r, const char *host, const char *path, struct cred **out,
	      struct co_err *err)
{
	auto_free char *key = co_xasprintf("%s/%s", host, path);

	for (struct cred *c = r->creds; c; c = c->next)
		if (!strcmp(c->key, key) || (c->fixed && !strcmp(c->key, host))) {
			*out = c;
			return 0;
		}
	struct cred *c = co_xcalloc(1, sizeof(*c));
	c->key = co_steal(&key);
	int found = lookup(r, host, path, c, err);
	if (found < 0) {
		cred_free(c);
		return found;
	}
	c->next = r->creds;
	r->creds = c;
	*out = c;
	return 0;
}

char *cred_login_file(struct co_registry *r, struct co_err *err)
{
	const char *file = r->auth_file ? r->auth_file : env("REGISTRY_AUTH_FILE");

	if (file)
		return co_xstrdup(file);
	if (env("DOCKER_CONFIG"))
		return co_xasprintf("%s/config.json", env("DOCKER_CONFIG"));
	if (env("HOME"))
		return co_xasprintf("%s/.docker/config.json", env("HOME"));
	co_fail(err, CO_E_USAGE, "no place to keep credentials: HOME is not set");
	co_hint(err, "use --authfile FILE or set DOCKER_CONFIG");
	return NULL;
}
