/* SPDX-License-Identifier: MIT
 *
 * report-internal.h — reading layers and making the flattened tree of them.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/report.h>
#include <string.h>

#define DOC_MAX (4u << 20)

/* ---- layers.c ---- */
/* A layer open for reading; check tells whether its diff id is to be verified at the end. */
struct layer {
	struct co_tar_reader *tar; /* owned */
	struct co_digest got;	   /* set when all was read */
	unsigned index;
};
int layer_open(struct layer *l, struct co_view *v, unsigned index, struct co_err *err);
/* 1: next member, 0: end (and the diff id was right), <0. */
int layer_next(struct layer *l, struct co_view *v, struct co_tar_entry *e, struct co_err *err);
void layer_close(struct layer *l);

/* ---- tree.c ---- */
struct tree_builder;
struct tree_builder *tree_new(struct co_arena *a);
void tree_free(struct tree_builder *b);
/* Layers must come top-down. */
int tree_add_layer(struct tree_builder *b, struct co_view *v, unsigned index, struct co_err *err);
void tree_list(struct tree_builder *b, struct co_tree *out);
/* Looks a path up, following links, in what was read so far: what is found is final. */
bool tree_find(struct tree_builder *b, const char *path, struct co_tree_entry *out);

/* ---- find.c ---- */
/* Byte order of walks: "a/b" before "a.b". */
int path_order(const char *a, const char *b);

/* ---- why.c ---- */
/* The likely cause of a difference. */
const char *difference_why(const struct co_difference *d);
