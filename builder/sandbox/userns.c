/* SPDX-License-Identifier: MIT
 *
 * The sandbox "userns": namespaces of the kernel, as root or below a user namespace.
 */
#include "foreign.h"
#include "guest.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK (512u << 10)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
/* The child never returns from its functions: what the last one marked on the same stack stays. */
static void fresh_stack(void *stack)
{
	__asan_unpoison_memory_region(stack, STACK);
}
#else
static void fresh_stack(void *stack)
{
	(void)stack;
}
#endif

struct userns {
	struct filter filter[2][2][2]; /* [own network][32-bit image][processes are counted] */
	int image;
	int interposer; /* where one id is all there is, others are virtual; else -1 */
	bool setgroups;
	struct group group;
	struct foreign foreign;
};

static bool may_setgroups(void)
{
	struct co_err ignore = CO_ERR_INIT;
	auto_free char *text = NULL;
	size_t len;
	if (co_read_file(AT_FDCWD, "/proc/self/setgroups", 64, &text, &len, &ignore) < 0)
		return true;
	return strncmp(text, "deny", 4) != 0;
}

static void userns_close(struct co_sandbox *s)
{
	struct userns *u = s->state;
	for (int i = 0; i < 8; i++)
		free(u->filter[i / 4][i / 2 % 2][i % 2].insns);
	foreign_close(&u->foreign);
	co_close_fd(&u->image);
	co_close_fd(&u->interposer);
	group_close(&u->group);
	free(u);
	free(s);
}

static int userns_open(struct co_sandbox **out, enum co_place place, struct co_bus *bus,
		       struct co_err *err)
{
	if (place == CO_PLACE_NONE) {
		struct co_probe p;
		sandbox_userns.probe(&p);
		co_fail(err, CO_E_SANDBOX, "%s", p.usable ? "userns: not entered" : p.answer);
		return p.cure[0] ? co_hint(err, "%s", p.cure) : err->code;
	}
	struct co_sandbox *s = co_xcalloc(1, sizeof(*s));
	struct userns *u = co_xcalloc(1, sizeof(*u));
	*s = (struct co_sandbox){.ops = &sandbox_userns, .place = place, .bus = bus, .state = u};
	u->image = spec_image_fd();
	u->setgroups = may_setgroups();
	u->group.fd = -1;
	foreign_init(&u->foreign);
	u->interposer = place == CO_PLACE_SINGLE ? guest_image() : -1;
	s->wants_owners = u->interposer >= 0;
	if (u->image < 0) {
		co_fail_sys(err, "prepare the step's first process");
		userns_close(s);
		return err->code;
	}
	*out = s;
	return 0;
}

int step_pipes(struct step *st, struct co_err *err)
{
	const struct co_run *run = st->run;
	if (pipe2(st->out, O_CLOEXEC) < 0 || pipe2(st->errs, O_CLOEXEC) < 0 ||
	    pipe2(st->status, O_CLOEXEC) < 0)
		return co_fail_sys(err, "make pipes for the step");
	if (!run->stdin_data)
		return 0;
	st->input = memfd_create("stdin", MFD_CLOEXEC);
	if (st->input < 0 || co_write_all(st->input, run->stdin_data, run->stdin_len) < 0 ||
	    lseek(st->input, 0, SEEK_SET) < 0)
		return co_fail_sys(err, "prepare the step's input");
	return 0;
}

/* The interposer's: the one real id, and the message to it. */
static int guest_orders(struct step *st, const struct filter *f, uint32_t flags, struct co_err *err)
{
	auto_free const char **env = guest_env(st->guest);
	struct co_run run = *st->run;
	run.env = env;
	run.uid = run.gid = 0;
	run.n_groups = 0;
	flags = (flags & ~(uint32_t)INIT_SETGROUPS) | INIT_INTERPOSED | INIT_NO_NEW_PRIVS;
	st->spec = spec_make(&run, f, &st->limits, flags, creds_caps(st->run->insecure));
	if (st->spec < 0 ||
	    spec_interposer(st->spec, st->guest->session->fd_base + CO_IPF_IMAGE) < 0)
		return co_fail_sys(err, "write the step's orders");
	return 0;
}

