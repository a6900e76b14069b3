/* SPDX-License-Identifier: MIT
 *
 * What the files of the cache share: records, keys, places.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/cache.h>
#include <cooper/json.h>
#include <stdio.h>
#include <string.h>

#define RECORD_MAX (64u << 10) /* one record with its signatures */
#define DOC_MAX	   (4u << 20)  /* a manifest */
#define TAG_MAX	   129
#define LOST_MAX   64

/* ---- trust.c: who wrote it ---- */
struct sign_key;
/* An Ed25519 key (PEM) or a secret of at least 16 bytes. */
int key_load(struct sign_key **out, const char *file, struct co_err *err);
void key_free(struct sign_key *k);
bool key_can_sign(const struct sign_key *k);
const char *key_id(const struct sign_key *k);
/* Signature over text, base64, appended. */
int key_sign(const struct sign_key *k, const char *text, size_t len, struct co_buf *out,
	     struct co_err *err);
bool key_verify(const struct sign_key *k, const char *text, size_t len, const char *sig);

/* ---- record.c ---- */
struct record {
	struct co_digest key;
	char scope[64];
	struct co_layer layer;
	int64_t created; /* seconds; 0: not told */
	int64_t duration_ms;
	char what[200];
};
json_t *record_json(const struct record *r);
bool record_parse(struct record *out, const json_t *j);
/* A record in its envelope (DSSE): payload, signatures. k NULL: none. To be released. */
json_t *envelope_make(const struct record *r, const struct sign_key *k);
enum envelope_state { ENV_GOOD, ENV_BROKEN, ENV_UNTRUSTED };
/* trust NULL-ended; NULL: any. */
enum envelope_state envelope_open(struct record *out, const json_t *env,
				  struct sign_key *const *trust);

/* Tag of an entry, an index ("d1") or a mount ("m1") in a scope. */
void tag_of(const char *kind, const char *scope, const struct co_digest *key, char out[TAG_MAX]);

/* manifest.c: documents in a place */
#define NOTE_RECORD  "dev.cooper.cache.record"
#define NOTE_RECORDS CO_CACHE_INLINE_NOTE
#define NOTE_CREATED "dev.cooper.cache.created"
#define EMPTY_CONFIG "{}"
/* plain: as an image manifest with an ordinary config, for registries that refuse artifacts. */
void document_write(struct co_buf *out, const char *note, const json_t *value,
		    const struct co_descriptor *layers, size_t n, bool plain);
void document_config(bool plain, struct co_descriptor *out, const char **text);
/* The envelopes in a document, 0 or more; borrowed from *doc, which is to be released. layers are
 * those the document names. */
struct document {
	struct co_arena arena;
	json_t *notes; /* owned; array of envelopes */
	struct co_descriptor *layers;
	size_t n_layers;
	int64_t created;
};
bool document_read(struct document *d, const char *text, size_t len);
void document_release(struct document *d);
#define auto_document co_cleanup(document_release) struct document

/* ---- places ---- */
struct place;
struct tagged {
	struct place *place;
	char tag[TAG_MAX];
	struct co_buf body; /* of a get, or to put */
	int code;
	bool image; /* an image's own tag */
};
struct place_ops {
	const char *name;
	/* All of them in one go; each tagged gets its code. */
	void (*get)(struct co_cache *c, struct tagged **list, size_t n);
	int (*exist)(struct place *p, const struct co_digest *d, size_t n, bool *out,
		     struct co_err *err);
	int (*fetch)(struct place *p, const struct co_descriptor *d, size_t n, struct co_err *err);
	int (*put_blobs)(struct place *p, const struct co_descriptor *d, size_t n,
			 const struct co_ref *from, size_t n_from, struct co_err *err);
	int (*put)(struct place *p, struct tagged *list, size_t n, struct co_err *err);
	/* Tags of ours; arena. */
	int (*list)(struct place *p, struct co_arena *a, const char ***tags, size_t *n,
		    struct co_err *err);
	int (*remove)(struct place *p, const char *tag, struct co_err *err);
	/* After removals: what nothing refers to. May be NULL. */
	int (*sweep)(struct place *p, struct co_err *err);
};
extern const struct place_ops cache_in_registry, cache_in_dir;
struct place {
	struct co_cache *cache;
	const struct place_ops *ops;
	unsigned number; /* 1… */
	char name[600];	 /* for people */
	const char *dir;
	struct co_ref ref;
	bool has_tag; /* the reference named one: an image with inline records may be there */
	bool read, write, max;
	bool plain; /* refuses artifact manifests */
};

/* What all processes of a build know together. */
struct shared {
	bool lost, read_none;
	unsigned n_lost;
	struct co_digest losses[LOST_MAX];
	struct {
		bool no_read, no_write, distrust_said;
	} place[CO_CACHE_PLACES + 1];
};
/* A record read from a place. */
struct known {
	struct record rec;
	json_t *envelope; /* owned */
	struct place *place;
	bool checked, there; /* its blob */
	bool from_index;
};
struct co_cache {
	struct co_store *store;
	struct co_registry *registry;
	struct co_bus *bus;
	struct co_arena arena;
	struct place places[CO_CACHE_PLACES];
	size_t n_places;
	bool wants_inline;
	struct sign_key *key;
	struct sign_key **trust; /* NULL-ended, or NULL */
	const char **scopes;	 /* NULL-ended, at least one */
	int64_t max_age_s;
	struct shared *shared; /* a mapping */
	struct co_digest exact, alike;
	bool prefetched, prefetched_to_write;
	struct known *known;
	size_t n_known;
};
bool place_reads(const struct place *p);
bool place_writes(const struct place *p);
/* The place does not work: said once, then it is left alone. */
void place_gave_up(struct place *p, bool writing, const struct co_err *err);
void places_get(struct co_cache *c, struct tagged *list, size_t n);
bool is_lost(const struct co_cache *c, const struct co_digest *d);

/* lookup.c */
/* The index of what is expected, once; to_write: of places that are only written. */
void prefetch(struct co_cache *c, bool to_write);
/* Takes env's reference count up; false when it is not to be believed (said once). */
bool known_add(struct co_cache *c, struct place *p, json_t *env, const struct document *doc,
	       bool from_index);
bool too_old(const struct co_cache *c, int64_t created);

/* local.c: STORE/cache/<key hex>.json */
struct local_record {
	struct record rec;
	bool built;		/* made on this machine */
	json_t *envelope;	/* owned; as it came from a place, or NULL */
	struct co_digest alias; /* set: only another name of this key's record */
};
int local_read(struct co_cache *c, const struct co_digest *key, struct local_record *out);
int local_write(struct co_cache *c, const struct record *r, const json_t *envelope,
		struct co_err *err);
/* Was it made on this machine, whatever it is called? */
bool local_is_ours(struct co_cache *c, const struct local_record *l);
