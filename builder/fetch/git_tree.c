/* SPDX-License-Identifier: MIT
 *
 * From a git checkout to a plain tree of files.
 */
#include "git-internal.h"
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <cooper/names.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH 256

struct settle {
	bool keep;
	int64_t when;
	unsigned depth;
	struct co_err *err;
};

static int settle_dir(struct settle *s, int dirfd);

static int settle_entry(struct settle *s, int dirfd, const char *name)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)s->when}};
	struct stat sb;
	/* the top one is the repository; those of submodules only lead to it */
	if (!strcmp(name, ".git"))
		return s->keep ? 0 : co_remove_tree(dirfd, name, s->err);
	if (fstatat(dirfd, name, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return co_fail_sys(s->err, "%s", name);
	if (S_ISDIR(sb.st_mode)) {
		auto_fd fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int r = fd < 0 ? co_fail_sys(s->err, "open %s", name) : settle_dir(s, fd);
		if (r < 0)
			return r;
	}
	if (s->when >= 0 && utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return co_fail_sys(s->err, "set the time of %s", name);
	return 0;
}

static int settle_dir(struct settle *s, int dirfd)
{
	struct co_names names;
	if (++s->depth > MAX_DEPTH)
		return co_fail(s->err, CO_E_LIMIT, "directories nested deeper than %d", MAX_DEPTH);
	if (co_names_read(&names, dirfd) < 0)
		return co_fail_sys(s->err, "read a directory of the git tree");
	int r = 0;
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = settle_entry(s, dirfd, names.items[i]);
	co_names_release(&names);
	s->depth--;
	return r;
}

int git_tree_settle(int dirfd, bool keep_git_dir, int64_t when, struct co_err *err)
{
	struct settle s = {.keep = keep_git_dir, .when = when, .err = err};
	return settle_dir(&s, dirfd);
}
