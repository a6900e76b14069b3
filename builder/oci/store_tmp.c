/* SPDX-License-Identifier: MIT
 *
 * store_tmp.c — the directory where one process works. Its lock is held as long as the process
 * lives, so that what a killed one left behind can be told from what is in use.
 */
#include "store-internal.h"
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define ATTEMPTS 64

void store_remove_quietly(int dir, const char *name)
{
	struct co_err ignore = CO_ERR_INIT;
	int r = co_remove_tree(dir, name, &ignore);
	(void)r;
}

/* Removes one directory when nobody holds its lock. Who just made it and has not locked it yet
 * notices and makes another (see make_tmp). What cannot be removed from here, such as files of
 * subordinate ids seen from outside their namespace, is left for a process that can. */
static void sweep_one(int dir, const char *name)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		store_remove_quietly(dir, name);
}

void store_tmp_sweep(struct co_store *s)
{
	auto_fd fd = openat(s->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return;
	fd = -1;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			sweep_one(dirfd(d), e->d_name);
}

/* 1: made and locked, 0: a sweeper was faster, try again. */
static int make_tmp(struct co_store *s, int dir, struct co_err *err)
{
	char name[32];
	struct stat ours, there;
	auto_fd fd = co_mkdtemp_at(dir, "p", name, sizeof(name), err);
	if (fd < 0) {
		if (err->sys != ENOENT)
			return fd;
		co_err_clear(err);
		return 0;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return 0;
		return co_fail_sys(err, "store: lock a temporary directory");
	}
	if (fstat(fd, &ours) < 0 || fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ours.st_ino != there.st_ino)
		return 0;
	snprintf(s->tmp_name, sizeof(s->tmp_name), "tmp/%s", name);
	s->tmp_path = co_xasprintf("%s/%s", s->path, s->tmp_name);
	s->tmp = co_steal_fd(&fd);
	s->owner = getpid();
	return 1;
}

int co_store_tmp_fd(struct co_store *s, struct co_err *err)
{
	if (s->tmp >= 0)
		return s->tmp;
	auto_fd dir = openat(s->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return co_fail_sys(err, "store: open tmp");
	for (int i = 0; i < ATTEMPTS; i++) {
		int r = make_tmp(s, dir, err);
		if (r < 0)
			return co_wrap(err, "store");
		if (r > 0)
			return s->tmp;
	}
	return co_fail(err, CO_E_SYSTEM, "store: no temporary directory could be made");
}

const char *co_store_tmp_path(struct co_store *s)
{
	struct co_err ignore = CO_ERR_INIT;
	return co_store_tmp_fd(s, &ignore) < 0 ? NULL : s->tmp_path;
}

int store_tmp_file(struct co_store *s, char *name, size_t size, struct co_err *err)
{
	int dir = co_store_tmp_fd(s, err);
	if (dir < 0)
		return dir;
	/* a forked child counts on from the same number: a taken name is passed over */
	for (;;) {
		snprintf(name, size, "f-%u", atomic_fetch_add(&s->serial, 1));
		int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				0600);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return co_fail_sys(err, "store: make a temporary file");
	}
}

int store_write(struct co_store *s, const char *path, const void *data, size_t len,
		struct co_err *err)
{
	char name[32];
	auto_fd fd = store_tmp_file(s, name, sizeof(name), err);
	if (fd < 0)
		return fd;
	if (fchmod(fd, 0600) == 0 && co_write_all(fd, data, len) == 0 &&
	    close(co_steal_fd(&fd)) == 0 && renameat(s->tmp, name, s->fd, path) == 0)
		return 0;
	co_fail_sys(err, "store: write %s", path);
	unlinkat(s->tmp, name, 0);
	return err->code;
}

void store_tmp_close(struct co_store *s)
{
	if (s->tmp < 0)
		return;
	if (s->owner == getpid())
		store_remove_quietly(s->fd, s->tmp_name);
	co_close_fd(&s->tmp);
	free(co_steal(&s->tmp_path));
}
