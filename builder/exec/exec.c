/* SPDX-License-Identifier: MIT
 *
 * Opening and closing an executor, and the files of the target stage.
 */
#include "exec-internal.h"
#include <stdlib.h>
#include <string.h>

int step_fail_at(struct co_exec *x, const struct co_step *step, struct co_err *err)
{
	return co_locate(err, &x->plan->dockerfile->source, step->pos);
}

/* Where the builder may not give files away, a table remembers whose they are. */
static bool needs_owners(enum co_place place, const char *sandbox)
{
	if (sandbox && !strcmp(sandbox, "emulated"))
		return true;
	return place == CO_PLACE_SINGLE || (place == CO_PLACE_NONE && geteuid() != 0);
}

int co_exec_open(struct co_exec **out, const struct co_plan *plan, const struct co_exec_opts *opts,
		 struct co_arena *a, struct co_err *err)
{
	struct co_exec *x = co_xcalloc(1, sizeof(*x));
	if (needs_owners(opts->place, opts->sandbox) &&
	    co_owntab_create(&x->owners, NULL, err) < 0) {
		free(x);
		return err->code;
	}
	x->plan = plan;
	x->o = opts;
	x->a = a;
	x->stages = co_arena_alloc(a, plan->n_stages * sizeof(*x->stages));
	unsigned step = 1;
	for (size_t i = 0; i < plan->n_stages; i++) {
		if (!plan->stages[i].needed)
			continue;
		x->stages[i] = co_arena_new(a, struct stage_run);
		x->stages[i]->plan = &plan->stages[i];
		x->stages[i]->first_step = step;
		step += (unsigned)plan->stages[i].n_insns + 1;
	}
	*out = x;
	return 0;
}

int co_exec_run(struct co_exec *x, struct co_built *out, struct co_err *err)
{
	int r = schedule_run(x, err);
	if (r < 0)
		return r;
	struct stage_run *st = x->stages[x->plan->target];
	out->config = st->config;
	out->layers = st->layers;
	out->n_layers = st->n_layers;
	out->base = st->base;
	out->user_pos = st->user_pos;
	out->from_pos = st->plan->ast->from->pos;
	return 0;
}

int co_exec_fetch(struct co_exec *x, struct co_err *err)
{
	return stage_fetch(x, x->stages[x->plan->target], true, err);
}

void co_exec_entries(const struct co_exec *x, struct co_cache_entry **list, size_t *n)
{
	for (size_t i = 0; i < x->plan->n_stages; i++) {
		const struct stage_run *st = x->stages[i];
		for (size_t k = 0; st && k < st->n_entries; k++) {
			struct co_cache_entry *e = co_arena_push(x->a, *list, *n);
			*e = st->entries[k];
			e->result = stage_in_result(x, st);
		}
	}
}

int co_exec_root(struct co_exec *x, const struct co_root **root, struct co_err *err)
{
	struct stage_run *st = x->stages[x->plan->target];
	int r = stage_materialise(x, st, err);
	if (r < 0)
		return r;
	return co_rootfs_view(st->fs, root, err);
}

int co_exec_root_at_hand(struct co_exec *x, const struct co_root **root, struct co_err *err)
{
	struct stage_run *st = x->stages[x->plan->target];
	size_t have = st->fs ? st->fs_layers : 0;
	char path[4096];
	/* only overlay takes layers as they lie in the store */
	if (st->fs && strcmp(co_rootfs_backend(st->fs), "overlay") != 0 && have < st->n_layers)
		return 0;
	for (size_t i = have; i < st->n_layers; i++)
		if (!co_store_layer_path(x->o->store, &st->layers[i].diff_id, path, sizeof(path)))
			return 0;
	int r = co_exec_root(x, root, err);
	return r < 0 ? r : 1;
}

void co_exec_close(struct co_exec *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->plan->n_stages; i++) {
		if (!x->stages[i])
			continue;
		step_drop_pending(x->stages[i]);
		stage_close(x->stages[i]);
	}
	origin_close_all(x);
	co_sandbox_close(x->sandbox);
	co_owntab_close(x->owners);
	free(x);
}
