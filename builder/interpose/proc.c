/* SPDX-License-Identifier: MIT
 *
 * /proc: its links that are more than text, files in it that name the host's paths or ids, and
 * directory listings (of it, and of directories with recorded devices).
 */
#include "files.h"
#include <linux/memfd.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

static size_t tail(const char *s, size_t n)
{
	while (n && s[n - 1] != '/')
		n--;
	return n;
}

static bool name_is(const char *s, size_t n, const char *name)
{
	return text_len(name) == n && !memcmp(s, name, n);
}

bool proc_magic(const char *dir, size_t dir_len, const char *name, size_t name_len)
{
	const char *rest;
	const struct co_ip_mount *m = mount_at(dir, dir_len, &rest);
	if (!m || !(m->flags & CO_IPM_PROC))
		return false;
	size_t t = tail(dir, dir_len);
	if (name_is(dir + t, dir_len - t, "fd") || name_is(dir + t, dir_len - t, "ns") ||
	    name_is(dir + t, dir_len - t, "map_files"))
		return true;
	return text_is_number(dir + t, dir_len - t) &&
	       (name_is(name, name_len, "exe") || name_is(name, name_len, "cwd") ||
		name_is(name, name_len, "root"));
}

/* The process that a path below /proc speaks of; 0 when it is none. */
static int32_t pid_of(const char *path, const char **rest)
{
	if (!text_starts(path, "/proc/"))
		return 0;
	const char *p = path + 6;
	uint64_t pid = text_get(&p, 10);
	*rest = p;
	return *p == '/' && pid < 1u << 30 ? (int32_t)pid : 0;
}

/* What program another process of the step runs: its interposer lies where ours does. */
static long exe_of(int32_t pid, char *out, size_t size)
{
	if (pid != (int32_t)sys0(SYS_getpid)) {
		struct iovec l = {out, sizeof(g.exe) < size ? sizeof(g.exe) : size};
		struct iovec r = {g.exe, l.iov_len};
		long n = sys6(SYS_process_vm_readv, pid, (long)&l, 1, (long)&r, 1, 0);
		if (n <= 0 || out[0] != '/')
			return 0;
		out[n - 1] = '\0';
		return (long)text_len(out);
	}
	return text_put(out, out + size, g.exe) - out;
}

long proc_link(const char *path, char *out, size_t size)
{
	const char *rest;
	char host[PATH_SIZE + 1];
	int32_t pid = pid_of(path, &rest);
	if (text_ends(path, "/exe"))
		return exe_of(pid, out, size);
	if (text_ends(path, "/root"))
		return text_put(out, out + size, "/") - out;
	long n = sys4(SYS_readlinkat, AT_FDCWD, path, host, PATH_SIZE);
	if (n < 0)
		return n;
	host[n] = '\0';
	if (host[0] != '/' || text_ends(host, " (deleted)") || !name_to_guest(out, size, host))
		return 0;
	return (long)text_len(out);
}

