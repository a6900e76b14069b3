/* SPDX-License-Identifier: MIT
 *
 * What the child does between its birth in new namespaces and the step's first process. It shares
 * the builder's memory (the builder waits), so what it learns is simply there afterwards; it has
 * its own descriptors, directory and mounts.
 */
#include "guest.h"
#include <cooper/str.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

size_t spare_dirs(const char **out, size_t max)
{
	static const char *const names[] = {"/tmp", "/var", "/usr", "/etc", "/home", "/mnt", NULL};
	struct stat sb;
	size_t n = 0;
	for (const char *const *p = names; *p && n < max; p++)
		if (lstat(*p, &sb) == 0 && S_ISDIR(sb.st_mode))
			out[n++] = *p;
	return n;
}

static int choose_points(struct step *st)
{
	if (spare_dirs(st->points, 2) == 2)
		return 0;
	errno = ENOENT;
	return co_fail_sys(st->err, "find directories to mount on");
}

static int take_root(struct step *st, struct source *root)
{
	/* only a device filter makes nodes of the image harmless */
	unsigned long flags = st->limits.devices ? 0 : MS_NODEV;
	auto_fd target = open(st->points[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0 || mount_source(root, target, flags) < 0)
		return co_fail_sys(st->err, "mount the root file system");
	st->in = open(st->points[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return st->in < 0 ? co_fail_sys(st->err, "open the root file system") : 0;
}

static int furnish(struct step *st, struct source *root, struct source *sources)
{
	int r = choose_points(st);
	if (!r)
		r = take_root(st, root);
	if (!r)
		r = dev_make(st);
	if (!r)
		r = kernel_fs_make(st);
	if (!r)
		r = mounts_make(st, sources);
	return r;
}

/* Sources are taken hold of here, in the builder's mount namespace, where their descriptors belong;
 * then the child leaves it. */
static int make_mounts(struct step *st)
{
	size_t n = st->run->n_mounts;
	struct source root;
	auto_free struct source *sources = co_xcalloc(n + 1, sizeof(*sources));
	source_grab(&root, st->root->fd, false);
	mounts_grab(st, sources);
	int r = 0;
	if (unshare(CLONE_NEWNS) < 0)
		r = co_fail_sys(st->err, "make a mount namespace");
	if (!r && source_follow(&root) < 0)
		r = co_fail_sys(st->err, "reach the root file system");
	for (size_t i = 0; r == 0 && i < n; i++)
		if (sources[i].fd >= 0 && source_follow(&sources[i]) < 0)
			r = co_fail_sys(st->err, "reach the source of mount %s",
					st->run->mounts[i].target);
	if (!r)
		r = furnish(st, &root, sources);
	source_drop(&root);
	for (size_t i = 0; i < n; i++)
		source_drop(&sources[i]);
	return r;
}

static int change_root(struct step *st)
{
	return root_change(st->in) < 0 ? co_fail_sys(st->err, "change to the root file system") : 0;
}

/* Looked up in the root, without magic links; and what the kernel calls it must be below the root
 * (CVE-2024-21626). */
static int change_dir(struct step *st)
{
	char name[4096];
	auto_fd dir = co_inroot_open(st->in, st->run->cwd, O_PATH | O_DIRECTORY, 0);
	if (dir < 0 || fchdir(dir) < 0)
		return co_fail_sys(st->err, "working directory %s", st->run->cwd);
	if (syscall(SYS_getcwd, name, sizeof(name)) < 0 || name[0] != '/')
		return co_fail(st->err, CO_E_SANDBOX, "working directory %s: not inside the root",
			       st->run->cwd);
	return 0;
}

static int name_it(struct step *st)
{
	const char *name = st->run->hostname;
	if (name && sethostname(name, strlen(name)) < 0)
		return co_fail_sys(st->err, "set the host name %s", name);
	if (st->run->net == CO_NET_NONE && net_loopback_up() < 0)
		return co_fail_sys(st->err, "bring the loopback device up");
	return 0;
}

void close_fds(unsigned first, unsigned last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	struct rlimit l;
	unsigned max = getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < (1u << 20)
			       ? (unsigned)l.rlim_cur
			       : 1u << 20;
	for (unsigned fd = first; fd <= last && fd < max; fd++)
		close((int)fd);
}

/* Puts descriptors where the first process expects them and closes every other one. First out of
 * the way, above all targets, so that no move lands on one still needed. */
static int arrange(struct step *st)
{
	int from[INIT_FD_END] = {st->input,	st->out[1],   st->errs[1], st->spec,
				 st->status[1], st->landlock, st->image,   listener_end(st)};
	if (from[0] < 0)
		from[0] = co_inroot_open(st->in, "/dev/null", O_RDWR, 0);
	for (int i = 0; i < INIT_FD_END; i++)
		if (from[i] >= 0 && (from[i] = fcntl(from[i], F_DUPFD, 64)) < 0)
			return co_fail_sys(st->err, "arrange descriptors");
	/* before anything lands on the low numbers they may have */
	if (st->guest && guest_place(st->guest) < 0)
		return co_fail_sys(st->err, "arrange descriptors");
	for (int i = 0; i < INIT_FD_END; i++) {
		if (from[i] < 0)
			close(i);
		else if (dup2(from[i], i) < 0)
			return co_fail_sys(st->err, "arrange descriptors");
	}
	uint32_t first = st->guest ? st->guest->session->fd_base : INIT_FD_END;
	uint32_t n = st->guest ? st->guest->session->n_fds : 0;
	close_fds(INIT_FD_END, first - 1);
	close_fds(first + n, ~0u);
	/* the command may open /dev/stdout again, which asks for the pipe's owner */
	for (int i = 0; i < 3; i++)
		if (i || st->input >= 0)
			(void)!fchown(i, st->run->uid, st->run->gid);
	return 0;
}

static int execute(struct step *st)
{
	char *argv[] = {(char *)"cooper-step", NULL}, *env[] = {NULL};
	char path[32];
	syscall(SYS_execveat, INIT_FD_SELF, "", argv, env, AT_EMPTY_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", INIT_FD_SELF);
	execve(path, argv, env);
	return co_fail_sys(st->err, "start the step's first process");
}

int inside(void *arg)
{
	struct step *st = arg;
	char program[4096];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(0);
	st->in = st->scratch = -1;
	int r = 0;
	if (limits_join(&st->limits, st->run) < 0)
		r = co_fail_sys(st->err, "join the step's control group");
	if (!r)
		r = name_it(st);
	if (!r)
		r = make_mounts(st);
	if (!r)
		r = lookup_program(st->in, st->run, program, sizeof(program), st->err);
	if (!r && st->guest)
		r = lookup_foreign(st->in, program, st->err);
	if (!r && st->guest)
		memcpy(st->guest->session->program, program, sizeof(program));
	if (!r && spec_program(st->spec, program) < 0)
		r = co_fail_sys(st->err, "write the step's orders");
	if (!r)
		r = change_root(st);
	if (!r)
		r = change_dir(st);
	if (!r && st->userns >= 0 && setns(st->userns, CLONE_NEWUSER) < 0)
		r = co_fail_sys(st->err, "enter the user namespace of an emulator");
	if (!r)
		r = arrange(st);
	if (!r)
		execute(st);
	/* _exit is marked as not returning, which sanitizers take for the end of this stack */
	for (;;)
		syscall(SYS_exit_group, 1);
}
