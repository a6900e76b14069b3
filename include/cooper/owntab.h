/* SPDX-License-Identifier: MIT
 *
 * owntab.h — what entries of a root claim about themselves where the builder may not make it true:
 * owner, mode, device number, and attributes the kernel refuses. One table serves one or more roots
 * and is shared, through its descriptor, with every process of a step (docs/sandbox.md).
 *
 * An entry belongs to an inode: (device, inode number, birth time). Hard links share it, a rename
 * keeps it, a copy has none until it is set, and an inode number that is used again has another
 * birth time. A file without an entry belongs to 0:0 and has the mode that is on disk.
 *
 * Steps write to the table while they run: what is read from it is a claim, not a fact about the
 * host, and no content makes these functions fail in other ways than described.
 */
#pragma once
#include <cooper/err.h>
#include <cooper/owntab_layout.h>
#include <stdbool.h>
#include <sys/types.h>

struct co_owntab;
struct co_own {
	uint32_t uid, gid;
	uint32_t mode; /* type and permission bits; never 0 */
	uint32_t dev_major, dev_minor;
	uint32_t attrs; /* read only: another value when the attributes were set again */
};

/* A new, empty table. path NULL: in memory, with its size sealed, so that no step can cut it; this
 * is what a build uses. Otherwise a sparse file (replaced when it exists) that outlives the builder
 * and must not be given to a step. */
int co_owntab_create(struct co_owntab **out, const char *path, struct co_err *err) co_must_check;
/* A table made by create with a path. INVALID when it is something else. */
int co_owntab_open(struct co_owntab **out, const char *path, struct co_err *err) co_must_check;
void co_owntab_close(struct co_owntab *t);
int co_owntab_fd(const struct co_owntab *t); /* borrowed */

/* The key of (dirfd, name), or of dirfd itself when name is "". Links are not followed. Where the
 * kernel has no statx, birth is 0. Also gives the link count when nlink is not NULL. 0 or -1 with
 * errno. */
int co_owntab_key(int dirfd, const char *name, struct owntab_key *key, uint64_t *nlink);
/* The same, and all that stat tells, with one call of the kernel. */
struct stat;
int co_owntab_stat(int dirfd, const char *name, struct owntab_key *key, struct stat *st);
bool co_owntab_get(const struct co_owntab *t, const struct owntab_key *key, struct co_own *out);
/* Sets everything but the attributes. 0, or -1 with ENOSPC when the table is full. */
int co_owntab_set(struct co_owntab *t, const struct owntab_key *key, const struct co_own *own);
void co_owntab_remove(struct co_owntab *t, const struct owntab_key *key);
void co_owntab_reset(struct co_owntab *t); /* forgets everything; no step may be running */
/* Calls fn for every entry; a return value other than 0 ends the walk and is returned. */
int co_owntab_each(const struct co_owntab *t,
		   int (*fn)(void *ctx, const struct owntab_key *key, const struct co_own *own),
		   void *ctx);
size_t co_owntab_count(const struct co_owntab *t);

/* Attributes, with the meaning and the errno values of the system calls (ENODATA, ERANGE, ENOSPC).
 * set needs an entry: `own` is the claim that is recorded when there is none yet. */
ssize_t co_owntab_getxattr(const struct co_owntab *t, const struct owntab_key *key,
			   const char *name, void *val, size_t size);
int co_owntab_setxattr(struct co_owntab *t, const struct owntab_key *key, const struct co_own *own,
		       const char *name, const void *val, size_t size);
ssize_t co_owntab_listxattr(const struct co_owntab *t, const struct owntab_key *key, char *list,
			    size_t size);
/* Says that a FIFO was made: a step must not block with all signals held when it opens one. */
void co_owntab_note_fifo(struct co_owntab *t);
