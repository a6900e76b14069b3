/* SPDX-License-Identifier: MIT
 *
 * The attributes behind POSIX access control lists (acl(5), linux/posix_acl_xattr.h): a version and
 * entries of tag, permissions and id, little-endian like every machine this runs on.
 */
#include "acl.h"
#include <sys/stat.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#define HEAD  sizeof(struct posix_acl_xattr_header)
#define ENTRY sizeof(struct posix_acl_xattr_entry)

enum acl_kind acl_kind(const char *name)
{
	if (text_eq(name, "system.posix_acl_access"))
		return ACL_IS_ACCESS;
	return text_eq(name, "system.posix_acl_default") ? ACL_IS_DEFAULT : ACL_IS_NONE;
}

/* Entries come in the order of their tags, and only named ones may repeat; returns how far the list
 * has come (the smallest tag that may follow), 0 when the entry has no place there. */
static uint32_t next_tag(uint32_t from, const struct posix_acl_xattr_entry *e)
{
	bool named = e->e_tag == ACL_USER || e->e_tag == ACL_GROUP;
	bool known = e->e_tag && e->e_tag <= ACL_OTHER && !(e->e_tag & (e->e_tag - 1));
	if (!known || e->e_tag < from || e->e_perm & ~7u || (named && e->e_id == ~0u))
		return 0;
	if (from <= ACL_USER_OBJ && e->e_tag != ACL_USER_OBJ)
		return 0;
	if (from > ACL_USER_OBJ && from <= ACL_GROUP_OBJ && e->e_tag > ACL_GROUP_OBJ)
		return 0;
	return named ? e->e_tag : e->e_tag * 2u;
}

long acl_read(const uint8_t *value, size_t len, uint32_t *mode)
{
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry e;
	uint32_t from = ACL_USER_OBJ, bits = 0, seen = 0;
	if (len < HEAD || (len - HEAD) % ENTRY)
		return -EINVAL;
	memcpy(&head, value, HEAD);
	if (head.a_version != POSIX_ACL_XATTR_VERSION)
		return -EOPNOTSUPP;
	for (size_t at = HEAD; at < len; at += ENTRY) {
		memcpy(&e, value + at, ENTRY);
		from = next_tag(from, &e);
		if (!from)
			return -EINVAL;
		seen |= e.e_tag;
		if (e.e_tag == ACL_USER_OBJ)
			bits |= (uint32_t)e.e_perm << 6;
		else if (e.e_tag == ACL_GROUP_OBJ || e.e_tag == ACL_MASK)
			bits = (bits & ~0070u) | (uint32_t)e.e_perm << 3;
		else if (e.e_tag == ACL_OTHER)
			bits |= e.e_perm;
	}
	if (!seen)
		return ACL_EMPTY;
	if (!(seen & ACL_OTHER) || (seen & (ACL_USER | ACL_GROUP) && !(seen & ACL_MASK)))
		return -EINVAL;
	*mode = bits;
	return seen & (ACL_USER | ACL_GROUP | ACL_MASK) ? ACL_EXTENDED : ACL_BASE;
}

void acl_show(uint8_t *value, size_t len, uint32_t mode)
{
	struct posix_acl_xattr_entry e;
	size_t group = 0;
	for (size_t at = HEAD; at + ENTRY <= len; at += ENTRY) {
		memcpy(&e, value + at, ENTRY);
		if (e.e_tag == ACL_MASK || (e.e_tag == ACL_GROUP_OBJ && !group))
			group = at;
		if (e.e_tag != ACL_USER_OBJ && e.e_tag != ACL_OTHER)
			continue;
		e.e_perm = (e.e_tag == ACL_USER_OBJ ? mode >> 6 : mode) & 7;
		memcpy(value + at, &e, ENTRY);
	}
	if (!group)
		return;
	memcpy(&e, value + group, ENTRY);
	e.e_perm = mode >> 3 & 7;
	memcpy(value + group, &e, ENTRY);
}
