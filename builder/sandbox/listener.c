/* SPDX-License-Identifier: MIT
 *
 * The builder's end of a step's filter (seccomp_unotify): some calls are handed over, and the
 * builder answers. Making a device node is done for the caller (nodes.c); everything else is
 * refused here as the filter would have, and noted together with who it was (attempts.c). A call
 * that fails anyway, for want of a network, goes on. What is read from the caller decides nothing.
 */
#include "guest.h"
#include <arpa/inet.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

/* From here on a step's attempts are counted only: looking at the caller takes longer than the
 * call.
 */
#define LOOKED_AT 4096
#define DNS_PORT  53

struct listener {
	int pair[2]; /* the filter's descriptor comes through it */
	int fd;
	size_t size; /* of a notification */
	unsigned heard;
	size_t processes; /* at most so many are there: the last count, and those made since */
};
/* One call, waiting. */
struct asked {
	int fd;
	const struct seccomp_notif *n;
};

bool listener_may_tell(void)
{
	struct seccomp_notif_sizes sizes;
	return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
	       seccomp_api_get() >= 5;
}

bool listener_may_continue(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 5 || (major == 5 && minor >= 5);
}

bool listener_counts(const struct step *st)
{
	return st->run->pids && !st->limits.pids && !st->run->insecure && listener_may_tell() &&
	       listener_may_continue();
}

int listener_open(struct step *st, struct co_err *err)
{
	struct seccomp_notif_sizes sizes;
	if (!listener_may_tell() || syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return 0;
	struct listener *l = co_xcalloc(1, sizeof(*l));
	l->fd = -1;
	l->size = sizes.seccomp_notif > sizeof(struct seccomp_notif) ? sizes.seccomp_notif
								     : sizeof(struct seccomp_notif);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->pair) < 0) {
		free(l);
		return co_fail_sys(err, "make a socket for the step's system calls");
	}
	st->listener = l;
	return 0;
}

int listener_end(const struct step *st)
{
	return st->listener ? st->listener->pair[1] : -1;
}

void listener_close(struct step *st)
{
	struct listener *l = st->listener;
	if (!l)
		return;
	co_close_fd(&l->pair[0]);
	co_close_fd(&l->pair[1]);
	co_close_fd(&l->fd);
	free(l);
	st->listener = NULL;
}

size_t listener_poll(struct step *st, struct pollfd *f)
{
	struct listener *l = st->listener;
	if (!l)
		return 0;
	/* the step's own copy is with its first process by now */
	co_close_fd(&l->pair[1]);
	int fd = l->fd >= 0 ? l->fd : l->pair[0];
	if (fd < 0)
		return 0;
	*f = (struct pollfd){fd, POLLIN, 0};
	return 1;
}

static void take(struct listener *l)
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
	ssize_t got = recvmsg(l->pair[0], &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	const struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&l->fd, CMSG_DATA(c), sizeof(int));
	co_close_fd(&l->pair[0]);
}

int open_of(pid_t pid, const char *what, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	return open(path, flags | O_CLOEXEC);
}

/* The process may have ended meanwhile, and its number be another's. */
static bool still_there(void *ctx)
{
	const struct asked *q = ctx;
	return ioctl(q->fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &q->n->id) == 0;
}

/* ---- who it was ---- */

struct caller {
	char binary[4096], args[ATTEMPT_ARGS], detail[INET6_ADDRSTRLEN + 16];
	size_t args_len;
	bool args_cut;
};

static void look_at(struct caller *c, pid_t pid)
{
	static const char gone[] = " (deleted)";
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(path, c->binary, sizeof(c->binary) - 1);
	c->binary[n < 0 ? 0 : n] = '\0';
	if (co_ends(c->binary, gone))
		c->binary[(size_t)n - (sizeof(gone) - 1)] = '\0';
	auto_fd fd = open_of(pid, "cmdline", O_RDONLY);
	n = fd < 0 ? 0 : read(fd, c->args, sizeof(c->args));
	if (n <= 0)
		return;
	size_t len = (size_t)n;
	c->args_cut = len == sizeof(c->args) && c->args[len - 1];
	if (c->args[len - 1] && len < sizeof(c->args))
		len++;
	c->args[len - 1] = '\0';
	c->args_len = len;
}

