/* SPDX-License-Identifier: MIT
 *
 * Opening files.
 */
#include "attempts.h"
#include "calls.h"
#include "files.h"
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#define KNOWN_FLAGS                                                                                \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |      \
	 O_DSYNC | O_DIRECT | O_LARGEFILE_BIT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
	 O_PATH | O_TMPFILE | O_ASYNC)
#if defined(__x86_64__)
#define O_LARGEFILE_BIT 0100000
#else
#define O_LARGEFILE_BIT 0400000
#endif

#define MAX_LINKS 40 /* the kernel's */

static int wanted(long flags)
{
	static const int by_mode[4] = {R_OK, W_OK, R_OK | W_OK, R_OK | W_OK};
	return by_mode[flags & O_ACCMODE] | (flags & O_TRUNC ? W_OK : 0);
}

/* Opening a FIFO waits for the other side: signals must come through meanwhile. */
static long open_waiting(struct call *c, struct where *w, long flags)
{
	if (!c->uc)
		return CALL_TRAP;
	uint64_t now, mask = *(uint64_t *)(void *)&c->uc->uc_sigmask;
	sys4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &mask, &now, 8);
	long r = sys4(SYS_openat, w->dir, w->rel, flags, 0);
	sys4(SYS_rt_sigprocmask, 2, &now, 0, 8);
	return r;
}

/* Opens without following a link in the last component, and without leaving a trace of that in the
 * descriptor's flags, where the kernel can. */
static long open_plain(struct where *w, long flags, long mode)
{
	if (w->follow)
		return sys4(SYS_openat, w->dir, w->rel, flags & ~(long)O_NOFOLLOW, mode);
	/* the kernel's own names: links on the way are followed, the flags say what of the last */
	if (!paths_on())
		return sys4(SYS_openat, w->dir, w->rel, flags, mode);
	if (flags & (O_NOFOLLOW | O_TMPFILE) || g.no_openat2)
		return sys4(SYS_openat, w->dir, w->rel, flags | O_NOFOLLOW, mode);
	struct open_how how = {
		.flags = (uint64_t)flags, .mode = (uint64_t)mode, .resolve = RESOLVE_NO_SYMLINKS};
	if (flags & O_PATH)
		how.flags &= O_PATH | O_DIRECTORY | O_CLOEXEC;
	long r = sys4(SYS_openat2, w->dir, w->rel, &how, sizeof(how));
	if (r != -ENOSYS && r != -EPERM)
		return r;
	/* EPERM may be the file's own answer */
	long again = sys4(SYS_openat, w->dir, w->rel, flags | O_NOFOLLOW, mode);
	if (r == -ENOSYS || again >= 0)
		g.no_openat2 = true;
	return again;
}

static bool could_wait(long flags)
{
	return !(flags & (O_NONBLOCK | O_PATH | O_DIRECTORY)) && owntab_load(&g.tab->fifos);
}

/* Checks and oddities of a file that exists: 0 to go on. */
static long before_open(struct where *w, long flags, struct meta *m)
{
	long r = meta_get(w, m);
	if (r < 0)
		return r;
	if (S_ISLNK(m->mode) && !w->follow)
		return 0;
	if (ids_on() && !(flags & O_PATH) && !cred_plain_root()) {
		r = may(m, wanted(flags));
		if (r == 0 && flags & O_NOATIME)
			r = may_own(m);
	}
	/* a device node that exists in the table only: no driver will answer */
	if (r == 0 && !(flags & O_PATH) && (m->disk_mode ^ m->mode) & S_IFMT)
		return -ENXIO;
	return r;
}

static bool must_look(long flags)
{
	if (g.tab && could_wait(flags))
		return true;
	return ids_on() && !cred_plain_root();
}

