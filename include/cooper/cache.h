/* SPDX-License-Identifier: MIT
 *
 * cache.h — step key to layer, in the local store and in places that many machines share: registry
 * repositories and directories. An entry is immutable; a blob that vanished is a miss, never a
 * failure; a place that does not answer costs a warning. Only records written by cooper itself are
 * candidates, never images (CVE-2024-24557). docs/cache.md tells the format.
 */
#pragma once
#include <cooper/buf.h>
#include <cooper/digest.h>
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/registry.h>
#include <cooper/root.h>
#include <cooper/snapshot.h>
#include <cooper/store.h>

enum co_cache_kind { CO_CACHE_REGISTRY, CO_CACHE_DIR, CO_CACHE_INLINE };
/* One --cache-from, --cache-to or --cache-repo. Borrowed strings. */
struct co_cache_place {
	enum co_cache_kind kind;
	const char *where; /* repository reference or directory; NULL: inline */
	bool read, write;
	bool max; /* write all steps and the cache mounts, not only what the result is made of */
};
#define CO_CACHE_PLACES 16
struct co_cache_opts {
	struct co_store *store;
	struct co_registry *registry; /* for registry places; best one with few retries */
	const struct co_cache_place *places;
	size_t n_places;
	const char *key_file;	   /* what is written is signed; NULL: not */
	const char *const *trust;  /* key files, NULL-ended; NULL: everything is believed */
	const char *const *scopes; /* NULL-ended; the first is written, all are read. NULL: "" */
	int64_t max_age_s;	   /* older entries are misses; 0: any age */
	struct co_bus *bus;
};
struct co_cache;
/* Reads the keys; asks no place yet. More places than CO_CACHE_PLACES: LIMIT. */
int co_cache_open(struct co_cache **out, const struct co_cache_opts *o,
		  struct co_err *err) co_must_check;
void co_cache_close(struct co_cache *c);

/* ---- while a build runs; in forked processes too ---- */
/* What is going to be built: exact (the same definition) and alike (an earlier state of it). When
 * the first step is not found here, the index that an earlier build of it left in a place brings
 * all its records in one answer. */
void co_cache_expect(struct co_cache *c, const struct co_digest *exact,
		     const struct co_digest *alike);
/* 1: hit. layer->place says where its blob is: 0 the store, else that place (asked a moment ago).
 * 0: miss. Never fails. */
int co_cache_get(struct co_cache *c, const struct co_digest *key, struct co_layer *layer);
/* Remembers a layer that was made here. what: the instruction, for people. */
int co_cache_put(struct co_cache *c, const struct co_digest *key, const struct co_layer *layer,
		 const char *what, int64_t duration_ns, struct co_err *err) co_must_check;
/* key is another name of what `of` stands for: trusted as far as that is. Best effort. */
void co_cache_alias(struct co_cache *c, const struct co_digest *key, const struct co_digest *of);
/* Brings the blobs of hits into the store. On failure they count as lost. */
int co_cache_fetch(struct co_cache *c, const struct co_layer *layers, size_t n,
		   struct co_err *err) co_must_check;
/* This layer turned out to be gone or damaged: it is a miss from now on. */
void co_cache_lose(struct co_cache *c, const struct co_layer *layer);
/* No place is read from any more. */
void co_cache_read_none(struct co_cache *c);
/* Was something lost since the last call (in any process)? Then the build is to be done again. */
bool co_cache_lost(struct co_cache *c);
/* The repository of a place; NULL for directories. */
const struct co_ref *co_cache_repo(const struct co_cache *c, unsigned place);
bool co_cache_wants_inline(const struct co_cache *c);
/* A new cache mount is filled from a place that has one of that id. 1: done, 0: there is none, <0
 * (said): it was no good, and dir holds rubbish. */
int co_cache_mount_load(struct co_cache *c, const char *id, const struct co_root *dir);
/* Is there a place that wants cache mounts? */
bool co_cache_wants_mounts(const struct co_cache *c);
/* One cache mount to the places with max, while nobody writes to it; unchanged ones are not sent
 * again. Never fails: what does not work is a warning. */
void co_cache_mount_save(struct co_cache *c, const char *id, const struct co_root *dir);

/* What went into a step's key, by name; values are compared, and kept in the store. One that begins
 * with "=" may be shown. */
struct co_cache_input {
	const char *name, *value;
};
/* Names of the form "file PATH" are a list that is complete, or was not made: then an input of this
 * name stands for it. */
#define CO_CACHE_FILES_UNSEEN "what --from stands for"
struct co_cache_step {
	const char *project, *stage;
	unsigned position, nth; /* in the stage; of steps with the same text */
	const char *text;	/* the instruction as written */
	const struct co_cache_input *inputs;
	size_t n;
	struct co_digest key;
};
/* Compares with the last build of the project here and remembers; of a miss, why gets the reason in
 * words. Returns the one input that has another value, when that is all that differs, or NULL. */
const struct co_cache_input *co_cache_explain(struct co_cache *c, const struct co_cache_step *s,
					      bool hit, struct co_buf *why);

/* ---- at its end ---- */
struct co_cache_entry {
	struct co_digest key;
	struct co_digest also; /* a further key of the same layer; may be unset */
	struct co_layer layer;
	bool result; /* the target is made of it (mode=min) */
};
/* Writes what the places do not have. Never fails: what does not work is a warning. mounts_from:
 * repositories that hold blobs already. */
void co_cache_export(struct co_cache *c, const struct co_cache_entry *entries, size_t n,
		     const struct co_ref *mounts_from, size_t n_from);
/* Annotation of an image that carries the records of its own layers (type=inline). */
#define CO_CACHE_INLINE_NOTE "dev.cooper.cache.records"
void co_cache_inline(struct co_cache *c, const struct co_cache_entry *entries, size_t n,
		     struct co_buf *out);

/* ---- looking after it ---- */
struct co_cache_item {
	char name[160];	 /* key or tag */
	char what[200];	 /* instruction, or the id of a mount */
	char place[600]; /* "local", or the place */
	uint64_t size;
	int64_t created; /* seconds; 0 unknown */
	bool mount;
};
/* Entries of the store (places NULL) or of all places, oldest first; to be freed. */
int co_cache_list(struct co_cache *c, bool of_places, struct co_cache_item **out, size_t *n,
		  struct co_err *err) co_must_check;
struct co_cache_gc {
	int64_t max_age_s;   /* older ones go; < 0: any age may stay */
	uint64_t keep_bytes; /* the oldest go until no more than this is left; UINT64_MAX: all may
				stay */
	bool mounts;	     /* cache mounts too */
	bool dry_run;
	/* out */
	uint64_t removed, bytes, kept, kept_bytes;
};
/* Deletes entries; the store's blobs go with the next co_store_gc. */
int co_cache_collect(struct co_cache *c, bool of_places, struct co_cache_gc *gc,
		     struct co_err *err) co_must_check;
