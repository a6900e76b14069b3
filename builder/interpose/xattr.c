/* SPDX-License-Identifier: MIT
 *
 * Extended attributes: user.* of files and directories are the kernel's; the rest lives in the
 * ownership table. The f-variants have their descriptor where the others have a path.
 */
#include "acl.h"
#include "files.h"
#include <sys/stat.h>
#include <unistd.h>
#include <linux/xattr.h>

#define NAME_SIZE 256

struct target {
	struct where w;
	struct meta m;
	char path[WHERE_PATH];
	char name[NAME_SIZE];
};

static bool is_nofollow(long nr)
{
	return nr == SYS_lgetxattr || nr == SYS_lsetxattr || nr == SYS_llistxattr ||
	       nr == SYS_lremovexattr;
}

static long find(struct call *c, struct target *t, const char *name)
{
	long r;
	if (c->row->path < 0) {
		t->w = (struct where){.dir = (int)c->a[0], .rel = ""};
		r = fd_reserved(c->a[0]) ? -EBADF : 0;
	} else {
		bool follow = !is_nofollow(c->nr);
		r = where_find(&t->w, c->dirfd, c->path, follow ? W_FOLLOW : 0);
		if (r == 0 && ids_on())
			r = may_reach(&t->w);
	}
	if (r == 0)
		r = meta_get(&t->w, &t->m);
	if (r == 0 && t->w.maybe_link && S_ISLNK(t->m.mode) && (r = where_follow(&t->w)) == 0)
		r = meta_get(&t->w, &t->m);
	if (r < 0)
		return r;
	where_path(&t->w, t->path);
	t->name[0] = '\0';
	if (name) {
		r = guest_string(t->name, sizeof(t->name), name);
		if (r == -ENAMETOOLONG || r == 0)
			return -ERANGE;
	}
	return r < 0 ? r : 0;
}

static bool in_table(const struct target *t)
{
	if (!ids_on())
		return false;
	if (text_starts(t->name, "user."))
		return !S_ISREG(t->m.disk_mode) && !S_ISDIR(t->m.disk_mode);
	return true;
}

/* Reads and changes need what the kernel would ask for. */
static long permitted(const struct target *t, bool change)
{
	const struct co_ip_cred *c = cred();
	if (!ids_on())
		return 0;
	if (text_starts(t->name, "security.capability"))
		return change && !cred_cap(c, CAP_SETFCAP) ? -EPERM : 0;
	if (text_starts(t->name, "user.")) {
		if (!S_ISREG(t->m.mode) && !S_ISDIR(t->m.mode))
			return change ? -EPERM : -ENODATA;
		return may(&t->m, change ? W_OK : R_OK);
	}
	if (text_starts(t->name, "trusted."))
		return c->euid ? (change ? -EPERM : -ENODATA) : 0;
	if (text_starts(t->name, "security."))
		return change && c->euid ? -EPERM : 0;
	if (acl_kind(t->name))
		return S_ISLNK(t->m.mode) ? -EOPNOTSUPP : change ? may_own(&t->m) : 0;
	return -EOPNOTSUPP;
}

/* The l-variants on a path made of a descriptor's link must follow that link, but never another. */
static bool use_l(const struct target *t)
{
	return *t->w.rel && !t->w.follow;
}

static bool lookup(const struct meta *m, const char *name, const uint8_t **value, uint32_t *len)
{
	struct owntab_xattr x;
	const uint8_t *key;
	uint32_t size;
	size_t n = text_len(name);
	const uint8_t *block = owntab_block(g.tab, m->claimed ? m->xattrs : 0, &size);
	for (uint32_t pos = 0; owntab_record(block, size, &pos, &x, &key);)
		if (x.key_len == n && !memcmp(key, name, n)) {
			*value = key + n;
			*len = x.value_len;
			return true;
		}
	return false;
}

