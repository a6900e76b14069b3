/* SPDX-License-Identifier: MIT
 *
 * The one time that may reach an image.
 */
#include "flow-internal.h"
#include <stdlib.h>

static const char *from_args(const struct build *b)
{
	for (size_t i = b->o->n_build_args; i > 0; i--)
		if (!strcmp(b->o->build_args[i - 1].key, "SOURCE_DATE_EPOCH"))
			return b->o->build_args[i - 1].value;
	return NULL;
}

/* ARG SOURCE_DATE_EPOCH=… above the first FROM. */
static const char *from_globals(const struct co_plan *plan)
{
	for (size_t i = plan->n_globals; i > 0; i--)
		if (!strcmp(plan->globals[i - 1].key, "SOURCE_DATE_EPOCH"))
			return plan->globals[i - 1].value;
	return NULL;
}

/* The address of what a named context or a stage brings in, when that is one remote thing. */
static const char *remote_of(const struct co_plan *plan, const char *name)
{
	const char *url = NULL;
	for (size_t i = 0; i < plan->opts->n_contexts; i++)
		if (co_ieq(plan->opts->contexts[i].name, name))
			url = plan->opts->contexts[i].spec;
	for (size_t i = plan->n_stages; i > 0 && !url; i--) {
		const struct co_stage_ast *st = plan->stages[i - 1].ast;
		if (!st->name || !co_ieq(st->name, name))
			continue;
		if (st->n_insns != 1 || st->insns[0]->op != CO_OP_ADD || st->insns[0]->n_args != 2)
			return NULL;
		url = st->insns[0]->args[0];
	}
	return url && (co_url_is_git(url) || co_url_is_http(url)) ? url : NULL;
}

/* When it was committed, or last modified. */
static int remote_time(struct build *b, const char *url, struct co_err *err)
{
	struct co_git_opts opts;
	int r = fetch_opts(b, url, &opts, err);
	if (r < 0)
		return r;
	b->epoch = -1;
	if (co_url_is_git(url)) {
		struct co_context c;
		char commit[65];
		opts.keep_git_dir = false;
		r = co_fetch_git(&c, b->store, url, &opts, commit, err);
		if (r < 0)
			return r;
		b->epoch = c.epoch;
		co_context_release(&c);
	} else {
		struct co_fetched f;
		r = co_fetch_url(&f, b->store, b->registry, url, opts.http_header, NULL, err);
		if (r < 0)
			return r;
		close(f.fd);
		b->epoch = f.mtime;
	}
	if (b->epoch < 0)
		return co_fail(err, CO_E_NOT_FOUND, "the server says no time of modification");
	return 0;
}

static int from_remote(struct build *b, const struct co_plan *plan, const char *name, bool *found,
		       struct co_err *err)
{
	const char *url = remote_of(plan, name);
	*found = url != NULL;
	if (!url)
		return 0;
	int r = remote_time(b, url, err);
	return r < 0 ? co_wrap(err, "SOURCE_DATE_EPOCH=%s", name) : 0;
}

int epoch_choose(struct build *b, const struct co_plan *plan, struct co_err *err)
{
	const char *text = b->o->epoch;
	if (!text)
		text = from_args(b);
	if (!text)
		text = getenv("SOURCE_DATE_EPOCH");
	if (!text)
		text = from_globals(plan);
	b->epoch = b->has_context && b->context.epoch >= 0 ? b->context.epoch : 0;
	if (!text || !*text || !strcmp(text, "context"))
		return 0;
	if (co_parse_i64(text, &b->epoch) && b->epoch >= 0)
		return 0;
	bool found;
	int r = from_remote(b, plan, text, &found, err);
	if (r < 0 || found)
		return r;
	co_fail(err, CO_E_USAGE, "invalid SOURCE_DATE_EPOCH \"%s\"", text);
	return co_hint(err,
		       "it is a number of seconds since 1970-01-01, \"context\", or the name of "
		       "a context or stage that is one remote file or repository");
}
