/* SPDX-License-Identifier: MIT
 *
 * doctor.h — what `cooper doctor` finds out about this machine, as rows.
 */
#pragma once
#include "cli.h"

enum doctor_state { DOCTOR_OK, DOCTOR_NO, DOCTOR_INFO, DOCTOR_DANGER };
struct doctor_row {
	const char *group; /* "sandbox", "storage", "system", "danger" */
	const char *name;
	enum doctor_state state;
	const char *answer;
	const char *cure; /* "" if none */
};
struct doctor {
	struct co_arena *arena;
	struct doctor_row *rows;
	size_t n;
	const char *chosen; /* sandbox that builds use; NULL: none works */
};
void doctor_add(struct doctor *d, const char *group, const char *name, enum doctor_state state,
		const char *answer, const char *cure);
/* doctor_system.c: kernel, ids, Landlock, seccomp, helpers, and what is dangerous to have here. */
void doctor_system(struct doctor *d);
void doctor_dangers(struct doctor *d);
