/* SPDX-License-Identifier: MIT
 *
 * Changing owner, mode and times.
 */
#include "files.h"
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

/* The place of an existing entry, its link followed when asked, and what it claims. */
static long find_object(struct call *c, struct where *w, struct meta *m, bool follow, bool empty)
{
	long r = where_find(w, c->dirfd, c->path, (follow ? W_FOLLOW : 0) | (empty ? W_EMPTY : 0));
	if (r == 0 && ids_on())
		r = may_reach(w);
	if (r == 0)
		r = meta_get(w, m);
	if (r == 0 && w->maybe_link && S_ISLNK(m->mode)) {
		r = where_follow(w);
		if (r == 0)
			r = meta_get(w, m);
	}
	if (r == 0 && w->readonly)
		r = -EROFS;
	return r == 0 && !*w->rel && w->dir != AT_FDCWD ? fd_writable(w->dir) : r;
}

/* Of something that is known to be no link. */
static long disk_chmod(const struct where *w, uint32_t mode)
{
	char path[WHERE_PATH];
	if (*w->rel)
		return sys3(SYS_fchmodat, w->dir, w->rel, mode);
	long r = w->dir == AT_FDCWD ? -EBADF : sys2(SYS_fchmod, w->dir, mode);
	/* a descriptor of a place only */
	if (r != -EBADF || w->how & W_OPEN)
		return r;
	return sys3(SYS_fchmodat, AT_FDCWD, where_path(w, path), mode);
}

/* What cannot be opened, so that a descriptor of it is one of its place. */
static bool only_place(const struct where *w, const struct meta *m)
{
	return w->how & W_OPEN && (S_ISLNK(m->mode) || (m->mode ^ m->disk_mode) & S_IFMT);
}

/* Who has the capability is told by the change itself that a descriptor is one of a place. */
static long not_place(int fd, int cap)
{
	if (cred_cap(cred(), cap))
		return 0;
	long r = sys2(SYS_fcntl, fd, F_GETFL);
	return r < 0 || r & O_PATH ? -EBADF : 0;
}

long change_mode(const struct where *w, struct meta *m, uint32_t mode)
{
	const struct co_ip_cred *c = cred();
	if (only_place(w, m))
		return -EBADF;
	if (S_ISLNK(m->mode))
		return -EOPNOTSUPP;
	long r = may_own(m);
	if (r < 0)
		return r;
	mode &= 07777;
	if (mode & S_ISGID && !S_ISDIR(m->mode) && !cred_in_group(c, m->gid) &&
	    !cred_cap(c, CAP_FSETID))
		mode &= ~(uint32_t)S_ISGID;
	bool device = (m->mode ^ m->disk_mode) & S_IFMT;
	uint32_t disk = device ? 0 : meta_disk((m->mode & S_IFMT) | mode);
	if ((m->disk_mode & 07777) != disk) {
		r = disk_chmod(w, disk);
		if (r < 0 && r != -EPERM)
			return r;
	} else if (!device && disk_chmod(w, disk) == -EBADF) { /* for the change time */
		return -EBADF;
	}
	m->mode = (m->mode & S_IFMT) | mode;
	if (S_ISDIR(m->mode))
		__atomic_fetch_add(&g.shared->perm_gen, 1, __ATOMIC_ACQ_REL);
	return m->claimed || disk != mode ? meta_put(m) : 0;
}

long h_chmod(struct call *c)
{
	struct where w;
	struct meta m;
	long flags = c->nr == SYS_fchmodat2 ? c->x[1] : 0;
	long r = find_object(c, &w, &m, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH);
	if (r < 0)
		return r;
	if (ids_on())
		return change_mode(&w, &m, (uint32_t)c->x[0]);
	return S_ISLNK(m.mode) ? -EOPNOTSUPP : disk_chmod(&w, (uint32_t)c->x[0] & 07777);
}

long h_fchmod(struct call *c)
{
	struct meta m;
	struct where w = {.dir = (int)c->a[0], .rel = "", .how = W_OPEN};
	if (fd_reserved(c->a[0]))
		return -EBADF;
	long r = fd_writable(w.dir);
	if (r < 0)
		return r;
	if (!ids_on())
		return sys2(SYS_fchmod, c->a[0], c->a[1]);
	r = not_place(w.dir, CAP_FOWNER);
	if (r == 0)
		r = meta_get(&w, &m);
	return r < 0 ? r : change_mode(&w, &m, (uint32_t)c->a[1]);
}

