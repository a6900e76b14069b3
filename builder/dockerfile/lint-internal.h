/* SPDX-License-Identifier: MIT
 *
 * What the files of the build checks share. The checks walk the stages in order and keep, per
 * stage, what a build would know: variables, shell, working directory.
 */
#pragma once
#include "values-internal.h"
#include <cooper/lint.h>

#define MANUAL(page) "https://docs.docker.com/go/dockerfile/rule/" page "/"

/* X(name, page of the manual, experimental, description) — in the manual's order. */
#define LINT_RULES(X)                                                                              \
	X(StageNameCasing, MANUAL("stage-name-casing"), false, "Stage names should be lowercase")  \
	X(FromAsCasing, MANUAL("from-as-casing"), false,                                           \
	  "The 'as' keyword should match the case of the 'from' keyword")                          \
	X(NoEmptyContinuation, MANUAL("no-empty-continuation"), false,                             \
	  "Empty continuation lines will become errors in a future release")                       \
	X(ConsistentInstructionCasing, MANUAL("consistent-instruction-casing"), false,             \
	  "All commands within the Dockerfile should use the same casing (either upper or lower)") \
	X(DuplicateStageName, MANUAL("duplicate-stage-name"), false,                               \
	  "Stage names should be unique")                                                          \
	X(ReservedStageName, MANUAL("reserved-stage-name"), false,                                 \
	  "Reserved words should not be used as stage names")                                      \
	X(JSONArgsRecommended, MANUAL("json-args-recommended"), false,                             \
	  "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related "  \
	  "to OS signals")                                                                         \
	X(MaintainerDeprecated, MANUAL("maintainer-deprecated"), false,                            \
	  "The MAINTAINER instruction is deprecated, use a label instead to define an image "      \
	  "author")                                                                                \
	X(UndefinedArgInFrom, MANUAL("undefined-arg-in-from"), false,                              \
	  "FROM command must use declared ARGs")                                                   \
	X(WorkdirRelativePath, MANUAL("workdir-relative-path"), false,                             \
	  "Relative workdir without an absolute workdir declared within the build can have "       \
	  "unexpected results if the base image changes")                                          \
	X(UndefinedVar, MANUAL("undefined-var"), false,                                            \
	  "Variables should be defined before their use")                                          \
	X(MultipleInstructionsDisallowed, MANUAL("multiple-instructions-disallowed"), false,       \
	  "Multiple instructions of the same type should not be used in the same stage")           \
	X(LegacyKeyValueFormat, MANUAL("legacy-key-value-format"), false,                          \
	  "Legacy key/value format with whitespace separator should not be used")                  \
	X(InvalidBaseImagePlatform, "", false,                                                     \
	  "Base image platform does not match expected target platform")                           \
	X(RedundantTargetPlatform, MANUAL("redundant-target-platform"), false,                     \
	  "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the "    \
	  "default behavior")                                                                      \
	X(SecretsUsedInArgOrEnv, MANUAL("secrets-used-in-arg-or-env"), false,                      \
	  "Sensitive data should not be used in the ARG or ENV commands")                          \
	X(InvalidDefaultArgInFrom, MANUAL("invalid-default-arg-in-from"), false,                   \
	  "Default value for global ARG results in an empty or invalid base image name")           \
	X(FromPlatformFlagConstDisallowed, MANUAL("from-platform-flag-const-disallowed"), false,   \
	  "FROM --platform flag should not use a constant value")                                  \
	X(CopyIgnoredFile, MANUAL("copy-ignored-file"), false,                                     \
	  "Attempting to Copy file that is excluded by .dockerignore")                             \
	X(InvalidDefinitionDescription, MANUAL("invalid-definition-description"), true,            \
	  "Comment for build stage or argument should follow the format: `# <arg/stage name> "     \
	  "<description>`. If this is not intended to be a description comment, add an empty "     \
	  "line or comment between the instruction and the comment.")                              \
	X(ExposeProtoCasing, MANUAL("expose-proto-casing"), false,                                 \
	  "Protocol in EXPOSE instruction should be lowercase")                                    \
	X(ExposeInvalidFormat, MANUAL("expose-invalid-format"), false,                             \
	  "IP address and host-port mapping should not be used in EXPOSE instruction. This will "  \
	  "become an error in a future release")

enum lint_rule {
#define LINT_ENUM(name, slug, experimental, description) RULE_##name,
	LINT_RULES(LINT_ENUM)
#undef LINT_ENUM
		RULE_COUNT
};

/* ---- lint_config.c: what "skip=…;error=…;experimental=…" asks for ---- */
struct lint_config {
	uint32_t skip, experimental; /* bit per rule */
	bool skip_all, experimental_all, error;
};
int lint_config_parse(struct lint_config *out, struct co_arena *a, const char *text,
		      struct co_err *err) co_must_check;
