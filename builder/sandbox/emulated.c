/* SPDX-License-Identifier: MIT
 *
 * The sandboxes that need no namespaces. "emulated": an ordinary user's; owners, modes and ids are
 * virtual and kept in the ownership table. "chroot": root's in a container that may neither mount
 * nor make namespaces; ids are the real ones. Both show the step its root through the interposer;
 * what holds it is the kernel: no new privileges, a seccomp filter, Landlock.
 */
#include "guest.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STACK (256u << 10)

struct emulated {
	struct filter filter[2][2]; /* [no network][processes are counted] */
	int init, image;
	struct group group;
};

struct start {
	struct step *st;
	struct guest *g;
};

static void close_sandbox(struct co_sandbox *s)
{
	struct emulated *e = s->state;
	for (int i = 0; i < 4; i++)
		free(e->filter[i / 2][i % 2].insns);
	co_close_fd(&e->init);
	co_close_fd(&e->image);
	group_close(&e->group);
	free(e);
	free(s);
}

/* Landlock does not hold connect(), and whoever talks to one of these owns the machine. */
static void tell_sockets(struct co_bus *bus)
{
	static const char *const sockets[] = {"/var/run/docker.sock", "/run/podman/podman.sock",
					      "/run/containerd/containerd.sock",
					      "/run/crio/crio.sock", NULL};
	for (const char *const *p = sockets; *p; p++)
		if (access(*p, W_OK) == 0)
			co_warn(bus, NULL,
				"%s is within reach of this build: a hostile step could use it; do "
				"not mount it into the job",
				*p);
}

static int open_sandbox(struct co_sandbox **out, const struct co_sandbox_ops *ops,
			enum co_place place, struct co_bus *bus, struct co_err *err)
{
	struct co_probe p;
	ops->probe(&p);
	if (!p.usable) {
		co_fail(err, CO_E_SANDBOX, "%s: %s", ops->name, p.answer);
		return p.cure[0] ? co_hint(err, "%s", p.cure) : err->code;
	}
	struct co_sandbox *s = co_xcalloc(1, sizeof(*s));
	struct emulated *e = co_xcalloc(1, sizeof(*e));
	*s = (struct co_sandbox){.ops = ops,
				 .place = place,
				 .bus = bus,
				 .wants_owners = ops == &sandbox_emulated,
				 .state = e};
	e->init = spec_image_fd();
	e->image = guest_image();
	e->group.fd = -1;
	if (e->init < 0 || e->image < 0) {
		co_fail_sys(err, "prepare the step's first process");
		close_sandbox(s);
		return err->code;
	}
	tell_sockets(bus);
	*out = s;
	return 0;
}

static int emulated_open(struct co_sandbox **out, enum co_place place, struct co_bus *bus,
			 struct co_err *err)
{
	return open_sandbox(out, &sandbox_emulated, place, bus, err);
}

static int chroot_open(struct co_sandbox **out, enum co_place place, struct co_bus *bus,
		       struct co_err *err)
{
	return open_sandbox(out, &sandbox_chroot, place, bus, err);
}

/* ---- the child ---- */

static int arrange(struct start *a)
{
	struct step *st = a->st;
	int from[INIT_FD_END] = {st->input,	st->out[1],   st->errs[1], st->spec,
				 st->status[1], st->landlock, st->image,   listener_end(st)};
	if (from[0] < 0)
		from[0] = open("/dev/null", O_RDONLY);
	for (int i = 0; i < INIT_FD_END; i++)
		if (from[i] >= 0 && (from[i] = fcntl(from[i], F_DUPFD, 64)) < 0)
			return co_fail_sys(st->err, "arrange descriptors");
	/* before anything lands on the low numbers they may have */
	if (guest_place(a->g) < 0)
		return co_fail_sys(st->err, "arrange descriptors");
	for (int i = 0; i < INIT_FD_END; i++) {
		if (from[i] < 0)
			close(i);
		else if (dup2(from[i], i) < 0)
			return co_fail_sys(st->err, "arrange descriptors");
	}
	uint32_t base = a->g->session->fd_base;
	close_fds(INIT_FD_END, base - 1);
	close_fds(base + a->g->session->n_fds, ~0u);
	/* where ids are the kernel's: the command may open /dev/stdout again, which asks for the
	 * pipe's owner */
	for (int i = 0; i < 3 && !(a->g->session->flags & CO_IP_IDS); i++)
		if (i || st->input >= 0)
			(void)!fchown(i, st->run->uid, st->run->gid);
	return 0;
}

