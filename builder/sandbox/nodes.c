/* SPDX-License-Identifier: MIT
 *
 * Device nodes of a step in a user namespace, where the kernel refuses them to everybody. The
 * step's filter hands mknod of a device to the builder, which has a child of its own do what the
 * caller asked for: in the caller's root and directory and with the caller's ids, so with no rights
 * the caller does not have. What is made is the empty file with an attribute that stands for a
 * device elsewhere too (co_root_mknod). The path is read once; changing it meanwhile gains nothing.
 */
#include "sandbox-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define CAP_MKNOD_BIT 27
#define GROUPS	      64

/* One request: a process of the step wants a node. */
struct request {
	pid_t pid;
	char path[4096];
	uint32_t mode, dev;
	int root, dir; /* the caller's */
	uint32_t uid, gid, umask;
	gid_t groups[GROUPS];
	size_t n_groups;
	uint64_t caps;
};

/* ---- who asks for what ---- */

static int read_path(struct request *q, uint64_t address)
{
	auto_fd mem = open_of(q->pid, "mem", O_RDONLY);
	ssize_t n = mem < 0 ? -1 : pread(mem, q->path, sizeof(q->path), (off_t)address);
	if (n <= 0)
		return mem < 0 ? -EPERM : -EFAULT;
	if (memchr(q->path, '\0', (size_t)n))
		return 0;
	return n == sizeof(q->path) ? -ENAMETOOLONG : -EFAULT;
}

static const char *field(const char *status, const char *key)
{
	const char *p = strstr(status, key);
	return p ? p + strlen(key) : "";
}

/* The fourth of the ids in a line of /proc/PID/status is the one for files. */
static uint32_t file_id(const char *p)
{
	char *end = (char *)p;
	unsigned long value = 0;
	for (int i = 0; i < 4; i++)
		value = strtoul(end, &end, 10);
	return (uint32_t)value;
}

static int read_status(struct request *q)
{
	struct co_err ignore = CO_ERR_INIT;
	char path[64];
	auto_free char *text = NULL;
	size_t len;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)q->pid);
	if (co_read_file(AT_FDCWD, path, 64u << 10, &text, &len, &ignore) < 0)
		return -ESRCH;
	q->umask = (uint32_t)strtoul(field(text, "\nUmask:"), NULL, 8);
	q->uid = file_id(field(text, "\nUid:"));
	q->gid = file_id(field(text, "\nGid:"));
	q->caps = strtoull(field(text, "\nCapEff:"), NULL, 16);
	char *end = (char *)field(text, "\nGroups:");
	while (q->n_groups < GROUPS) {
		end += strspn(end, "\t ");
		if (*end < '0' || *end > '9')
			break;
		q->groups[q->n_groups++] = (gid_t)strtoul(end, &end, 10);
	}
	return 0;
}

static int read_request(struct request *q, const struct seccomp_notif *n)
{
	const __u64 *a = n->data.args;
	bool at = n->data.nr == SYS_mknodat;
	char dir[32] = "cwd";
	q->pid = (pid_t)n->pid;
	q->mode = (uint32_t)a[at ? 2 : 1];
	q->dev = (uint32_t)a[at ? 3 : 2];
	if (at && (int)a[0] != AT_FDCWD)
		snprintf(dir, sizeof(dir), "fd/%d", (int)a[0]);
	int r = read_path(q, a[at ? 1 : 0]);
	if (!r)
		r = read_status(q);
	if (r < 0)
		return r;
	q->root = open_of(q->pid, "root", O_PATH | O_DIRECTORY);
	/* an absolute path needs no directory */
	q->dir = open_of(q->pid, q->path[0] == '/' ? "root" : dir, O_PATH | O_DIRECTORY);
	if (q->root < 0)
		return -ESRCH;
	if (q->dir < 0)
		return errno == ENOTDIR ? -ENOTDIR : -EBADF;
	/* a device 0:0 is a removed file to overlayfs, which refuses it itself */
	bool whiteout = S_ISCHR(q->mode) && !q->dev;
	return !whiteout && (q->caps >> CAP_MKNOD_BIT & 1) ? 0 : -EPERM;
}

/* ---- doing it ---- */

/* In a child with one thread: nothing but system calls. */
static int make_node(const struct request *q)
{
	struct co_root here = {.fd = AT_FDCWD};
	uint32_t mode = (q->mode & S_IFMT) | (q->mode & 07777 & ~q->umask);
	if (fchdir(q->root) < 0 || chroot(".") < 0 || fchdir(q->dir) < 0 ||
	    syscall(SYS_setgroups, q->n_groups, q->groups) < 0)
		return errno;
	umask(0);
	setfsgid(q->gid);
	setfsuid(q->uid);
	return co_root_mknod(&here, AT_FDCWD, q->path, mode, major(q->dev), minor(q->dev)) < 0
		       ? errno
		       : 0;
}

static int make_in_child(const struct request *q)
{
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(make_node(q) & 255);
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -EIO;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

bool node_asked(const struct seccomp_notif *n)
{
	bool known = n->data.nr == SYS_mknodat;
#if defined(SYS_mknod)
	known |= n->data.nr == SYS_mknod;
#endif
	/* the filter asks for 64-bit programs only */
	return known && n->data.arch == seccomp_arch_native();
}

int node_answer(const struct seccomp_notif *n, bool (*valid)(void *ctx), void *ctx)
{
	struct request q = {.root = -1, .dir = -1};
	int r = read_request(&q, n);
	if (!r)
		r = valid(ctx) ? make_in_child(&q) : -ESRCH;
	co_close_fd(&q.root);
	co_close_fd(&q.dir);
	return r;
}
