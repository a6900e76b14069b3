/* SPDX-License-Identifier: MIT
 *
 * The overlay backend: every layer is a directory of the store, a step writes into a fresh upper
 * directory, and the diff looks only there.
 *
 * Whiteouts are character devices 0:0, opaque directories carry user.overlay.opaque ("userxattr",
 * Linux 5.11), which needs no privilege outside a user namespace.
 */
#include "overlay-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

static bool usable(struct co_store *s)
{
	struct co_rootfs probe = {.ops = &co_rootfs_overlay, .store = s};
	struct co_err err = CO_ERR_INIT;
	const struct co_root *root;
	if (co_rootfs_overlay.open(&probe, &err) < 0)
		return false;
	bool ok = co_rootfs_overlay.begin(&probe, &root, &err) == 0;
	/* whiteouts of layers that are unpacked; overlayfs itself refuses them through the mount */
	ok = ok &&
	     mknodat(((struct overlay *)probe.state)->dir, "fs/probe", S_IFCHR, makedev(0, 0)) == 0;
	co_rootfs_overlay.close(&probe);
	return ok;
}

static int overlay_open(struct co_rootfs *r, struct co_err *err)
{
	(void)err;
	struct overlay *o = co_xcalloc(1, sizeof(*o));
	o->dir = o->merged.fd = o->view.fd = -1;
	r->state = o;
	return 0;
}

/* overlayfs refuses to stack a directory twice. A layer that comes again hides all that its first
 * time showed, so that only the last place counts. */
static int push_lower(struct overlay *o, const struct co_digest *d, struct co_err *err)
{
	for (size_t i = 0; i < o->n; i++) {
		if (!co_digest_eq(&o->lowers[i], d))
			continue;
		memmove(&o->lowers[i], &o->lowers[i + 1], (o->n - i - 1) * sizeof(*o->lowers));
		o->n--;
		break;
	}
	o->pushes++;
	if (o->n == MAX_LOWERS)
		return co_fail(err, CO_E_LIMIT, "more than %d layers", MAX_LOWERS);
	o->lowers[o->n++] = *d;
	return 0;
}

/* Directory of one layer or step: NAME/fs, 0755 whatever the umask. */
static int begin_dir(struct co_rootfs *r, char *name, size_t size, int *dir, struct co_err *err)
{
	int e = co_store_layer_begin(r->store, name, size, dir, err);
	if (e < 0)
		return e;
	if (mkdirat(*dir, "fs", 0755) < 0 || fchmodat(*dir, "fs", 0755, 0) < 0)
		return co_fail_sys(err, "make a layer directory");
	return 0;
}

static void drop_dir(struct co_rootfs *r, char *name)
{
	struct co_err ignore = CO_ERR_INIT;
	if (*name && co_remove_tree(co_store_fd(r->store), name, &ignore) < 0)
		co_warn(r->bus, NULL, "could not remove %s: %s", name, ignore.msg);
	*name = '\0';
}

static int unpack(struct co_rootfs *r, const struct co_layer *layer, const bool *spoilt,
		  struct co_err *err)
{
	char name[256] = "";
	auto_fd dir = -1;
	int e = begin_dir(r, name, sizeof(name), &dir, err);
	auto_fd fsfd = e ? -1 : openat(dir, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!e && fsfd < 0)
		e = co_fail_sys(err, "open a layer directory");
	if (!e)
		e = unpack_layer(r, layer, &(struct co_root){.fd = fsfd, .owners = r->owners},
				 CO_UNPACK_OVERLAY, err);
	if (!e && spoilt && *spoilt)
		e = co_fail(err, CO_E_INTERNAL, "not published");
	if (!e)
		e = co_store_layer_publish(r->store, name, &layer->diff_id, err);
	if (e < 0) {
		char text[CO_DIGEST_TEXT];
		drop_dir(r, name);
		return co_wrap(err, "unpack layer %s", co_digest_str(&layer->desc.digest, text));
	}
	return 0;
}

static int add_layer(struct co_rootfs *r, const struct co_layer *layer, struct co_err *err)
{
	char path[4096];
	if (co_store_layer_path(r->store, &layer->diff_id, path, sizeof(path)))
		return push_lower(r->state, &layer->diff_id, err);
	int e = unpack(r, layer, NULL, err);
	return e ? e : push_lower(r->state, &layer->diff_id, err);
}

