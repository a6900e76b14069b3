/* SPDX-License-Identifier: MIT
 *
 * acl.h — what the attributes of POSIX access control lists say about a mode.
 */
#pragma once
#include "guest.h"

#define ACL_LIST_SIZE 4096 /* longest list that is taken */

enum acl_kind { ACL_IS_NONE, ACL_IS_ACCESS, ACL_IS_DEFAULT };
enum acl_kind acl_kind(const char *name);

/* Says more than a mode can, says just a mode, or has no entries (which removes a list). */
enum acl_shape { ACL_BASE, ACL_EXTENDED, ACL_EMPTY };
/* An acl_shape, and the permission bits when it has entries; -EINVAL, or -EOPNOTSUPP for another
 * version. */
long acl_read(const uint8_t *value, size_t len, uint32_t *mode);
/* Puts the permission bits of mode into a list, as chmod would have. */
void acl_show(uint8_t *value, size_t len, uint32_t mode);
