/* SPDX-License-Identifier: MIT
 *
 * What the files of the executor share: the run of a plan, the state of a stage.
 */
#pragma once
#include <cooper/exec.h>
#include <cooper/inroot.h>
#include <cooper/owntab.h>
#include <cooper/str.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <string.h>

/* COPY and ADD in two halves: what would be copied (for the key), and doing it. */
struct copy_job {
	struct co_copy copy;
	struct co_copy_source *sources; /* arena */
	size_t n_sources;
	int *fds; /* downloads, closed by copy_job_close */
	size_t n_fds;
	struct co_root *trees; /* git checkouts and unpacked URLs */
	size_t n_trees;
};
/* A step between computing its key and doing its work. */
struct pending_step {
	struct co_step step;
	bool looked_up;
	bool apart; /* the stage's tree does not have its layer yet */
	struct co_digest key;
	bool by_tree; /* key tells the tree that files are taken from, not the files */
	struct co_digest content_key; /* once they were looked at */
	struct copy_job job;
	bool has_job;
	struct co_digest *content; /* arena */
	size_t n_content;
	struct co_layer layer;	       /* found or made */
	struct co_cache_input *inputs; /* arena; what the key stands for */
	size_t n_inputs, n_files;
};

/* A stage as far as it has been built. */
struct stage_run {
	const struct co_plan_stage *plan;
	struct co_config config;
	size_t config_size; /* text that the steps put into it, about */
	struct co_scope scope;
	struct co_layer *layers; /* arena; as many as config.n_diff_ids */
	size_t n_layers;
	struct co_cache_entry *entries; /* arena; one for each layer that a step made */
	size_t n_entries;
	const struct co_base *base; /* of the FROM chain; where missing layer blobs come from */
	struct co_rootfs *fs;	    /* NULL until a step needs files */
	size_t fs_layers;	    /* how many of layers are in fs */
	struct co_pos user_pos;
	bool cmd_set;
	bool begun; /* its FROM line was carried out */
	bool done;
	size_t offered;	     /* how many layers the taker of layers was offered */
	unsigned first_step; /* number of its FROM line */
	size_t next;	     /* instruction to walk next */
	int64_t step_start;
	struct pending_step *pending; /* owned; NULL between steps */
};

/* Files to take: a stage's tree, an image's tree, the context. */
struct origin_tree {
	const struct co_root *root; /* borrowed */
	const struct co_ignore *ignore;
	bool keep_owner;
};

/* mask.c: a bus that hides secret values in step output. */
struct mask_bus {
	struct co_bus bus;
	struct co_bus *below;
	const char *const *secrets;
	size_t n_secrets;
	struct mask_held {
		struct co_buf text;
		struct co_event like;
	} held[2]; /* of stdout and stderr */
};
struct co_bus *mask_bus_init(struct mask_bus *m, struct co_bus *below);
/* A step has ended: what waited is said, and its secrets are forgotten. */
void mask_bus_end(struct mask_bus *m);

/* An image used by COPY --from or a mount: a pseudo stage. */
struct image_run {
	const char *name;
	const struct co_platform *platform; /* of the stage that asked for it */
	struct stage_run run;
	struct image_run *next;
};

struct co_exec {
	const struct co_plan *plan;
	const struct co_exec_opts *o;
	struct co_arena *a;
	struct co_owntab *owners;  /* owned; NULL: the file system keeps owners */
	struct stage_run **stages; /* as many as plan stages; NULL where none is needed */
	struct image_run *images;
	struct co_sandbox *sandbox; /* opened by the first RUN */
	struct mask_bus mask;	    /* what the sandbox talks to */
	struct named_tree *named;   /* opened named contexts */
	unsigned step;		    /* number of the step at work */
	bool working;		    /* something is carried out, not only looked up */
	size_t inherited;	    /* entries of lists that stages took over from stages */
	bool told_commit;	    /* that a new commit misses everything */
};

/* What readers of images take (cooper too), and what a build may copy from stage to stage. */
#define CONFIG_MAX    (4u << 20)
#define INHERITED_MAX (1u << 20)

/* stage.c */
int stage_begin(struct co_exec *x, unsigned index, struct co_err *err) co_must_check;
void stage_add_layer(struct co_exec *x, struct stage_run *st, const struct co_layer *layer);
void stage_from_base(struct co_exec *x, struct stage_run *st, const struct co_base *base);
/* Makes the stage's files available up to its last layer. */
int stage_materialise(struct co_exec *x, struct stage_run *st, struct co_err *err) co_must_check;
/* Brings the blobs of its layers that are not in the store. */
int stage_fetch(struct co_exec *x, struct stage_run *st, bool even_unpacked,
		struct co_err *err) co_must_check;
void stage_add_entry(struct co_exec *x, struct stage_run *st, const struct co_cache_entry *e);
/* Is it a part of what the target stands on? */
bool stage_in_result(const struct co_exec *x, const struct stage_run *st);
/* Gives layers of the result that are here to who wants them early. */
void stage_offer(struct co_exec *x, struct stage_run *st);
void stage_close(struct stage_run *st);

/* origin.c */
int origin_open(struct co_exec *x, const struct co_origin *from, const struct co_platform *platform,
		struct origin_tree *out, struct co_err *err) co_must_check;
