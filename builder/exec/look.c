/* SPDX-License-Identifier: MIT
 *
 * A dry run: the stages in order, each step as far as its key can be known without carrying
 * anything out.
 */
#include "exec-internal.h"

struct look {
	struct co_exec *x;
	struct co_step_look *list; /* arena */
	size_t n;
	const char **waits; /* of each stage: why its files are not known; NULL: they are */
};

static struct co_step_look *add(struct look *l, const struct stage_run *st, unsigned step,
				const char *title, struct co_pos pos)
{
	struct co_step_look *s = co_arena_push(l->x->a, l->list, l->n);
	s->stage = st->plan->index;
	s->step = step;
	s->title = title;
	s->pos = pos;
	return s;
}

static const char *stage_label(struct look *l, unsigned index)
{
	const char *name = l->x->plan->stages[index].ast->name;
	return name ? name : co_arena_printf(l->x->a, "%u", index);
}

static const char *waits_for(struct look *l, const struct co_origin *from)
{
	if (from->kind != CO_FROM_STAGE || !l->waits[from->stage])
		return NULL;
	return co_arena_printf(l->x->a, "takes files from stage %s, which is not built yet",
			       stage_label(l, from->stage));
}

/* Why the step's key can not be computed now, or NULL. */
static const char *unknown_key(struct look *l, const struct co_step *step)
{
	const char *why = step->has_from ? waits_for(l, &step->from) : NULL;
	for (size_t i = 0; !why && i < step->n_mounts; i++)
		why = waits_for(l, &step->mount_from[i]);
	for (size_t i = 0; !why && step->op == CO_OP_ADD && i < step->n_sources; i++)
		if (source_is_remote(step->sources[i]))
			why = "its content is known once it has been downloaded";
	return why;
}

static int look_layer(struct look *l, struct stage_run *st, struct co_step_look *s,
		      struct pending_step *p, struct co_err *err)
{
	const char **waits = &l->waits[st->plan->index];
	bool hit = false;
	s->state = CO_LOOK_AFTER;
	s->reason = *waits ? *waits : unknown_key(l, &p->step);
	if (!s->reason) {
		int r = step_lookup(l->x, st, p, &hit, err);
		if (r < 0)
			return step_fail_at(l->x, &p->step, err);
		s->state = hit ? CO_LOOK_CACHED : CO_LOOK_RUN;
	}
	if (hit) {
		stage_add_layer(l->x, st, &p->layer);
		return 0;
	}
	if (s->state == CO_LOOK_RUN)
		s->reason = l->x->o->no_cache	 ? "--no-cache"
			    : st->plan->no_cache ? "--no-cache-filter"
			    : p->by_tree
				    ? "not in the cache, unless the files that it takes are the "
				      "same as before"
				    : "not in the cache: the instruction, what it is given "
				      "or what stands before it is new";
	if (!*waits)
		*waits = co_arena_printf(l->x->a, "follows step %u, which has to be carried out",
					 s->step);
	return 0;
}

static int look_step(struct look *l, struct stage_run *st, struct co_err *err)
{
	struct pending_step p = {0};
	int r = walk_eval(l->x, st, &p.step, err);
	if (r < 0)
		return r;
	struct co_step_look *s = add(l, st, l->x->step, p.step.title, p.step.pos);
	s->state = CO_LOOK_CONFIG;
	if (p.step.layer)
		r = look_layer(l, st, s, &p, err);
	if (!r)
		r = walk_apply(l->x, st, &p.step, err);
	step_drop(&p);
	return r;
}

/* FROM a tree of files copies it: that is work, and what follows has to wait for it. */
static int look_from(struct look *l, struct stage_run *st, struct co_err *err)
{
	const struct co_plan_stage *ps = st->plan;
	struct co_step_look *s =
		add(l, st, st->first_step, ps->ast->from->original, ps->ast->from->pos);
	s->state = CO_LOOK_BASE;
	if (ps->base.kind == CO_FROM_STAGE && l->waits[ps->base.stage])
		l->waits[ps->index] =
			co_arena_printf(l->x->a, "rests on stage %s, which is not built yet",
					stage_label(l, ps->base.stage));
	if (ps->base.kind != CO_FROM_CONTEXT || ps->image)
		return stage_begin(l->x, ps->index, err);
	s->state = CO_LOOK_RUN;
	s->reason = "the files of a named context are copied each time";
	l->waits[ps->index] = "rests on the files of a named context";
	co_config_init(&st->config, &ps->platform);
	co_scope_begin(&st->scope, l->x->a, l->x->plan, NULL, &st->config);
	return 0;
}

int co_exec_look(struct co_exec *x, struct co_step_look **list, size_t *n, struct co_err *err)
{
	struct look l = {.x = x};
	int r = 0;
	l.waits = co_arena_alloc(x->a, x->plan->n_stages * sizeof(*l.waits));
	for (size_t i = 0; r == 0 && i < x->plan->n_stages; i++) {
		struct stage_run *st = x->stages[i];
		if (!st)
			continue;
		r = look_from(&l, st, err);
		for (; r == 0 && st->next < st->plan->n_insns; st->next++)
			r = look_step(&l, st, err);
	}
	*list = l.list;
	*n = l.n;
	return r;
}