/* The value of a `check=` comment, or NULL when the comment is another. */
const char *lint_config_comment(const char *comment);

/* ---- lint_scope.c: a table of names that keeps their order ---- */
struct lint_var {
	const char *name, *value; /* value NULL: declared only */
	bool arg;		  /* declared by ARG */
	bool opaque;		  /* its value is decided outside the file */
	size_t number;		  /* for tables that map names to numbers */
};
struct lint_scope {
	struct lint_var *vars;
	size_t n;
	uint32_t *slots; /* index + 1 */
	size_t n_slots;
	bool shared; /* with the scope it was copied from, until something is put */
};
struct lint_var *lint_scope_find(const struct lint_scope *s, const char *name);
/* The entry of that name, new if need be. */
struct lint_var *lint_scope_put(struct lint_scope *s, struct co_arena *a, const char *name);
/* `from` must not change any more. */
void lint_scope_share(struct lint_scope *to, const struct lint_scope *from);
/* The nearest name with a value (fewer than three edits, letter case counts), or NULL. */
const char *lint_scope_nearest(const struct lint_scope *s, const char *name, size_t *budget);

/* ---- the walk ---- */
/* A name that was used without being defined. */
struct lint_miss {
	const char *name, *suggest;
};
struct lint_misses {
	struct lint_miss *items;
	size_t n;
	struct lint_scope seen;
};

struct lint_stage {
	const struct co_stage_ast *ast;
	const struct lint_stage *parent;      /* NULL: scratch or an image */
	const char *base, *platform;	      /* expanded; NULL when that failed */
	bool platform_const, platform_target; /* no variable in it; only $TARGETPLATFORM */
	struct lint_misses from_misses;
	struct lint_scope scope;
	const char *image; /* the image that the chain of stages rests on, NULL: scratch */
	bool workdir_set, shell_set;
};

/* One instruction with its words expanded. */
struct lint_step {
	const struct co_insn *insn;
	const struct co_insn *at; /* whose comments and place count: insn, or FROM for a trigger */
	struct co_pos pos;
	char **words; /* COPY ADD: sources; EXPOSE: ports; WORKDIR: path */
	size_t n_words;
	const char **keys; /* ENV LABEL ARG */
	size_t n_keys;
	struct lint_misses misses;
	bool opaque; /* the words depend on what is not in the file */
};

struct lint_item {
	struct co_finding finding;
	size_t number;
};
struct lint {
	struct co_arena *a;
	const struct co_dockerfile *d;
	const struct co_lint_opts *opts;
	struct lint_config config, scoped; /* scoped: of the comments above scoped_for */
	const struct co_insn *scoped_for;
	struct lint_scope globals, names; /* names: stage name → number of the latest */
	bool globals_bad;		  /* a default could not be expanded */
	struct lint_stage *stages;
	size_t n_stages;			 /* walked so far */
	const struct co_insn *last[CO_OP_COUNT]; /* latest in the stage that is walked */
	struct co_pos last_pos[CO_OP_COUNT];
	size_t budget;	 /* of comparisons for suggestions */
	size_t copied;	 /* variables handed from stage to stage */
	size_t triggers; /* run so far */
	struct lint_item *items;
	size_t n_items;
};

/* Adds a finding unless the configuration or a comment above `at` skips the rule. */
void lint_report(struct lint *l, enum lint_rule rule, const struct co_insn *at, struct co_pos pos,
		 const char *fmt, ...) co_printf(5, 6);
/* In double quotes, with escapes as Go's %q writes them. */
const char *lint_quote(struct co_arena *a, const char *text);
bool lint_build_arg(const struct lint *l, const char *name);

/* lint_eval.c */
void lint_globals(struct lint *l);
void lint_eval_from(struct lint *l, struct lint_stage *st);
void lint_eval(struct lint *l, struct lint_stage *st, struct lint_step *step);
/* What the instruction changes for those after it. */
void lint_effects(struct lint *l, struct lint_stage *st, const struct lint_step *step);

/* Tables of the checks, NULL-ended. */
typedef void lint_file_check(struct lint *l);
typedef void lint_stage_check(struct lint *l, const struct lint_stage *st);
typedef void lint_step_check(struct lint *l, const struct lint_stage *st,
			     const struct lint_step *step);
extern lint_file_check *const lint_file_checks[];   /* lint_file.c */
extern lint_stage_check *const lint_stage_checks[]; /* lint_from.c */
extern lint_step_check *const lint_step_checks[];   /* lint_insn.c */

/* ---- refname.c: would a registry client take this image name? ---- */
bool refname_valid(struct co_arena *a, const char *text);
