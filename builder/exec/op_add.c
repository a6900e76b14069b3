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

/* The value of --secret id=NAME, or id=NAME.host; NULL if there is none. */
static const char *auth_secret(struct co_exec *x, const char *name, const char *host)
{
	const char *with_host = co_arena_printf(x->a, "%s%s", name, host);
	for (size_t i = 0; i < x->o->n_secrets; i++) {
		const struct co_secret *s = &x->o->secrets[i];
		if (strcmp(s->id, with_host) || !s->env)
			continue;
		return getenv(s->env);
	}
	return NULL;
}

static const char *url_host(struct co_exec *x, const char *url)
{
	const char *p = strstr(url, "://");
	p = p ? p + 3 : url;
	size_t n = strcspn(p, "/?#");
	const char *at = memchr(p, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - p);
		p = at + 1;
	}
	return co_arena_strndup(x->a, p, n);
}

static int add_git(struct co_exec *x, const struct co_step *step, const char *source,
		   struct copy_job *job, struct co_err *err)
{
	struct co_context c;
	char commit[65];
	const char *host = url_host(x, source);
	const char *header = auth_secret(x, "GIT_AUTH_HEADER.", host);
	const char *token = auth_secret(x, "GIT_AUTH_TOKEN.", host);
	if (!header)
		header = auth_secret(x, "GIT_AUTH_HEADER", "");
	if (!token)
		token = auth_secret(x, "GIT_AUTH_TOKEN", "");
	if (!header && token) {
		auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
		const char *pair = co_arena_printf(x->a, "x-access-token:%s", token);
		co_base64_encode(&b, pair, strlen(pair));
		header = co_arena_printf(x->a, "basic %s", co_buf_str(&b));
	}
	struct co_git_opts o = {.keep_git_dir = step->keep_git_dir,
				.checksum = step->checksum,
				.auth_header = header};
	int r = co_fetch_git(&c, x->o->store, source, &o, commit, err);
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
	const char *host = url_host(x, source);
	const char *header = auth_secret(x, "HTTP_AUTH_HEADER_", host);
	const char *token = auth_secret(x, "HTTP_AUTH_TOKEN_", host);
	if (header)
		header = co_arena_printf(x->a, "Authorization: %s", header);
	else if (token)
		header = co_arena_printf(x->a, "Authorization: Bearer %s", token);
	struct co_fetched f;
	int r = co_fetch_url(&f, x->o->store, x->o->registry, source, header, step->checksum, err);
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
