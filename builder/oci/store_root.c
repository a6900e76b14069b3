/* SPDX-License-Identifier: MIT
 *
 * store_root.c — where the store is.
 */
#include "store-internal.h"
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The effective ids count, which takes a system call that container runtimes older than it refuse
 * with EPERM. */
static bool may_write(int dir)
{
	if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) == 0)
		return true;
	return errno == EPERM && syscall(SYS_faccessat, dir, ".", W_OK | X_OK) == 0;
}

static int open_dir(const char *path, int *fd, struct co_err *err)
{
	int r = co_mkdir_p(path, 0700, err);
	if (r < 0)
		return co_wrap(err, "store");
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return co_fail_sys(err, "store: open %s", path);
	if (!may_write(dir)) {
		co_fail_sys(err, "store: %s cannot be written", path);
		return co_hint(err, "choose another place with --root or COOPER_ROOT");
	}
	*fd = co_steal_fd(&dir);
	return 0;
}

/* The user's id outside the user namespace that we may have entered: the name of the directory
 * must not depend on it. */
static unsigned outer_uid(void)
{
	unsigned id = geteuid();
	char line[128];
	auto_file f = fopen("/proc/self/uid_map", "re");
	/* inside, outside, count: decimal numbers that the kernel wrote */
	while (f && fgets(line, sizeof(line), f)) {
		char *at;
		unsigned long inside = strtoul(line, &at, 10);
		unsigned long outside = strtoul(at, &at, 10);
		unsigned long count = strtoul(at, NULL, 10);
		if (id >= inside && id - inside < count)
			return (unsigned)(outside + (id - inside));
	}
	return id;
}

/* In a directory that all may write to, the name could have been taken by somebody else. */
static int open_shared_tmp(char **path, int *fd, struct co_err *err)
{
	const char *tmp = getenv("TMPDIR");
	auto_free char *name =
		co_xasprintf("%s/cooper-%u", tmp && *tmp == '/' ? tmp : "/tmp", outer_uid());
	struct stat st;
	if (mkdir(name, 0700) < 0 && errno != EEXIST) {
		co_fail_sys(err, "store: make %s", name);
		return co_hint(err,
			       "set HOME, COOPER_ROOT or TMPDIR to a place that can be written");
	}
	auto_fd dir = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0) {
		co_fail_sys(err, "store: open %s", name);
		return co_hint(err, "set COOPER_ROOT to a directory of your own");
	}
	if (st.st_uid != geteuid() || (st.st_mode & 077)) {
		co_fail(err, CO_E_POLICY, "store: %s does not belong to this user alone", name);
		return co_hint(err, "remove it, or set COOPER_ROOT to a directory of your own");
	}
	*path = co_steal(&name);
	*fd = co_steal_fd(&dir);
	return 0;
}

static int open_named(const char *name, char **path, int *fd, struct co_err *err)
{
	int r = open_dir(name, fd, err);
	if (!r)
		*path = co_xstrdup(name);
	return r;
}

static int open_below(const char *dir, const char *sub, char **path, int *fd, struct co_err *err)
{
	auto_free char *name = co_xasprintf("%s/%s", dir, sub);
	return open_named(name, path, fd, err);
}

static int choose(const char *root, char **path, int *fd, struct co_err *err)
{
	if (!root || !*root)
		root = getenv("COOPER_ROOT");
	if (root && *root)
		return open_named(root, path, fd, err);
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	if (data && *data == '/')
		return open_below(data, "cooper", path, fd, err);
	struct co_err ignore = CO_ERR_INIT;
	if (home && *home == '/' && open_below(home, ".local/share/cooper", path, fd, &ignore) == 0)
		return 0;
	return open_shared_tmp(path, fd, err);
}

int store_root_open(const char *root, char **path, int *fd, struct co_err *err)
{
	auto_free char *name = NULL;
	auto_fd dir = -1;
	int r = choose(root, &name, &dir, err);
	if (r < 0)
		return r;
	char *full = realpath(name, NULL);
	if (!full)
		return co_fail_sys(err, "store: %s", name);
	*path = full;
	*fd = co_steal_fd(&dir);
	return 0;
}
