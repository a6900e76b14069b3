/* SPDX-License-Identifier: MIT */
#include "root-internal.h"
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/root.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* Flags that make (dirfd, "") mean dirfd itself. */
static int at_flags(const char *name)
{
	return AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
}

int co_root_stat(const struct co_root *r, int dirfd, const char *name, struct co_meta *out)
{
	struct stat st;
	if (r->owners)
		return claims_stat(r, dirfd, name, out);
	if (fstatat(dirfd, name, &st, at_flags(name)) < 0)
		return -1;
	*out = (struct co_meta){.mode = st.st_mode,
				.uid = st.st_uid,
				.gid = st.st_gid,
				.dev_major = major(st.st_rdev),
				.dev_minor = minor(st.st_rdev),
				.size = (uint64_t)st.st_size,
				.mtime = st.st_mtim,
				.dev = st.st_dev,
				.ino = st.st_ino,
				.nlink = st.st_nlink,
				.ctime = st.st_ctim};
	if (S_ISREG(st.st_mode) && !st.st_size)
		node_read(dirfd, name, out);
	return 0;
}

/* fchmodat has no AT_EMPTY_PATH before Linux 6.6: an open descriptor takes fchmod, an O_PATH one is
 * reached through its name in /proc. */
int root_change_mode(int dirfd, const char *name, uint32_t mode)
{
	char path[64];
	if (*name)
		return fchmodat(dirfd, name, mode & 07777, 0);
	if (fchmod(dirfd, mode & 07777) == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	return chmod(path, mode & 07777);
}

int co_root_set_owner_mode(const struct co_root *r, int dirfd, const char *name, uint32_t uid,
			   uint32_t gid, uint32_t mode)
{
	struct co_meta m;
	if (r->owners)
		return claims_set(r, dirfd, name, uid, gid, mode);
	if (co_root_stat(r, dirfd, name, &m) < 0)
		return -1;
	bool moved = m.uid != uid || m.gid != gid;
	if (moved && fchownat(dirfd, name, uid, gid, at_flags(name)) < 0)
		return -1;
	if (S_ISLNK(m.mode))
		return 0;
	/* chown may have cleared set-id bits, so the mode comes second */
	if (!moved && (m.mode & 07777) == (mode & 07777))
		return 0;
	return root_change_mode(dirfd, name, mode);
}

int co_root_fail_owner(uint32_t uid, uint32_t gid, struct co_err *err)
{
	/* the kernel's answer to an id without a map */
	if (errno != EINVAL)
		return co_fail_sys(err, "set the owner");
	co_fail(err, CO_E_UNMAPPED, "owner %u:%u does not exist in this user namespace", uid, gid);
	return co_hint(err, "give the user more subordinate ids, or build with --sandbox=emulated");
}

int co_root_set_mtime(const struct co_root *r, int dirfd, const char *name, struct timespec mtime)
{
	(void)r;
	struct timespec t[2] = {mtime, mtime};
	if (*name || utimensat(dirfd, "", t, AT_EMPTY_PATH) < 0) {
		if (*name)
			return utimensat(dirfd, name, t, AT_SYMLINK_NOFOLLOW);
		return futimens(dirfd, t);
	}
	return 0;
}

int co_root_mkdir(const struct co_root *r, int dirfd, const char *name, uint32_t mode)
{
	mode = S_IFDIR | (mode & 07777);
	uint32_t disk = r->owners ? claims_disk_mode(mode) : mode & 07777;
	if (mkdirat(dirfd, name, disk) < 0 || fchmodat(dirfd, name, disk, 0) < 0)
		return -1;
	return r->owners ? claims_new(r, dirfd, name, mode, 0, 0) : 0;
}

int co_root_mknod(const struct co_root *r, int dirfd, const char *name, uint32_t mode,
		  uint32_t major_no, uint32_t minor_no)
{
	bool device = S_ISCHR(mode) || S_ISBLK(mode);
	if (r->owners && device)
		return claims_mkdev(r, dirfd, name, mode, major_no, minor_no);
	uint32_t disk = r->owners ? claims_disk_mode(mode) : mode & 07777;
	dev_t dev = device ? makedev(major_no, minor_no) : 0;
	if (mknodat(dirfd, name, (mode & S_IFMT) | disk, dev) < 0)
		return device && errno == EPERM ? node_make(dirfd, name, mode, major_no, minor_no)
						: -1;
	if (fchmodat(dirfd, name, disk, 0) < 0)
		return -1;
	return r->owners ? claims_new(r, dirfd, name, mode, 0, 0) : 0;
}

int co_root_create(const struct co_root *r, int dirfd, const char *name, uint32_t mode)
{
	mode = S_IFREG | (mode & 07777);
	uint32_t disk = r->owners ? claims_disk_mode(mode) : mode & 07777;
	auto_fd fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
		       disk & 0777);
	if (fd < 0)
		return -1;
	struct stat st;
	if ((fstat(fd, &st) < 0 || (st.st_mode & 07777) != disk) && fchmod(fd, disk) < 0)
		return -1;
	if (r->owners && claims_new(r, fd, "", mode, 0, 0) < 0)
		return -1;
	return co_steal_fd(&fd);
}

