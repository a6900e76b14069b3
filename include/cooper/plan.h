/* SPDX-License-Identifier: MIT
 *
 * plan.h — syntax tree to stage graph to evaluated steps to cache keys. Pure: what it needs from
 * outside (the config of a base image) comes through one callback. Everything lives in the arena.
 *
 * Order of use: co_plan_make (which stages are needed), then stage by stage in plan order:
 * co_scope_begin, and for each instruction co_step_eval → (execute) → co_step_apply.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/digest.h>
#include <cooper/dockerfile.h>
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/image.h>
#include <cooper/lookup.h>
#include <stdbool.h>

/* A base image as the planner sees it; made by the resolver, in its arena. */
struct co_base {
	const char *name; /* normalised reference */
	struct co_descriptor manifest;
	struct co_descriptor *layers; /* as many as config.n_diff_ids */
	size_t n_layers;
	struct co_config config;
};
struct co_named_context {
	const char *name; /* as given to --build-context */
	const char
		*spec; /* "./dir", "docker-image://…", "oci-layout://…", "https://…", "target:…" */
};
struct co_plan_opts {
	struct co_platform target, build;
	bool platform_given;	  /* --platform was given */
	const char *target_stage; /* NULL: the last */
	const struct co_kv *build_args;
	size_t n_build_args;
	const struct co_named_context *contexts;
	size_t n_contexts;
	const char *const *no_cache_stages; /* names, NULL-ended, or NULL */
	/* Config of an image (manifest and config only). *out lives as long as the arena. */
	int (*resolve)(void *ctx, const char *image, const struct co_platform *platform,
		       const struct co_base **out, struct co_err *err);
	void *ctx;
	struct co_bus *bus; /* warnings */
};

enum co_from { CO_FROM_SCRATCH, CO_FROM_STAGE, CO_FROM_IMAGE, CO_FROM_CONTEXT };
/* Where files come from: FROM, COPY --from, RUN --mount from=. */
struct co_origin {
	enum co_from kind;
	unsigned stage;				/* FROM_STAGE */
	const char *image;			/* FROM_IMAGE: as written, expanded */
	const struct co_named_context *context; /* FROM_CONTEXT; NULL: the build context itself */
};
struct co_plan_stage {
	const struct co_stage_ast *ast;
	unsigned index;
	bool needed;
	bool no_cache; /* its steps are carried out anew */
	struct co_origin base;
	const struct co_base *image; /* CO_FROM_IMAGE, once needed */
	struct co_platform platform;
	struct co_insn **insns; /* ONBUILD triggers of the base, then its own */
	size_t n_insns;
	size_t n_triggers; /* the first ones, reported at the FROM line */
	unsigned *deps;	   /* stages, ascending */
	size_t n_deps;
};
struct co_plan {
	const struct co_dockerfile *dockerfile;
	const struct co_plan_opts *opts;
	struct co_plan_stage *stages;
	size_t n_stages;
	unsigned target;
	struct co_kv *globals; /* evaluated global ARGs and platform ARGs */
	size_t n_globals;
	struct co_lookup global_index;
	unsigned *seen;		  /* of the planner: a mark a stage */
	struct plan_names *names; /* of the planner: stages by name */
	unsigned n_steps; /* instructions of needed stages that are shown as steps, FROM included */
};
int co_plan_make(struct co_plan **out, struct co_arena *a, const struct co_dockerfile *d,
		 const struct co_plan_opts *opts, struct co_err *err) co_must_check;
/* What a --from value names in the given stage: an earlier stage by name or index, a named context,
 * else an image. NOT_FOUND style errors for later stages. */
int co_plan_origin(struct co_origin *out, struct co_arena *a, const struct co_plan *p,
		   unsigned in_stage, const char *from, struct co_err *err) co_must_check;

/* ---- evaluation ---- */
struct co_var {
	const char *key, *value; /* value NULL: declared without one */
	bool is_arg;
};
/* Variables in force in a stage. A child stage starts with a copy of its parent's. */
struct co_scope {
	const struct co_plan *plan;
	struct co_var *vars;
	size_t n;
	struct co_lookup index; /* of vars */
	const char *
		*declared; /* names of ARG, one for each time it was declared (history of RUN) */
	size_t n_declared;
};
void co_scope_begin(struct co_scope *s, struct co_arena *a, const struct co_plan *p,
		    const struct co_scope *parent, const struct co_config *config);
