/* SPDX-License-Identifier: MIT
 *
 * lint_eval.c — what the words of an instruction come to, as far as the text alone can tell. Words
 * that cannot be expanded are left out: the build will say so with more authority.
 */
#include "lint-internal.h"
#include <cooper/buf.h>

/* Who is asking for variables. */
struct asker {
	struct lint *l;
	const struct lint_scope *scope;
	struct lint_misses *misses;
	const char *image;	   /* base image whose environment is not known here, or NULL */
	bool from;		   /* FROM: an undeclared name counts even where it has a default */
	bool opaque, used, target; /* what was found on the way */
};

static bool is_capitals(const char *name)
{
	bool letter = false;
	for (; *name; name++) {
		if (*name >= 'A' && *name <= 'Z')
			letter = true;
		else if (!co_is_digit(*name) && *name != '_')
			return false;
	}
	return letter;
}

/* May the variable come from the base image? */
static bool from_image(struct asker *q, const char *name, const char *suggest)
{
	const struct co_lint_opts *o = q->l->opts;
	if (!q->image)
		return false;
	if (o->base_has)
		return o->base_has(o->ctx, q->image, name);
	return is_capitals(name) && !(suggest && strlen(suggest) == strlen(name));
}

static void miss(struct asker *q, const char *name)
{
	/* these steer the build and are never in an environment */
	if (co_starts(name, "BUILDKIT_SBOM_SCAN_"))
		return;
	if (lint_scope_find(&q->misses->seen, name))
		return;
	const char *suggest = lint_scope_nearest(q->scope, name, &q->l->budget);
	lint_scope_put(&q->misses->seen, q->l->a, name);
	if (from_image(q, name, suggest))
		return;
	*co_arena_push(q->l->a, q->misses->items, q->misses->n) =
		(struct lint_miss){.name = name, .suggest = suggest};
}

static const char *ask(void *ctx, const char *name)
{
	struct asker *q = ctx;
	const struct lint_var *v = lint_scope_find(q->scope, name);
	q->used = true;
	q->target = !strcmp(name, "TARGETPLATFORM");
	if (v ? v->opaque : q->image != NULL)
		q->opaque = true;
	if (!v && q->from)
		miss(q, name);
	return v ? v->value : NULL;
}

static void undefined(void *ctx, const char *name)
{
	struct asker *q = ctx;
	const struct lint_var *v = lint_scope_find(q->scope, name);
	/* ARG NAME without a value is a declaration too */
	if (!v || !v->arg)
		miss(q, name);
}

static char *expand(struct asker *q, const char *word)
{
	struct co_vars vars = {.get = ask, .undefined = q->from ? NULL : undefined, .ctx = q};
	struct co_err err = CO_ERR_INIT;
	char *text;
	if (co_expand(&text, q->l->a, word, q->l->d->escape, &vars, &err) < 0)
		return NULL;
	return text;
}

/* ---- global scope ---- */

static void platform_args(struct lint *l)
{
	static const struct {
		const char *name, *value;
	} parts[] = {{"PLATFORM", "linux/amd64"},
		     {"OS", "linux"},
		     {"OSVERSION", ""},
		     {"ARCH", "amd64"},
		     {"VARIANT", ""}};
	static const char *const sides[] = {"TARGET", "BUILD"};
	for (size_t side = 0; side < 2; side++)
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			const char *name =
				co_arena_printf(l->a, "%s%s", sides[side], parts[i].name);
			struct lint_var *v = lint_scope_put(&l->globals, l->a, name);
			v->value = parts[i].value;
			v->opaque = true; /* another machine, another value */
		}
	lint_scope_put(&l->globals, l->a, "TARGETSTAGE")->value = "default";
}

void lint_globals(struct lint *l)
{
	struct lint_misses misses = {0};
	platform_args(l);
	for (size_t i = 0; i < l->d->n_globals; i++) {
		const struct co_insn *insn = l->d->globals[i];
		for (size_t k = 0; k < insn->n_kvs; k++) {
			struct asker q = {.l = l, .scope = &l->globals, .misses = &misses};
			const char *value = insn->kvs[k].value;
			if (value) {
				value = expand(&q, value);
				l->globals_bad |= !value;
			}
			struct lint_var *v = lint_scope_put(&l->globals, l->a, insn->kvs[k].key);
			v->arg = true;
			v->opaque = q.opaque || lint_build_arg(l, v->name);
			if (value)
				v->value = value;
		}
	}
}

void lint_eval_from(struct lint *l, struct lint_stage *st)
{
	struct asker q = {.l = l, .scope = &l->globals, .misses = &st->from_misses, .from = true};
	st->base = expand(&q, st->ast->base);
	if (!st->ast->platform)
		return;
	size_t undeclared = st->from_misses.n;
	q.used = q.target = false;
	st->platform = expand(&q, st->ast->platform);
	st->platform_const = st->platform && !q.used;
	st->platform_target =
		st->platform && q.target && st->from_misses.n == undeclared &&
		!strcmp(st->platform, lint_scope_find(&l->globals, "TARGETPLATFORM")->value);
}

/* ---- instructions ---- */

static void eval_words(struct asker *q, struct lint_step *step, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *arg = step->insn->args[i];
		if (step->insn->n_heredocs && co_starts(arg, "<<"))
			continue;
		char *text = expand(q, arg);
		if (text)
			*co_arena_push(q->l->a, step->words, step->n_words) = text;
	}
}

