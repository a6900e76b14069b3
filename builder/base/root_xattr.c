/* SPDX-License-Identifier: MIT
 *
 * Extended attributes of a root's entries. There is no *xattrat family before Linux 6.13, so an
 * entry is reached through its directory's descriptor in /proc.
 */
#include "root-internal.h"
#include <cooper/auto.h>
#include <cooper/root.h>
#include <cooper/str.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define CAPABILITY "security.capability"

struct entry_path {
	char text[512];
	bool follow; /* the descriptor itself: its /proc link is to be followed */
};

static bool entry_path(struct entry_path *p, int dirfd, const char *name)
{
	int n = snprintf(p->text, sizeof(p->text), "/proc/self/fd/%d%s%s", dirfd, *name ? "/" : "",
			 name);
	p->follow = !*name;
	return n > 0 && (size_t)n < sizeof(p->text);
}

/* A revision 3 capability names the namespace's root by a host id: cut it down to revision 2, else
 * the layer would depend on this host's subordinate ids. Layout: linux/capability.h. */
static ssize_t normalise_capability(unsigned char *v, ssize_t n, size_t size)
{
	uint32_t magic;
	if (n != 24 || size < 24)
		return n;
	memcpy(&magic, v, 4);
	magic = le32toh(magic);
	if ((magic & 0xff000000u) != 0x03000000u)
		return n;
	magic = htole32(0x02000000u | (magic & 1));
	memcpy(v, &magic, 4);
	return 20;
}

ssize_t co_root_getxattr(const struct co_root *r, int dirfd, const char *name, const char *key,
			 void *val, size_t size)
{
	struct entry_path p;
	if (!entry_path(&p, dirfd, name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (r->owners) {
		struct owntab_key k;
		struct co_own own;
		if (claims_read(r, dirfd, name, &k, &own) < 0)
			return -1;
		if (!claims_xattr_native(&own, key)) {
			ssize_t got = co_owntab_getxattr(r->owners, &k, key, val, size);
			return got > 0 && !strcmp(key, CAPABILITY)
				       ? normalise_capability(val, got, size)
				       : got;
		}
	}
	ssize_t n = p.follow ? getxattr(p.text, key, val, size) : lgetxattr(p.text, key, val, size);
	if (n > 0 && !strcmp(key, CAPABILITY))
		n = normalise_capability(val, n, size);
	return n;
}

int co_root_setxattr(const struct co_root *r, int dirfd, const char *name, const char *key,
		     const void *val, size_t size)
{
	struct entry_path p;
	if (!entry_path(&p, dirfd, name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (r->owners) {
		struct owntab_key k;
		struct co_own own;
		if (claims_read(r, dirfd, name, &k, &own) < 0)
			return -1;
		if (!claims_xattr_native(&own, key))
			return co_owntab_setxattr(r->owners, &k, &own, key, val, size);
	}
	return p.follow ? setxattr(p.text, key, val, size, 0)
			: lsetxattr(p.text, key, val, size, 0);
}

bool co_xattr_is_host(const char *key)
{
	static const char *const prefixes[] = {
		"user.overlay.", "trusted.overlay.", "security.selinux",
		"security.ima",	 "security.evm",     "security.apparmor",
		"system.",	 "user.cooper.",     NULL};
	for (size_t i = 0; prefixes[i]; i++)
		if (co_starts(key, prefixes[i]))
			return true;
	return false;
}

/* Appends the names in the table to the n bytes of names the kernel gave. */
static ssize_t add_claimed(const struct co_root *r, int dirfd, const char *name, char *list,
			   size_t size, ssize_t n)
{
	struct owntab_key k;
	size_t room = size ? size - (size_t)n : 0;
	if (co_owntab_key(dirfd, name, &k, NULL) < 0)
		return -1;
	if (size && !room) {
		if (co_owntab_listxattr(r->owners, &k, list, 0) == 0)
			return n;
		errno = ERANGE;
		return -1;
	}
	ssize_t more = co_owntab_listxattr(r->owners, &k, size ? list + n : list, room);
	return more < 0 ? -1 : n + more;
}

ssize_t co_root_listxattr(const struct co_root *r, int dirfd, const char *name, char *list,
			  size_t size)
{
	struct entry_path p;
	if (!entry_path(&p, dirfd, name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	ssize_t n = p.follow ? listxattr(p.text, list, size) : llistxattr(p.text, list, size);
	if (r->owners && n >= 0)
		n = add_claimed(r, dirfd, name, list, size, n);
	if (n <= 0 || !size)
		return n;
	size_t kept = 0;
	for (size_t at = 0; at < (size_t)n;) {
		size_t len = strlen(list + at) + 1;
		if (!co_xattr_is_host(list + at)) {
			memmove(list + kept, list + at, len);
			kept += len;
		}
		at += len;
	}
	return (ssize_t)kept;
}
