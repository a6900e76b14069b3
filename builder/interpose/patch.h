/* SPDX-License-Identifier: MIT
 *
 * patch.h — calls without a trap. A place in the C library that keeps trapping gets a jump to us in
 * front of its system call, see patch.c. Only rows marked QUICK are served so.
 */
#pragma once
#include "guest.h"

#if defined(__x86_64__)
/* Notes that a QUICK call trapped and goes back to `back`; the place may be patched now. */
void patch_seen(uint64_t back, long nr);
/* Tells what is executed, before it starts: a static program has its C library inside. */
void patch_program(uint64_t entry, bool is_static);
#else
static inline void patch_seen(uint64_t back, long nr)
{
	(void)back;
	(void)nr;
}
static inline void patch_program(uint64_t entry, bool is_static)
{
	(void)entry;
	(void)is_static;
}
#endif
