/* SPDX-License-Identifier: MIT
 *
 * files.h — handlers of calls that name files. One per row of calls.def.
 */
#pragma once
#include "owner.h"

long h_open(struct call *c);
long h_creat(struct call *c);
long h_openat2(struct call *c);
long h_stat(struct call *c);
long h_lstat(struct call *c);
long h_fstat(struct call *c);
long h_fstatat(struct call *c);
long h_statx(struct call *c);
long h_access(struct call *c);
long h_readlink(struct call *c);
long h_getcwd(struct call *c);
long h_chdir(struct call *c);
long h_fchdir(struct call *c);
long h_chroot(struct call *c);
long h_statfs(struct call *c);
long h_truncate(struct call *c);
long h_inotify(struct call *c);
long h_getdents(struct call *c);
long h_umask(struct call *c);

long h_mkdir(struct call *c);
long h_unlink(struct call *c);
long h_rmdir(struct call *c);
long h_unlinkat(struct call *c);
long h_rename(struct call *c);
long h_link(struct call *c);
long h_symlink(struct call *c);
long h_mknod(struct call *c);

long h_chmod(struct call *c);
long h_fchmod(struct call *c);
long h_chown(struct call *c);
long h_lchown(struct call *c);
long h_fchown(struct call *c);
long h_fchownat(struct call *c);
long h_utime(struct call *c);
long h_utimensat(struct call *c);

long h_getxattr(struct call *c);
long h_setxattr(struct call *c);
long h_listxattr(struct call *c);
long h_removexattr(struct call *c);

/* Gives a just made entry to its maker: owner, group (of a set-group-id directory), and the part of
 * the mode that is not on disk. asked: type and mode of the request, before the umask. */
long new_entry(struct where *w, uint32_t asked, uint32_t dev_major, uint32_t dev_minor);
long new_entry_fd(int fd, struct where *w, uint32_t asked);
/* True when files made now need new_entry. */
bool new_entry_matters(struct where *w, uint32_t asked);
/* chmod of a file that is no link, for who may. */
long change_mode(const struct where *w, struct meta *m, uint32_t mode);
/* EROFS for descriptors of read-only mounts. */
long fd_writable(int fd);
/* proc.c: opens made-up contents of a few files in /proc; 0: not one of them. */
long proc_open(const struct where *w, int flags);
long proc_filter_fds(int fd, char *buf, long n);
