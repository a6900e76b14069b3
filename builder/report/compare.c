/* SPDX-License-Identifier: MIT
 *
 * The first difference of two images: layers from the bottom, then the config, then the manifest.
 * One difference in a layer makes everything above it differ too, so the first is the one to mend.
 */
#include "report-internal.h"
#include <cooper/clock.h>
#include <cooper/json.h>
#include <cooper/str.h>
#include <stdlib.h>

#define CHUNK (128u << 10)

struct member {
	const char *path; /* arena */
	struct co_tar_entry e;
	struct co_digest content, xattrs;
	size_t number; /* in the archive */
};
struct members {
	struct member *items; /* arena */
	size_t n;
};
struct comparison {
	struct co_arena *a;
	struct co_view *view[2];
	struct co_difference *out;
	struct co_err *err;
};

static const char *digest_text(struct comparison *c, const struct co_digest *d)
{
	char text[CO_DIGEST_TEXT];
	return co_arena_strdup(c->a, co_digest_str(d, text));
}

static const char *number(struct comparison *c, uint64_t n)
{
	return co_arena_printf(c->a, "%llu", (unsigned long long)n);
}

static int differ(struct comparison *c, const char *what, const char *attribute, const char *first,
		  const char *second)
{
	c->out->what = what;
	c->out->attribute = attribute;
	c->out->values[0] = first;
	c->out->values[1] = second;
	return 1;
}

/* ---- a layer's members ---- */

static int read_content(struct layer *l, struct member *m, struct co_err *err)
{
	auto_free char *buf = co_xcalloc(1, CHUNK);
	struct co_hash *h = co_hash_new(CO_SHA256);
	ssize_t n;
	while ((n = co_tar_read(l->tar, buf, CHUNK, err)) > 0)
		co_hash_add(h, buf, (size_t)n);
	co_hash_done(h, &m->content);
	return n < 0 ? (int)n : 0;
}

static void read_xattrs(struct member *m, const struct co_tar_entry *e)
{
	struct co_digest sum = {0}, d;
	for (size_t i = 0; i < e->n_xattrs; i++) {
		struct co_hash *h = co_hash_new(CO_SHA256);
		co_hash_field(h, 1, e->xattrs[i].name, strlen(e->xattrs[i].name));
		co_hash_field(h, 2, e->xattrs[i].value, e->xattrs[i].size);
		co_hash_done(h, &d);
		/* in whatever order the archive has them */
		for (size_t k = 0; k < 32; k++)
			sum.bytes[k] = (uint8_t)(sum.bytes[k] + d.bytes[k]);
	}
	m->xattrs = sum;
}

static int by_path(const void *x, const void *y)
{
	const struct member *a = x, *b = y;
	int order = path_order(a->path, b->path);
	if (order)
		return order;
	return a->number < b->number ? -1 : 1;
}

static int read_members(struct comparison *c, int side, unsigned index, struct members *out)
{
	struct layer l;
	struct co_tar_entry e;
	int r = layer_open(&l, c->view[side], index, c->err);
	if (r < 0)
		return r;
	while ((r = layer_next(&l, c->view[side], &e, c->err)) > 0) {
		struct member *m = co_arena_push(c->a, out->items, out->n);
		if (co_interrupted()) {
			r = co_fail(c->err, CO_E_INTERRUPTED, "interrupted");
			break;
		}
		*m = (struct member){.path = co_path_clean_rel(c->a, e.path), .e = e};
		m->number = out->n;
		m->e.link = e.link ? co_arena_strdup(c->a, e.link) : NULL;
		read_xattrs(m, &e);
		r = S_ISREG(e.mode) && !e.hardlink ? read_content(&l, m, c->err) : 0;
		if (r < 0)
			break;
	}
	layer_close(&l);
	if (r == 0 && out->n)
		qsort(out->items, out->n, sizeof(*out->items), by_path);
	return r;
}

/* ---- two members of one path ---- */

static const char *type_name(const struct co_tar_entry *e)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = {{S_IFREG, "file"},	  {S_IFDIR, "directory"},	 {S_IFLNK, "symbolic link"},
		     {S_IFIFO, "fifo"},	  {S_IFCHR, "character device"}, {S_IFBLK, "block device"},
		     {S_IFSOCK, "socket"}};
	if (e->hardlink)
		return "hard link";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((e->mode & S_IFMT) == names[i].type)
			return names[i].name;
	return "something else";
}

