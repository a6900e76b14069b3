/* SPDX-License-Identifier: MIT
 *
 * What the files of this module share: the backend interface and the layer writer.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/snapshot.h>
#include <cooper/tar.h>
#include <string.h>

struct co_rootfs_ops {
	const char *name;
	/* Can this backend work on the store's file system? Tries it. */
	bool (*usable)(struct co_store *s);
	int (*open)(struct co_rootfs *r, struct co_err *err);
	int (*add_layer)(struct co_rootfs *r, const struct co_layer *layer, struct co_err *err);
	int (*begin)(struct co_rootfs *r, const struct co_root **root, struct co_err *err);
	int (*commit)(struct co_rootfs *r, const struct co_layer_opts *o, struct co_layer *out,
		      struct co_err *err);
	void (*abort)(struct co_rootfs *r);
	int (*view)(struct co_rootfs *r, const struct co_root **root, struct co_err *err);
	int (*fork)(struct co_rootfs *to, struct co_rootfs *from, struct co_err *err);
	void (*close)(struct co_rootfs *r);
};
extern const struct co_rootfs_ops co_rootfs_overlay;

struct co_rootfs {
	const struct co_rootfs_ops *ops;
	struct co_store *store;	  /* borrowed */
	struct co_owntab *owners; /* borrowed */
	struct co_bus *bus;	  /* borrowed */
	void *state;		  /* the backend's; owned by it */
};

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
int layer_opaque(struct layer_out *l, const char *dir, struct co_err *err);
/* A directory's time, set after its children were dealt with. */
int layer_settle_dir(struct layer_out *l, int dirfd, const char *name, const struct co_meta *m);
int layer_finish(struct layer_out *l, struct co_layer *out, struct co_err *err);
void layer_abort(struct layer_out *l);

/* ---- links.c: (dev, inode) → first path ---- */
struct link_map *link_map_new(void);
/* The path stored for an inode, or NULL after storing this one. */
const char *link_map_put(struct link_map *m, uint64_t dev, uint64_t ino, const char *path);
void link_map_free(struct link_map *m);

/* ---- names.c: a directory's entries, sorted by bytes ---- */
struct names {
	char **items;
	size_t n;
	struct co_arena arena;
};
int names_read(struct names *out, int dirfd, struct co_err *err);
void names_release(struct names *n);
