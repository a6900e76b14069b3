/* SPDX-License-Identifier: MIT
 *
 * store-internal.h — the store's state, shared by the files that make it up.
 */
#pragma once
#include <cooper/store.h>
#include <stdatomic.h>
#include <sys/types.h>

struct co_store {
	char *path; /* owned; absolute */
	int fd;	    /* ROOT */
	int lock;   /* ROOT/lock, shared unless gc is at work */
	/* this process's directory below tmp/, made at first need; its descriptor holds the lock
	 * that tells others that we live */
	int tmp;
	char tmp_name[64];		    /* "tmp/p-…" */
	char *tmp_path;			    /* owned; absolute */
	pid_t owner;			    /* who made it: a forked child must not remove it */
	atomic_uint serial;		    /* for names in tmp */
	const struct co_store_watch *watch; /* borrowed; may be NULL */
};

#define STORE_RECORD_MAX 65536 /* a name's record */

/* ---- store_root.c ---- */
/* Chooses, makes and opens the root directory; *path is to be freed. */
int store_root_open(const char *root, char **path, int *fd, struct co_err *err);

/* ---- store_tmp.c ---- */
void store_tmp_sweep(struct co_store *s);
void store_tmp_close(struct co_store *s);
/* Best effort: what remains lies in tmp and is swept by the next process that can. */
void store_remove_quietly(int dir, const char *name);
/* A new file in our tmp directory; its name there in `name`. Returns a descriptor or a code. */
int store_tmp_file(struct co_store *s, char *name, size_t size, struct co_err *err);
/* Writes a small file by way of tmp: complete under its path or not there at all. */
int store_write(struct co_store *s, const char *path, const void *data, size_t len,
		struct co_err *err);

/* ---- store.c ---- */
int store_lock_shared(struct co_store *s, struct co_err *err);
int store_lock_exclusive(struct co_store *s, struct co_err *err);
int store_subdir(struct co_store *s, const char *name, struct co_err *err);

/* ---- store_blob.c ---- */
#define STORE_PATH_MAX (CO_DIGEST_TEXT + 16)
const char *store_blob_path(const struct co_digest *d, char buf[STORE_PATH_MAX]);

/* A file in tmp whose digest is known, not (yet) a blob. */
struct store_spool {
	char name[32]; /* in tmp; "" if none */
	struct co_digest digest;
	int64_t size;
};
/* *out is filled by a successful close; the file stays until it is published or dropped. */
struct co_sink *store_spool_sink(struct co_store *s, enum co_digest_alg alg,
				 struct store_spool *out);
/* A descriptor for reading; of the blob once it was published. */
int store_spool_open(struct co_store *s, const struct store_spool *sp, struct co_err *err);
int store_spool_publish(struct co_store *s, struct store_spool *sp, struct co_err *err);
void store_spool_drop(struct co_store *s, struct store_spool *sp);

/* ---- gc_mark.c: a set of hex names ---- */
struct gc_marks {
	char (*items)[CO_DIGEST_TEXT]; /* sorted once complete; owned */
	size_t n, room;
	bool sorted;
};
int gc_mark_all(struct co_store *s, int64_t cache_max_age_s, struct gc_marks *blobs,
		struct gc_marks *layers, struct co_err *err);
bool gc_marked(const struct gc_marks *m, const char *hex);
void gc_marks_release(struct gc_marks *m);