static const char *when(struct comparison *c, const struct timespec *t)
{
	char text[40];
	co_rfc3339(t->tv_sec, text, sizeof(text));
	return t->tv_nsec ? co_arena_printf(c->a, "%s + %ld ns", text, t->tv_nsec)
			  : co_arena_strdup(c->a, text);
}

static int compare_owner(struct comparison *c, const char *path, const struct member *x,
			 const struct member *y)
{
	if ((x->e.mode & 07777) != (y->e.mode & 07777))
		return differ(c, path, "mode", co_arena_printf(c->a, "%04o", x->e.mode & 07777),
			      co_arena_printf(c->a, "%04o", y->e.mode & 07777));
	if (x->e.uid != y->e.uid || x->e.gid != y->e.gid)
		return differ(c, path, "owner", co_arena_printf(c->a, "%u:%u", x->e.uid, x->e.gid),
			      co_arena_printf(c->a, "%u:%u", y->e.uid, y->e.gid));
	return 0;
}

static int compare_member(struct comparison *c, const struct member *x, const struct member *y)
{
	const char *path = co_arena_printf(c->a, "/%s", x->path);
	const char *links[2] = {x->e.link ? x->e.link : "", y->e.link ? y->e.link : ""};
	if (strcmp(type_name(&x->e), type_name(&y->e)) != 0)
		return differ(c, path, "type", type_name(&x->e), type_name(&y->e));
	if (strcmp(links[0], links[1]) != 0)
		return differ(c, path, "link target", links[0], links[1]);
	if (x->e.hardlink)
		return 0;
	if (x->content.set && !co_digest_eq(&x->content, &y->content))
		return x->e.size != y->e.size
			       ? differ(c, path, "size", number(c, x->e.size), number(c, y->e.size))
			       : differ(c, path, "content", digest_text(c, &x->content),
					digest_text(c, &y->content));
	if (x->e.dev_major != y->e.dev_major || x->e.dev_minor != y->e.dev_minor)
		return differ(c, path, "device number",
			      co_arena_printf(c->a, "%u:%u", x->e.dev_major, x->e.dev_minor),
			      co_arena_printf(c->a, "%u:%u", y->e.dev_major, y->e.dev_minor));
	int r = compare_owner(c, path, x, y);
	if (r)
		return r;
	if (memcmp(x->xattrs.bytes, y->xattrs.bytes, 32) != 0)
		return differ(c, path, "extended attributes", number(c, x->e.n_xattrs),
			      number(c, y->e.n_xattrs));
	if (x->e.mtime.tv_sec != y->e.mtime.tv_sec || x->e.mtime.tv_nsec != y->e.mtime.tv_nsec)
		return differ(c, path, "time", when(c, &x->e.mtime), when(c, &y->e.mtime));
	return 0;
}

static int compare_lists(struct comparison *c, const struct members *x, const struct members *y)
{
	size_t i = 0, j = 0;
	while (i < x->n || j < y->n) {
		int order = i == x->n	? 1
			    : j == y->n ? -1
					: path_order(x->items[i].path, y->items[j].path);
		const struct member *m = order <= 0 ? &x->items[i] : &y->items[j];
		if (order)
			return differ(c, co_arena_printf(c->a, "/%s", m->path), "presence",
				      order < 0 ? type_name(&m->e) : "missing",
				      order < 0 ? "missing" : type_name(&m->e));
		int r = compare_member(c, &x->items[i++], &y->items[j++]);
		if (r)
			return r;
	}
	return differ(c, "", "archive format", "", "");
}

/* ---- layers ---- */

/* The history entry that made a layer. */
static const char *made_by(const struct co_config *config, size_t layer)
{
	for (size_t i = 0, n = 0; i < config->n_history; i++)
		if (!config->history[i].empty_layer && n++ == layer)
			return config->history[i].created_by;
	return NULL;
}

static void layer_place(struct comparison *c, size_t i)
{
	const char *by = made_by(&c->view[0]->config, i);
	c->out->place =
		co_arena_printf(c->a, "layer %zu of %zu", i + 1, c->view[0]->manifest.n_layers);
	c->out->step = by ? by : "";
}

