/* SPDX-License-Identifier: MIT
 *
 * Git URLs: REMOTE[?key=value&…][#ref[:subdir]].
 */
#include "git-internal.h"
#include <cooper/auto.h>
#include <cooper/str.h>
#include <string.h>

bool co_url_is_git(const char *s)
{
	if (co_starts(s, "git://") || co_starts(s, "ssh://") || co_starts(s, "git@"))
		return true;
	if (!co_starts(s, "http://") && !co_starts(s, "https://"))
		return false;
	size_t n = strcspn(s, "?#");
	return n > 4 && !strncmp(s + n - 4, ".git", 4);
}

static int set_text(const char **field, const char *what, const char *value, struct co_err *err)
{
	if (!*value)
		return co_fail(err, CO_E_SYNTAX, "%s of a git URL is empty", what);
	if (*field && strcmp(*field, value))
		return co_fail(err, CO_E_SYNTAX,
			       "conflicting values for the %s of a git URL: %s, %s", what, *field,
			       value);
	*field = value;
	return 0;
}

static int set_bool(bool *field, const char *key, const char *value, struct co_err *err)
{
	bool yes = !*value || co_ieq(value, "true") || !strcmp(value, "1");
	if (!yes && !co_ieq(value, "false") && strcmp(value, "0"))
		return co_fail(err, CO_E_SYNTAX, "invalid value %s for %s in a git URL", value,
			       key);
	*field = yes;
	return 0;
}

static int set_mtime(struct git_url *g, const char *value, struct co_err *err)
{
	g->times_of_checkout = !strcmp(value, "checkout");
	if (!g->times_of_checkout && strcmp(value, "commit"))
		return co_fail(err, CO_E_SYNTAX,
			       "invalid value %s for mtime in a git URL: commit or checkout",
			       value);
	return 0;
}

static int set_query(struct git_url *g, struct co_arena *a, const char *key, const char *value,
		     struct co_err *err)
{
	static const char *const keys[] = {
		"ref",	 "tag",		 "branch",     "commit",	  "checksum", "subdir",
		"mtime", "keep-git-dir", "submodules", "fetch-by-commit", NULL};
	bool on = true;
	int r;
	if (!strcmp(key, "ref"))
		return set_text(&g->ref, "ref", value, err);
	if (!strcmp(key, "tag"))
		return set_text(&g->ref, "ref", co_arena_printf(a, "refs/tags/%s", value), err);
	if (!strcmp(key, "branch"))
		return set_text(&g->ref, "ref", co_arena_printf(a, "refs/heads/%s", value), err);
	if (!strcmp(key, "commit") || !strcmp(key, "checksum"))
		return set_text(&g->checksum, "commit", value, err);
	if (!strcmp(key, "subdir"))
		return set_text(&g->subdir, "subdir", value, err);
	if (!strcmp(key, "mtime"))
		return set_mtime(g, value, err);
	if (!strcmp(key, "keep-git-dir")) {
		g->has_keep = true;
		return set_bool(&g->keep_git_dir, key, value, err);
	}
	if (!strcmp(key, "submodules")) {
		r = set_bool(&on, key, value, err);
		g->no_submodules = !on;
		return r;
	}
	if (!strcmp(key, "fetch-by-commit"))
		return set_bool(&g->fetch_commit, key, value, err);
	const char *near = co_nearest(key, keys);
	co_fail(err, CO_E_SYNTAX, "unexpected query \"%s\" in a git URL", key);
	return near ? co_hint(err, "did you mean %s?", near) : err->code;
}

static int parse_query(struct git_url *g, struct co_arena *a, const char *text, size_t len,
		       struct co_err *err)
{
	const char *end = text + len;
	while (text < end) {
		size_t n = strcspn(text, "&#");
		const char *item = co_arena_strndup(a, text, n);
		size_t k = strcspn(item, "=");
		int r = set_query(g, a, co_arena_strndup(a, item, k), item[k] ? item + k + 1 : "",
				  err);
		if (r < 0)
			return r;
		text += n + 1;
	}
	return 0;
}

static int parse_fragment(struct git_url *g, struct co_arena *a, const char *text,
			  struct co_err *err)
{
	size_t n = strcspn(text, ":");
	int r = 0;
	if (n)
		r = set_text(&g->ref, "ref", co_arena_strndup(a, text, n), err);
	if (!r && text[n] && text[n + 1])
		r = set_text(&g->subdir, "subdir", text + n + 1, err);
	return r;
}

static const char *without_user(struct co_arena *a, const char *remote)
{
	const char *p = strstr(remote, "://");
	if (!p)
		return remote;
	p += 3;
	const char *at = memchr(p, '@', strcspn(p, "/"));
	return at ? co_arena_printf(a, "%.*s%s", (int)(p - remote), remote, at + 1) : remote;
}

static int check(struct git_url *g, const struct co_git_opts *opts, struct co_err *err)
{
	if (opts && opts->checksum) {
		int r = set_text(&g->checksum, "commit", opts->checksum, err);
		if (r < 0)
			return r;
	}
	const char *sum = g->checksum;
	size_t n = sum ? strspn(sum, "0123456789abcdef") : 0;
	if (sum && (sum[n] || n < 4 || n > 64)) {
		co_fail(err, CO_E_SYNTAX, "\"%s\" is no commit", sum);
		return co_hint(err, "the checksum of a git tree is a commit id, or its beginning, "
				    "in small letters");
	}
	if (opts && opts->keep_git_dir && g->has_keep && !g->keep_git_dir)
		return co_fail(err, CO_E_SYNTAX,
			       "conflicting values: --keep-git-dir, and keep-git-dir=false in the "
			       "git URL");
	if (g->fetch_commit && !sum)
		return co_fail(err, CO_E_SYNTAX, "fetch-by-commit in a git URL needs a commit");
	if (sum && (!g->ref || g->fetch_commit))
		g->ref = sum;
	if (g->ref && g->ref[0] == '-')
		return co_fail(err, CO_E_SYNTAX, "a git ref can not start with \"-\"");
	return 0;
}

int git_url_parse(struct git_url *g, struct co_arena *a, const char *url,
		  const struct co_git_opts *opts, struct co_err *err)
{
	memset(g, 0, sizeof(*g));
	size_t n = strcspn(url, "?#");
	g->remote = co_arena_strndup(a, url, n);
	g->shown = without_user(a, g->remote);
	const char *rest = url + n;
	int r = 0;
	if (*rest == '?') {
		n = strcspn(++rest, "#");
		r = parse_query(g, a, rest, n, err);
		rest += n;
	}
	if (!r && *rest == '#')
		r = parse_fragment(g, a, rest + 1, err);
	return r ? r : check(g, opts, err);
}
