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

/* ---- the commit ---- */

/* A context by a git URL knows its commit; a directory may lie in a work tree. */
static void find_commit(struct build *b, bool needed)
{
	struct co_err err = CO_ERR_INIT;
	int r = 0;
	if (b->commit_known)
		return;
	if (b->has_context && b->context.epoch >= 0) {
		b->commit = b->context.epoch;
		r = 1;
	} else if (b->has_context && !b->context.temporary) {
		r = co_git_commit_time(&b->commit, b->context.root.fd, &err);
	}
	b->commit_known = r > 0 ? 1 : -1;
	if (r < 0 && needed)
		co_warn(b->bus, "NoCommitTime",
			"the time of the context's commit can not be read (%s): 0 is taken; "
			"--timestamp sets another",
			err.msg);
}

static int from_commit(struct build *b, bool must, struct co_err *err)
{
	find_commit(b, true);
	b->epoch = b->commit_known > 0 ? b->commit : 0;
	if (b->commit_known > 0 || !must)
		return 0;
	co_fail(err, CO_E_NOT_FOUND, "--timestamp=git: the context has no commit");
	return co_hint(err, "give the seconds, or leave the flag out: without a commit the time "
			    "is 0");
}

static int from_text(struct build *b, const struct co_plan *plan, const char *text,
		     struct co_err *err)
{
	bool found;
	if (co_parse_i64(text, &b->epoch) && b->epoch >= 0)
		return 0;
	int r = from_remote(b, plan, text, &found, err);
	if (r < 0 || found)
		return r;
	co_fail(err, CO_E_USAGE, "invalid SOURCE_DATE_EPOCH \"%s\"", text);
	return co_hint(err,
		       "it is a number of seconds since 1970-01-01, \"context\", or the name of "
		       "a context or stage that is one remote file or repository");
}

/* Words of --timestamp only: stages may have these names. */
static int choose(struct build *b, const struct co_plan *plan, struct co_err *err)
{
	const char *text = b->o->epoch;
	if (text && !strcmp(text, "none")) {
		b->epoch = 0;
		return 0;
	}
	if (text && !strcmp(text, "git"))
		return from_commit(b, true, err);
	if (!text || !strcmp(text, "created"))
		text = from_args(b);
	if (!text)
		text = getenv("SOURCE_DATE_EPOCH");
	if (!text)
		text = from_globals(plan);
	if (!text || !*text || !strcmp(text, "context"))
		return from_commit(b, false, err);
	return from_text(b, plan, text, err);
}

int epoch_choose(struct build *b, const struct co_plan *plan, struct co_err *err)
{
	int r = choose(b, plan, err);
	if (r < 0)
		return r;
	/* layers that many commits share have a time that does not follow them */
	bool date_only = b->o->epoch && !strcmp(b->o->epoch, "created");
	b->file_epoch = date_only ? 0 : b->epoch;
	/* however the time was given: the same time gives the same image */
	find_commit(b, false);
	b->epoch_of_commit = !date_only && b->commit_known > 0 && b->commit == b->epoch;
	return 0;
}
