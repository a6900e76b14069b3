/* SPDX-License-Identifier: MIT
 *
 * Resolution without openat2: a stack of O_PATH descriptors stands for "where we are", so ".." is a
 * pop and can not race with renames (runc's and libpathrs' lesson).
 */
#include "inroot-internal.h"
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#define MAX_DEPTH 512
#define MAX_LINKS 40

struct walk {
	int rootfd;
	int fds[MAX_DEPTH];
	size_t n;
	unsigned links;
	struct co_arena arena;
};

static int top(const struct walk *w)
{
	return w->n ? w->fds[w->n - 1] : w->rootfd;
}

static void pop_all(struct walk *w)
{
	while (w->n)
		co_close_fd(&w->fds[--w->n]);
}

static int push(struct walk *w, int fd)
{
	if (w->n == MAX_DEPTH) {
		close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	w->fds[w->n++] = fd;
	return 0;
}

/* Magic links of procfs lead anywhere; their text means nothing. */
static bool is_magic(int fd)
{
	struct statfs s;
	return fstatfs(fd, &s) == 0 && s.f_type == PROC_SUPER_MAGIC;
}

/* Follows a link found at `fd`: gives what is left to walk. */
static const char *follow(struct walk *w, int fd, const char *rest)
{
	char target[4097];
	if (++w->links > MAX_LINKS || is_magic(fd)) {
		errno = ELOOP;
		return NULL;
	}
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0)
		return NULL;
	target[n] = '\0';
	if (target[0] == '/')
		pop_all(w);
	return co_arena_printf(&w->arena, "%s%s%s", target, *rest ? "/" : "", rest);
}

static int open_last(struct walk *w, const char *name, int flags, mode_t mode)
{
	/* the last component is no link, or must not be followed */
	return openat(top(w), name, flags | O_NOFOLLOW, mode);
}

static int reopen_top(struct walk *w, int flags)
{
	return openat(top(w), ".", flags & ~(O_CREAT | O_EXCL));
}

static int walk(struct walk *w, const char *path, int flags, mode_t mode)
{
	while (*path) {
		size_t n = strcspn(path, "/");
		const char *name = co_arena_strndup(&w->arena, path, n);
		const char *rest = path + n;
		bool slash = *rest == '/';
		rest += strspn(rest, "/");
		if (!n || !strcmp(name, ".")) {
			path = rest;
			continue;
		}
		if (!strcmp(name, "..")) {
			if (w->n)
				co_close_fd(&w->fds[--w->n]);
			path = rest;
			continue;
		}
		bool last = !*rest;
		struct stat st;
		auto_fd fd = openat(top(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			if (errno == ENOENT && last && !slash && (flags & O_CREAT))
				return open_last(w, name, flags, mode);
			return -1;
		}
		if (fstat(fd, &st) < 0)
			return -1;
		if (S_ISLNK(st.st_mode) && !(last && !slash && (flags & O_NOFOLLOW))) {
			path = follow(w, fd, rest);
			if (!path)
				return -1;
			continue;
		}
		if (last && !S_ISDIR(st.st_mode)) {
			if (slash) {
				errno = ENOTDIR;
				return -1;
			}
			return open_last(w, name, flags, mode);
		}
		if (!S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return -1;
		}
		if (last && (flags & O_CREAT) && (flags & O_EXCL)) {
			errno = EEXIST;
			return -1;
		}
		if (push(w, co_steal_fd(&fd)) < 0)
			return -1;
		path = rest;
	}
	return reopen_top(w, flags);
}

int inroot_walk(int rootfd, const char *path, int flags, mode_t mode)
{
	struct walk *w = co_xcalloc(1, sizeof(*w));
	w->rootfd = rootfd;
	int fd = walk(w, path, flags, mode);
	int saved = errno;
	pop_all(w);
	co_arena_release(&w->arena);
	free(w);
	errno = saved;
	return fd;
}
