/* SPDX-License-Identifier: MIT
 *
 * Limits of a step. A control group (v2) of its own, below or beside this process's, when that may
 * be made; it covers the step as a whole. Else what is left: RLIMIT_DATA for each process,
 * RLIMIT_NPROC for the user, the builder, which is asked for new processes (listener.c), and the
 * first process, which adds up the step's memory and processes every 50 ms: of the latter the
 * builder does not hear in 32-bit programs and old kernels.
 */
#include "sandbox-internal.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CPU_PERIOD 100000
#define PREFIX	   "cooper-"

static char *slurp(int dir, const char *path)
{
	struct co_err ignore = CO_ERR_INIT;
	char *text;
	size_t len;
	return co_read_file(dir, path, 1u << 20, &text, &len, &ignore) < 0 ? NULL : text;
}

static int put(int dir, const char *file, const char *text)
{
	auto_fd fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static int put_number(int dir, const char *file, uint64_t n)
{
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return put(dir, file, text);
}

/* Where the unified hierarchy is mounted, and our group in it. */
static bool own_group(char *out, size_t size)
{
	auto_free char *mounts = slurp(AT_FDCWD, "/proc/self/mountinfo");
	auto_free char *groups = slurp(AT_FDCWD, "/proc/self/cgroup");
	char *type = mounts ? strstr(mounts, " - cgroup2 ") : NULL;
	char *mine = groups ? strstr(groups, "0::") : NULL;
	if (!type || !mine || (mine != groups && mine[-1] != '\n'))
		return false;
	*type = '\0';
	char *line = strrchr(mounts, '\n');
	char root[256], point[256];
	if (sscanf(line ? line + 1 : mounts, "%*d %*d %*s %255s %255s", root, point) != 2)
		return false;
	mine += 3;
	mine[strcspn(mine, "\n")] = '\0';
	int n = snprintf(out, size, "%s%s", point, strcmp(mine, "/") ? mine : "");
	return n > 0 && (size_t)n < size;
}

/* Groups of builders that were killed; one with processes in it cannot be removed. */
static void sweep(const char *dir)
{
	auto_dir d = opendir(dir);
	struct dirent *e;
	int pid;
	while (d && (e = readdir(d))) {
		if (sscanf(e->d_name, PREFIX "%d", &pid) != 1 || kill(pid, 0) == 0 ||
		    errno != ESRCH)
			continue;
		char step[300];
		snprintf(step, sizeof(step), "%s/step", e->d_name);
		unlinkat(dirfd(d), step, AT_REMOVEDIR);
		unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
}

/* Makes a group below dir with every controller that is needed; false: not there. */
static bool make_group(struct group *g, const char *dir, const char *const *needed)
{
	sweep(dir);
	for (unsigned i = 0;; i++) {
		int n = snprintf(g->path, sizeof(g->path), "%s/" PREFIX "%d.%u", dir, (int)getpid(),
				 i);
		if (n <= 0 || (size_t)n >= sizeof(g->path))
			return false;
		if (mkdir(g->path, 0755) == 0)
			break;
		if (errno != EEXIST || i == 1000)
			return false;
	}
	g->fd = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = g->fd >= 0;
	for (; ok && *needed; needed++) {
		char text[16];
		snprintf(text, sizeof(text), "+%s", *needed);
		ok = put(g->fd, "cgroup.subtree_control", text) == 0;
	}
	if (!ok)
		group_close(g);
	return ok;
}

static void group_open(struct group *g, const struct co_run *run, enum device_use use)
{
	bool devices = use != DEVICES_ALL;
	const char *needed[4];
	size_t n = 0;
	char dir[400];
	*g = (struct group){.fd = -1, .tried = true};
	if (run->memory)
		needed[n++] = "memory";
	if (run->pids)
		needed[n++] = "pids";
	if (run->cpus > 0)
		needed[n++] = "cpu";
	needed[n] = NULL;
	if ((!n && !devices) || !own_group(dir, sizeof(dir)))
		return;
	bool made = make_group(g, dir, needed);
	char *slash = strrchr(dir, '/');
	/* ours holds processes, so it may hand no controllers down; the one above it may */
	if (!made && n && slash && slash != dir) {
		char above[400];
		snprintf(above, sizeof(above), "%.*s", (int)(slash - dir), dir);
		made = make_group(g, above, needed);
	}
	if (!made && devices)
		made = make_group(g, dir, needed + n);
	g->devices =
		made && devices && group_devices(g->fd, use == DEVICES_GIVEN ? run : NULL) == 0;
}

void group_close(struct group *g)
{
	if (g->fd < 0)
		return;
	co_close_fd(&g->fd);
	/* the dead leave it a moment after they were waited for */
	for (int i = 0; rmdir(g->path) < 0 && errno == EBUSY && i < 50; i++)
		usleep(1000);
}

static void set_limits(struct limits *l, const struct co_run *run)
{
	char text[64];
	if (run->memory) {
		l->memory = put_number(l->cgroup, "memory.max", run->memory) == 0;
		put(l->cgroup, "memory.swap.max", "0");
		put(l->cgroup, "memory.oom.group", "1");
	}
	if (run->pids) /* the first process is one of them */
		l->pids = put_number(l->cgroup, "pids.max", run->pids + 1) == 0;
	if (run->cpus > 0) {
		snprintf(text, sizeof(text), "%lld %d", (long long)(run->cpus * CPU_PERIOD + 0.5),
			 CPU_PERIOD);
		l->cpus = put(l->cgroup, "cpu.max", text) == 0;
	}
}

static bool was_given_devices(const struct co_run *run)
{
	for (size_t i = 0; i < run->n_mounts; i++)
		if (run->mounts[i].kind == CO_MOP_DEVICE)
			return true;
	return false;
}

void limits_open(struct limits *l, struct group *g, enum device_use use, const struct co_run *run)
{
	*l = LIMITS_NONE;
	if (!g->tried)
		group_open(g, run, use);
	if (g->devices && was_given_devices(run)) {
		group_open(&l->given, run, DEVICES_GIVEN);
		g = &l->given;
	}
	l->devices = g->devices;
	if (g->fd < 0)
		return;
	bool any = run->memory || run->pids || run->cpus > 0;
	snprintf(l->path, sizeof(l->path), "%.500s%s", g->path, any ? "/step" : "");
	if (any && mkdir(l->path, 0755) < 0 && errno != EEXIST)
		return;
	l->own = any;
	l->cgroup = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (any && l->cgroup >= 0)
		set_limits(l, run);
}

static int few_cpus(double cpus)
{
	cpu_set_t have, use;
	int left = (int)ceil(cpus);
	if (sched_getaffinity(0, sizeof(have), &have) < 0)
		return 0;
	CPU_ZERO(&use);
	for (int i = 0; i < CPU_SETSIZE && left > 0; i++)
		if (CPU_ISSET(i, &have)) {
			CPU_SET(i, &use);
			left--;
		}
	return sched_setaffinity(0, sizeof(use), &use);
}

int limits_join(const struct limits *l, const struct co_run *run)
{
	if (run->cpus > 0 && !l->cpus && few_cpus(run->cpus) < 0)
		return -1;
	if (l->cgroup < 0)
		return 0;
	if (!l->joined && put(l->cgroup, "cgroup.procs", "0") < 0)
		return -1;
	unshare(CLONE_NEWCGROUP); /* hides where in the machine's tree the group is; a nicety */
	return 0;
}

void limits_spec(const struct limits *l, const struct co_run *run, struct init_spec *s)
{
	if (run->memory && !l->memory)
		s->watch_memory = s->max_data = run->memory;
	if (run->pids && !l->pids) {
		s->watch_procs = run->pids > UINT32_MAX ? UINT32_MAX : (uint32_t)run->pids;
		s->max_procs = s->watch_procs;
	}
}

static bool ran_out(int cgroup)
{
	auto_free char *text = slurp(cgroup, "memory.events");
	const char *p = text ? strstr(text, "oom_kill ") : NULL;
	return p && p[9] != '0';
}

void limits_close(struct limits *l, struct co_result *res)
{
	if (l->cgroup >= 0) {
		res->oom |= l->memory && ran_out(l->cgroup);
		co_close_fd(&l->cgroup);
		for (int i = 0; l->own && rmdir(l->path) < 0 && errno == EBUSY && i < 50; i++)
			usleep(1000);
	}
	group_close(&l->given);
}
