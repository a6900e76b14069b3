/* SPDX-License-Identifier: MIT
 *
 * The state of a stage: what it inherits, its layers, and its files once they are needed.
 */
#include "exec-internal.h"
#include <cooper/clock.h>
#include <stdlib.h>

void stage_add_layer(struct co_exec *x, struct stage_run *st, const struct co_layer *layer)
{
	*co_arena_push(x->a, st->layers, st->n_layers) = *layer;
	*co_arena_push(x->a, st->config.diff_ids, st->config.n_diff_ids) = layer->diff_id;
}

void stage_add_entry(struct co_exec *x, struct stage_run *st, const struct co_cache_entry *e)
{
	stage_add_layer(x, st, &e->layer);
	*co_arena_push(x->a, st->entries, st->n_entries) = *e;
}

bool stage_in_result(const struct co_exec *x, const struct stage_run *st)
{
	const struct co_plan_stage *p = &x->plan->stages[x->plan->target];
	while (p != st->plan && p->base.kind == CO_FROM_STAGE)
		p = &x->plan->stages[p->base.stage];
	return p == st->plan;
}

void stage_offer(struct co_exec *x, struct stage_run *st)
{
	const struct co_layer_taker *t = x->o->taker;
	if (!t || !x->working || !stage_in_result(x, st))
		return;
	for (; st->offered < st->n_layers; st->offered++)
		if (co_store_has(x->o->store, &st->layers[st->offered].desc.digest, NULL))
			t->take(t->ctx, &st->layers[st->offered]);
}

void stage_from_base(struct co_exec *x, struct stage_run *st, const struct co_base *base)
{
	co_config_copy(&st->config, x->a, &base->config);
	/* Created is not inherited; triggers have moved into this stage */
	st->config.created = NULL;
	st->config.onbuild = (struct co_strs){0};
	st->base = base;
	for (size_t i = 0; i < base->n_layers; i++) {
		struct co_layer l = {.desc = base->layers[i], .diff_id = base->config.diff_ids[i]};
		*co_arena_push(x->a, st->layers, st->n_layers) = l;
	}
}

/* A chain of stages that each add something would cost the square of its length. */
static int count_inherited(struct co_exec *x, const struct stage_run *parent, struct co_err *err)
{
	const struct co_config *c = &parent->config;
	x->inherited += c->env.n + c->labels.n + c->volumes.n + c->ports.n + c->n_history +
			4 * parent->n_layers + parent->scope.n + parent->scope.n_declared;
	if (x->inherited <= INHERITED_MAX)
		return 0;
	co_fail(err, CO_E_LIMIT,
		"stages inherit more than %u variables, labels, layers and history entries from "
		"one another",
		INHERITED_MAX);
	return co_hint(err, "put what is common into fewer stages");
}

static int from_stage(struct co_exec *x, struct stage_run *st, const struct stage_run *parent,
		      struct co_err *err)
{
	int r = count_inherited(x, parent, err);
	if (r < 0)
		return r;
	co_config_copy(&st->config, x->a, &parent->config);
	st->config.onbuild = (struct co_strs){0};
	for (size_t i = 0; i < parent->n_layers; i++)
		*co_arena_push(x->a, st->layers, st->n_layers) = parent->layers[i];
	st->base = parent->base;
	st->user_pos = parent->user_pos;
	st->config_size = parent->config_size;
	return 0;
}

/* FROM a named context that is a tree of files: its content is the first layer. */
static int from_context(struct co_exec *x, struct stage_run *st, struct co_err *err)
{
	struct origin_tree tree;
	co_config_init(&st->config, &st->plan->platform);
	int r = origin_open(x, &st->plan->base, &st->plan->platform, &tree, err);
	if (r < 0)
		return r;
	r = co_rootfs_open(&st->fs, x->o->store, x->o->rootfs_backend, x->owners, x->o->bus, err);
	const struct co_root *root;
	if (!r)
		r = co_rootfs_begin(st->fs, &root, err);
	if (r < 0)
		return r;
	struct co_copy_source src = {
		.root = tree.root, .ignore = tree.ignore, .pattern = ".", .fd = -1};
	source_times(x, &src);
	struct co_copy copy = {.sources = &src, .n_sources = 1, .dest = "/", .bus = x->o->bus};
	r = co_copy_run(&copy, root, err);
	struct co_layer layer;
	if (!r)
		r = co_rootfs_commit(st->fs, &x->o->layer, &layer, err);
	if (r < 0)
		return r;
	stage_add_layer(x, st, &layer);
	/* as many filled history entries as layers: image-spec config.md */
	char when[40];
	co_rfc3339(x->o->date, when, sizeof(when));
	co_history_add(&st->config, x->a,
		       co_arena_printf(x->a, "FROM %s # build context", st->plan->ast->base), false,
		       co_arena_strdup(x->a, when));
	st->fs_layers = st->n_layers;
	return 0;
}

