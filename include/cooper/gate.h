/* SPDX-License-Identifier: MIT
 *
 * gate.h — may this image be published? The gate the name stands for: the effective user of the
 * final image must not be root (facts/policy-and-detection 1).
 */
#pragma once
#include <cooper/err.h>
#include <cooper/image.h>

/* The verdict on config.User with the image's own passwd and group (either NULL when absent). */
struct co_user_verdict {
	bool root;	   /* resolves to uid 0, or can not be resolved at all (fails closed) */
	bool unresolvable; /* a name that the image does not know, or an id out of range */
	char why[256];	   /* "USER app resolves to uid 0 in /etc/passwd" */
	char advice[256];
};
void co_gate_user(struct co_user_verdict *out, const char *user, const char *passwd,
		  const char *group);
