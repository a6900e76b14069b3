/* SPDX-License-Identifier: MIT
 *
 * A step that makes a layer: key, cache, else begin → op → commit → cache.
 */
#include "exec-internal.h"
#include <cooper/clock.h>
#include <cooper/fetch.h>
#include <stdlib.h>

/* One download whose content is known beforehand: no server is asked for a hit. */
static bool is_pinned(const struct co_step *s)
{
	return s->checksum && co_starts(s->checksum, "sha256:") && s->n_sources == 1 &&
	       !s->n_bodies && co_url_is_http(s->sources[0]);
}

static int copy_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		    struct pending_step *w, struct co_err *err)
{
	struct co_digest *d = co_arena_new(x->a, struct co_digest);
	bool known = false;
	int r = 0;
	/* from a stage or image the tree's identity is enough: no files are made for a hit */
	if (step->has_from)
		r = origin_key(x, &step->from, &st->config.platform, d, &known, err);
	if (r < 0)
		return r;
	if (is_pinned(step)) {
		known = true;
		co_digest_of(d, step->checksum, strlen(step->checksum));
	}
	if (!known) {
		r = copy_job_open(x, st, step, &w->job, err);
		w->has_job = r == 0;
		struct explain_files files = {.x = x, .p = w};
		w->job.copy.seen = x->o->project ? explain_file : NULL;
		w->job.copy.seen_ctx = &files;
		if (!r)
			r = co_copy_digest(&w->job.copy, d, err);
		w->job.copy.seen = NULL;
	}
	w->content = d;
	w->n_content = 1;
	return r;
}

/* --link: the layer does not depend on those below it, so neither does its key. Names of users are
 * looked up in the tree, and with --chmod BuildKit makes an ordinary copy. */
static bool is_apart(const struct co_step *s)
{
	if ((s->op != CO_OP_COPY && s->op != CO_OP_ADD) || !s->link || s->chmod)
		return false;
	return !s->chown || s->chown[strspn(s->chown, "0123456789:")] == '\0';
}

/* What below a step can change its result. */
static void step_state(const struct stage_run *st, const struct co_step *step,
		       struct co_digest *out)
{
	struct co_config nothing;
	if (step->op != CO_OP_COPY && step->op != CO_OP_ADD) {
		co_key_state(out, &st->config);
	} else if (is_apart(step)) {
		co_config_init(&nothing, &st->config.platform);
		co_key_tree(out, &nothing);
	} else {
		/* sources and destination are expanded already: the environment counts no more */
		co_key_tree(out, &st->config);
	}
}

static int step_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		    struct pending_step *w, struct co_digest *key, struct co_err *err)
{
	int r = 0;
	if (step->op == CO_OP_COPY || step->op == CO_OP_ADD)
		r = copy_key(x, st, step, w, err);
	else if (step->op == CO_OP_RUN)
		r = mounts_key(x, st, step, &w->content, &w->n_content, err);
	if (r < 0)
		return r;
	struct co_digest state;
	step_state(st, step, &state);
	struct co_key_inputs in = {.content = w->content,
				   .n_content = w->n_content,
				   .network = x->o->network,
				   .epoch = x->o->layer.epoch,
				   .set_times = x->o->epoch_of_commit,
				   .clamp = x->o->layer.clamp};
	co_key_step(key, &state, step, &in);
	return 0;
}

static int dispatch(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		    struct pending_step *w, const struct co_root *root, struct co_err *err)
{
	int r = 0;
	if (step->op == CO_OP_RUN)
		return op_run(x, st, step, root, err);
	if (step->op == CO_OP_WORKDIR)
		return op_workdir(x, st, step, root, err);
	if (!w->has_job) {
		r = copy_job_open(x, st, step, &w->job, err);
		w->has_job = r == 0;
	}
	return r ? r : copy_job_run(x, st, step, &w->job, root, err);
}

static int execute(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		   struct pending_step *w, struct co_layer *layer, struct co_err *err)
{
	const struct co_root *root;
	int r = stage_materialise(x, st, err);
	if (!r)
		r = co_rootfs_begin(st->fs, &root, err);
	if (r < 0)
		return r;
	r = dispatch(x, st, step, w, root, err);
	if (r < 0) {
		co_rootfs_abort(st->fs);
		return r;
	}
	return co_rootfs_commit(st->fs, &x->o->layer, layer, err);
}

/* The same in a tree of its own. */
static int execute_apart(struct co_exec *x, struct stage_run *st, const struct co_step *step,
			 struct pending_step *w, struct co_layer *layer, struct co_err *err)
{
	struct co_rootfs *fs;
	const struct co_root *root;
	int r = co_rootfs_open(&fs, x->o->store, x->o->rootfs_backend, x->owners, x->o->bus, err);
	if (r < 0)
		return r;
	r = co_rootfs_begin(fs, &root, err);
	if (!r) {
		r = dispatch(x, st, step, w, root, err);
		if (r < 0)
			co_rootfs_abort(fs);
		else
			r = co_rootfs_commit(fs, &x->o->layer, layer, err);
	}
	co_rootfs_close(fs);
	return r;
}

/* The same content in another encoding is not what was asked for. */
bool encoding_fits(const struct co_exec *x, const struct co_layer *l)
{
	static const char *const types[][2] = {
		[CO_COMP_GZIP] = {CO_MT_OCI_LAYER_GZIP, CO_MT_DOCKER_LAYER},
		[CO_COMP_ZSTD] = {CO_MT_OCI_LAYER_ZSTD, CO_MT_OCI_LAYER_ZSTD},
		[CO_COMP_NONE] = {CO_MT_OCI_LAYER, CO_MT_OCI_LAYER},
	};
	return !strcmp(l->desc.media_type,
		       types[x->o->layer.compression][x->o->layer.docker_types]);
}

/* The digest of a layer depends on how it is packed; the key must say so. */
void encoding_key(const struct co_exec *x, struct co_digest *key)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	int32_t enc[3] = {(int32_t)x->o->layer.compression, x->o->layer.level,
			  x->o->layer.docker_types};
	co_hash_field(h, 1, key->bytes, 32);
	co_hash_field(h, 2, enc, sizeof(enc));
	co_hash_done(h, key);
}

int step_lookup(struct co_exec *x, struct stage_run *st, struct pending_step *p, bool *hit,
		struct co_err *err)
{
	int r = step_key(x, st, &p->step, p, &p->key, err);
	if (r < 0)
		return r;
	encoding_key(x, &p->key);
	p->looked_up = true;
	*hit = !x->o->no_cache && !st->plan->no_cache &&
	       co_cache_get(x->o->cache, &p->key, &p->layer) && encoding_fits(x, &p->layer);
	explain_step(x, st, p, *hit);
	return 0;
}

int step_work(struct co_exec *x, struct stage_run *st, struct pending_step *p, struct co_err *err)
{
	int64_t start = co_mono_ns();
	p->apart = is_apart(&p->step);
	int r = p->apart ? execute_apart(x, st, &p->step, p, &p->layer, err)
			 : execute(x, st, &p->step, p, &p->layer, err);
	return r ? r
		 : co_cache_put(x->o->cache, &p->key, &p->layer, p->step.title,
				co_mono_ns() - start, err);
}

void step_drop(struct pending_step *p)
{
	if (p->has_job)
		copy_job_close(&p->job);
	memset(p, 0, sizeof(*p));
}

void step_drop_pending(struct stage_run *st)
{
	if (st->pending)
		step_drop(st->pending);
	free(st->pending);
	st->pending = NULL;
}