long h_getxattr(struct call *c)
{
	struct target t;
	const uint8_t *value;
	uint8_t list[ACL_LIST_SIZE];
	uint32_t len;
	const long *x = c->row->path < 0 ? c->a + 1 : c->x;
	long r = find(c, &t, (const char *)x[0]);
	if (r == 0)
		r = permitted(&t, false);
	if (r < 0)
		return r;
	if (!in_table(&t))
		return sys4(use_l(&t) ? SYS_lgetxattr : SYS_getxattr, t.path, t.name, x[1], x[2]);
	if (!lookup(&t.m, t.name, &value, &len))
		return -ENODATA;
	if (x[2] && (uint64_t)x[2] < len)
		return -ERANGE;
	if (acl_kind(t.name) == ACL_IS_ACCESS && len <= sizeof(list)) {
		/* the mode may have changed since the list was set */
		memcpy(list, value, len);
		acl_show(list, len, t.m.mode);
		value = list;
	}
	r = x[2] ? guest_write((void *)x[1], value, len) : 0;
	return r < 0 ? r : (long)len;
}

long h_listxattr(struct call *c)
{
	struct target t;
	char list[8192];
	const long *x = c->row->path < 0 ? c->a + 1 : c->x;
	long r = find(c, &t, NULL);
	if (r < 0)
		return r;
	if (!ids_on())
		return sys3(use_l(&t) ? SYS_llistxattr : SYS_listxattr, t.path, x[0], x[1]);
	long n = sys3(use_l(&t) ? SYS_llistxattr : SYS_listxattr, t.path, list, sizeof(list));
	if (n == -EOPNOTSUPP)
		n = 0;
	if (n < 0)
		return n;
	uint32_t size;
	struct owntab_xattr rec;
	const uint8_t *key;
	const uint8_t *block = owntab_block(g.tab, t.m.claimed ? t.m.xattrs : 0, &size);
	for (uint32_t pos = 0; owntab_record(block, size, &pos, &rec, &key);) {
		if ((size_t)n + rec.key_len + 1 > sizeof(list))
			return -E2BIG;
		memcpy(list + n, key, rec.key_len);
		n += rec.key_len;
		list[n++] = '\0';
	}
	if (x[1] && x[1] < n)
		return -ERANGE;
	r = x[1] ? guest_write((void *)x[0], list, (size_t)n) : 0;
	return r < 0 ? r : n;
}

/* A block with the records of the old one except `name`, and a new one when value is not NULL.
 * value is the guest's. Returns its size or an error. */
static long rebuild(const struct meta *m, const char *name, uint8_t *out, size_t room,
		    const void *value, uint32_t len, bool add)
{
	struct owntab_xattr x;
	const uint8_t *key;
	uint32_t size, n = 0, was = 0;
	size_t name_len = text_len(name);
	const uint8_t *block = owntab_block(g.tab, m->claimed ? m->xattrs : 0, &size);
	for (uint32_t pos = 0; owntab_record(block, size, &pos, &x, &key); was = pos) {
		if (x.key_len == name_len && !memcmp(key, name, name_len))
			continue;
		if (n + (pos - was) > room)
			return -ENOSPC;
		memcpy(out + n, block + was, pos - was);
		n += pos - was;
	}
	if (!add)
		return n;
	if (n + sizeof(x) + name_len + len > room)
		return -ENOSPC;
	x = (struct owntab_xattr){len, (uint32_t)name_len};
	memcpy(out + n, &x, sizeof(x));
	memcpy(out + n + sizeof(x), name, name_len);
	long r = guest_read(out + n + sizeof(x) + name_len, value, len);
	return r < 0 ? r : (long)(n + sizeof(x) + name_len + len);
}

/* The capability's owner must be told apart from one a user namespace gave: revision 2 or 3. */
static long set_in_table(struct target *t, const void *value, uint64_t len, long flags, bool add)
{
	uint8_t block[16384];
	const uint8_t *old;
	uint32_t old_len;
	bool there = lookup(&t->m, t->name, &old, &old_len);
	if (!add && !there)
		return -ENODATA;
	if (flags & XATTR_CREATE && there)
		return -EEXIST;
	if (flags & XATTR_REPLACE && !there)
		return -ENODATA;
	if (len > sizeof(block))
		return -ENOSPC;
	long n = rebuild(&t->m, t->name, block, sizeof(block), value, (uint32_t)len, add);
	return n < 0 ? n : meta_put_xattrs(&t->m, block, (uint32_t)n);
}

