/* SPDX-License-Identifier: MIT
 *
 * ids.h — virtual users, groups and capabilities of a process (credentials(7), capabilities(7)).
 * They belong to the process: the C library changes them in every thread in turn, and a call that
 * only repeats what another thread just did changes nothing.
 */
#pragma once
#include "owner.h"

long h_getuid(struct call *c);
long h_setuid(struct call *c);
long h_setreuid(struct call *c);
long h_setresuid(struct call *c);
long h_getresuid(struct call *c);
long h_setgid(struct call *c);
long h_setregid(struct call *c);
long h_setresgid(struct call *c);
long h_getresgid(struct call *c);
long h_setfsid(struct call *c);
long h_getgroups(struct call *c);
long h_setgroups(struct call *c);
long h_capget(struct call *c);
long h_capset(struct call *c);
long h_prctl(struct call *c);
long h_peercred(struct call *c);

/* The ids after execve of a file: set-id bits and file capabilities. Sets *secure when they gave
 * the program more than its caller had. */
void cred_exec(struct co_ip_cred *c, const struct meta *m, bool *secure);
/* The credentials to change: a vfork child gets its own. */
struct co_ip_cred *cred_change(void);
void cred_child_done(void);
