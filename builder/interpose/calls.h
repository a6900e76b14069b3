/* SPDX-License-Identifier: MIT
 *
 * calls.h — calls.def as a table, indexed by the number of the call.
 */
#pragma once
#include "guest.h"

enum { ALWAYS, NONZERO, ACTION, OPTION, PEERCRED, OUR_FD, FAMILY, NAMESPACES, ATTACH, DENY };
#define CALLS 512
/* From here on calls are newer than this table: they do not exist. */
#define FIRST_UNKNOWN 463

extern const struct row calls[CALLS];
static inline bool row_used(const struct row *r)
{
	return r->when & g.flags;
}
/* Serves c->nr with the arguments in c->a. CALL_TRAP: not without c->uc (patch.c). */
long call_serve(struct call *c);
#define CALL_TRAP (-70000l)
/* Installs the filter; dies when the kernel refuses. */
void filter_install(void);
