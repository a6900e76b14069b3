/* SPDX-License-Identifier: MIT
 *
 * Git trees by the host's git. The repository is hostile: no hooks, no file protocol
 * (CVE-2022-39253), no user or system configuration, and a subdirectory is opened inside the
 * checkout only (CVE-2026-33748, CVE-2026-44517).
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/fetch.h>
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <cooper/proc.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define GIT_TIMEOUT_S 1800

/* A git URL taken apart. Strings in the arena. */
struct git_url {
	const char *remote, *ref, *subdir, *checksum;
	bool keep_git_dir, has_keep;
	bool no_submodules;
};

bool co_url_is_git(const char *s)
{
	if (co_starts(s, "git://") || co_starts(s, "ssh://") || co_starts(s, "git@"))
		return true;
	if (!co_starts(s, "http://") && !co_starts(s, "https://"))
		return false;
	size_t n = strcspn(s, "?#");
	return n > 4 && !strncmp(s + n - 4, ".git", 4);
}

static int set_query(struct git_url *g, struct co_arena *a, const char *item, struct co_err *err)
{
	size_t n = strcspn(item, "=");
	const char *value = item[n] ? item + n + 1 : "";
	char *key = co_arena_strndup(a, item, n);
	if (!strcmp(key, "ref") || !strcmp(key, "tag") || !strcmp(key, "branch") ||
	    !strcmp(key, "commit")) {
		const char *pre = !strcmp(key, "tag")	   ? "refs/tags/"
				  : !strcmp(key, "branch") ? "refs/heads/"
							   : "";
		g->ref = co_arena_printf(a, "%s%s", pre, value);
	} else if (!strcmp(key, "subdir")) {
		g->subdir = value;
	} else if (!strcmp(key, "checksum")) {
		g->checksum = value;
	} else if (!strcmp(key, "keep-git-dir")) {
		g->has_keep = true;
		g->keep_git_dir = !*value || co_ieq(value, "true") || !strcmp(value, "1");
	} else if (!strcmp(key, "submodules")) {
		g->no_submodules = co_ieq(value, "false") || !strcmp(value, "0");
	} else {
		return co_fail(err, CO_E_SYNTAX, "unexpected query \"%s\" in a git URL", key);
	}
	return 0;
}

static int parse_url(struct git_url *g, struct co_arena *a, const char *url, struct co_err *err)
{
	memset(g, 0, sizeof(*g));
	size_t n = strcspn(url, "?#");
	g->remote = co_arena_strndup(a, url, n);
	const char *rest = url + n;
	if (*rest == '?') {
		size_t q = strcspn(++rest, "#");
		char *query = co_arena_strndup(a, rest, q);
		char *save = NULL;
		for (char *t = strtok_r(query, "&", &save); t; t = strtok_r(NULL, "&", &save)) {
			int r = set_query(g, a, t, err);
			if (r < 0)
				return r;
		}
		rest += q;
	}
	if (*rest == '#') {
		size_t r = strcspn(++rest, ":");
		if (r)
			g->ref = co_arena_strndup(a, rest, r);
		if (rest[r])
			g->subdir = rest + r + 1;
	}
	if (g->ref && g->ref[0] == '-')
		return co_fail(err, CO_E_SYNTAX, "a git ref can not start with \"-\"");
	return 0;
}

struct git {
	int dir; /* borrowed */
	const char *const *env;
	const char *config; /* extra -c value or NULL */
};

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
	if (g->config) {
		argv[n++] = "-c";
		argv[n++] = g->config;
	}
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
	size_t len = strcspn(co_buf_str(&errs), "\n");
	return co_fail(err, CO_E_NETWORK, "git %s: %.*s", words[0], (int)(len > 400 ? 400 : len),
		       co_buf_str(&errs));
}

static int checkout(const struct git *g, const struct git_url *u, char commit[65],
		    struct co_err *err)
{
	const char *ref = u->ref ? u->ref : "HEAD";
	auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
	int r = git_run(g, (const char *[]){"init", "-q", ".", NULL}, NULL, err);
	if (!r)
		r = git_run(g, (const char *[]){"remote", "add", "origin", u->remote, NULL}, NULL,
			    err);
	if (r < 0)
		return r;
	/* shallow first; a server that refuses a bare commit id gives everything */
	struct co_err first = CO_ERR_INIT;
	r = git_run(g,
		    (const char *[]){"fetch", "-q", "--depth=1", "--no-tags", "origin", "--", ref,
				     NULL},
		    NULL, &first);
	const char *what = "FETCH_HEAD";
	if (r < 0) {
		r = git_run(g,
			    (const char *[]){"fetch", "-q", "--tags", "origin",
					     "+refs/heads/*:refs/remotes/origin/*", NULL},
			    NULL, err);
		what = ref;
	}
	if (!r)
		r = git_run(g,
			    (const char *[]){"checkout", "-q", "--force", "--detach", what, NULL},
			    NULL, err);
	if (!r)
		r = git_run(g, (const char *[]){"rev-parse", "HEAD", NULL}, &out, err);
	if (r < 0)
		return r;
	size_t n = strspn(co_buf_str(&out), "0123456789abcdef");
	if (n < 40 || n > 64)
		return co_fail(err, CO_E_INVALID, "git gave no commit id");
	memcpy(commit, co_buf_str(&out), n);
	commit[n] = '\0';
	if (u->no_submodules)
		return 0;
	return git_run(g,
		       (const char *[]){"submodule", "update", "-q", "--init", "--recursive",
					"--depth=1", NULL},
		       NULL, err);
}

static int open_tree(struct co_context *out, int dirfd, const struct git_url *u, bool keep,
		     struct co_err *err)
{
	if (!keep && co_remove_tree(dirfd, ".git", err) < 0)
		return err->code;
	auto_fd fd = co_inroot_open(dirfd, u->subdir ? u->subdir : "", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return co_fail_sys(err, "subdirectory %s of the git tree",
				   u->subdir ? u->subdir : "/");
	out->root.fd = co_steal_fd(&fd);
	return 0;
}

int co_fetch_git(struct co_context *out, struct co_store *s, const char *url,
		 const struct co_git_opts *opts, char commit[65], struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct git_url u;
	struct co_context c = {.epoch = -1, .temporary = true, .root = {.fd = -1}};
	int r = parse_url(&u, &a, url, err);
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
	const char *env[] = {co_arena_printf(&a, "PATH=%s", path ? path : "/usr/bin:/bin"),
			     "HOME=/nonexistent",
			     "GIT_CONFIG_NOSYSTEM=1",
			     "GIT_CONFIG_GLOBAL=/dev/null",
			     "GIT_TERMINAL_PROMPT=0",
			     "LC_ALL=C",
			     sock ? co_arena_printf(&a, "SSH_AUTH_SOCK=%s", sock) : NULL,
			     NULL};
	struct git g = {.dir = dir, .env = env};
	if (opts && opts->auth_header)
		g.config = co_arena_printf(&a, "http.extraHeader=Authorization: %s",
					   opts->auth_header);
	r = checkout(&g, &u, commit, err);
	const char *sum = opts && opts->checksum ? opts->checksum : u.checksum;
	if (!r && sum && !co_starts(commit, sum))
		r = co_fail(err, CO_E_INTEGRITY, "commit is %s, expected %s", commit, sum);
	bool keep = u.has_keep ? u.keep_git_dir : opts && opts->keep_git_dir;
	if (!r)
		r = open_tree(&c, dir, &u, keep, err);
	if (r < 0)
		return co_wrap(err, "%s", u.remote);
	c.describe = co_xasprintf("git %s", u.remote);
	*out = c;
	return 0;
}
