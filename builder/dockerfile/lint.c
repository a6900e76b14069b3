/* SPDX-License-Identifier: MIT
 *
 * lint.c — the table of rules, the walk over the stages, and the list of findings.
 */
#include "lint-internal.h"
#include <cooper/buf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_COPIED   (1u << 20)
#define MAX_TRIGGERS 100000u
#define COMPARISONS  (1u << 20)

const struct co_lint_rule co_lint_rules[] = {
#define LINT_ROW(name, slug, experimental, description) {#name, description, slug, experimental},
	LINT_RULES(LINT_ROW)
#undef LINT_ROW
		{NULL, NULL, NULL, false}};

bool lint_build_arg(const struct lint *l, const char *name)
{
	const char *const *given = l->opts->build_args;
	for (size_t i = 0; given && given[i]; i++)
		if (!strcmp(given[i], name))
			return true;
	return false;
}

const char *lint_quote(struct co_arena *a, const char *text)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_buf_addc(&b, '"');
	while (*text) {
		static const char from[] = "\a\b\f\n\r\t\v\"\\", to[] = "abfnrtv\"\\";
		const char *at = strchr(from, *text);
		size_t len;
		rune_at(text, &len);
		unsigned char c = (unsigned char)*text;
		if (at)
			co_buf_addf(&b, "\\%c", to[at - from]);
		else if (c < 0x20 || c == 0x7f || (len == 1 && c >= 0x80))
			co_buf_addf(&b, "\\x%02x", c);
		else
			co_buf_add(&b, text, len);
		text += len;
	}
	co_buf_addc(&b, '"');
	return co_arena_strdup(a, co_buf_str(&b));
}

/* ---- findings ---- */

/* The first check= comment above the instruction; one that is no valid option is a comment. */
static void scope_config(struct lint *l, const struct co_insn *at)
{
	if (l->scoped_for == at)
		return;
	l->scoped_for = at;
	l->scoped = (struct lint_config){0};
	for (size_t i = 0; i < at->n_comments; i++) {
		struct co_err err = CO_ERR_INIT;
		const char *text = lint_config_comment(at->comments[i]);
		if (!text)
			continue;
		if (lint_config_parse(&l->scoped, l->a, text, &err) < 0)
			l->scoped = (struct lint_config){0};
		return;
	}
}

static bool wanted(const struct lint *l, enum lint_rule rule, const struct lint_config *scoped)
{
	uint32_t bit = 1u << rule;
	if ((l->config.skip | scoped->skip) & bit)
		return false;
	if (co_lint_rules[rule].experimental)
		return l->config.experimental_all || scoped->experimental_all ||
		       (l->config.experimental | scoped->experimental) & bit;
	return !l->config.skip_all && !scoped->skip_all;
}

void lint_report(struct lint *l, enum lint_rule rule, const struct co_insn *at, struct co_pos pos,
		 const char *fmt, ...)
{
	static const struct lint_config none = {0};
	if (at)
		scope_config(l, at);
	if (!wanted(l, rule, at ? &l->scoped : &none))
		return;
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *text = co_arena_alloc(l->a, (size_t)(n < 0 ? 0 : n) + 1);
	vsnprintf(text, (size_t)(n < 0 ? 0 : n) + 1, fmt, again);
	va_end(again);
	struct lint_item *item = co_arena_push(l->a, l->items, l->n_items);
	item->finding = (struct co_finding){.rule = &co_lint_rules[rule], .text = text, .pos = pos};
	item->number = l->n_items;
}

