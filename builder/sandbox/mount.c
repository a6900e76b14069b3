/* SPDX-License-Identifier: MIT
 *
 * Mounting by descriptor. Linux 5.2 and 5.12 brought calls that need no path at all; where they are
 * missing or refused, mount(2) is given /proc/self/fd paths, and a tree that belongs to the
 * namespace left behind is looked up again by name and checked to be the same object.
 */
#include "sandbox-internal.h"
#include <cooper/fs.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FLAGS (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

static bool missing(void)
{
	return errno == ENOSYS || errno == EPERM;
}

static uint64_t attributes(unsigned long flags)
{
	return (flags & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) |
	       (flags & MS_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
	       (flags & MS_NODEV ? MOUNT_ATTR_NODEV : 0) |
	       (flags & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
}

static void fd_path(char out[32], int fd)
{
	snprintf(out, 32, "/proc/self/fd/%d", fd);
}

static int attach(int tree, int target)
{
	return move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* The object behind fd, found by its name in the namespace we are in now. */
static int same_object_here(int fd)
{
	char link[32], path[4096];
	struct stat a, b;
	fd_path(link, fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return -1;
	path[n] = '\0';
	auto_fd here = open(path, O_PATH | O_CLOEXEC);
	if (here < 0 || fstat(fd, &a) < 0 || fstat(here, &b) < 0)
		return -1;
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino) {
		errno = ESTALE;
		return -1;
	}
	return co_steal_fd(&here);
}

void source_grab(struct source *s, int fd, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	*s = (struct source){.fd = fd, .recursive = recursive};
	s->tree = open_tree(fd, "", flags | (recursive ? AT_RECURSIVE : 0));
	if (s->tree >= 0 || errno != EINVAL || recursive)
		return;
	/* what lies below was mounted by someone with more rights: it cannot be taken off */
	s->tree = open_tree(fd, "", flags | AT_RECURSIVE);
	s->recursive = s->tree >= 0;
}

int source_follow(struct source *s)
{
	if (s->tree >= 0)
		return 0;
	int fd = same_object_here(s->fd);
	if (fd < 0)
		return -1;
	s->fd = fd;
	s->reopened = true;
	return 0;
}

void source_drop(struct source *s)
{
	co_close_fd(&s->tree);
	if (s->reopened)
		co_close_fd(&s->fd);
	s->reopened = false;
}

/* Flags a mount has already; inside a user namespace they may not be taken away. */
static unsigned long present(int fd)
{
	struct statvfs v;
	if (fstatvfs(fd, &v) < 0)
		return 0;
	return (v.f_flag & ST_RDONLY ? MS_RDONLY : 0) | (v.f_flag & ST_NOSUID ? MS_NOSUID : 0) |
	       (v.f_flag & ST_NODEV ? MS_NODEV : 0) | (v.f_flag & ST_NOEXEC ? MS_NOEXEC : 0) |
	       (v.f_flag & ST_NOATIME ? MS_NOATIME : 0) |
	       (v.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0) |
	       (v.f_flag & ST_RELATIME ? MS_RELATIME : 0);
}

/* The topmost mount on target. */
static int on_top(int target)
{
	char link[32], path[4096];
	fd_path(link, target);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return -1;
	path[n] = '\0';
	return open(path, O_PATH | O_CLOEXEC);
}

static int remount(int target, unsigned long flags)
{
	char path[32];
	auto_fd top = on_top(target);
	if (top < 0)
		return -1;
	fd_path(path, top);
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags | present(top), NULL);
}

static int restrict_tree(int tree, unsigned long flags, bool recursive)
{
	struct mount_attr a = {.attr_set = attributes(flags)};
	if (!flags)
		return 0;
	return mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a,
			     sizeof(a));
}

/* By path; what lies below cannot be restricted so. */
static int bind_path(struct source *s, int target, unsigned long flags)
{
	char from[32], to[32];
	fd_path(from, s->fd);
	fd_path(to, target);
	if (s->recursive && flags) {
		errno = ENOSYS;
		return -1;
	}
	if (mount(from, to, NULL, MS_BIND | (s->recursive ? MS_REC : 0), NULL) < 0)
		return -1;
	return flags ? remount(target, flags) : 0;
}

int mount_source(struct source *s, int target, unsigned long flags)
{
	flags &= FLAGS;
	if (s->tree < 0)
		return bind_path(s, target, flags);
	bool later = restrict_tree(s->tree, flags, s->recursive) < 0;
	if (later && (s->recursive || !missing()))
		return -1;
	if (attach(s->tree, target) < 0)
		return -1;
	return later ? remount(target, flags) : 0;
}

int mount_bind(int fd, int target, unsigned long flags)
{
	struct source s;
	source_grab(&s, fd, false);
	int r = mount_source(&s, target, flags);
	source_drop(&s);
	return r;
}

static int configure(int fs, const char *type, const char *data)
{
	char copy[256];
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0) < 0)
		return -1;
	snprintf(copy, sizeof(copy), "%s", data ? data : "");
	for (char *p = copy; *p;) {
		size_t n = strcspn(p, ",");
		char *next = p + n + (p[n] == ',');
		p[n] = '\0';
		char *value = strchr(p, '=');
		if (value)
			*value++ = '\0';
		if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, p, value, 0) < 0)
			return -1;
		p = next;
	}
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

int mount_fs(const char *type, const char *data, unsigned long flags, int target)
{
	char path[32];
	auto_fd fs = fsopen(type, FSOPEN_CLOEXEC);
	if (fs >= 0 && configure(fs, type, data) == 0) {
		auto_fd tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes(flags));
		if (tree >= 0 && attach(tree, target) == 0)
			return 0;
	}
	fd_path(path, target);
	return mount(type, path, type, flags, data);
}

/* Is "/" the kernel's first file system (an initramfs), on which all others are mounted? It is its
 * own parent. A directory somebody called chroot for is in no list of mounts. */
static bool on_first_root(void)
{
	struct co_err ignore = CO_ERR_INIT;
	char *text;
	size_t len;
	int id, parent, n = 0;
	bool first = false;
	if (co_read_file(AT_FDCWD, "/proc/self/mountinfo", 1u << 20, &text, &len, &ignore) < 0)
		return false;
	for (const char *p = text; p && *p && !first; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		n = 0;
		first = sscanf(p, "%d %d %*s / / %n", &id, &parent, &n) == 2 && n && id == parent;
	}
	free(text);
	return first;
}

int root_change(int dir)
{
	if (fchdir(dir) < 0)
		return -1;
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) < 0 ? -1 : chdir("/");
	if (errno != EINVAL)
		return -1;
	/* An initramfs cannot be moved away, but covered: ".." of its root leads to itself and from
	 * there to what covers it, so a second chroot inside finds no way down. Of a directory in
	 * the middle of a file system that would not be true. */
	bool first = on_first_root();
	errno = EINVAL;
	if (!first || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		return -1;
	return chdir("/");
}
