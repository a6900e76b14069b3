/* SPDX-License-Identifier: MIT
 *
 * layout.h — images outside the store: OCI image layouts (directory or tar) and docker archives,
 * both ways. Readers copy into the store (verified); writers read from it. An archive written here
 * is an OCI layout and a docker archive at once (facts/oci-image 7), with sorted members and zero
 * times.
 */
#pragma once
#include <cooper/store.h>

/* Adds an image to an OCI layout directory (created when missing; blobs first, index.json last by
 * rename). name: annotation org.opencontainers.image.ref.name is its tag; may be NULL. */
int co_layout_write_dir(struct co_store *s, const struct co_descriptor *desc,
			const char *const *names, const char *dir,
			struct co_err *err) co_must_check;
/* Writes an archive to a sink (taken). docker true adds manifest.json and writes layers that any
 * `docker load` takes: zstd layers are written unpacked, under a manifest that says so; of an index
 * manifest.json names this machine's image. names: NULL-ended references for RepoTags. */
int co_layout_write_tar(struct co_store *s, const struct co_descriptor *desc,
			const char *const *names, bool docker, struct co_sink *out,
			struct co_err *err) co_must_check;
/* The same for several images, no two of them the same one. */
struct co_layout_image {
	struct co_descriptor desc;
	const char *const *names; /* NULL-ended, or NULL */
};
int co_layout_write_tar_many(struct co_store *s, const struct co_layout_image *images, size_t n,
			     bool docker, struct co_sink *out, struct co_err *err) co_must_check;
/* Reads a layout directory resp. an archive file (OCI or docker; compressed too; from a pipe as
 * well) into the store and gives the descriptor. select: a reference name ("1.2", "app:1.2"), a
 * digest, or both ("1.2@sha256:…": the digest counts); NULL: the only image, or all entries as one
 * index when they are the nameless platforms of one image. Nothing is extracted by the names in the
 * archive, and of an archive only what the image needs enters the store. */
int co_layout_read_dir(struct co_store *s, const char *dir, const char *select,
		       struct co_descriptor *out, struct co_err *err) co_must_check;
int co_layout_read_tar(struct co_store *s, struct co_source_stream *in, const char *what,
		       const char *select, struct co_descriptor *out,
		       struct co_err *err) co_must_check;
