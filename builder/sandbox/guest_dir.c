/* SPDX-License-Identifier: MIT
 *
 * A directory outside the root for what the step sees in /dev, for file contents, for mounts of the
 * type tmpfs and for the short name of the root that socket addresses use.
 *
 * It lies in memory where there is enough: a dozen small files for each step, which some file
 * systems are slow to make. It is locked while it is in use, so that what a killed builder left can
 * be told from what another one uses.
 */
#include "guest.h"
#include <cooper/fs.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PREFIX	 ".cooper-"
#define SHM	 "/dev/shm"
#define SHM_MIN	 (256ull << 20)
#define ATTEMPTS 16

int guest_host_name(int fd, char *out, size_t size)
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, out, size);
	if (n < 0)
		return -1;
	if ((size_t)n >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	out[n] = '\0';
	return 0;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Directories of ours in memory that nobody has locked. */
static void remove_stale(void)
{
	auto_dir d = opendir(SHM);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct co_err ignore = CO_ERR_INIT;
		struct stat sb;
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		auto_fd fd = open_dir(dirfd(d), e->d_name);
		if (fd >= 0 && fstat(fd, &sb) == 0 && sb.st_uid == geteuid() &&
		    flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)!co_remove_tree(dirfd(d), e->d_name, &ignore);
	}
}

/* Makes and locks one there. false: try elsewhere. */
static bool make_in(struct guest *g, const char *place)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		struct stat here, held;
		snprintf(g->dir_path, sizeof(g->dir_path), "%s/" PREFIX "XXXXXX", place);
		if (!mkdtemp(g->dir_path))
			break;
		g->dir = open_dir(AT_FDCWD, g->dir_path);
		/* another builder may have taken it for stale before it was locked; the step's own
		 * user passes through it */
		if (g->dir >= 0 && flock(g->dir, LOCK_SH) == 0 && fchmod(g->dir, 0711) == 0 &&
		    fstat(g->dir, &held) == 0 && stat(g->dir_path, &here) == 0 &&
		    here.st_ino == held.st_ino)
			return true;
		co_close_fd(&g->dir);
		rmdir(g->dir_path);
	}
	g->dir_path[0] = '\0';
	return false;
}

int guest_dir_make(struct guest *g, struct co_err *err)
{
	/* beside the root last but one: its name is longer than a socket's address */
	char beside[1024];
	if (guest_host_name(g->st->root->fd, beside, sizeof(beside)) < 0)
		beside[0] = '\0';
	else
		*strrchr(beside, '/') = '\0';
	const char *const places[] = {SHM, "/tmp", "/var/tmp", beside, SHM, NULL};
	remove_stale();
	for (const char *const *p = places; *p; p++) {
		struct statvfs v;
		bool first = p == places, last = !p[1];
		/* the step may execute what lies there */
		if (!**p || statvfs(*p, &v) < 0 || (v.f_flag & ST_NOEXEC && !last) ||
		    (first && (uint64_t)v.f_bavail * v.f_frsize < SHM_MIN))
			continue;
		if (make_in(g, *p))
			return 0;
	}
	return co_fail_sys(err, "make a temporary directory for the step");
}
