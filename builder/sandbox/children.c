/* SPDX-License-Identifier: MIT
 *
 * Without a pid namespace nobody kills the processes that a step leaves behind but we: as their
 * subreaper we inherit them when their parents die.
 */
#include "guest.h"
#include <cooper/clock.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define ROUNDS 200

static pid_t parent_of(const char *pid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* the name may contain anything, so look from its end */
	const char *p = strrchr(text, ')');
	return p && strlen(p) > 4 ? (pid_t)strtol(p + 4, NULL, 10) : 0;
}

/* Looking at every process of the machine is dear, and mostly there is nobody to be found. */
static bool none(void)
{
	siginfo_t info;
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno == ECHILD;
}

void children_list(struct children *c)
{
	*c = (struct children){0};
	if (none())
		return;
	auto_dir d = opendir("/proc");
	pid_t self = getpid();
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || parent_of(e->d_name) != self)
			continue;
		c->pids = co_xrealloc(c->pids, c->n + 1, sizeof(*c->pids));
		c->pids[c->n++] = (pid_t)strtol(e->d_name, NULL, 10);
	}
}

static bool contains(const struct children *c, pid_t pid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->pids[i] == pid)
			return true;
	return false;
}

#define PIDS (1 << 22) /* the kernel's own limit of pid_max */

struct family {
	pid_t (*items)[2]; /* a process and its parent; owned */
	size_t n;
	unsigned char *below; /* by number; owned */
};

static void family_read(struct family *f)
{
	auto_dir d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));) {
		long pid = strtol(e->d_name, NULL, 10);
		pid_t parent = pid > 0 && pid < PIDS ? parent_of(e->d_name) : 0;
		if (parent <= 0 || parent >= PIDS)
			continue;
		f->items = co_xrealloc(f->items, f->n + 1, sizeof(*f->items));
		f->items[f->n][0] = (pid_t)pid;
		f->items[f->n++][1] = parent;
	}
}

/* Numbers begin anew at their end, so a child may come before its parent: until a pass finds none.
 */
static size_t family_mark(struct family *f)
{
	size_t count = 0, fresh;
	do {
		fresh = 0;
		for (size_t i = 0; i < f->n; i++) {
			if (f->below[f->items[i][0]] || !f->below[f->items[i][1]])
				continue;
			f->below[f->items[i][0]] = 1;
			fresh++;
		}
		count += fresh;
	} while (fresh);
	return count;
}

size_t children_below(pid_t first)
{
	struct family f = {.below = co_xcalloc(PIDS, 1)};
	f.below[first] = 1;
	family_read(&f);
	size_t count = family_mark(&f);
	free(f.items);
	free(f.below);
	return count;
}

void children_sweep(const struct children *before)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct children now;
		size_t left = 0;
		children_list(&now);
		for (size_t i = 0; i < now.n; i++) {
			if (contains(before, now.pids[i]))
				continue;
			left++;
			kill(now.pids[i], SIGKILL);
			waitpid(now.pids[i], NULL, WNOHANG);
		}
		free(now.pids);
		if (!left)
			return;
		if (round > 3)
			co_sleep_ms(5);
	}
}
