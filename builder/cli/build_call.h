/* SPDX-License-Identifier: MIT
 *
 * build_call.h — what the files behind --check, --call and --dry-run share.
 */
#pragma once
#include "build_args.h"
#include <jansson.h>

struct look {
	struct cmd_ctx *c;
	const struct co_build_opts *o;
	struct build_call call;
	json_t *plans; /* CALL_PLAN as JSON: one a platform; borrowed */
	bool findings;
};

/* Text that may go to a terminal. */
const char *call_clean(struct look *l, const char *text);
void call_cell(struct look *l, const char ***cells, size_t *n, const char *text);
/* "builder compiles it" as docker's targets has it: the comment above describes a stage or ARG. */
const char *call_described(const struct co_insn *insn, const char *name);
/* Adds a member unless the text is NULL or "". */
void call_put(json_t *o, const char *key, const char *text);
/* "location": {"ranges": […]} as the frontend writes it. */
void call_location(json_t *o, struct co_pos pos);
void call_print(const json_t *doc);

int call_outline(struct look *l, const struct co_preview *p);
int call_plan(struct look *l, const struct co_preview *p);
