/* SPDX-License-Identifier: MIT
 *
 * proc.h — run a helper program of the host (credential helpers, newuidmap, git): never inside a
 * root, never found through a relative PATH entry, with a clean environment.
 */
#pragma once
#include <cooper/err.h>
#include <cooper/buf.h>
#include <sys/types.h>

struct co_proc {
	const char *const
		*argv;		/* argv[0]: absolute, or searched in the absolute entries of PATH */
	const char *const *env; /* NULL-ended KEY=VALUE; NULL: PATH, HOME and locale only */
	int cwd;		/* directory descriptor, -1: unchanged */
	const void *input;	/* written to stdin; NULL: /dev/null */
	size_t input_len;
	unsigned timeout_s; /* 0: none; killed after it */
};
/* Runs it to the end, collecting stdout and stderr (each up to its buffer's maximum; NULL: to
 * /dev/null). *status gets the wait status. Fails when it cannot be started, times out or the
 * program was interrupted. */
int co_proc_run(const struct co_proc *p, struct co_buf *out, struct co_buf *errs, int *status,
		struct co_err *err) co_must_check;
/* Full path of a program, looked up in absolute PATH entries only; NULL when missing. To be freed.
 */
char *co_proc_find(const char *name);
