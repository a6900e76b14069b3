/* SPDX-License-Identifier: MIT
 *
 * From a SIGSYS to a handler.
 */
#include "attempts.h"
#include "calls.h"
#include "exec.h"
#include "files.h"
#include "ids.h"
#include "patch.h"
#include "signals.h"
#include "slots.h"
#include "sockets.h"

#define PATHS CO_IP_PATHS
#define IDS   CO_IP_IDS
#define ANY   (CO_IP_PATHS | CO_IP_IDS)
#define NO    (-1)
const struct row calls[CALLS] = {
#define CALL(name, when, at, path, condition, argument, handler)                                   \
	[SYS_##name] = {SYS_##name, when, at, path, condition, argument, handler, false},
#define QUICK(name, when, at, path, condition, argument, handler)                                  \
	[SYS_##name] = {SYS_##name, when, at, path, condition, argument, handler, true},
#include "calls.def"
#undef CALL
#undef QUICK
};

long call_serve(struct call *c)
{
	c->row = &calls[c->nr];
	c->dirfd = c->row->at >= 0 ? (int)c->a[c->row->at] : AT_FDCWD;
	if (c->row->path >= 0) {
		c->path = (const char *)c->a[c->row->path];
		c->x = c->a + c->row->path + 1;
	}
	return c->row->fn(c);
}

void trap_c(siginfo_t *si, ucontext_t *uc, int slot)
{
	struct call c = {.nr = si->si_syscall, .uc = uc, .slot = slot};
	if (si->si_code != 1 /* SYS_SECCOMP: somebody sent the signal */)
		return;
	if ((unsigned long)c.nr >= CALLS || !calls[c.nr].fn) {
		arch_return(uc, -ENOSYS);
		return;
	}
	for (int i = 0; i < 6; i++)
		c.a[i] = arch_get(uc, i);
	long r = call_serve(&c);
	if (c.resumed)
		return;
	arch_return(uc, r);
	if (c.row->quick)
		patch_seen((uint64_t)(uintptr_t)si->si_call_addr, c.nr);
}
