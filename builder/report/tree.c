/* SPDX-License-Identifier: MIT
 *
 * The flattened tree of a stack of layers, read top-down: what an upper layer said stands, and each
 * node remembers from which layer on downwards nothing is looked at any more. A layer's parents
 * that it does not describe are directories, as an overlay mount shows them.
 */
#include "report-internal.h"
#include <cooper/clock.h>
#include <cooper/str.h>

#define MAX_LINKS 40
#define NONE	  (-1)

/* One member, seen or hidden: a hard link further up may mean its bytes. */
struct version {
	struct version *older;
	struct co_tar_entry e;
	int layer;
	uint64_t member;
};
struct node {
	struct node *up, *children, *next;
	const char *name;
	struct version *versions; /* newest first */
	struct version *shown;	  /* NULL: none */
	int implied;		  /* the highest layer that has something below; NONE */
	int cut;		  /* of layers under this one neither this nor what is below */
	int opaque;		  /* of layers under this one nothing that is below */
};
struct tree_builder {
	struct co_arena *a;
	struct node root;
	struct node **slots; /* owned */
	size_t n, cap;
	int layer; /* being read */
	uint64_t member;
};

/* ---- nodes by (parent, name) ---- */

static size_t hash_of(const struct node *up, const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u ^ (uintptr_t)up * 0x9e3779b97f4a7c15u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
	return (size_t)(h ^ h >> 29);
}

static struct node **slot_of(struct node **slots, size_t cap, const struct node *up,
			     const char *name, size_t len)
{
	for (size_t i = hash_of(up, name, len) & (cap - 1);; i = (i + 1) & (cap - 1)) {
		struct node *n = slots[i];
		if (!n || (n->up == up && !strncmp(n->name, name, len) && !n->name[len]))
			return &slots[i];
	}
}

static void grow(struct tree_builder *b)
{
	size_t cap = b->cap ? 2 * b->cap : 1024;
	struct node **more = co_xcalloc(cap, sizeof(struct node *));
	for (size_t i = 0; i < b->cap; i++) {
		struct node *n = b->slots[i];
		if (n)
			*slot_of(more, cap, n->up, n->name, strlen(n->name)) = n;
	}
	free(b->slots);
	b->slots = more;
	b->cap = cap;
}

static struct node *child(struct tree_builder *b, struct node *up, const char *name, size_t len)
{
	if (2 * (b->n + 1) > b->cap)
		grow(b);
	struct node **slot = slot_of(b->slots, b->cap, up, name, len);
	if (*slot)
		return *slot;
	struct node *n = co_arena_new(b->a, struct node);
	*n = (struct node){
		.up = up, .next = up->children, .implied = NONE, .cut = NONE, .opaque = NONE};
	n->name = co_arena_strndup(b->a, name, len);
	up->children = n;
	b->n++;
	return *slot = n;
}

/* ---- adding a layer ---- */

/* Is the node out of this layer's reach, as itself (self) or as a place for others? */
static bool hidden(const struct tree_builder *b, const struct node *n, bool self)
{
	for (; n; n = n->up, self = false) {
		if (n->cut > b->layer || (!self && n->opaque > b->layer))
			return true;
		if (!self && n->shown && !S_ISDIR(n->shown->e.mode))
			return true;
	}
	return false;
}

/* Where a link in the directory dir leads, with the rest of the path behind it. */
static const char *link_path(struct tree_builder *b, const struct node *dir, const char *link,
			     const char *rest)
{
	const char *path = co_arena_printf(b->a, "%s/%s", link, rest);
	for (; dir != &b->root && *link != '/'; dir = dir->up)
		path = co_arena_printf(b->a, "%s/%s", dir->name, path);
	return co_path_clean_rel(b->a, path);
}

/* The node for a clean path. Links that the same layer has made are followed, as unpacking it does.
 */
static struct node *locate(struct tree_builder *b, const char *path)
{
	struct node *at = &b->root;
	unsigned links = 0;
	while (*path) {
		size_t len = strcspn(path, "/");
		const char *rest = path + len + (path[len] == '/');
		struct node *n = child(b, at, path, len);
		struct version *v = n->shown;
		if (*rest && v && v->layer == b->layer && S_ISLNK(v->e.mode) &&
		    links++ < MAX_LINKS) {
			path = link_path(b, at, v->e.link, rest);
			at = &b->root;
			continue;
		}
		at = n;
		path = rest;
	}
	return at;
}

