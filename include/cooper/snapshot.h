/* SPDX-License-Identifier: MIT
 *
 * snapshot.h — a stage's root filesystem as a stack of unpacked layers, and what a step changed in
 * it as a new layer. Two backends behind one interface: overlay (upper directory = the changes) and
 * plain (one tree, walked and compared with the state after the last step).
 */
#pragma once
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/root.h>
#include <cooper/store.h>
#include <cooper/stream.h>
#include <cooper/tar.h>

/* A layer as the store knows it. */
struct co_layer {
	struct co_descriptor desc; /* of the compressed blob */
	struct co_digest diff_id;
	uint64_t size; /* uncompressed bytes */
	bool empty;    /* nothing changed: a tar of no members */
	/* Where the blob is when the store does not have it: a place of the cache (cache.h); 0:
	 * with the base image. */
	unsigned place;
};
struct co_layer_opts {
	int64_t epoch; /* times later than this are clamped to it; INT64_MIN: keep */
	bool clamp;    /* false: keep all times */
	enum co_compression compression;
	int level;	   /* < 0: default */
	unsigned threads;  /* 0: all cores */
	bool docker_types; /* Docker media types instead of OCI */
};

/* How much a layer may hold when it is unpacked; more is LIMIT. 0 fields mean the defaults. */
struct co_layer_limits {
	struct co_tar_limits tar;
	uint64_t ratio; /* unpacked to packed bytes [2000], looked at beyond 1 GiB */
};

struct co_rootfs;
struct co_rootfs_ops;
extern const struct co_rootfs_ops *const co_rootfs_backends[]; /* best first, NULL-ended */

/* Makes an empty stage root (scratch). backend NULL: the best that works here. owners: the table to
 * use, or NULL. */
struct co_owntab;
int co_rootfs_open(struct co_rootfs **out, struct co_store *s, const char *backend,
		   struct co_owntab *owners, struct co_bus *bus, struct co_err *err) co_must_check;
/* For layers added from now on; borrowed. */
void co_rootfs_limit(struct co_rootfs *r, const struct co_layer_limits *limits);
const char *co_rootfs_backend(const struct co_rootfs *r);
/* Puts a layer whose blob is in the store on top (unpacking it once per store for overlay). Checks
 * the diff id while unpacking. */
int co_rootfs_add_layer(struct co_rootfs *r, const struct co_layer *layer,
			struct co_err *err) co_must_check;
/* Between begin and end the caller brings the blobs that are missing into the store; meanwhile the
 * layers are unpacked, several at a time, those that are here and those that are just coming. Best
 * effort, where the backend can: nothing is visible before blob and diff id were right, and
 * co_rootfs_add_layer does what is left and tells errors. layers is borrowed until end. */
struct co_arrival;
struct co_arrival *co_arrival_begin(struct co_rootfs *r, const struct co_layer *layers, size_t n);
/* Waits for those at work. all_here false: the transfer failed, nothing more is begun. */
int co_arrival_end(struct co_arrival *a, bool all_here, struct co_err *err) co_must_check;
/* Starts a step: gives the writable tree. Valid until commit or abort. */
int co_rootfs_begin(struct co_rootfs *r, const struct co_root **root,
		    struct co_err *err) co_must_check;
/* Unpacks a layer into the tree of a started step, what it deletes is deleted. */
int co_rootfs_apply(struct co_rootfs *r, const struct co_layer *layer, const struct co_root *root,
		    struct co_err *err) co_must_check;
/* Ends it: writes the changes as a layer into the store, clamps the times of what was written in
 * the tree too (a later step sees the same tree on a cold and on a warm build), and puts it on top.
 */
int co_rootfs_commit(struct co_rootfs *r, const struct co_layer_opts *opts, struct co_layer *out,
		     struct co_err *err) co_must_check;
/* Throws the step's changes away (best effort for plain). */
void co_rootfs_abort(struct co_rootfs *r);
/* Read-only view of the tree between steps (COPY --from, passwd look-ups). Borrowed. */
int co_rootfs_view(struct co_rootfs *r, const struct co_root **root,
		   struct co_err *err) co_must_check;
/* The same tree for reading only, for a process that was forked while `from` was open: closing it
 * leaves what belongs to `from` alone. */
int co_rootfs_reader(struct co_rootfs **out, struct co_rootfs *from,
		     struct co_err *err) co_must_check;
void co_rootfs_close(struct co_rootfs *r);

/* The same content packed as o says, into the store; its diff id is checked (INTEGRITY). */
int co_layer_repack(struct co_store *s, const struct co_layer *layer, const struct co_layer_opts *o,
		    struct co_layer *out, struct co_err *err) co_must_check;

/* Writes a whole tree as tar (type=tar, type=local exports), deterministic. Takes out. */
int co_tree_write_tar(const struct co_root *root, int64_t clamp_epoch, bool clamp,
		      struct co_sink *out, struct co_err *err) co_must_check;
