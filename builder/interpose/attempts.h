/* SPDX-License-Identifier: MIT
 *
 * attempts.h — calls that are refused because they reach out of the step: noted for the builder.
 */
#pragma once
#include "guest.h"

/* Notes the call; detail: address, path or process, or "". */
void attempt_note(long nr, const long *args, const char *detail);
/* Fails with the row's argument. */
long h_refused(struct call *c);
/* Makes the call; noted when that was refused. */
long h_tried(struct call *c);