static void eval_copy(struct asker *q, struct lint_step *step)
{
	static const char *const flags[] = {"chown", "chmod", "checksum"};
	const struct co_insn *insn = step->insn;
	struct co_err err = CO_ERR_INIT;
	eval_words(q, step, insn->n_args ? insn->n_args - 1 : 0);
	bool opaque = q->opaque; /* only what the sources rest on matters later */
	if (insn->n_args)
		expand(q, insn->args[insn->n_args - 1]);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		const struct co_flag *f = co_insn_flag(insn, flags[i]);
		if (f && f->value)
			expand(q, f->value);
	}
	struct co_vars vars = {.get = ask, .undefined = undefined, .ctx = q};
	char *body;
	for (size_t i = 0; i < insn->n_heredocs; i++)
		if (insn->heredocs[i].expand &&
		    co_expand_heredoc(&body, q->l->a, insn->heredocs[i].body, &vars, &err) < 0)
			co_err_clear(&err);
	q->opaque = opaque;
}

static void eval_run(struct asker *q, const struct co_insn *insn)
{
	struct co_vars vars = {.get = ask, .undefined = undefined, .ctx = q};
	struct co_mount mount;
	for (size_t i = 0; i < insn->n_flags; i++) {
		const struct co_flag *f = &insn->flags[i];
		struct co_err err = CO_ERR_INIT;
		if (!strcmp(f->name, "mount") && f->value &&
		    co_mount_parse(&mount, q->l->a, f->value, q->l->d->escape, &vars, &err) < 0)
			continue;
	}
}

static void eval_expose(struct asker *q, struct lint_step *step)
{
	struct co_vars vars = {.get = ask,
			       .ctx = q}; /* the frontend does not look for misses here */
	for (size_t i = 0; i < step->insn->n_args; i++) {
		struct co_err err = CO_ERR_INIT;
		char **words;
		size_t n;
		if (co_expand_words(&words, &n, q->l->a, step->insn->args[i], q->l->d->escape,
				    &vars, &err) < 0)
			continue;
		for (size_t k = 0; k < n; k++)
			*co_arena_push(q->l->a, step->words, step->n_words) = words[k];
	}
}

/* All of one ENV or LABEL sees the values from before it. */
static void eval_kvs(struct asker *q, struct lint_step *step, struct lint_scope *scope)
{
	const struct co_insn *insn = step->insn;
	struct lint_var *fresh = NULL;
	size_t n = 0;
	for (size_t i = 0; i < insn->n_kvs; i++) {
		q->opaque = false;
		const char *key = expand(q, insn->kvs[i].key);
		const char *value = expand(q, insn->kvs[i].value ? insn->kvs[i].value : "");
		if (!key)
			continue;
		*co_arena_push(q->l->a, step->keys, step->n_keys) = key;
		*co_arena_push(q->l->a, fresh, n) = (struct lint_var){
			.name = key, .value = value ? value : "", .opaque = q->opaque || !value};
	}
	for (size_t i = 0; i < n && insn->op == CO_OP_ENV; i++) {
		struct lint_var *v = lint_scope_put(scope, q->l->a, fresh[i].name);
		v->value = fresh[i].value;
		v->opaque = fresh[i].opaque;
	}
}

/* ARG alone sees what stands before it in the same line. */
static void eval_arg(struct asker *q, struct lint_step *step, struct lint_scope *scope)
{
	for (size_t i = 0; i < step->insn->n_kvs; i++) {
		const struct co_kv *kv = &step->insn->kvs[i];
		const struct lint_var *global = lint_scope_find(&q->l->globals, kv->key);
		bool given = lint_build_arg(q->l, kv->key);
		const char *value = kv->value;
		q->opaque = false;
		if (value && !given)
			value = expand(q, value);
		else if (given && !value)
			value = "";
		else if (!value && global)
			value = global->value;
		struct lint_var *v = lint_scope_put(scope, q->l->a, kv->key);
		v->arg = true;
		*co_arena_push(q->l->a, step->keys, step->n_keys) = kv->key;
		if (!value) {
			v->opaque |= kv->value != NULL; /* a default that cannot be expanded */
			continue;
		}
		v->value = value;
		v->opaque = q->opaque || given || (!kv->value && global && global->opaque);
	}
}

void lint_eval(struct lint *l, struct lint_stage *st, struct lint_step *step)
{
	struct asker q = {.l = l, .scope = &st->scope, .misses = &step->misses, .image = st->image};
	switch (step->insn->op) {
	case CO_OP_COPY:
	case CO_OP_ADD:
		eval_copy(&q, step);
		break;
	case CO_OP_RUN:
		eval_run(&q, step->insn);
		break;
	case CO_OP_EXPOSE:
		eval_expose(&q, step);
		break;
	case CO_OP_ENV:
	case CO_OP_LABEL:
		eval_kvs(&q, step, &st->scope);
		break;
	case CO_OP_ARG:
		eval_arg(&q, step, &st->scope);
		break;
	case CO_OP_WORKDIR:
	case CO_OP_USER:
	case CO_OP_VOLUME:
	case CO_OP_STOPSIGNAL:
		eval_words(&q, step, step->insn->n_args);
		break;
	case CO_OP_FROM:
	case CO_OP_CMD:
	case CO_OP_ENTRYPOINT:
	case CO_OP_SHELL:
	case CO_OP_HEALTHCHECK:
	case CO_OP_ONBUILD:
	case CO_OP_MAINTAINER:
	case CO_OP_COUNT:
	default:
		break;
	}
	step->opaque = q.opaque;
}

void lint_effects(struct lint *l, struct lint_stage *st, const struct lint_step *step)
{
	enum co_op op = step->insn->op;
	if (op == CO_OP_SHELL)
		st->shell_set = true;
	else if (op == CO_OP_WORKDIR)
		st->workdir_set = true;
	l->last[op] = step->insn;
	l->last_pos[op] = step->pos;
}