static int make_filter(struct filter *f, enum co_place place, bool own_net, bool compat,
		       bool counted, struct co_err *err)
{
	unsigned flags = (own_net ? FILTER_OWN_NET : 0) | (compat ? FILTER_COMPAT : 0);
	if (place != CO_PLACE_SINGLE && listener_may_tell())
		flags |= FILTER_TELL;
	/* a 32-bit program's numbers are others */
	if (place == CO_PLACE_RANGE && !compat)
		flags |= FILTER_NODES;
	int r = seccomp_build(f, flags, err);
	if (r == 0 && counted)
		filter_forks(f);
	if (r < 0 || !(flags & FILTER_TELL) || !listener_may_continue())
		return r;
	if (own_net)
		filter_addresses(f);
	if (unmapped_any())
		filter_owners(f, idmap_end("uid"), idmap_end("gid"));
	return 0;
}

static int prepare(struct step *st, struct userns *u, struct co_err *err)
{
	const struct co_run *run = st->run;
	bool own_net = run->net == CO_NET_NONE;
	bool compat = lookup_is_32bit(st->root->fd, run);
	limits_open(&st->limits, &u->group,
		    st->s->place == CO_PLACE_ROOT ? DEVICES_USUAL : DEVICES_ALL, run);
	bool counted = listener_counts(st);
	struct filter *f = &u->filter[own_net][compat][counted];
	/* with an interposer it is the one who sees */
	bool tell = !run->insecure && st->s->place != CO_PLACE_SINGLE;
	int r = run->insecure || f->insns
			? 0
			: make_filter(f, st->s->place, own_net, compat, counted, err);
	if (!r && (tell || counted))
		r = listener_open(st, err);
	if (!r)
		r = step_pipes(st, err);
	if (!r)
		r = agents_open(st, err);
	if (r < 0)
		return r;
	foreign_enable(&u->foreign, st->s->place, run->arch);
	st->userns = u->foreign.why[0] ? -1 : u->foreign.userns;
	st->foreign = u->foreign.why;
	if (!run->insecure && !own_net)
		st->landlock = landlock_scope_ruleset();
	uint32_t flags = (u->setgroups ? INIT_SETGROUPS : 0) |
			 (st->landlock >= 0 ? INIT_LANDLOCK : 0) |
			 (st->listener ? INIT_LISTENER : 0);
	if (st->guest)
		return guest_orders(st, run->insecure ? NULL : f, flags, err);
	st->spec = spec_make(run, run->insecure ? NULL : f, &st->limits, flags,
			     creds_caps(run->insecure));
	return st->spec < 0 ? co_fail_sys(err, "write the step's orders") : 0;
}

/* The child borrows this memory until it executes something else: no copy of the builder is made,
 * and none is left behind for the step to look at. */
static int start(struct step *st, pid_t *pid, struct co_err *err)
{
	int flags = CLONE_VM | CLONE_VFORK | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
		    (st->run->net == CO_NET_NONE ? CLONE_NEWNET : 0);
	sigset_t all, before;
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (stack == MAP_FAILED)
		return co_fail_sys(err, "make a stack for the step");
	fresh_stack(stack);
	/* the builder's signal handlers must not run in the child */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	*pid = spawn(st, inside, stack, STACK, flags);
	int saved = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	munmap(stack, STACK);
	co_close_fd(&st->out[1]);
	co_close_fd(&st->errs[1]);
	co_close_fd(&st->status[1]);
	errno = saved;
	return *pid < 0 ? co_fail_sys(err, "start the step's namespaces") : 0;
}

const char *init_stage_text(uint32_t stage)
{
	static const char *const texts[] = {
#define INIT_STAGE_TEXT(name, text) [INIT_AT_##name] = text,
		INIT_STAGES(INIT_STAGE_TEXT)
#undef INIT_STAGE_TEXT
	};
	return stage < sizeof(texts) / sizeof(texts[0]) ? texts[stage] : "start";
}

