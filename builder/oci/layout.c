/* SPDX-License-Identifier: MIT
 *
 * layout.c — what all readers and writers share: the walk over an image, the choice of an image.
 */
#include "layout-internal.h"
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/clock.h>
#include <cooper/str.h>
#include <string.h>

#define MAX_DEPTH     4
#define MAX_DOCUMENTS 8192 /* manifests and indexes of one image */
#define PUMP_BLOCK    (128u << 10)

struct walk {
	struct co_store *s;
	layout_visit *visit;
	void *ctx;
	struct co_arena arena;
	struct co_digest *done; /* documents walked: the same entry may come again and again */
	size_t n_done;
};

/* 1: the source lacks it, 0: done, <0: failed. */
static int walk(struct walk *w, const struct co_descriptor *d, unsigned depth, struct co_err *err);

static bool is_foreign(const char *media_type)
{
	return strstr(media_type, ".nondistributable.") || strstr(media_type, ".foreign.");
}

/* Gives 1 instead of NOT_FOUND. */
static int visit(struct walk *w, const struct co_descriptor *d, struct co_err *err)
{
	struct co_err why = CO_ERR_INIT;
	int r = w->visit(w->ctx, d, &why);
	if (r == CO_E_NOT_FOUND)
		return 1;
	if (r < 0)
		*err = why;
	return r;
}

static int visit_needed(struct walk *w, const struct co_descriptor *d, struct co_err *err)
{
	char text[CO_DIGEST_TEXT];
	int r = visit(w, d, err);
	if (r <= 0 || is_foreign(d->media_type))
		return r < 0 ? r : 0;
	return co_fail(err, CO_E_NOT_FOUND, "blob %s of the image is missing",
		       co_digest_str(&d->digest, text));
}

static int walk_manifest(struct walk *w, const struct co_descriptor *d, const char *text,
			 size_t len, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_manifest m;
	int r = co_manifest_parse(&m, &a, text, len, d->media_type, err);
	if (r < 0)
		return r;
	r = visit_needed(w, &m.config, err);
	for (size_t i = 0; r == 0 && i < m.n_layers; i++)
		r = visit_needed(w, &m.layers[i], err);
	co_manifest_release(&m);
	return r;
}

static int walk_index(struct walk *w, const struct co_descriptor *d, const char *text, size_t len,
		      unsigned depth, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_index ix;
	size_t missing = 0;
	int r = co_index_parse(&ix, &a, text, len, d->media_type, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < ix.n; i++) {
		r = walk(w, &ix.manifests[i], depth + 1, err);
		missing += r > 0;
	}
	if (r >= 0 && ix.n && missing == ix.n)
		r = co_fail(err, CO_E_NOT_FOUND, "none of the index's %zu images is there", ix.n);
	co_index_release(&ix);
	return r < 0 ? r : 0;
}

static int is_done(struct walk *w, const struct co_digest *d, struct co_err *err)
{
	for (size_t i = 0; i < w->n_done; i++)
		if (co_digest_eq(&w->done[i], d))
			return 1;
	if (w->n_done == MAX_DOCUMENTS)
		return co_fail(err, CO_E_LIMIT, "an image of more than %d manifests",
			       MAX_DOCUMENTS);
	*co_arena_push(&w->arena, w->done, w->n_done) = *d;
	return 0;
}

static int walk(struct walk *w, const struct co_descriptor *d, unsigned depth, struct co_err *err)
{
	bool index = co_media_is_index(d->media_type);
	auto_free char *text = NULL;
	size_t len;
	if (depth > MAX_DEPTH)
		return co_fail(err, CO_E_INVALID, "indexes nested more than %d deep", MAX_DEPTH);
	int r = visit(w, d, err);
	if (r || (!index && !co_media_is_manifest(d->media_type)))
		return r;
	r = is_done(w, &d->digest, err);
	if (r)
		return r < 0 ? r : 0;
	r = co_store_blob_read(w->s, &d->digest, OCI_DOC_MAX, &text, &len, err);
	if (r < 0)
		return r;
	return index ? walk_index(w, d, text, len, depth, err)
		     : walk_manifest(w, d, text, len, err);
}

