/* SPDX-License-Identifier: MIT
 *
 * One entry into the destination. Order: content, owner, mode, attributes, time: each later one is
 * undone by an earlier one's call. The last component is replaced, never followed.
 */
#include "context-internal.h"
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <fcntl.h>

#define XATTR_LIST  65536
#define XATTR_VALUE 65536

uint32_t copy_uid(const struct co_copy *c, const struct co_copy_source *s, const struct co_meta *m)
{
	return c->has_owner ? c->uid : s->keep_owner ? m->uid : 0;
}

uint32_t copy_gid(const struct co_copy *c, const struct co_copy_source *s, const struct co_meta *m)
{
	return c->has_owner ? c->gid : s->keep_owner ? m->gid : 0;
}

uint32_t copy_mode(const struct co_copy *c, const struct co_meta *m)
{
	uint32_t mode = m->mode & 07777;
	if (c->chmod && !S_ISLNK(m->mode))
		mode = co_chmod_apply(c->chmod, mode, S_ISDIR(m->mode)) & 07777;
	return mode;
}

int entry_claim(const struct copier *x, int fd, const char *name, uint32_t uid, uint32_t gid,
		uint32_t mode)
{
	struct co_meta now;
	if (co_root_set_owner_mode(x->dest, fd, name, uid, gid, mode) == 0)
		return 0;
	int sys = errno;
	/* set-id bits would mean another user than they were given for */
	if (x->c->owner_best_effort && co_root_stat(x->dest, fd, name, &now) == 0 &&
	    co_root_set_owner_mode(x->dest, fd, name, now.uid, now.gid, mode & 01777) == 0)
		return 0;
	errno = sys;
	return -1;
}

static int set_owner_mode(struct copier *x, int fd, const char *name, const struct co_meta *m)
{
	uint32_t uid = copy_uid(x->c, x->src, m), gid = copy_gid(x->c, x->src, m);
	if (entry_claim(x, fd, name, uid, gid, copy_mode(x->c, m)) == 0)
		return 0;
	return co_root_fail_owner(uid, gid, x->err);
}

static void copy_xattrs(struct copier *x, int from, const char *from_name, int fd, const char *name)
{
	char small[1024];
	auto_free char *big = NULL;
	char *list = small;
	ssize_t n = co_root_listxattr(x->src->root, from, from_name, list, sizeof(small));
	if (n == 0 || (n < 0 && errno != ERANGE))
		return;
	if (n < 0) {
		list = big = co_xcalloc(1, XATTR_LIST);
		n = co_root_listxattr(x->src->root, from, from_name, list, XATTR_LIST);
	}
	auto_free char *value = co_xcalloc(1, XATTR_VALUE);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(list + at) + 1) {
		ssize_t size = co_root_getxattr(x->src->root, from, from_name, list + at, value,
						XATTR_VALUE);
		if (size >= 0 &&
		    co_root_setxattr(x->dest, fd, name, list + at, value, (size_t)size) < 0)
			co_warn(x->c->bus, "xattr-lost", "%s: cannot set %s: %s",
				*from_name ? from_name : x->top, list + at, strerror(errno));
	}
}

static int finish(struct copier *x, int from, const char *from_name, int fd, const char *name,
		  const struct co_meta *m)
{
	int r = set_owner_mode(x, fd, name, m);
	if (r < 0)
		return r;
	if (from >= 0)
		copy_xattrs(x, from, from_name, fd, name);
	if (co_root_set_mtime(x->dest, fd, name, x->src->has_mtime ? x->src->mtime : m->mtime) < 0)
		return co_fail_sys(x->err, "set the time");
	return 0;
}

/* Takes away what has the name. A directory stays, unless the copy stands for itself. */
static int make_room(struct copier *x, int fd, const char *name)
{
	struct co_meta m;
	if (co_root_stat(x->dest, fd, name, &m) < 0)
		return errno == ENOENT ? 0 : co_fail_sys(x->err, "stat in the destination");
	if (S_ISDIR(m.mode) && !x->independent)
		return co_fail(x->err, CO_E_SYNTAX, "cannot replace the directory %s with a file",
			       name);
	if (co_root_remove(x->dest, fd, name) < 0)
		return co_fail_sys(x->err, "replace");
	return 0;
}

