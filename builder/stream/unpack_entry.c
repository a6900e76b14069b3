/* SPDX-License-Identifier: MIT
 *
 * unpack_entry.c — one member into the current directory. Nothing is followed: the last component
 * of a member's name replaces what is there (moby GHSA of 2026, kaniko CVE-2026-28406 and family).
 * Order: data, owner, mode, attributes, times: each later one is undone by an earlier one's call.
 */
#include "unpack-internal.h"
#include <cooper/auto.h>
#include <cooper/event.h>
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <string.h>

static void set_xattrs(struct unpacker *x, const struct co_tar_entry *e, int dirfd,
		       const char *name)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct co_xattr *a = &e->xattrs[i];

		if (co_xattr_is_host(a->name) ||
		    co_root_setxattr(x->root, dirfd, name, a->name, a->value, a->size) == 0)
			continue;
		co_warn(x->u->bus, "xattr-lost", "%s: cannot set %s: %s", e->path, a->name,
			strerror(errno));
	}
}

/* What we create belongs to us, or to 0:0 in the ownership table. */
static bool owner_is_right(const struct unpacker *x, const struct co_tar_entry *e)
{
	if (x->root->owners)
		return e->uid == 0 && e->gid == 0;
	return e->uid == x->euid && e->gid == x->egid && !x->parent.set_gid;
}

static int finish_entry(struct unpacker *x, const struct co_tar_entry *e, int dirfd,
			const char *name, bool set_owner, uint32_t mode, struct co_err *err)
{
	if (set_owner &&
	    co_root_set_owner_mode(x->root, dirfd, name, e->uid, e->gid, mode & 07777) < 0)
		return co_root_fail_owner(e->uid, e->gid, err);
	set_xattrs(x, e, dirfd, name);
	return 0;
}

static int set_time(struct unpacker *x, const struct co_tar_entry *e, int dirfd, const char *name,
		    struct co_err *err)
{
	if (co_root_set_mtime(x->root, dirfd, name, e->mtime) < 0)
		return co_fail_sys(err, "set the time");
	return 0;
}

/* Removes what has the member's name. *was_whiteout tells an overlayfs whiteout. */
static int make_room(struct unpacker *x, const char *name, bool *was_whiteout, struct co_err *err)
{
	struct co_meta m;

	*was_whiteout =
		co_root_stat(x->root, x->parent.fd, name, &m) == 0 && is_overlay_whiteout(&m);
	if (co_root_remove(x->root, x->parent.fd, name) < 0)
		return co_fail_sys(err, "replace");
	return 0;
}

static int copy_data(struct unpacker *x, const struct co_tar_entry *e, int fd, struct co_err *err)
{
	int64_t offset, pos = 0;
	const void *data;
	size_t len;
	int r;

	while ((r = co_tar_read_block(x->reader, &data, &len, &offset, err)) > 0) {
		if (!len)
			continue;
		if (offset < 0 || (uint64_t)offset > e->size || len > e->size - (uint64_t)offset)
			return co_fail(err, CO_E_INVALID, "data outside the file");
		if (offset != pos && lseek(fd, offset, SEEK_SET) < 0)
			return co_fail_sys(err, "seek");
		if (co_write_all(fd, data, len) < 0)
			return co_fail_sys(err, "write");
		pos = offset + (int64_t)len;
	}
	if (r == 0 && (uint64_t)pos != e->size && ftruncate(fd, (off_t)e->size) < 0)
		return co_fail_sys(err, "write");
	return r;
}

static int make_file(struct unpacker *x, const struct co_tar_entry *e, const char *name,
		     struct co_err *err)
{
	/* Writing clears set-id bits: such a file gets its mode afterwards. */
	bool late = !owner_is_right(x, e) || (e->mode & 07000);
	uint32_t mode = late ? 0600 : e->mode & 07777;
	auto_fd fd = co_root_create(x->root, x->parent.fd, name, mode);
	bool whiteout;
	int r;

	if (fd < 0 && errno == EEXIST) {
		if ((r = make_room(x, name, &whiteout, err)) < 0)
			return r;
		fd = co_root_create(x->root, x->parent.fd, name, mode);
	}
	if (fd < 0)
		return co_fail_sys(err, "create");
	if ((r = copy_data(x, e, fd, err)) < 0 ||
	    (r = finish_entry(x, e, fd, "", late, e->mode, err)) < 0)
		return r;
	return set_time(x, e, fd, "", err);
}

/* An unprivileged owner locks itself out by its own directory modes; they wait. */
static bool locks_out(const struct unpacker *x, uint32_t mode)
{
	return !x->root->owners && x->euid != 0 && (mode & 0700) != 0700;
}

