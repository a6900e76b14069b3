/* SPDX-License-Identifier: MIT
 *
 * /dev of a step: a small file system with the few devices that every program expects. Where this
 * process may not make device nodes, the machine's own are bound there, each checked by its number
 * first: the image has no say in what /dev/null is (CVE-2025-31133).
 */
#include "sandbox-internal.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const struct device {
	const char *name;
	unsigned major, minor;
} devices[] = {{"null", 1, 3},	 {"zero", 1, 5},    {"full", 1, 7},
	       {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
#define PTS	  "newinstance,ptmxmode=0666,mode=0620"
#define N_DEVICES (sizeof(devices) / sizeof(devices[0]))

static int fail(struct step *st, const char *what)
{
	return co_fail_sys(st->err, "make /dev/%s of the step", what);
}

static int bind_device(int dev, const struct device *d)
{
	char path[32];
	struct stat sb;
	snprintf(path, sizeof(path), "/dev/%s", d->name);
	auto_fd from = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || fstat(from, &sb) < 0)
		return -1;
	if (!S_ISCHR(sb.st_mode) || sb.st_rdev != makedev(d->major, d->minor)) {
		errno = ENODEV;
		return -1;
	}
	auto_fd to = openat(dev, d->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	auto_fd target = to < 0 ? -1 : openat(dev, d->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return target < 0 ? -1 : mount_bind(from, target, MS_NOSUID | MS_NOEXEC);
}

static int make_devices(struct step *st, int dev)
{
	bool own = st->s->place == CO_PLACE_ROOT;
	for (size_t i = 0; i < N_DEVICES; i++) {
		const struct device *d = &devices[i];
		if (own && mknodat(dev, d->name, S_IFCHR | 0666, makedev(d->major, d->minor)) == 0)
			continue;
		own = false;
		if (bind_device(dev, d) < 0)
			return fail(st, d->name);
	}
	return 0;
}

static int make_links(struct step *st, int dev)
{
	static const char *const links[][2] = {{"fd", "/proc/self/fd"},
					       {"stdin", "/proc/self/fd/0"},
					       {"stdout", "/proc/self/fd/1"},
					       {"stderr", "/proc/self/fd/2"},
					       {"ptmx", "pts/ptmx"}};
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i][1], dev, links[i][0]) < 0)
			return fail(st, links[i][0]);
	return 0;
}

static int submount(struct step *st, int dev, const char *name, const char *type,
		    const char *const *data, unsigned long flags)
{
	if (mkdirat(dev, name, 0755) < 0)
		return fail(st, name);
	auto_fd fd = openat(dev, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(st, name);
	for (; *data; data++)
		if (mount_fs(type, *data, flags, fd) == 0)
			return 0;
	return fail(st, name);
}

static int make_submounts(struct step *st, int dev)
{
	const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	/* group "tty" is not mapped where there is one id only */
	static const char *const pts[] = {PTS ",gid=5", PTS, NULL};
	static const char *const shm[] = {"mode=1777,size=65536k", NULL};
	static const char *const mqueue[] = {"", NULL};
	int r = submount(st, dev, "pts", "devpts", pts, MS_NOSUID | MS_NOEXEC);
	if (!r)
		r = submount(st, dev, "shm", "tmpfs", shm, safe);
	if (r || submount(st, dev, "mqueue", "mqueue", mqueue, safe) == 0)
		return r;
	/* a kernel without message queues: an empty directory */
	co_err_clear(st->err);
	return 0;
}

int dev_make(struct step *st)
{
	auto_fd target = stub_open(&st->stubs, st->in, "/dev", true, st->err);
	if (target < 0)
		return target;
	if (mount_fs("tmpfs", "mode=0755,size=65536k", MS_NOSUID | MS_NOEXEC, target) < 0)
		return fail(st, "");
	auto_fd dev = co_inroot_open(st->in, "/dev", O_PATH | O_DIRECTORY, 0);
	if (dev < 0)
		return fail(st, "");
	int r = make_devices(st, dev);
	if (!r)
		r = make_links(st, dev);
	return r ? r : make_submounts(st, dev);
}
