/* SPDX-License-Identifier: MIT
 *
 * What works here, found out by doing it in a child: settings only say what ought to work.
 */
#include "sandbox-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct finding {
	enum co_place place; /* NONE: `what` failed */
	int error;
	char what[64];
	char why[200]; /* no range of ids: why */
};

static bool failed(struct finding *f, const char *what)
{
	f->error = errno;
	f->place = CO_PLACE_NONE;
	snprintf(f->what, sizeof(f->what), "%s", what);
	return false;
}

static bool enter_user(struct finding *f, bool full)
{
	uint32_t uid = geteuid(), gid = getegid();
	struct idmap *m = full ? idmap_begin(f->why, sizeof(f->why)) : NULL;
	/* a process that may not be looked into has no maps to write */
	prctl(PR_SET_DUMPABLE, 1);
	int r = unshare(CLONE_NEWUSER);
	int saved = errno;
	bool range = m && idmap_finish(m, r == 0, f->why, sizeof(f->why)) == 0;
	errno = saved;
	if (r < 0)
		return failed(f, "make a user namespace");
	if (!range && idmap_single(uid, gid) < 0)
		return failed(f, "map this user to root");
	f->place = range ? CO_PLACE_RANGE : CO_PLACE_SINGLE;
	return true;
}

/* What the first mounts of a step do; in the new pid namespace. */
static bool mounts_work(struct finding *f)
{
	const char *dir;
	if (spare_dirs(&dir, 1) != 1 ||
	    mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return failed(f, "mount a tmpfs");
	auto_fd at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd file = openat(at, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0 || write(file, "x", 1) != 1 || mkdirat(at, "proc", 0755) < 0 || fchdir(at) < 0)
		return failed(f, "write a file");
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return failed(f, "mount /proc");
	if (root_change(at) < 0)
		return failed(f, "change the root");
	return true;
}

static void grandchild(struct finding *f, int out)
{
	if (mounts_work(f))
		f->error = 0;
	(void)!write(out, f, sizeof(*f));
	_exit(0);
}

static void child(bool user, bool full, int out)
{
	struct finding f = {.place = CO_PLACE_ROOT};
	bool ok = !user || enter_user(&f, full);
	if (ok && unshare(CLONE_NEWNS) < 0)
		ok = failed(&f, "make a mount namespace");
	if (ok && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		ok = failed(&f, "make mounts private");
	if (ok && unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		ok = failed(&f, "make a pid namespace");
	pid_t pid = ok ? fork() : -1;
	if (pid == 0)
		grandchild(&f, out);
	if (ok && pid < 0)
		ok = failed(&f, "fork in a pid namespace");
	if (ok)
		waitpid(pid, NULL, 0);
	else
		(void)!write(out, &f, sizeof(f));
	_exit(0);
}

static void attempt(bool user, bool full, struct finding *f)
{
	int p[2];
	*f = (struct finding){.error = ENOSYS, .what = "find out"};
	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		close(p[0]);
		child(user, full, p[1]);
	}
	close(p[1]);
	if (pid > 0) {
		(void)!co_read_full(p[0], f, sizeof(*f));
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(p[0]);
}

static const char *const names[] = {[CO_PLACE_ROOT] = "namespaces as root",
				    [CO_PLACE_RANGE] = "user namespace with a range of ids",
				    [CO_PLACE_SINGLE] = "user namespace with one id"};

static void describe(struct co_probe *out, const struct finding *f)
{
	*out = (struct co_probe){.usable = f->place != CO_PLACE_NONE, .place = f->place};
	if (!out->usable) {
		snprintf(out->answer, sizeof(out->answer), "userns: cannot %s: %s", f->what,
			 strerror(f->error));
		snprintf(out->cure, sizeof(out->cure), "%s", cure_namespaces());
	} else if (f->why[0]) {
		snprintf(out->answer, sizeof(out->answer), "%s: ok (%s)", names[f->place], f->why);
		snprintf(out->cure, sizeof(out->cure), "%s", cure_ids());
	} else {
		snprintf(out->answer, sizeof(out->answer), "%s: ok", names[f->place]);
	}
}

enum co_place probe_place(struct co_probe *out, bool full)
{
	struct finding f;
	if (geteuid() == 0) {
		attempt(false, full, &f);
		/* root of a container may lack SYS_ADMIN and still make user namespaces */
		if (f.place == CO_PLACE_NONE) {
			struct finding second;
			attempt(true, full, &second);
			if (second.place != CO_PLACE_NONE)
				f = second;
		}
	} else {
		attempt(true, full, &f);
	}
	describe(out, &f);
	return f.place;
}
