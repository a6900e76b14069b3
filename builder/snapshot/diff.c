/* SPDX-License-Identifier: MIT
 *
 * What a step changed: a walk of the tree after it beside the tree before it. The result depends on
 * the two trees only, not on how they are stored: an entry is in the layer when its type, owner,
 * mode, time, link target, extended attributes or content differ, when it has more names than
 * before, or when something below it is in the layer. What was opened, copied up or "changed" to
 * the same value is not. So every backend and every sandbox gives the same bytes.
 */
#include "snapshot-internal.h"
#include <cooper/auto.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#define MAX_DEPTH 2000

/* A directory on the way from the root to where the walk is. */
struct level {
	struct level *up;
	int parent;	  /* descriptor of the directory that holds it */
	const char *name; /* in it */
	struct co_meta m;
	size_t path_len;
	bool emitted;
};

struct walk {
	struct layer_out *out;
	const struct old_tree *old;
	const struct new_tree *now;
	struct level *at;
	char path[8192];
	size_t len;
	unsigned depth;
};

static int walk_dir(struct walk *w, int fd, void *old_dir, void *record, bool complete,
		    struct co_err *err);

static int push_name(struct walk *w, const char *name, struct co_err *err)
{
	size_t n = strlen(name), slash = w->len > 0;
	if (w->len + n + 2 > sizeof(w->path))
		return co_fail(err, CO_E_LIMIT, "path too long below /%s", w->path);
	if (slash)
		w->path[w->len] = '/';
	memcpy(w->path + w->len + slash, name, n + 1);
	w->len += slash + n;
	return 0;
}

static void pop_name(struct walk *w, size_t len)
{
	w->len = len;
	w->path[len] = '\0';
}

/* A changed entry brings the directories above it, outermost first. */
static int emit_parents(struct walk *w, struct level *l, struct co_err *err)
{
	if (!l || l->emitted)
		return 0;
	int e = emit_parents(w, l->up, err);
	if (e < 0)
		return e;
	char keep = w->path[l->path_len];
	w->path[l->path_len] = '\0';
	e = layer_add(w->out, l->parent, l->name, w->path, &l->m, err);
	w->path[l->path_len] = keep;
	l->emitted = true;
	return e;
}

static int emit_whiteout(struct walk *w, struct co_err *err)
{
	int e = emit_parents(w, w->at, err);
	return e ? e : layer_whiteout(w->out, w->path, err);
}

static bool same_time(const struct co_meta *a, const struct co_meta *b)
{
	/* what went through a pipe or a device is no content of the file, but changes its time; on
	 * an overlay it would not even be seen */
	if (!S_ISREG(a->mode) && !S_ISDIR(a->mode) && !S_ISLNK(a->mode))
		return true;
	return a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static bool same_meta(const struct co_meta *a, const struct co_meta *b)
{
	bool dir = S_ISDIR(a->mode);
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->dev_major == b->dev_major && a->dev_minor == b->dev_minor && same_time(a, b) &&
	       (dir || (a->size == b->size && b->nlink <= a->nlink));
}

/* 1 unchanged, 0 changed, <0 error. */
static int unchanged(struct walk *w, int dirfd, const char *name, void *old_dir,
		     const struct co_meta *was, const struct co_meta *m, struct co_err *err)
{
	if (!same_meta(was, m))
		return 0;
	struct same_query q = {.dir = old_dir,
			       .name = name,
			       .path = w->path,
			       .was = was,
			       .root = w->out->root,
			       .dirfd = dirfd,
			       .is = m};
	return w->old->ops->same(w->old->ctx, &q, err);
}

static void *note(struct walk *w, void *record, int dirfd, const char *name,
		  const struct co_meta *known)
{
	if (!w->now->record)
		return NULL;
	struct co_meta m;
	if (known)
		m = *known;
	else if (co_root_stat(w->out->root, dirfd, name, &m) < 0)
		return NULL;
	return w->now->record(w->now->ctx, record, name, &m);
}

/* What is below a directory; in `complete` ones a missing name is a deletion. */
static int descend(struct walk *w, int dirfd, const char *name, struct level *l, void *old_dir,
		   void *rec, bool complete, struct co_err *err)
{
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "open directory /%s", w->path);
	l->up = w->at;
	w->at = l;
	int e = walk_dir(w, fd, old_dir, rec, complete, err);
	w->at = l->up;
	return e;
}