int layout_walk(struct co_store *s, layout_visit *visitor, void *ctx, const struct co_descriptor *d,
		struct co_err *err)
{
	struct walk w = {.s = s, .visit = visitor, .ctx = ctx};
	char text[CO_DIGEST_TEXT];
	int r = walk(&w, d, 0, err);
	co_arena_release(&w.arena);
	if (r > 0)
		return co_fail(err, CO_E_NOT_FOUND, "image %s is missing",
			       co_digest_str(&d->digest, text));
	return r;
}

/* ---- choice ---- */

static const char *note(const struct co_descriptor *d, const char *key)
{
	return co_json_str(d->annotations, key);
}

static int several(const struct co_index *ix, struct co_err *err)
{
	auto_buf names = CO_BUF_INIT(400);
	size_t n = 0;
	for (size_t i = 0; i < ix->n; i++) {
		const struct co_descriptor *d = &ix->manifests[i];
		const char *name = note(d, LAYOUT_REF_NAME);
		char text[CO_DIGEST_TEXT];
		if (!oci_is_image(d))
			continue;
		name = name ? name : co_digest_str(&d->digest, text);
		if (n++)
			co_buf_adds(&names, ", ");
		co_sanitize(&names, name, strnlen(name, 100), false);
	}
	co_fail(err, CO_E_USAGE, "it holds %zu images", n);
	return co_hint(err, "choose one by its name: %s", co_buf_str(&names));
}

static int select_only(const struct co_index *ix, struct co_descriptor *out, bool *whole,
		       struct co_err *err)
{
	const struct co_descriptor *only = NULL;
	bool differ = false, platforms = true;
	for (size_t i = 0; i < ix->n; i++) {
		const struct co_descriptor *d = &ix->manifests[i];
		if (!oci_is_image(d))
			continue;
		differ |= only && !co_digest_eq(&only->digest, &d->digest);
		platforms &= d->platform.os[0] && !note(d, LAYOUT_REF_NAME) &&
			     !note(d, LAYOUT_FULL_NAME);
		only = only ? only : d;
	}
	if (!only)
		return co_fail(err, CO_E_NOT_FOUND, "there is no image in it");
	if (differ && !platforms)
		return several(ix, err);
	*whole = differ;
	if (!differ)
		*out = *only;
	return 0;
}

static bool fits(const struct co_descriptor *d, const char *select, const struct co_digest *digest)
{
	if (digest->set)
		return co_digest_eq(&d->digest, digest);
	return layout_name_matches(note(d, LAYOUT_REF_NAME), select) ||
	       layout_name_matches(note(d, LAYOUT_FULL_NAME), select);
}

int layout_select(const struct co_index *ix, const char *select, struct co_descriptor *out,
		  bool *whole, struct co_err *err)
{
	struct co_digest digest = {0};
	*whole = false;
	if (!select || !*select)
		return select_only(ix, out, whole, err);
	const char *at = strchr(select, '@');
	const char *name = at ? at + 1 : select;
	if ((at || co_starts(name, "sha256:") || co_starts(name, "sha512:")) &&
	    co_digest_parse(&digest, name, err) < 0)
		return err->code;
	for (size_t i = 0; i < ix->n; i++) {
		if (!fits(&ix->manifests[i], select, &digest))
			continue;
		*out = ix->manifests[i];
		return 0;
	}
	return co_fail(err, CO_E_NOT_FOUND, "no image \"%.200s\" in it", select);
}

