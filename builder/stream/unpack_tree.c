/* SPDX-License-Identifier: MIT
 *
 * unpack_tree.c — directories during unpacking: the current one, the ones whose times wait for the
 * end, and what this layer has made.
 */
#include "unpack-internal.h"
#include <cooper/str.h>
#include <cooper/auto.h>
#include <cooper/inroot.h>
#include <fcntl.h>
#include <string.h>

#define LATE_BYTES (256u << 20) /* names of directories held until the end */

void parent_forget(struct unpacker *x)
{
	co_close_fd(&x->parent.fd);
}

/* A directory that no member describes: 0755 root. */
static void made_dir(void *ctx, int dirfd, const char *name)
{
	struct unpacker *x = ctx;
	struct stat st;

	if (x->root->owners)
		(void)co_root_set_owner_mode(x->root, dirfd, name, 0, 0, 0755);
	if (x->u->mode == CO_UNPACK_FLAT && fstat(dirfd, &st) == 0)
		made_add_in(x, st.st_dev, st.st_ino, name);
}

int parent_enter(struct unpacker *x, const char *path, bool make, struct co_err *err)
{
	struct parent *p = &x->parent;
	struct stat st;
	auto_fd fd = -1;

	if (p->fd >= 0 && !strcmp(p->path, path))
		return 0;
	fd = co_inroot_open(x->root->fd, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && !make && (errno == ENOENT || errno == ENOTDIR))
		return 1;
	if (fd < 0 && errno == ENOENT)
		fd = co_inroot_mkdirs(x->root->fd, path, 0755, made_dir, x);
	if (fd < 0 && errno == ENOTDIR)
		return co_fail(err, CO_E_INVALID, "%s: a part of it is no directory", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return co_fail_sys(err, "%s", path);
	parent_forget(x);
	p->fd = co_steal_fd(&fd);
	p->set_gid = (st.st_mode & S_ISGID) != 0;
	p->dev = st.st_dev;
	p->ino = st.st_ino;
	co_put_text(p->path, sizeof(p->path), path);
	return 0;
}

int late_add(struct unpacker *x, const char *full, const struct co_tar_entry *e, bool fix_mode,
	     struct co_err *err)
{
	struct late_dir *d;

	x->late_bytes += strlen(full) + sizeof(*d);
	if (x->late_bytes > LATE_BYTES)
		return co_fail(err, CO_E_LIMIT, "directory names of more than 256 MiB");
	if (x->n_late == x->cap_late) {
		x->cap_late = x->cap_late ? 2 * x->cap_late : 64;
		x->late = co_xrealloc(x->late, x->cap_late, sizeof(*x->late));
	}
	d = &x->late[x->n_late++];
	*d = (struct late_dir){.path = co_arena_strdup(&x->arena, full),
			       .mtime = e->mtime,
			       .mode = e->mode & 07777,
			       .fix_mode = fix_mode};
	return 0;
}

static int late_set(struct unpacker *x, const struct late_dir *d, bool modes, int dirfd,
		    const char *name, const struct co_meta *m, struct co_err *err)
{
	if (!modes)
		return co_root_set_mtime(x->root, dirfd, name, d->mtime) < 0
			       ? co_fail_sys(err, "%s", d->path)
			       : 0;
	if (co_root_set_owner_mode(x->root, dirfd, name, m->uid, m->gid, d->mode) == 0)
		return 0;
	co_root_fail_owner(m->uid, m->gid, err);
	return co_wrap(err, "%s", d->path);
}

/* Acts on the directory that d names, unless a later member has put something else there. */
static int late_one(struct unpacker *x, const struct late_dir *d, bool modes, struct co_err *err)
{
	char dir[FULL_MAX];
	const char *name;
	struct co_meta m;
	auto_fd self = -1;
	int r;

	co_put_text(dir, sizeof(dir), d->path);
	name = split_last(dir);
	name = d->path + (name - dir);
	if (name == d->path)
		*dir = 0;
	if ((r = parent_enter(x, dir, false, err)) != 0)
		return r < 0 ? r : 0;
	if (!*name)
		self = openat(x->parent.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (co_root_stat(x->root, *name ? x->parent.fd : self, name, &m) < 0 || !S_ISDIR(m.mode))
		return 0;
	return late_set(x, d, modes, *name ? x->parent.fd : self, name, &m, err);
}

int late_apply(struct unpacker *x, struct co_err *err)
{
	int r = 0;

	for (size_t i = 0; i < x->n_late && r == 0; i++)
		r = late_one(x, &x->late[i], false, err);
	for (size_t i = x->n_late; i-- > 0 && r == 0;)
		if (x->late[i].fix_mode)
			r = late_one(x, &x->late[i], true, err);
	return r;
}

/* FNV-1a with a final mix; never 0. A collision would keep one hidden file: with 64 bits and at
 * most two million members that does not happen by chance, and an attacker would only spoil his own
 * image. */
static uint64_t made_key(uint64_t dev, uint64_t ino, const char *name)
{
	uint64_t h = 0xcbf29ce484222325u ^ dev * 0x9e3779b97f4a7c15u ^ ino * 0xc2b2ae3d27d4eb4fu;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	return h ? h : 1;
}

static void made_put(struct made_set *s, uint64_t key)
{
	size_t i = key & (s->size - 1);

	while (s->keys[i] && s->keys[i] != key)
		i = (i + 1) & (s->size - 1);
	s->used += !s->keys[i];
	s->keys[i] = key;
}

static void made_grow(struct made_set *s)
{
	struct made_set bigger = {.size = s->size ? 2 * s->size : 1024};

	bigger.keys = co_xcalloc(bigger.size, sizeof(*bigger.keys));
	for (size_t i = 0; i < s->size; i++)
		if (s->keys[i])
			made_put(&bigger, s->keys[i]);
	free(s->keys);
	*s = bigger;
}

void made_add_in(struct unpacker *x, uint64_t dev, uint64_t ino, const char *name)
{
	if (x->made.used * 2 >= x->made.size)
		made_grow(&x->made);
	made_put(&x->made, made_key(dev, ino, name));
}

void made_add(struct unpacker *x, const char *name)
{
	if (x->u->mode == CO_UNPACK_FLAT)
		made_add_in(x, x->parent.dev, x->parent.ino, name);
}

bool made_has(const struct unpacker *x, uint64_t dev, uint64_t ino, const char *name)
{
	const struct made_set *s = &x->made;
	uint64_t key = made_key(dev, ino, name);

	if (!s->size)
		return false;
	for (size_t i = key & (s->size - 1); s->keys[i]; i = (i + 1) & (s->size - 1))
		if (s->keys[i] == key)
			return true;
	return false;
}
