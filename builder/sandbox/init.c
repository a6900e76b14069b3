/* SPDX-License-Identifier: MIT
 *
 * The first process of a step: a program of its own, without a C library, executed from a sealed
 * memory file inside the step's namespaces. So no process of a step ever has the builder's memory,
 * descriptors or executable (CVE-2019-5736: /proc/self/exe leads here, to a file nobody can write),
 * and starting it costs next to nothing.
 *
 * It starts the step's command with the ids, capabilities and filter it was told, reaps what the
 * step leaves behind, and ends when the command ends; the kernel then kills the rest of the pid
 * namespace.
 */
#include "init-spec.h"
#include "init-sys.h"
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <asm/poll.h>
#include <asm/resource.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/wait.h>
#include <stdbool.h>

#define PROT_READ_WRITE 3
#define MAP_PRIVATE	2
#define WATCH_NS	50000000

_Noreturn void init_main(void);
void *memset(void *p, int c, unsigned long n);

/* The compiler may call it for initialisers. */
void *memset(void *p, int c, unsigned long n)
{
	for (unsigned char *q = p; n--;)
		*q++ = (unsigned char)c;
	return p;
}

static _Noreturn void leave(int code)
{
	for (;;)
		sys(__NR_exit_group, code, 0, 0, 0);
}

static void report(enum init_kind kind, enum init_stage stage, long value)
{
	struct init_report r = {kind, stage, (int32_t)value};
	sys(__NR_write, INIT_FD_STATUS, (long)&r, sizeof(r), 0);
}

static _Noreturn void fail(enum init_stage stage, long error)
{
	report(INIT_FAILED, stage, -error);
	leave(126);
}

static void need(long result, enum init_stage stage)
{
	if (result < 0)
		fail(stage, result);
}

static struct init_spec *read_spec(void)
{
	struct init_spec *s = (void *)sys6(__NR_mmap, 0, sizeof(*s), PROT_READ_WRITE, MAP_PRIVATE,
					   INIT_FD_SPEC, 0);
	if ((unsigned long)s > -4096UL)
		leave(126);
	if (s->magic != INIT_MAGIC)
		leave(126);
	unsigned size = s->size;
	s = (void *)sys6(__NR_mmap, 0, size, PROT_READ_WRITE, MAP_PRIVATE, INIT_FD_SPEC, 0);
	if ((unsigned long)s > -4096UL)
		fail(INIT_AT_SPEC, (long)s);
	return s;
}

/* Turns a list of offsets into the list of pointers that execve wants, in place. */
static char **pointers(struct init_spec *s, unsigned offset)
{
	uint64_t *list = (void *)((char *)s + offset);
	for (uint64_t *p = list; *p; p++)
		*p += (uint64_t)s;
	return (char **)list;
}

/* What the builder ignores (SIGPIPE) must not be ignored in the step; handlers are gone already. */
static void default_signals(void)
{
	unsigned long none = 0;
	for (int i = 1; i <= 64; i++) {
		unsigned long action[4] = {0};
		sys(__NR_rt_sigaction, i, (long)action, 0, 8);
	}
	sys(__NR_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, 8);
}

static void limit(int what, uint64_t max)
{
	uint64_t l[2] = {max, max};
	need(sys(__NR_prlimit64, 0, what, (long)l, 0), INIT_AT_LIMITS);
}

static void set_limits(const struct init_spec *s)
{
	/* a core would be handed to the host's core_pattern program, or end up in the layer */
	limit(RLIMIT_CORE, 0);
	if (s->max_procs)
		limit(RLIMIT_NPROC, s->max_procs);
	if (s->max_data)
		limit(RLIMIT_DATA, s->max_data);
}

#define NEW_LISTENER  8
#define WAIT_KILLABLE 32
#define SOCKETS	      1 /* SOL_SOCKET */
#define RIGHTS	      1 /* SCM_RIGHTS */

static long send_fd(int socket, int fd)
{
	static char byte;
	struct {
		unsigned long len;
		int level, type, fd, pad;
	} control = {20, SOCKETS, RIGHTS, fd, 0};
	struct {
		void *base;
		unsigned long len;
	} part = {&byte, 1};
	struct {
		void *name;
		unsigned name_len;
		void *iov;
		unsigned long iov_len;
		void *control;
		unsigned long control_len;
		unsigned flags;
	} message = {0, 0, &part, 1, &control, sizeof(control), 0};
	return sys(__NR_sendmsg, socket, (long)&message, 0, 0);
}

