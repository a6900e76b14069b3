/* SPDX-License-Identifier: MIT
 *
 * Bind mounts: the tree itself where it can be shown as it is, else a private copy.
 */
#include "mounts-internal.h"
#include <cooper/fs.h>
#include <cooper/names.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_DEPTH 256

/* May a step see this part of the context itself? Only if nothing of it is ignored, all of it
 * belongs to root (in a step everything of the context does), no mount lies in it, and it has
 * nothing but files, directories and links: a socket or pipe would lead to a process outside. */
struct plain {
	const struct co_ignore *ignore;
	dev_t dev;
	unsigned depth;
	struct co_buf path;
};

static bool plain_entry(struct plain *p, int dirfd, const char *name);

static bool plain_dir(struct plain *p, int fd)
{
	struct co_names names;
	if (++p->depth > MAX_DEPTH || co_names_read(&names, fd) < 0)
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < names.n; i++)
		ok = plain_entry(p, fd, names.items[i]);
	co_names_release(&names);
	p->depth--;
	return ok;
}

static bool plain_entry(struct plain *p, int dirfd, const char *name)
{
	struct stat sb;
	size_t len = p->path.len;
	if (fstatat(dirfd, name, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (sb.st_uid || sb.st_gid || sb.st_dev != p->dev ||
	    !(S_ISREG(sb.st_mode) || S_ISDIR(sb.st_mode) || S_ISLNK(sb.st_mode)))
		return false;
	co_buf_addf(&p->path, "%s%s", len ? "/" : "", name);
	bool ok = !p->ignore || !co_ignore_match(p->ignore, co_buf_str(&p->path));
	if (ok && S_ISDIR(sb.st_mode)) {
		auto_fd fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		ok = fd >= 0 && plain_dir(p, fd);
	}
	co_buf_cut(&p->path, len);
	return ok;
}

/* real: where the source leads, relative to the tree. */
static bool is_plain(const struct origin_tree *tree, const char *real)
{
	auto_fd fd = co_inroot_open(tree->root->fd, real, O_PATH | O_NOFOLLOW, 0);
	struct stat sb;
	if (fd < 0 || fstat(fd, &sb) < 0 || sb.st_uid || sb.st_gid)
		return false;
	struct plain p = {
		.ignore = tree->ignore, .dev = sb.st_dev, .path = CO_BUF_INIT(CO_BUF_SMALL)};
	if (*real && tree->ignore && co_ignore_match(tree->ignore, real))
		return false;
	if (!S_ISDIR(sb.st_mode))
		return S_ISREG(sb.st_mode);
	co_buf_adds(&p.path, real);
	auto_fd dir = co_inroot_open(tree->root->fd, real, O_RDONLY | O_DIRECTORY, 0);
	bool ok = dir >= 0 && plain_dir(&p, dir);
	co_buf_release(&p.path);
	return ok;
}

/* A private copy of a tree below the store's tmp, until the step ends. */
static int private_copy(struct co_exec *x, const struct origin_tree *tree, const char *source,
			struct mount_set *m, const char **rel, int *fd, struct co_err *err)
{
	int tmp = co_store_tmp_fd(x->o->store, err);
	if (tmp < 0)
		return tmp;
	char name[64];
	auto_fd dir = co_mkdtemp_at(tmp, "bind", name, sizeof(name), err);
	if (dir < 0)
		return err->code;
	*co_arena_push(x->a, m->temps, m->n_temps) = co_arena_strdup(x->a, name);
	fchmod(dir, 0755);
	struct co_root root = {.fd = dir, .owners = x->owners};
	struct co_copy_source src = {.root = tree->root,
				     .ignore = tree->ignore,
				     .keep_owner = tree->keep_owner,
				     .pattern = source,
				     .fd = -1};
	auto_fd probe = co_inroot_open(tree->root->fd, source, O_PATH, 0);
	struct stat sb;
	bool is_dir = probe >= 0 && fstat(probe, &sb) == 0 && S_ISDIR(sb.st_mode);
	struct co_copy copy = {
		.sources = &src, .n_sources = 1, .dest = is_dir ? "/" : "/file", .bus = x->o->bus};
	int r = co_copy_run(&copy, &root, err);
	if (r < 0)
		return r;
	*rel = is_dir ? "" : "file";
	*fd = co_steal_fd(&dir);
	return 0;
}

/* Namespaces are needed to make what is shown read-only. */
static bool as_it_is(struct co_exec *x, const struct origin_tree *tree, const char *source)
{
	char real[4096];
	if (tree->keep_owner)
		return true;
	return x->o->place != CO_PLACE_NONE &&
	       co_inroot_resolve(tree->root->fd, source, real, sizeof(real)) == 0 &&
	       is_plain(tree, real);
}

static int bind_source(struct co_exec *x, const struct co_mount *mt, const struct co_origin *from,
		       struct stage_run *st, struct mount_set *m, int *out, struct co_err *err)
{
	struct origin_tree tree;
	const char *source = mt->source && *mt->source ? mt->source : ".";
	int r = origin_open(x, from, &st->config.platform, &tree, err);
	if (r < 0)
		return r;
	auto_fd dir = -1;
	int root = tree.root->fd;
	if (!mt->readonly || !as_it_is(x, &tree, source)) {
		r = private_copy(x, &tree, source, m, &source, &dir, err);
		if (r < 0)
			return r;
		root = dir;
	}
	/* links in the source stay inside its tree (CVE-2024-1753) */
	int fd = co_inroot_open(root, source, O_PATH, 0);
	if (fd < 0)
		return co_fail_sys(err, "mount source %s", source);
	r = mount_keep_fd(m, fd, err);
	if (!r)
		*out = fd;
	return r;
}

int mount_bind_open(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		    const struct co_origin *from, struct mount_set *m, struct co_err *err)
{
	int fd = -1;
	int r = bind_source(x, mt, from, st, m, &fd, err);
	if (r < 0)
		return r;
	struct co_mount_op *op = mount_add_op(x, m);
	op->kind = CO_MOP_BIND;
	op->target = mount_target(x, st, mt->target);
	op->src_fd = fd;
	op->readonly = mt->readonly;
	return 0;
}
