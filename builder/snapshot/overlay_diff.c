/* SPDX-License-Identifier: MIT
 *
 * The upper directory beside the tree below it. Opaque directories are compared entry by entry, so
 * that the layer is the same as the one of a backend that knows no opaqueness.
 */
#include "overlay-internal.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

struct lower_dir {
	int fd;
};

static void *lower_enter(void *ctx, void *dir, const char *name)
{
	const struct co_root *lower = ctx;
	if (!lower)
		return NULL;
	int at = dir ? ((struct lower_dir *)dir)->fd : lower->fd;
	int fd = openat(at, dir ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct lower_dir *d = co_xcalloc(1, sizeof(*d));
	d->fd = fd;
	return d;
}

static void lower_leave(void *ctx, void *dir)
{
	(void)ctx;
	struct lower_dir *d = dir;
	close(d->fd);
	free(d);
}

static bool lower_stat(void *ctx, void *dir, const char *name, struct co_meta *out)
{
	return co_root_stat(ctx, ((struct lower_dir *)dir)->fd, name, out) == 0;
}

static int lower_names(void *ctx, void *dir, struct co_names *out, struct co_err *err)
{
	(void)ctx;
	return names_read(out, ((struct lower_dir *)dir)->fd, err);
}

static int same_target(int a, int b, const char *name)
{
	char x[4097], y[4097];
	ssize_t n = readlinkat(a, name, x, sizeof(x)), m = readlinkat(b, name, y, sizeof(y));
	return n >= 0 && n == m && !memcmp(x, y, (size_t)n);
}

static int lower_same(void *ctx, const struct same_query *q, struct co_err *err)
{
	const struct co_root *lower = ctx;
	int dir = ((struct lower_dir *)q->dir)->fd;
	if (!same_xattrs(lower, dir, q->name, q->root, q->dirfd, q->name))
		return 0;
	if (S_ISLNK(q->is->mode))
		return same_target(dir, q->dirfd, q->name);
	if (!S_ISREG(q->is->mode))
		return 1;
	auto_fd a = co_root_open_read(lower, dir, q->name);
	auto_fd b = co_root_open_read(q->root, q->dirfd, q->name);
	int r = a < 0 || b < 0 ? -1 : same_bytes(a, b);
	return r < 0 ? co_fail_sys(err, "compare /%s", q->path) : r;
}

static const struct old_ops lower_ops = {lower_enter, lower_leave, lower_stat, lower_names,
					 lower_same};

static bool is_opaque(void *ctx, int dirfd, const char *name)
{
	(void)ctx;
	char fdpath[64], value[4];
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	snprintf(fdpath, sizeof(fdpath), "/proc/self/fd/%d", fd);
	return fd >= 0 && getxattr(fdpath, "user.overlay.opaque", value, sizeof(value)) == 1 &&
	       value[0] == 'y';
}

int overlay_diff(struct layer_out *out, int upper, const struct co_root *lower, struct co_err *err)
{
	struct old_tree old = {&lower_ops, (void *)lower};
	struct new_tree now = {.whiteouts = true, .replaced = is_opaque};
	return diff_write(out, upper, &old, &now, err);
}
