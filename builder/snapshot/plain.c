/* SPDX-License-Identifier: MIT
 *
 * The plain backend: one directory tree, changed in place; a step's changes are found by walking it
 * and comparing with the state after the step before. For places without overlayfs. An entry whose
 * device, inode and ctime did not change was not changed (ctime can not be set by a program); what
 * the ownership table claims is compared itself.
 */
#include "plain-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdlib.h>

struct plain {
	char name[256]; /* of its directory, below the store */
	int dir;	/* descriptor of it */
	struct co_root root;
	struct plain_tree *was; /* NULL: to be read */
	struct layer_index *index;
	struct co_layer *layers; /* owned */
	size_t n;
	size_t ahead; /* how many of the next layers are in the tree already */
	struct co_store *store;
};

static bool usable(struct co_store *s)
{
	(void)s;
	return true;
}

static int plain_open(struct co_rootfs *r, struct co_err *err)
{
	struct plain *p = co_xcalloc(1, sizeof(*p));
	p->dir = p->root.fd = -1;
	p->store = r->store;
	r->state = p;
	int e = co_store_layer_begin(r->store, p->name, sizeof(p->name), &p->dir, err);
	if (!e && (mkdirat(p->dir, "fs", 0755) < 0 || fchmodat(p->dir, "fs", 0755, 0) < 0))
		e = co_fail_sys(err, "make the root directory");
	if (!e)
		p->root = (struct co_root){
			.fd = openat(p->dir, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			.owners = r->owners};
	if (!e && p->root.fd < 0)
		e = co_fail_sys(err, "open the root directory");
	if (e < 0)
		co_rootfs_plain.close(r);
	return e;
}

static void push_layer(struct plain *p, const struct co_layer *layer)
{
	p->layers = co_xrealloc(p->layers, p->n + 1, sizeof(*p->layers));
	p->layers[p->n++] = *layer;
}

static int add_layer(struct co_rootfs *r, const struct co_layer *layer, struct co_err *err)
{
	struct plain *p = r->state;
	plain_tree_free(co_steal(&p->was));
	if (p->ahead) {
		p->ahead--;
		push_layer(p, layer);
		return 0;
	}
	int e = unpack_layer(r, layer, &p->root, CO_UNPACK_FLAT, err);
	if (e < 0) {
		char text[CO_DIGEST_TEXT];
		return co_wrap(err, "unpack layer %s", co_digest_str(&layer->desc.digest, text));
	}
	push_layer(p, layer);
	return 0;
}

static bool empty(const struct co_rootfs *r)
{
	const struct plain *p = r->state;
	return !p->n && !p->was;
}

static int taken(struct co_rootfs *r, size_t n, struct co_err *err)
{
	if (!n) {
		co_rootfs_plain.close(r);
		return plain_open(r, err);
	}
	((struct plain *)r->state)->ahead = n;
	return 0;
}

static int begin(struct co_rootfs *r, const struct co_root **root, struct co_err *err)
{
	struct plain *p = r->state;
	int e = p->was ? 0 : plain_tree_capture(&p->was, &p->root, err);
	if (!e)
		*root = &p->root;
	return e;
}

/* ---- the state before, for the diff ---- */

static void *old_enter(void *ctx, void *dir, const char *name)
{
	struct plain *p = ctx;
	return dir ? plain_tree_find(dir, name) : &p->was->root;
}

static void old_leave(void *ctx, void *dir)
{
	(void)ctx;
	(void)dir;
}

static bool old_stat(void *ctx, void *dir, const char *name, struct co_meta *out)
{
	(void)ctx;
	const struct plain_node *node = plain_tree_find(dir, name);
	if (node)
		*out = node->m;
	return node != NULL;
}

static int old_names(void *ctx, void *dir, struct co_names *out, struct co_err *err)
{
	(void)ctx;
	(void)err;
	const struct plain_node *d = dir;
	out->items = co_arena_alloc(&out->arena, (d->n + 1) * sizeof(*out->items));
	for (size_t i = 0; i < d->n; i++)
		out->items[i] = (char *)d->children[i].name;
	out->n = d->n;
	return 0;
}

static int old_same(void *ctx, const struct same_query *q, struct co_err *err)
{
	struct plain *p = ctx;
	if (q->was->dev == q->is->dev && q->was->ino == q->is->ino &&
	    q->was->ctime.tv_sec == q->is->ctime.tv_sec &&
	    q->was->ctime.tv_nsec == q->is->ctime.tv_nsec && q->was->attrs == q->is->attrs)
		return 1;
	if (!p->index)
		p->index = layer_index_new();
	int e = layer_index_update(p->index, p->store, p->layers, p->n, err);
	return e < 0 ? e : layer_index_same(p->index, q, err);
}

static const struct old_ops old_ops = {old_enter, old_leave, old_stat, old_names, old_same};

static void *record(void *ctx, void *dir, const char *name, const struct co_meta *m)
{
	return plain_tree_add(ctx, dir, name, m);
}

static void update(void *ctx, void *entry, const struct co_meta *m)
{
	(void)ctx;
	struct plain_node *node = entry;
	if (node)
		node->m = *m;
}

static int write_layer(struct co_rootfs *r, const struct co_layer_opts *opts,
		       struct plain_tree *after, struct co_layer *out, struct co_err *err)
{
	struct plain *p = r->state;
	struct layer_out l;
	struct old_tree old = {&old_ops, p};
	struct new_tree now = {.complete = true,
			       .record = record,
			       .update = update,
			       .record_root = &after->root,
			       .ctx = after};
	int e = layer_begin(&l, r->store, &p->root, opts, r->bus, err);
	if (e < 0)
		return e;
	l.settle = true;
	e = diff_write(&l, p->root.fd, &old, &now, err);
	if (!e)
		return layer_finish(&l, out, err);
	layer_abort(&l);
	return e;
}

static int commit(struct co_rootfs *r, const struct co_layer_opts *opts, struct co_layer *out,
		  struct co_err *err)
{
	struct plain *p = r->state;
	struct plain_tree *after = plain_tree_new();
	struct co_layer layer;
	int e = write_layer(r, opts, after, &layer, err);
	plain_tree_free(p->was);
	p->was = e ? NULL : after;
	if (e < 0) {
		plain_tree_free(after);
		return e;
	}
	push_layer(p, &layer);
	*out = layer;
	return 0;
}

/* What was changed stays changed: a build does not go on after a failed step. */
static void plain_abort(struct co_rootfs *r)
{
	struct plain *p = r->state;
	plain_tree_free(co_steal(&p->was));
}

static int view(struct co_rootfs *r, const struct co_root **root, struct co_err *err)
{
	(void)err;
	*root = &((struct plain *)r->state)->root;
	return 0;
}

static int plain_reader(struct co_rootfs *to, struct co_rootfs *from, struct co_err *err)
{
	const struct plain *f = from->state;
	struct plain *p = co_xcalloc(1, sizeof(*p));
	p->dir = -1;
	p->store = from->store;
	p->root = (struct co_root){.fd = fcntl(f->root.fd, F_DUPFD_CLOEXEC, 3),
				   .owners = from->owners};
	if (p->root.fd < 0) {
		free(p);
		return co_fail_sys(err, "open the tree again");
	}
	to->state = p;
	return 0;
}

static void plain_close(struct co_rootfs *r)
{
	struct plain *p = r->state;
	if (!p)
		return;
	if (p->dir >= 0 && co_root_remove(&p->root, p->dir, "fs") < 0)
		co_warn(r->bus, NULL, "could not remove %s: %s", p->name, strerror(errno));
	struct co_err ignore = CO_ERR_INIT;
	if (*p->name && co_remove_tree(co_store_fd(r->store), p->name, &ignore) < 0)
		co_warn(r->bus, NULL, "could not remove %s: %s", p->name, ignore.msg);
	co_root_close(&p->root);
	co_close_fd(&p->dir);
	plain_tree_free(p->was);
	layer_index_free(p->index);
	free(p->layers);
	free(p);
	r->state = NULL;
}

const struct co_rootfs_ops co_rootfs_plain = {
	.name = "plain",
	.keeps_inodes = true,
	.usable = usable,
	.open = plain_open,
	.add_layer = add_layer,
	.empty = empty,
	.taken = taken,
	.begin = begin,
	.commit = commit,
	.abort = plain_abort,
	.view = view,
	.reader = plain_reader,
	.close = plain_close,
};
