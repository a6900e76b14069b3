/* SPDX-License-Identifier: MIT
 *
 * context-internal.h — what the files of this module share: compiled patterns, the list of things
 * a source names, and the walk over them that copying and hashing have in common.
 */
#pragma once
#include <cooper/names.h>
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/context.h>
#include <string.h>

#define PATH_BYTES 8192 /* longest path in a tree */

/* ---- pattern.c: one pattern as a small automaton; time is pattern × path at worst ---- */
struct pattern {
	struct token *tokens; /* arena */
	size_t n;
	struct range *ranges; /* of all classes; arena */
	size_t n_ranges;
	char *literal; /* what the path must begin with; arena */
	size_t literal_len;
	bool exact;   /* no wildcard: literal is the whole */
	bool negated; /* a "!" line of an ignore file */
};
/* deep: "**" means any number of directories, as in ignore files; else it is "*". False when the
 * pattern is malformed by the rules of Go's path matching. */
bool pattern_compile(struct pattern *out, struct co_arena *a, const char *text, size_t len,
		     bool deep);
enum {
	HIT_SELF = 1,	/* the path matches */
	HIT_PARENT = 2, /* a directory above it does */
	HIT_BELOW = 4	/* something below it could */
};
unsigned pattern_run(const struct pattern *p, const char *path);
bool has_wildcard(const char *text, size_t len);
/* One more path (no pattern) that is hidden, whatever the lines before say; makes the list. */
void ignore_add_path(struct co_ignore **ig, const char *path);

/* ---- ignore.c ---- */
/* The patterns of --exclude. *out is NULL when there are none. */
int ignore_from_list(struct co_ignore **out, const char *const *list, size_t n, struct co_err *err);
/* Could a "!" line bring back something below this ignored directory? */
bool ignore_below(const struct co_ignore *ig, const char *dir);

/* ---- seen.c ---- */
/* (device, inode) → what was stored for its first path. */
struct seen {
	uint64_t dev, ino;
	const char *path; /* arena */
	uint64_t out_dev, out_ino;
};
struct seen_map {
	struct seen *slots; /* owned */
	size_t n, cap;
	struct co_arena arena;
};
/* The slot of an inode; its path is NULL when it is new, and then to be filled by seen_fill. */
struct seen *seen_find(struct seen_map *m, uint64_t dev, uint64_t ino);
void seen_fill(struct seen_map *m, struct seen *s, const char *path);
void seen_release(struct seen_map *m);

/* ---- source.c: what a source names ---- */
struct match {
	const char *name; /* last component as written: the name at the destination */
	const char *real; /* clean path in the tree without links; "" is the tree itself */
	struct co_meta meta;
};
struct matches {
	struct match *items; /* arena */
	size_t n;
	bool wildcard;
	bool parents;		    /* items are pivots; keep says what of them */
	const struct pattern *keep; /* NULL: all */
	const char *keep_text;
};
int source_resolve(struct matches *out, struct co_arena *a, const struct co_copy *c,
		   const struct co_copy_source *s, struct co_err *err);
/* The name an inline file or a download gets; refuses what is no file name. */
int source_name(const char **out, const struct co_copy_source *s, struct co_err *err);

/* ---- missing.c: the errors of a source that is not there ---- */
int source_missing(const struct co_copy_source *s, const char *pattern, struct co_err *err);
int source_ignored(const struct co_copy_source *s, const char *pattern, struct co_err *err);

/* ---- walk.c ---- */
struct frame {
	struct frame *up;
	int fd; /* of the directory in the source; owned by the walk */
	const char *name;
	struct co_meta meta;
	bool full;    /* selected itself, not only passed through */
	bool shown;   /* dir() was called */
	bool created; /* the visitor's: made by us */
	int out;      /* the visitor's descriptor; the walk closes it; -1 */
};
struct walk_ops {
	/* A directory, before anything in it. Those that are only passed through come when
	 * something below them is selected. */
	int (*dir)(void *ctx, struct frame *f);
	int (*leaf)(void *ctx, struct frame *in, const char *name, const struct co_meta *m);
	int (*leave)(void *ctx, struct frame *f);
};
struct walk {
	const struct co_root *root;
	const struct co_ignore *ignore, *exclude;
	const struct pattern *keep;
	const struct walk_ops *ops;
	void *ctx;
	struct co_err *err;
	unsigned depth;
	uint64_t selected;
	char path[PATH_BYTES]; /* of the current entry in the tree */
	size_t len, rel;       /* length; where the part below the source begins */
};
/* The path of the current entry relative to the source. */
static inline const char *walk_rel(const struct walk *w)
{
	return w->path + w->rel;
}
/* Visits what is below the directory real. top stands for it: the visitor made or opened it. A
 * visitor's return value that is not 0 ends the walk and is returned. */
int walk_tree(struct walk *w, const char *real, struct frame *top);
struct walk *walk_new(const struct co_copy *c, const struct co_copy_source *s,
		      const struct co_ignore *exclude, struct co_err *err);

/* Is a directory that is itself ignored there all the same, because of something in it? */
bool visible_below(const struct co_copy_source *s, const char *real);

/* ---- entry.c and place.c: the writing side ---- */
struct copier {
	const struct co_copy *c;
	const struct co_root *dest;
	const struct co_copy_source *src; /* current */
	const char *top;		  /* destination of the current source */
	struct walk *walk;		  /* current */
	struct seen_map links;
	struct co_arena arena;
	struct co_err *err;
	bool independent; /* --link */
	bool file_made;	  /* the destination itself is a file of this copy */
	int made_errno;
};
extern const struct walk_ops copy_ops;
/* Makes what stands for a selected entry as (fd, name). from is the source's directory. path tells
 * where it is in the destination. */
int entry_write(struct copier *x, int from, const char *from_name, int fd, const char *name,
		const char *path, const struct co_meta *m);
/* A regular file out of a descriptor or of memory. */
int entry_write_data(struct copier *x, int in, const char *data, size_t len, int fd,
		     const char *name, const struct co_meta *m);
/* Owner and mode, as far as they may be set. 0 or -1 with errno. */
int entry_claim(const struct copier *x, int fd, const char *name, uint32_t uid, uint32_t gid,
		uint32_t mode);
uint32_t copy_uid(const struct co_copy *c, const struct co_copy_source *s, const struct co_meta *m);
uint32_t copy_gid(const struct co_copy *c, const struct co_copy_source *s, const struct co_meta *m);
uint32_t copy_mode(const struct co_copy *c, const struct co_meta *m);

/* place.c: where a source goes. */
bool dest_is_dir(const char *dest);
/* Opens the destination as a directory, making what is missing. path: where it is. */
int place_dir(struct copier *x, int *fd, const char **path);
/* The directory and the name for a file. */
int place_file(struct copier *x, const char *base, int *fd, const char **name, const char **path);
