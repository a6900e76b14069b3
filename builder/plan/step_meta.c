/* SPDX-License-Identifier: MIT
 *
 * Evaluation of the instructions that only change the config (and WORKDIR).
 */
#include "plan-internal.h"
#include <stdlib.h>

static int meta_kvs(struct eval *ev, struct co_err *err)
{
	struct co_step *s = ev->out;
	for (size_t i = 0; i < ev->insn->n_kvs; i++) {
		const struct co_kv *in = &ev->insn->kvs[i];
		struct co_kv kv = {.pos = in->pos};
		int r = eval_word(ev, in->key, in->pos, &kv.key, err);
		if (!r)
			r = eval_word(ev, in->value ? in->value : "", in->pos, &kv.value, err);
		if (r < 0)
			return r;
		if (!*kv.key)
			return eval_fail(ev, in->pos, err, "%s names can not be blank",
					 co_op_name(ev->insn->op));
		*co_arena_push(ev->a, s->kvs, s->n_kvs) = kv;
	}
	return 0;
}

/* Value order: command line, own default, global ARG of that name, else unset. */
static int meta_arg(struct eval *ev, struct co_err *err)
{
	struct co_step *s = ev->out;
	for (size_t i = 0; i < ev->insn->n_kvs; i++) {
		const struct co_kv *in = &ev->insn->kvs[i];
		struct co_kv kv = {.key = in->key, .pos = in->pos};
		kv.value = plan_build_arg(ev->plan->opts, in->key);
		if (!kv.value && in->value) {
			int r = eval_word(ev, in->value, in->pos, &kv.value, err);
			if (r < 0)
				return r;
		}
		if (!kv.value)
			kv.value = plan_global(ev->plan, in->key);
		*co_arena_push(ev->a, s->kvs, s->n_kvs) = kv;
		/* `ARG a=1 b=$a`: ARG alone sees what stands before it on its own line */
		scope_set((struct co_scope *)ev->scope, ev->a, kv.key,
			  kv.value ? kv.value : co_scope_get(ev->scope, kv.key), true);
	}
	return 0;
}

static int meta_volume(struct eval *ev, struct co_err *err)
{
	struct co_step *s = ev->out;
	for (size_t i = 0; i < ev->insn->n_args; i++) {
		const char *one;
		struct co_pos pos = ev->insn->arg_pos[i];
		int r = eval_word(ev, ev->insn->args[i], pos, &one, err);
		if (r < 0)
			return r;
		if (!*one)
			return eval_fail(ev, pos, err,
					 "VOLUME specified can not be an empty string");
		*co_arena_push(ev->a, s->words, s->n_words) = one;
	}
	return 0;
}

static int expose_word(struct eval *ev, const char *word, struct co_err *err)
{
	struct co_step *s = ev->out;
	char **words, **ports;
	size_t n, n_ports;
	int r = co_expand_words(&words, &n, ev->a, word, ev->plan->dockerfile->escape, &ev->vars,
				err);
	for (size_t k = 0; r == 0 && k < n; k++) {
		r = co_expose_parse(&ports, &n_ports, ev->a, words[k], err);
		for (size_t m = 0; r == 0 && m < n_ports; m++)
			*co_arena_push(ev->a, s->words, s->n_words) = ports[m];
	}
	return r;
}

struct expose_arg {
	const char *text;
	struct co_pos pos;
};

static int by_text(const void *a, const void *b)
{
	const struct expose_arg *x = a, *y = b;
	return strcmp(x->text, y->text);
}

/* The frontend sorts the words as they are written, and history shows that order. */
static int meta_expose(struct eval *ev, struct co_err *err)
{
	const struct co_insn *insn = ev->insn;
	struct expose_arg *args = co_arena_alloc(ev->a, (insn->n_args + 1) * sizeof(*args));
	for (size_t i = 0; i < insn->n_args; i++)
		args[i] = (struct expose_arg){insn->args[i], insn->arg_pos[i]};
	qsort(args, insn->n_args, sizeof(*args), by_text);
	for (size_t i = 0; i < insn->n_args; i++)
		if (expose_word(ev, args[i].text, err) < 0)
			return co_locate(err, &ev->plan->dockerfile->source, args[i].pos);
	return 0;
}

static void meta_argv(struct eval *ev, bool with_shell)
{
	struct co_step *s = ev->out;
	struct co_strs fallback;
	if (with_shell && !ev->insn->json) {
		const struct co_strs *shell = plan_shell(ev->config, &fallback);
		for (size_t i = 0; i < shell->n; i++)
			*co_arena_push(ev->a, s->argv, s->n_argv) = shell->items[i];
	}
	for (size_t i = 0; i < ev->insn->n_args; i++)
		*co_arena_push(ev->a, s->argv, s->n_argv) = ev->insn->args[i];
}

