/* SPDX-License-Identifier: MIT
 *
 * --squash and --single-layer: several layers become one. They are put on top of what stays, one
 * after the other, and what that changes is written like the changes of any step: so the result has
 * no file that a later layer replaced or removed, and is the same wherever it is made.
 */
#include "exec-internal.h"
#include <cooper/clock.h>

static void merge_key(struct co_exec *x, const struct co_built *b, size_t keep,
		      struct co_digest *out)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	int64_t v[3] = {(int64_t)keep, x->o->layer.epoch, x->o->layer.clamp};
	co_hash_field(h, 1, "cooper-merge/1", 14);
	co_hash_field(h, 2, v, sizeof(v));
	for (size_t i = 0; i < b->n_layers; i++)
		co_hash_field(h, 3, b->layers[i].diff_id.bytes, 32);
	co_hash_done(h, out);
	encoding_key(x, out);
}

static int stack(struct co_exec *x, struct co_rootfs *fs, const struct co_built *b, size_t keep,
		 struct co_layer *out, struct co_err *err)
{
	const struct co_root *root;
	int r = 0;
	for (size_t i = 0; r == 0 && i < keep; i++)
		r = co_rootfs_add_layer(fs, &b->layers[i], err);
	if (!r)
		r = co_rootfs_begin(fs, &root, err);
	if (r < 0)
		return r;
	for (size_t i = keep; r == 0 && i < b->n_layers; i++)
		r = co_rootfs_apply(fs, &b->layers[i], root, err);
	if (!r)
		return co_rootfs_commit(fs, &x->o->layer, out, err);
	co_rootfs_abort(fs);
	return r;
}

static int make(struct co_exec *x, const struct co_built *b, size_t keep, struct co_layer *out,
		struct co_err *err)
{
	struct co_rootfs *fs;
	int r = co_exec_fetch(x, err);
	if (!r)
		r = co_rootfs_open(&fs, x->o->store, x->o->rootfs_backend, x->owners, x->o->bus,
				   err);
	if (r < 0)
		return r;
	co_rootfs_limit(fs, &x->o->layer_limits);
	r = stack(x, fs, b, keep, out, err);
	co_rootfs_close(fs);
	return r < 0 ? co_wrap(err, "merge layers") : 0;
}

/* The last entry that made one of the merged layers stands for all of them. */
static void mark_history(struct co_config *c, size_t keep)
{
	struct co_history *last = NULL;
	for (size_t i = 0, n = 0; i < c->n_history; i++) {
		if (c->history[i].empty_layer || n++ < keep)
			continue;
		last = &c->history[i];
		last->empty_layer = true;
	}
	if (last)
		last->empty_layer = false;
}

int co_exec_merge(struct co_exec *x, struct co_built *b, bool all, struct co_err *err)
{
	size_t keep = all || !b->base ? 0 : b->base->n_layers;
	struct co_digest key;
	struct co_layer merged;
	if (b->n_layers < keep + 2)
		return 0;
	merge_key(x, b, keep, &key);
	int r = 0;
	if (x->o->no_cache || !co_cache_get(x->o->cache, &key, &merged) ||
	    !encoding_fits(x, &merged)) {
		int64_t start = co_mono_ns();
		r = make(x, b, keep, &merged, err);
		if (!r)
			r = co_cache_put(x->o->cache, &key, &merged, "merged layers",
					 co_mono_ns() - start, err);
	}
	if (r < 0)
		return r;
	/* the stage goes on having its own */
	struct co_layer *layers = co_arena_alloc(x->a, (keep + 1) * sizeof(*layers));
	struct co_digest *ids = co_arena_alloc(x->a, (keep + 1) * sizeof(*ids));
	for (size_t i = 0; i <= keep; i++) {
		layers[i] = i < keep ? b->layers[i] : merged;
		ids[i] = layers[i].diff_id;
	}
	b->layers = layers;
	b->n_layers = keep + 1;
	b->config.diff_ids = ids;
	b->config.n_diff_ids = keep + 1;
	mark_history(&b->config, keep);
	return 0;
}

/* ---- --force-compression ---- */

static int repack_one(struct co_exec *x, struct co_layer *layer, struct co_err *err)
{
	struct co_digest key;
	struct co_layer out;
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, "cooper-repack/1", 15);
	co_hash_field(h, 2, layer->diff_id.bytes, 32);
	co_hash_done(h, &key);
	encoding_key(x, &key);
	if (!x->o->no_cache && co_cache_get(x->o->cache, &key, &out) && encoding_fits(x, &out) &&
	    co_digest_eq(&out.diff_id, &layer->diff_id)) {
		*layer = out;
		return 0;
	}
	int64_t start = co_mono_ns();
	int r = co_layer_repack(x->o->store, layer, &x->o->layer, &out, err);
	if (!r)
		r = co_cache_put(x->o->cache, &key, &out, "layer packed again",
				 co_mono_ns() - start, err);
	if (!r)
		*layer = out;
	return r;
}

int co_exec_repack(struct co_exec *x, struct co_built *b, struct co_err *err)
{
	struct co_layer *layers = co_arena_alloc(x->a, (b->n_layers + 1) * sizeof(*layers));
	size_t others = 0;
	for (size_t i = 0; i < b->n_layers; i++) {
		layers[i] = b->layers[i];
		others += !encoding_fits(x, &layers[i]);
	}
	if (!others)
		return 0;
	int r = co_exec_fetch(x, err);
	for (size_t i = 0; r == 0 && i < b->n_layers; i++)
		if (!encoding_fits(x, &layers[i]))
			r = repack_one(x, &layers[i], err);
	if (r < 0)
		return co_wrap(err, "pack the base image's layers again");
	b->layers = layers;
	return 0;
}
