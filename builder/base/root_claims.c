/* SPDX-License-Identifier: MIT */
#include "root-internal.h"
#include <cooper/auto.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

uint32_t claims_disk_mode(uint32_t mode)
{
	if (S_ISDIR(mode))
		return (mode & 01777) | 0700;
	return (mode & 0777) | 0600;
}

/* What a file is when the table is silent: its mode on disk, owned by 0:0. */
static void unclaimed(const struct stat *st, struct co_own *out)
{
	*out = (struct co_own){.mode = st->st_mode,
			       .dev_major = major(st->st_rdev),
			       .dev_minor = minor(st->st_rdev)};
}

static int read_both(const struct co_root *r, int dirfd, const char *name, struct stat *st,
		     struct owntab_key *key, struct co_own *out)
{
	if (co_owntab_stat(dirfd, name, key, st) < 0)
		return -1;
	/* a claim of another type is a step's nonsense, unless it makes a file a device */
	if (!co_owntab_get(r->owners, key, out) ||
	    ((out->mode ^ st->st_mode) & S_IFMT &&
	     !(S_ISREG(st->st_mode) && (S_ISCHR(out->mode) || S_ISBLK(out->mode)))))
		unclaimed(st, out);
	return 0;
}

int claims_read(const struct co_root *r, int dirfd, const char *name, struct owntab_key *key,
		struct co_own *out)
{
	struct stat st;
	return read_both(r, dirfd, name, &st, key, out);
}

int claims_stat(const struct co_root *r, int dirfd, const char *name, struct co_meta *out)
{
	struct stat st;
	struct owntab_key key;
	struct co_own own;
	if (read_both(r, dirfd, name, &st, &key, &own) < 0)
		return -1;
	bool device = S_ISCHR(own.mode) || S_ISBLK(own.mode);
	*out = (struct co_meta){.mode = own.mode,
				.uid = own.uid,
				.gid = own.gid,
				.dev_major = own.dev_major,
				.dev_minor = own.dev_minor,
				.size = device ? 0 : (uint64_t)st.st_size,
				.mtime = st.st_mtim,
				.dev = st.st_dev,
				.ino = st.st_ino,
				.nlink = st.st_nlink,
				.ctime = st.st_ctim,
				.attrs = own.attrs};
	return 0;
}

int claims_new(const struct co_root *r, int dirfd, const char *name, uint32_t mode,
	       uint32_t major_no, uint32_t minor_no)
{
	struct owntab_key key;
	if (co_owntab_key(dirfd, name, &key, NULL) < 0)
		return -1;
	if (S_ISFIFO(mode))
		co_owntab_note_fifo(r->owners);
	/* a new file has nothing of an earlier one with its inode number, attributes included */
	co_owntab_remove(r->owners, &key);
	if (S_ISLNK(mode) || (mode & 07777) == claims_disk_mode(mode))
		return 0;
	struct co_own own = {.mode = mode, .dev_major = major_no, .dev_minor = minor_no};
	return co_owntab_set(r->owners, &key, &own);
}

int claims_set(const struct co_root *r, int dirfd, const char *name, uint32_t uid, uint32_t gid,
	       uint32_t mode)
{
	struct owntab_key key;
	struct co_own own;
	if (claims_read(r, dirfd, name, &key, &own) < 0)
		return -1;
	bool link = S_ISLNK(own.mode), device = S_ISCHR(own.mode) || S_ISBLK(own.mode);
	own.uid = uid;
	own.gid = gid;
	if (!link)
		own.mode = (own.mode & S_IFMT) | (mode & 07777);
	uint32_t disk = device ? 0 : claims_disk_mode(own.mode);
	if (!link && root_change_mode(dirfd, name, disk) < 0)
		return -1;
	struct co_own had;
	bool plain = !uid && !gid && !device && (link || disk == (own.mode & 07777));
	if (plain && !co_owntab_get(r->owners, &key, &had))
		return 0;
	return co_owntab_set(r->owners, &key, &own);
}

int claims_mkdev(const struct co_root *r, int dirfd, const char *name, uint32_t mode,
		 uint32_t major_no, uint32_t minor_no)
{
	auto_fd fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	struct owntab_key key;
	struct co_own own = {
		.mode = mode & (S_IFMT | 07777), .dev_major = major_no, .dev_minor = minor_no};
	/* no permissions: a step that opens it must not find a file there */
	if (fchmod(fd, 0) == 0 && co_owntab_key(fd, "", &key, NULL) == 0 &&
	    co_owntab_set(r->owners, &key, &own) == 0)
		return 0;
	int e = errno;
	unlinkat(dirfd, name, 0);
	errno = e;
	return -1;
}

void claims_forget(const struct co_root *r, int dirfd, const char *name)
{
	struct owntab_key key;
	uint64_t nlink;
	if (r->owners && co_owntab_key(dirfd, name, &key, &nlink) == 0 && nlink <= 1)
		co_owntab_remove(r->owners, &key);
}

bool claims_xattr_native(const struct co_own *own, const char *key)
{
	return co_starts(key, "user.") && (S_ISREG(own->mode) || S_ISDIR(own->mode));
}
