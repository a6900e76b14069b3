/* SPDX-License-Identifier: MIT
 *
 * Making, renaming and removing entries.
 */
#include "files.h"
#include <sys/stat.h>
#include <unistd.h>

long fd_writable(int fd)
{
	char path[PATH_SIZE];
	const char *rest;
	if (!g.any_readonly || name_of_fd(fd, path, sizeof(path)) < 0)
		return 0;
	const struct co_ip_mount *m = mount_at(path, text_len(path), &rest);
	return m && m->flags & CO_IPM_READONLY ? -EROFS : 0;
}

/* ---- what a new entry is ---- */

bool new_entry_matters(struct where *w, uint32_t asked)
{
	(void)w;
	const struct co_ip_cred *c = cred();
	return c->fsuid || c->fsgid || !cred_cap(c, CAP_DAC_OVERRIDE) || (~asked & 0600) ||
	       (asked & 06000) || (g.umask & 0700) || owntab_load(&g.tab->setgid_dirs) ||
	       owntab_load(&g.tab->no_births);
}

/* fd, or w when it is -1. */
static long settle(struct meta *m, struct where *w, uint32_t asked, int fd)
{
	const struct co_ip_cred *c = cred();
	struct meta dir;
	/* what an earlier file of this inode number claimed is not this one's, where birth times
	 * can not tell them apart */
	if (owntab_load(&g.tab->no_births))
		meta_forget(m);
	uint32_t mode = (asked & S_IFMT) | (asked & 07777 & ~g.umask);
	uint32_t gid = c->fsgid;
	if (w && owntab_load(&g.tab->setgid_dirs) && meta_parent(w, &dir) == 0 &&
	    dir.mode & S_ISGID) {
		gid = dir.gid;
		if (S_ISDIR(asked))
			mode |= S_ISGID;
	}
	if (S_ISLNK(asked))
		mode = S_IFLNK | 0777;
	bool device = S_ISCHR(asked) || S_ISBLK(asked);
	uint32_t disk = device ? 0 : meta_disk(mode);
	if (!S_ISLNK(asked) && (m->disk_mode & 07777) != disk) {
		long r = fd < 0 ? sys3(SYS_fchmodat, w->dir, w->rel, disk)
				: sys2(SYS_fchmod, fd, disk);
		if (r < 0 && r != -EPERM)
			return r;
	}
	bool plain = !device && !c->fsuid && !gid && (S_ISLNK(asked) || (mode & 07777) == disk);
	if (plain)
		return 0;
	m->uid = c->fsuid;
	m->gid = gid;
	m->mode = mode;
	return meta_put(m);
}

long new_entry(struct where *w, uint32_t asked, uint32_t dev_major, uint32_t dev_minor)
{
	struct meta m;
	if (S_ISFIFO(asked) && g.tab)
		owntab_bump(&g.tab->fifos);
	if (!ids_on())
		return 0;
	long r = meta_get(w, &m);
	if (r < 0)
		return r;
	m.dev_major = dev_major;
	m.dev_minor = dev_minor;
	return settle(&m, w, asked, -1);
}

long new_entry_fd(int fd, struct where *w, uint32_t asked)
{
	struct meta m;
	long r = meta_get_fd(fd, &m);
	return r < 0 ? r : settle(&m, w, asked, fd);
}

/* ---- handlers ---- */

static long find_entry(struct call *c, struct where *w)
{
	return where_find(w, c->dirfd, c->path, W_CHANGE);
}

/* A mount may cover the name; then it exists. */
static long find_new(struct call *c, struct where *w)
{
	long r = find_entry(c, w);
	if (r == -EBUSY)
		return -EEXIST;
	return r == 0 && ids_on() ? may_change_dir(w, false) : r;
}

long h_mkdir(struct call *c)
{
	struct where w;
	uint32_t mode = (uint32_t)c->x[0] & 01777;
	long r = find_new(c, &w);
	if (r == -EACCES) {
		struct meta m;
		return meta_get(&w, &m) == 0 ? -EEXIST : r;
	}
	if (r < 0)
		return r;
	bool matters = ids_on() && new_entry_matters(&w, S_IFDIR | mode);
	r = sys3(SYS_mkdirat, w.dir, w.rel, matters ? mode | 0700 : mode);
	if (r == 0 && matters)
		new_entry(&w, S_IFDIR | mode, 0, 0);
	return r;
}

