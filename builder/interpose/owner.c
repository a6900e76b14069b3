/* SPDX-License-Identifier: MIT */
#include "owner.h"
#include <sys/stat.h>

uint32_t meta_disk(uint32_t mode)
{
	return S_ISDIR(mode) ? (mode & 01777) | 0700 : (mode & 0777) | 0600;
}

/* A kernel or a seccomp profile without statx: the same from the old call, without birth time. */
static long old_stat(int dir, const char *rel, int flags, struct statx *x)
{
	struct stat s;
	long r = sys4(
#ifdef SYS_newfstatat
		SYS_newfstatat,
#else
		SYS_fstatat,
#endif
		dir, rel, &s, flags);
	if (r < 0)
		return r;
	memset(x, 0, sizeof(*x));
	x->stx_mode = (uint16_t)s.st_mode;
	x->stx_uid = s.st_uid;
	x->stx_gid = s.st_gid;
	x->stx_ino = s.st_ino;
	x->stx_nlink = (uint32_t)s.st_nlink;
	x->stx_dev_major = (uint32_t)((s.st_dev >> 8 & 0xfff) | (s.st_dev >> 32 & ~0xfffu));
	x->stx_dev_minor = (uint32_t)((s.st_dev & 0xff) | (s.st_dev >> 12 & ~0xffu));
	x->stx_rdev_major = (uint32_t)((s.st_rdev >> 8 & 0xfff) | (s.st_rdev >> 32 & ~0xfffu));
	x->stx_rdev_minor = (uint32_t)((s.st_rdev & 0xff) | (s.st_rdev >> 12 & ~0xffu));
	return 0;
}

/* What lies in no file system of the step but was made by the kernel for one of its processes:
 * pipes, sockets, its directory in /proc. These have no birth time; from the old call nothing has,
 * and a pipe can not be told from a named one. */
static bool of_kernel(const struct statx *x)
{
	uint32_t type = x->stx_mode & S_IFMT;
	if (x->stx_mask & STATX_BTIME)
		return false;
	if (type == S_IFIFO || type == S_IFSOCK || !type)
		return x->stx_mask;
	struct statx proc;
	if (!g.proc_dev && (sys5(SYS_statx, AT_FDCWD, "/proc/self/", 0, STATX_TYPE, &proc) == 0 ||
			    old_stat(AT_FDCWD, "/proc/self/", 0, &proc) == 0))
		g.proc_dev = owntab_dev(proc.stx_dev_major, proc.stx_dev_minor);
	return g.proc_dev && g.proc_dev == owntab_dev(x->stx_dev_major, x->stx_dev_minor);
}

static long get(int dir, const char *rel, int flags, struct meta *m)
{
	struct statx x;
	long r = sys5(SYS_statx, dir, rel, flags, STATX_BASIC_STATS | STATX_BTIME, &x);
	if (r == -ENOSYS || r == -EPERM)
		r = old_stat(dir, rel, flags, &x);
	if (r < 0)
		return r;
	*m = (struct meta){.mode = x.stx_mode,
			   .disk_mode = x.stx_mode,
			   .uid = x.stx_uid,
			   .gid = x.stx_gid,
			   .nlink = x.stx_nlink,
			   .dev_major = x.stx_rdev_major,
			   .dev_minor = x.stx_rdev_minor,
			   .key = {owntab_dev(x.stx_dev_major, x.stx_dev_minor), x.stx_ino, 0}};
	if (x.stx_mask & STATX_BTIME)
		m->key.birth = (uint64_t)x.stx_btime.tv_sec * 1000000000u + x.stx_btime.tv_nsec;
	if (!ids_on())
		return 0;
	if (m->uid == g.real_uid) {
		/* which of the step's users a process belongs to is not known: it counts as the
		 * asker's */
		bool own = cred()->euid && of_kernel(&x);
		m->uid = own ? cred()->euid : 0;
		m->gid = own ? cred()->egid : 0;
	}
	struct owntab_seen s;
	if (!owntab_load(&g.tab->changes))
		return 0;
	owntab_look(g.tab, &m->key, &s);
	/* of another type: an earlier file's of this inode number, or nonsense; a file may claim to
	 * be a device */
	if (!s.live ||
	    ((s.entry.mode ^ m->disk_mode) & S_IFMT &&
	     !(S_ISREG(m->disk_mode) && (S_ISCHR(s.entry.mode) || S_ISBLK(s.entry.mode)))))
		return 0;
	m->claimed = true;
	m->uid = s.entry.uid;
	m->gid = s.entry.gid;
	m->mode = s.entry.mode;
	m->dev_major = s.entry.dev_major;
	m->dev_minor = s.entry.dev_minor;
	m->xattrs = s.entry.xattrs;
	return 0;
}

long meta_get(const struct where *w, struct meta *m)
{
	return get(w->dir, w->rel, where_at(w), m);
}

long meta_get_fd(int fd, struct meta *m)
{
	return fd_reserved(fd) ? -EBADF : get(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, m);
}

bool meta_maybe(uint64_t dev, uint64_t ino)
{
	struct owntab_seen s;
	struct owntab_key k = {dev, ino, 0};
	if (!owntab_load(&g.tab->changes))
		return false;
	owntab_look(g.tab, &k, &s);
	return s.at && s.entry.mode;
}

static long put(struct meta *m, bool set_xattrs, uint32_t xattrs)
{
	struct owntab_seen s;
	int r;
	do {
		owntab_look(g.tab, &m->key, &s);
		struct owntab_entry e = {.key = m->key,
					 .uid = m->uid,
					 .gid = m->gid,
					 .mode = m->mode,
					 .dev_major = m->dev_major,
					 .dev_minor = m->dev_minor,
					 .xattrs = set_xattrs ? xattrs
						   : s.live   ? s.entry.xattrs
							      : 0};
		r = owntab_commit(g.tab, &s, &e);
	} while (r == 0);
	if (r < 0)
		return -ENOSPC;
	m->claimed = true;
	if (S_ISCHR(m->mode) || S_ISBLK(m->mode))
		owntab_bump(&g.tab->devices);
	if (S_ISDIR(m->mode)) {
		__atomic_fetch_add(&g.shared->perm_gen, 1, __ATOMIC_ACQ_REL);
		if (m->mode & S_ISGID)
			owntab_bump(&g.tab->setgid_dirs);
	}
	return 0;
}

long meta_put(struct meta *m)
{
	return put(m, false, 0);
}

long meta_put_xattrs(struct meta *m, const uint8_t *block, uint32_t size)
{
	uint32_t place = 0;
	if (size) {
		place = owntab_room(g.tab, size);
		if (!place)
			return -ENOSPC;
		uint8_t *at = g.tab->heap + (size_t)place * OWNTAB_UNIT;
		memcpy(at, &size, sizeof(size));
		memcpy(at + sizeof(size), block, size);
	}
	return put(m, true, place);
}

void meta_forget(const struct meta *m)
{
	struct owntab_seen s;
	do {
		owntab_look(g.tab, &m->key, &s);
	} while (s.live && owntab_drop(g.tab, &s) == 0);
}