void meta_drop_caps(struct meta *m)
{
	static const char name[] = "security.capability";
	uint8_t block[16384];
	const uint8_t *old;
	uint32_t len;
	if (!lookup(m, name, &old, &len))
		return;
	long n = rebuild(m, name, block, sizeof(block), NULL, 0, false);
	/* rather no attributes than rights that were to go */
	if (n < 0 || meta_put_xattrs(m, block, (uint32_t)n) < 0)
		meta_put_xattrs(m, NULL, 0);
}

void meta_written(struct meta *m)
{
	const struct co_ip_cred *c = cred();
	if (!S_ISREG(m->mode))
		return;
	meta_drop_caps(m);
	uint32_t drop = S_ISUID;
	if (m->mode & 0010 || !cred_in_group(c, m->gid))
		drop |= S_ISGID;
	if (!(m->mode & drop) || cred_cap(c, CAP_FSETID))
		return;
	m->mode &= ~drop;
	meta_put(m);
}

static long remove_acl(struct target *t)
{
	long r = set_in_table(t, NULL, 0, 0, false);
	return r == -ENODATA ? 0 : r;
}

/* A list that says no more than a mode becomes the mode; another one also is kept. Named entries
 * grant nothing here (docs/interposer.md). */
static long set_acl(struct target *t, const void *value, uint64_t len)
{
	uint8_t list[ACL_LIST_SIZE];
	uint32_t mode = 0;
	bool access = acl_kind(t->name) == ACL_IS_ACCESS;
	if (len > sizeof(list))
		return -ENOSPC;
	long r = guest_read(list, value, len);
	long shape = r < 0 ? r : len ? acl_read(list, len, &mode) : ACL_EMPTY;
	if (shape < 0)
		return shape;
	if (!access && !S_ISDIR(t->m.mode))
		return shape == ACL_EMPTY ? 0 : -EACCES;
	if (access && shape != ACL_EMPTY) {
		r = change_mode(&t->w, &t->m, (t->m.mode & 07000) | mode);
		if (r < 0)
			return r;
	}
	if (shape == ACL_EMPTY || (access && shape == ACL_BASE))
		return remove_acl(t);
	return set_in_table(t, value, len, 0, true);
}

long h_setxattr(struct call *c)
{
	struct target t;
	const long *x = c->row->path < 0 ? c->a + 1 : c->x;
	long r = find(c, &t, (const char *)x[0]);
	if (r == 0)
		r = t.w.readonly ? -EROFS : *t.w.rel ? 0 : fd_writable(t.w.dir);
	if (r == 0)
		r = permitted(&t, true);
	if (r < 0)
		return r;
	if (!in_table(&t))
		return sys5(use_l(&t) ? SYS_lsetxattr : SYS_setxattr, t.path, t.name, x[1], x[2],
			    x[3]);
	if (acl_kind(t.name))
		return set_acl(&t, (void *)x[1], (uint64_t)x[2]);
	return set_in_table(&t, (void *)x[1], (uint64_t)x[2], x[3], true);
}

long h_removexattr(struct call *c)
{
	struct target t;
	const long *x = c->row->path < 0 ? c->a + 1 : c->x;
	long r = find(c, &t, (const char *)x[0]);
	if (r == 0)
		r = t.w.readonly ? -EROFS : *t.w.rel ? 0 : fd_writable(t.w.dir);
	if (r == 0)
		r = permitted(&t, true);
	if (r < 0)
		return r;
	if (!in_table(&t))
		return sys2(use_l(&t) ? SYS_lremovexattr : SYS_removexattr, t.path, t.name);
	return acl_kind(t.name) ? remove_acl(&t) : set_in_table(&t, NULL, 0, 0, false);
}
