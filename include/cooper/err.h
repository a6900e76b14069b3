/* SPDX-License-Identifier: MIT
 *
 * err.h — one error type. Fixed size, owned by the caller, never allocates, nothing to free.
 *
 * A fallible function returns 0 or a negative CO_E_* and takes `struct co_err *err` last. On
 * success *err is untouched. On failure out-parameters are untouched and *err tells the story:
 * code is what callers branch on, msg is for people (outermost context first), hint is the cure.
 * The function that knows the object adds its name once; nobody adds the same noun twice.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* X(name, number, exit status, text): one list makes the enum, the names, the exit codes and the
 * table in the manual (docs/exit-codes.md is checked against it). */
#define CO_ERRORS(X)                                                                               \
	X(SYSTEM, 1, 70, "a system call failed")                                                   \
	X(USAGE, 2, 2, "bad command line")                                                         \
	X(SYNTAX, 3, 3, "Dockerfile error")                                                        \
	X(RUN_FAILED, 4, 1, "a RUN command failed")                                                \
	X(INTEGRITY, 5, 5, "checksum or signature mismatch")                                       \
	X(POLICY, 6, 6, "policy violation")                                                        \
	X(NOT_FOUND, 7, 4, "file, image or blob not found")                                        \
	X(AUTH, 8, 7, "registry refused the credentials")                                          \
	X(NETWORK, 9, 8, "network or registry unreachable")                                        \
	X(REGISTRY, 10, 9, "registry refused the request")                                         \
	X(UNSUPPORTED, 11, 10, "not supported here")                                               \
	X(INVALID, 12, 11, "malformed image, archive or file")                                     \
	X(LIMIT, 13, 12, "a configured limit was exceeded")                                        \
	X(NO_SPACE, 14, 13, "no space left on device")                                             \
	X(SANDBOX, 15, 14, "no sandbox works here")                                                \
	X(TIMEOUT, 16, 124, "time limit reached")                                                  \
	X(INTERRUPTED, 17, 130, "interrupted")                                                     \
	X(INTERNAL, 18, 71, "internal error, please report")                                       \
	X(UNMAPPED, 19, 15, "the user namespace has no such owner")

enum co_err_code {
#define CO_ERR_ENUM(name, num, status, text) CO_E_##name = -(num),
	CO_ERRORS(CO_ERR_ENUM)
#undef CO_ERR_ENUM
};

/* A place in a text file; line and col count from 1, 0 means unknown. */
struct co_pos {
	unsigned line, col, end_line;
};

/* A named text whose lines an error may show. Borrowed pointers. */
struct co_source {
	const char *name; /* as the user wrote it, e.g. "Dockerfile" */
	const char *text;
	size_t len;
};

struct co_err {
	int code; /* negative CO_E_*, 0 while unset */
	int sys;  /* errno or HTTP status behind it, 0 if none */
	struct co_pos pos;
	char file[256];	    /* file of pos, "" if none */
	char excerpt[1024]; /* the lines from pos.line on, joined by \n, "" if none */
	char msg[1024];
	char hint[512];
};

#define CO_ERR_INIT                                                                                \
	{                                                                                          \
		0                                                                                  \
	}
#define co_must_check	__attribute__((warn_unused_result))
#define co_printf(f, a) __attribute__((format(printf, f, a)))

/* Sets code and message (the first failure wins: asserts that *err was unset). Returns code. */
int co_fail(struct co_err *err, int code, const char *fmt, ...) co_printf(3, 4);
int co_vfail(struct co_err *err, int code, const char *fmt, va_list ap);
/* Same with code from errno (ENOSPC/EDQUOT: NO_SPACE, ENOENT: NOT_FOUND, else SYSTEM), and
 * strerror(errno) appended. */
int co_fail_sys(struct co_err *err, const char *fmt, ...) co_printf(2, 3);
/* Prepends "text: " and returns err->code. When full, keeps the root cause and cuts the context. */
int co_wrap(struct co_err *err, const char *fmt, ...) co_printf(2, 3);
/* Adds the cure (the last one wins) and returns err->code. */
int co_hint(struct co_err *err, const char *fmt, ...) co_printf(2, 3);
/* Adds the place in a text: file name, position and the source lines it covers (at most 8), unless
 * a place is set already. Returns err->code. */
int co_locate(struct co_err *err, const struct co_source *src, struct co_pos pos);
void co_err_clear(struct co_err *err);
/* "SYNTAX"; "Dockerfile error"; exit status of a code, or of an error. */
const char *co_err_name(int code);
const char *co_err_text(int code);
int co_err_exit(const struct co_err *err);
/* Out of memory: the one place that aborts (exit 70). Never returns. */
_Noreturn void co_oom(void);
