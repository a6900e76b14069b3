/* SPDX-License-Identifier: MIT
 *
 * The walk over what a source selects. Everything is reached by descriptor and single names, links
 * are never followed, so a tree that changes meanwhile can not lead outside of it.
 */
#include "context-internal.h"
#include <cooper/clock.h>
#include <fcntl.h>
#include <cooper/inroot.h>

#define MAX_DEPTH 256 /* two descriptors a level */

struct walk *walk_new(const struct co_copy *c, const struct co_copy_source *s,
		      const struct co_ignore *exclude, struct co_err *err)
{
	struct walk *w = co_xcalloc(1, sizeof(*w));
	(void)c;
	w->root = s->root;
	w->ignore = s->ignore;
	w->exclude = exclude;
	w->err = err;
	return w;
}

static int show(struct walk *w, struct frame *f)
{
	if (f->shown)
		return 0;
	int r = show(w, f->up);
	if (r)
		return r;
	f->shown = true;
	w->selected++;
	return w->ops->dir(w->ctx, f);
}

static bool hidden(const struct co_ignore *ig, const char *path, bool dir, bool *for_good)
{
	if (!ig || !co_ignore_match(ig, path))
		return false;
	*for_good = *for_good || !dir || !ignore_below(ig, path);
	return true;
}

static int walk_dir(struct walk *w, struct frame *f);

static int enter(struct walk *w, struct frame *up, const char *name, const struct co_meta *m,
		 bool full)
{
	struct frame f = {.up = up, .name = name, .meta = *m, .full = full, .out = -1};
	if (++w->depth > MAX_DEPTH)
		return co_fail(w->err, CO_E_LIMIT, "%s: directories nested deeper than %d", w->path,
			       MAX_DEPTH);
	f.fd = openat(up->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f.fd < 0)
		return co_fail_sys(w->err, "open the directory %s", w->path);
	int r = full ? show(w, &f) : 0;
	if (!r)
		r = walk_dir(w, &f);
	if (!r && f.shown)
		r = w->ops->leave(w->ctx, &f);
	co_close_fd(&f.fd);
	co_close_fd(&f.out);
	w->depth--;
	return r;
}

static int visit(struct walk *w, struct frame *f, const char *name)
{
	struct co_meta m;
	if (co_root_stat(w->root, f->fd, name, &m) < 0) /* gone since it was listed */
		return errno == ENOENT ? 0 : co_fail_sys(w->err, "stat %s", w->path);
	bool dir = S_ISDIR(m.mode), for_good = false, hide;
	unsigned hit = HIT_SELF;
	hide = hidden(w->ignore, w->path, dir, &for_good);
	hide = hidden(w->exclude, walk_rel(w), dir, &for_good) || hide;
	if (for_good)
		return 0;
	if (w->keep)
		hit = pattern_run(w->keep, walk_rel(w));
	bool keep = hit & (HIT_SELF | HIT_PARENT);
	if (dir)
		return keep || (hit & HIT_BELOW) ? enter(w, f, name, &m, keep && !hide) : 0;
	if (!keep)
		return 0;
	int r = show(w, f);
	w->selected++;
	return r ? r : w->ops->leaf(w->ctx, f, name, &m);
}

static int walk_dir(struct walk *w, struct frame *f)
{
	struct co_names names;
	size_t len = w->len;
	int r = 0;
	if (co_interrupted())
		return co_fail(w->err, CO_E_INTERRUPTED, "interrupted");
	if (co_names_read(&names, f->fd) < 0)
		return co_fail_sys(w->err, "read the directory %s", w->path);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		size_t n = strlen(names.items[i]);
		if (len + n + 2 > sizeof(w->path)) {
			r = co_fail(w->err, CO_E_LIMIT, "a path of more than %d bytes below %s",
				    PATH_BYTES, w->path);
			break;
		}
		if (len)
			w->path[len] = '/';
		memcpy(w->path + len + (len > 0), names.items[i], n + 1);
		w->len = len + (len > 0) + n;
		r = visit(w, f, names.items[i]);
		w->len = len;
		w->path[len] = '\0';
	}
	co_names_release(&names);
	return r;
}

int walk_tree(struct walk *w, const char *real, struct frame *top)
{
	size_t n = strlen(real);
	if (n >= sizeof(w->path))
		return co_fail(w->err, CO_E_LIMIT, "a path of more than %d bytes", PATH_BYTES);
	memcpy(w->path, real, n + 1);
	w->len = n;
	w->rel = n + (n > 0);
	top->fd = co_inroot_open(w->root->fd, real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (top->fd < 0)
		return co_fail_sys(w->err, "open the directory %s", *real ? real : "/");
	int r = walk_dir(w, top);
	co_close_fd(&top->fd);
	return r;
}

static int found_dir(void *ctx, struct frame *f)
{
	(void)ctx;
	(void)f;
	return 1;
}

static int found_leaf(void *ctx, struct frame *in, const char *name, const struct co_meta *m)
{
	(void)ctx;
	(void)in;
	(void)name;
	(void)m;
	return 1;
}

bool visible_below(const struct co_copy_source *s, const char *real)
{
	static const struct walk_ops ops = {found_dir, found_leaf, found_dir};
	struct co_err err = CO_ERR_INIT;
	auto_free struct walk *w = walk_new(NULL, s, NULL, &err);
	struct frame top = {.shown = true, .out = -1};
	w->ops = &ops;
	return ignore_below(s->ignore, real) && walk_tree(w, real, &top) == 1;
}