int co_root_symlink(const struct co_root *r, int dirfd, const char *name, const char *target)
{
	if (symlinkat(target, dirfd, name) < 0)
		return -1;
	return r->owners ? claims_new(r, dirfd, name, S_IFLNK | 0777, 0, 0) : 0;
}

int co_root_open_read(const struct co_root *r, int dirfd, const char *name)
{
	(void)r;
	return openat(dirfd, *name ? name : ".",
		      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

void co_root_close(struct co_root *r)
{
	co_close_fd(&r->fd);
}

/* ---- removal: iterative, so that depth costs neither stack nor descriptors ---- */

static uint64_t mount_of(int fd)
{
	struct statx sx;
	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &sx) == 0 &&
	    (sx.stx_mask & STATX_MNT_ID))
		return sx.stx_mnt_id;
	struct stat st;
	return fstat(fd, &st) == 0 ? (uint64_t)st.st_dev : 0;
}

static int open_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 || errno != EACCES)
		return fd;
	/* our own directory with its mode in the way */
	if (fchmodat(dirfd, name, 0700, 0) < 0)
		return -1;
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Removes what is not a directory; gives the name of the first one that is, or NULL. */
static int clear_files(const struct co_root *r, int dirfd, char *sub, size_t size)
{
	auto_fd copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return -1;
	copy = -1;
	bool writable = false;
	*sub = '\0';
	for (struct dirent *e; (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		claims_forget(r, dirfd, e->d_name);
		if (unlinkat(dirfd, e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno == EACCES && !writable) {
			writable = true;
			if (fchmod(dirfd, 0700) == 0 && unlinkat(dirfd, e->d_name, 0) == 0)
				continue;
		}
		if (errno != EISDIR && errno != EPERM && errno != EACCES)
			return -1;
		if (!*sub)
			snprintf(sub, size, "%s", e->d_name);
	}
	return 0;
}

/* Deep trees: an emptied directory is removed from its parent, found again through "..". The parent
 * is ours and private, so ".." can not have been moved. */
static int remove_below(const struct co_root *r, int dirfd, const char *name)
{
	auto_arena a = CO_ARENA_INIT;
	const char **names = NULL;
	size_t depth = 0, room = 0;
	auto_fd at = open_dir(dirfd, name);
	if (at < 0)
		return -1;
	uint64_t home = mount_of(at);
	char sub[256];
	for (;;) {
		if (clear_files(r, at, sub, sizeof(sub)) < 0)
			return -1;
		int next;
		if (*sub) {
			next = open_dir(at, sub);
			if (next < 0)
				return -1;
			if (mount_of(next) != home) {
				close(next);
				errno = EXDEV;
				return -1;
			}
			if (depth == room)
				room = room ? room * 2 : 16,
				names = memcpy(co_arena_alloc(&a, room * sizeof(*names)),
					       names ? (const void *)names : (const void *)"",
					       depth * sizeof(*names));
			names[depth++] = co_arena_strdup(&a, sub);
		} else {
			if (!depth)
				return unlinkat(dirfd, name, AT_REMOVEDIR);
			next = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (next < 0)
				return -1;
			if (unlinkat(next, names[--depth], AT_REMOVEDIR) < 0) {
				co_close_fd(&next);
				return -1;
			}
		}
		close(at);
		at = next;
	}
}

int co_root_remove(const struct co_root *r, int dirfd, const char *name)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISDIR(st.st_mode))
		claims_forget(r, dirfd, name);
	if (!S_ISDIR(st.st_mode))
		return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -1 : 0;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	return remove_below(r, dirfd, name) < 0 && errno != ENOENT ? -1 : 0;
}
