/* SPDX-License-Identifier: MIT
 *
 * The half of root.h that works on a root whose metadata is claimed in the ownership table. On disk
 * such entries stay readable and writable for the builder and carry no set-id bits.
 */
#pragma once
#include <cooper/owntab.h>
#include <cooper/root.h>

/* The permission bits an entry gets on disk. */
uint32_t claims_disk_mode(uint32_t mode);
/* The claim of an entry: from the table, or what a file without an entry is. */
int claims_read(const struct co_root *r, int dirfd, const char *name, struct owntab_key *key,
		struct co_own *out);
/* fstatat and the claim together. */
int claims_stat(const struct co_root *r, int dirfd, const char *name, struct co_meta *out);
/* Records what a new entry claims (owner 0:0), or forgets what an earlier one of the same inode
 * number claimed. */
int claims_new(const struct co_root *r, int dirfd, const char *name, uint32_t mode,
	       uint32_t major_no, uint32_t minor_no);
int claims_set(const struct co_root *r, int dirfd, const char *name, uint32_t uid, uint32_t gid,
	       uint32_t mode);
/* A device node: an empty file with a claim. */
int claims_mkdev(const struct co_root *r, int dirfd, const char *name, uint32_t mode,
		 uint32_t major_no, uint32_t minor_no);
/* Called before the name of a non-directory goes away. */
void claims_forget(const struct co_root *r, int dirfd, const char *name);
/* Can the kernel itself store this attribute for this entry? */
bool claims_xattr_native(const struct co_own *own, const char *key);
/* chmod that also reaches (fd, "") when fd is O_PATH. */
int root_change_mode(int dirfd, const char *name, uint32_t mode);

/* root_node.c: a device node as an empty file with an attribute; and what such a file claims. */
int node_make(int dirfd, const char *name, uint32_t mode, uint32_t major_no, uint32_t minor_no);
void node_read(int dirfd, const char *name, struct co_meta *m);