/* Where nobody listens a call that is told of would answer ENOSYS. */
static void without_listener(const struct sock_fprog *p)
{
	for (unsigned i = 0; i < p->len; i++) {
		struct sock_filter *f = &p->filter[i];
		if (f->code == (BPF_RET | BPF_K) &&
		    (f->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			f->k = f->k & FILTER_HARMLESS ? SECCOMP_RET_ALLOW
						      : SECCOMP_RET_ERRNO | EPERM;
	}
}

/* The listener, or a negative errno: an old kernel, or the container has one of its own. */
static long load_listened(const struct sock_fprog *p)
{
	/* a signal must not make a caller ask again for what is done already */
	long fd = sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, NEW_LISTENER | WAIT_KILLABLE, (long)p,
		      0);
	return fd == -EINVAL ? sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, NEW_LISTENER, (long)p, 0)
			     : fd;
}

static void load_filter(struct init_spec *s)
{
	if (s->flags & INIT_NO_NEW_PRIVS)
		need(sys6(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0), INIT_AT_SECCOMP);
	if (s->flags & INIT_LANDLOCK)
		need(sys(__NR_landlock_restrict_self, INIT_FD_LANDLOCK, 0, 0, 0), INIT_AT_LANDLOCK);
	if (!s->n_filter)
		return;
	struct sock_fprog p = {(unsigned short)s->n_filter, (void *)((char *)s + s->filter)};
	long fd = s->flags & INIT_LISTENER ? load_listened(&p) : -EINVAL;
	if (fd >= 0) {
		need(send_fd(INIT_FD_LISTENER, (int)fd), INIT_AT_SECCOMP);
		sys(__NR_close, fd, 0, 0, 0);
		return;
	}
	without_listener(&p);
	need(sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&p, 0), INIT_AT_SECCOMP);
}

static void set_ids(struct init_spec *s)
{
	for (int cap = 0; cap < 64; cap++) {
		if (s->caps & (1ull << cap))
			continue;
		long r = sys6(__NR_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0, 0);
		if (r == -EINVAL) /* past the last one this kernel knows */
			break;
		need(r, INIT_AT_BOUNDING);
	}
	sys6(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0);
	if (s->flags & INIT_SETGROUPS)
		need(sys(__NR_setgroups, s->n_groups, (long)s + s->groups, 0, 0), INIT_AT_GROUPS);
	need(sys(__NR_setresgid, s->gid, s->gid, s->gid, 0), INIT_AT_GID);
	need(sys(__NR_setresuid, s->uid, s->uid, s->uid, 0), INIT_AT_UID);
	uint64_t caps = s->uid ? 0 : s->caps;
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2], have[2];
	need(sys(__NR_capget, (long)&head, (long)have, 0, 0), INIT_AT_CAPS);
	for (int i = 0; i < 2; i++) {
		uint32_t part = (uint32_t)(caps >> (32 * i)) & have[i].permitted;
		data[i].effective = data[i].permitted = part;
		data[i].inheritable = 0;
	}
	need(sys(__NR_capset, (long)&head, (long)data, 0, 0), INIT_AT_CAPS);
}

static void drop_all_caps(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};
	sys(__NR_capset, (long)&head, (long)data, 0, 0);
}

/* Ids that are virtual need nothing of a real root's: CAP_PERFMON and CAP_SYS_ADMIN read other
 * processes' environment, whatever Landlock says. */
static void lose_caps(void)
{
	for (int cap = 0; cap < 64; cap++)
		if (sys6(__NR_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0, 0) < 0)
			break;
	sys6(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0);
	drop_all_caps();
}

static _Noreturn void command(struct init_spec *s)
{
	char **argv = pointers(s, s->argv), **env = pointers(s, s->env);
	need(sys(__NR_setsid, 0, 0, 0, 0), INIT_AT_SESSION);
	default_signals();
	sys(__NR_umask, 022, 0, 0, 0);
	set_limits(s);
	load_filter(s);
	if (s->flags & INIT_KEEP_IDS)
		lose_caps();
	else
		set_ids(s);
	sys(__NR_close, INIT_FD_SPEC, 0, 0, 0);
	sys(__NR_close, INIT_FD_LANDLOCK, 0, 0, 0);
	sys(__NR_close, INIT_FD_SELF, 0, 0, 0);
	sys(__NR_close, INIT_FD_LISTENER, 0, 0, 0);
	sys(__NR_fcntl, INIT_FD_STATUS, F_SETFD, FD_CLOEXEC, 0);
	if (s->flags & INIT_INTERPOSED)
		fail(INIT_AT_EXEC, sys6(__NR_execveat, s->interposer, (long)"", (long)argv,
					(long)env, AT_EMPTY_PATH, 0));
	fail(INIT_AT_EXEC, sys(__NR_execve, (long)s->program, (long)argv, (long)env, 0));
}

/* ---- the watchdog, for limits that no control group enforces ---- */