static int create(struct copier *x, int fd, const char *name)
{
	int out = co_root_create(x->dest, fd, name, 0600);
	if (out < 0 && errno == EEXIST) {
		if (make_room(x, fd, name) < 0)
			return -1;
		out = co_root_create(x->dest, fd, name, 0600);
	}
	if (out < 0)
		co_fail_sys(x->err, "create");
	return out;
}

int entry_write_data(struct copier *x, int in, const char *data, size_t len, int fd,
		     const char *name, const struct co_meta *m)
{
	auto_fd out = create(x, fd, name);
	if (out < 0)
		return x->err->code;
	if (in >= 0 && (lseek(in, 0, SEEK_SET) < 0 || co_clone_fd(out, in) < 0))
		return co_fail_sys(x->err, "copy");
	if (in < 0 && co_write_all(out, data, len) < 0)
		return co_fail_sys(x->err, "write");
	return finish(x, -1, NULL, out, "", m);
}

static int write_file(struct copier *x, int from, const char *from_name, int fd, const char *name,
		      const struct co_meta *m)
{
	struct co_meta now;
	auto_fd in = co_root_open_read(x->src->root, from, from_name);
	if (in < 0)
		return co_fail_sys(x->err, "open");
	if (co_root_stat(x->src->root, in, "", &now) < 0)
		return co_fail_sys(x->err, "stat");
	if (!S_ISREG(now.mode) || now.dev != m->dev || now.ino != m->ino)
		return co_fail(x->err, CO_E_INVALID, "was replaced while it was copied");
	auto_fd out = create(x, fd, name);
	if (out < 0)
		return x->err->code;
	if (m->size && co_clone_fd(out, in) < 0)
		return co_fail_sys(x->err, "copy");
	return finish(x, in, "", out, "", m);
}

static int write_link(struct copier *x, int from, const char *from_name, int fd, const char *name,
		      const struct co_meta *m)
{
	char target[4097];
	ssize_t n = readlinkat(from, from_name, target, sizeof(target) - 1);
	if (n < 0)
		return co_fail_sys(x->err, "read the link");
	target[n] = '\0';
	if (make_room(x, fd, name) < 0)
		return x->err->code;
	if (co_root_symlink(x->dest, fd, name, target) < 0)
		return co_fail_sys(x->err, "make the link");
	return finish(x, from, from_name, fd, name, m);
}

static int write_node(struct copier *x, int from, const char *from_name, int fd, const char *name,
		      const struct co_meta *m)
{
	bool device = !S_ISFIFO(m->mode);
	if (S_ISCHR(m->mode) && !m->dev_major && !m->dev_minor) {
		co_warn(x->c->bus, "device-skipped", "%s: device 0:0 left out", from_name);
		return 0;
	}
	if (make_room(x, fd, name) < 0)
		return x->err->code;
	if (co_root_mknod(x->dest, fd, name, m->mode, m->dev_major, m->dev_minor) < 0) {
		if (!device || errno != EPERM)
			return co_fail_sys(x->err, "make the node");
		co_warn(x->c->bus, "device-skipped", "%s: device left out: no privilege",
			from_name);
		return 0;
	}
	return finish(x, from, from_name, fd, name, m);
}

/* A further name of a file that this copy has made; 1 when that can not be. */
static int write_again(struct copier *x, const struct seen *s, int fd, const char *name)
{
	const char *base;
	struct co_meta m, there;
	auto_fd dir = co_inroot_parent(x->dest->fd, s->path, &base);
	if (dir < 0 || co_root_stat(x->dest, dir, base, &m) < 0 || m.dev != s->out_dev ||
	    m.ino != s->out_ino)
		return 1;
	if (co_root_stat(x->dest, fd, name, &there) == 0 && there.ino == m.ino &&
	    there.dev == m.dev)
		return 0;
	if (make_room(x, fd, name) < 0)
		return x->err->code;
	return linkat(dir, base, fd, name, 0) == 0 ? 0 : 1;
}

