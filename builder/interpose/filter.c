/* SPDX-License-Identifier: MIT
 *
 * The seccomp filter: which calls the kernel hands over, unless they come from our own text.
 */
#include "calls.h"
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

extern char etext[] __attribute__((visibility("hidden")));

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define NEW_NAMESPACES 0x7e020000u

struct prog {
	struct sock_filter f[1600];
	unsigned n;
};

static void put(struct prog *p, uint16_t code, uint32_t k, unsigned jt, unsigned jf)
{
	if (p->n < sizeof(p->f) / sizeof(p->f[0]))
		p->f[p->n++] = (struct sock_filter){code, (uint8_t)jt, (uint8_t)jf, k};
}
static void load(struct prog *p, size_t at)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)at, 0, 0);
}
static void jump_eq(struct prog *p, uint32_t k, unsigned jt, unsigned jf)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, k, jt, jf);
}
static void jump_ge(struct prog *p, uint32_t k, unsigned jt, unsigned jf)
{
	put(p, BPF_JMP | BPF_JGE | BPF_K, k, jt, jf);
}
static void answer(struct prog *p, uint32_t v)
{
	put(p, BPF_RET | BPF_K, v, 0, 0);
}
static size_t arg_at(int i, bool high)
{
	return offsetof(struct seccomp_data, args) + 8 * (size_t)i + (high ? 4 : 0);
}

/* ALLOW when the call comes from our text, else what is given: six instructions. */
static void unless_ours(struct prog *p, uint32_t otherwise)
{
	const size_t ip = offsetof(struct seccomp_data, instruction_pointer);
	load(p, ip + 4);
	jump_eq(p, (uint32_t)(ARCH_BASE >> 32), 0, 3);
	load(p, ip);
	jump_ge(p, (uint32_t)((uint64_t)etext - ARCH_BASE), 1, 0);
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, otherwise);
}

/* Options of prctl that are ours in this mode. */
static const uint32_t options_any[] = {PR_SET_SECCOMP, PR_GET_SECCOMP, PR_SET_DUMPABLE,
				       PR_GET_DUMPABLE};
static const uint32_t options_ids[] = {PR_GET_KEEPCAPS, PR_SET_KEEPCAPS,     PR_CAPBSET_READ,
				       PR_CAPBSET_DROP, PR_GET_SECUREBITS,   PR_SET_SECUREBITS,
				       PR_CAP_AMBIENT,	PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS};

static void option(struct prog *p, uint32_t v, unsigned left)
{
	jump_eq(p, v, left, 0);
}

static void prctl_options(struct prog *p)
{
	unsigned n_any = sizeof(options_any) / sizeof(uint32_t);
	unsigned n_ids = g.flags & CO_IP_IDS ? sizeof(options_ids) / sizeof(uint32_t) : 0;
	unsigned total = n_any + n_ids;
	load(p, arg_at(0, false));
	for (unsigned i = 0; i < total; i++)
		option(p, i < n_any ? options_any[i] : options_ids[i - n_any], total - i);
	answer(p, SECCOMP_RET_ALLOW);
	unless_ours(p, SECCOMP_RET_TRAP);
}

static void nonzero(struct prog *p, int arg)
{
	load(p, arg_at(arg, false));
	jump_eq(p, 0, 0, 3);
	load(p, arg_at(arg, true));
	jump_eq(p, 0, 0, 1);
	answer(p, SECCOMP_RET_ALLOW);
	unless_ours(p, SECCOMP_RET_TRAP);
}

static void family(struct prog *p, const struct row *r)
{
	bool offline = g.flags & CO_IP_OFFLINE;
	load(p, arg_at(0, false));
	jump_eq(p, 16 /* AF_NETLINK */, 0, 4);
	load(p, arg_at(2, false));
	jump_eq(p, 9 /* NETLINK_AUDIT */, 1, 0);
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, SECCOMP_RET_ERRNO | (uint32_t)r->argument);
	/* AF_UNSPEC and AF_UNIX */
	jump_ge(p, 2, offline ? 1 : 0, offline ? 0 : 2);
	if (!offline) {
		jump_eq(p, 2 /* AF_INET */, 1, 0);
		jump_eq(p, 10 /* AF_INET6 */, 0, 1);
	}
	answer(p, SECCOMP_RET_ALLOW);
	unless_ours(p, SECCOMP_RET_TRAP);
}

