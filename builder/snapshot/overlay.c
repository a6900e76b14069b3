/* SPDX-License-Identifier: MIT
 *
 * The overlay backend: every layer is a directory of the store, a step writes into a fresh upper
 * directory, and that directory is the change. Mounts live in this process's private mount
 * namespace (co_place_enter), so none survives it.
 *
 * Whiteouts are character devices 0:0, opaque directories carry user.overlay.opaque ("userxattr",
 * Linux 5.11), which needs no privilege outside a user namespace.
 */
#include "snapshot-internal.h"
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define MAX_LOWERS 500
#define MAX_DEPTH  2000

struct overlay {
	struct co_digest lowers[MAX_LOWERS]; /* bottom first */
	size_t n;
	/* the step at work */
	char name[256]; /* its directory below the store; "" if none */
	int dir;	/* descriptor of it */
	struct co_root merged;
	/* a read-only view of the lowers */
	char view_name[256];
	struct co_root view;
	size_t view_n; /* how many lowers it shows */
};

static int open_lower(struct co_rootfs *r, const struct co_digest *d)
{
	char path[4096];
	if (!co_store_layer_path(r->store, d, path, sizeof(path))) {
		errno = ENOENT;
		return -1;
	}
	return openat(co_store_fd(r->store), path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Descriptors keep the option string short: it must fit a page, whatever the store's path is. */
static int lower_option(struct co_rootfs *r, int dir, struct co_buf *opt, int *fds, size_t *n_fds)
{
	struct overlay *o = r->state;
	co_buf_adds(opt, "lowerdir=");
	for (size_t i = o->n; i > 0; i--) {
		int fd = open_lower(r, &o->lowers[i - 1]);
		if (fd < 0)
			return -1;
		fds[(*n_fds)++] = fd;
		co_buf_addf(opt, "%s/proc/self/fd/%d", i == o->n ? "" : ":", fd);
	}
	/* overlayfs wants a lower directory, and two of them when there is no upper one */
	if (o->n < 2) {
		if (mkdirat(dir, "empty", 0755) < 0 && errno != EEXIST)
			return -1;
		int fd = openat(dir, "empty", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -1;
		fds[(*n_fds)++] = fd;
		co_buf_addf(opt, "%s/proc/self/fd/%d", o->n ? ":" : "", fd);
	}
	return 0;
}

static int mount_overlay(const char *target, const char *options, bool writable)
{
	auto_buf full = CO_BUF_INIT(CO_BUF_SMALL);
	co_buf_addf(&full, "%s,userxattr,index=off%s", options, writable ? ",volatile" : "");
	if (mount("overlay", target, "overlay", writable ? 0 : MS_RDONLY, co_buf_str(&full)) == 0)
		return 0;
	if (!writable || errno != EINVAL)
		return -1;
	co_buf_clear(&full); /* before Linux 5.10 there is no "volatile" */
	co_buf_addf(&full, "%s,userxattr,index=off", options);
	return mount("overlay", target, "overlay", 0, co_buf_str(&full));
}

/* Mounts dir/merged from the lowers and, when writable, dir/fs and dir/work. */
static int mount_stack(struct co_rootfs *r, int dir, bool writable, struct co_root *out,
		       struct co_err *err)
{
	struct overlay *o = r->state;
	auto_buf opt = CO_BUF_INIT(CO_BUF_SMALL);
	int fds[MAX_LOWERS + 1];
	size_t n_fds = 0;
	char target[64];
	auto_fd upper = -1, work = -1, merged = -1;
	int e = lower_option(r, dir, &opt, fds, &n_fds);
	if (!e && mkdirat(dir, "merged", 0755) < 0 && errno != EEXIST)
		e = -1;
	if (!e && writable) {
		upper = openat(dir, "fs", O_PATH | O_DIRECTORY | O_CLOEXEC);
		work = openat(dir, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
		co_buf_addf(&opt, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", upper,
			    work);
	}
	merged = openat(dir, "merged", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(target, sizeof(target), "/proc/self/fd/%d", merged);
	if (!e)
		e = mount_overlay(target, co_buf_str(&opt), writable);
	int saved = errno;
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
	errno = saved;
	if (e < 0)
		return co_fail_sys(err, "mount the overlay of %zu layers", o->n);
	out->fd = openat(dir, "merged", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	out->owners = r->owners;
	return out->fd < 0 ? co_fail_sys(err, "open the mounted overlay") : 0;
}

static void unmount(int dir, struct co_root *root)
{
	char target[64];
	co_root_close(root);
	root->fd = -1;
	auto_fd merged = openat(dir, "merged", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(target, sizeof(target), "/proc/self/fd/%d", merged);
	/* detached: a descriptor that some child still holds must not make it fail */
	if (merged >= 0)
		umount2(target, MNT_DETACH);
}

static bool usable(struct co_store *s)
{
	struct co_rootfs probe = {.ops = &co_rootfs_overlay, .store = s};
	struct co_err err = CO_ERR_INIT;
	const struct co_root *root;
	if (co_rootfs_overlay.open(&probe, &err) < 0)
		return false;
	bool ok = co_rootfs_overlay.begin(&probe, &root, &err) == 0 &&
		  mknodat(root->fd, "probe", S_IFCHR, makedev(0, 0)) == 0;
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

static int push_lower(struct overlay *o, const struct co_digest *d, struct co_err *err)
{
	if (o->n == MAX_LOWERS)
		return co_fail(err, CO_E_LIMIT, "more than %d layers", MAX_LOWERS);
	o->lowers[o->n++] = *d;
	return 0;
}

static int unpack_blob(struct co_rootfs *r, const struct co_layer *layer, int fsfd,
		       struct co_err *err)
{
	int fd;
	int64_t size;
	int e = co_store_blob_fd(r->store, &layer->desc.digest, &fd, &size, err);
	if (e < 0)
		return e;
	struct co_digest got;
	struct co_source_stream *raw = co_stream_inflate(co_stream_fd(fd, true, "layer"), 0);
	struct co_source_stream *in = co_stream_hash(raw, CO_SHA256, &got, NULL);
	struct co_tar_reader *tar;
	e = co_tar_reader_open(&tar, in, NULL, err);
	if (e < 0)
		return e;
	struct co_root root = {.fd = fsfd, .owners = r->owners};
	struct co_unpack u = {.mode = CO_UNPACK_OVERLAY, .root = &root, .dest = "", .bus = r->bus};
	e = co_unpack(tar, &u, err);
	co_tar_reader_close(tar);
	if (!e && !co_digest_eq(&got, &layer->diff_id)) {
		char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
		e = co_fail(err, CO_E_INTEGRITY, "its content is %s, the image says %s",
			    co_digest_str(&got, a), co_digest_str(&layer->diff_id, b));
	}
	return e;
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

static int add_layer(struct co_rootfs *r, const struct co_layer *layer, struct co_err *err)
{
	char path[4096], name[256] = "";
	if (co_store_layer_path(r->store, &layer->diff_id, path, sizeof(path)))
		return push_lower(r->state, &layer->diff_id, err);
	auto_fd dir = -1;
	int e = begin_dir(r, name, sizeof(name), &dir, err);
	auto_fd fsfd = e ? -1 : openat(dir, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!e && fsfd < 0)
		e = co_fail_sys(err, "open a layer directory");
	if (!e)
		e = unpack_blob(r, layer, fsfd, err);
	if (!e)
		e = co_store_layer_publish(r->store, name, &layer->diff_id, err);
	if (e < 0) {
		char text[CO_DIGEST_TEXT];
		drop_dir(r, name);
		return co_wrap(err, "unpack layer %s", co_digest_str(&layer->desc.digest, text));
	}
	return push_lower(r->state, &layer->diff_id, err);
}

static int begin(struct co_rootfs *r, const struct co_root **root, struct co_err *err)
{
	struct overlay *o = r->state;
	int e = begin_dir(r, o->name, sizeof(o->name), &o->dir, err);
	if (!e && mkdirat(o->dir, "work", 0755) < 0)
		e = co_fail_sys(err, "make the work directory");
	if (!e)
		e = mount_stack(r, o->dir, true, &o->merged, err);
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
	unmount(o->dir, &o->merged);
	drop_dir(r, o->name);
	co_close_fd(&o->dir);
}

/* ---- the diff: a walk of the upper directory ---- */

struct walk {
	struct co_rootfs *r;
	struct layer_out *out;
	const struct co_root *lower; /* the tree before the step; NULL for the first layer */
	struct co_root upper;
	char path[8192];
	size_t len;
	unsigned depth;
};

static bool is_opaque(int dirfd, const char *name)
{
	char fdpath[64], value[4];
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	snprintf(fdpath, sizeof(fdpath), "/proc/self/fd/%d", fd);
	return fd >= 0 && getxattr(fdpath, "user.overlay.opaque", value, sizeof(value)) == 1 &&
	       value[0] == 'y';
}

/* A directory that only was copied up, with nothing different in it, is no change. */
static bool same_as_lower(struct walk *w, int fd, const struct co_meta *m)
{
	if (!w->lower)
		return false;
	const char *base;
	struct co_meta old;
	auto_fd parent = co_inroot_parent(w->lower->fd, w->path, &base);
	if (parent < 0 || !*base || co_root_stat(w->lower, parent, base, &old) < 0)
		return false;
	if (old.mode != m->mode || old.uid != m->uid || old.gid != m->gid ||
	    old.mtime.tv_sec != m->mtime.tv_sec || old.mtime.tv_nsec != m->mtime.tv_nsec)
		return false;
	char a[256], b[256];
	ssize_t na = co_root_listxattr(&w->upper, fd, "", a, sizeof(a));
	ssize_t nb = co_root_listxattr(w->lower, parent, base, b, sizeof(b));
	return na == 0 && nb == 0;
}

static int walk_dir(struct walk *w, int fd, struct co_err *err);

static int walk_subdir(struct walk *w, int dirfd, const char *name, const struct co_meta *m,
		       struct co_err *err)
{
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "open directory /%s", w->path);
	struct names probe;
	int e = names_read(&probe, fd, err);
	if (e < 0)
		return e;
	bool empty = probe.n == 0;
	names_release(&probe);
	bool opaque = is_opaque(dirfd, name);
	if (empty && !opaque && same_as_lower(w, fd, m))
		return 0;
	e = layer_add(w->out, dirfd, name, w->path, m, err);
	if (!e && opaque)
		e = layer_opaque(w->out, w->path, err);
	if (!e && !empty)
		e = walk_dir(w, fd, err);
	if (!e && layer_settle_dir(w->out, dirfd, name, m) < 0)
		e = co_fail_sys(err, "set the time of /%s", w->path);
	return e;
}

static int walk_entry(struct walk *w, int dirfd, const char *name, struct co_err *err)
{
	struct co_meta m;
	if (co_root_stat(&w->upper, dirfd, name, &m) < 0)
		return co_fail_sys(err, "stat /%s", w->path);
	if (S_ISCHR(m.mode) && m.dev_major == 0 && m.dev_minor == 0)
		return layer_whiteout(w->out, w->path, err);
	if (S_ISDIR(m.mode))
		return walk_subdir(w, dirfd, name, &m, err);
	return layer_add(w->out, dirfd, name, w->path, &m, err);
}

static int walk_dir(struct walk *w, int fd, struct co_err *err)
{
	if (++w->depth > MAX_DEPTH)
		return co_fail(err, CO_E_LIMIT, "directories nested deeper than %d", MAX_DEPTH);
	struct names names;
	int e = names_read(&names, fd, err);
	size_t len = w->len;
	for (size_t i = 0; e == 0 && i < names.n; i++) {
		size_t n = strlen(names.items[i]);
		if (len + n + 2 > sizeof(w->path)) {
			e = co_fail(err, CO_E_LIMIT, "path too long below /%s", w->path);
			break;
		}
		if (len)
			w->path[len] = '/';
		memcpy(w->path + len + (len > 0), names.items[i], n + 1);
		w->len = len + (len > 0) + n;
		e = walk_entry(w, fd, names.items[i], err);
		w->len = len;
		w->path[len] = '\0';
	}
	names_release(&names);
	w->depth--;
	return e;
}

static int view(struct co_rootfs *r, const struct co_root **root, struct co_err *err);

static int write_layer(struct co_rootfs *r, int fsfd, const struct co_layer_opts *opts,
		       struct co_layer *out, struct co_err *err)
{
	struct overlay *o = r->state;
	struct layer_out l;
	struct walk *w = co_xcalloc(1, sizeof(*w));
	w->r = r;
	w->out = &l;
	w->upper = (struct co_root){.fd = fsfd, .owners = r->owners};
	int e = o->n ? view(r, &w->lower, err) : 0;
	if (!e)
		e = layer_begin(&l, r->store, &w->upper, opts, r->bus, err);
	if (!e) {
		l.settle = true;
		e = walk_dir(w, fsfd, err);
		if (e < 0)
			layer_abort(&l);
		else
			e = layer_finish(&l, out, err);
	}
	free(w);
	return e;
}

static int overlay_commit(struct co_rootfs *r, const struct co_layer_opts *opts,
			  struct co_layer *out, struct co_err *err)
{
	struct overlay *o = r->state;
	unmount(o->dir, &o->merged);
	auto_fd fsfd = openat(o->dir, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct co_layer layer;
	int e = fsfd < 0 ? co_fail_sys(err, "open the step's changes")
			 : write_layer(r, fsfd, opts, &layer, err);
	if (!e)
		e = co_remove_tree(o->dir, "work", err);
	if (!e && unlinkat(o->dir, "merged", AT_REMOVEDIR) < 0)
		e = co_fail_sys(err, "remove the mount point");
	unlinkat(o->dir, "empty", AT_REMOVEDIR);
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
	unmount(dir, &o->view);
	drop_dir(r, o->view_name);
}

static int view(struct co_rootfs *r, const struct co_root **root, struct co_err *err)
{
	struct overlay *o = r->state;
	if (*o->view_name && o->view_n == o->n) {
		*root = &o->view;
		return 0;
	}
	close_view(r);
	auto_fd dir = -1;
	int e = co_store_layer_begin(r->store, o->view_name, sizeof(o->view_name), &dir, err);
	if (!e)
		e = mount_stack(r, dir, false, &o->view, err);
	if (e < 0) {
		drop_dir(r, o->view_name);
		return e;
	}
	o->view_n = o->n;
	*root = &o->view;
	return 0;
}

static int overlay_fork(struct co_rootfs *to, struct co_rootfs *from, struct co_err *err)
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
	.begin = begin,
	.commit = overlay_commit,
	.abort = overlay_abort,
	.view = view,
	.fork = overlay_fork,
	.close = overlay_close,
};