static long remove_entry(struct call *c, bool dir)
{
	struct where w;
	struct meta m = {.nlink = 2};
	char b[2];
	long r = find_entry(c, &w);
	if (r == 0 && ids_on())
		r = may_change_dir(&w, true);
	if (r < 0)
		return r;
	if (dir && w.guest && text_eq(w.guest, "/"))
		return -EBUSY;
	if (dir) {
		__atomic_fetch_add(&g.shared->rmdirs_begun, 1, __ATOMIC_ACQ_REL);
		r = sys3(SYS_unlinkat, w.dir, w.rel, AT_REMOVEDIR);
		if (r == 0)
			__atomic_fetch_add(&g.shared->rmdirs, 1, __ATOMIC_ACQ_REL);
		return r;
	}
	bool forget = ids_on() && owntab_load(&g.tab->changes) && meta_get(&w, &m) == 0 &&
		      m.claimed && !m.key.birth && m.nlink <= 1;
	bool link = m.disk_mode ? S_ISLNK(m.disk_mode)
				: sys4(SYS_readlinkat, w.dir, w.rel, b, sizeof(b)) >= 0;
	r = sys3(SYS_unlinkat, w.dir, w.rel, 0);
	if (r == 0 && link && paths_on())
		cache_bump();
	if (r == 0 && forget)
		meta_forget(&m);
	return r;
}

long h_unlink(struct call *c)
{
	return remove_entry(c, false);
}

long h_rmdir(struct call *c)
{
	return remove_entry(c, true);
}

long h_unlinkat(struct call *c)
{
	if (c->x[0] & ~(long)AT_REMOVEDIR)
		return -EINVAL;
	return remove_entry(c, c->x[0] & AT_REMOVEDIR);
}

static bool is_file_or_missing(const struct where *w, bool may_miss)
{
	struct statx x;
	long r = sys5(SYS_statx, w->dir, w->rel, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x);
	if (r == -ENOENT)
		return may_miss;
	return r == 0 && S_ISREG(x.stx_mode);
}

long h_rename(struct call *c)
{
	struct where from, to;
	bool at = c->row->at >= 0;
	int todir = at ? (int)c->x[0] : AT_FDCWD;
	const char *name = (const char *)(at ? c->x[1] : c->x[0]);
	long flags = at && c->row->nr == SYS_renameat2 ? c->x[2] : 0;
	long r = find_entry(c, &from);
	if (r == 0)
		r = where_find(&to, todir, name, W_CHANGE);
	if (r == 0 && ids_on()) {
		r = may_change_dir(&from, true);
		if (r == 0)
			r = may_change_dir(&to, true);
	}
	if (r < 0)
		return r;
	bool moves = paths_on() &&
		     (flags || !is_file_or_missing(&from, false) || !is_file_or_missing(&to, true));
	if (flags) {
		r = sys5(SYS_renameat2, from.dir, from.rel, to.dir, to.rel, flags);
	} else {
#ifdef SYS_renameat
		r = sys4(SYS_renameat, from.dir, from.rel, to.dir, to.rel);
#else
		r = sys5(SYS_renameat2, from.dir, from.rel, to.dir, to.rel, 0);
#endif
	}
	if (moves)
		cache_bump();
	return r;
}

/* The kernel's rule (fs.protected_hardlinks): not to files that the caller could not write anyway.
 */
static long may_link(const struct where *from)
{
	const struct co_ip_cred *c = cred();
	struct meta m;
	if (cred_cap(c, CAP_FOWNER) || meta_get(from, &m) < 0 || c->fsuid == m.uid)
		return 0;
	bool special = !S_ISREG(m.mode) || m.mode & S_ISUID ||
		       (m.mode & (S_ISGID | 0010)) == (S_ISGID | 0010);
	return special || may(&m, R_OK | W_OK) < 0 ? -EPERM : 0;
}