static void copy_entry(struct tree_builder *b, struct co_tar_entry *to,
		       const struct co_tar_entry *e)
{
	*to = *e;
	to->path = NULL;
	to->link = e->link && e->hardlink ? co_path_clean_rel(b->a, e->link)
					  : co_arena_strdup(b->a, e->link);
	struct co_xattr *x = e->n_xattrs ? co_arena_alloc(b->a, e->n_xattrs * sizeof(*x)) : NULL;
	for (size_t i = 0; i < e->n_xattrs; i++)
		x[i] = (struct co_xattr){co_arena_strdup(b->a, e->xattrs[i].name),
					 co_arena_dup(b->a, e->xattrs[i].value, e->xattrs[i].size),
					 e->xattrs[i].size};
	to->xattrs = x;
}

/* Something that is no directory took the place: what this layer had below is gone. */
static void forget_below(const struct tree_builder *b, struct node *n)
{
	for (struct node *c = n->children; c; c = c->next) {
		if (c->shown && c->shown->layer == b->layer)
			c->shown = NULL;
		if (c->implied == b->layer)
			c->implied = NONE;
		forget_below(b, c);
	}
}

/* The directories above a member are there, whether or not it is itself. */
static void imply(const struct tree_builder *b, struct node *n)
{
	for (n = n->up; n; n = n->up)
		if (n->implied < b->layer && !hidden(b, n, true))
			n->implied = b->layer;
}

static void add_entry(struct tree_builder *b, struct node *n, const struct co_tar_entry *e)
{
	bool dir = S_ISDIR(e->mode) && !e->hardlink;
	struct version *v = co_arena_new(b->a, struct version);
	copy_entry(b, &v->e, e);
	v->layer = b->layer;
	v->member = b->member;
	v->older = n->versions;
	n->versions = v;
	if (hidden(b, n, true)) {
		imply(b, n);
		return;
	}
	bool upper = (n->shown && n->shown->layer > b->layer) || n->implied > b->layer;
	if (!dir && n->cut < b->layer)
		n->cut = b->layer;
	/* an upper layer decides, unless it only passes through and this describes the directory */
	if (upper && (n->shown || !dir))
		return;
	if (!dir) {
		forget_below(b, n);
		n->implied = NONE;
	}
	n->shown = v;
	imply(b, n);
}

static int add_whiteout(struct tree_builder *b, struct node *dir, const char *name,
			struct co_err *err)
{
	static const char opaque[] = ".wh..wh..opq", meta[] = ".wh..wh.";
	if (!strcmp(name, opaque)) {
		if (!hidden(b, dir, false) && dir->opaque < b->layer)
			dir->opaque = b->layer;
		return 0;
	}
	if (co_starts(name, meta))
		return 0;
	name += 4;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return co_fail(err, CO_E_INVALID, "malformed whiteout");
	struct node *n = child(b, dir, name, strlen(name));
	if (!hidden(b, n, true) && n->cut < b->layer)
		n->cut = b->layer;
	return 0;
}

/* 1: aufs's own, to be left out. */
static int check_name(const char *path, struct co_err *err)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		if (n == 2 && !memcmp(p, "..", 2))
			return co_fail(err, CO_E_INVALID, "the name leaves the layer");
		if (p[n] && co_starts(p, ".wh..wh."))
			return 1;
		if (p[n] && p[n + 1] && co_starts(p, ".wh."))
			return co_fail(err, CO_E_INVALID, "malformed whiteout");
		p += n + (p[n] == '/');
	}
	return 0;
}

static int add_member(struct tree_builder *b, const struct co_tar_entry *e, struct co_err *err)
{
	int r = check_name(e->path, err);
	if (r)
		return r < 0 ? r : 0;
	const char *path = co_path_clean_rel(b->a, e->path);
	if (!*path)
		return 0;
	const char *base = co_path_base(path);
	if (!co_starts(base, ".wh.")) {
		add_entry(b, locate(b, path), e);
		return 0;
	}
	size_t n = (size_t)(base - path);
	/* "d/." leads through d if that is a link */
	const char *dir = n ? co_arena_printf(b->a, "%.*s", (int)(n - 1), path) : "";
	return add_whiteout(b, locate(b, dir), base, err);
}

int tree_add_layer(struct tree_builder *b, struct co_view *v, unsigned index, struct co_err *err)
{
	struct layer l;
	struct co_tar_entry e;
	int r = layer_open(&l, v, index, err);
	if (r < 0)
		return r;
	b->layer = (int)index;
	b->member = 0;
	while ((r = layer_next(&l, v, &e, err)) > 0) {
		if (co_interrupted())
			r = co_fail(err, CO_E_INTERRUPTED, "interrupted");
		else if (add_member(b, &e, err) < 0)
			r = co_wrap(err, "layer %u: %s", index, e.path);
		if (r < 0)
			break;
		b->member++;
	}
	layer_close(&l);
	return r;
}

/* ---- listing ---- */