static long change_owner(const struct where *w, struct meta *m, uint32_t uid, uint32_t gid)
{
	const struct co_ip_cred *c = cred();
	uint32_t keep = ~0u;
	if (only_place(w, m))
		return -EBADF;
	if (!cred_cap(c, CAP_CHOWN)) {
		bool mine = c->fsuid == m->uid;
		if ((uid != keep && !(mine && uid == m->uid)) ||
		    (gid != keep && !(mine && (gid == m->gid || cred_in_group(c, gid)))))
			return -EPERM;
	}
	uint32_t mode = m->mode;
	if (S_ISREG(mode) && (uid != keep || gid != keep)) {
		mode &= ~(uint32_t)S_ISUID;
		if (mode & 0010)
			mode &= ~(uint32_t)S_ISGID;
	}
	uint32_t new_uid = uid == keep ? m->uid : uid, new_gid = gid == keep ? m->gid : gid;
	bool plain = !new_uid && !new_gid && !m->claimed;
	if (!S_ISLNK(m->mode) && !((m->mode ^ m->disk_mode) & S_IFMT)) {
		uint32_t disk = meta_disk(mode);
		long r = disk_chmod(w, disk); /* also the change time */
		if (r < 0 && r != -EPERM)
			return r;
		plain = plain && (mode & 07777) == disk;
	}
	m->uid = new_uid;
	m->gid = new_gid;
	m->mode = mode;
	if (plain)
		return 0;
	long r = meta_put(m);
	if (r == 0 && !S_ISDIR(mode))
		meta_drop_caps(m);
	return r;
}

static long chown_native(const struct where *w, uint32_t uid, uint32_t gid)
{
	return sys5(SYS_fchownat, w->dir, w->rel, uid, gid, where_at(w));
}

static long chown_at(struct call *c, bool follow, bool empty, uint32_t uid, uint32_t gid)
{
	struct where w;
	struct meta m;
	long r = find_object(c, &w, &m, follow, empty);
	if (r < 0)
		return r;
	return ids_on() ? change_owner(&w, &m, uid, gid) : chown_native(&w, uid, gid);
}

long h_chown(struct call *c)
{
	return chown_at(c, true, false, (uint32_t)c->x[0], (uint32_t)c->x[1]);
}

long h_lchown(struct call *c)
{
	return chown_at(c, false, false, (uint32_t)c->x[0], (uint32_t)c->x[1]);
}

long h_fchownat(struct call *c)
{
	long flags = c->x[2];
	return chown_at(c, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, (uint32_t)c->x[0],
			(uint32_t)c->x[1]);
}

long h_fchown(struct call *c)
{
	struct meta m;
	struct where w = {.dir = (int)c->a[0], .rel = "", .how = W_OPEN};
	if (fd_reserved(c->a[0]))
		return -EBADF;
	long r = fd_writable(w.dir);
	if (r < 0)
		return r;
	if (!ids_on())
		return sys3(SYS_fchown, c->a[0], c->a[1], c->a[2]);
	r = not_place(w.dir, CAP_CHOWN);
	if (r == 0)
		r = meta_get(&w, &m);
	return r < 0 ? r : change_owner(&w, &m, (uint32_t)c->a[1], (uint32_t)c->a[2]);
}

/* ---- times ---- */

static long may_touch(const struct meta *m, bool to_now)
{
	if (!ids_on() || may_own(m) == 0)
		return 0;
	return to_now ? may(m, W_OK) : -EPERM;
}

static long set_times(struct call *c, bool follow, bool empty, const struct timespec t[2], bool now)
{
	struct where w;
	struct meta m;
	long r = find_object(c, &w, &m, follow, empty);
	if (r == 0)
		r = may_touch(&m, now);
	if (r < 0)
		return r;
	char path[WHERE_PATH];
	if (!*w.rel)
		return sys4(SYS_utimensat, AT_FDCWD, where_path(&w, path), now ? NULL : t, 0);
	return sys4(SYS_utimensat, w.dir, w.rel, now ? NULL : t,
		    w.follow ? 0 : AT_SYMLINK_NOFOLLOW);
}

long h_utimensat(struct call *c)
{
	struct timespec t[2];
	long flags = c->x[1];
	bool now = !c->x[0];
	if (!now && guest_read(t, (void *)c->x[0], sizeof(t)) < 0)
		return -EFAULT;
	if (!now && t[0].tv_nsec == UTIME_NOW && t[1].tv_nsec == UTIME_NOW)
		now = true;
	if (!c->path) {
		struct meta m;
		if (fd_reserved(c->dirfd))
			return -EBADF;
		long r = fd_writable(c->dirfd);
		if (r == 0 && ids_on() && !cred_cap(cred(), CAP_FOWNER) &&
		    (r = meta_get_fd(c->dirfd, &m)) == 0)
			r = may_touch(&m, now);
		return r < 0 ? r : sys4(SYS_utimensat, c->dirfd, NULL, now ? NULL : t, flags);
	}
	return set_times(c, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, t, now);
}

/* utime(path, utimbuf), utimes(path, timeval[2]), futimesat(fd, path, timeval[2]) */
long h_utime(struct call *c)
{
	struct timespec t[2] = {{0}};
	if (!c->x[0])
		return set_times(c, true, false, t, true);
#ifdef SYS_utime
	if (c->nr == SYS_utime) {
		struct utimbuf u;
		if (guest_read(&u, (void *)c->x[0], sizeof(u)) < 0)
			return -EFAULT;
		t[0].tv_sec = u.actime;
		t[1].tv_sec = u.modtime;
		return set_times(c, true, false, t, false);
	}
#endif
	struct timeval v[2];
	if (guest_read(v, (void *)c->x[0], sizeof(v)) < 0)
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (v[i].tv_usec < 0 || v[i].tv_usec > 999999)
			return -EINVAL;
		t[i].tv_sec = v[i].tv_sec;
		t[i].tv_nsec = v[i].tv_usec * 1000;
	}
	return set_times(c, true, false, t, false);
}
