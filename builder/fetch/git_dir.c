/* SPDX-License-Identifier: MIT
 *
 * The repository that a directory belongs to, found as git finds it: upwards, to the border of the
 * file system.
 */
#include "git-read.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES 8192
#define MAX_UP	       256

int git_open_file(int dirfd, const char *name)
{
	struct stat sb;
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &sb) < 0)
		return -1;
	if (S_ISREG(sb.st_mode))
		return co_steal_fd(&fd);
	errno = S_ISDIR(sb.st_mode) ? EISDIR : EINVAL;
	return -1;
}

int git_read_text(int dirfd, const char *name, size_t max, struct co_buf *out, struct co_err *err)
{
	auto_fd fd = git_open_file(dirfd, name);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EISDIR))
		return co_fail(err, CO_E_NOT_FOUND, "no file %s", name);
	if (fd < 0)
		return co_fail_sys(err, "%s", name);
	*out = (struct co_buf)CO_BUF_INIT(max);
	int r = co_buf_read_fd(out, fd, name, err);
	if (r < 0)
		return r;
	size_t n = out->len;
	while (n && co_is_space(out->data[n - 1]))
		n--;
	co_buf_cut(out, n);
	if (memchr(co_buf_str(out), '\0', n))
		return co_fail(err, CO_E_INVALID, "%s: not text", name);
	return 0;
}

static int open_dir(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Something that happens to be called ".git" is passed over. */
static bool is_repository(int dir)
{
	struct stat sb;
	if (fstatat(dir, "HEAD", &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return fstatat(dir, "objects", &sb, 0) == 0 && S_ISDIR(sb.st_mode);
}

/* "gitdir: PATH": a worktree or a submodule. */
static int follow_file(int at, struct co_err *err)
{
	auto_buf text = CO_BUF_INIT(LINE_MAX_BYTES);
	int r = git_read_text(at, ".git", LINE_MAX_BYTES, &text, err);
	if (r < 0)
		return r;
	const char *s = co_buf_str(&text);
	if (!co_starts(s, "gitdir: "))
		return co_fail(err, CO_E_INVALID, "the file .git names no repository");
	int fd = open_dir(at, s + strlen("gitdir: "));
	if (fd < 0)
		return co_fail_sys(err, "%s, which the file .git names", s + strlen("gitdir: "));
	return fd;
}

static int open_common(struct git_dir *d, struct co_err *err)
{
	auto_buf text = CO_BUF_INIT(LINE_MAX_BYTES);
	struct co_err none = CO_ERR_INIT;
	int r = git_read_text(d->dir, "commondir", LINE_MAX_BYTES, &text, &none);
	const char *path = r == CO_E_NOT_FOUND ? "." : co_buf_str(&text);
	if (r < 0 && r != CO_E_NOT_FOUND) {
		*err = none;
		return r;
	}
	d->common = open_dir(d->dir, path);
	return d->common < 0 ? co_fail_sys(err, "the repository's directory %s", path) : 0;
}

/* 1: here, 0: not here. */
static int look_at(int at, int *dir, struct co_err *err)
{
	struct stat sb;
	if (fstatat(at, ".git", &sb, 0) < 0)
		return 0;
	if (S_ISREG(sb.st_mode)) {
		*dir = follow_file(at, err);
		return *dir < 0 ? err->code : 1;
	}
	if (!S_ISDIR(sb.st_mode))
		return 0;
	auto_fd fd = open_dir(at, ".git");
	if (fd < 0)
		return co_fail_sys(err, "open .git");
	if (!is_repository(fd))
		return 0;
	*dir = co_steal_fd(&fd);
	return 1;
}

/* The parent, or -1 at the top and at the border. */
static int go_up(int at)
{
	struct stat here, there;
	auto_fd up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (up < 0 || fstat(at, &here) < 0 || fstat(up, &there) < 0 ||
	    here.st_dev != there.st_dev || here.st_ino == there.st_ino)
		return -1;
	return co_steal_fd(&up);
}

int git_dir_find(struct git_dir *out, int start, struct co_err *err)
{
	struct git_dir d = {.dir = -1, .common = -1};
	auto_fd at = openat(start, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; at >= 0 && i < MAX_UP; i++) {
		int r = look_at(at, &d.dir, err);
		if (r < 0)
			return r;
		if (r > 0) {
			r = open_common(&d, err);
			if (r < 0)
				git_dir_close(&d);
			else
				*out = d;
			return r < 0 ? r : 1;
		}
		int up = go_up(at);
		co_close_fd(&at);
		at = up;
	}
	return 0;
}

void git_dir_close(struct git_dir *d)
{
	co_close_fd(&d->dir);
	co_close_fd(&d->common);
}
