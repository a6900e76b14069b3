/* SPDX-License-Identifier: MIT
 *
 * report.h — answers about an image in the store, without running it. Results are data for the
 * command line to print.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/image.h>
#include <cooper/store.h>
#include <cooper/tar.h>

struct co_root;
/* An image opened for questions: its manifest and config parsed. */
struct co_view {
	struct co_store *store;
	struct co_descriptor desc;
	struct co_manifest manifest;
	struct co_config config;
};
/* desc may be an index: platform chooses (NULL: the host's). */
int co_view_open(struct co_view *v, struct co_arena *a, struct co_store *s,
		 const struct co_descriptor *desc, const struct co_platform *platform,
		 struct co_err *err) co_must_check;
void co_view_release(struct co_view *v);
/* Reading an image's manifest + config for `cooper inspect`, as one JSON document. */
int co_report_inspect(json_t **out, struct co_view *v, struct co_err *err) co_must_check;
/* One row a history entry, newest first, with the layer's size (0: empty). */
struct co_history_row {
	const char *created, *created_by, *comment;
	uint64_t size;
	bool empty;
	struct co_digest diff_id;
};
int co_report_history(struct co_history_row **out, size_t *n, struct co_arena *a, struct co_view *v,
		      struct co_err *err) co_must_check;
/* The flattened tree: entries of all layers with whiteouts applied, in the order of a walk (names
 * by bytes, a directory's entries right behind it); the root itself is not among them. layer: index
 * of the layer an entry comes from. No unpacking to disk: layers are read top-down once, and
 * checked against the config's diff ids (INTEGRITY). */
struct co_tree_entry {
	/* Strings in the arena. A hard link has its target's type, mode, owner, size and time; a
	 * directory that no layer describes is 0755 root. */
	struct co_tar_entry e;
	unsigned layer;
	/* Where a file's bytes are, hard links resolved: which layer (CO_TREE_NO_DATA: none) and
	 * the number of the member in it. */
	unsigned data_layer;
	uint64_t data_member;
};
#define CO_TREE_NO_DATA ((unsigned)-1)
struct co_tree {
	struct co_tree_entry *items;
	size_t n;
};
int co_report_tree(struct co_tree *out, struct co_arena *a, struct co_view *v,
		   struct co_err *err) co_must_check;
/* Looks a path up in a tree, following links in-root; NULL when missing. */
const struct co_tree_entry *co_tree_find(const struct co_tree *t, const char *path);
/* Writes one regular file's content (hard links resolved) to a sink (taken). */
int co_report_cat(struct co_view *v, const struct co_tree *t, const struct co_tree_entry *e,
		  struct co_sink *out, struct co_err *err) co_must_check;
/* The flattened image as one tar: directories first, then files in the order of their layers, then
 * the rest. out is taken. */
int co_report_export(struct co_view *v, struct co_sink *out, struct co_err *err) co_must_check;
/* Reads a small file of the image (e.g. "etc/passwd") from its layers; NULL text when absent. */
int co_report_slurp(struct co_view *v, const char *path, size_t max, char **out, size_t *len,
		    struct co_err *err) co_must_check;

/* Where two images differ first: layers from the bottom, then config, then manifest. Strings in the
 * arena or static; they may hold any bytes. */
struct co_difference {
	const char *place;     /* "layer 2 of 3", "config", "manifest" */
	const char *step;      /* what made the layer; "" unknown */
	const char *what;      /* "/usr/bin/x" or "config.Env[1]"; "" the whole */
	const char *attribute; /* "content", "mode", "time", "presence", … */
	const char *values[2]; /* in the first and in the second */
	const char *why;       /* likely cause and cure */
};
/* 1: *out says where; 0: the same bytes. The layers that differ must be in the store. */
int co_report_compare(struct co_difference *out, struct co_arena *a, struct co_view *first,
		      struct co_view *second, struct co_err *err) co_must_check;