static int write_new(struct copier *x, int from, const char *from_name, int fd, const char *name,
		     const struct co_meta *m)
{
	if (S_ISREG(m->mode))
		return write_file(x, from, from_name, fd, name, m);
	if (S_ISLNK(m->mode))
		return write_link(x, from, from_name, fd, name, m);
	if (S_ISSOCK(m->mode)) /* nobody listens in an image: an empty file takes its place */
		return entry_write_data(x, -1, "", 0, fd, name, m);
	if (S_ISFIFO(m->mode) || S_ISCHR(m->mode) || S_ISBLK(m->mode))
		return write_node(x, from, from_name, fd, name, m);
	return co_fail(x->err, CO_E_INVALID, "a file of an unknown type");
}

int entry_write(struct copier *x, int from, const char *from_name, int fd, const char *name,
		const char *path, const struct co_meta *m)
{
	if (m->nlink < 2 || !S_ISREG(m->mode))
		return write_new(x, from, from_name, fd, name, m);
	struct seen *s = seen_find(&x->links, m->dev, m->ino);
	int r = s->path ? write_again(x, s, fd, name) : 1;
	if (r <= 0)
		return r;
	r = write_new(x, from, from_name, fd, name, m);
	struct co_meta made;
	if (r == 0 && !s->path && co_root_stat(x->dest, fd, name, &made) == 0) {
		s->out_dev = made.dev;
		s->out_ino = made.ino;
		seen_fill(&x->links, s, path);
	}
	return r;
}

/* ---- the visitor of a directory source ---- */

static int copy_dir(void *ctx, struct frame *f)
{
	struct copier *x = ctx;
	int up = f->up->out;
	struct co_meta there;
	if (co_root_mkdir(x->dest, up, f->name, 0700) == 0) {
		f->created = true;
	} else if (errno != EEXIST || co_root_stat(x->dest, up, f->name, &there) < 0) {
		return co_fail_sys(x->err, "make the directory %s", f->name);
	} else if (!S_ISDIR(there.mode)) {
		if (!x->independent) {
			co_fail(x->err, CO_E_SYNTAX, "cannot copy to non-directory: /%s/%s", x->top,
				walk_rel(x->walk));
			return co_hint(x->err, "the destination has a %s of that name",
				       S_ISLNK(there.mode) ? "link" : "file");
		}
		if (co_root_remove(x->dest, up, f->name) < 0 ||
		    co_root_mkdir(x->dest, up, f->name, 0700) < 0)
			return co_fail_sys(x->err, "replace %s", f->name);
		f->created = true;
	}
	f->out = openat(up, f->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return f->out < 0 ? co_fail_sys(x->err, "open the new directory %s", f->name) : 0;
}

static int copy_leave(void *ctx, struct frame *f)
{
	struct copier *x = ctx;
	if (!f->full && !f->created)
		return 0;
	int r = finish(x, f->fd, "", f->out, "", &f->meta);
	return r < 0 ? co_wrap(x->err, "%s", x->walk->path) : 0;
}

static int copy_leaf(void *ctx, struct frame *in, const char *name, const struct co_meta *m)
{
	struct copier *x = ctx;
	const char *path = "";
	char *joined = NULL;
	if (m->nlink > 1)
		path = joined =
			co_xasprintf("%s%s%s", x->top, *x->top ? "/" : "", walk_rel(x->walk));
	int r = entry_write(x, in->fd, name, in->out, name, path, m);
	free(joined);
	return r < 0 ? co_wrap(x->err, "%s", x->walk->path) : 0;
}

const struct walk_ops copy_ops = {copy_dir, copy_leaf, copy_leave};
