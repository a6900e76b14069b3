/* SPDX-License-Identifier: MIT
 *
 * image.h — what an image is: descriptor, config, manifest, index, platform. Plain data plus
 * deterministic (de)serialisation. Sources: OCI image-spec v1.1, Docker image spec v1.2.
 *
 * Digest = hash of the exact bytes. Manifests and configs that were pulled are kept and passed on
 * as bytes; what cooper writes has a fixed form: config compact with BuildKit's key order, manifest
 * and index with two-space indentation, no trailing newline.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/digest.h>
#include <cooper/err.h>
#include <cooper/json.h>
#include <stdbool.h>
#include <stdint.h>

#define CO_MT_OCI_INDEX	      "application/vnd.oci.image.index.v1+json"
#define CO_MT_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define CO_MT_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define CO_MT_OCI_LAYER	      "application/vnd.oci.image.layer.v1.tar"
#define CO_MT_OCI_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define CO_MT_OCI_LAYER_ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"
#define CO_MT_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define CO_MT_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define CO_MT_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define CO_MT_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define CO_DEFAULT_PATH	      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct co_platform {
	char os[32], arch[32], variant[32]; /* variant may be "" */
};
/* "linux/arm64/v8" → normalised platform (x86_64 → amd64, aarch64 → arm64, armhf → arm/v7 …). */
int co_platform_parse(struct co_platform *out, const char *text, struct co_err *err) co_must_check;
void co_platform_host(struct co_platform *out); /* of the machine we run on */
const char *co_platform_str(const struct co_platform *p, char *buf, size_t len);
bool co_platform_eq(const struct co_platform *a, const struct co_platform *b); /* normalised */

struct co_descriptor {
	char media_type[128];
	struct co_digest digest;
	int64_t size;
	struct co_platform platform; /* os "" if none */
	json_t *annotations;	     /* borrowed from the document, or NULL */
};

/* ---- config ---- */
struct co_history {
	const char *created, *created_by, *comment, *author; /* NULL if absent */
	bool empty_layer;
};
struct co_healthcheck {
	const char **test; /* "NONE" / "CMD",… / "CMD-SHELL",text */
	size_t n_test;
	int64_t interval, timeout, start_period, start_interval; /* ns, 0 absent */
	int64_t retries;
};
struct co_strs {
	const char **items;
	size_t n;
};
/* One image config. All memory in the arena given to parse/new; lists grow with co_arena_push.
 * Fields that cooper does not know are carried over from the base (extra, extra_config). */
struct co_config {
	struct co_platform platform;
	const char *os_version;
	const char *author, *created;
	const char *user, *workdir, *stop_signal;
	struct co_strs env; /* "K=V" in order; see co_config_setenv */
	struct co_strs entrypoint, cmd, shell, onbuild;
	bool has_entrypoint, has_cmd;  /* set, maybe empty: [] differs from absent */
	struct co_strs volumes, ports; /* sorted on output */
	struct co_kvlist {
		struct co_kvpair {
			const char *key, *value;
		} * items;
		size_t n;
	} labels;		       /* sorted on output */
	struct co_healthcheck *health; /* NULL if none */
	struct co_digest *diff_ids;
	size_t n_diff_ids;
	struct co_history *history;
	size_t n_history;
	struct config_index *index;	  /* of the functions below; NULL in a new config or copy */
	const char *extra, *extra_config; /* unknown members as JSON objects; NULL if none */
};
/* FROM scratch: working directory "/" and the default PATH, as BuildKit starts. */
void co_config_init(struct co_config *c, const struct co_platform *p);
/* Limits: 4 MiB. Repairs a history whose layer count disagrees with diff_ids as BuildKit does:
 * layers too few, the last entries become empty ones; entries too few, some are added. Unknown
 * members are kept, except those that describe a container or the cache of the image's own build.
 */
int co_config_parse(struct co_config *out, struct co_arena *a, const char *json, size_t len,
		    struct co_err *err) co_must_check;
/* Top level sorted by name, `config` in the order of Go's struct, then what cooper does not know.
 */
void co_config_write(struct co_buf *out, const struct co_config *c);
/* Deep copy of the lists' spines so that a child stage can go on from its parent. */
void co_config_copy(struct co_config *to, struct co_arena *a, const struct co_config *from);
const char *co_config_getenv(const struct co_config *c, const char *key); /* last one counts */
/* Keeps the position of an existing key, appends a new one (fact sheet 4). */
void co_config_setenv(struct co_config *c, struct co_arena *a, const char *key, const char *value);
void co_config_set_label(struct co_config *c, struct co_arena *a, const char *k, const char *v);
void co_strs_add(struct co_strs *s, struct co_arena *a, const char *item);
bool co_strs_has(const struct co_strs *s, const char *item);
/* Unless they are there already. */
void co_config_add_volume(struct co_config *c, struct co_arena *a, const char *path);
void co_config_add_port(struct co_config *c, struct co_arena *a, const char *port);

/* ---- manifest and index ---- */
struct co_manifest {
	const char *media_type;
	const char *artifact_type; /* NULL if none */
	struct co_descriptor config;
	struct co_descriptor *layers;
	size_t n_layers;
	bool has_subject;
	struct co_descriptor subject;
	json_t *annotations; /* borrowed from doc; NULL if none */
	json_t *doc;	     /* owned; release with co_manifest_release */
};
/* Refuses: both `manifests` and `layers` (CVE-2021-41190), body type differing from content_type
 * (NULL: unknown), schema 1, more than 4 MiB, bad digests, negative sizes. */
int co_manifest_parse(struct co_manifest *out, struct co_arena *a, const char *json, size_t len,
		      const char *content_type, struct co_err *err) co_must_check;
void co_manifest_write(struct co_buf *out, const struct co_manifest *m);
void co_manifest_release(struct co_manifest *m);

struct co_index {
	const char *media_type;
	struct co_descriptor *manifests;
	size_t n;
	json_t *annotations;
	json_t *doc; /* owned */
};
int co_index_parse(struct co_index *out, struct co_arena *a, const char *json, size_t len,
		   const char *content_type, struct co_err *err) co_must_check;
void co_index_write(struct co_buf *out, const struct co_index *ix);
void co_index_release(struct co_index *ix);
bool co_media_is_index(const char *media_type);
bool co_media_is_manifest(const char *media_type);
/* The entry for a platform with the variant fallbacks of the fact sheet (registry-client.md 5);
 * attestation entries are skipped. A single entry without a platform fits. NULL when none does. */
const struct co_descriptor *co_index_select(const struct co_index *ix,
					    const struct co_platform *want);
