/* SPDX-License-Identifier: MIT
 *
 * exec.h — carry out a plan: stage by stage, step by step; a step whose key is known takes its
 * layer from the cache and touches no file system. Root filesystems are made when the first step
 * needs one.
 */
#pragma once
#include <cooper/cache.h>
#include <cooper/context.h>
#include <cooper/plan.h>
#include <cooper/registry.h>
#include <cooper/sandbox.h>
#include <cooper/snapshot.h>

/* --secret id=…,src=…|env=… ; --ssh id=socket */
struct co_secret {
	const char *id;
	const char *file; /* path on this machine, or NULL */
	const char *env;  /* name of a variable of this process, or NULL */
};
/* Who wants the layers of the result while the build goes on. Called in the process that has the
 * layer, which may be a worker forked after begin. */
struct co_layer_taker {
	void (*begin)(void *ctx); /* steps are going to be carried out, for the first time */
	void (*take)(void *ctx, const struct co_layer *l); /* its blob is in the store */
	void *ctx;
};
struct co_exec_opts {
	struct co_store *store;
	struct co_registry *registry;
	struct co_cache *cache;
	struct co_context *context; /* NULL: FROM-only builds without context */
	struct co_bus *bus;
	enum co_place place;
	const char *sandbox; /* name, NULL: auto; opened when the first RUN needs it */
	const char *rootfs_backend;
	int64_t date;	      /* of the history's entries */
	bool epoch_of_commit; /* layer.epoch is the context's commit time: its files get it */
	struct co_layer_opts layer;
	struct co_layer_limits layer_limits;
	bool no_cache;
	const char *project; /* what is built, for explanations of misses; NULL: none */
	bool explain;	     /* the user asked for them */
	const struct co_secret *secrets;
	size_t n_secrets;
	const struct co_secret *ssh;
	size_t n_ssh;
	bool allow_host_network, allow_insecure;
	const char *const *allow_devices; /* NULL-ended; "" stands for all; NULL: none */
	const char *const *cdi_dirs; /* folders of device specs beside the machine's; as above */
	const char *network;	     /* --network: what "default" means for RUN; NULL: default */
	uint64_t memory, pids, output_limit;
	double cpus;
	unsigned timeout_s;
	unsigned jobs;			    /* stages at a time; 0: as many as there are cores */
	const char *const *add_hosts;	    /* "name:ip", NULL-ended, or NULL */
	const struct co_layer_taker *taker; /* borrowed; NULL: nobody */
	const char *clock_env; /* SOURCE_DATE_EPOCH as text, for ARG-less reproducibility */
};
/* The built target stage. */
struct co_built {
	struct co_config config;
	struct co_layer *layers; /* config.n_diff_ids of them, in the arena */
	size_t n_layers;
	const struct co_base *base; /* of the FROM chain, NULL for scratch */
	struct co_pos user_pos;	    /* the USER line in force; line 0 if inherited or none */
	struct co_pos from_pos;
};
struct co_exec;
int co_exec_open(struct co_exec **out, const struct co_plan *plan, const struct co_exec_opts *opts,
		 struct co_arena *a, struct co_err *err) co_must_check;
int co_exec_run(struct co_exec *x, struct co_built *out, struct co_err *err) co_must_check;
/* Makes one layer of all that lie on the base's (all: of those too). */
int co_exec_merge(struct co_exec *x, struct co_built *built, bool all,
		  struct co_err *err) co_must_check;
/* Packs the base's layers as new ones are packed. */
int co_exec_repack(struct co_exec *x, struct co_built *built, struct co_err *err) co_must_check;
/* All steps with a layer that were done or found so far, appended to list (in the arena). */
void co_exec_entries(const struct co_exec *x, struct co_cache_entry **list, size_t *n);
/* Brings the blobs of the target's layers into the store. */
int co_exec_fetch(struct co_exec *x, struct co_err *err) co_must_check;
/* The target's tree as files, made when it is not there yet (local export, passwd look-up). */
int co_exec_root(struct co_exec *x, const struct co_root **root, struct co_err *err) co_must_check;
/* 1: as above, but only when the tree can be had without fetching or unpacking; 0: it can not. */
int co_exec_root_at_hand(struct co_exec *x, const struct co_root **root,
			 struct co_err *err) co_must_check;
/* What co_exec_run would do with each step; nothing is executed and nothing downloaded. */
enum co_look {
	CO_LOOK_BASE,	/* FROM */
	CO_LOOK_CONFIG, /* changes the config only */
	CO_LOOK_CACHED,
	CO_LOOK_RUN,   /* not in the cache: it would be carried out */
	CO_LOOK_AFTER, /* its key is not known before another step has been carried out */
};
struct co_step_look {
	unsigned stage, step; /* number of the stage; of the step, from 1 */
	enum co_look state;
	const char *title;
	const char *reason; /* why not cached; NULL: it is, or there is nothing to cache */
	struct co_pos pos;
};
/* The list lies in the arena of co_exec_open. */
int co_exec_look(struct co_exec *x, struct co_step_look **list, size_t *n,
		 struct co_err *err) co_must_check;
void co_exec_close(struct co_exec *x);

/* What a remote source needs, from secrets with the names that BuildKit gives them: GIT_AUTH_HEADER
 * or GIT_AUTH_TOKEN (".host" behind it: for that host only) and HTTP_AUTH_HEADER_host or
 * HTTP_AUTH_TOKEN_host. *out: a value of the Authorization header for git, a whole header line for
 * http; NULL when there is none. In the arena. */
int co_exec_git_auth(const char **out, struct co_arena *a, const struct co_secret *list, size_t n,
		     const char *url, struct co_err *err) co_must_check;
int co_exec_http_auth(const char **out, struct co_arena *a, const struct co_secret *list, size_t n,
		      const char *url, struct co_err *err) co_must_check;
