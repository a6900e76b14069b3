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
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define CAP_MKNOD_BIT 27
#define GROUPS	      64

struct nodes {
	int pair[2]; /* the listener comes through it */
	int listener;
	size_t size; /* of a notification */
};

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

int nodes_open(struct step *st, struct co_err *err)
{
	struct seccomp_notif_sizes sizes;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return 0;
	struct nodes *n = co_xcalloc(1, sizeof(*n));
	n->listener = -1;
	n->size = sizes.seccomp_notif > sizeof(struct seccomp_notif) ? sizes.seccomp_notif
								     : sizeof(struct seccomp_notif);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, n->pair) < 0) {
		free(n);
		return co_fail_sys(err, "make a socket for the step's device nodes");
	}
	st->nodes = n;
	return 0;
}

int nodes_end(const struct step *st)
{
	return st->nodes ? st->nodes->pair[1] : -1;
}

void nodes_close(struct step *st)
{
	struct nodes *n = st->nodes;
	if (!n)
		return;
	co_close_fd(&n->pair[0]);
	co_close_fd(&n->pair[1]);
	co_close_fd(&n->listener);
	free(n);
	st->nodes = NULL;
}

size_t nodes_poll(struct step *st, struct pollfd *f)
{
	struct nodes *n = st->nodes;
	if (!n)
		return 0;
	/* the step's own copy is with its first process by now */
	co_close_fd(&n->pair[1]);
	int fd = n->listener >= 0 ? n->listener : n->pair[0];
	if (fd < 0)
		return 0;
	*f = (struct pollfd){fd, POLLIN, 0};
	return 1;
}

static void take_listener(struct nodes *n)
{
	char byte;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {&byte, 1};
	struct msghdr m = {.msg_iov = &part,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(n->pair[0], &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	const struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&n->listener, CMSG_DATA(c), sizeof(int));
	co_close_fd(&n->pair[0]);
}

/* ---- who asks for what ---- */

static int open_of(pid_t pid, const char *what, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	return open(path, flags | O_CLOEXEC);
}

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

static void answer(struct nodes *n)
{
	auto_free struct seccomp_notif *req = co_xcalloc(1, n->size);
	if (ioctl(n->listener, SECCOMP_IOCTL_NOTIF_RECV, req) < 0)
		return;
	struct request q = {.root = -1, .dir = -1};
	int r = read_request(&q, req);
	/* the process may have ended meanwhile, and its number be another's */
	if (ioctl(n->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &req->id) == 0) {
		if (!r)
			r = make_in_child(&q);
		struct seccomp_notif_resp resp = {.id = req->id, .error = r};
		(void)!ioctl(n->listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
	}
	co_close_fd(&q.root);
	co_close_fd(&q.dir);
}

void nodes_move(struct step *st, const struct pollfd *f)
{
	struct nodes *n = st->nodes;
	if (!f->revents)
		return;
	if (n->listener < 0)
		take_listener(n);
	else if (f->revents & POLLIN)
		answer(n);
	else
		co_close_fd(&n->listener);
}
