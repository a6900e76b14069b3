/* SPDX-License-Identifier: MIT
 *
 * /proc and /sys of a step. Both must be ordinary directories of the image, so that no link of its
 * making leads what is written there somewhere else (CVE-2019-19921, CVE-2025-52881). What tells or
 * changes things about the whole machine is hidden or read-only, the list being runc's.
 */
#include "sandbox-internal.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const char *const hidden[] = {"proc/acpi",
				     "proc/asound",
				     "proc/interrupts",
				     "proc/kcore",
				     "proc/keys",
				     "proc/latency_stats",
				     "proc/sched_debug",
				     "proc/scsi",
				     "proc/timer_list",
				     "proc/timer_stats",
				     "sys/firmware",
				     "sys/devices/virtual/powercap",
				     "sys/fs/cgroup",
				     "sys/kernel/security",
				     "sys/kernel/debug",
				     "sys/kernel/tracing",
				     NULL};
static const char *const readonly[] = {"proc/bus",	     "proc/fs", "proc/irq", "proc/sys",
				       "proc/sysrq-trigger", NULL};

/* The directory itself, never what a link there points at. */
static int plain_dir(struct step *st, const char *name)
{
	struct stat sb;
	if (fstatat(st->in, name, &sb, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(sb.st_mode))
		return co_fail(st->err, CO_E_SANDBOX, "/%s of the image is not a directory", name);
	return stub_open(&st->stubs, st->in, name, true, st->err);
}

static int open_in(struct step *st, const char *path)
{
	return co_inroot_open(st->in, path, O_PATH | O_NOFOLLOW, 0);
}

/* A directory is covered by one empty read-only file system, a file by the step's /dev/null. */
static int hide(struct step *st, int target)
{
	struct stat sb;
	if (fstat(target, &sb) < 0)
		return -1;
	if (S_ISDIR(sb.st_mode))
		return mount_fs("tmpfs", "size=0,nr_inodes=1,mode=0555", MS_RDONLY | SAFE, target);
	auto_fd null = open_in(st, "dev/null");
	if (null < 0 || fstat(null, &sb) < 0)
		return -1;
	if (!S_ISCHR(sb.st_mode) || sb.st_rdev != makedev(1, 3)) {
		errno = ENODEV;
		return -1;
	}
	return mount_bind(null, target, MS_NOSUID | MS_NOEXEC);
}

static int mask(struct step *st)
{
	for (const char *const *p = hidden; *p; p++) {
		auto_fd fd = open_in(st, *p);
		if (fd >= 0 && hide(st, fd) < 0)
			return co_fail_sys(st->err, "hide /%s", *p);
	}
	for (const char *const *p = readonly; *p; p++) {
		auto_fd fd = open_in(st, *p);
		if (fd >= 0 && mount_bind(fd, fd, MS_RDONLY | SAFE) < 0)
			return co_fail_sys(st->err, "make /%s read-only", *p);
	}
	return 0;
}

static bool is_fs(struct step *st, const char *name, unsigned long magic)
{
	struct statfs f;
	auto_fd fd = open_in(st, name);
	return fd >= 0 && fstatfs(fd, &f) == 0 && (unsigned long)f.f_type == magic;
}

static int make_proc(struct step *st)
{
	auto_fd target = plain_dir(st, "proc");
	if (target < 0)
		return target;
	if (mount_fs("proc", NULL, SAFE, target) < 0)
		return co_fail_sys(st->err, "mount /proc of the step");
	return is_fs(st, "proc", PROC_SUPER_MAGIC)
		       ? 0
		       : co_fail(st->err, CO_E_SANDBOX, "/proc of the step is something else");
}

/* A fresh one shows the step's own network; it needs that to be ours, and there be nothing hidden
 * in the machine's. Else the machine's, read-only all the way down. */
static int make_sys(struct step *st)
{
	unsigned long flags = SAFE | (st->run->insecure ? 0 : MS_RDONLY);
	auto_fd target = plain_dir(st, "sys");
	if (target < 0)
		return target;
	if (mount_fs("sysfs", NULL, flags, target) == 0)
		return 0;
	struct source s;
	auto_fd host = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (host < 0)
		return co_fail_sys(st->err, "open /sys");
	source_grab(&s, host, true);
	int r = mount_source(&s, target, SAFE | MS_RDONLY);
	source_drop(&s);
	if (r < 0) /* all of it read-only is not to be had: none of it */
		r = mount_fs("tmpfs", "size=0,nr_inodes=1,mode=0555", SAFE | MS_RDONLY, target);
	return r < 0 ? co_fail_sys(st->err, "mount /sys of the step") : 0;
}

int kernel_fs_make(struct step *st)
{
	int r = make_proc(st);
	if (!r)
		r = make_sys(st);
	if (!r && !st->run->insecure)
		r = mask(st);
	return r;
}
