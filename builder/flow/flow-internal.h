/* SPDX-License-Identifier: MIT
 *
 * What the files of one build share.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/fetch.h>
#include <cooper/flow.h>
#include <cooper/json.h>
#include <cooper/lint.h>
#include <cooper/str.h>
#include <string.h>
#include <sys/types.h>

/* early.c */
struct early_push {
	struct co_layer_taker taker;
	bool allowed, tried;
	pid_t pid; /* 0: nobody uploads */
	int fd;	   /* to the process that uploads */
};

struct build {
	const struct co_build_opts *o;
	struct co_bus *bus; /* goes to `below`, past what the metadata file wants to know */
	struct co_bus listener, *below;
	json_t *attempts; /* owned; what sandboxes refused */
	struct co_arena arena;
	struct co_store *store;
	struct co_registry *registry;
	struct co_registry *cache_registry; /* with little patience; NULL: no cache there */
	struct co_cache *cache;
	struct co_cache_entry *entries; /* of all platforms; arena */
	size_t n_entries;
	struct co_cache_entry *facts; /* what the gate found out; arena */
	size_t n_facts;
	char project[CO_DIGEST_TEXT]; /* identity, for explanations of misses */
	struct early_push early;
	bool from_places; /* some came from a place */
	bool pushed;
	enum co_place place;
	const char *sandbox; /* borrowed; asked for, or gone on with; NULL: auto */
	struct co_context context;
	bool has_context;
	struct co_source source; /* the Dockerfile; text owned */
	char *source_name;	 /* owned */
	struct co_dockerfile *ast;
	struct co_findings found;
	int64_t epoch;	      /* the date of the image */
	int64_t file_epoch;   /* no file in a new layer is later */
	int64_t commit;	      /* the context's commit time; valid with commit_known > 0 */
	int commit_known;     /* 0: not looked for yet, > 0: there is one, < 0: there is none */
	bool epoch_of_commit; /* file_epoch is the commit's */
	bool as_index;	      /* BUILDKIT_MULTI_PLATFORM: an index even for one platform */
	bool told_unused;
	struct co_ref *refs; /* of the tags */
	size_t n_refs;
	struct co_ref *mounts; /* repositories that hold base layers */
	size_t n_mounts;
};

/* bases.c: struct co_plan_opts.resolve. ctx is the build. */
int base_resolve(void *ctx, const char *image, const struct co_platform *platform,
		 const struct co_base **out, struct co_err *err);
/* epoch.c: --timestamp, SOURCE_DATE_EPOCH, else the context's commit time, else 0. Sets epoch,
 * file_epoch and epoch_of_commit. */
int epoch_choose(struct build *b, const struct co_plan *plan, struct co_err *err) co_must_check;
/* special.c: build arguments that speak to the builder, and the syntax directive: what is not
 * carried out is refused or told. */
int special_check(struct build *b, struct co_err *err) co_must_check;
/* Warns of build arguments that no ARG of the plan declares (once a build). */
void special_unused(struct build *b, const struct co_plan *plan);
/* BUILDKIT_CONTEXT_KEEP_GIT_DIR */
bool special_keeps_git_dir(const struct build *b);
/* build.c: what a remote context needs besides its address. */
int fetch_opts(struct build *b, const char *url, struct co_git_opts *out,
	       struct co_err *err) co_must_check;
/* finish.c: config, manifest and gate of one built platform. */
int finish_image(struct build *b, struct co_exec *x, struct co_built *built,
		 struct co_descriptor *out, struct co_digest *config,
		 struct co_err *err) co_must_check;
int finish_index(struct build *b, const struct co_descriptor *list, size_t n,
		 struct co_descriptor *out, struct co_err *err) co_must_check;
/* user.c: POLICY when the image would run as root. image: its manifest, in the store. */
int gate_user(struct build *b, struct co_exec *x, const struct co_built *built,
	      const struct co_descriptor *image, struct co_err *err) co_must_check;
/* early.c: layers are uploaded while later steps run. allow: does this plan's result let it? */
void early_init(struct build *b);
void early_allow(struct build *b, const struct co_plan *plan);
/* Waits for what is being uploaded. */
int early_finish(struct build *b, struct co_err *err) co_must_check;
/* The build has failed: no further. */
void early_stop(struct build *b);
/* outputs.c: what the metadata file says of the steps is heard on the way. */
void outputs_listen(struct build *b, struct co_bus *below);
/* -o, and the small files. */
int outputs_write(struct build *b, const struct co_descriptor *desc, struct co_exec *x,
		  struct co_err *err) co_must_check;
int outputs_files(struct build *b, const struct co_build_result *res,
		  struct co_err *err) co_must_check;
/* cached.c */
int cache_open(struct build *b, struct co_err *err) co_must_check;
void cache_expect(struct build *b, const struct co_platform *platform);
void cache_collect(struct build *b, const struct co_exec *x);
void cache_write(struct build *b);
/* sources.c: where the layers are that an image has and the store has not. */
int source_note(struct co_store *s, const struct co_digest *blob, const struct co_ref *repo,
		struct co_err *err) co_must_check;
/* Brings what is noted. */
int sources_complete(struct co_store *s, struct co_registry *r, const struct co_descriptor *desc,
		     struct co_err *err) co_must_check;