/* The member whose bytes a version means. */
static struct version *data_of(struct tree_builder *b, struct version *v)
{
	for (unsigned i = 0; v && v->e.hardlink; i++) {
		struct node *n = &b->root;
		if (i == MAX_LINKS)
			return NULL;
		for (const char *p = v->e.link; *p && n;) {
			size_t len = strcspn(p, "/");
			n = *slot_of(b->slots, b->cap, n, p, len);
			p += len + (p[len] == '/');
		}
		int layer = v->layer;
		uint64_t before = v->member;
		struct version *t = n ? n->versions : NULL;
		/* of the same layer what stood before the link, else the next layer down; versions
		 * of lower layers come first in the list */
		struct version *best = NULL;
		for (; t; t = t->older)
			if (t->layer < layer || (t->layer == layer && t->member < before))
				if (!best || t->layer > best->layer ||
				    (t->layer == best->layer && t->member > best->member))
					best = t;
		v = best;
	}
	return v;
}

static struct co_tree_entry entry_of(struct tree_builder *b, struct node *n, const char *path)
{
	struct version *v = n->shown, *d = v ? data_of(b, v) : NULL;
	struct co_tree_entry t = {.data_layer = CO_TREE_NO_DATA};
	t.layer = (unsigned)(v ? v->layer : n->implied);
	t.e = d ? d->e : v ? v->e : (struct co_tar_entry){.mode = S_IFDIR | 0755};
	t.e.path = path;
	if (d && v->e.hardlink && !S_ISLNK(d->e.mode)) {
		t.e.link = v->e.link;
		t.e.hardlink = true;
	}
	if (d && S_ISREG(d->e.mode)) {
		t.data_layer = (unsigned)d->layer;
		t.data_member = d->member;
	}
	return t;
}

static struct node *lookup(struct tree_builder *b, const char *path)
{
	struct node *at = &b->root;
	unsigned links = 0;
	path = co_path_clean_rel(b->a, path);
	while (*path) {
		size_t len = strcspn(path, "/");
		const char *rest = path + len + (path[len] == '/');
		struct node *n = *slot_of(b->slots, b->cap, at, path, len);
		if (!n || (!n->shown && n->implied == NONE))
			return NULL;
		if (n->shown && S_ISLNK(n->shown->e.mode)) {
			if (++links > MAX_LINKS)
				return NULL;
			path = link_path(b, at, n->shown->e.link, rest);
			at = &b->root;
			continue;
		}
		if (*rest && n->shown && !S_ISDIR(n->shown->e.mode))
			return NULL;
		at = n;
		path = rest;
	}
	return at;
}

bool tree_find(struct tree_builder *b, const char *path, struct co_tree_entry *out)
{
	struct node *n = lookup(b, path);
	if (!n || n == &b->root)
		return false;
	*out = entry_of(b, n, co_arena_strdup(b->a, path));
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

static void list_below(struct tree_builder *b, struct co_tree *out, struct node *dir,
		       const char *prefix)
{
	size_t n = 0, i = 0;
	for (struct node *c = dir->children; c; c = c->next)
		n += c->shown || c->implied != NONE;
	if (!n)
		return;
	struct node **list = co_xcalloc(n, sizeof(struct node *));
	for (struct node *c = dir->children; c; c = c->next)
		if (c->shown || c->implied != NONE)
			list[i++] = c;
	qsort(list, n, sizeof(struct node *), by_name);
	for (i = 0; i < n; i++) {
		const char *path =
			co_arena_printf(b->a, "%s%s%s", prefix, *prefix ? "/" : "", list[i]->name);
		*co_arena_push(b->a, out->items, out->n) = entry_of(b, list[i], path);
		if (!list[i]->shown || S_ISDIR(list[i]->shown->e.mode))
			list_below(b, out, list[i], path);
	}
	free(list);
}

void tree_list(struct tree_builder *b, struct co_tree *out)
{
	*out = (struct co_tree){0};
	list_below(b, out, &b->root, "");
}

struct tree_builder *tree_new(struct co_arena *a)
{
	struct tree_builder *b = co_xcalloc(1, sizeof(*b));
	b->a = a;
	b->root.name = "";
	b->root.implied = b->root.cut = b->root.opaque = NONE;
	grow(b);
	return b;
}

void tree_free(struct tree_builder *b)
{
	if (!b)
		return;
	free(b->slots);
	free(b);
}

int co_report_tree(struct co_tree *out, struct co_arena *a, struct co_view *v, struct co_err *err)
{
	struct tree_builder *b = tree_new(a);
	int r = 0;
	for (size_t i = v->manifest.n_layers; i-- > 0 && r == 0;)
		r = tree_add_layer(b, v, (unsigned)i, err);
	if (!r)
		tree_list(b, out);
	tree_free(b);
	return r;
}