/* Where a call with an address wants to; false when that is within the step's own network. */
static bool look_where(struct caller *c, const struct seccomp_notif *n)
{
	bool send = n->data.nr == SYS_sendto;
	uint64_t address = n->data.args[send ? 4 : 1], len = n->data.args[send ? 5 : 2];
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} a = {0};
	char text[INET6_ADDRSTRLEN] = "";
	auto_fd mem = open_of((pid_t)n->pid, "mem", O_RDONLY);
	if (mem < 0 || len < sizeof(struct sockaddr_in) ||
	    pread(mem, &a, len < sizeof(a) ? len : sizeof(a), (off_t)address) <= 0)
		return false;
	if (a.any.sa_family == AF_INET) {
		uint32_t host = ntohl(a.four.sin_addr.s_addr);
		inet_ntop(AF_INET, &a.four.sin_addr, text, sizeof(text));
		snprintf(c->detail, sizeof(c->detail), "%s:%u", text, ntohs(a.four.sin_port));
		return (host >> 24 != 127 && host) || ntohs(a.four.sin_port) == DNS_PORT;
	}
	if (a.any.sa_family != AF_INET6)
		return false;
	inet_ntop(AF_INET6, &a.six.sin6_addr, text, sizeof(text));
	snprintf(c->detail, sizeof(c->detail), "[%s]:%u", text, ntohs(a.six.sin6_port));
	bool local =
		IN6_IS_ADDR_LOOPBACK(&a.six.sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&a.six.sin6_addr);
	return !local || ntohs(a.six.sin6_port) == DNS_PORT;
}

static bool is_any_of(const struct seccomp_notif *n, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (n->data.arch == seccomp_arch_native() && n->data.nr == calls[i])
			return true;
	return false;
}

/* The kernel refuses it; to: user and group. */
static bool gives_away(const struct seccomp_notif *n, uint32_t to[2])
{
	static const int calls[] = {
#if defined(__x86_64__)
		SYS_chown,
		SYS_lchown,
#endif
		SYS_fchown,
		SYS_fchownat
	};
	if (!is_any_of(n, calls, sizeof(calls) / sizeof(calls[0])))
		return false;
	const __u64 *ids = n->data.args + (n->data.nr == SYS_fchownat ? 2 : 1);
	to[0] = (uint32_t)ids[0];
	to[1] = (uint32_t)ids[1];
	return true;
}

static bool makes_process(const struct seccomp_notif *n)
{
	static const int calls[] = {
#if defined(__x86_64__)
		SYS_fork,
		SYS_vfork,
#endif
		SYS_clone
	};
	return is_any_of(n, calls, sizeof(calls) / sizeof(calls[0]));
}

/* false: one more would be too many. Looking at all processes is dear: only when there may be so
 * many. */
static bool has_room(struct step *st)
{
	struct listener *l = st->listener;
	if (l->processes >= st->run->pids)
		l->processes = children_below(st->first);
	return l->processes++ < st->run->pids;
}

static bool has_address(const struct seccomp_notif *n)
{
	static const int calls[] = {SYS_connect, SYS_sendto};
	return is_any_of(n, calls, sizeof(calls) / sizeof(calls[0]));
}

static void note(struct step *st, struct asked *q)
{
	const struct seccomp_notif *n = q->n;
	struct caller c = {0};
	auto_free char *call = seccomp_syscall_resolve_num_arch(n->data.arch, n->data.nr);
	uint64_t args[2] = {n->data.args[0], n->data.args[1]};
	const char *what = has_address(n) ? look_where(&c, n) ? "network" : NULL
			   : call	  ? attempt_what(call, args)
					  : NULL;
	if (!what)
		return;
	if (st->listener->heard >= LOOKED_AT) {
		attempt_count(st, 1);
		return;
	}
	st->listener->heard++;
	look_at(&c, (pid_t)n->pid);
	if (still_there(q))
		attempt_add(st, &(struct attempt){.what = what,
						  .call = call,
						  .binary = c.binary,
						  .detail = c.detail,
						  .args = c.args,
						  .args_len = c.args_len,
						  .args_cut = c.args_cut,
						  .count = 1});
}

static void answer(struct step *st)
{
	struct listener *l = st->listener;
	auto_free struct seccomp_notif *req = co_xcalloc(1, l->size);
	if (ioctl(l->fd, SECCOMP_IOCTL_NOTIF_RECV, req) < 0)
		return;
	struct asked q = {l->fd, req};
	bool forks = st->first && makes_process(req);
	/* without an answer who asked waits, until the step is ended: nothing is faster than that
	 */
	if (forks && (st->crowded || !has_room(st))) {
		st->crowded = true;
		return;
	}
	struct seccomp_notif_resp resp = {.id = req->id, .error = -EPERM};
	if (node_asked(req)) {
		resp.error = node_answer(req, still_there, &q);
	} else if (forks || gives_away(req, st->unmapped_to)) {
		st->unmapped |= !forks;
		resp.error = 0;
		resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	} else {
		note(st, &q);
		if (has_address(req)) {
			resp.error = 0;
			resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		} else if (req->data.nr == SYS_socket && req->data.arch == seccomp_arch_native()) {
			resp.error = -EAFNOSUPPORT;
		}
	}
	(void)!ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

void listener_move(struct step *st, const struct pollfd *f)
{
	struct listener *l = st->listener;
	if (!f->revents)
		return;
	if (l->fd < 0)
		take(l);
	else if (f->revents & POLLIN)
		answer(st);
	else
		co_close_fd(&l->fd);
}
