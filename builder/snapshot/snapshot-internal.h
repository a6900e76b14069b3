/* SPDX-License-Identifier: MIT
 *
 * What the files of this module share: the backend interface and the layer writer.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/names.h>
#include <cooper/snapshot.h>
#include <cooper/tar.h>
#include <string.h>

struct co_rootfs_ops {
	const char *name;
	bool keeps_inodes; /* what the ownership table needs; a copy-up makes new ones */
	/* Can this backend work on the store's file system? Tries it. */
	bool (*usable)(struct co_store *s);
	int (*open)(struct co_rootfs *r, struct co_err *err);
	int (*add_layer)(struct co_rootfs *r, const struct co_layer *layer, struct co_err *err);
	/* Unpacks a layer for add_layer; nothing is published when *spoilt. NULL: cannot. */
	int (*prepare)(struct co_rootfs *r, const struct co_layer *layer, const bool *spoilt,
		       struct co_err *err);
	/* Where layers are put into one tree, one after another: is it still empty? Then children
	 * may do it. NULL: layers are apart. */
	bool (*empty)(const struct co_rootfs *r);
	/* They have put the first n into the tree, for which add_layer will be called. 0: what they
	 * did is thrown away. */
	int (*taken)(struct co_rootfs *r, size_t n, struct co_err *err);
	int (*begin)(struct co_rootfs *r, const struct co_root **root, struct co_err *err);
	int (*commit)(struct co_rootfs *r, const struct co_layer_opts *o, struct co_layer *out,
		      struct co_err *err);
	void (*abort)(struct co_rootfs *r);
	int (*view)(struct co_rootfs *r, const struct co_root **root, struct co_err *err);
	int (*reader)(struct co_rootfs *to, struct co_rootfs *from, struct co_err *err);
	void (*close)(struct co_rootfs *r);
};
extern const struct co_rootfs_ops co_rootfs_overlay, co_rootfs_plain;

struct co_rootfs {
	const struct co_rootfs_ops *ops;
	struct co_store *store;		      /* borrowed */
	struct co_owntab *owners;	      /* borrowed */
	struct co_bus *bus;		      /* borrowed */
	const struct co_layer_limits *limits; /* borrowed; NULL: the defaults */
	void *state;			      /* the backend's; owned by it */
	struct blob_feed *feed; /* the one layer to unpack comes from here; NULL: from the store */
};

/* unpack_layer.c: INTEGRITY when the content is not the diff id. */
int unpack_layer(struct co_rootfs *r, const struct co_layer *layer, const struct co_root *root,
		 enum co_unpack_mode mode, struct co_err *err);

/* arrive.c: the tar of a blob that is still coming. More than ratio times what has come is LIMIT,
 * beyond LAYER_RATIO_FREE bytes. */
#define LAYER_RATIO_FREE (1ull << 30) /* a ratio says nothing about small layers */
struct blob_feed;
struct co_source_stream *feed_inflate(struct blob_feed *f, uint64_t ratio);

/* Bytes that may come out of a blob of that size; limits NULL: the defaults. */
uint64_t layer_most_bytes(const struct co_layer_limits *l, int64_t packed);

/* ---- layer.c: changes → tar → diff id → compress → store ---- */
struct link_map;
struct layer_out {
	struct co_store *store;
	const struct co_root *root;
	const struct co_layer_opts *o;
	struct co_bus *bus;
	struct co_tar_writer *tar;
	struct co_digest diff_id, digest;
	uint64_t size;
	int64_t blob_size;
	uint64_t entries;
	bool settle; /* set the times written also on disk, and drop sockets */
	struct link_map *links;
	struct co_err err; /* first failure of an entry */
};
int layer_begin(struct layer_out *l, struct co_store *s, const struct co_root *root,
		const struct co_layer_opts *o, struct co_bus *bus, struct co_err *err);
/* One entry (dirfd, name) known in the layer as path. */
int layer_add(struct layer_out *l, int dirfd, const char *name, const char *path,
	      const struct co_meta *m, struct co_err *err);
int layer_whiteout(struct layer_out *l, const char *path, struct co_err *err);
/* A layer can not hold a socket, so a warm build would not have it either: it is removed. */
int layer_drop_socket(struct layer_out *l, int dirfd, const char *name, const char *path,
		      struct co_err *err);
/* A directory's time, set after its children were dealt with. */
int layer_settle_dir(struct layer_out *l, int dirfd, const char *name, const struct co_meta *m);
const char *layer_media_type(const struct co_layer_opts *o);
int layer_finish(struct layer_out *l, struct co_layer *out, struct co_err *err);
void layer_abort(struct layer_out *l);

/* co_names_read with its error told. */
static inline int names_read(struct co_names *out, int dirfd, struct co_err *err)
{
	return co_names_read(out, dirfd) < 0 ? co_fail_sys(err, "read a directory") : 0;
}

/* ---- diff.c: the tree before a step beside the tree after it ---- */
/* An entry whose owner, mode, size and times are what they were. */
struct same_query {
	void *dir;	  /* as enter() gave it */
	const char *name; /* in both directories */
	const char *path; /* from the root */
	const struct co_meta *was, *is;
	const struct co_root *root; /* after */
	int dirfd;
};
struct old_ops {
	/* A directory of the tree before; dir NULL: the root. NULL when it can not be had. */
	void *(*enter)(void *ctx, void *dir, const char *name);
	void (*leave)(void *ctx, void *dir);
	bool (*stat)(void *ctx, void *dir, const char *name, struct co_meta *out);
	int (*names)(void *ctx, void *dir, struct co_names *out, struct co_err *err);
	/* Are link target, extended attributes and content the same too? 1, 0, <0. */
	int (*same)(void *ctx, const struct same_query *q, struct co_err *err);
};
struct old_tree {
	const struct old_ops *ops;
	void *ctx;
};
struct new_tree {
	bool complete;	/* a missing name is a deletion (else: nothing changed there) */
	bool whiteouts; /* character devices 0:0 are deletions */
	/* complete below this directory, though not above (overlay: opaque); may be NULL */
	bool (*replaced)(void *ctx, int dirfd, const char *name);
	/* remembers the entry as the state after the step; gives what stands for a directory; may
	 * be NULL */
	void *(*record)(void *ctx, void *dir, const char *name, const struct co_meta *m);
	void (*update)(void *ctx, void *entry, const struct co_meta *m);
	void *record_root;
	void *ctx;
};
/* Adds everything that differs to the layer. fd: the root of the tree after the step. */
int diff_write(struct layer_out *out, int fd, const struct old_tree *old,
	       const struct new_tree *now, struct co_err *err);
/* Extended attributes of two entries are the same (both through their roots). */
bool same_xattrs(const struct co_root *a, int adir, const char *aname, const struct co_root *b,
		 int bdir, const char *bname);
/* Two open files hold the same bytes: 1, 0, -1 with errno. */
int same_bytes(int a, int b);

/* ---- links.c: (dev, inode) → first path ---- */
struct link_map *link_map_new(void);
/* The path stored for an inode, or NULL after storing this one. */
const char *link_map_put(struct link_map *m, uint64_t dev, uint64_t ino, const char *path);
void link_map_free(struct link_map *m);