static int begin(struct co_rootfs *r, const struct co_root **root, struct co_err *err)
{
	struct overlay *o = r->state;
	int e = begin_dir(r, o->name, sizeof(o->name), &o->dir, err);
	if (!e && mkdirat(o->dir, "work", 0755) < 0)
		e = co_fail_sys(err, "make the work directory");
	if (!e)
		e = overlay_mount(r, o->dir, true, &o->merged, err);
	if (e < 0) {
		drop_dir(r, o->name);
		co_close_fd(&o->dir);
		return e;
	}
	*root = &o->merged;
	return 0;
}

static void overlay_abort(struct co_rootfs *r)
{
	struct overlay *o = r->state;
	if (o->dir < 0)
		return;
	overlay_unmount(o->dir, &o->merged);
	drop_dir(r, o->name);
	co_close_fd(&o->dir);
}

static int view(struct co_rootfs *r, const struct co_root **root, struct co_err *err);

static int write_layer(struct co_rootfs *r, int fsfd, const struct co_layer_opts *opts,
		       struct co_layer *out, struct co_err *err)
{
	struct overlay *o = r->state;
	struct layer_out l;
	const struct co_root *lower = NULL;
	struct co_root upper = {.fd = fsfd, .owners = r->owners};
	int e = o->n ? view(r, &lower, err) : 0;
	if (!e)
		e = layer_begin(&l, r->store, &upper, opts, r->bus, err);
	if (e < 0)
		return e;
	l.settle = true;
	e = overlay_diff(&l, fsfd, lower, err);
	if (!e)
		return layer_finish(&l, out, err);
	layer_abort(&l);
	return e;
}

static int overlay_commit(struct co_rootfs *r, const struct co_layer_opts *opts,
			  struct co_layer *out, struct co_err *err)
{
	struct overlay *o = r->state;
	overlay_unmount(o->dir, &o->merged);
	auto_fd fsfd = openat(o->dir, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct co_layer layer;
	int e = fsfd < 0 ? co_fail_sys(err, "open the step's changes")
			 : write_layer(r, fsfd, opts, &layer, err);
	if (!e)
		e = co_remove_tree(o->dir, "work", err);
	if (!e && unlinkat(o->dir, "merged", AT_REMOVEDIR) < 0)
		e = co_fail_sys(err, "remove the mount point");
	unlinkat(o->dir, "empty", AT_REMOVEDIR);
	unlinkat(o->dir, "empty2", AT_REMOVEDIR);
	if (!e)
		e = co_store_layer_publish(r->store, o->name, &layer.diff_id, err);
	if (e < 0)
		drop_dir(r, o->name);
	o->name[0] = '\0';
	co_close_fd(&o->dir);
	if (!e)
		e = push_lower(o, &layer.diff_id, err);
	if (!e)
		*out = layer;
	return e;
}

static void close_view(struct co_rootfs *r)
{
	struct overlay *o = r->state;
	if (!*o->view_name)
		return;
	auto_fd dir =
		openat(co_store_fd(r->store), o->view_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	overlay_unmount(dir, &o->view);
	drop_dir(r, o->view_name);
}

static int view(struct co_rootfs *r, const struct co_root **root, struct co_err *err)
{
	struct overlay *o = r->state;
	if (*o->view_name && o->view_pushes == o->pushes) {
		*root = &o->view;
		return 0;
	}
	close_view(r);
	auto_fd dir = -1;
	int e = co_store_layer_begin(r->store, o->view_name, sizeof(o->view_name), &dir, err);
	if (!e)
		e = overlay_mount(r, dir, false, &o->view, err);
	if (e < 0) {
		drop_dir(r, o->view_name);
		return e;
	}
	o->view_pushes = o->pushes;
	*root = &o->view;
	return 0;
}

static int overlay_reader(struct co_rootfs *to, struct co_rootfs *from, struct co_err *err)
{
	int e = overlay_open(to, err);
	if (e < 0)
		return e;
	struct overlay *a = from->state, *b = to->state;
	memcpy(b->lowers, a->lowers, sizeof(b->lowers));
	b->n = a->n;
	return 0;
}

static void overlay_close(struct co_rootfs *r)
{
	overlay_abort(r);
	close_view(r);
	free(co_steal(&r->state));
}

const struct co_rootfs_ops co_rootfs_overlay = {
	.name = "overlay",
	.usable = usable,
	.open = overlay_open,
	.add_layer = add_layer,
	.prepare = unpack,
	.begin = begin,
	.commit = overlay_commit,
	.abort = overlay_abort,
	.view = view,
	.reader = overlay_reader,
	.close = overlay_close,
};