long h_link(struct call *c)
{
	struct where from, to;
	bool at = c->row->at >= 0;
	int todir = at ? (int)c->x[0] : AT_FDCWD;
	const char *name = (const char *)(at ? c->x[1] : c->x[0]);
	long flags = at ? c->x[2] : 0;
	long r = where_find(&from, c->dirfd, c->path,
			    (flags & AT_SYMLINK_FOLLOW ? W_FOLLOW : 0) |
				    (flags & AT_EMPTY_PATH ? W_EMPTY : 0));
	if (r == 0)
		r = where_find(&to, todir, name, W_CHANGE);
	if (r == -EBUSY)
		return -EEXIST;
	if (r == 0 && ids_on()) {
		r = may_reach(&from);
		if (r == 0)
			r = may_change_dir(&to, false);
	}
	if (r < 0)
		return r;
	if (flags & AT_SYMLINK_FOLLOW && from.maybe_link) {
		struct meta m;
		if (meta_get(&from, &m) == 0 && S_ISLNK(m.mode) && (r = where_follow(&from)) < 0)
			return r;
	}
	if (ids_on() && (r = may_link(&from)) < 0)
		return r;
	char t[40];
	if (*from.rel)
		r = sys5(SYS_linkat, from.dir, from.rel, to.dir, to.rel,
			 from.follow ? AT_SYMLINK_FOLLOW : 0);
	else
		r = sys5(SYS_linkat, AT_FDCWD, fd_path(t, sizeof(t), from.dir), to.dir, to.rel,
			 AT_SYMLINK_FOLLOW);
	if (r == 0 && paths_on()) /* perhaps of a link */
		cache_new_link();
	return r;
}

long h_symlink(struct call *c)
{
	struct where w;
	long r = find_new(c, &w);
	if (r < 0)
		return r;
	r = sys3(SYS_symlinkat, c->a[0], w.dir, w.rel);
	if (r == 0 && paths_on())
		cache_new_link();
	if (r == 0 && ids_on() && new_entry_matters(&w, S_IFLNK | 0777))
		new_entry(&w, S_IFLNK | 0777, 0, 0);
	return r;
}

/* The kernel makes none here (a container whose engine maps ids, or without MKNOD): an empty file
 * whose attribute says what it stands for, as the builder writes and reads them (root_node.c). */
static long make_stand_in(struct where *w, uint32_t mode, uint32_t major, uint32_t minor)
{
	char text[48], *end = text + sizeof(text);
	char *p = text_put(text, end, S_ISCHR(mode) ? "c " : "b ");
	p = text_num(text_put(text_num(p, end, major, 10), end, " "), end, minor, 10);
	long fd = sys4(SYS_openat, w->dir, w->rel,
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd;
	long r = sys5(SYS_fsetxattr, fd, OWNTAB_NODE, text, p - text, 0);
	if (r == 0)
		r = sys2(SYS_fchmod, fd, mode & 07777 & ~g.umask);
	sys1(SYS_close, fd);
	if (r < 0)
		sys3(SYS_unlinkat, w->dir, w->rel, 0);
	return r == -EOPNOTSUPP ? -EPERM : r;
}

/* With virtual ids a device node is an empty file with an entry in the table. */
static long make_device(struct where *w, uint32_t mode, uint64_t dev)
{
	uint32_t major = (uint32_t)((dev >> 8 & 0xfff) | (dev >> 32 & ~0xfffu));
	uint32_t minor = (uint32_t)((dev & 0xff) | (dev >> 12 & ~0xffu));
	if (!ids_on()) {
		long r = sys4(SYS_mknodat, w->dir, w->rel, mode, dev);
		return r == -EPERM && sys0(SYS_geteuid) == 0 ? make_stand_in(w, mode, major, minor)
							     : r;
	}
	if (!cred_cap(cred(), CAP_MKNOD))
		return -EPERM;
	long r = sys4(SYS_mknodat, w->dir, w->rel, S_IFREG | 0600, 0);
	if (r == 0 && (r = new_entry(w, mode, major, minor)) < 0)
		sys3(SYS_unlinkat, w->dir, w->rel, 0);
	return r;
}

long h_mknod(struct call *c)
{
	struct where w;
	uint32_t mode = (uint32_t)c->x[0];
	long r = find_new(c, &w);
	if (r < 0)
		return r;
	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	if ((S_ISCHR(mode) || S_ISBLK(mode)))
		return make_device(&w, mode, (uint64_t)(uint32_t)c->x[1]);
	bool matters = ids_on() && new_entry_matters(&w, mode);
	r = sys4(SYS_mknodat, w.dir, w.rel, matters ? mode | 0600 : mode, c->x[1]);
	if (r == 0 && (matters || S_ISFIFO(mode)))
		new_entry(&w, mode, 0, 0);
	return r;
}
