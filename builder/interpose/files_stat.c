/* SPDX-License-Identifier: MIT
 *
 * Looking at files. The kernel writes into the guest's buffer, which answers for bad pointers; what
 * is virtual is put right there afterwards.
 */
#include "files.h"
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef SYS_newfstatat
#define SYS_newfstatat SYS_fstatat
#endif

static void put_right(struct stat *st, int dir, const char *rel, int flags)
{
	struct meta m;
	struct where w = {.dir = dir, .rel = rel, .follow = !(flags & AT_SYMLINK_NOFOLLOW)};
	uint64_t dev = owntab_dev(major(st->st_dev), minor(st->st_dev));
	if (meta_maybe(dev, st->st_ino) && meta_get(&w, &m) == 0 && m.claimed &&
	    m.key.ino == st->st_ino) {
		st->st_uid = m.uid;
		st->st_gid = m.gid;
		st->st_mode = m.mode;
		if (S_ISCHR(m.mode) || S_ISBLK(m.mode)) {
			st->st_rdev = makedev(m.dev_major, m.dev_minor);
			st->st_size = 0;
		}
	} else if (st->st_uid == g.real_uid) {
		st->st_uid = 0;
		st->st_gid = 0;
	}
}

static long stat_place(struct where *w, struct stat *buf)
{
	long r = ids_on() ? may_reach(w) : 0;
	if (r < 0)
		return r;
	r = sys4(SYS_newfstatat, w->dir, w->rel, buf, where_at(w));
	if (r == 0 && w->maybe_link && !w->follow && S_ISLNK(buf->st_mode)) {
		w->maybe_link = false;
		r = where_follow(w);
		return r < 0 ? r : stat_place(w, buf);
	}
	if (r == 0 && ids_on())
		put_right(buf, w->dir, w->rel, where_at(w));
	return r;
}

static long stat_at(struct call *c, void *buf, unsigned how)
{
	struct where w;
	long r = where_find(&w, c->dirfd, c->path, how);
	return r < 0 ? r : stat_place(&w, buf);
}

long h_stat(struct call *c)
{
	return stat_at(c, (void *)c->x[0], W_FOLLOW);
}

long h_lstat(struct call *c)
{
	return stat_at(c, (void *)c->x[0], 0);
}

