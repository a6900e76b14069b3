/* SPDX-License-Identifier: MIT
 *
 * The instructions of one stage in order. A stage can be walked as far as the cache reaches, then
 * later to its end (here or in a worker), or replayed with the layers that a worker made.
 */
#include "exec-internal.h"
#include <cooper/clock.h>

/* Nothing is fetched, run or copied. */
static bool is_brief(const struct stage_run *st, enum co_op op)
{
	if (op == CO_OP_FROM)
		return st->plan->base.kind == CO_FROM_STAGE ||
		       st->plan->base.kind == CO_FROM_SCRATCH;
	return op != CO_OP_RUN && op != CO_OP_COPY && op != CO_OP_ADD && op != CO_OP_WORKDIR;
}

static void emit_start(struct co_exec *x, struct stage_run *st, const struct co_insn *insn)
{
	st->step_start = co_mono_ns();
	co_emit(x->o->bus, (struct co_event){.kind = CO_EV_STEP_START,
					     .step = (int)x->step,
					     .count = (int)x->plan->n_steps,
					     .stage = st->plan->ast->name,
					     .name = insn->original,
					     .file = x->plan->dockerfile->source.name,
					     .pos = insn->pos,
					     .brief = is_brief(st, insn->op)});
}

static void emit_done(struct co_exec *x, struct stage_run *st, bool ok, bool cached)
{
	co_emit(x->o->bus, (struct co_event){.kind = CO_EV_STEP_DONE,
					     .step = (int)x->step,
					     .count = (int)x->plan->n_steps,
					     .stage = st->plan->ast->name,
					     .ok = ok,
					     .cached = cached,
					     .elapsed_ns = co_mono_ns() - st->step_start});
}

static int from_line(struct co_exec *x, struct stage_run *st, struct co_err *err)
{
	const struct co_insn *from = st->plan->ast->from;
	x->step = st->first_step;
	emit_start(x, st, from);
	int r = stage_begin(x, st->plan->index, err);
	emit_done(x, st, r == 0, false);
	st->begun = true;
	return r < 0 ? co_locate(err, &x->plan->dockerfile->source, from->pos) : 0;
}

/* The config holds a step's history entry, and what a metadata instruction sets. */
static int count_config(struct stage_run *st, const struct co_step *step, struct co_err *err)
{
	size_t n = step->created_by ? strlen(step->created_by) + 64 : 0;
	for (size_t i = 0; i < step->n_kvs; i++)
		n += strlen(step->kvs[i].key) +
		     (step->kvs[i].value ? strlen(step->kvs[i].value) : 0);
	for (size_t i = 0; i < step->n_words; i++)
		n += strlen(step->words[i]);
	st->config_size += n;
	if (st->config_size <= CONFIG_MAX)
		return 0;
	co_fail(err, CO_E_LIMIT, "the image's config and history are larger than %u bytes",
		CONFIG_MAX);
	return co_hint(err, "what is not needed in the image belongs into another stage");
}

/* What an instruction does to config and history, once its layer is there. */
int walk_apply(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	       struct co_err *err)
{
	if (step->op == CO_OP_USER)
		st->user_pos = step->pos;
	int r = co_step_apply(step, x->a, &st->scope, &st->config, &st->cmd_set, err);
	if (!r)
		r = count_config(st, step, err);
	if (r < 0)
		return step_fail_at(x, step, err);
	if (step->created_by) {
		char when[40];
		co_rfc3339(x->o->date, when, sizeof(when));
		co_history_add(&st->config, x->a, step->created_by, !step->layer,
			       co_arena_strdup(x->a, when));
	}
	return 0;
}

int walk_eval(struct co_exec *x, struct stage_run *st, struct co_step *step, struct co_err *err)
{
	const struct co_insn *insn = st->plan->insns[st->next];
	x->step = st->first_step + 1 + (unsigned)st->next;
	if (co_interrupted())
		return co_fail(err, CO_E_INTERRUPTED, "interrupted");
	return co_step_eval(step, x->a, x->plan, st->plan, insn, &st->scope, &st->config, err);
}

/* 1: a miss that the mode does not allow to be carried out now. */
static int one_step(struct co_exec *x, struct stage_run *st, bool cached_only, struct co_err *err)
{
	const struct co_insn *insn = st->plan->insns[st->next];
	bool hit = false;
	int r = 0;
	x->step = st->first_step + 1 + (unsigned)st->next;
	if (!st->pending)
		st->pending = co_xcalloc(1, sizeof(*st->pending));
	struct pending_step *p = st->pending;
	struct co_step *step = &p->step;
	if (!p->looked_up) {
		emit_start(x, st, insn);
		r = walk_eval(x, st, step, err);
		if (!r && step->layer)
			r = step_lookup(x, st, p, &hit, err);
		if (!r && step->layer && !hit && cached_only)
			return 1;
	}
	if (!r && step->layer && !hit)
		r = step_work(x, st, p, &hit, err);
	if (r < 0 && step->insn)
		r = step_fail_at(x, step, err);
	if (!r && step->layer)
		stage_add_entry(x, st,
				&(struct co_cache_entry){
					.key = p->key, .also = p->content_key, .layer = p->layer});
	if (!r && step->layer && !hit && !p->apart)
		st->fs_layers = st->n_layers;
	if (!r)
		stage_offer(x, st);
	if (!r)
		r = walk_apply(x, st, step, err);
	emit_done(x, st, r == 0, hit);
	step_drop_pending(st);
	st->next++;
	return r;
}

int stage_walk(struct co_exec *x, struct stage_run *st, bool cached_only, struct co_err *err)
{
	int r = st->begun ? 0 : from_line(x, st, err);
	while (r == 0 && st->next < st->plan->n_insns)
		r = one_step(x, st, cached_only, err);
	st->done = r == 0;
	return r;
}

int stage_replay(struct co_exec *x, struct stage_run *st, const struct co_cache_entry *made,
		 size_t n, struct co_err *err)
{
	int r = 0;
	size_t used = 0;
	step_drop_pending(st);
	for (; r == 0 && st->next < st->plan->n_insns; st->next++) {
		struct co_step step;
		r = walk_eval(x, st, &step, err);
		if (!r && step.layer && used == n)
			r = co_fail(err, CO_E_INTERNAL, "a worker gave too few layers");
		if (!r && step.layer)
			stage_add_entry(x, st, &made[used++]);
		if (!r)
			r = walk_apply(x, st, &step, err);
	}
	st->done = r == 0;
	return r;
}
