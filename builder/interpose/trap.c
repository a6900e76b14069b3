/* SPDX-License-Identifier: MIT
 *
 * From a SIGSYS to a handler.
 */
#include "attempts.h"
#include "calls.h"
#include "exec.h"
#include "files.h"
#include "ids.h"
#include "signals.h"
#include "slots.h"
#include "sockets.h"

#define PATHS CO_IP_PATHS
#define IDS   CO_IP_IDS
#define ANY   (CO_IP_PATHS | CO_IP_IDS)
#define NO    (-1)
const struct row calls[CALLS] = {
#define CALL(name, when, at, path, condition, argument, handler)                                   \
	[SYS_##name] = {SYS_##name, when, at, path, condition, argument, handler},
#include "calls.def"
#undef CALL
};

void trap_c(siginfo_t *si, ucontext_t *uc, int slot)
{
	struct call c = {.nr = si->si_syscall, .uc = uc, .slot = slot, .dirfd = AT_FDCWD};
	if (si->si_code != 1 /* SYS_SECCOMP: somebody sent the signal */)
		return;
	if ((unsigned long)c.nr >= CALLS || !calls[c.nr].fn) {
		arch_return(uc, -ENOSYS);
		return;
	}
	c.row = &calls[c.nr];
	for (int i = 0; i < 6; i++)
		c.a[i] = arch_get(uc, i);
	if (c.row->at >= 0)
		c.dirfd = (int)c.a[c.row->at];
	if (c.row->path >= 0) {
		c.path = (const char *)c.a[c.row->path];
		c.x = c.a + c.row->path + 1;
	}
	long r = c.row->fn(&c);
	if (!c.resumed)
		arch_return(uc, r);
}