static int inside_guest(void *arg)
{
	struct start *a = arg;
	struct step *st = a->st;
	char *argv[] = {(char *)"cooper-step", NULL}, *env[] = {NULL};
	char path[32];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(0);
	int dir = -1, r = 0;
	if (limits_join(&st->limits, st->run) < 0)
		r = co_fail_sys(st->err, "keep the step to its limits");
	if (!r)
		dir = co_inroot_open(st->root->fd, st->run->cwd, O_PATH | O_DIRECTORY, 0);
	if (!r && (dir < 0 || fchdir(dir) < 0))
		r = co_fail_sys(st->err, "working directory %s", st->run->cwd);
	if (!r)
		r = arrange(a);
	if (!r) {
		syscall(SYS_execveat, INIT_FD_SELF, "", argv, env, AT_EMPTY_PATH);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", INIT_FD_SELF);
		execve(path, argv, env);
		co_fail_sys(st->err, "start the step's first process");
	}
	/* this memory is the builder's: nothing of it may run on the way out */
	for (;;)
		syscall(SYS_exit_group, 1);
	return 0;
}

static int start(struct start *a, pid_t *pid, struct co_err *err)
{
	struct step *st = a->st;
	sigset_t all, before;
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (stack == MAP_FAILED)
		return co_fail_sys(err, "make a stack for the step");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	*pid = clone(inside_guest, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, a);
	int saved = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	munmap(stack, STACK);
	co_close_fd(&st->out[1]);
	co_close_fd(&st->errs[1]);
	co_close_fd(&st->status[1]);
	errno = saved;
	return *pid < 0 ? co_fail_sys(err, "start the step") : 0;
}

/* ---- the builder ---- */

static void tell_limits(const struct step *st, bool landlock)
{
	struct co_bus *bus = st->s->bus;
	if (!landlock)
		co_warn(bus, NULL,
			"this kernel has no Landlock: a step could reach files of this user "
			"outside "
			"its root");
}

static int make_filter(struct filter *f, bool no_net, bool counted, bool owners, struct co_err *err)
{
	if (seccomp_build(f, 0, err) < 0)
		return err->code;
	if (counted)
		filter_forks(f);
	if (owners)
		filter_owners(f, idmap_end("uid"), idmap_end("gid"));
	if (no_net)
		filter_offline(f);
	return 0;
}

static int prepare(struct step *st, struct guest *g, struct emulated *e, struct co_err *err)
{
	bool native = st->s->ops == &sandbox_chroot, no_net = st->run->net == CO_NET_NONE;
	limits_open(&st->limits, &e->group, DEVICES_ALL, st->run);
	bool counted = listener_counts(st);
	/* the table has room for any owner, the kernel has not */
	bool owners = native && unmapped_any() && listener_may_tell() && listener_may_continue();
	struct filter *f = &e->filter[no_net][counted];
	int r = native ? unmapped_check(st, err) : 0;
	if (!r && !f->insns)
		r = make_filter(f, no_net, counted, owners, err);
	if (!r && (counted || owners))
		r = listener_open(st, err);
	if (!r)
		r = step_pipes(st, err);
	if (!r)
		r = agents_open(st, err);
	st->guest = g;
	if (!r)
		r = guest_open(
			g, st, e->image,
			CO_IP_PATHS | (native ? 0 : CO_IP_IDS) | (no_net ? CO_IP_OFFLINE : 0), err);
	if (r < 0)
		return r;
	st->landlock = guest_landlock(g);
	tell_limits(st, st->landlock >= 0);
	auto_free const char **env = guest_env(g);
	struct co_run run = *st->run;
	run.env = env;
	uint32_t flags = INIT_NO_NEW_PRIVS | INIT_REAPER | INIT_INTERPOSED |
			 (native ? INIT_SETGROUPS : INIT_KEEP_IDS) |
			 (st->landlock >= 0 ? INIT_LANDLOCK : 0) |
			 (st->listener ? INIT_LISTENER : 0);
	uint64_t caps = creds_caps(false) &
			~(1ull << CAP_SYS_CHROOT | 1ull << CAP_NET_RAW | 1ull << CAP_AUDIT_WRITE);
	st->spec = spec_make(&run, f, &st->limits, flags, caps);
	if (st->spec < 0 || spec_interposer(st->spec, g->session->fd_base + CO_IPF_IMAGE) < 0)
		return co_fail_sys(err, "write the step's orders");
	return 0;
}

static int outcome(struct pump *p, struct co_err *err)
{
	const struct init_report *r = &p->report;
	struct step *st = p->st;
	if (!p->reported || r->kind != INIT_FAILED)
		return 0;
	errno = r->value;
	(void)st;
	return co_fail_sys(err, "the step's first process could not %s", init_stage_text(r->stage));
}