static long open_found(struct call *c, struct where *w, long flags, long mode)
{
	struct meta m;
	bool fifo = false;
	long r;
	for (int i = 0; i < 3; i++) {
		if (must_look(flags)) {
			r = ids_on() ? may_reach(w) : 0;
			if (r == 0)
				r = before_open(w, flags, &m);
			if (r < 0 && !(r == -ENOENT && flags & O_CREAT))
				return r;
			fifo = r == 0 && S_ISFIFO(m.disk_mode) && could_wait(flags);
		}
		r = fifo ? open_waiting(c, w, flags) : open_plain(w, flags, mode);
		/* a recorded device has no permissions on disk: what looks like one more refusal */
		if (r == -EACCES && ids_on() && owntab_load(&g.tab->devices) &&
		    before_open(w, flags, &m) == -ENXIO)
			return -ENXIO;
		if (!w->maybe_link || w->follow)
			return r;
		if (flags & O_PATH && r >= 0) {
			/* the link itself was opened */
			struct stat st;
			if (sys2(SYS_fstat, r, &st) < 0 || !S_ISLNK(st.st_mode))
				return r;
			sys1(SYS_close, r);
		} else if (r != -ELOOP && !(r == -ENOTDIR && flags & O_DIRECTORY)) {
			return r;
		}
		long e = where_follow(w);
		if (e < 0)
			return e;
		w->maybe_link = false;
		if (w->readonly && wanted(flags) & W_OK)
			return -EROFS;
	}
	return r;
}

/* Writes are not seen: what the first one would take from the file goes when it is opened. */
static long opened(long fd, long flags)
{
	struct meta m;
	if (fd < 0 || !ids_on() || flags & O_PATH || !(wanted(flags) & W_OK))
		return fd;
	if (!owntab_load(&g.tab->heap_used) && cred_cap(cred(), CAP_FSETID))
		return fd;
	if (meta_get_fd((int)fd, &m) == 0)
		meta_written(&m);
	return fd;
}

static long open_existing(struct call *c, struct where *w, long flags, long mode)
{
	return opened(open_found(c, w, flags, mode), flags);
}

static long open_tmpfile(struct where *w, long flags, long mode)
{
	if (w->maybe_link) {
		long r = where_follow(w);
		if (r < 0)
			return r;
	}
	long fd = sys4(SYS_openat, w->dir, w->rel, flags, mode | 0600);
	if (fd >= 0 && ids_on())
		new_entry_fd((int)fd, NULL, S_IFREG | ((uint32_t)mode & 07777));
	return fd;
}

/* The kernel's own names: the place that a link to nothing stands for takes the link's place. */
static long through_link(struct where *w)
{
	char link[PATH_SIZE];
	if (w->rel != w->in)
		return -ENOENT;
	long n = sys4(SYS_readlinkat, w->dir, w->rel, link, sizeof(link) - 1);
	if (n < 0)
		return n;
	size_t dir = *link == '/' ? 0 : text_len(w->in);
	while (dir && w->in[dir - 1] != '/')
		dir--;
	if (dir + (size_t)n + 1 > sizeof(w->in))
		return -ENAMETOOLONG;
	memcpy(w->in + dir, link, (size_t)n);
	w->in[dir + (size_t)n] = '\0';
	w->rel = w->in;
	return 0;
}

