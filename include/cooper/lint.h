/* SPDX-License-Identifier: MIT
 *
 * lint.h — the build checks: the 22 rules of the Dockerfile frontend, as findings over a tree.
 * Pure. Rules that need more than the text (pulled platforms, ignored files) are reported by the
 * planner through the same struct.
 */
#pragma once
#include <cooper/dockerfile.h>

struct co_lint_rule {
	const char *name, *description, *url;
	bool experimental;
};
extern const struct co_lint_rule co_lint_rules[]; /* NULL-named end */

struct co_finding {
	const struct co_lint_rule *rule;
	const char *text; /* the message with names filled in */
	struct co_pos pos;
};
struct co_lint_opts {
	const char *check; /* caller's "skip=…;error=true;experimental=…"; NULL: the directive's */
	const char *const *build_args; /* names given on the command line, NULL-ended */
	/* Is this context path ignored (rule CopyIgnoredFile)? NULL: unknown. */
	bool (*ignored)(void *ctx, const char *path);
	/* Does the environment of this base image set the variable (rule UndefinedVar)? NULL:
	 * unknown; then a name in capitals is taken for one of the image's, unless it is one slip
	 * away from a variable of the Dockerfile. */
	bool (*base_has)(void *ctx, const char *image, const char *name);
	void *ctx;
};
struct co_findings {
	struct co_finding *items; /* in the arena, in line order */
	size_t n;
	bool error; /* findings fail the build (error=true) */
};
int co_lint(struct co_findings *out, struct co_arena *a, const struct co_dockerfile *d,
	    const struct co_lint_opts *opts, struct co_err *err) co_must_check;