static int by_line(const void *a, const void *b)
{
	const struct lint_item *x = a, *y = b;
	if (x->finding.pos.line != y->finding.pos.line)
		return x->finding.pos.line < y->finding.pos.line ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* ---- the walk ---- */

static int begin_stage(struct lint *l, struct lint_stage *st, struct co_err *err)
{
	const struct lint_var *base = st->base ? lint_scope_find(&l->names, st->base) : NULL;
	if (!base) {
		bool scratch = st->base && !strcmp(st->base, "scratch");
		st->image = scratch ? NULL : st->base ? st->base : "";
		lint_scope_put(&st->scope, l->a, "PATH")->value = "/usr/bin";
		lint_scope_find(&st->scope, "PATH")->opaque = true;
		return 0;
	}
	const struct lint_stage *parent = &l->stages[base->number];
	l->copied += parent->scope.n;
	if (l->copied > MAX_COPIED)
		return co_fail(err, CO_E_LIMIT, "too many variables in too many stages to check");
	lint_scope_share(&st->scope, &parent->scope);
	st->parent = parent;
	st->image = parent->image;
	st->workdir_set = parent->workdir_set;
	st->shell_set = parent->shell_set;
	return 0;
}

static void visit(struct lint *l, struct lint_stage *st, struct lint_step *step)
{
	lint_eval(l, st, step);
	for (size_t i = 0; lint_step_checks[i]; i++)
		lint_step_checks[i](l, st, step);
	lint_effects(l, st, step);
}

/* Triggers of the stage below run first, and count as part of FROM. */
static int visit_triggers(struct lint *l, struct lint_stage *st, struct co_err *err)
{
	const struct co_stage_ast *parent = st->parent ? st->parent->ast : NULL;
	for (size_t i = 0; parent && i < parent->n_insns; i++) {
		struct lint_step step = {.insn = parent->insns[i]->inner,
					 .at = st->ast->from,
					 .pos = st->ast->from->pos};
		if (step.insn && ++l->triggers > MAX_TRIGGERS)
			return co_fail(err, CO_E_LIMIT, "more than %u ONBUILD triggers to check",
				       MAX_TRIGGERS);
		if (step.insn)
			visit(l, st, &step);
	}
	return 0;
}

static int visit_stage(struct lint *l, size_t index, struct co_err *err)
{
	struct lint_stage *st = &l->stages[index];
	st->ast = &l->d->stages[index];
	memset(l->last, 0, sizeof(l->last));
	lint_eval_from(l, st);
	for (size_t i = 0; lint_stage_checks[i]; i++)
		lint_stage_checks[i](l, st);
	int r = begin_stage(l, st, err);
	if (!r)
		r = visit_triggers(l, st, err);
	for (size_t i = 0; r == 0 && i < st->ast->n_insns; i++) {
		const struct co_insn *insn = st->ast->insns[i];
		struct lint_step step = {.insn = insn, .at = insn, .pos = insn->pos};
		visit(l, st, &step);
	}
	if (st->ast->name)
		lint_scope_put(&l->names, l->a, st->ast->name)->number = index;
	return r;
}

static int configure(struct lint *l, struct co_err *err)
{
	const char *text = l->opts->check ? l->opts->check : l->d->check;
	if (!text || lint_config_parse(&l->config, l->a, text, err) == 0)
		return 0;
	co_wrap(err, "failed to parse check options");
	return l->opts->check ? err->code : co_locate(err, &l->d->source, l->d->check_pos);
}

int co_lint(struct co_findings *out, struct co_arena *a, const struct co_dockerfile *d,
	    const struct co_lint_opts *opts, struct co_err *err)
{
	struct lint l = {.a = a, .d = d, .opts = opts, .budget = COMPARISONS};
	int r = configure(&l, err);
	if (r < 0)
		return r;
	l.stages = co_arena_alloc(a, d->n_stages * sizeof(*l.stages) + 1);
	for (size_t i = 0; lint_file_checks[i]; i++)
		lint_file_checks[i](&l);
	lint_globals(&l);
	for (size_t i = 0; r == 0 && i < d->n_stages; i++)
		r = visit_stage(&l, i, err);
	if (r < 0)
		return r;
	if (l.n_items)
		qsort(l.items, l.n_items, sizeof(*l.items), by_line);
	struct co_findings found = {.error = l.config.error};
	for (size_t i = 0; i < l.n_items; i++)
		*co_arena_push(a, found.items, found.n) = l.items[i].finding;
	*out = found;
	return 0;
}