/* O_CREAT where the new file needs an entry: we must know whether we made it. */
static long open_creating(struct call *c, struct where *w, long flags, long mode)
{
	uint32_t asked = S_IFREG | ((uint32_t)mode & 07777);
	for (int i = 0; i < MAX_LINKS; i++) {
		long r = may_change_dir(w, false);
		long fd = r < 0 ? r
				: open_plain(w, (flags | O_EXCL) & ~(long)O_TRUNC,
					     (mode & 01777) | 0600);
		if (fd >= 0) {
			new_entry_fd((int)fd, w, asked);
			return fd;
		}
		if (fd == -EACCES && flags & O_EXCL)
			return fd;
		if ((fd != -EEXIST && fd != -EACCES) || flags & O_EXCL)
			return fd;
		struct meta m;
		r = meta_get(w, &m);
		if (r == -ENOENT && w->follow && !paths_on() && through_link(w) == 0)
			continue;
		if (r == -ENOENT && fd == -EACCES)
			return fd;
		if (r == 0 && S_ISLNK(m.mode) && w->maybe_link) {
			r = where_follow(w);
			if (r < 0)
				return r;
			w->maybe_link = false;
			continue;
		}
		r = open_existing(c, w, flags & ~(long)O_CREAT, 0);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

/* Opened to be changed, or telling of what is not the step's: with the kernel's knobs that is no
 * accident. Much of /proc is looked at by ordinary programs, who do without. */
static bool is_wall(const char *path, long flags)
{
	static const char *const memory[] = {"/proc/kcore", "/proc/kmsg", "/proc/kpagemap"};
	for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
		if (text_eq(path, memory[i]))
			return true;
	if (text_starts(path, "/proc/") && path[6] >= '0' && path[6] <= '9')
		return text_ends(path, "/mem") ||
		       (text_ends(path, "/environ") && !text_eq(path, "/proc/1/environ"));
	return wanted(flags) & W_OK &&
	       (text_starts(path, "/proc/sys") || text_starts(path, "/sys/"));
}

static void note_wall(struct call *c, struct where *w, long flags, long result)
{
	if (result != -EACCES && result != -EPERM && result != -EROFS)
		return;
	if (!(flags & O_PATH) && w->guest && is_wall(w->guest, flags))
		attempt_note(SYS_openat, c->a, w->guest);
}

static long open_where(struct call *c, struct where *w, long flags, long mode)
{
	bool tmp = (flags & O_TMPFILE) == O_TMPFILE;
	bool make = flags & O_CREAT && !(flags & O_PATH) && !tmp;
	if (!make && !tmp)
		mode = 0;
	else
		mode &= 07777;
	if (w->readonly && !(flags & O_PATH) && (make || wanted(flags) & W_OK))
		return -EROFS;
	if (!w->follow && w->guest && !make && !(flags & O_PATH)) {
		long r = proc_open(w, (int)flags);
		if (r)
			return r;
	}
	if (tmp)
		return open_tmpfile(w, flags, mode);
	if (make && ids_on() && new_entry_matters(w, S_IFREG | (uint32_t)mode))
		return open_creating(c, w, flags, mode);
	return open_existing(c, w, flags, mode);
}

static long open_at(struct call *c, long flags, long mode)
{
	struct where w;
	flags &= KNOWN_FLAGS;
	bool make = flags & O_CREAT && !(flags & O_PATH) && (flags & O_TMPFILE) != O_TMPFILE;
	bool follow = !(flags & O_NOFOLLOW) && !(make && flags & O_EXCL);
	long r = where_find(&w, c->dirfd, c->path, follow ? W_FOLLOW : 0);
	if (r < 0)
		return r;
	r = open_where(c, &w, flags, mode);
	if (r < 0)
		note_wall(c, &w, flags, r);
	return r;
}

long h_open(struct call *c)
{
	return open_at(c, c->x[0], c->x[1]);
}

long h_creat(struct call *c)
{
	return open_at(c, O_CREAT | O_WRONLY | O_TRUNC, c->x[0]);
}

long h_openat2(struct call *c)
{
	struct open_how how;
	struct where w;
	if (c->x[1] < (long)sizeof(how))
		return -EINVAL;
	long r = guest_read(&how, (void *)c->x[0], sizeof(how));
	if (r < 0)
		return r;
	uint64_t beneath = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
	if (!(how.resolve & (beneath | RESOLVE_NO_SYMLINKS)) ||
	    (how.resolve & RESOLVE_NO_SYMLINKS && how.flags & O_NOFOLLOW))
		return open_at(c, (long)how.flags, (long)how.mode);
	/* the caller asks for a closed world below dirfd: the kernel gives it one */
	r = where_find(&w, c->dirfd, c->path, 0);
	if (r < 0)
		return r;
	bool in = how.resolve & beneath;
	r = sys4(SYS_openat2, in ? w.from : w.dir, in ? w.in : w.rel, &how, sizeof(how));
	if (r == -ENOSYS || r == -EPERM)
		return open_at(c, (long)how.flags, (long)how.mode);
	return opened(r, (long)how.flags);
}
