/* SPDX-License-Identifier: MIT */
#include "inroot-internal.h"
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/inroot.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Remembered for the process: is openat2 there? 0 unknown or yes, 1 no. */
static atomic_int no_openat2;

void co_inroot_force_walk(bool on)
{
	atomic_store(&no_openat2, on);
}

static int try_openat2(int rootfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {.flags = (uint64_t)flags,
			       .mode = flags & (O_CREAT | __O_TMPFILE) ? mode & 07777 : 0,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	for (int i = 0; i < 64; i++) {
		int fd = (int)syscall(SYS_openat2, rootfd, *path ? path : ".", &how, sizeof(how));
		/* EAGAIN: a rename elsewhere raced with "..": try again */
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
	return -1;
}

int co_inroot_open(int rootfd, const char *path, int flags, mode_t mode)
{
	flags |= O_CLOEXEC;
	if (!(flags & O_PATH))
		flags |= O_NOCTTY | (flags & O_CREAT ? 0 : O_NONBLOCK);
	if (!atomic_load(&no_openat2)) {
		int fd = try_openat2(rootfd, path, flags, mode);
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
			return fd;
		/* EPERM may be the file's or the seccomp profile's answer: the walk decides */
		if (errno == ENOSYS)
			atomic_store(&no_openat2, 1);
	}
	return inroot_walk(rootfd, path, flags, mode);
}

int co_inroot_parent(int rootfd, const char *path, const char **base)
{
	size_t n = strlen(path);
	while (n && path[n - 1] == '/')
		n--;
	size_t start = n;
	while (start && path[start - 1] != '/')
		start--;
	size_t len = n - start;
	if ((len == 1 && path[start] == '.') ||
	    (len == 2 && path[start] == '.' && path[start + 1] == '.') || path[n]) {
		/* a trailing slash would leak into *base: callers clean their paths */
		if (len || start) {
			errno = EINVAL;
			return -1;
		}
	}
	auto_free char *dir = co_xcalloc(start + 1, 1);
	memcpy(dir, path, start);
	int fd = co_inroot_open(rootfd, dir, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		*base = len ? path + start : "";
	return fd;
}

/* One directory below dir, followed in-root when it is a link; made when it is missing. */
static int step_into(int rootfd, const char *sofar, int dir, const char *name, mode_t mode,
		     void (*made)(void *, int, const char *), void *ctx)
{
	int fd = co_inroot_open(rootfd, sofar, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdirat(dir, name, mode) < 0) {
		/* a dangling link: make what it points at */
		char target[4096];
		if (errno != EEXIST || co_inroot_resolve(rootfd, sofar, target, sizeof(target)) < 0)
			return -1;
		return co_inroot_mkdirs(rootfd, target, mode, made, ctx);
	}
	if (fchmodat(dir, name, mode, 0) < 0)
		return -1;
	if (made)
		made(ctx, dir, name);
	return openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int co_inroot_mkdirs(int rootfd, const char *path, mode_t mode,
		     void (*made)(void *ctx, int dirfd, const char *name), void *ctx)
{
	int whole = co_inroot_open(rootfd, path, O_RDONLY | O_DIRECTORY, 0);
	if (whole >= 0 || errno != ENOENT)
		return whole;
	auto_arena a = CO_ARENA_INIT;
	const char *clean = co_path_clean_rel(&a, path);
	auto_fd dir = co_inroot_open(rootfd, "", O_PATH | O_DIRECTORY, 0);
	for (const char *p = clean; *p && dir >= 0;) {
		size_t n = strcspn(p, "/");
		const char *sofar = co_arena_strndup(&a, clean, (size_t)(p - clean) + n);
		int next =
			step_into(rootfd, sofar, dir, co_arena_strndup(&a, p, n), mode, made, ctx);
		if (next < 0)
			return -1;
		close(dir);
		dir = next;
		p += n + (p[n] == '/');
	}
	return dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The link's text when path is a link, "" when it is something else; -1 when it is missing. */
static int link_at(int rootfd, const char *path, char *out, size_t size)
{
	auto_fd fd = co_inroot_open(rootfd, path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return -1;
	ssize_t n = readlinkat(fd, "", out, size - 1);
	out[n < 0 ? 0 : n] = '\0';
	return 0;
}

int co_inroot_resolve(int rootfd, const char *path, char *out, size_t size)
{
	auto_arena a = CO_ARENA_INIT;
	const char *todo = path;
	const char *done = "";
	char link[4097];
	unsigned links = 0;
	while (*todo) {
		size_t n = strcspn(todo, "/");
		const char *name = co_arena_strndup(&a, todo, n);
		todo += n;
		todo += strspn(todo, "/");
		const char *next = co_path_clean_rel(&a, co_arena_printf(&a, "%s/%s", done, name));
		bool plain = n && strcmp(name, ".") && strcmp(name, "..");
		if (plain && link_at(rootfd, next, link, sizeof(link)) == 0 && *link) {
			if (++links > 40) {
				errno = ELOOP;
				return -1;
			}
			todo = co_arena_printf(&a, "%s/%s", link, todo);
			if (*link == '/')
				done = "";
			continue;
		}
		done = next;
	}
	if (strlen(done) >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	co_put_text(out, size, done);
	return 0;
}

char *co_inroot_slurp(int rootfd, const char *path, size_t max, size_t *len)
{
	struct stat st;
	auto_fd fd = co_inroot_open(rootfd, path, O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return NULL;
	}
	auto_buf b = CO_BUF_INIT(max);
	struct co_err err = CO_ERR_INIT;
	if (co_buf_read_fd(&b, fd, path, &err) < 0) {
		errno = b.overflow ? EFBIG : EIO;
		return NULL;
	}
	if (len)
		*len = b.len;
	return co_buf_take(&b);
}