const char *co_scope_get(const struct co_scope *s, const char *key);

struct co_step {
	const struct co_insn *insn;
	enum co_op op;
	struct co_pos pos;
	const char *title;	/* "RUN make": one line, secrets never in it */
	const char *created_by; /* history text; NULL: no entry */
	bool layer;		/* changes the file system */
	/* RUN, and CMD ENTRYPOINT SHELL HEALTHCHECK */
	const char **argv; /* NULL-ended; RUN: with the shell in front */
	size_t n_argv;
	const char *script;   /* RUN <<EOF with #!: the file's content */
	const char **env;     /* RUN: NULL-ended K=V with ARGs */
	const char **key_env; /* RUN: what belongs into the cache key (no proxy args) */
	struct co_mount *mounts;
	struct co_origin *mount_from; /* one each, for bind and cache with from= */
	size_t n_mounts;
	const char *network, *security; /* "default" … */
	const char *hostname;		/* BUILDKIT_SANDBOX_HOSTNAME, NULL */
	const char *cache_ns;		/* BUILDKIT_CACHE_MOUNT_NS, NULL */
	struct co_device {
		const char *name; /* "vendor.com/class=device" */
		bool required;
	} * devices;
	size_t n_devices;
	/* COPY ADD */
	const char **sources; /* expanded; "<<N" sources stand for heredocs[N] */
	size_t n_sources;
	const char *dest;      /* absolute; trailing "/" kept */
	const char *dest_text; /* as written, expanded: what history shows */
	struct co_origin from;
	bool has_from;
	const char **bodies; /* heredoc contents, expanded */
	const char **body_names;
	size_t n_bodies;
	const char *chown;
	const struct co_chmod *chmod;
	const char *chmod_text;
	const char **excludes;
	size_t n_excludes;
	const char *checksum;
	bool link, parents, keep_git_dir, has_unpack, unpack;
	/* ENV LABEL ARG */
	struct co_kv *kvs;
	size_t n_kvs;
	/* USER WORKDIR (absolute, clean) STOPSIGNAL MAINTAINER ONBUILD */
	const char *value;
	/* EXPOSE VOLUME */
	const char **words;
	size_t n_words;
	struct co_healthcheck *health;
};
/* Expands one instruction with the scope and config as they are before it. */
int co_step_eval(struct co_step *out, struct co_arena *a, const struct co_plan *p,
		 const struct co_plan_stage *stage, const struct co_insn *insn,
		 const struct co_scope *scope, const struct co_config *config,
		 struct co_err *err) co_must_check;
/* Carries the step's effect over into config and scope (metadata instructions, ARG). Not history.
 */
int co_step_apply(const struct co_step *s, struct co_arena *a, struct co_scope *scope,
		  struct co_config *config, bool *cmd_set_here, struct co_err *err) co_must_check;
void co_history_add(struct co_config *c, struct co_arena *a, const char *created_by,
		    bool empty_layer, const char *created);

/* ---- keys (facts/cache 5.1): framed fields, no joins; version in the domain string ---- */
/* State of a stage: diff ids and the config fields that can influence a step. */
void co_key_state(struct co_digest *out, const struct co_config *config);
/* Only the tree: diff ids. */
void co_key_tree(struct co_digest *out, const struct co_config *config);
struct co_key_inputs {
	const struct co_digest *content; /* one for the sources, or one a bind mount; may be NULL */
	size_t n_content;
	int64_t epoch;
	bool clamp;
	bool set_times;	       /* files of contexts get the epoch, whatever they had */
	const char *network;   /* --network of the build; NULL: default */
	const char *clock_env; /* SOURCE_DATE_EPOCH seen by the step, NULL */
};
void co_key_step(struct co_digest *out, const struct co_digest *state, const struct co_step *step,
		 const struct co_key_inputs *in);