static int make_dir(struct unpacker *x, const struct co_tar_entry *e, const char *full,
		    const char *name, struct co_err *err)
{
	bool late = locks_out(x, e->mode), whiteout = false, exists = false;
	uint32_t mode = (e->mode & 07777) | (late ? 0700 : 0);
	int fd = x->parent.fd, r = co_root_mkdir(x->root, fd, name, mode);
	struct co_meta m;

	if (r < 0 && errno == EEXIST) {
		exists = co_root_stat(x->root, fd, name, &m) == 0 && S_ISDIR(m.mode);
		if (!exists) {
			if (make_room(x, name, &whiteout, err) < 0)
				return err->code;
			r = co_root_mkdir(x->root, fd, name, mode);
		}
	}
	if (r < 0 && !exists)
		return co_fail_sys(err, "make the directory");
	if (whiteout && x->u->mode == CO_UNPACK_OVERLAY && (r = set_opaque(x, fd, name, err)) < 0)
		return r;
	if ((r = finish_entry(x, e, fd, name, exists || !owner_is_right(x, e), mode, err)) < 0)
		return r;
	return late_add(x, full, e, late, err);
}

/* Makes a link or a node; EPERM of a device is 1: it is left out. */
static int create_special(struct unpacker *x, const struct co_tar_entry *e, const char *name)
{
	if (S_ISLNK(e->mode))
		return co_root_symlink(x->root, x->parent.fd, name, e->link);
	return co_root_mknod(x->root, x->parent.fd, name, e->mode & (S_IFMT | 07777), e->dev_major,
			     e->dev_minor);
}

static int make_special(struct unpacker *x, const struct co_tar_entry *e, const char *name,
			struct co_err *err)
{
	bool device = S_ISCHR(e->mode) || S_ISBLK(e->mode), whiteout;
	int r;

	/* Character device 0:0 is overlayfs's own: an image cannot hold one. */
	if (S_ISCHR(e->mode) && !e->dev_major && !e->dev_minor) {
		co_warn(x->u->bus, "device-skipped", "%s: device 0:0 left out", e->path);
		return 0;
	}
	r = create_special(x, e, name);
	if (r < 0 && errno == EEXIST) {
		if ((r = make_room(x, name, &whiteout, err)) < 0)
			return r;
		r = create_special(x, e, name);
	}
	if (r < 0 && device && errno == EPERM) {
		co_warn(x->u->bus, "device-skipped", "%s: device left out: no privilege", e->path);
		return 0;
	}
	if (r < 0)
		return co_fail_sys(err, "create");
	r = finish_entry(x, e, x->parent.fd, name, !owner_is_right(x, e), e->mode, err);
	return r < 0 ? r : set_time(x, e, x->parent.fd, name, err);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Hard links name a member by its whole path from the root, "" being the destination; the parents
 * are resolved inside the root, the file itself is not followed. Source: OCI image-spec layer.md.
 */
static int make_hardlink(struct unpacker *x, const struct co_tar_entry *e, const char *name,
			 struct co_err *err)
{
	char target[FULL_MAX];
	const char *rel, *base;
	struct stat from, to;
	bool whiteout;
	int r = full_path(x, e->link, target, &rel, err);
	auto_fd dir = -1;

	if (r < 0)
		return r;
	dir = *rel ? co_inroot_parent(x->root->fd, target, &base) : -1;
	if (dir < 0 || !*base || fstatat(dir, base, &from, AT_SYMLINK_NOFOLLOW) < 0)
		return co_fail(err, CO_E_INVALID, "hard link to %s, which does not exist", e->link);
	if (S_ISDIR(from.st_mode) || (S_ISCHR(from.st_mode) && from.st_rdev == 0))
		return co_fail(err, CO_E_INVALID, "hard link to %s, which is no file", e->link);
	if (fstatat(x->parent.fd, name, &to, AT_SYMLINK_NOFOLLOW) == 0) {
		if (same_file(&from, &to))
			return 0;
		if ((r = make_room(x, name, &whiteout, err)) < 0)
			return r;
	}
	if (linkat(dir, base, x->parent.fd, name, 0) < 0)
		return co_fail_sys(err, "link to %s", e->link);
	return 0;
}

int entry_make(struct unpacker *x, const struct co_tar_entry *e, const char *full, const char *name,
	       struct co_err *err)
{
	int r;

	if (e->hardlink)
		r = make_hardlink(x, e, name, err);
	else if (S_ISREG(e->mode))
		r = make_file(x, e, name, err);
	else if (S_ISDIR(e->mode))
		r = make_dir(x, e, full, name, err);
	else if (S_ISLNK(e->mode) || S_ISCHR(e->mode) || S_ISBLK(e->mode) || S_ISFIFO(e->mode))
		r = make_special(x, e, name, err);
	else
		r = co_fail(err, CO_E_INVALID, "a member of an unknown type");
	if (r == 0)
		made_add(x, name);
	return r;
}

int entry_root(struct unpacker *x, const struct co_tar_entry *e, struct co_err *err)
{
	auto_fd fd = -1;
	int r = parent_enter(x, x->dest, true, err);

	if (r < 0)
		return r;
	fd = co_inroot_open(x->root->fd, x->dest, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return co_fail_sys(err, "open the root");
	if ((r = finish_entry(x, e, fd, "", true, e->mode | (locks_out(x, e->mode) ? 0700 : 0),
			      err)) < 0)
		return r;
	return late_add(x, x->dest, e, locks_out(x, e->mode), err);
}