static int go(struct step *st, struct guest *g, struct co_result *res, struct co_err *err)
{
	struct co_err inner = CO_ERR_INIT;
	struct pump p = {.st = st, .res = res, .kill_with = SIGTERM};
	struct start a = {st, g};
	struct children before;
	int was = 0;
	st->err = &inner;
	prctl(PR_GET_CHILD_SUBREAPER, &was);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	children_list(&before);
	int r = start(&a, &p.pid, err);
	if (listener_counts(st))
		st->first = p.pid;
	if (!r)
		r = pump_run(&p, err);
	children_sweep(&before);
	prctl(PR_SET_CHILD_SUBREAPER, was);
	free(before.pids);
	if (r < 0)
		return r;
	if (inner.code) {
		*err = inner;
		return err->code;
	}
	if (st->unmapped)
		return unmapped_given(st, err);
	if (res->timed_out || res->output_cut)
		res->status = SIGKILL;
	pump_limits(&p);
	return outcome(&p, err);
}

static int run_guest(struct co_sandbox *s, const struct co_root *root, const struct co_run *run,
		     struct co_result *result, struct co_err *err)
{
	struct emulated *e = s->state;
	struct co_result res = {0};
	struct guest g = {.session_fd = -1, .dir = -1};
	struct step st = {.s = s,
			  .root = root,
			  .run = run,
			  .limits = LIMITS_NONE,
			  .image = e->init,
			  .spec = -1,
			  .userns = -1,
			  .landlock = -1,
			  .out = {-1, -1},
			  .errs = {-1, -1},
			  .status = {-1, -1},
			  .input = -1};
	if (run->insecure)
		return co_fail(err, CO_E_UNSUPPORTED,
			       "--security=insecure needs the userns sandbox");
	if (s->wants_owners && !root->owners)
		return co_fail(err, CO_E_INTERNAL, "sandbox emulated without an ownership table");
	/* without a name space of its own the step has this machine's name */
	char name[256] = "";
	struct co_run known_as = {.hostname =
					  gethostname(name, sizeof(name) - 1) == 0 ? name : NULL};
	st.resolv = step_resolv_conf();
	st.hosts = step_hosts(&known_as);
	int r = prepare(&st, &g, e, err);
	if (!r)
		r = go(&st, &g, &res, err);
	if (g.session)
		attempts_read(&st, g.session);
	guest_close(&g);
	attempts_tell(&st);
	stubs_remove(&st.stubs, root->fd);
	limits_close(&st.limits, &res);
	step_close(&st);
	if (!r)
		*result = res;
	return r;
}

/* ---- probing: run the interposer on the smallest possible thing ---- */

/* A filter and a trap are all that the interposer asks of the kernel. */
static void probe_filter(struct co_probe *out)
{
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(errno & 127);
		struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, 0x7fff0000u);
		struct sock_fprog prog = {1, &allow};
		_exit(syscall(SYS_seccomp, 1, 0, &prog) < 0 ? errno & 127 : 0);
	}
	int status = 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	out->usable = pid > 0 && status == 0;
	if (out->usable)
		snprintf(out->answer, sizeof(out->answer), "seccomp filter: ok");
	else
		snprintf(out->answer, sizeof(out->answer), "seccomp filter: %s",
			 strerror(WIFEXITED(status) ? WEXITSTATUS(status) : EPERM));
	bool missing = !out->usable && WIFEXITED(status) && WEXITSTATUS(status) == ENOSYS;
	if (!out->usable)
		snprintf(out->cure, sizeof(out->cure), "%s",
			 missing ? "run it on a kernel with CONFIG_SECCOMP_FILTER, not under an "
				   "emulator of another processor"
				 : "allow the system call seccomp in the container's seccomp "
				   "profile");
}

static void emulated_probe(struct co_probe *out)
{
	*out = (struct co_probe){0};
	probe_filter(out);
}

static void chroot_probe(struct co_probe *out)
{
	*out = (struct co_probe){0};
	if (geteuid() != 0) {
		snprintf(out->answer, sizeof(out->answer), "not root");
		return;
	}
	probe_filter(out);
}

const struct co_sandbox_ops sandbox_emulated = {.name = "emulated",
						.probe = emulated_probe,
						.open = emulated_open,
						.run = run_guest,
						.close = close_sandbox};
const struct co_sandbox_ops sandbox_chroot = {.name = "chroot",
					      .probe = chroot_probe,
					      .open = chroot_open,
					      .run = run_guest,
					      .close = close_sandbox};