static long stat_fd(int fd, struct stat *buf)
{
	if (fd_reserved(fd))
		return -EBADF;
	long r = sys2(SYS_fstat, fd, buf);
	if (r == 0 && ids_on())
		put_right(buf, fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	return r;
}

long h_fstat(struct call *c)
{
	return stat_fd((int)c->a[0], (void *)c->a[1]);
}

long h_fstatat(struct call *c)
{
	long flags = c->x[1];
	char first = 1;
	if (flags & AT_EMPTY_PATH && c->dirfd != AT_FDCWD) {
		/* the C library's fstat */
		if (c->path && guest_read(&first, c->path, 1) < 0)
			return -EFAULT;
		if (!c->path || !first)
			return stat_fd(c->dirfd, (void *)c->x[0]);
	}
	return stat_at(c, (void *)c->x[0],
		       (flags & AT_SYMLINK_NOFOLLOW ? 0 : W_FOLLOW) |
			       (flags & AT_EMPTY_PATH ? W_EMPTY : 0));
}

long h_statx(struct call *c)
{
	struct where w;
	struct meta m;
	long flags = c->x[0];
	struct statx *x = (struct statx *)c->x[2];
	long r = where_find(&w, c->dirfd, c->path,
			    (flags & AT_SYMLINK_NOFOLLOW ? 0 : W_FOLLOW) |
				    (flags & AT_EMPTY_PATH ? W_EMPTY : 0));
	if (r == 0 && ids_on())
		r = may_reach(&w);
	if (r < 0)
		return r;
	long sync = flags & ~(long)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	for (int i = 0; i < 2; i++) {
		r = sys5(SYS_statx, w.dir, w.rel, sync | where_at(&w), c->x[1], x);
		if (r == -EPERM) /* an old seccomp profile: the C library knows what ENOSYS means */
			r = -ENOSYS;
		if (r < 0 || !w.maybe_link || w.follow || !S_ISLNK(x->stx_mode))
			break;
		w.maybe_link = false;
		r = where_follow(&w);
		if (r < 0)
			return r;
	}
	if (r < 0 || !ids_on())
		return r;
	if (meta_maybe(owntab_dev(x->stx_dev_major, x->stx_dev_minor), x->stx_ino) &&
	    meta_get(&w, &m) == 0 && m.claimed) {
		x->stx_uid = m.uid;
		x->stx_gid = m.gid;
		x->stx_mode = (uint16_t)m.mode;
		if (S_ISCHR(m.mode) || S_ISBLK(m.mode)) {
			x->stx_rdev_major = m.dev_major;
			x->stx_rdev_minor = m.dev_minor;
			x->stx_size = 0;
		}
	} else if (x->stx_uid == g.real_uid) {
		x->stx_uid = 0;
		x->stx_gid = 0;
	}
	return 0;
}

long h_access(struct call *c)
{
	struct where w;
	struct meta m;
	int want = (int)c->x[0];
	long flags = c->nr == SYS_faccessat2 ? c->x[1] : 0;
	if (want & ~(R_OK | W_OK | X_OK))
		return -EINVAL;
	long r = where_find(&w, c->dirfd, c->path,
			    (flags & AT_SYMLINK_NOFOLLOW ? 0 : W_FOLLOW) |
				    (flags & AT_EMPTY_PATH ? W_EMPTY : 0));
	if (r == 0 && ids_on())
		r = may_reach(&w);
	if (r == 0)
		r = meta_get(&w, &m);
	if (r == 0 && w.maybe_link && S_ISLNK(m.mode)) {
		r = where_follow(&w);
		if (r == 0)
			r = meta_get(&w, &m);
	}
	if (r < 0 || !want)
		return r;
	if (want & W_OK && w.readonly && !S_ISCHR(m.mode))
		return -EROFS;
	if (ids_on() && (w.guest == NULL || !w.is_mount))
		return flags & AT_EACCESS ? may(&m, want) : may_real(&m, want);
	char path[WHERE_PATH];
	return sys3(SYS_faccessat, AT_FDCWD, where_path(&w, path), want);
}

long h_readlink(struct call *c)
{
	struct where w;
	char link[PATH_SIZE + 1], guest[PATH_SIZE + 1];
	long size = c->x[1];
	if (size <= 0)
		return -EINVAL;
	long r = where_find(&w, c->dirfd, c->path, W_EMPTY);
	if (r == 0 && ids_on())
		r = may_reach(&w);
	if (r < 0)
		return r;
	if (!*w.rel && c->nr != SYS_readlinkat)
		return -ENOENT;
	if (w.follow)
		return -EINVAL;
	long n = sys4(SYS_readlinkat, w.dir, w.rel, link, PATH_SIZE);
	if (n < 0)
		return n;
	link[n] = '\0';
	const char *text = link;
	/* what the kernel makes up in /proc begins with the host's names */
	if (paths_on() && (text_starts(link, "/memfd:") || name_to_guest(guest, PATH_SIZE, link)) &&
	    where_guest(&w) == 0 && w.guest && text_starts(w.guest, "/proc/")) {
		long k = proc_link(w.guest, guest, sizeof(guest));
		if (k > 0 && name_in_chroot(guest)) {
			text = guest;
			n = (long)text_len(guest);
		}
	}
	if (!paths_on()) {
		long k = proc_exe(w.dir, w.rel, guest, sizeof(guest));
		if (k > 0) {
			text = guest;
			n = k;
		}
	}
	if (n > size)
		n = size;
	r = guest_write((void *)c->x[0], text, (size_t)n);
	return r < 0 ? r : n;
}

long h_getcwd(struct call *c)
{
	char host[PATH_SIZE + 1], guest[PATH_SIZE + 1];
	long n = sys2(SYS_getcwd, host, PATH_SIZE);
	if (n < 0)
		return n;
	if (!name_to_guest(guest, PATH_SIZE, host) || !name_in_chroot(guest))
		return -ENOENT;
	n = (long)text_len(guest) + 1;
	if (n > c->a[1])
		return -ERANGE;
	long r = guest_write((void *)c->a[0], guest, (size_t)n);
	return r < 0 ? r : n;
}

static long go_to(struct where *w)
{
	struct meta m;
	if (ids_on() && !cred_plain_root()) {
		long r = may_reach(w);
		if (r == 0)
			r = meta_get(w, &m);
		if (r == 0 && S_ISDIR(m.mode))
			r = may(&m, X_OK);
		if (r < 0)
			return r;
	}
	long fd = where_open(w, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	name_cwd_changed();
	long r = sys1(SYS_fchdir, fd);
	name_cwd_changed();
	sys1(SYS_close, fd);
	return r;
}

long h_chdir(struct call *c)
{
	struct where w;
	long r = where_find(&w, c->dirfd, c->path, W_FOLLOW);
	if (r < 0)
		return r;
	r = go_to(&w);
	if ((r == -ENOTDIR || r == -ELOOP) && w.maybe_link && (r = where_follow(&w)) == 0)
		r = go_to(&w);
	return r;
}

long h_fchdir(struct call *c)
{
	struct meta m;
	if (fd_reserved(c->a[0]))
		return -EBADF;
	if (ids_on() && !cred_plain_root() && meta_get_fd((int)c->a[0], &m) == 0 &&
	    S_ISDIR(m.mode) && may(&m, X_OK) < 0)
		return -EACCES;
	name_cwd_changed();
	long r = sys1(SYS_fchdir, c->a[0]);
	name_cwd_changed();
	return r;
}

long h_chroot(struct call *c)
{
	struct where w;
	struct meta m;
	if (ids_on() && !cred_cap(cred(), CAP_SYS_CHROOT))
		return -EPERM;
	long r = where_find(&w, c->dirfd, c->path, W_FOLLOW);
	if (r == 0 && w.maybe_link)
		r = where_follow(&w);
	if (r == 0)
		r = where_guest(&w);
	if (r == 0)
		r = meta_get(&w, &m);
	if (r < 0)
		return r;
	if (!S_ISDIR(m.mode))
		return -ENOTDIR;
	if (!w.guest)
		return -EPERM;
	size_t n = text_len(w.guest);
	while (n && w.guest[n - 1] == '/')
		n--;
	memcpy(g.root, w.guest, n);
	g.root[n] = '\0';
	return 0;
}

/* The place of a name whose last link is followed. */
static long find_followed(struct call *c, struct where *w)
{
	struct meta m;
	long r = where_find(w, c->dirfd, c->path, W_FOLLOW);
	if (r == 0 && ids_on())
		r = may_reach(w);
	if (r < 0 || !w->maybe_link)
		return r;
	if (meta_get(w, &m) == 0 && S_ISLNK(m.mode))
		r = where_follow(w);
	return r;
}

long h_statfs(struct call *c)
{
	struct where w;
	char path[WHERE_PATH];
	long r = find_followed(c, &w);
	return r < 0 ? r : sys2(SYS_statfs, where_path(&w, path), c->x[0]);
}

long h_truncate(struct call *c)
{
	struct where w;
	struct meta m;
	char path[WHERE_PATH];
	long r = find_followed(c, &w);
	if (r < 0)
		return r;
	if (w.readonly)
		return -EROFS;
	bool known = ids_on() && meta_get(&w, &m) == 0;
	if (known && (r = may(&m, W_OK)) < 0)
		return r;
	r = sys2(SYS_truncate, where_path(&w, path), c->x[0]);
	if (r == 0 && known)
		meta_written(&m);
	return r;
}

long h_inotify(struct call *c)
{
	struct where w;
	char path[WHERE_PATH];
	long r = find_followed(c, &w);
	return r < 0 ? r : sys3(SYS_inotify_add_watch, c->a[0], where_path(&w, path), c->x[0]);
}

long h_umask(struct call *c)
{
	g.umask = (uint32_t)c->a[0] & 0777;
	return sys1(SYS_umask, c->a[0]);
}
