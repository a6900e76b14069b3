/* SPDX-License-Identifier: MIT
 *
 * The bytes of an image's files: one of them, or all as one archive.
 */
#include "report-internal.h"
#include <cooper/buf.h>
#include <cooper/clock.h>
#include <stdlib.h>

#define CHUNK (128u << 10)

/* Moves on to a member of the layer; *at counts. */
static int go_to(struct layer *l, struct co_view *v, uint64_t member, uint64_t *at,
		 struct co_tar_entry *e, struct co_err *err)
{
	for (;; (*at)++) {
		int r = layer_next(l, v, e, err);
		if (r == 0)
			return co_fail(err, CO_E_INVALID, "layer %u ends early", l->index);
		if (r < 0)
			return r;
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		if (*at == member)
			break;
	}
	(*at)++;
	return 0;
}

static int copy_data(struct layer *l, struct co_sink *out, struct co_tar_writer *w,
		     struct co_err *err)
{
	auto_free char *buf = co_xcalloc(1, CHUNK);
	ssize_t n;
	while ((n = co_tar_read(l->tar, buf, CHUNK, err)) > 0)
		if ((w ? co_tar_write_data(w, buf, (size_t)n)
		       : co_sink_write(out, buf, (size_t)n)) < 0)
			return 1; /* the sink keeps the story */
	return n < 0 ? co_wrap(err, "layer %u", l->index) : 0;
}

static int cat(struct co_view *v, const struct co_tree_entry *e, struct co_sink *out,
	       struct co_err *err)
{
	struct layer l;
	struct co_tar_entry member;
	uint64_t at = 0;
	if (e->data_layer == CO_TREE_NO_DATA)
		return co_fail(err, CO_E_INVALID, "%s is not a regular file", e->e.path);
	int r = layer_open(&l, v, e->data_layer, err);
	if (r < 0)
		return r;
	r = go_to(&l, v, e->data_member, &at, &member, err);
	if (!r)
		r = copy_data(&l, out, NULL, err);
	layer_close(&l);
	return r;
}

int co_report_cat(struct co_view *v, const struct co_tree *t, const struct co_tree_entry *e,
		  struct co_sink *out, struct co_err *err)
{
	(void)t;
	int r = cat(v, e, out, err);
	if (r < 0) {
		co_sink_abort(out);
		return r;
	}
	return co_sink_close(out, err);
}

int co_report_slurp(struct co_view *v, const char *path, size_t max, char **out, size_t *len,
		    struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf text = CO_BUF_INIT(max);
	struct tree_builder *b = tree_new(&a);
	struct co_tree_entry e;
	bool found = false;
	int r = 0;
	/* what an upper layer has is not changed by a lower one: the first hit is the answer */
	for (size_t i = v->manifest.n_layers; i-- > 0 && r == 0 && !found;) {
		r = tree_add_layer(b, v, (unsigned)i, err);
		found = !r && tree_find(b, path, &e);
		/* a hard link whose file is further down */
		if (found && e.e.hardlink && e.data_layer == CO_TREE_NO_DATA)
			found = !i;
	}
	tree_free(b);
	if (!r && found && e.e.size > max)
		r = co_fail(err, CO_E_LIMIT, "%s is larger than %zu bytes", path, max);
	if (!r && found)
		r = co_report_cat(v, NULL, &e, co_sink_buf(&text), err);
	if (r < 0)
		return r;
	*len = text.len;
	*out = !found ? NULL : text.data ? co_buf_take(&text) : co_xstrdup("");
	return 0;
}

/* ---- export ---- */

struct exporter {
	struct co_view *v;
	struct co_tree tree;
	struct co_tar_writer *w;
	const struct co_tree_entry **files; /* by layer, member, path; arena */
	size_t n;
};

static int by_place(const void *x, const void *y)
{
	const struct co_tree_entry *a = *(const struct co_tree_entry *const *)x;
	const struct co_tree_entry *b = *(const struct co_tree_entry *const *)y;
	if (a->data_layer != b->data_layer)
		return a->data_layer < b->data_layer ? -1 : 1;
	if (a->data_member != b->data_member)
		return a->data_member < b->data_member ? -1 : 1;
	return path_order(a->e.path, b->e.path);
}

static bool same_file(const struct co_tree_entry *a, const struct co_tree_entry *b)
{
	return a->data_layer == b->data_layer && a->data_member == b->data_member;
}

/* One file and its further names; gives how many there were. */
static int export_file(struct exporter *x, struct layer *l, size_t first, size_t *count,
		       struct co_err *err)
{
	const struct co_tree_entry *f = x->files[first];
	struct co_tar_entry e = f->e;
	size_t i = first + 1;
	e.hardlink = false;
	e.link = NULL;
	co_tar_write_entry(x->w, &e);
	int r = e.size ? copy_data(l, NULL, x->w, err) : 0;
	for (; r == 0 && i < x->n && same_file(f, x->files[i]); i++) {
		struct co_tar_entry again = x->files[i]->e;
		again.hardlink = true;
		again.link = f->e.path;
		again.size = 0;
		again.xattrs = NULL;
		again.n_xattrs = 0;
		co_tar_write_entry(x->w, &again);
	}
	*count = i - first;
	return r;
}

/* All files of the layer that files[*i] is in. */
static int export_layer(struct exporter *x, size_t *i, struct co_err *err)
{
	struct layer l;
	struct co_tar_entry member;
	uint64_t at = 0;
	unsigned index = x->files[*i]->data_layer;
	int r = layer_open(&l, x->v, index, err);
	if (r < 0)
		return r;
	while (r == 0 && *i < x->n && x->files[*i]->data_layer == index) {
		size_t count = 1;
		r = go_to(&l, x->v, x->files[*i]->data_member, &at, &member, err);
		if (!r)
			r = export_file(x, &l, *i, &count, err);
		*i += count;
	}
	layer_close(&l);
	return r;
}

static void sort_files(struct exporter *x, struct co_arena *a)
{
	for (size_t i = 0; i < x->tree.n; i++)
		if (x->tree.items[i].data_layer != CO_TREE_NO_DATA)
			*co_arena_push(a, x->files, x->n) = &x->tree.items[i];
	if (x->n)
		qsort(x->files, x->n, sizeof(struct co_tree_entry *), by_place);
}

static void export_rest(struct exporter *x, bool dirs)
{
	for (size_t i = 0; i < x->tree.n; i++) {
		const struct co_tree_entry *t = &x->tree.items[i];
		if (t->data_layer != CO_TREE_NO_DATA || S_ISDIR(t->e.mode) != dirs)
			continue;
		/* a hard link whose target no layer has: nothing could be made of it */
		if (t->e.hardlink && !(t->e.mode & S_IFMT))
			continue;
		struct co_tar_entry e = t->e;
		e.hardlink = false;
		e.link = S_ISLNK(e.mode) ? e.link : NULL;
		e.size = 0;
		co_tar_write_entry(x->w, &e);
	}
}

int co_report_export(struct co_view *v, struct co_sink *out, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct exporter x = {.v = v};
	int r = co_report_tree(&x.tree, &a, v, err);
	if (r < 0) {
		co_sink_abort(out);
		return r;
	}
	x.w = co_tar_writer_new(out);
	sort_files(&x, &a);
	export_rest(&x, true);
	for (size_t i = 0; r == 0 && i < x.n;)
		r = export_layer(&x, &i, err);
	if (r < 0) {
		co_tar_writer_abort(x.w);
		return r;
	}
	export_rest(&x, false);
	return co_tar_writer_close(x.w, err);
}
