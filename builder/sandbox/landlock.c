/* SPDX-License-Identifier: MIT
 *
 * Landlock. A step that shares this machine's network would reach its abstract unix sockets, which
 * no mount namespace hides (CVE-2020-15257): a scope keeps it among its own.
 */
#include "sandbox-internal.h"
#include <linux/landlock.h>
#include <sys/syscall.h>

/* From Linux 6.12; older headers lack them. */
#define SCOPE_ABSTRACT_UNIX_SOCKET 1ull
#define SCOPE_SINCE_ABI		   6

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

int landlock_scope_ruleset(void)
{
	struct ruleset_attr a = {.scoped = SCOPE_ABSTRACT_UNIX_SOCKET};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < SCOPE_SINCE_ABI)
		return -1;
	return (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);
}