struct entry {
	uint64_t ino, off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static unsigned number(const char **p)
{
	unsigned n = 0;
	for (; **p >= '0' && **p <= '9'; (*p)++)
		n = n * 10 + (unsigned)(**p - '0');
	return n;
}

/* Private pages of one process: resident minus shared, the second and third number of statm. */
static uint64_t private_bytes(int proc, const char *pid, unsigned page)
{
	char path[32], text[128];
	int n = 0;
	for (; pid[n] && n < 16; n++)
		path[n] = pid[n];
	for (const char *t = "/statm"; *t || (path[n] = 0);)
		path[n++] = *t++;
	long fd = sys(__NR_openat, proc, (long)path, O_RDONLY, 0);
	if (fd < 0)
		return 0;
	long len = sys(__NR_read, fd, (long)text, sizeof(text) - 1, 0);
	sys(__NR_close, fd, 0, 0, 0);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	const char *p = text;
	unsigned value[3] = {0};
	for (int i = 0; i < 3; i++) {
		value[i] = number(&p);
		p += *p == ' ';
	}
	return value[1] > value[2] ? (uint64_t)(value[1] - value[2]) * page : 0;
}

static void watch(const struct init_spec *s)
{
	static char buf[32768];
	uint64_t memory = 0;
	unsigned procs = 0;
	long dir = sys(__NR_openat, AT_FDCWD, (long)"/proc", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return;
	for (;;) {
		long n = sys(__NR_getdents64, dir, (long)buf, sizeof(buf), 0);
		if (n <= 0)
			break;
		for (char *p = buf; p < buf + n; p += ((struct entry *)(void *)p)->len) {
			const struct entry *e = (const void *)p;
			if (e->name[0] < '1' || e->name[0] > '9')
				continue;
			procs++;
			if (s->watch_memory)
				memory += private_bytes((int)dir, e->name, s->page_size);
		}
	}
	sys(__NR_close, dir, 0, 0, 0);
	if (s->watch_memory && memory > s->watch_memory)
		report(INIT_OVER_MEMORY, 0, 0);
	else if (s->watch_procs && procs > s->watch_procs + 1)
		report(INIT_OVER_PROCS, 0, 0);
	else
		return;
	leave(0);
}

/* ---- without a pid namespace ---- */

/* The second number after the name, which may contain anything, in /proc/PID/stat. */
static long parent_of(long proc, const char *pid)
{
	char path[32], text[512];
	int n = 0;
	for (; pid[n] && n < 16; n++)
		path[n] = pid[n];
	for (const char *t = "/stat"; *t || (path[n] = 0);)
		path[n++] = *t++;
	long fd = sys(__NR_openat, proc, (long)path, O_RDONLY, 0);
	if (fd < 0)
		return 0;
	long len = sys(__NR_read, fd, (long)text, sizeof(text) - 1, 0);
	sys(__NR_close, fd, 0, 0, 0);
	if (len <= 0)
		return 0;
	text[len] = 0;
	while (len > 0 && text[len] != ')')
		len--;
	const char *p = text + len + 4; /* ") S " */
	return len > 0 ? (long)number(&p) : 0;
}

#define PIDS   (1 << 22) /* the kernel's own limit of pid_max */
#define PASSES 64

static int swept[PIDS]; /* the last pass in which it was found to be a descendant of ours */

struct sweep {
	int pass, signal;
	unsigned count, fresh; /* descendants; those the pass before did not know */
	unsigned page;	       /* 0: memory is not summed up */
	uint64_t memory;
};

static void sweep_one(struct sweep *w, long proc, const char *name, int self)
{
	const char *p = name;
	unsigned pid = number(&p), parent = (unsigned)parent_of(proc, name);
	if (pid >= PIDS || parent >= PIDS || (int)pid == self)
		return;
	/* a parent with a higher number is looked at later: what was true before must do */
	if ((int)parent != self && (!swept[parent] || swept[parent] < w->pass - 1))
		return;
	w->fresh += !swept[pid] || swept[pid] < w->pass - 1;
	w->count++;
	swept[pid] = w->pass;
	if (w->signal)
		sys(__NR_kill, pid, w->signal, 0, 0);
	if (w->page)
		w->memory += private_bytes((int)proc, name, w->page);
}

/* Looks for descendants of this process among all that can be seen; orphans are its children. They
 * are signalled as they are found, before they can fork again. false: there is no /proc. */
static bool sweep(struct sweep *w)
{
	static char buf[32768];
	int self = (int)sys(__NR_getpid, 0, 0, 0, 0);
	long n, dir = sys(__NR_openat, AT_FDCWD, (long)"/proc", O_RDONLY | O_DIRECTORY, 0);
	w->pass++;
	w->count = w->fresh = 0;
	w->memory = 0;
	while (dir >= 0 && (n = sys(__NR_getdents64, dir, (long)buf, sizeof(buf), 0)) > 0)
		for (char *p = buf; p < buf + n; p += ((struct entry *)(void *)p)->len) {
			const char *name = ((struct entry *)(void *)p)->name;
			if (name[0] >= '1' && name[0] <= '9')
				sweep_one(w, dir, name, self);
		}
	if (dir >= 0)
		sys(__NR_close, dir, 0, 0, 0);
	return dir >= 0;
}

/* false: no process is left. Orphans are ours before their parent can be reaped, so that no child
 * means no descendant. Only a few of the dead are reaped: a step that forks without end has ever
 * more. */
static bool any_left(void)
{
	for (int i = 0; i < PASSES; i++) {
		long pid = sys(__NR_wait4, -1, 0, WNOHANG | __WALL, 0);
		if (pid <= 0)
			return pid != -ECHILD;
	}
	return true;
}

/* First all are stopped, until a pass finds none that was missed: those that fork would be faster
 * than killing. */
static void kill_children(struct sweep *w)
{
	/* looking at every process of the machine is dear, and most steps leave nothing behind */
	if (!any_left())
		return;
	for (;;) {
		w->signal = SIGSTOP;
		w->page = 0;
		for (int i = 0; i < PASSES; i++)
			if (!sweep(w) || (!w->fresh && i))
				break;
		w->signal = SIGKILL;
		if (!sweep(w))
			return;
		/* those that died leave us their children, so until there are none */
		long pid = sys(__NR_wait4, -1, 0, __WALL, 0);
		while (pid > 0)
			pid = sys(__NR_wait4, -1, 0, WNOHANG | __WALL, 0);
		if (pid == -ECHILD)
			return;
	}
}

static void watch_sweep(const struct init_spec *s, struct sweep *w)
{
	w->signal = 0;
	w->page = s->watch_memory ? s->page_size : 0;
	if (!sweep(w))
		return;
	if (s->watch_memory && w->memory > s->watch_memory)
		report(INIT_OVER_MEMORY, 0, 0);
	else if (s->watch_procs && w->count > s->watch_procs)
		report(INIT_OVER_PROCS, 0, 0);
	else
		return;
	kill_children(w);
	leave(0);
}

/* ---- the first process itself ---- */

static void reap(const struct init_spec *s, struct sweep *w, long command_pid, bool block)
{
	int status;
	for (;;) {
		long pid = sys(__NR_wait4, -1, (long)&status, block ? 0 : WNOHANG, 0);
		if (pid == command_pid) {
			report(INIT_EXITED, 0, status);
			if (s->flags & INIT_REAPER)
				kill_children(w);
			leave(0);
		}
		if (pid == -EINTR)
			continue;
		if (pid <= 0)
			return;
	}
}

static bool builder_is_gone(void)
{
	/* the death signal is asked for only now: look whether it came too late */
	struct pollfd p = {INIT_FD_STATUS, POLLOUT, 0};
	uint64_t zero[2] = {0, 0};
	sys6(__NR_ppoll, (long)&p, 1, (long)zero, 0, 0, 0);
	return p.revents & POLLERR;
}

_Noreturn void init_main(void)
{
	sys6(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
	/* the step must not look into this process, which has more rights than it */
	sys6(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0);
	struct init_spec *s = read_spec();
	/* without a pid namespace our death would free the step's processes: we end them first */
	if (s->flags & INIT_REAPER)
		sys6(__NR_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0, 0);
	if (builder_is_gone())
		leave(126);
	/* an empty session keyring instead of the builder's */
	sys(__NR_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, 0, 0, 0);
	bool reaper = s->flags & INIT_REAPER;
	unsigned long chld = 1ul << (SIGCHLD - 1) | (reaper ? 1ul << (SIGTERM - 1) : 0);
	if (reaper)
		sys6(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0);
	sys(__NR_rt_sigprocmask, SIG_SETMASK, (long)&chld, 0, 8);
	long pid = sys6(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0);
	need(pid, INIT_AT_FORK);
	if (pid == 0)
		command(s);
	for (int fd = 0; fd < INIT_FD_END; fd++)
		if (fd != INIT_FD_STATUS)
			sys(__NR_close, fd, 0, 0, 0);
	if (reaper)
		sys(__NR_close_range, INIT_FD_END, ~0u, 0, 0);
	if (!(s->flags & INIT_KEEP_IDS) && !reaper)
		drop_all_caps();
	struct sweep w = {0};
	bool watched = s->watch_memory || s->watch_procs;
	for (;;) {
		reap(s, &w, pid, !watched && !reaper);
		int64_t wait[2] = {0, WATCH_NS};
		if (!watched && !reaper)
			continue;
		long got = sys(__NR_rt_sigtimedwait, (long)&chld, 0, watched ? (long)wait : 0, 8);
		if (reaper && got == SIGTERM) {
			kill_children(&w);
			leave(0);
		}
		if (watched && reaper)
			watch_sweep(s, &w);
		else if (watched)
			watch(s);
	}
}
