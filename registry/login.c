/* SPDX-License-Identifier: MIT
 *
 * login.c — credentials are tried at the registry first, then kept: by the configured helper, else
 * in the file. Other members of the file stay as they are.
 */
#include "registry-internal.h"
#include <cooper/fs.h>
#include <cooper/json.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MAX_CONFIG (1u << 20)

/* "https://index.docker.io/v1/" → "docker.io". */
static int clean_host(const char *text, char out[256], struct co_err *err)
{
	struct co_ref ref;
	const char *p = strstr(text, "://");
	char name[300];

	p = p ? p + 3 : text;
	size_t n = strcspn(p, "/");
	if (cred_key_matches(text, "docker.io")) {
		snprintf(out, 256, "docker.io");
		return 0;
	}
	if (!n || n > 255)
		return co_fail(err, CO_E_USAGE, "\"%.100s\" is not a registry host", text);
	snprintf(name, sizeof(name), "%.*s/x", (int)n, p);
	struct co_err local = CO_ERR_INIT;
	if (co_ref_parse(&ref, name, &local) < 0 || strlen(ref.host) != n) {
		co_fail(err, CO_E_USAGE, "\"%.100s\" is not a registry host", text);
		return co_hint(err, "write it as host or host:port, such as ghcr.io");
	}
	snprintf(out, 256, "%s", ref.host);
	return 0;
}

/* An absent file is an empty document. */
static int load(const char *file, json_t **out, struct co_err *err)
{
	struct co_err local = CO_ERR_INIT;
	auto_free char *text = NULL;
	size_t len;

	if (co_read_file(AT_FDCWD, file, MAX_CONFIG, &text, &len, &local) < 0) {
		if (local.sys == ENOENT) {
			*out = json_object();
			return 0;
		}
		*err = local;
		return err->code;
	}
	int r = co_json_parse(out, text, len, file, err);
	explicit_bzero(text, len);
	if (!r && !json_is_object(*out)) {
		json_decref(co_steal(out));
		return co_fail(err, CO_E_INVALID, "%s: not a JSON object", file);
	}
	return r;
}

static int save(const char *file, const json_t *doc, struct co_err *err)
{
	auto_buf text = CO_BUF_INIT(MAX_CONFIG);
	/* a link (dotfiles in a repository) keeps being one */
	auto_free char *real = realpath(file, NULL);
	const char *path = real ? real : file;
	auto_free char *dir = co_xstrdup(path);
	char *slash = strrchr(dir, '/');

	co_json_write_pretty(&text, doc);
	co_buf_addc(&text, '\n');
	if (text.overflow)
		return co_fail(err, CO_E_LIMIT, "%s: too large", file);
	if (slash && slash != dir) {
		*slash = '\0';
		int r = co_mkdir_p(dir, 0700, err);
		if (r < 0)
			return r;
	}
	int r = co_write_file(AT_FDCWD, path, text.data, text.len, 0600, err);
	explicit_bzero(text.data, text.len);
	return r;
}

static json_t *auths_of(json_t *doc)
{
	json_t *auths = json_object_get(doc, "auths");

	if (!json_is_object(auths)) {
		auths = json_object();
		json_object_set_new(doc, "auths", auths);
	}
	return auths;
}

/* Removes every spelling of the host. */
static bool drop_entries(json_t *auths, const char *host)
{
	const char *key;
	json_t *value;
	void *tmp;
	bool any = false;

	json_object_foreach_safe(auths, tmp, key, value)
	{
		if (!cred_key_matches(key, host))
			continue;
		any = true;
		json_object_del(auths, key);
	}
	return any;
}

static int keep(struct co_registry *r, const char *host, const char *user, const char *password,
		struct co_err *err)
{
	auto_free char *file = cred_login_file(r, err);
	auto_json doc = NULL;
	bool is_default;

	if (!file)
		return err->code;
	int e = load(file, &doc, err);
	if (e < 0)
		return e;
	const char *helper = cred_helper_of(doc, host, &is_default);
	json_t *entry = json_object();
	if (helper) {
		e = helper_put(helper, cred_server_key(host), user, password, err);
	} else {
		auto_buf plain = CO_BUF_INIT(CO_BUF_SMALL), b64 = CO_BUF_INIT(CO_BUF_SMALL * 2);

		co_buf_addf(&plain, "%s:%s", user, password);
		co_base64_encode(&b64, plain.data, plain.len);
		json_object_set_new(entry, "auth", json_string(co_buf_str(&b64)));
		explicit_bzero(plain.data, plain.len);
		explicit_bzero(b64.data, b64.len);
	}
	drop_entries(auths_of(doc), host);
	json_object_set_new(auths_of(doc), cred_server_key(host), entry);
	return e ? e : save(file, doc, err);
}

static int check(struct co_registry *r, const char *host, struct co_err *err)
{
	auto_req q = req_new(r, host, "GET");

	req_url(q, "/v2/");
	int e = http_do(q, err);
	return e ? e : req_result(q, NULL, err);
}

int co_login(struct co_registry *r, const char *host, const char *user, const char *password,
	     struct co_err *err)
{
	char name[256];

	if (!*user || strchr(user, ':'))
		return co_fail(err, CO_E_USAGE, "a user name must not be empty or contain \":\"");
	if (strlen(user) + strlen(password) > CO_BUF_SMALL / 2)
		return co_fail(err, CO_E_LIMIT, "user name and password are too long");
	int e = clean_host(host, name, err);
	if (e < 0)
		return e;
	cred_forget(r);
	tokens_free(r);
	cred_set(r, name, user, password);
	e = check(r, name, err);
	/* what was looked up before, and what was tried now, is no longer true */
	tokens_free(r);
	cred_forget(r);
	if (e < 0)
		return co_wrap(err, "log in to %s", name);
	e = keep(r, name, user, password, err);
	return e ? co_wrap(err, "keep the credentials for %s", name) : 0;
}

int co_logout(struct co_registry *r, const char *host, bool *was_there, struct co_err *err)
{
	auto_free char *file = NULL;
	auto_json doc = NULL;
	char name[256];
	bool is_default, there = false;
	int e = clean_host(host, name, err);

	if (e < 0)
		return e;
	file = cred_login_file(r, err);
	if (!file)
		return err->code;
	e = load(file, &doc, err);
	if (e < 0)
		return e;
	const char *helper = cred_helper_of(doc, name, &is_default);
	if (helper)
		e = helper_erase(helper, cred_server_key(name), &there, err);
	if (e < 0)
		return co_wrap(err, "log out of %s", name);
	json_t *auths = json_object_get(doc, "auths");
	if (json_is_object(auths) && drop_entries(auths, name)) {
		there = true;
		e = save(file, doc, err);
	}
	tokens_free(r);
	cred_forget(r);
	if (!e)
		*was_there = there;
	return e;
}
