/* SPDX-License-Identifier: MIT
 *
 * event.h — everything the builder has to say. Library code emits events; the command line's
 * renderers turn them into a terminal view, plain lines, JSON lines or CI annotations.
 * docs/events.md describes the JSON form, which is a stable interface.
 */
#pragma once
#include <cooper/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CO_EVENTS(X)                                                                               \
	X(BUILD_START, "build-start") /* name: Dockerfile, count: steps */                         \
	X(STEP_START, "step-start")   /* step, stage, name: instruction text, pos */               \
	X(STEP_OUTPUT, "step-output") /* step, text/len, fd (1 or 2) */                            \
	X(STEP_DONE, "step-done")     /* step, cached, ok, elapsed_ns */                           \
	X(TRANSFER, "transfer")	      /* name: what, dir, done/total bytes, finished */            \
	X(NOTE, "note")		      /* text: one line of information */                          \
	X(CACHE, "cache") /* a step is not cached: step, name, text: why, ok: the user asked */    \
	X(WARNING, "warning") /* text, rule, pos/file */                                           \
	X(POLICY, "policy")   /* text, rule, pos/file: a gate's finding */                         \
	X(ATTEMPT, "attempt") /* a sandbox refused something: step, name: what, and see below */   \
	X(RESULT, "result")   /* name: kind ("manifest","config","tag",…), text: value */        \
	X(BUILD_DONE, "build-done") /* ok, elapsed_ns */

enum co_event_kind {
#define CO_EVENT_ENUM(name, text) CO_EV_##name,
	CO_EVENTS(CO_EVENT_ENUM)
#undef CO_EVENT_ENUM
		CO_EV_COUNT
};
enum co_event_dir { CO_DIR_NONE, CO_DIR_PULL, CO_DIR_PUSH, CO_DIR_LOCAL };

/* Plain data; pointers are borrowed for the call. */
struct co_event {
	enum co_event_kind kind;
	int64_t t_ns;	   /* monotonic; filled by co_emit */
	int step;	   /* 1…count, 0: none */
	int count;	   /* number of steps in the build */
	const char *stage; /* stage name or NULL */
	const char *name;
	const char *text;
	size_t len; /* of text; 0 means strlen */
	const char *rule;
	const char *file;
	struct co_pos pos;
	enum co_event_dir dir;
	uint64_t done, total;
	bool finished, ok, cached;
	bool brief; /* STEP_START: its end follows at once, a view may wait for it */
	int fd;
	int64_t elapsed_ns;
	/* Of an attempt, beside name (what, "mount"; "more": done further ones are not told), rule
	 * (the system call), text (address, path or process, or NULL) and done (how often exactly
	 * this): */
	const char *binary; /* path inside the root, or NULL */
	const char *args;   /* its arguments, each with a NUL behind it */
	size_t args_len;
	bool args_cut; /* there was more of them */
	/* total: on the first of those that have name and binary in common, how often all of them
	 * happened; else 0. So a view that shows only events with a total shows each once. */
};

struct co_bus {
	void (*emit)(void *ctx, const struct co_event *ev);
	void *ctx;
};
/* bus may be NULL: nothing listens. */
void co_emit(struct co_bus *bus, struct co_event ev);
void co_note(struct co_bus *bus, const char *fmt, ...) co_printf(2, 3);
void co_warn(struct co_bus *bus, const char *rule, const char *fmt, ...) co_printf(3, 4);
const char *co_event_name(enum co_event_kind kind);