static bool kind_of(const char *text, size_t len, struct co_descriptor *d)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_manifest m;
	struct co_index ix;
	struct co_err ignore = CO_ERR_INIT;
	if (co_manifest_parse(&m, &a, text, len, NULL, &ignore) == 0) {
		snprintf(d->media_type, sizeof(d->media_type), "%s", m.media_type);
		co_manifest_release(&m);
		return true;
	}
	co_err_clear(&ignore);
	if (co_index_parse(&ix, &a, text, len, NULL, &ignore) < 0)
		return false;
	snprintf(d->media_type, sizeof(d->media_type), "%s", ix.media_type);
	co_index_release(&ix);
	return true;
}

/* A digest that index.json does not list: an image inside an index, say. */
static int select_blob(struct co_store *s, const char *select, layout_visit *visitor, void *ctx,
		       struct co_descriptor *out, struct co_err *err)
{
	struct co_descriptor d = {.size = -1};
	struct co_err ignore = CO_ERR_INIT, why = CO_ERR_INIT;
	auto_free char *text = NULL;
	size_t len;
	const char *at = select ? strchr(select, '@') : NULL;
	if (!select || co_digest_parse(&d.digest, at ? at + 1 : select, &ignore) < 0)
		return err->code;
	int r = visitor(ctx, &d, &why);
	if (r == CO_E_NOT_FOUND)
		return err->code;
	if (!r)
		r = co_store_blob_read(s, &d.digest, OCI_DOC_MAX, &text, &len, &why);
	if (!r && !kind_of(text, len, &d))
		r = co_fail(&why, CO_E_INVALID, "%.160s is not an image", select);
	d.size = r ? 0 : (int64_t)len;
	*err = why;
	if (!r)
		*out = d;
	return r;
}

int layout_import(struct co_store *s, const char *text, size_t len, const char *select,
		  layout_visit *visitor, void *ctx, struct co_descriptor *out, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_index ix;
	struct co_descriptor d = {0};
	bool whole = false;
	int r = co_index_parse(&ix, &a, text, len, NULL, err);
	if (r < 0)
		return r;
	r = layout_select(&ix, select, &d, &whole, err);
	if (r == CO_E_NOT_FOUND)
		r = select_blob(s, select, visitor, ctx, &d, err);
	if (!r && whole) {
		snprintf(d.media_type, sizeof(d.media_type), "%s", ix.media_type);
		d.size = (int64_t)len;
		r = co_store_put(s, text, len, &d.digest, err);
	}
	d.annotations = NULL; /* they belong to the document */
	co_index_release(&ix);
	if (!r)
		r = layout_walk(s, visitor, ctx, &d, err);
	if (!r)
		*out = d;
	return r;
}

int layout_check_header(const char *text, size_t len, struct co_err *err)
{
	auto_json doc = NULL;
	if (!text)
		return co_fail(err, CO_E_INVALID, "not an OCI layout: there is no oci-layout file");
	int r = co_json_parse(&doc, text, len, "oci-layout", err);
	if (r < 0)
		return r;
	const char *version = co_json_str(doc, "imageLayoutVersion");
	if (!version || !co_starts(version, "1."))
		return co_fail(err, CO_E_UNSUPPORTED, "OCI layout of version \"%.20s\"",
			       version ? version : "");
	return 0;
}

int layout_pump(struct co_source_stream *in, struct co_sink *out, struct co_err *err)
{
	auto_free char *block = co_xrealloc(NULL, 1, PUMP_BLOCK);
	ssize_t n;
	while ((n = co_stream_read(in, block, PUMP_BLOCK, err)) > 0) {
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		if (co_sink_write(out, block, (size_t)n) < 0)
			return 0; /* the sink keeps its error for close */
	}
	return n < 0 ? (int)n : 0;
}

bool layout_blob_name(const char *path, struct co_digest *out)
{
	char text[CO_DIGEST_TEXT];
	struct co_err ignore = CO_ERR_INIT;
	if (!co_starts(path, "blobs/sha256/") && !co_starts(path, "blobs/sha512/"))
		return false;
	int n = snprintf(text, sizeof(text), "%.6s:%s", path + 6, path + 13);
	return n > 0 && (size_t)n < sizeof(text) && co_digest_parse(out, text, &ignore) == 0;
}
