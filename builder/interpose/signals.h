/* SPDX-License-Identifier: MIT
 *
 * signals.h — SIGSYS is how the kernel hands us a call, so it can never be blocked or ignored; the
 * guest is told whatever it set.
 */
#pragma once
#include "guest.h"

long h_sigaction(struct call *c);
long h_sigprocmask(struct call *c);
long h_sigsuspend(struct call *c);
long h_ppoll(struct call *c);
long h_epoll_pwait(struct call *c);
long h_pselect(struct call *c);
long h_seccomp(struct call *c);
long h_close_range(struct call *c);
void signals_init(void);
/* Has the guest set a handler that a signal from outside could start? */
bool signals_handled(void);
/* Could one of them be the C library's, that cancels threads? */
bool signals_cancel(void);
/* Hold all signals as during a trap, and let them through again. */
void signals_hold(uint64_t *mask);
void signals_release(const uint64_t *mask);
/* A call that may wait: with the guest's signal mask, so that it can be interrupted. */
long call_waiting(struct call *c, long nr, const long a[6]);
