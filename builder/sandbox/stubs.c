/* SPDX-License-Identifier: MIT
 *
 * A mount needs something to be mounted on. What is made for that is taken away after the step,
 * with the directories above it, so that it is no part of the layer; unless the step put something
 * there. Nothing is removed but the very objects that were made here, and no link is followed to
 * them (CVE-2024-23652).
 */
#include "sandbox-internal.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void remember(struct stubs *s, const char *path, bool dir, const struct stat *it,
		     struct timespec before, struct timespec after)
{
	s->items = co_xrealloc(s->items, s->n + 1, sizeof(*s->items));
	s->items[s->n++] = (struct stub){.path = co_xstrdup(path),
					 .dir = dir,
					 .dev = it->st_dev,
					 .ino = it->st_ino,
					 .before = before,
					 .after = after};
}

/* One entry in a directory, made when it is missing. */
static int one(struct stubs *s, int parent, const char *path, const char *name, bool dir)
{
	int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	struct stat before, after, it;
	int fd = openat(parent, name, flags);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (fstat(parent, &before) < 0)
		return -1;
	if (dir) {
		if (mkdirat(parent, name, 0755) < 0)
			return -1;
	} else {
		auto_fd file = openat(parent, name,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (file < 0)
			return -1;
	}
	auto_fd made = openat(parent, name, flags);
	if (made < 0 || fstat(made, &it) < 0 || fstat(parent, &after) < 0)
		return -1;
	remember(s, path, dir, &it, before.st_mtim, after.st_mtim);
	return co_steal_fd(&made);
}

static int walk(struct stubs *s, int root, char *path, bool dir)
{
	auto_fd at = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (char *p = path; at >= 0 && *p;) {
		size_t n = strcspn(p, "/");
		bool last = !p[n];
		p[n] = '\0';
		int next = one(s, at, path, p, !last || dir);
		if (!last)
			p[n] = '/';
		close(at);
		at = next;
		p += n + !last;
	}
	return co_steal_fd(&at);
}

int stub_open(struct stubs *s, int root, const char *target, bool dir, struct co_err *err)
{
	char path[4096];
	struct stat sb;
	if (co_inroot_resolve(root, target, path, sizeof(path)) < 0)
		return co_fail_sys(err, "mount target %s", target);
	auto_fd fd = walk(s, root, path, dir);
	if (fd < 0 || fstat(fd, &sb) < 0)
		return co_fail_sys(err, "mount target %s", target);
	if (S_ISLNK(sb.st_mode))
		return co_fail(err, CO_E_SANDBOX, "mount target %s: a link that leads nowhere",
			       target);
	if (S_ISDIR(sb.st_mode) != dir)
		return co_fail(err, CO_E_SANDBOX, "mount target %s: is %s directory in the image",
			       target, dir ? "not a" : "a");
	return co_steal_fd(&fd);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void remove_one(const struct stub *b, int root)
{
	auto_free char *path = co_xstrdup(b->path);
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct stat it, dir;
	if (slash)
		*slash = '\0';
	/* a link in the way means that the step moved things: then nothing here is ours */
	auto_fd parent = slash ? co_inroot_open(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
			       : openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || fstatat(parent, name, &it, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (it.st_dev != b->dev || it.st_ino != b->ino || (!b->dir && it.st_size) ||
	    fstat(parent, &dir) < 0)
		return;
	if (unlinkat(parent, name, b->dir ? AT_REMOVEDIR : 0) < 0)
		return;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, dir.st_mtim};
	/* as if nothing had ever been made here, unless the step itself changed the directory */
	if (same_time(dir.st_mtim, b->after))
		times[1] = b->before;
	futimens(parent, times);
}

void stubs_remove(struct stubs *s, int root)
{
	while (s->n) {
		remove_one(&s->items[--s->n], root);
		free(s->items[s->n].path);
	}
	free(co_steal(&s->items));
}
