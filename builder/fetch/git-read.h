/* SPDX-License-Identifier: MIT
 *
 * What the files that read a local git repository share. Nothing of it is executed, and the git
 * program is not needed: what an image looks like must not depend on what is installed. Formats:
 * gitrepository-layout(5), gitformat-pack(5). The repository is hostile: sizes, depths and cycles
 * are bounded, only regular files are read. It may name any path of this machine (worktrees,
 * submodules and alternates do), which is why the result is a time and nothing else.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/err.h>
#include <stdbool.h>
#include <stdint.h>

/* Name of an object: SHA-1 or SHA-256, told apart by length. */
struct git_id {
	uint8_t bytes[32];
	size_t len; /* 20 or 32 */
};
/* False when text does not begin with a whole one. */
bool git_id_parse(struct git_id *out, const char *text);

/* ---- git_dir.c: where the repository of a directory is ---- */
struct git_dir {
	int dir;    /* of this work tree: HEAD */
	int common; /* of all work trees: refs, objects */
};
/* The ".git" in `start` or a parent of it on the same file system. 1: found, 0: there is none. */
int git_dir_find(struct git_dir *out, int start, struct co_err *err) co_must_check;
void git_dir_close(struct git_dir *d);
/* A regular file, or -1 with errno (EISDIR, EINVAL for what is none). Never blocks. */
int git_open_file(int dirfd, const char *name);
/* Its text, at most max bytes, blanks at the end cut off. ENOENT and EISDIR: NOT_FOUND. */
int git_read_text(int dirfd, const char *name, size_t max, struct co_buf *out,
		  struct co_err *err) co_must_check;

/* ---- git_head.c ---- */
/* 1: the commit that is checked out; 0: none was made yet. */
int git_head(struct git_id *out, const struct git_dir *d, struct co_err *err) co_must_check;

/* ---- git_object.c: an object by its name ---- */
#define GIT_DIRS 32
enum git_type {
	GIT_COMMIT = 1,
	GIT_TREE = 2,
	GIT_BLOB = 3,
	GIT_TAG = 4,
	GIT_OFS_DELTA = 6,
	GIT_REF_DELTA = 7
};
struct git_objects {
	int dirs[GIT_DIRS]; /* "objects" of the repository and of its alternates */
	size_t n;
	size_t budget; /* bytes that may still be inflated */
};
int git_objects_open(struct git_objects *o, int common, struct co_err *err) co_must_check;
void git_objects_close(struct git_objects *o);
/* NOT_FOUND, INVALID or LIMIT. depth: how many deltas lead here. */
int git_object_read(struct git_objects *o, const struct git_id *id, unsigned depth,
		    enum git_type *type, struct co_buf *out, struct co_err *err) co_must_check;
/* Inflates the stream at `at` of fd. exact: that many bytes must come out; else at most max. */
int git_inflate(struct git_objects *o, int fd, int64_t at, size_t max, bool exact,
		struct co_buf *out, struct co_err *err) co_must_check;

/* ---- git_pack.c: packs of one objects directory ---- */
/* 1: found and read, 0: in none of them. */
int git_pack_read(struct git_objects *o, int objects, const struct git_id *id, unsigned depth,
		  enum git_type *type, struct co_buf *out, struct co_err *err) co_must_check;
/* Puts together what a delta makes of its base. */
int git_delta_apply(struct git_objects *o, const struct co_buf *base, const struct co_buf *delta,
		    struct co_buf *out, struct co_err *err) co_must_check;

#define GIT_OBJECT_MAX (8u << 20)
