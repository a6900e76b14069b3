/* SPDX-License-Identifier: MIT
 *
 * What the files of the plain backend share: the remembered state of a tree, and what its layers
 * said about an entry.
 */
#pragma once
#include "snapshot-internal.h"

/* ---- plain_tree.c: a tree as it was, in memory: about 200 bytes an entry ---- */
struct plain_node {
	const char *name; /* in the tree's arena */
	struct co_meta m;
	struct plain_node *children; /* owned; sorted by name */
	size_t n, room;
};
struct plain_tree {
	struct co_arena arena;
	struct plain_node root;
};
struct plain_tree *plain_tree_new(void);
void plain_tree_free(struct plain_tree *t);
/* Reads a whole tree. */
int plain_tree_capture(struct plain_tree **out, const struct co_root *root, struct co_err *err);
/* Adds an entry behind the others of its directory (names come sorted). */
struct plain_node *plain_tree_add(struct plain_tree *t, struct plain_node *dir, const char *name,
				  const struct co_meta *m);
struct plain_node *plain_tree_find(const struct plain_node *dir, const char *name);

/* ---- layer_index.c: path → digest of link target, attributes and content, read from layers ----
 */
struct layer_index;
struct layer_index *layer_index_new(void);
void layer_index_free(struct layer_index *ix);
/* Reads the layers that it has not seen yet (bottom first). */
int layer_index_update(struct layer_index *ix, struct co_store *s, const struct co_layer *layers,
		       size_t n, struct co_err *err);
/* Does the entry equal what the topmost layer with this path holds? 1, 0, <0. */
int layer_index_same(const struct layer_index *ix, const struct same_query *q, struct co_err *err);