long proc_exe(int dir, const char *name, char *out, size_t size)
{
	char place[PATH_SIZE], t[40];
	const char *rest;
	size_t len = text_len(name), last = tail(name, len);
	int fd = dir;
	if (len) {
		if (!name_is(name + last, len - last, "exe"))
			return 0;
		memcpy(place, name, last);
		text_put(place + last, place + sizeof(place), last ? "" : ".");
		fd = (int)sys4(SYS_openat, dir, place, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (fd < 0)
			return 0;
	}
	long n =
		sys4(SYS_readlinkat, AT_FDCWD, fd_path(t, sizeof(t), fd), place, sizeof(place) - 8);
	if (len)
		sys1(SYS_close, fd);
	if (n <= 0)
		return 0;
	text_put(place + n, place + sizeof(place), len ? "/exe" : "");
	int32_t pid = pid_of(place, &rest);
	if (!pid ||
	    !(text_eq(rest, "/exe") || (text_starts(rest, "/task/") && text_ends(rest, "/exe"))))
		return 0;
	return exe_of(pid, out, size);
}

/* ---- files with edited contents ---- */

struct edit {
	int in, out;
	struct statx image; /* the interposer's file */
	char line[PATH_SIZE * 2];
	char made[PATH_SIZE * 2];
};

/* Pages of stubs (patch.c) lie between the guest's. p is behind the start of the line. */
static bool is_image(const struct edit *e, const char *p)
{
	if (*p++ != '-')
		return false;
	text_get(&p, 16);
	while (*p && *p != ' ')
		p++;
	p += *p == ' ';
	text_get(&p, 16);
	uint64_t major = text_get(&p, 16);
	p += *p == ':';
	uint64_t minor = text_get(&p, 16), ino = text_get(&p, 10);
	return ino && ino == e->image.stx_ino && major == e->image.stx_dev_major &&
	       minor == e->image.stx_dev_minor;
}

/* "start-end perms offset dev inode   path": the interposer's own lines vanish, paths are the
 * guest's. */
static bool edit_maps(struct edit *e)
{
	const char *p = e->line;
	uint64_t start = text_get(&p, 16);
	if (start >= ARCH_BASE && start < ARCH_BASE + (1ull << 32) &&
	    !text_ends(e->line, "[heap]\n"))
		return false;
	if (is_image(e, p))
		return false;
	char *path = e->line;
	while (*path && *path != '/')
		path++;
	size_t n = text_len(path);
	char saved[PATH_SIZE];
	if (!n || n >= sizeof(saved) || path[n - 1] != '\n')
		return true;
	path[n - 1] = '\0';
	if (name_to_guest(saved, sizeof(saved), path))
		text_put(path, e->line + sizeof(e->line) - 1, saved);
	text_put(path + text_len(path), e->line + sizeof(e->line), "\n");
	return true;
}

static void put_ids(struct edit *e, const char *label, const uint32_t *ids, size_t n)
{
	char *end = e->line + sizeof(e->line), *p = text_put(e->line, end, label);
	for (size_t i = 0; i < n; i++)
		p = text_num(text_put(p, end, i ? "\t" : ""), end, ids[i], 10);
	text_put(p, end, "\n");
}

static void put_set(struct edit *e, const char *label, uint64_t set)
{
	char *end = e->line + sizeof(e->line), *p = text_put(e->line, end, label);
	for (int i = 60; i >= 0; i -= 4)
		p = text_num(p, end, set >> i & 15, 16);
	text_put(p, end, "\n");
}

static bool edit_status(struct edit *e)
{
	const struct co_ip_cred *c = cred();
	uint32_t uids[] = {c->ruid, c->euid, c->suid, c->fsuid};
	uint32_t gids[] = {c->rgid, c->egid, c->sgid, c->fsgid};
	if (text_starts(e->line, "Uid:"))
		put_ids(e, "Uid:\t", uids, 4);
	else if (text_starts(e->line, "Gid:"))
		put_ids(e, "Gid:\t", gids, 4);
	else if (text_starts(e->line, "Groups:"))
		put_ids(e, "Groups:\t", c->groups, c->n_groups);
	else if (text_starts(e->line, "CapInh:"))
		put_set(e, "CapInh:\t", c->inheritable);
	else if (text_starts(e->line, "CapPrm:"))
		put_set(e, "CapPrm:\t", c->permitted);
	else if (text_starts(e->line, "CapEff:"))
		put_set(e, "CapEff:\t", c->effective);
	else if (text_starts(e->line, "CapBnd:"))
		put_set(e, "CapBnd:\t", c->bounding);
	else if (text_starts(e->line, "CapAmb:"))
		put_set(e, "CapAmb:\t", c->ambient);
	return true;
}

static void flush(struct edit *e, size_t n)
{
	for (size_t done = 0; done < n;) {
		long r = sys3(SYS_write, e->out, e->line + done, n - done);
		if (r <= 0)
			return;
		done += (size_t)r;
	}
}

static long edited(const struct where *w, int flags, bool (*line)(struct edit *))
{
	struct edit e;
	char buf[4096];
	size_t n = 0;
	long got;
	e.in = (int)sys4(SYS_openat, w->dir, w->rel, O_RDONLY | O_CLOEXEC, 0);
	if (e.in < 0)
		return e.in;
	e.image.stx_ino = 0;
	if (line == edit_maps)
		sys5(SYS_statx, FD(CO_IPF_IMAGE), "", AT_EMPTY_PATH, STATX_INO, &e.image);
	e.out = (int)sys2(SYS_memfd_create, "proc", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	if (e.out < 0) {
		sys1(SYS_close, e.in);
		return 0;
	}
	while ((got = sys3(SYS_read, e.in, buf, sizeof(buf))) > 0)
		for (long i = 0; i < got; i++) {
			e.line[n++] = buf[i];
			if (buf[i] != '\n' && n + PATH_SIZE < sizeof(e.line))
				continue;
			e.line[n] = '\0';
			if (line(&e))
				flush(&e, text_len(e.line));
			n = 0;
		}
	sys1(SYS_close, e.in);
	sys3(SYS_lseek, e.out, 0, 0);
	return e.out;
}

long proc_open(const struct where *w, int flags)
{
	const char *rest;
	int32_t pid = pid_of(w->guest, &rest);
	if (!pid || flags & (O_ACCMODE | O_DIRECTORY))
		return 0;
	bool task = text_starts(rest, "/task/");
	if ((paths_on()) && (text_eq(rest, "/maps") || text_eq(rest, "/smaps") ||
			     (task && (text_ends(rest, "/maps") || text_ends(rest, "/smaps")))))
		return edited(w, flags, edit_maps);
	if (ids_on() && pid == (int32_t)sys0(SYS_getpid) &&
	    (text_eq(rest, "/status") || (task && text_ends(rest, "/status"))))
		return edited(w, flags, edit_status);
	return 0;
}

/* ---- listings ---- */

struct dirent_k {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static bool is_own_fd(const char *name)
{
	const char *p = name;
	uint64_t fd = text_get(&p, 10);
	return !*p && p != name && fd < 1u << 30 && fd_reserved((long)fd);
}

/* Takes the reserved descriptors out of a listing of /proc/PID/fd. buf is the guest's, written by
 * the kernel just now. */
long proc_filter_fds(int fd, char *buf, long n)
{
	char host[64], t[40];
	bool own = false;
	for (long i = 0; i < n; i += ((struct dirent_k *)(void *)(buf + i))->len)
		own |= is_own_fd(((struct dirent_k *)(void *)(buf + i))->name);
	if (!own)
		return n;
	long k = sys4(SYS_readlinkat, AT_FDCWD, fd_path(t, sizeof(t), fd), host, sizeof(host) - 1);
	if (k <= 0)
		return n;
	host[k] = '\0';
	if (!text_starts(host, "/proc/") || !(text_ends(host, "/fd") || text_ends(host, "/fdinfo")))
		return n;
	long kept = 0;
	for (long i = 0; i < n;) {
		struct dirent_k *e = (void *)(buf + i);
		long len = e->len;
		if (!is_own_fd(e->name)) {
			memmove(buf + kept, buf + i, (size_t)len);
			kept += len;
		}
		i += len;
	}
	return kept;
}

/* Recorded devices are files on disk. */
static void show_devices(int fd, char *buf, long n)
{
	struct meta dir, m;
	if (meta_get_fd(fd, &dir) < 0)
		return;
	for (long i = 0; i < n;) {
		struct dirent_k *e = (void *)(buf + i);
		struct where w = {.dir = fd, .rel = e->name};
		if (e->type == 8 /* DT_REG */ && meta_maybe(dir.key.dev, e->ino) &&
		    meta_get(&w, &m) == 0)
			e->type = (uint8_t)((m.mode & S_IFMT) >> 12);
		i += e->len;
	}
}

long h_getdents(struct call *c)
{
	if (fd_reserved(c->a[0]))
		return -EBADF;
	long n;
	do {
		n = sys3(SYS_getdents64, c->a[0], c->a[1], c->a[2]);
		if (n <= 0)
			return n;
		if (g.tab && owntab_load(&g.tab->devices))
			show_devices((int)c->a[0], (char *)c->a[1], n);
		n = proc_filter_fds((int)c->a[0], (char *)c->a[1], n);
	} while (!n); /* nothing but our own: there may be more */
	return n;
}