/* Identity of everything below an origin without making its files; set false for contexts. */
int origin_key(struct co_exec *x, const struct co_origin *from, const struct co_platform *platform,
	       struct co_digest *out, bool *known, struct co_err *err) co_must_check;
void origin_close_all(struct co_exec *x);

/* step.c */
/* Key and cache; on a hit p->layer is filled. */
int step_lookup(struct co_exec *x, struct stage_run *st, struct pending_step *p, bool *hit,
		struct co_err *err) co_must_check;
/* Carries it out: p->layer is what it made, and it is in the cache. hit: the files that it takes
 * are known, if not where they lie now, and so the layer was found after all. */
int step_work(struct co_exec *x, struct stage_run *st, struct pending_step *p, bool *hit,
	      struct co_err *err) co_must_check;
void step_drop(struct pending_step *p);
void step_drop_pending(struct stage_run *st);
/* How new layers are packed: is this one packed so, and as part of a key. */
bool encoding_fits(const struct co_exec *x, const struct co_layer *l);
void encoding_key(const struct co_exec *x, struct co_digest *key);

/* explain.c: after the look-up; tells the bus why a step is not cached. */
void explain_step(struct co_exec *x, struct stage_run *st, struct pending_step *p, bool hit);
struct explain_files {
	struct co_exec *x;
	struct pending_step *p;
};
void explain_file(void *ctx, const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
		  const struct co_digest *content);

/* walk.c: to the end, or with cached_only to the first miss (then 1). */
int stage_walk(struct co_exec *x, struct stage_run *st, bool cached_only, struct co_err *err);
/* What a worker did, from the layers it made. */
int stage_replay(struct co_exec *x, struct stage_run *st, const struct co_cache_entry *made,
		 size_t n, struct co_err *err) co_must_check;

/* walk.c: the instruction at st->next as a step; and its effect on config and history. */
int walk_eval(struct co_exec *x, struct stage_run *st, struct co_step *step,
	      struct co_err *err) co_must_check;
int walk_apply(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	       struct co_err *err) co_must_check;

/* schedule.c: all needed stages. */
int schedule_run(struct co_exec *x, struct co_err *err) co_must_check;

/* worker.c: a process that walks one stage to its end. */
struct worker {
	struct stage_run *st; /* NULL: no worker here */
	pid_t pid;
	int fd; /* what it says */
	struct co_buf in;
	struct co_cache_entry *made; /* owned; so far */
	size_t n_made;
	bool finished, failed;
	struct co_err err;
};
int worker_start(struct worker *w, struct co_exec *x, struct stage_run *st,
		 struct co_err *err) co_must_check;
/* Reads what has come; events go to the executor's bus. True when the worker has ended. */
bool worker_read(struct worker *w, struct co_exec *x);
void worker_stop(struct worker *w); /* asks it to end */
void worker_release(struct worker *w);

/* op_*.c: change the tree of a begun step. */
int op_run(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	   const struct co_root *root, struct co_err *err) co_must_check;
int op_workdir(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	       const struct co_root *root, struct co_err *err) co_must_check;
int copy_job_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		  struct copy_job *job, struct co_err *err) co_must_check;
int copy_job_run(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		 struct copy_job *job, const struct co_root *root,
		 struct co_err *err) co_must_check;
void copy_job_close(struct copy_job *job);
/* Files of a context get the commit's time, when that is the build's. */
void source_times(const struct co_exec *x, struct co_copy_source *s);
/* op_add.c: remote sources of ADD. */
int add_remote(struct co_exec *x, const struct co_step *step, const char *source,
	       struct copy_job *job, struct co_err *err) co_must_check;
bool source_is_remote(const char *source);

/* op_run.c: what gethostname() gives in the step */
const char *run_hostname(const struct co_step *step);

/* mount_secret.c */
const struct co_secret *secret_find(const struct co_secret *list, size_t n, const char *id);
int secret_read(struct co_arena *a, const struct co_secret *s, const char **data, size_t *len,
		struct co_err *err) co_must_check;
/* op_mounts.c */
struct mount_set {
	struct co_mount_op *ops;
	size_t n;
	const char **env; /* additions from secrets and ssh */
	size_t n_env;
	int fds[64]; /* closed by mounts_close */
	size_t n_fds;
	const char **secrets; /* values to mask */
	size_t n_secrets;
	struct cache_use {
		const char *id;
		size_t mount; /* which of the step's mounts */
		enum co_sharing sharing;
		int fd; /* among fds */
	} * caches;
	size_t n_caches;
	unsigned n_agents;
	const char **temps; /* private copies below the store's tmp */
	size_t n_temps;
};
int mounts_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		struct mount_set *m, struct co_err *err) co_must_check;
void mounts_close(struct co_exec *x, struct mount_set *m);
/* devices.c: adds what RUN --device asks for to an opened set */
int devices_open(struct co_exec *x, const struct co_step *step, struct mount_set *m,
		 struct co_err *err) co_must_check;
/* mount_cache.c: after a step that succeeded, to the shared caches that want them. */
void mount_caches_save(struct co_exec *x, const struct co_step *step, const struct mount_set *m);
/* Content keys of bind mounts. */
int mounts_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	       struct co_digest **out, size_t *n, struct co_err *err) co_must_check;

/* Fails at the step's line. */
int step_fail_at(struct co_exec *x, const struct co_step *step, struct co_err *err) co_must_check;
