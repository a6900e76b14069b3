/* SPDX-License-Identifier: MIT
 *
 * owner.h — what a file claims (owner, mode, device), who the caller claims to be, and what follows
 * from the two. Used with CO_IP_IDS only, unless said otherwise.
 */
#pragma once
#include "path.h"
#include <linux/capability.h>

struct meta {
	uint32_t mode, uid, gid, dev_major, dev_minor; /* as claimed */
	uint32_t disk_mode, nlink;
	struct owntab_key key;
	bool claimed; /* the table has an entry */
	uint32_t xattrs;
};
/* Of a place, or of a descriptor. 0 or negative errno. */
long meta_get(const struct where *w, struct meta *m);
long meta_get_fd(int fd, struct meta *m);
/* Records the claims in *m (uid, gid, mode, device). -ENOSPC when the table is full. */
long meta_put(struct meta *m);
void meta_forget(const struct meta *m);
/* Replaces all attributes of the entry by a block of records. */
long meta_put_xattrs(struct meta *m, const uint8_t *block, uint32_t size);
/* What changing hands and being written to take from a file: its capabilities (xattr.c), and unless
 * the caller may keep them, the set-id bits. */
void meta_drop_caps(struct meta *m);
void meta_written(struct meta *m);
/* The claim for (dev, ino), if there is one that may hold: birth is looked up by the caller. */
bool meta_maybe(uint64_t dev_major_minor, uint64_t ino);
/* What goes on disk for a mode. */
uint32_t meta_disk(uint32_t mode);

/* ---- who is asking ---- */
struct co_ip_cred *cred(void);
static inline bool cred_cap(const struct co_ip_cred *c, int cap)
{
	return c->effective >> cap & 1;
}
bool cred_in_group(const struct co_ip_cred *c, uint32_t gid);
/* Nothing is denied to the caller, and what it makes belongs to 0:0. */
bool cred_plain_root(void);

/* ---- permissions: 0, -EACCES or -EPERM; want is a mask of R_OK W_OK X_OK ---- */
long may(const struct meta *m, int want);
long may_real(const struct meta *m, int want); /* access(2): by the real ids */
/* Every directory on the way may be searched. Works where names are resolved; else only the last.
 */
long may_reach(struct where *w);
/* An entry may be made in, or removed from, the directory of w. */
long may_change_dir(struct where *w, bool removing);
long may_own(const struct meta *m); /* chmod, utimes: the owner or CAP_FOWNER */
/* The directory a new entry goes into. */
long meta_parent(struct where *w, struct meta *m);
