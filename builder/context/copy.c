/* SPDX-License-Identifier: MIT
 *
 * COPY and the local half of ADD: each thing a source names to where it goes.
 */
#include "context-internal.h"
#include <cooper/inroot.h>
#include <cooper/tar.h>
#include <fcntl.h>

#define ARCHIVE_MAX (64ull << 30) /* bytes that may come out of one archive */

/* ---- archives ---- */

static int open_archive(struct co_tar_reader **out, int fd, const char *what, struct co_err *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return co_fail_sys(err, "%s", what);
	struct co_source_stream *raw = co_stream_fd(fd, false, what);
	return co_tar_reader_open(out, co_stream_inflate(raw, ARCHIVE_MAX), NULL, err);
}

/* By content: something that inflates to a tar with at least one member. */
static bool is_archive(int fd)
{
	struct co_err ignored = CO_ERR_INIT;
	struct co_tar_reader *r;
	struct co_tar_entry e;
	if (open_archive(&r, fd, "", &ignored) < 0)
		return false;
	bool yes = co_tar_next(r, &e, &ignored) == 1;
	co_tar_reader_close(r);
	return yes;
}

static int unpack(struct copier *x, int fd, const char *what)
{
	const char *path;
	auto_fd dir = -1;
	int r = place_dir(x, &dir, &path);
	if (r < 0)
		return r;
	struct co_tar_reader *tar;
	struct co_unpack u = {.mode = CO_UNPACK_PLAIN,
			      .root = x->dest,
			      .dest = path,
			      .force_owner = x->c->has_owner,
			      .uid = x->c->uid,
			      .gid = x->c->gid,
			      .bus = x->c->bus};
	if (x->c->chmod)
		co_warn(x->c->bus, NULL, "%s: --chmod does not change what an archive holds", what);
	r = open_archive(&tar, fd, what, x->err);
	if (r < 0)
		return r;
	r = co_unpack(tar, &u, x->err);
	co_tar_reader_close(tar);
	return r;
}

/* 1: unpacked, 0: it is an ordinary file. */
static int try_unpack(struct copier *x, int fd, const char *what)
{
	if (!is_archive(fd))
		return 0;
	int r = unpack(x, fd, what);
	return r < 0 ? co_wrap(x->err, "unpack %s", what) : 1;
}

/* ---- one thing ---- */

static int copy_file(struct copier *x, const struct match *m)
{
	const char *base, *name;
	auto_fd from = co_inroot_parent(x->src->root->fd, m->real, &base);
	if (from < 0)
		return co_fail_sys(x->err, "open the directory of %s", m->real);
	if (S_ISREG(m->meta.mode) && x->c->unpack != CO_UNPACK_NEVER) {
		auto_fd in = co_root_open_read(x->src->root, from, base);
		int r = in < 0 ? co_fail_sys(x->err, "open %s", m->real)
			       : try_unpack(x, in, m->real);
		if (r)
			return r < 0 ? r : 0;
	}
	auto_fd to = -1;
	int r = place_file(x, m->name, &to, &name, &x->top);
	if (r < 0)
		return r;
	r = entry_write(x, from, base, to, name, x->top, &m->meta);
	return r < 0 ? co_wrap(x->err, "%s", m->real) : 0;
}

static int copy_tree(struct copier *x, const struct matches *ms, const struct match *m,
		     const struct co_ignore *exclude)
{
	auto_fd out = -1;
	int r = place_dir(x, &out, &x->top);
	if (r < 0)
		return r;
	auto_free struct walk *w = walk_new(x->c, x->src, exclude, x->err);
	struct frame top = {.shown = true, .full = true, .out = out};
	w->keep = ms->keep;
	w->ops = &copy_ops;
	w->ctx = x;
	x->walk = w;
	r = walk_tree(w, m->real, &top);
	x->walk = NULL;
	if (r == 0 && ms->keep && !ms->wildcard && !w->selected)
		return source_missing(x->src, x->src->pattern, x->err);
	return r;
}

/* A file that is not in a tree: a here-document or a download. */
static int copy_loose(struct copier *x, const struct co_ignore *exclude)
{
	const struct co_copy_source *s = x->src;
	const char *base, *name;
	int fd = s->content ? -1 : s->fd;
	int r = source_name(&base, s, x->err);
	if (r < 0 || (exclude && co_ignore_match(exclude, base)))
		return r;
	if (fd >= 0 && x->c->unpack == CO_UNPACK_ALWAYS) {
		r = try_unpack(x, fd, base);
		if (r)
			return r < 0 ? r : 0;
	}
	auto_fd to = -1;
	struct co_meta m = {.mode = S_IFREG | (s->mode & 07777), .mtime = s->mtime, .nlink = 1};
	r = place_file(x, base, &to, &name, &x->top);
	if (!r)
		r = entry_write_data(x, fd, s->content, s->content_len, to, name, &m);
	return r < 0 ? co_wrap(x->err, "%s", base) : 0;
}

static int copy_source(struct copier *x, const struct co_ignore *exclude)
{
	if (!x->src->root)
		return copy_loose(x, exclude);
	auto_arena a = CO_ARENA_INIT;
	struct matches ms;
	int r = source_resolve(&ms, &a, x->c, x->src, x->err);
	for (size_t i = 0; r == 0 && i < ms.n; i++) {
		const struct match *m = &ms.items[i];
		if (S_ISDIR(m->meta.mode))
			r = copy_tree(x, &ms, m, exclude);
		else if (!exclude || !co_ignore_match(exclude, m->name))
			r = copy_file(x, m);
	}
	return r;
}

int co_copy_run(const struct co_copy *c, const struct co_root *dest, struct co_err *err)
{
	/* with --chmod BuildKit makes an ordinary copy of a linked one */
	struct copier x = {.c = c, .dest = dest, .err = err, .independent = c->link && !c->chmod};
	struct co_ignore *exclude = NULL;
	int r = ignore_from_list(&exclude, c->excludes, c->n_excludes, err);
	for (size_t i = 0; r == 0 && i < c->n_sources; i++) {
		x.src = &c->sources[i];
		r = copy_source(&x, exclude);
	}
	co_ignore_free(exclude);
	seen_release(&x.links);
	co_arena_release(&x.arena);
	return r;
}
