/* SPDX-License-Identifier: MIT
 *
 * creds_helper.c — docker-credential-NAME programs. They answer on standard output even when they
 * fail; "not found" is told only by its text.
 */
#include "registry-internal.h"
#include <cooper/json.h>
#include <cooper/proc.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define HELPER_TIMEOUT_S 60

/* Helpers of clouds need their variables; what loads code into programs stays out. */
static const char *const *helper_env(struct co_arena *a)
{
	const char **env = NULL;
	size_t n = 0;

	for (char **e = environ; *e; e++)
		if (!co_starts(*e, "LD_") && !co_starts(*e, "BASH_ENV=") && !co_starts(*e, "ENV="))
			*co_arena_push(a, env, n) = *e;
	*co_arena_push(a, env, n) = NULL;
	return env;
}

static int run(const char *name, const char *verb, const char *input, struct co_buf *out,
	       bool *failed, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	auto_free char *program = co_xasprintf("docker-credential-%s", name);
	int status;

	if (strchr(name, '/') || !*name)
		return co_fail(err, CO_E_AUTH, "credential helper name \"%.60s\" is not valid",
			       name);
	const char *argv[] = {program, verb, NULL};
	struct co_proc p = {.argv = argv,
			    .env = helper_env(&a),
			    .cwd = -1,
			    .input = input,
			    .input_len = strlen(input),
			    .timeout_s = HELPER_TIMEOUT_S};
	int r = co_proc_run(&p, out, NULL, &status, err);
	if (r == CO_E_NOT_FOUND)
		co_hint(err,
			"install it, or remove \"%s\" from credsStore/credHelpers in the "
			"docker config file",
			name);
	if (r < 0)
		return r;
	*failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	return 0;
}

static bool says_not_found(const struct co_buf *out)
{
	const char *s = co_buf_str(out);

	return strstr(s, "credentials not found") != NULL ||
	       strstr(s, "no credentials server URL") != NULL;
}

static int failed(const char *name, const char *verb, const struct co_buf *out, struct co_err *err)
{
	auto_buf safe = CO_BUF_INIT(4096);

	co_sanitize(&safe, co_buf_str(out), out->len > 200 ? 200 : out->len, false);
	return co_fail(err, CO_E_AUTH, "docker-credential-%s %s failed: %s", name, verb,
		       safe.len ? co_buf_str(&safe) : "no message");
}

int helper_get(const char *name, const char *server, struct cred *c, struct co_err *err)
{
	auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
	bool bad;
	int r = run(name, "get", server, &out, &bad, err);

	if (r < 0)
		return r;
	if (bad)
		return says_not_found(&out) ? 0 : failed(name, "get", &out, err);
	auto_json doc = NULL;
	struct co_err parse = CO_ERR_INIT;
	/* a parse error could quote the secret: it is not passed on */
	r = co_json_parse(&doc, co_buf_str(&out), out.len, name, &parse);
	memset(out.data ? out.data : (char[1]){0}, 0, out.len);
	const char *user = co_json_str(doc, "Username"), *secret = co_json_str(doc, "Secret");
	if (r < 0 || !user || !secret)
		return co_fail(err, CO_E_AUTH,
			       "docker-credential-%s get: the answer is not "
			       "understood",
			       name);
	if (!*user && !*secret)
		return 0;
	if (!strcmp(user, "<token>")) {
		c->identity = co_xstrdup(secret);
	} else {
		c->user = co_xstrdup(user);
		c->password = co_xstrdup(secret);
	}
	c->from = co_xasprintf("docker-credential-%s", name);
	return 1;
}

int helper_put(const char *name, const char *server, const char *user, const char *secret,
	       struct co_err *err)
{
	auto_buf in = CO_BUF_INIT(CO_BUF_SMALL), out = CO_BUF_INIT(CO_BUF_SMALL);
	auto_json doc = json_pack("{s:s, s:s, s:s}", "ServerURL", server, "Username", user,
				  "Secret", secret);
	bool bad;

	if (!doc)
		return co_fail(err, CO_E_USAGE, "user name or password is not UTF-8 text");
	co_json_write(&in, doc);
	int r = run(name, "store", co_buf_str(&in), &out, &bad, err);
	memset(in.data, 0, in.len);
	if (r < 0)
		return r;
	return bad ? failed(name, "store", &out, err) : 0;
}

int helper_erase(const char *name, const char *server, bool *was_there, struct co_err *err)
{
	auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
	struct cred c = {0};
	bool bad;
	int found = helper_get(name, server, &c, err);

	free(c.user), free(c.password), free(c.identity), free(c.bearer), free(c.from);
	if (found <= 0)
		return found;
	int r = run(name, "erase", server, &out, &bad, err);
	if (r < 0)
		return r;
	if (bad && !says_not_found(&out))
		return failed(name, "erase", &out, err);
	*was_there = true;
	return 0;
}
