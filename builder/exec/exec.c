/* SPDX-License-Identifier: MIT
 *
 * The walk over a plan: needed stages in order, their instructions in order.
 */
#include "exec-internal.h"
#include <cooper/clock.h>
#include <stdlib.h>

int step_fail_at(struct co_exec *x, const struct co_step *step, struct co_err *err)
{
	return co_locate(err, &x->plan->dockerfile->source, step->pos);
}

int co_exec_open(struct co_exec **out, const struct co_plan *plan, const struct co_exec_opts *opts,
		 struct co_arena *a, struct co_err *err)
{
	(void)err;
	struct co_exec *x = co_xcalloc(1, sizeof(*x));
	x->plan = plan;
	x->o = opts;
	x->a = a;
	x->stages = co_arena_alloc(a, plan->n_stages * sizeof(*x->stages));
	*out = x;
	return 0;
}

static void emit_start(struct co_exec *x, const struct co_plan_stage *st, const char *title,
		       struct co_pos pos)
{
	co_emit(x->o->bus, (struct co_event){.kind = CO_EV_STEP_START,
					     .step = (int)++x->step,
					     .count = (int)x->plan->n_steps,
					     .stage = st->ast->name,
					     .name = title,
					     .file = x->plan->dockerfile->source.name,
					     .pos = pos});
}

static void emit_done(struct co_exec *x, int64_t start, bool ok, bool cached)
{
	co_emit(x->o->bus, (struct co_event){.kind = CO_EV_STEP_DONE,
					     .step = (int)x->step,
					     .count = (int)x->plan->n_steps,
					     .ok = ok,
					     .cached = cached,
					     .elapsed_ns = co_mono_ns() - start});
}

static int one_step(struct co_exec *x, struct stage_run *st, const struct co_insn *insn,
		    bool *cached, struct co_err *err)
{
	struct co_step step;
	int r = co_step_eval(&step, x->a, x->plan, st->plan, insn, &st->scope, &st->config, err);
	if (r < 0)
		return r;
	if (co_interrupted())
		return co_fail(err, CO_E_INTERRUPTED, "interrupted");
	if (step.layer)
		r = step_execute(x, st, &step, cached, err);
	if (r < 0)
		return step_fail_at(x, &step, err);
	if (step.op == CO_OP_USER)
		st->user_pos = step.pos;
	r = co_step_apply(&step, x->a, &st->scope, &st->config, &st->cmd_set, err);
	if (r < 0)
		return step_fail_at(x, &step, err);
	if (step.created_by) {
		char when[40];
		co_rfc3339(x->o->layer.epoch, when, sizeof(when));
		co_history_add(&st->config, x->a, step.created_by, !step.layer,
			       co_arena_strdup(x->a, when));
	}
	return 0;
}

static int run_stage(struct co_exec *x, unsigned index, struct co_err *err)
{
	const struct co_plan_stage *ps = &x->plan->stages[index];
	int64_t start = co_mono_ns();
	emit_start(x, ps, ps->ast->from->original, ps->ast->from->pos);
	int r = stage_begin(x, index, err);
	emit_done(x, start, r == 0, false);
	if (r < 0)
		return co_locate(err, &x->plan->dockerfile->source, ps->ast->from->pos);
	struct stage_run *st = &x->stages[index];
	for (size_t i = 0; r == 0 && i < ps->n_insns; i++) {
		const struct co_insn *insn = ps->insns[i];
		bool cached = false;
		start = co_mono_ns();
		emit_start(x, ps, insn->original, insn->pos);
		r = one_step(x, st, insn, &cached, err);
		emit_done(x, start, r == 0, cached);
	}
	st->done = r == 0;
	return r;
}

int co_exec_run(struct co_exec *x, struct co_built *out, struct co_err *err)
{
	for (unsigned i = 0; i < x->plan->n_stages; i++) {
		if (!x->plan->stages[i].needed)
			continue;
		int r = run_stage(x, i, err);
		if (r < 0)
			return r;
	}
	struct stage_run *st = &x->stages[x->plan->target];
	out->config = st->config;
	out->layers = st->layers;
	out->n_layers = st->n_layers;
	out->base = st->base;
	out->user_pos = st->user_pos;
	out->from_pos = st->plan->ast->from->pos;
	return 0;
}

int co_exec_root(struct co_exec *x, const struct co_root **root, struct co_err *err)
{
	struct stage_run *st = &x->stages[x->plan->target];
	int r = stage_materialise(x, st, err);
	if (r < 0)
		return r;
	return co_rootfs_view(st->fs, root, err);
}

void co_exec_close(struct co_exec *x)
{
	if (!x)
		return;
	/* children before parents: a fork of a root filesystem rests on the one it came from */
	for (size_t i = x->plan->n_stages; i > 0; i--)
		stage_close(&x->stages[i - 1]);
	origin_close_all(x);
	co_sandbox_close(x->sandbox);
	free(x);
}
