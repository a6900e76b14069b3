/* SPDX-License-Identifier: MIT
 *
 * ADD of URLs and git repositories.
 */
#include "exec-internal.h"
#include <cooper/fetch.h>
#include <stdlib.h>

bool source_is_remote(const char *source)
{
	return co_url_is_http(source) || co_url_is_git(source);
}

/* Whose secrets are looked at, and where what they hold is kept. */
struct purse {
	struct co_arena *a;
	const struct co_secret *list;
	size_t n;
};

/* The value of --secret id=NAMEhost, else of the host without its port; *out NULL if there is none.
 * A line end behind it, as files have it, is not part of it. */
static int auth_secret(const struct purse *p, const char *name, const char *host, const char **out,
		       struct co_err *err)
{
	const char *colon = strrchr(host, ':');
	size_t bare = colon && !strchr(colon, ']') ? (size_t)(colon - host) : strlen(host);
	const struct co_secret *s =
		secret_find(p->list, p->n, co_arena_printf(p->a, "%s%s", name, host));
	if (!s)
		s = secret_find(p->list, p->n,
				co_arena_printf(p->a, "%s%.*s", name, (int)bare, host));
	*out = NULL;
	if (!s)
		return 0;
	const char *data = "";
	size_t len = 0;
	int r = secret_read(p->a, s, &data, &len, err);
	if (r < 0)
		return r;
	while (len && (data[len - 1] == '\n' || data[len - 1] == '\r'))
		len--;
	*out = co_arena_strndup(p->a, data, len);
	if (strpbrk(*out, "\r\n"))
		return co_fail(err, CO_E_INVALID, "secret %s has more than one line", s->id);
	return 0;
}

static const char *url_host(struct co_arena *a, const char *url)
{
	const char *p = strstr(url, "://");
	p = p ? p + 3 : url;
	size_t n = strcspn(p, "/?#");
	const char *at = memchr(p, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - p);
		p = at + 1;
	}
	return co_arena_strndup(a, p, n);
}

/* The whole header, or a token as GitHub and GitLab take it. */
int co_exec_git_auth(const char **out, struct co_arena *a, const struct co_secret *list, size_t n,
		     const char *url, struct co_err *err)
{
	const struct purse p = {a, list, n};
	const char *host = url_host(a, url), *header = NULL, *token = NULL;
	int r = auth_secret(&p, "GIT_AUTH_HEADER.", host, &header, err);
	if (!r && !header)
		r = auth_secret(&p, "GIT_AUTH_HEADER", "", &header, err);
	if (!r && !header)
		r = auth_secret(&p, "GIT_AUTH_TOKEN.", host, &token, err);
	if (!r && !header && !token)
		r = auth_secret(&p, "GIT_AUTH_TOKEN", "", &token, err);
	if (!r && token) {
		auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
		const char *pair = co_arena_printf(a, "x-access-token:%s", token);
		co_base64_encode(&b, pair, strlen(pair));
		header = co_arena_printf(a, "basic %s", co_buf_str(&b));
	}
	if (r < 0)
		return r;
	*out = header;
	return 0;
}

int co_exec_http_auth(const char **out, struct co_arena *a, const struct co_secret *list, size_t n,
		      const char *url, struct co_err *err)
{
	const struct purse p = {a, list, n};
	const char *host = url_host(a, url), *header = NULL, *token = NULL;
	int r = auth_secret(&p, "HTTP_AUTH_HEADER_", host, &header, err);
	if (!r && !header)
		r = auth_secret(&p, "HTTP_AUTH_TOKEN_", host, &token, err);
	if (r < 0)
		return r;
	*out = header  ? co_arena_printf(a, "Authorization: %s", header)
	       : token ? co_arena_printf(a, "Authorization: Bearer %s", token)
		       : NULL;
	return 0;
}

static int add_git(struct co_exec *x, const struct co_step *step, const char *source,
		   struct copy_job *job, struct co_err *err)
{
	struct co_context c;
	char commit[65];
	const char *header;
	int r = co_exec_git_auth(&header, x->a, x->o->secrets, x->o->n_secrets, source, err);
	if (r < 0)
		return r;
	struct co_git_opts o = {.keep_git_dir = step->keep_git_dir,
				.checksum = step->checksum,
				.auth_header = header};
	r = co_fetch_git(&c, x->o->store, source, &o, commit, err);
	if (r < 0)
		return r;
	free((void *)c.describe);
	struct co_root *root = co_arena_push(x->a, job->trees, job->n_trees);
	*root = c.root;
	struct co_copy_source *s = co_arena_push(x->a, job->sources, job->n_sources);
	/* its own copy of the root: the list above may move when it grows */
	struct co_root *ref = co_arena_new(x->a, struct co_root);
	*ref = c.root;
	s->root = ref;
	s->pattern = ".";
	s->fd = -1;
	return 0;
}

static int add_url(struct co_exec *x, const struct co_step *step, const char *source,
		   struct copy_job *job, struct co_err *err)
{
	const char *header;
	int r = co_exec_http_auth(&header, x->a, x->o->secrets, x->o->n_secrets, source, err);
	if (r < 0)
		return r;
	struct co_fetched f;
	r = co_fetch_url(&f, x->o->store, x->o->registry, source, header, step->checksum, err);
	if (r < 0)
		return r;
	*co_arena_push(x->a, job->fds, job->n_fds) = f.fd;
	struct co_copy_source *s = co_arena_push(x->a, job->sources, job->n_sources);
	s->fd = f.fd;
	s->pattern = co_arena_strdup(x->a, f.filename[0] ? f.filename : "__unnamed__");
	s->mode = 0600;
	s->mtime.tv_sec = f.mtime >= 0 ? (time_t)f.mtime : (time_t)x->o->layer.epoch;
	return 0;
}

int add_remote(struct co_exec *x, const struct co_step *step, const char *source,
	       struct copy_job *job, struct co_err *err)
{
	if (step->checksum && step->n_sources > 1)
		return co_fail(err, CO_E_SYNTAX,
			       "checksum can't be specified for multiple sources");
	if (co_url_is_git(source))
		return add_git(x, step, source, job, err);
	return add_url(x, step, source, job, err);
}