static int compare_layer(struct comparison *c, size_t i)
{
	const struct co_view *x = c->view[0], *y = c->view[1];
	const struct co_descriptor *a = &x->manifest.layers[i], *b = &y->manifest.layers[i];
	if (i < x->config.n_diff_ids && i < y->config.n_diff_ids &&
	    co_digest_eq(&x->config.diff_ids[i], &y->config.diff_ids[i])) {
		if (co_digest_eq(&a->digest, &b->digest))
			return 0;
		layer_place(c, i);
		return strcmp(a->media_type, b->media_type) != 0
			       ? differ(c, "", "compression", a->media_type, b->media_type)
			       : differ(c, "", "compression", digest_text(c, &a->digest),
					digest_text(c, &b->digest));
	}
	struct members lists[2] = {{0}, {0}};
	layer_place(c, i);
	int r = read_members(c, 0, (unsigned)i, &lists[0]);
	if (!r)
		r = read_members(c, 1, (unsigned)i, &lists[1]);
	return r ? r : compare_lists(c, &lists[0], &lists[1]);
}

static int compare_layers(struct comparison *c)
{
	size_t n[2] = {c->view[0]->manifest.n_layers, c->view[1]->manifest.n_layers};
	for (size_t i = 0; i < n[0] && i < n[1]; i++) {
		int r = compare_layer(c, i);
		if (r)
			return r;
	}
	if (n[0] == n[1])
		return 0;
	c->out->place = "manifest";
	return differ(c, "", "number of layers", number(c, n[0]), number(c, n[1]));
}

/* ---- documents ---- */

static const char *value_text(struct comparison *c, const json_t *j)
{
	auto_buf b = CO_BUF_INIT(4u << 20);
	if (!j)
		return "missing";
	auto_free char *plain = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
	co_buf_adds(&b, plain ? plain : "?");
	return co_arena_strdup(c->a, co_buf_str(&b));
}

static int compare_json(struct comparison *c, const json_t *x, const json_t *y, const char *at)
{
	if (x && y && json_equal(x, y))
		return 0;
	if (json_is_object(x) && json_is_object(y)) {
		const char *key;
		json_t *value;
		json_t *all = json_copy((json_t *)x);
		json_object_update_missing(all, (json_t *)y);
		int r = 0;
		json_object_foreach(all, key, value)
		{
			r = r ? r
			      : compare_json(
					c, json_object_get(x, key), json_object_get(y, key),
					co_arena_printf(c->a, "%s%s%s", at, *at ? "." : "", key));
		}
		json_decref(all);
		return r;
	}
	if (json_is_array(x) && json_is_array(y)) {
		size_t n = json_array_size(x) > json_array_size(y) ? json_array_size(x)
								   : json_array_size(y);
		for (size_t i = 0; i < n; i++) {
			int r = compare_json(c, json_array_get(x, i), json_array_get(y, i),
					     co_arena_printf(c->a, "%s[%zu]", at, i));
			if (r)
				return r;
		}
	}
	return differ(c, at, "value", value_text(c, x), value_text(c, y));
}

static int compare_docs(struct comparison *c, const struct co_digest *x, const struct co_digest *y,
			const char *place)
{
	json_t *docs[2] = {NULL, NULL};
	const struct co_digest *d[2] = {x, y};
	if (co_digest_eq(x, y))
		return 0;
	for (int i = 0; i < 2; i++) {
		auto_free char *text = NULL;
		size_t len;
		int r = co_store_blob_read(c->view[i]->store, d[i], DOC_MAX, &text, &len, c->err);
		if (!r)
			r = co_json_parse(&docs[i], text, len, place, c->err);
		if (r < 0) {
			json_decref(docs[0]);
			return r;
		}
	}
	c->out->place = place;
	int r = compare_json(c, docs[0], docs[1], "");
	for (int i = 0; i < 2; i++)
		json_decref(docs[i]);
	return r ? r : differ(c, "", "spelling", digest_text(c, x), digest_text(c, y));
}

int co_report_compare(struct co_difference *out, struct co_arena *a, struct co_view *first,
		      struct co_view *second, struct co_err *err)
{
	struct co_difference d = {.place = "", .step = "", .what = "", .attribute = ""};
	struct comparison c = {.a = a, .view = {first, second}, .out = &d, .err = err};
	int r = co_digest_eq(&first->desc.digest, &second->desc.digest) ? 0 : compare_layers(&c);
	if (!r)
		r = compare_docs(&c, &first->manifest.config.digest,
				 &second->manifest.config.digest, "config");
	if (!r)
		r = compare_docs(&c, &first->desc.digest, &second->desc.digest, "manifest");
	if (r <= 0)
		return r;
	d.why = difference_why(&d);
	*out = d;
	return 1;
}
