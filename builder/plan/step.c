/* SPDX-License-Identifier: MIT
 *
 * Evaluation of one instruction: dispatch and what all evaluators share.
 */
#include "plan-internal.h"
#include <stdarg.h>
#include <stdio.h>

int eval_fail(struct eval *ev, struct co_pos pos, struct co_err *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	co_vfail(err, CO_E_SYNTAX, fmt, ap);
	va_end(ap);
	return co_locate(err, &ev->plan->dockerfile->source, pos);
}

int eval_word(struct eval *ev, const char *word, struct co_pos pos, const char **out,
	      struct co_err *err)
{
	char *text;
	if (co_expand(&text, ev->a, word, ev->plan->dockerfile->escape, &ev->vars, err) < 0)
		return co_locate(err, &ev->plan->dockerfile->source, pos);
	*out = text;
	return 0;
}

int eval_flag(struct eval *ev, const char *name, const char **out, struct co_err *err)
{
	const struct co_flag *f = co_insn_flag(ev->insn, name);
	if (!f || !f->value)
		return 0;
	return eval_word(ev, f->value, f->pos, out, err);
}

int eval_bool(struct eval *ev, const char *name, bool *given, bool *value, struct co_err *err)
{
	const struct co_flag *f = co_insn_flag(ev->insn, name);
	if (given)
		*given = f != NULL;
	if (!f)
		return 0;
	if (!f->value || co_ieq(f->value, "true") || !strcmp(f->value, "1"))
		*value = true;
	else if (co_ieq(f->value, "false") || !strcmp(f->value, "0"))
		*value = false;
	else
		return eval_fail(ev, f->pos, err, "expected a boolean for --%s, got \"%s\"", name,
				 f->value);
	return 0;
}

const struct co_strs *plan_shell(const struct co_config *c, struct co_strs *fallback)
{
	static const char *sh[] = {"/bin/sh", "-c"};
	if (c->shell.n)
		return &c->shell;
	fallback->items = sh;
	fallback->n = 2;
	return fallback;
}

static const char *scope_value(void *ctx, const char *name)
{
	return co_scope_get(ctx, name);
}

/* One line for progress: the instruction as written, later lines cut. */
static const char *step_title(struct co_arena *a, const struct co_insn *insn)
{
	const char *text = insn->original;
	size_t n = strcspn(text, "\n");
	if (n <= 200)
		return co_arena_strndup(a, text, n);
	while (n > 200 || ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return co_arena_printf(a, "%.*s…", (int)n, text);
}

static int dispatch(struct eval *ev, struct co_err *err)
{
	switch (ev->insn->op) {
	case CO_OP_RUN:
		return eval_run(ev, err);
	case CO_OP_COPY:
	case CO_OP_ADD:
		return eval_copy(ev, err);
	case CO_OP_FROM:
	case CO_OP_COUNT:
		return eval_fail(ev, ev->insn->pos, err, "FROM is not a step");
	case CO_OP_ENV:
	case CO_OP_ARG:
	case CO_OP_LABEL:
	case CO_OP_WORKDIR:
	case CO_OP_USER:
	case CO_OP_EXPOSE:
	case CO_OP_VOLUME:
	case CO_OP_CMD:
	case CO_OP_ENTRYPOINT:
	case CO_OP_SHELL:
	case CO_OP_STOPSIGNAL:
	case CO_OP_HEALTHCHECK:
	case CO_OP_ONBUILD:
	case CO_OP_MAINTAINER:
	default:
		return eval_meta(ev, err);
	}
}

int co_step_eval(struct co_step *out, struct co_arena *a, const struct co_plan *p,
		 const struct co_plan_stage *stage, const struct co_insn *insn,
		 const struct co_scope *scope, const struct co_config *config, struct co_err *err)
{
	struct co_step step = {.insn = insn, .op = insn->op, .pos = insn->pos};
	struct eval ev = {.out = &step,
			  .a = a,
			  .plan = p,
			  .stage = stage,
			  .insn = insn,
			  .scope = scope,
			  .config = config,
			  .vars = {.get = scope_value, .ctx = (void *)scope}};
	step.title = step_title(a, insn);
	int r = dispatch(&ev, err);
	if (r < 0)
		return r;
	step.created_by = step_created_by(a, &ev);
	*out = step;
	return 0;
}
