/* SPDX-License-Identifier: MIT
 *
 * What a step's root may do: Docker's default capability set, so that a Dockerfile which works
 * there works here. Without SYS_ADMIN, SYS_PTRACE, SYS_MODULE, DAC_READ_SEARCH and NET_ADMIN.
 */
#include "sandbox-internal.h"
#include <linux/capability.h>

uint64_t creds_caps(bool insecure)
{
	static const unsigned char given[] = {
		CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,  CAP_FSETID,	   CAP_KILL,
		CAP_SETGID, CAP_SETUID,	      CAP_SETPCAP, CAP_NET_RAW,	   CAP_NET_BIND_SERVICE,
		CAP_MKNOD,  CAP_SYS_CHROOT,   CAP_SETFCAP, CAP_AUDIT_WRITE};
	if (insecure)
		return ~0ull;
	uint64_t caps = 0;
	for (size_t i = 0; i < sizeof(given); i++)
		caps |= 1ull << given[i];
	return caps;
}
