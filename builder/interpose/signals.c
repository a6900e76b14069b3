/* SPDX-License-Identifier: MIT */
#include "signals.h"
#include "slots.h"
#include <linux/seccomp.h>
#include <linux/close_range.h>

#define SYS_BIT (1ull << (SIGSYS - 1))

#define hidden __attribute__((visibility("hidden")))
extern char arch_sigsys[] hidden, arch_restorer[] hidden;

/* faults in our own code must kill, not hang: everything else waits */
#define FAULTS (1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1))

/* Never cleared; processes that share this memory count together. */
static uint32_t handled, cancel;
#define SIG_CANCEL 32 /* glibc's, which programs cannot have for themselves */

bool signals_handled(void)
{
	return __atomic_load_n(&handled, __ATOMIC_SEQ_CST);
}

bool signals_cancel(void)
{
	return __atomic_load_n(&cancel, __ATOMIC_RELAXED);
}

void signals_hold(uint64_t *mask)
{
	static const uint64_t all = ~FAULTS;
	sys4(SYS_rt_sigprocmask, SIG_SETMASK, &all, mask, 8);
}

void signals_release(const uint64_t *mask)
{
	sys4(SYS_rt_sigprocmask, SIG_SETMASK, mask, 0, 8);
}

/* The first handler comes: from now on calls without a trap hold the signals, and those under way
 * do not yet. */
static void handler_comes(long sig)
{
	if (sig == SIG_CANCEL)
		__atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
	if (signals_handled() || (uint64_t)sig - 1 > 63 || 1ull << (sig - 1) & FAULTS)
		return;
	__atomic_store_n(&handled, 1, __ATOMIC_SEQ_CST);
	slots_drain();
}

void signals_init(void)
{
	uint64_t mask = SYS_BIT;
	struct sigaction_k k = {.handler = (uint64_t)arch_sigsys,
				.flags = SA_SIGINFO | SA_ONSTACK | ARCH_RESTORER,
				.restorer = (uint64_t)arch_restorer,
				.mask = ~FAULTS};
	sys4(SYS_rt_sigaction, SIGSYS, &k, 0, 8);
	sys4(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, 0, 8);
}

long call_resume(struct call *c)
{
	c->resumed = true;
	arch_resume(c->uc, c->nr);
	return 0;
}

long call_waiting(struct call *c, long nr, const long a[6])
{
	uint64_t now, *mask = (uint64_t *)(void *)&c->uc->uc_sigmask;
	sys4(SYS_rt_sigprocmask, SIG_SETMASK, mask, &now, 8);
	long r = sys6(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	sys4(SYS_rt_sigprocmask, SIG_SETMASK, &now, 0, 8);
	return r;
}

#define ACTION_SIZE 32 /* the kernel's structure, with a restorer on both processors */

static long read_action(struct sigaction_k *k, const void *from)
{
	uint64_t v[4] = {0};
	long r = guest_read(v, from, ACTION_SIZE);
	*k = (struct sigaction_k){v[0], v[1], v[2], v[3]};
	return r;
}

static void pack_action(uint64_t v[4], const struct sigaction_k *k)
{
	v[0] = k->handler;
	v[1] = k->flags;
	v[2] = k->restorer;
	v[3] = k->mask;
}

long h_sigaction(struct call *c)
{
	struct sigaction_k k, old = g.sigsys;
	uint64_t v[4];
	if (c->a[3] != 8)
		return -EINVAL;
	if (c->a[1] && read_action(&k, (void *)c->a[1]) < 0)
		return -EFAULT;
	if (c->a[0] == SIGSYS) {
		if (c->a[1])
			g.sigsys = k;
		pack_action(v, &old);
		return c->a[2] ? guest_write((void *)c->a[2], v, ACTION_SIZE) : 0;
	}
	if (!c->a[1])
		return sys4(SYS_rt_sigaction, c->a[0], 0, c->a[2], 8);
	if (k.handler > 1 /* SIG_IGN */)
		handler_comes(c->a[0]);
	k.mask &= ~SYS_BIT;
	pack_action(v, &k);
	return sys4(SYS_rt_sigaction, c->a[0], v, c->a[2], 8);
}

long h_sigprocmask(struct call *c)
{
	uint64_t *mask = (uint64_t *)(void *)&c->uc->uc_sigmask;
	uint64_t set, old = *mask | (g.sigsys_blocked ? SYS_BIT : 0), now;
	if (c->a[3] != 8)
		return -EINVAL;
	if (guest_read(&set, (void *)c->a[1], sizeof(set)) < 0)
		return -EFAULT;
	if (c->a[0] == SIG_BLOCK)
		now = old | set;
	else if (c->a[0] == SIG_UNBLOCK)
		now = old & ~set;
	else if (c->a[0] == SIG_SETMASK)
		now = set;
	else
		return -EINVAL;
	if (c->a[2]) {
		/* the kernel writes there itself, which answers for the pointer */
		long r = sys4(SYS_rt_sigprocmask, SIG_BLOCK, 0, c->a[2], 8);
		if (r < 0)
			return r;
		*(uint64_t *)c->a[2] = old;
	}
	g.sigsys_blocked = now & SYS_BIT;
	const uint64_t never = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);
	*mask = now & ~SYS_BIT & ~never;
	return 0;
}