/* The first process could not start the command. */
static int not_started(struct step *st, const struct init_report *r, struct co_err *err)
{
	char path[4096] = "";
	if (r->stage == INIT_AT_EXEC) {
		(void)!pread(st->spec, path, sizeof(path) - 1, offsetof(struct init_spec, program));
		lookup_explain(st->root->fd, path, r->value, err);
		return r->value == ENOEXEC && st->foreign && *st->foreign
			       ? co_hint(err, "%s", st->foreign)
			       : err->code;
	}
	errno = r->value;
	return co_fail_sys(err, "the step's first process could not %s", init_stage_text(r->stage));
}

static int go(struct step *st, struct co_result *res, struct co_err *err)
{
	struct co_err inner = CO_ERR_INIT;
	struct pump p = {.st = st, .res = res};
	st->err = &inner;
	int r = start(st, &p.pid, err);
	if (r < 0)
		return r;
	if (listener_counts(st))
		st->first = p.pid;
	r = pump_run(&p, err);
	if (r < 0)
		return r;
	if (inner.code) {
		*err = inner;
		return err->code;
	}
	if (st->unmapped)
		return unmapped_given(st, err);
	if (p.reported && p.report.kind == INIT_FAILED)
		return not_started(st, &p.report, err);
	/* killed, by a limit of ours or for want of memory: that is an end; anything else is not */
	if (!p.reported && !(WIFSIGNALED(res->status) && WTERMSIG(res->status) == SIGKILL) &&
	    !p.over_procs && !res->oom)
		return co_fail(err, CO_E_SANDBOX, "the step's first process died (status %#x)",
			       (unsigned)res->status);
	pump_limits(&p);
	return 0;
}

void step_close(struct step *st)
{
	int *fds[] = {&st->out[0],    &st->out[1],   &st->errs[0], &st->errs[1], &st->status[0],
		      &st->status[1], &st->landlock, &st->spec,	   &st->input};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		co_close_fd(fds[i]);
	agents_close(st);
	listener_close(st);
	free(st->resolv);
	free(st->hosts);
}

char *step_resolv_conf(void)
{
	struct co_err ignore = CO_ERR_INIT;
	char *text;
	size_t len;
	if (co_read_file(AT_FDCWD, "/etc/resolv.conf", 64u << 10, &text, &len, &ignore) < 0)
		return NULL;
	return text;
}

char *step_hosts(const struct co_run *run)
{
	return co_xasprintf("127.0.0.1\tlocalhost%s%s\n"
			    "::1\tlocalhost ip6-localhost ip6-loopback\n"
			    "fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\n"
			    "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
			    run->hostname ? " " : "", run->hostname ? run->hostname : "");
}

static int userns_run(struct co_sandbox *s, const struct co_root *root, const struct co_run *run,
		      struct co_result *result, struct co_err *err)
{
	struct userns *u = s->state;
	struct co_result res = {0};
	struct step st = {.s = s,
			  .root = root,
			  .run = run,
			  .limits = LIMITS_NONE,
			  .image = u->image,
			  .spec = -1,
			  .userns = -1,
			  .landlock = -1,
			  .out = {-1, -1},
			  .errs = {-1, -1},
			  .status = {-1, -1},
			  .input = -1};
	st.resolv = step_resolv_conf();
	st.hosts = step_hosts(run);
	struct guest g = {.session_fd = -1, .dir = -1};
	int r = 0;
	if (u->interposer >= 0 && root->owners) {
		st.guest = &g;
		r = guest_open(&g, &st, u->interposer,
			       CO_IP_IDS | (run->net == CO_NET_NONE ? CO_IP_OFFLINE : 0), err);
	}
	if (!r && !st.guest)
		r = unmapped_check(&st, err);
	if (!r)
		r = prepare(&st, u, err);
	if (!r)
		r = go(&st, &res, err);
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

static void userns_probe(struct co_probe *out)
{
	probe_place(out, true);
}

const struct co_sandbox_ops sandbox_userns = {.name = "userns",
					      .probe = userns_probe,
					      .open = userns_open,
					      .run = userns_run,
					      .close = userns_close};