static int meta_workdir(struct eval *ev, const char *text)
{
	struct co_step *s = ev->out;
	const char *base = text[0] == '/' || !ev->config->workdir ? "" : ev->config->workdir;
	const char *joined = co_arena_printf(ev->a, "%s/%s", base, text);
	s->value = co_arena_printf(ev->a, "/%s", co_path_clean_rel(ev->a, joined));
	s->layer = strcmp(s->value, "/") != 0;
	return 0;
}

static int meta_value(struct eval *ev, struct co_err *err)
{
	struct co_step *s = ev->out;
	const char *text = ev->insn->n_args ? ev->insn->args[0] : "";
	struct co_pos pos = ev->insn->n_args ? ev->insn->arg_pos[0] : ev->insn->pos;
	if (ev->insn->op == CO_OP_MAINTAINER || ev->insn->op == CO_OP_ONBUILD) {
		s->value = text;
		return 0;
	}
	int r = eval_word(ev, text, pos, &text, err);
	if (r < 0)
		return r;
	if (ev->insn->op == CO_OP_WORKDIR)
		return meta_workdir(ev, text);
	if (ev->insn->op == CO_OP_STOPSIGNAL && !co_signal_valid(text)) {
		eval_fail(ev, pos, err, "invalid signal \"%s\"", text);
		return co_hint(err, "write a name such as SIGTERM, or a number from 1 to 64");
	}
	s->value = text;
	return 0;
}

static int health_flag(struct eval *ev, const char *name, int64_t *out, struct co_err *err)
{
	const struct co_flag *f = co_insn_flag(ev->insn, name);
	if (!f)
		return 0;
	int64_t ns;
	if (!f->value || !co_parse_duration(f->value, &ns) || ns < 0) {
		eval_fail(ev, f->pos, err, "invalid duration \"%s\" for --%s",
			  f->value ? f->value : "", name);
		return co_hint(err, "write a Go duration such as 30s or 1m30s");
	}
	if (ns > 0 && ns < 1000000)
		return eval_fail(ev, f->pos, err, "interval \"%s\" cannot be less than 1ms", name);
	*out = ns;
	return 0;
}

static int meta_health(struct eval *ev, struct co_err *err)
{
	struct co_healthcheck *h = co_arena_new(ev->a, struct co_healthcheck);
	ev->out->health = h;
	if (ev->insn->none) {
		*co_arena_push(ev->a, h->test, h->n_test) = "NONE";
		return 0;
	}
	*co_arena_push(ev->a, h->test, h->n_test) = ev->insn->json ? "CMD" : "CMD-SHELL";
	for (size_t i = 0; i < ev->insn->n_args; i++)
		*co_arena_push(ev->a, h->test, h->n_test) = ev->insn->args[i];
	int r = health_flag(ev, "interval", &h->interval, err);
	if (!r)
		r = health_flag(ev, "timeout", &h->timeout, err);
	if (!r)
		r = health_flag(ev, "start-period", &h->start_period, err);
	if (!r)
		r = health_flag(ev, "start-interval", &h->start_interval, err);
	const struct co_flag *f = co_insn_flag(ev->insn, "retries");
	if (r == 0 && f && (!f->value || !co_parse_i64(f->value, &h->retries) || h->retries < 0))
		return eval_fail(ev, f->pos, err,
				 "--retries must be a number that is at least 0, got \"%s\"",
				 f->value ? f->value : "");
	return r;
}

int eval_meta(struct eval *ev, struct co_err *err)
{
	switch (ev->insn->op) {
	case CO_OP_ENV:
	case CO_OP_LABEL:
		return meta_kvs(ev, err);
	case CO_OP_ARG:
		return meta_arg(ev, err);
	case CO_OP_EXPOSE:
		return meta_expose(ev, err);
	case CO_OP_VOLUME:
		return meta_volume(ev, err);
	case CO_OP_CMD:
	case CO_OP_ENTRYPOINT:
		meta_argv(ev, true);
		return 0;
	case CO_OP_SHELL:
		meta_argv(ev, false);
		return 0;
	case CO_OP_HEALTHCHECK:
		return meta_health(ev, err);
	case CO_OP_WORKDIR:
	case CO_OP_USER:
	case CO_OP_STOPSIGNAL:
	case CO_OP_MAINTAINER:
	case CO_OP_ONBUILD:
		return meta_value(ev, err);
	case CO_OP_FROM:
	case CO_OP_RUN:
	case CO_OP_COPY:
	case CO_OP_ADD:
	case CO_OP_COUNT:
	default:
		return eval_fail(ev, ev->insn->pos, err, "%s is not a metadata instruction",
				 co_op_name(ev->insn->op));
	}
}