/* Masks without SIGSYS, at addresses that stay: the call that uses one runs after we have left. */
#define MASKS 64
static uint64_t masks[MASKS];
static struct {
	uint64_t mask, size;
} pselect_args[MASKS];
static uint32_t n_masks;

static uint32_t keep_mask(uint64_t m)
{
	uint32_t n = __atomic_load_n(&n_masks, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < n && i < MASKS; i++)
		if (masks[i] == m)
			return i;
	uint32_t i = __atomic_fetch_add(&n_masks, 1, __ATOMIC_ACQ_REL);
	if (i >= MASKS) {
		__atomic_store_n(&n_masks, MASKS, __ATOMIC_RELEASE);
		i %= MASKS;
	}
	masks[i] = m;
	return i;
}

/* Runs the call in the guest's context with the mask in argument `arg` cleaned. */
static long resume_with_mask(struct call *c, int arg)
{
	uint64_t m;
	if (guest_read(&m, (void *)c->a[arg], sizeof(m)) < 0)
		return -EFAULT;
	if (m & SYS_BIT)
		arch_set(c->uc, arg, (long)&masks[keep_mask(m & ~SYS_BIT)]);
	return call_resume(c);
}

long h_sigsuspend(struct call *c)
{
	return resume_with_mask(c, 0);
}

long h_ppoll(struct call *c)
{
	return resume_with_mask(c, 3);
}

long h_epoll_pwait(struct call *c)
{
	return resume_with_mask(c, 4);
}

long h_pselect(struct call *c)
{
	uint64_t v[2], m;
	if (guest_read(v, (void *)c->a[5], sizeof(v)) < 0)
		return -EFAULT;
	if (v[0] && guest_read(&m, (void *)v[0], sizeof(m)) < 0)
		return -EFAULT;
	if (v[0] && m & SYS_BIT) {
		uint32_t i = keep_mask(m & ~SYS_BIT);
		pselect_args[i].mask = (uint64_t)&masks[i];
		pselect_args[i].size = 8;
		arch_set(c->uc, 5, (long)&pselect_args[i]);
	}
	return call_resume(c);
}

/* A filter of the guest's would also hold the calls we make for it: it is swallowed, as programs
 * take a filter for an extra wall of their own. */
long h_seccomp(struct call *c)
{
	if (c->a[0] == SECCOMP_SET_MODE_FILTER)
		return c->a[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER ? -EINVAL : c->a[2] ? 0 : -EFAULT;
	if (c->a[0] == SECCOMP_SET_MODE_STRICT)
		return -EINVAL;
	return sys3(SYS_seccomp, c->a[0], c->a[1], c->a[2]);
}

long h_close_range(struct call *c)
{
	uint32_t lo = (uint32_t)c->a[0], hi = (uint32_t)c->a[1];
	uint32_t first = g.fd_base, last = g.fd_base + g.n_fds - 1;
	if (lo > hi)
		return -EINVAL;
	long r = sys3(SYS_close_range, first, first - 1, 0);
	if (r == -ENOSYS || r == -EPERM) /* the C library then closes one by one */
		return -ENOSYS;
	r = 0;
	if (hi < first || lo > last)
		return sys3(SYS_close_range, lo, hi, c->a[2]);
	if (lo < first)
		r = sys3(SYS_close_range, lo, first - 1, c->a[2]);
	if (r == 0 && hi > last)
		r = sys3(SYS_close_range, last + 1, hi, c->a[2] & ~(long)CLOSE_RANGE_UNSHARE);
	return r;
}
