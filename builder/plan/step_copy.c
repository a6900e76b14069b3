/* SPDX-License-Identifier: MIT
 *
 * Evaluation of COPY and ADD.
 */
#include "plan-internal.h"
#include <stdlib.h>

static const struct co_heredoc *heredoc_source(const struct co_insn *insn, const char *arg)
{
	/* the parser names the source of heredoc N "<<N" */
	uint64_t n;
	if (!co_starts(arg, "<<") || !co_parse_u64(arg + 2, &n) || n >= insn->n_heredocs)
		return NULL;
	return &insn->heredocs[n];
}

static int copy_body(struct eval *ev, const struct co_heredoc *h, struct co_err *err)
{
	struct co_step *s = ev->out;
	const char *body = h->body;
	if (h->expand) {
		char *text;
		if (co_expand_heredoc(&text, ev->a, body, &ev->vars, err) < 0)
			return co_locate(err, &ev->plan->dockerfile->source, h->pos);
		body = text;
	}
	size_t n = s->n_bodies;
	*co_arena_push(ev->a, s->body_names, n) = h->name;
	*co_arena_push(ev->a, s->bodies, s->n_bodies) = body;
	return 0;
}

static int copy_sources(struct eval *ev, struct co_err *err)
{
	struct co_step *s = ev->out;
	const struct co_insn *insn = ev->insn;
	for (size_t i = 0; i + 1 < insn->n_args; i++) {
		const char *text = insn->args[i];
		const struct co_heredoc *h = heredoc_source(insn, text);
		int r = h ? copy_body(ev, h, err)
			  : eval_word(ev, text, insn->arg_pos[i], &text, err);
		if (r < 0)
			return r;
		if (!h && !*text)
			return eval_fail(ev, insn->arg_pos[i], err,
					 "source path \"%s\" is empty after expansion",
					 insn->args[i]);
		if (!h)
			*co_arena_push(ev->a, s->sources, s->n_sources) = text;
	}
	return 0;
}

/* Absolute destination; what makes it a directory (trailing slash, ".") is kept as "/". */
static int copy_dest(struct eval *ev, struct co_err *err)
{
	const struct co_insn *insn = ev->insn;
	const char *dest;
	int r = eval_word(ev, insn->args[insn->n_args - 1], insn->arg_pos[insn->n_args - 1], &dest,
			  err);
	if (r < 0)
		return r;
	ev->out->dest_text = dest;
	bool dir = !*dest || co_ends(dest, "/") || !strcmp(dest, ".") || co_ends(dest, "/.") ||
		   !strcmp(dest, "..") || co_ends(dest, "/..");
	const char *base = dest[0] == '/' || !ev->config->workdir ? "" : ev->config->workdir;
	const char *joined = co_arena_printf(ev->a, "%s/%s", base, dest);
	const char *clean = co_path_clean_rel(ev->a, joined);
	ev->out->dest = co_arena_printf(ev->a, "/%s%s", clean, dir && *clean ? "/" : "");
	return 0;
}

static int copy_from(struct eval *ev, struct co_err *err)
{
	const struct co_flag *f = co_insn_flag(ev->insn, "from");
	struct co_step *s = ev->out;
	if (!f)
		return 0;
	if (!f->value || !*f->value)
		return eval_fail(ev, f->pos, err, "--from needs a stage, an image or a context");
	s->has_from = true;
	if (co_plan_origin(&s->from, ev->a, ev->plan, ev->stage->index, f->value, err) < 0)
		return co_locate(err, &ev->plan->dockerfile->source, f->pos);
	return 0;
}

static int copy_chmod(struct eval *ev, struct co_err *err)
{
	struct co_step *s = ev->out;
	const struct co_flag *f = co_insn_flag(ev->insn, "chmod");
	int r = eval_flag(ev, "chmod", &s->chmod_text, err);
	if (r < 0 || !s->chmod_text || !*s->chmod_text)
		return r;
	if (co_chmod_parse(&s->chmod, ev->a, s->chmod_text, err) < 0)
		return co_locate(err, &ev->plan->dockerfile->source, f->pos);
	return 0;
}

static int copy_flags(struct eval *ev, struct co_err *err)
{
	struct co_step *s = ev->out;
	int r = copy_from(ev, err);
	if (!r)
		r = copy_chmod(ev, err);
	if (!r)
		r = eval_flag(ev, "chown", &s->chown, err);
	if (!r)
		r = eval_flag(ev, "checksum", &s->checksum, err);
	if (!r)
		r = eval_bool(ev, "link", NULL, &s->link, err);
	if (!r)
		r = eval_bool(ev, "parents", NULL, &s->parents, err);
	if (!r)
		r = eval_bool(ev, "keep-git-dir", NULL, &s->keep_git_dir, err);
	if (!r)
		r = eval_bool(ev, "unpack", &s->has_unpack, &s->unpack, err);
	for (size_t i = 0; r == 0 && i < ev->insn->n_flags; i++)
		if (!strcmp(ev->insn->flags[i].name, "exclude") && ev->insn->flags[i].value)
			*co_arena_push(ev->a, s->excludes, s->n_excludes) =
				ev->insn->flags[i].value;
	if (s->chown && !*s->chown)
		s->chown = NULL;
	return r;
}

int eval_copy(struct eval *ev, struct co_err *err)
{
	struct co_step *s = ev->out;
	s->layer = true;
	int r = copy_flags(ev, err);
	if (!r)
		r = copy_sources(ev, err);
	if (!r)
		r = copy_dest(ev, err);
	return r;
}
