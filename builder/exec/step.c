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

/* The files of a copy; times: theirs too. */
static int copy_content(struct co_exec *x, struct stage_run *st, const struct co_step *step,
			struct pending_step *w, bool times, struct co_digest *out,
			struct co_err *err)
{
	struct explain_files files = {.x = x, .p = w};
	int r = w->has_job ? 0 : copy_job_open(x, st, step, &w->job, err);
	if (r < 0)
		return r;
	w->has_job = true;
	struct co_copy *c = &w->job.copy;
	c->seen = x->o->project ? explain_file : NULL;
	c->seen_ctx = &files;
	c->times = times;
	c->times_max = x->o->layer.clamp ? x->o->layer.epoch : INT64_MAX;
	r = co_copy_digest(c, out, err);
	c->seen = NULL;
	return r;
}

static int copy_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		    struct pending_step *w, struct co_err *err)
{
	struct co_digest *d = co_arena_new(x->a, struct co_digest);
	bool known = false;
	int r = 0;
	/* the identity of a stage's or image's tree is enough: no files are made for a hit */
	if (step->has_from)
		r = origin_key(x, &step->from, &st->config.platform, d, &known, err);
	if (r < 0)
		return r;
	w->by_tree = known;
	if (is_pinned(step)) {
		known = true;
		co_digest_of(d, step->checksum, strlen(step->checksum));
	}
	if (!known)
		r = copy_content(x, st, step, w, false, d, err);
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

/* From what is known of the content. */
static void make_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		     const struct pending_step *w, struct co_digest *key)
{
	struct co_digest state;
	step_state(st, step, &state);
	struct co_key_inputs in = {.content = w->content,
				   .n_content = w->n_content,
				   .network = x->o->network,
				   .epoch = x->o->layer.epoch,
				   .set_times = x->o->epoch_of_commit,
				   .clamp = x->o->layer.clamp};
	co_key_step(key, &state, step, &in);
	encoding_key(x, key);
}

static int step_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		    struct pending_step *w, struct co_digest *key, struct co_err *err)
{
	int r = 0;
	if (step->op == CO_OP_COPY || step->op == CO_OP_ADD)
		r = copy_key(x, st, step, w, err);
	else if (step->op == CO_OP_RUN)
		r = mounts_key(x, st, step, &w->content, &w->n_content, err);
	if (!r)
		make_key(x, st, step, w, key);
	return r;
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

static bool in_cache(struct co_exec *x, const struct stage_run *st, struct pending_step *p,
		     const struct co_digest *key)
{
	return !x->o->no_cache && !st->plan->no_cache &&
	       co_cache_get(x->o->cache, key, &p->layer) && encoding_fits(x, &p->layer);
}

int step_lookup(struct co_exec *x, struct stage_run *st, struct pending_step *p, bool *hit,
		struct co_err *err)
{
	int r = step_key(x, st, &p->step, p, &p->key, err);
	if (r < 0)
		return r;
	p->looked_up = true;
	*hit = in_cache(x, st, p, &p->key);
	/* another tree may have the same files: what is to be said is known after a look at them */
	if (*hit || !p->by_tree)
		explain_step(x, st, p, *hit);
	return 0;
}

/* The files are to be made now anyway, and the step may turn out to be known. Times count: it is
 * the layer that the step would have made. */
static int by_content(struct co_exec *x, struct stage_run *st, struct pending_step *p, bool *hit,
		      struct co_err *err)
{
	struct co_digest *d = co_arena_new(x->a, struct co_digest);
	int r = copy_content(x, st, &p->step, p, true, d, err);
	if (r < 0)
		return r;
	p->content = d;
	make_key(x, st, &p->step, p, &p->content_key);
	*hit = in_cache(x, st, p, &p->content_key);
	explain_step(x, st, p, *hit);
	return 0;
}

int step_work(struct co_exec *x, struct stage_run *st, struct pending_step *p, bool *hit,
	      struct co_err *err)
{
	int64_t start = co_mono_ns();
	int r = p->by_tree ? by_content(x, st, p, hit, err) : 0;
	if (r < 0)
		return r;
	const struct co_digest *key = p->by_tree ? &p->content_key : &p->key;
	if (!*hit) {
		p->apart = is_apart(&p->step);
		r = p->apart ? execute_apart(x, st, &p->step, p, &p->layer, err)
			     : execute(x, st, &p->step, p, &p->layer, err);
		if (!r)
			r = co_cache_put(x->o->cache, key, &p->layer, p->step.title,
					 co_mono_ns() - start, err);
	}
	/* next time nobody has to look at the files */
	if (!r && p->by_tree)
		co_cache_alias(x->o->cache, &p->key, key);
	return r;
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
