/* SPDX-License-Identifier: MIT
 *
 * unpack-internal.h — the state of one co_unpack call, shared by its files.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/root.h>
#include <cooper/tar.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FULL_MAX (2 * PATH_MAX) /* destination and member name */

/* Entries that this layer has made, by directory identity and name (FLAT only). */
struct made_set {
	uint64_t *keys; /* owned; open addressing, 0 is empty */
	size_t size, used;
};

struct late_dir {
	const char *path; /* in the arena; full */
	struct timespec mtime;
	uint32_t mode;
	bool fix_mode;
};

/* The directory that members are being made in: archives list a directory's files together. */
struct parent {
	char path[FULL_MAX];
	int fd; /* owned; -1: none */
	bool set_gid;
	uint64_t dev, ino;
};

struct unpacker {
	struct co_unpack *u;
	const struct co_root *root;
	struct co_tar_reader *reader;
	struct co_arena arena;
	char dest[PATH_MAX]; /* clean */
	uint32_t euid, egid;
	struct parent parent;
	struct made_set made;
	struct late_dir *late; /* owned */
	size_t n_late, cap_late, late_bytes;
};

/* unpack_tree.c: directories. */
/* Makes p->fd the directory `path` (full); creates missing ones when make is set. Returns 1 when
 * there is none and make is not set, 0, or an error. */
int parent_enter(struct unpacker *x, const char *path, bool make, struct co_err *err);
void parent_forget(struct unpacker *x);
/* Directory times (and modes that would lock us out) wait for the end. */
int late_add(struct unpacker *x, const char *full, const struct co_tar_entry *e, bool fix_mode,
	     struct co_err *err);
int late_apply(struct unpacker *x, struct co_err *err);
void made_add(struct unpacker *x, const char *name);
void made_add_in(struct unpacker *x, uint64_t dev, uint64_t ino, const char *name);
bool made_has(const struct unpacker *x, uint64_t dev, uint64_t ino, const char *name);

/* unpack_entry.c: one member called `name` in the current parent; full is its whole path. */
int entry_make(struct unpacker *x, const struct co_tar_entry *e, const char *full, const char *name,
	       struct co_err *err);
/* A directory member that names the destination itself. */
int entry_root(struct unpacker *x, const struct co_tar_entry *e, struct co_err *err);

/* whiteout.c */
enum wh_kind {
	WH_NONE,   /* an ordinary name */
	WH_SKIP,   /* aufs's own files */
	WH_BAD,	   /* a reserved name that means nothing */
	WH_DELETE, /* hides what is called *target in lower layers */
	WH_OPAQUE  /* hides everything lower in its directory */
};
enum wh_kind whiteout_kind(const char *rel, const char **target);
int whiteout_apply(struct unpacker *x, enum wh_kind kind, const char *dir, const char *target,
		   struct co_err *err);
bool is_overlay_whiteout(const struct co_meta *m);
int set_opaque(struct unpacker *x, int dirfd, const char *name, struct co_err *err);

/* unpack.c */
/* Appends the clean form of an archive's name to the destination. *rel points at the part behind
 * the destination ("" for the destination itself). Names with ".." are refused. */
int full_path(struct unpacker *x, const char *name, char full[FULL_MAX], const char **rel,
	      struct co_err *err);
/* Cuts the last component off full; returns it. full then is the directory. */
char *split_last(char *full);