/* What a row with a condition does once its number is known. */
static void condition(struct prog *p, const struct row *r)
{
	switch (r->condition) {
	case NONZERO:
		nonzero(p, r->argument);
		return;
	case ACTION:
		load(p, arg_at(0, false));
		jump_eq(p, SIGSYS, 5, 0); /* over the test of argument 1 */
		nonzero(p, 1);
		return;
	case OPTION:
		prctl_options(p);
		return;
	case PEERCRED:
		load(p, arg_at(1, false));
		jump_eq(p, 1 /* SOL_SOCKET */, 0, 2);
		load(p, arg_at(2, false));
		jump_eq(p, 17 /* SO_PEERCRED */, 1, 0);
		answer(p, SECCOMP_RET_ALLOW);
		unless_ours(p, SECCOMP_RET_TRAP);
		return;
	case OUR_FD:
		load(p, arg_at(r->argument, false));
		jump_ge(p, g.fd_base, 0, 1);
		jump_ge(p, g.fd_base + g.n_fds, 0, 1);
		answer(p, SECCOMP_RET_ALLOW);
		unless_ours(p, SECCOMP_RET_ERRNO | EBADF);
		return;
	case FAMILY:
		family(p, r);
		return;
	case NAMESPACES:
		load(p, arg_at(0, false));
		put(p, BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 1, 0);
		answer(p, SECCOMP_RET_ALLOW);
		unless_ours(p, SECCOMP_RET_TRAP);
		return;
	case ATTACH:
		load(p, arg_at(0, false));
		jump_eq(p, 16 /* PTRACE_ATTACH */, 2, 0);
		jump_eq(p, 0x4206 /* PTRACE_SEIZE */, 1, 0);
		answer(p, SECCOMP_RET_ALLOW);
		unless_ours(p, SECCOMP_RET_TRAP);
		return;
	case DENY:
		answer(p, SECCOMP_RET_ERRNO | (uint32_t)r->argument);
		return;
	default:
		unless_ours(p, SECCOMP_RET_TRAP);
	}
}

static void conditional_rows(struct prog *p)
{
	for (int nr = 0; nr < CALLS; nr++) {
		const struct row *r = &calls[nr];
		if (!row_used(r) || r->condition == ALWAYS)
			continue;
		unsigned at = p->n;
		jump_eq(p, (uint32_t)nr, 0, 0);
		condition(p, r);
		if (at < p->n)
			p->f[at].jf = (uint8_t)(p->n - at - 1);
	}
}

/* The rest, in groups of eight: one comparison passes a group by. */
static void plain_rows(struct prog *p)
{
	uint32_t nrs[CALLS];
	unsigned count = 0;
	for (int nr = 0; nr < CALLS; nr++)
		if (row_used(&calls[nr]) && calls[nr].condition == ALWAYS)
			nrs[count++] = (uint32_t)nr;
	for (unsigned i = 0; i < count; i += 8) {
		unsigned n = count - i < 8 ? count - i : 8;
		bool more = i + n < count;
		if (more)
			jump_ge(p, nrs[i + n], n + 1 + 6, 0);
		for (unsigned k = 0; k < n; k++)
			jump_eq(p, nrs[i + k], n - k, 0);
		answer(p, SECCOMP_RET_ALLOW);
		unless_ours(p, SECCOMP_RET_TRAP);
	}
}

void filter_install(void)
{
	struct prog p;
	p.n = 0;
	load(&p, offsetof(struct seccomp_data, arch));
	jump_eq(&p, ARCH_AUDIT, 1, 0);
	answer(&p, SECCOMP_RET_ERRNO | ENOSYS);
	load(&p, offsetof(struct seccomp_data, nr));
	jump_ge(&p, FIRST_UNKNOWN, 0, 1);
	answer(&p, SECCOMP_RET_ERRNO | ENOSYS);
	conditional_rows(&p);
	plain_rows(&p);
	if (p.n >= sizeof(p.f) / sizeof(p.f[0]))
		die("filter too long", 0, 126);
	struct sock_fprog prog = {(unsigned short)p.n, p.f};
	sys5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	long r = sys3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
	if (r == -ENOSYS)
		r = sys3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
	if (r < 0)
		die("the kernel refuses a seccomp filter", r, 126);
}
