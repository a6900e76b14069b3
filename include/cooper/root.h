/* SPDX-License-Identifier: MIT
 *
 * root.h — a directory tree that stands for an image's root, and the metadata its entries claim.
 *
 * Where the builder may chown (root, or inside a user namespace with an id range), the file system
 * itself carries owner, mode, device number and xattrs: owners == NULL. Where it may not, the
 * ownership table carries them and files on disk stay u+rw: owners != NULL. Everything that writes
 * to or reads from a root (unpack, copy, snapshot) uses these functions, so that the difference is
 * known here only.
 */
#pragma once
#include <cooper/err.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/stat.h>
#include <time.h>

struct co_owntab;
struct co_root {
	int fd;			  /* owned; directory */
	struct co_owntab *owners; /* borrowed; NULL: native metadata */
};

/* What an entry claims to be. */
struct co_meta {
	uint32_t mode; /* type and permission bits */
	uint32_t uid, gid;
	uint32_t dev_major, dev_minor; /* of a device node */
	uint64_t size;
	struct timespec mtime;
	/* identity on disk: */
	uint64_t dev, ino, nlink;
	struct timespec ctime;
	uint32_t attrs; /* another value when attributes in the table were set again */
};

/* All calls address an entry as (dirfd, name) with name one component, or (fd, "") for the object
 * behind fd itself. Links are never followed. Return 0 or -1 with errno. */
int co_root_stat(const struct co_root *r, int dirfd, const char *name, struct co_meta *out);
/* Sets owner, then mode (chown clears set-id bits), of an existing entry. mode's type bits are
 * ignored; links take no mode. */
int co_root_set_owner_mode(const struct co_root *r, int dirfd, const char *name, uint32_t uid,
			   uint32_t gid, uint32_t mode);
/* Why that failed, from errno: UNMAPPED when this user namespace has no such ids (another kind of
 * root can still hold them), else SYSTEM. Returns the code. */
int co_root_fail_owner(uint32_t uid, uint32_t gid, struct co_err *err);
int co_root_set_mtime(const struct co_root *r, int dirfd, const char *name, struct timespec mtime);
/* Creates an entry with exactly these permission bits, whatever the umask; owner is 0:0 until set.
 * mknod: FIFO, character or block device; where the kernel refuses a device it is recorded in the
 * table, or, without one, in an attribute of an empty file (co_root_stat shows the device). */
int co_root_mkdir(const struct co_root *r, int dirfd, const char *name, uint32_t mode);
int co_root_mknod(const struct co_root *r, int dirfd, const char *name, uint32_t mode,
		  uint32_t major, uint32_t minor);
/* Creates (O_EXCL) a regular file for writing; returns the descriptor. */
int co_root_create(const struct co_root *r, int dirfd, const char *name, uint32_t mode);
int co_root_symlink(const struct co_root *r, int dirfd, const char *name, const char *target);
/* Extended attributes by raw name. get returns the length or -1; list gives NUL-separated names
 * and leaves out what belongs to overlayfs or to this host (user.overlay.*, trusted.overlay.*,
 * security.selinux, security.ima, security.evm, system.*). security.capability is normalised to
 * revision 2 on get (the namespace's root id must not reach a layer). */
ssize_t co_root_getxattr(const struct co_root *r, int dirfd, const char *name, const char *key,
			 void *val, size_t size);
int co_root_setxattr(const struct co_root *r, int dirfd, const char *name, const char *key,
		     const void *val, size_t size);
ssize_t co_root_listxattr(const struct co_root *r, int dirfd, const char *name, char *list,
			  size_t size);
/* Does this attribute belong to this host or its overlayfs, and so neither to a layer nor, coming
 * from an image, to the disk (a redirect would lead anywhere in the lower layers)? */
bool co_xattr_is_host(const char *key);
/* Removes an entry, recursively when it is a directory (chmod-ing u+rwx on the way when needed,
 * never following links, never crossing into another mount). ENOENT is success. */
int co_root_remove(const struct co_root *r, int dirfd, const char *name);
/* Opens a regular file for reading whatever its mode says. */
int co_root_open_read(const struct co_root *r, int dirfd, const char *name);
void co_root_close(struct co_root *r);