int stage_begin(struct co_exec *x, unsigned index, struct co_err *err)
{
	struct stage_run *st = x->stages[index];
	const struct co_plan_stage *ps = &x->plan->stages[index];
	const struct co_scope *parent_scope = NULL;
	int r = 0;
	if (ps->base.kind == CO_FROM_STAGE) {
		r = from_stage(x, st, x->stages[ps->base.stage], err);
		parent_scope = &x->stages[ps->base.stage]->scope;
	} else if (ps->image) {
		stage_from_base(x, st, ps->image);
	} else if (ps->base.kind == CO_FROM_CONTEXT) {
		r = from_context(x, st, err);
	} else {
		co_config_init(&st->config, &ps->platform);
	}
	if (r < 0)
		return r;
	co_scope_begin(&st->scope, x->a, x->plan, parent_scope, &st->config);
	return 0;
}

/* In parallel, from where each is: a place of the cache, or the base image's repository. */
int stage_fetch(struct co_exec *x, struct stage_run *st, bool even_unpacked, struct co_err *err)
{
	struct co_blob_job *jobs = co_xcalloc(st->n_layers + 1, sizeof(*jobs));
	struct co_layer *cached = co_xcalloc(st->n_layers + 1, sizeof(*cached));
	size_t n = 0, n_cached = 0;
	for (size_t i = 0; i < st->n_layers; i++) {
		const struct co_layer *l = &st->layers[i];
		char path[512];
		int64_t size;
		if ((!even_unpacked &&
		     co_store_layer_path(x->o->store, &l->diff_id, path, sizeof(path))) ||
		    co_store_has(x->o->store, &l->desc.digest, &size))
			continue;
		if (l->place)
			cached[n_cached++] = *l;
		else
			jobs[n++].desc = l->desc;
	}
	int r = n_cached ? co_cache_fetch(x->o->cache, cached, n_cached, err) : 0;
	free(cached);
	struct co_ref ref;
	if (n && !r && !st->base)
		r = co_fail(err, CO_E_INTERNAL, "a layer of this build vanished from the store");
	if (n && !r)
		r = co_ref_parse(&ref, st->base->name, err);
	if (n && !r)
		r = co_registry_fetch(x->o->registry, x->o->store, &ref, jobs, n, err);
	free(jobs);
	return r;
}

/* A damaged layer of the base is an error; one that the cache gave is a miss. */
static int add_layer(struct co_exec *x, struct stage_run *st, struct co_err *err)
{
	const struct co_layer *l = &st->layers[st->fs_layers];
	int r = co_rootfs_add_layer(st->fs, l, err);
	bool of_base = st->base && st->fs_layers < st->base->n_layers;
	if ((r == CO_E_INTEGRITY || r == CO_E_INVALID) && !of_base)
		co_cache_lose(x->o->cache, l);
	return r;
}

int stage_materialise(struct co_exec *x, struct stage_run *st, struct co_err *err)
{
	int r = 0;
	if (!st->fs) {
		r = co_rootfs_open(&st->fs, x->o->store, x->o->rootfs_backend, x->owners, x->o->bus,
				   err);
		if (!r)
			co_rootfs_limit(st->fs, &x->o->layer_limits);
		st->fs_layers = 0;
	}
	if (!r && st->fs_layers < st->n_layers) {
		struct co_arrival *coming = co_arrival_begin(st->fs, st->layers + st->fs_layers,
							     st->n_layers - st->fs_layers);
		struct co_err also = CO_ERR_INIT;
		r = stage_fetch(x, st, false, err);
		int e = co_arrival_end(coming, r == 0, &also);
		if (e < 0 && !r) {
			*err = also;
			r = e;
		}
	}
	while (r == 0 && st->fs_layers < st->n_layers) {
		r = add_layer(x, st, err);
		if (!r)
			st->fs_layers++;
	}
	if (!r)
		stage_offer(x, st);
	return r;
}

void stage_close(struct stage_run *st)
{
	if (st->fs)
		co_rootfs_close(st->fs);
	st->fs = NULL;
}
