/* SPDX-License-Identifier: MIT
 *
 * store.h — the local content store: blobs by digest, image names, and working directories.
 *
 *   ROOT/blobs/sha256/<hex>      published by rename after the digest was verified, mode 0600
 *   ROOT/images/<sha256 of name> one JSON file a name: {name, descriptor, created}
 *   ROOT/layers/<diff id hex>/   an unpacked layer as an overlayfs lower directory (fs/), see
 * layer* ROOT/cache/ ROOT/mounts/     step cache records, cache mounts (modules above)
 *   ROOT/tmp/<random>/           work of one process; removed when its lock is free
 *   ROOT/lock                    flock: shared by users, exclusive for gc
 *
 * Safe with several builds at once: everything is written under tmp/ and renamed; readers hold the
 * shared lock, gc takes the exclusive one. Nothing is flushed to the disk with fsync: the store is
 * a cache, documents are checked against their digest when read and layers against their diff id
 * when unpacked, so that what a power cut damages is found and fetched again.
 */
#pragma once
#include <cooper/digest.h>
#include <cooper/err.h>
#include <cooper/image.h>
#include <cooper/stream.h>
#include <stdbool.h>
#include <stdint.h>

struct co_store;
/* root NULL: $COOPER_ROOT, else $XDG_DATA_HOME/cooper, else ~/.local/share/cooper, else (no HOME,
 * or it cannot be written) $TMPDIR/cooper-<uid>, checked to be ours and 0700. Creates it; sweeps
 * dead tmp directories. Waits while a gc is at work. */
int co_store_open(struct co_store **out, const char *root, struct co_err *err) co_must_check;
void co_store_close(struct co_store *s);
const char *co_store_path(const struct co_store *s); /* absolute */
int co_store_fd(const struct co_store *s);	     /* borrowed directory descriptor */
/* This process's own directory below tmp/ (locked while we live). Borrowed. */
int co_store_tmp_fd(struct co_store *s, struct co_err *err);
const char *co_store_tmp_path(struct co_store *s);

bool co_store_has(struct co_store *s, const struct co_digest *d, int64_t *size);
/* Descriptor for reading; NOT_FOUND when absent. The caller owns it. */
int co_store_blob_fd(struct co_store *s, const struct co_digest *d, int *fd, int64_t *size,
		     struct co_err *err) co_must_check;
/* A whole document, checked against its digest: INTEGRITY when damaged (the copy is removed). */
int co_store_blob_read(struct co_store *s, const struct co_digest *d, size_t max, char **out,
		       size_t *len, struct co_err *err) co_must_check;
/* A sink that becomes a blob on close. expect NULL: any content; else INTEGRITY on mismatch and
 * nothing is published. expect_size < 0: any. *digest and *size are set on a successful close. */
struct co_sink *co_store_sink(struct co_store *s, const struct co_digest *expect,
			      int64_t expect_size, struct co_digest *digest, int64_t *size);
int co_store_put(struct co_store *s, const void *data, size_t len, struct co_digest *out,
		 struct co_err *err) co_must_check;
/* For who wants to read blobs while they are still written: hears of every sink with an announced
 * digest, in the process that writes. Nothing that is read is verified before ends(ok). */
struct co_store_watch {
	/* fd reads what is there so far; it belongs to the watcher */
	void (*begins)(void *ctx, const struct co_digest *d, int fd);
	void (*grows)(void *ctx, const struct co_digest *d,
		      int64_t size);				     /* about; not each byte */
	void (*ends)(void *ctx, const struct co_digest *d, bool ok); /* ok: right, and published */
	void *ctx;
};
void co_store_watch(struct co_store *s, const struct co_store_watch *w); /* borrowed; NULL: end */

/* Names. A name is a normalised reference string ("registry.example/app:1"). */
struct co_store_image {
	char name[512];
	struct co_descriptor desc; /* of a manifest or an index */
	int64_t created;	   /* when it was stored, seconds */
};
int co_store_tag(struct co_store *s, const char *name, const struct co_descriptor *desc,
		 struct co_err *err) co_must_check;
int co_store_untag(struct co_store *s, const char *name, struct co_err *err) co_must_check;
int co_store_lookup(struct co_store *s, const char *name, struct co_store_image *out,
		    struct co_err *err) co_must_check;
/* All names, sorted. To be freed. */
int co_store_list(struct co_store *s, struct co_store_image **out, size_t *n,
		  struct co_err *err) co_must_check;

/* Unpacked layers. begin gives an empty directory below tmp/ (name is relative to the store);
 * publish renames it to layers/<diff id> (keeping an existing one); path gives its fs/ relative to
 * the store, false when there is none. */
int co_store_layer_begin(struct co_store *s, char *name, size_t size, int *dirfd,
			 struct co_err *err) co_must_check;
int co_store_layer_publish(struct co_store *s, const char *name, const struct co_digest *diff_id,
			   struct co_err *err) co_must_check;
bool co_store_layer_path(struct co_store *s, const struct co_digest *diff_id, char *path,
			 size_t size);

/* Deletes what no image name reaches: blobs, layers, cache records older than max_age_s (<0: keep
 * them all and what they reach). Fails with a hint when another build holds the store, and, after
 * all else is done, when a layer could not be removed. Killed at any moment, it leaves no half
 * layer behind under its name. */
struct co_gc_stats {
	uint64_t blobs, layers, bytes;
};
int co_store_gc(struct co_store *s, int64_t cache_max_age_s, struct co_gc_stats *out,
		struct co_err *err) co_must_check;
