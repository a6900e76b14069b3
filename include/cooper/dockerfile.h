/* SPDX-License-Identifier: MIT
 *
 * dockerfile.h — text to syntax tree, and variable expansion. Pure: no I/O, no environment.
 * The language is that of the BuildKit Dockerfile frontend; docs/dockerfile.md lists what differs.
 *
 * Everything hangs off the arena given to co_dockerfile_parse and lives as long as it. Text is kept
 * raw (quotes and variables in place): values become final through co_expand at plan time.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME) — every instruction; facts about each are rows of builder/dockerfile/insn.def. */
#define CO_INSNS(X)                                                                                \
	X(FROM)                                                                                    \
	X(RUN)                                                                                     \
	X(COPY)                                                                                    \
	X(ADD)                                                                                     \
	X(ENV)                                                                                     \
	X(ARG)                                                                                     \
	X(LABEL)                                                                                   \
	X(WORKDIR)                                                                                 \
	X(USER)                                                                                    \
	X(EXPOSE)                                                                                  \
	X(VOLUME)                                                                                  \
	X(CMD)                                                                                     \
	X(ENTRYPOINT)                                                                              \
	X(SHELL)                                                                                   \
	X(STOPSIGNAL)                                                                              \
	X(HEALTHCHECK)                                                                             \
	X(ONBUILD)                                                                                 \
	X(MAINTAINER)
enum co_op {
#define CO_OP_ENUM(n) CO_OP_##n,
	CO_INSNS(CO_OP_ENUM)
#undef CO_OP_ENUM
		CO_OP_COUNT
};
const char *co_op_name(enum co_op op); /* "RUN" */

struct co_flag {
	const char *name;  /* without "--" */
	const char *value; /* raw; NULL when written without "=" */
	struct co_pos pos;
};
struct co_heredoc {
	const char *name; /* the word without quotes */
	unsigned fd;	  /* 0 unless digits stood before "<<" */
	bool strip_tabs;  /* "<<-" */
	bool expand;	  /* no part of the word was quoted */
	const char *body; /* every line with its newline; for "<<-" without leading tabs */
	struct co_pos pos;
};
struct co_kv {
	const char *key, *value; /* value NULL: none was given (ARG name) */
	struct co_pos pos;
};

/* One instruction. Which members are filled follows from the op:
 *   RUN CMD ENTRYPOINT SHELL, HEALTHCHECK CMD: exec form → json and args; shell form → args[0] is
 *     the whole text (for a heredoc RUN without the bodies), "" when there is none.
 *   COPY ADD: args are sources then destination; heredocs[N] stands for a source named "<<N".
 *   ENV LABEL ARG: kvs. VOLUME EXPOSE: args. USER WORKDIR STOPSIGNAL MAINTAINER: args[0].
 *   HEALTHCHECK: args as CMD; none true for NONE. ONBUILD: args[0] is the trigger's text and inner
 *     its parsed form. */
struct co_insn {
	enum co_op op;
	const char *keyword;  /* as written, e.g. "run" */
	const char *original; /* the whole instruction with continuations joined, heredoc bodies
				 after it */
	struct co_pos pos;
	struct co_flag *flags;
	size_t n_flags;
	bool json;
	const char **args;
	struct co_pos *arg_pos; /* as many as args; line and column where each starts */
	size_t n_args;
	struct co_kv *kvs;
	size_t n_kvs;
	bool legacy_kv; /* ENV k v */
	bool none;
	struct co_heredoc *heredocs;
	size_t n_heredocs;
	struct co_insn *inner;
	const char **comments; /* comment lines directly above, without '#' and blank */
	size_t n_comments;
};
/* The value of a flag, or NULL. has: was it given at all. */
const struct co_flag *co_insn_flag(const struct co_insn *i, const char *name);

struct co_stage_ast {
	struct co_insn *from; /* its args: base image text, or that, "AS" and the name */
	const char *base;     /* raw, unexpanded */
	const char *name;     /* lower case, NULL if none */
	const char *name_raw;
	const char *platform; /* raw, NULL if none */
	struct co_insn **insns;
	size_t n_insns;
};
struct co_parse_warning {
	const char *rule; /* "NoEmptyContinuation" */
	const char *text;
	struct co_pos pos;
};
struct co_dockerfile {
	struct co_source source; /* borrowed from the caller */
	char escape;		 /* '\\' or '`' */
	const char *syntax;	 /* directive values, NULL if absent */
	const char *check;
	struct co_pos syntax_pos, check_pos; /* of the values */
	struct co_insn **globals;	     /* ARG before the first FROM */
	size_t n_globals;
	struct co_stage_ast *stages;
	size_t n_stages;
	struct co_parse_warning *warnings;
	size_t n_warnings;
};

