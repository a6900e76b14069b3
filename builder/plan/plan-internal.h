/* SPDX-License-Identifier: MIT
 *
 * What the files of the planner share.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/plan.h>
#include <cooper/str.h>
#include <string.h>

/* Everything an evaluation needs, so that the evaluators take one argument. */
struct eval {
	struct co_step *out;
	struct co_arena *a;
	const struct co_plan *plan;
	const struct co_plan_stage *stage;
	const struct co_insn *insn;
	const struct co_scope *scope;
	const struct co_config *config;
	struct co_vars vars;
};

/* Expands one word of the instruction; errors are located at pos. */
int eval_word(struct eval *ev, const char *word, struct co_pos pos, const char **out,
	      struct co_err *err) co_must_check;
/* Expands a flag's value; NULL stays NULL. */
int eval_flag(struct eval *ev, const char *name, const char **out,
	      struct co_err *err) co_must_check;
/* A bool flag: given without value or =true. */
int eval_bool(struct eval *ev, const char *name, bool *given, bool *value,
	      struct co_err *err) co_must_check;
int eval_run(struct eval *ev, struct co_err *err) co_must_check;
int eval_copy(struct eval *ev, struct co_err *err) co_must_check;
int eval_meta(struct eval *ev, struct co_err *err) co_must_check;
/* Fails at the instruction's place. */
int eval_fail(struct eval *ev, struct co_pos pos, struct co_err *err, const char *fmt, ...)
	co_printf(4, 5);

/* origin.c: the named context of that name, or NULL. */
const struct co_named_context *plan_context(const struct co_plan_opts *o, const char *name);

/* names.c: the last stage before `before` of that name; fold: in any case. */
void names_make(struct co_plan *p, struct co_arena *a);
bool names_find(const struct co_plan *p, const char *name, bool fold, unsigned before,
		unsigned *out);

void scope_set(struct co_scope *s, struct co_arena *a, const char *key, const char *value,
	       bool is_arg);
const char *plan_build_arg(const struct co_plan_opts *o, const char *key);
const char *plan_global(const struct co_plan *p, const char *key);
bool plan_is_proxy_arg(const char *key);
/* The stage's shell: config's, or /bin/sh -c. */
const struct co_strs *plan_shell(const struct co_config *c, struct co_strs *fallback);
const char *step_created_by(struct co_arena *a, const struct eval *ev);
int plan_globals(struct co_plan *p, struct co_arena *a, struct co_err *err) co_must_check;