static int walk_subdir(struct walk *w, int dirfd, const char *name, void *old_dir, void *record,
		       bool complete, const struct co_meta *was, const struct co_meta *m,
		       struct co_err *err)
{
	struct level l = {.parent = dirfd, .name = name, .m = *m, .path_len = w->len};
	bool was_dir = was && S_ISDIR(was->mode);
	int same = was_dir ? unchanged(w, dirfd, name, old_dir, was, m, err) : 0;
	if (same < 0)
		return same;
	if (!same) {
		l.up = w->at;
		int e = emit_parents(w, &l, err);
		if (e < 0)
			return e;
	}
	void *sub = was_dir ? w->old->ops->enter(w->old->ctx, old_dir, name) : NULL;
	void *rec = note(w, record, dirfd, name, m);
	bool whole = complete || !was_dir ||
		     (w->now->replaced && w->now->replaced(w->now->ctx, dirfd, name));
	int e = descend(w, dirfd, name, &l, sub, rec, whole, err);
	if (sub)
		w->old->ops->leave(w->old->ctx, sub);
	if (!e && l.emitted && layer_settle_dir(w->out, dirfd, name, m) < 0)
		e = co_fail_sys(err, "set the time of /%s", w->path);
	struct co_meta after;
	if (!e && l.emitted && w->now->update &&
	    co_root_stat(w->out->root, dirfd, name, &after) == 0)
		w->now->update(w->now->ctx, rec, &after);
	return e;
}

static int walk_file(struct walk *w, int dirfd, const char *name, void *old_dir, void *record,
		     const struct co_meta *was, const struct co_meta *m, struct co_err *err)
{
	int same = was ? unchanged(w, dirfd, name, old_dir, was, m, err) : 0;
	if (same < 0)
		return same;
	if (same) {
		note(w, record, dirfd, name, m);
		return 0;
	}
	if (S_ISSOCK(m->mode))
		return layer_drop_socket(w->out, dirfd, name, w->path, err);
	int e = emit_parents(w, w->at, err);
	if (!e)
		e = layer_add(w->out, dirfd, name, w->path, m, err);
	if (!e)
		note(w, record, dirfd, name, NULL);
	return e;
}

static bool is_whiteout(const struct walk *w, const struct co_meta *m)
{
	return w->now->whiteouts && S_ISCHR(m->mode) && !m->dev_major && !m->dev_minor;
}

static int walk_entry(struct walk *w, int dirfd, const char *name, void *old_dir, void *record,
		      bool complete, struct co_err *err)
{
	struct co_meta m, old;
	if (co_root_stat(w->out->root, dirfd, name, &m) < 0)
		return co_fail_sys(err, "stat /%s", w->path);
	bool had = old_dir && w->old->ops->stat(w->old->ctx, old_dir, name, &old);
	if (is_whiteout(w, &m))
		return had ? emit_whiteout(w, err) : 0;
	if (S_ISDIR(m.mode))
		return walk_subdir(w, dirfd, name, old_dir, record, complete, had ? &old : NULL, &m,
				   err);
	return walk_file(w, dirfd, name, old_dir, record, had ? &old : NULL, &m, err);
}

/* The next name of two sorted lists, and in which of them it stands. */
static const char *next_name(const struct co_names *a, size_t *i, const struct co_names *b,
			     size_t *j, bool *in_new)
{
	if (*i == a->n && *j == b->n)
		return NULL;
	int c = *i == a->n ? 1 : *j == b->n ? -1 : strcmp(a->items[*i], b->items[*j]);
	*in_new = c <= 0;
	const char *name = c <= 0 ? a->items[*i] : b->items[*j];
	*i += c <= 0;
	*j += c >= 0;
	return name;
}

static int walk_dir(struct walk *w, int fd, void *old_dir, void *record, bool complete,
		    struct co_err *err)
{
	if (++w->depth > MAX_DEPTH)
		return co_fail(err, CO_E_LIMIT, "directories nested deeper than %d", MAX_DEPTH);
	struct co_names now = {0}, old = {0};
	int e = names_read(&now, fd, err);
	if (!e && complete && old_dir)
		e = w->old->ops->names(w->old->ctx, old_dir, &old, err);
	size_t len = w->len, i = 0, j = 0;
	bool in_new;
	for (const char *name; e == 0 && (name = next_name(&now, &i, &old, &j, &in_new));) {
		e = push_name(w, name, err);
		if (!e && in_new)
			e = walk_entry(w, fd, name, old_dir, record, complete, err);
		else if (!e)
			e = emit_whiteout(w, err);
		pop_name(w, len);
	}
	co_names_release(&now);
	co_names_release(&old);
	w->depth--;
	return e;
}

int diff_write(struct layer_out *out, int fd, const struct old_tree *old,
	       const struct new_tree *now, struct co_err *err)
{
	struct walk *w = co_xcalloc(1, sizeof(*w));
	w->out = out;
	w->old = old;
	w->now = now;
	void *root = old->ops->enter(old->ctx, NULL, "");
	int e = walk_dir(w, fd, root, now->record_root, now->complete, err);
	if (root)
		old->ops->leave(old->ctx, root);
	free(w);
	return e;
}
