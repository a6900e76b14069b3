/* SPDX-License-Identifier: MIT
 *
 * Git trees by the host's git. The repository is hostile: no hooks, no file protocol
 * (CVE-2022-39253), no user or system configuration, and a subdirectory is opened inside the
 * checkout only (CVE-2026-33748, CVE-2026-44517).
 */
#include "git-internal.h"
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <cooper/proc.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define GIT_TIMEOUT_S 1800

struct git {
	int dir; /* borrowed */
	const char *const *env;
	struct co_arena *a;
	const struct git_url *url;
};

/* The first line of what git says, with the password taken out of the address. */
static int git_failed(const struct git *g, const char *verb, const char *said, struct co_err *err)
{
	size_t len = strcspn(said, "\n");
	const char *line = co_arena_strndup(g->a, said, len > 400 ? 400 : len);
	const char *at = strstr(line, g->url->remote);
	if (at)
		line = co_arena_printf(g->a, "%.*s%s%s", (int)(at - line), line, g->url->shown,
				       at + strlen(g->url->remote));
	return co_fail(err, CO_E_NETWORK, "git %s: %s", verb, line);
}

/* argv after "git"; at most 16 words. */
static int git_run(const struct git *g, const char *const *words, struct co_buf *out,
		   struct co_err *err)
{
	const char *argv[40] = {"git",
				"-c",
				"protocol.file.allow=never",
				"-c",
				"core.hooksPath=/dev/null",
				"-c",
				"advice.detachedHead=false",
				"-c",
				"core.autocrlf=false"};
	size_t n = 9;
	for (size_t i = 0; words[i] && n < 38; i++)
		argv[n++] = words[i];
	auto_buf errs = CO_BUF_INIT(CO_BUF_SMALL);
	struct co_proc p = {.argv = argv, .env = g->env, .cwd = g->dir, .timeout_s = GIT_TIMEOUT_S};
	int status;
	int r = co_proc_run(&p, out, &errs, &status, err);
	if (r < 0) {
		co_hint(err, "git trees are fetched with the git program of this machine");
		return r;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return git_failed(g, words[0], co_buf_str(&errs), err);
}

/* Shallow first; servers of plain files can not do that, and some refuse to give a bare commit id,
 * or do not know a short one: then everything is brought. */
static int fetch(const struct git *g, const char **what, struct co_err *err)
{
	const char *ref = g->url->ref ? g->url->ref : "HEAD";
	struct co_err first = CO_ERR_INIT, second = CO_ERR_INIT;
	*what = "FETCH_HEAD";
	int r = git_run(g,
			(const char *[]){"fetch", "-q", "--depth=1", "--no-tags", "origin", "--",
					 ref, NULL},
			NULL, &first);
	if (r < 0)
		r = git_run(g,
			    (const char *[]){"fetch", "-q", "--no-tags", "origin", "--", ref, NULL},
			    NULL, &second);
	if (r == 0)
		return 0;
	*what = co_arena_printf(g->a, "%s^{commit}", ref);
	r = git_run(g,
		    (const char *[]){"fetch", "-q", "--tags", "origin",
				     "+refs/heads/*:refs/remotes/origin/*", NULL},
		    NULL, err);
	if (r < 0)
		return r;
	if (git_run(g, (const char *[]){"rev-parse", "-q", "--verify", *what, NULL}, NULL, &first))
		return co_fail(err, CO_E_NOT_FOUND, "no ref or commit %s", ref);
	return 0;
}

static int commit_facts(const struct git *g, char commit[65], int64_t *when, struct co_err *err)
{
	auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
	int r = git_run(g, (const char *[]){"log", "-1", "--format=%H %ct", "HEAD", NULL}, &out,
			err);
	if (r < 0)
		return r;
	const char *text = co_buf_str(&out);
	size_t n = strspn(text, "0123456789abcdef");
	if (n < 40 || n > 64 || text[n] != ' ')
		return co_fail(err, CO_E_INVALID, "git gave no commit id");
	memcpy(commit, text, n);
	commit[n] = '\0';
	const char *time = co_arena_strndup(g->a, text + n + 1, strcspn(text + n + 1, "\n"));
	if (!co_parse_i64(time, when) || *when < 0)
		*when = 0;
	return 0;
}

static int begin(const struct git *g, const char *format, struct co_err *err)
{
	const char *words[] = {"init", "-q", ".", format, NULL};
	int r = git_run(g, words, NULL, err);
	if (r < 0)
		return r;
	return git_run(g, (const char *[]){"remote", "add", "origin", g->url->remote, NULL}, NULL,
		       err);
}

/* Which hash a repository uses shows only when it is asked for something. */
static int fetch_any(const struct git *g, const char **what, struct co_err *err)
{
	struct co_err first = CO_ERR_INIT;
	int r = begin(g, NULL, err);
	if (r < 0)
		return r;
	r = fetch(g, what, &first);
	if (r < 0 && strstr(first.msg, "mismatched algorithms")) {
		r = co_remove_tree(g->dir, ".git", err);
		if (!r)
			r = begin(g, "--object-format=sha256", err);
		return r ? r : fetch(g, what, err);
	}
	if (r < 0)
		*err = first;
	return r;
}

static int checkout(const struct git *g, char commit[65], int64_t *when, struct co_err *err)
{
	const struct git_url *u = g->url;
	const char *what = NULL;
	int r = fetch_any(g, &what, err);
	if (!r)
		r = git_run(g,
			    (const char *[]){"checkout", "-q", "--force", "--detach", what, NULL},
			    NULL, err);
	if (!r)
		r = commit_facts(g, commit, when, err);
	/* before anything else of it is used */
	if (!r && u->checksum && !co_starts(commit, u->checksum))
		r = co_fail(err, CO_E_INTEGRITY, "commit is %s, expected %s", commit, u->checksum);
	if (r < 0 || u->no_submodules)
		return r;
	return git_run(g,
		       (const char *[]){"submodule", "update", "-q", "--init", "--recursive",
					"--depth=1", NULL},
		       NULL, err);
}

static int open_tree(struct co_context *out, int dirfd, const struct git_url *u, bool keep,
		     struct co_err *err)
{
	int r = git_tree_settle(dirfd, keep, u->times_of_checkout ? -1 : out->epoch, err);
	if (r < 0)
		return r;
	auto_fd fd = co_inroot_open(dirfd, u->subdir ? u->subdir : "", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return co_fail_sys(err, "subdirectory %s of the git tree",
				   u->subdir ? u->subdir : "/");
	out->root.fd = co_steal_fd(&fd);
	return 0;
}

/* The secret goes only to the host of the URL (not to those of submodules), and it is not among the
 * arguments, which every user of the machine can read. */
static void add_auth(const char **env, size_t n, struct co_arena *a, const struct git_url *u,
		     const char *header)
{
	const char *host = strstr(u->shown, "://");
	size_t len = host ? (size_t)(host + 3 - u->shown) + strcspn(host + 3, "/") : 0;
	env[n++] = "GIT_CONFIG_COUNT=1";
	env[n++] =
		co_arena_printf(a, "GIT_CONFIG_KEY_0=http.%.*s/.extraHeader", (int)len, u->shown);
	env[n++] = co_arena_printf(a, "GIT_CONFIG_VALUE_0=Authorization: %s", header);
	env[n] = NULL;
}

int co_fetch_git(struct co_context *out, struct co_store *s, const char *url,
		 const struct co_git_opts *opts, char commit[65], struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct git_url u;
	struct co_context c = {.epoch = -1, .temporary = true, .root = {.fd = -1}};
	int r = git_url_parse(&u, &a, url, opts, err);
	if (r < 0)
		return r;
	int tmp = co_store_tmp_fd(s, err);
	if (tmp < 0)
		return tmp;
	char name[64];
	auto_fd dir = co_mkdtemp_at(tmp, "git", name, sizeof(name), err);
	if (dir < 0)
		return err->code;
	const char *path = getenv("PATH"), *sock = getenv("SSH_AUTH_SOCK");
	const char *env[12] = {co_arena_printf(&a, "PATH=%s", path ? path : "/usr/bin:/bin"),
			       "HOME=/nonexistent",
			       "GIT_CONFIG_NOSYSTEM=1",
			       "GIT_CONFIG_GLOBAL=/dev/null",
			       "GIT_TERMINAL_PROMPT=0",
			       "LC_ALL=C"};
	size_t n = 6;
	if (sock)
		env[n++] = co_arena_printf(&a, "SSH_AUTH_SOCK=%s", sock);
	if (opts && opts->auth_header)
		add_auth(env, n, &a, &u, opts->auth_header);
	struct git g = {.dir = dir, .env = env, .a = &a, .url = &u};
	r = checkout(&g, commit, &c.epoch, err);
	bool keep = u.has_keep ? u.keep_git_dir : opts && opts->keep_git_dir;
	if (!r)
		r = open_tree(&c, dir, &u, keep, err);
	if (r < 0)
		return co_wrap(err, "%s", u.shown);
	c.describe = co_xasprintf("git %s", u.shown);
	*out = c;
	return 0;
}
