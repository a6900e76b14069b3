/* SPDX-License-Identifier: MIT
 *
 * Mounting a stack of layers. Mounts live in this process's private mount namespace
 * (co_place_enter), so none survives it.
 */
#include "overlay-internal.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

static int open_lower(struct co_rootfs *r, const struct co_digest *d)
{
	char path[4096];
	if (!co_store_layer_path(r->store, d, path, sizeof(path))) {
		errno = ENOENT;
		return -1;
	}
	return openat(co_store_fd(r->store), path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A layer that lies higher up once more (two steps that changed nothing make the same one): all
 * that it does is done up there, and overlayfs refuses a directory that is named twice. */
static bool covered(const struct overlay *o, size_t index)
{
	for (size_t i = index + 1; i < o->n; i++)
		if (co_digest_eq(&o->lowers[i], &o->lowers[index]))
			return true;
	return false;
}

/* Descriptors keep the option string short: it must fit a page, whatever the store's path is. */
static int lower_option(struct co_rootfs *r, int dir, struct co_buf *opt, int *fds, size_t *n_fds)
{
	struct overlay *o = r->state;
	co_buf_adds(opt, "lowerdir=");
	for (size_t i = o->n; i > 0; i--) {
		if (covered(o, i - 1))
			continue;
		int fd = open_lower(r, &o->lowers[i - 1]);
		if (fd < 0)
			return -1;
		fds[(*n_fds)++] = fd;
		co_buf_addf(opt, "%s/proc/self/fd/%d", i == o->n ? "" : ":", fd);
	}
	/* overlayfs wants a lower directory, and two of them when there is no upper one */
	static const char *const empty[] = {"empty", "empty2"};
	for (size_t i = 0; *n_fds < 2; i++) {
		if (mkdirat(dir, empty[i], 0755) < 0 && errno != EEXIST)
			return -1;
		int fd = openat(dir, empty[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -1;
		co_buf_addf(opt, "%s/proc/self/fd/%d", *n_fds ? ":" : "", fd);
		fds[(*n_fds)++] = fd;
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

int overlay_mount(struct co_rootfs *r, int dir, bool writable, struct co_root *out,
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

void overlay_unmount(int dir, struct co_root *root)
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