/* Limits: 16 MiB of text, 64 KiB a line before joining (the frontend's scanner), 1 MiB and 256
 * heredocs an instruction (bodies not counted), 500000 instructions. Flag values are checked as far
 * as they are not expanded. Errors carry file, line, column and the line; flags and instructions
 * get a "did you mean". */
int co_dockerfile_parse(struct co_dockerfile **out, struct co_arena *a, const struct co_source *src,
			struct co_err *err) co_must_check;
/* Parses one instruction (an ONBUILD trigger of a base image). */
int co_dockerfile_parse_one(struct co_insn **out, struct co_arena *a, const struct co_source *src,
			    struct co_err *err) co_must_check;
/* The tree as text, one line a node: for tests and `cooper __dump`. */
struct co_buf;
void co_dockerfile_dump(struct co_buf *out, const struct co_dockerfile *d);

/* ---- expansion ---- */
struct co_vars {
	/* Value or NULL when unset. */
	const char *(*get)(void *ctx, const char *name);
	void *ctx;
	/* Called for a variable that is unset and has no default (rule UndefinedVar); may be NULL.
	 */
	void (*undefined)(void *ctx, const char *name);
};
/* Expands one word: quotes removed, escapes processed, all operators of the fact sheet 3.3. */
int co_expand(char **out, struct co_arena *a, const char *word, char escape,
	      const struct co_vars *vars, struct co_err *err) co_must_check;
/* The same, then split into words at unquoted blanks (EXPOSE, and where splitting applies). */
int co_expand_words(char ***out, size_t *n, struct co_arena *a, const char *word, char escape,
		    const struct co_vars *vars, struct co_err *err) co_must_check;
/* Body of an unquoted COPY/ADD heredoc: variables only, quotes stay, \$ and \\ processed. */
int co_expand_heredoc(char **out, struct co_arena *a, const char *body, const struct co_vars *vars,
		      struct co_err *err) co_must_check;

/* ---- typed option values, after expansion ---- */
enum co_mount_type { CO_MOUNT_BIND, CO_MOUNT_CACHE, CO_MOUNT_TMPFS, CO_MOUNT_SECRET, CO_MOUNT_SSH };
enum co_sharing { CO_SHARE_SHARED, CO_SHARE_PRIVATE, CO_SHARE_LOCKED };
struct co_mount {
	enum co_mount_type type;
	const char *target, *source, *from, *id, *env;
	bool readonly, required;
	enum co_sharing sharing;
	uint64_t size;
	bool has_mode, has_uid, has_gid;
	uint32_t mode, uid, gid;
};
/* Parses a RUN --mount value (CSV, keys case-insensitive, option table per type; unknown keys get a
 * suggestion). Each value is expanded through vars first. */
int co_mount_parse(struct co_mount *out, struct co_arena *a, const char *csv, char escape,
		   const struct co_vars *vars, struct co_err *err) co_must_check;
/* What can be said of such a value before variables are known: all of it when there is no "$" in
 * it, else the keys and that from= has none. */
int co_mount_check(struct co_arena *a, const char *csv, char escape,
		   struct co_err *err) co_must_check;
/* --chmod: octal 0–07777 or symbolic clauses. Applied to a mode (is_dir decides X). */
struct co_chmod; /* in the arena */
int co_chmod_parse(const struct co_chmod **out, struct co_arena *a, const char *text,
		   struct co_err *err) co_must_check;
uint32_t co_chmod_apply(const struct co_chmod *c, uint32_t mode, bool is_dir);
/* Octal value usable for directories that are created; false for a symbolic one. */
bool co_chmod_octal(const struct co_chmod *c, uint32_t *mode);
/* STOPSIGNAL valid? EXPOSE word → sorted "80/tcp" list; HEALTHCHECK flags → nanoseconds. */
bool co_signal_valid(const char *text);
int co_expose_parse(char ***out, size_t *n, struct co_arena *a, const char *word,
		    struct co_err *err) co_must_check;
