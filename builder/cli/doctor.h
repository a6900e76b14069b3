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
	bool contained;	    /* this is a container */
	const char *chosen; /* sandbox that builds use; NULL: none works */
	const char *means;  /* what a step can and can not do there */
	bool namespaces;    /* user namespaces may be made */
};
void doctor_add(struct doctor *d, const char *group, const char *name, enum doctor_state state,
		const char *answer, const char *cure);
/* doctor_system.c: kernel, ids, Landlock, seccomp, helpers, git. */
void doctor_system(struct doctor *d);
/* dangers.c */
bool doctor_in_container(struct doctor *d);
void doctor_dangers(struct doctor *d);
/* Before a build: warns of them or refuses; policy: "warn" (or NULL), "refuse", "off". */
int dangers_check(struct cmd_ctx *c, const char *policy);
/* The value of a line "Key:\tvalue" of /proc/self/status; "" when missing. */
const char *doctor_status(struct doctor *d, const char *key);
