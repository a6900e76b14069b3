/* SPDX-License-Identifier: MIT
 *
 * layout-internal.h — shared by the readers and writers of layouts and archives.
 */
#pragma once
#include "oci-internal.h"
#include "store-internal.h"
#include <cooper/layout.h>

#define LAYOUT_REF_NAME	 "org.opencontainers.image.ref.name"
#define LAYOUT_FULL_NAME "io.containerd.image.name"
#define LAYOUT_HEADER	 "{\"imageLayoutVersion\":\"1.0.0\"}"

/* ---- layout.c ---- */

/* Visits an image from its top to its layers. visit makes sure that the blob is in the store;
 * its size may be unknown (-1). NOT_FOUND means that the source has it not, which is no error for
 * entries of an index (unless all are missing) and for foreign layers. */
typedef int layout_visit(void *ctx, const struct co_descriptor *d, struct co_err *err);
int layout_walk(struct co_store *s, layout_visit *visit, void *ctx, const struct co_descriptor *d,
		struct co_err *err);

/* Chooses from index.json (text). *whole: the index itself is the image (its entries are its
 * platforms). */
int layout_select(const struct co_index *ix, const char *select, struct co_descriptor *out,
		  bool *whole, struct co_err *err);
/* Reads index.json, chooses, and walks the choice. */
int layout_import(struct co_store *s, const char *text, size_t len, const char *select,
		  layout_visit *visit, void *ctx, struct co_descriptor *out, struct co_err *err);
int layout_check_header(const char *text, size_t len, struct co_err *err);
int layout_pump(struct co_source_stream *in, struct co_sink *out, struct co_err *err);
/* blobs/sha256/<hex> */
#define LAYOUT_PATH_MAX STORE_PATH_MAX
/* True when the clean path names a blob. */
bool layout_blob_name(const char *path, struct co_digest *out);

/* ---- layout_names.c ---- */
/* "app" → "docker.io/library/app:latest", in the arena. */
const char *layout_full_name(struct co_arena *a, const char *name);
/* "docker.io/library/app:1" → "app:1"; NULL for a name without a tag (a digest reference). */
const char *layout_repo_tag(struct co_arena *a, const char *name);
const char *layout_tag(struct co_arena *a, const char *name);
bool layout_name_matches(const char *have, const char *want);

/* ---- layout_write.c ---- */
/* The blobs of an image, each once. */
struct layout_blobs {
	struct co_arena *a;
	struct co_descriptor *items;
	size_t n;
};
int layout_collect(struct co_store *s, const struct co_descriptor *d, struct layout_blobs *out,
		   struct co_err *err);
/* The entries of index.json for an image: one a name. A list of JSON objects. */
json_t *layout_entries(const struct co_descriptor *d, const char *const *names);

/* ---- archive_docker.c ---- */
struct archive_member {
	const char *path; /* clean */
	const char *link; /* clean target, NULL for a file */
	struct store_spool spool;
};
struct archive {
	struct co_store *s;
	struct co_arena *a;
	struct archive_member *members;
	size_t n;
	char *header, *index, *manifest; /* owned: oci-layout, index.json, manifest.json */
	size_t header_len, index_len, manifest_len;
	bool has_repositories;
};
/* The member that a name leads to, links followed; NULL when there is none. The last of several
 * with one name counts. */
struct archive_member *archive_find(const struct archive *ar, const char *path);
int archive_docker_import(struct archive *ar, const char *select, struct co_descriptor *out,
			  struct co_err *err);
