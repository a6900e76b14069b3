/* SPDX-License-Identifier: MIT
 *
 * gc_mark.c — what the image names and the cache records reach.
 */
#include "oci-internal.h"
#include "store-internal.h"
#include <cooper/auto.h>
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH  8
#define RECORD_MAX (1u << 20)

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void add(struct gc_marks *m, const struct co_digest *d)
{
	if (m->n == m->room) {
		m->room = m->room ? m->room * 2 : 64;
		m->items = co_xrealloc(m->items, m->room, sizeof(*m->items));
	}
	co_digest_hex(d, m->items[m->n++]);
	m->sorted = false;
}

/* Linear while it grows, which is only asked for documents: a few per image. */
static bool seen(const struct gc_marks *m, const struct co_digest *d)
{
	char hex[CO_DIGEST_TEXT];
	co_digest_hex(d, hex);
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->items[i], hex))
			return true;
	return false;
}

static void sort(struct gc_marks *m)
{
	if (m->n)
		qsort(m->items, m->n, sizeof(*m->items), by_text);
	m->sorted = true;
}

bool gc_marked(const struct gc_marks *m, const char *hex)
{
	return m->n && bsearch(hex, m->items, m->n, sizeof(*m->items), by_text);
}

void gc_marks_release(struct gc_marks *m)
{
	free(m->items);
	*m = (struct gc_marks){0};
}

struct marker {
	struct co_store *s;
	struct gc_marks *blobs, *layers;
	struct gc_marks documents; /* walked already */
	struct co_err fatal;	   /* why the walk cannot be trusted */
};

/* What is absent, damaged or no document reaches nothing (a sparse index is legal). A document that
 * could not be read reaches who knows what: then nothing may be deleted. */
static char *load(struct marker *m, const struct co_digest *d, size_t *len)
{
	char *text;
	struct co_err e = CO_ERR_INIT;
	if (co_store_blob_read(m->s, d, OCI_DOC_MAX, &text, len, &e) == 0)
		return text;
	if (e.code == CO_E_SYSTEM && !m->fatal.code)
		m->fatal = e;
	return NULL;
}

static void mark_config(struct marker *m, const struct co_digest *d)
{
	auto_arena a = CO_ARENA_INIT;
	size_t len;
	auto_free char *text = load(m, d, &len);
	struct co_config c;
	struct co_err ignore = CO_ERR_INIT;
	if (!text || co_config_parse(&c, &a, text, len, &ignore) < 0)
		return;
	for (size_t i = 0; i < c.n_diff_ids; i++)
		add(m->layers, &c.diff_ids[i]);
}

static void mark(struct marker *m, const struct co_descriptor *d, unsigned depth);

static void mark_manifest(struct marker *m, const char *text, size_t len, unsigned depth)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_manifest doc;
	struct co_err ignore = CO_ERR_INIT;
	if (co_manifest_parse(&doc, &a, text, len, NULL, &ignore) < 0)
		return;
	add(m->blobs, &doc.config.digest);
	mark_config(m, &doc.config.digest);
	for (size_t i = 0; i < doc.n_layers; i++)
		add(m->blobs, &doc.layers[i].digest);
	if (doc.has_subject)
		mark(m, &doc.subject, depth + 1);
	co_manifest_release(&doc);
}

static void mark_index(struct marker *m, const char *text, size_t len, unsigned depth)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_index doc;
	struct co_err ignore = CO_ERR_INIT;
	if (co_index_parse(&doc, &a, text, len, NULL, &ignore) < 0)
		return;
	for (size_t i = 0; i < doc.n; i++)
		mark(m, &doc.manifests[i], depth + 1);
	co_index_release(&doc);
}

static void mark(struct marker *m, const struct co_descriptor *d, unsigned depth)
{
	bool index = co_media_is_index(d->media_type);
	size_t len;
	add(m->blobs, &d->digest);
	if ((!index && !co_media_is_manifest(d->media_type)) || depth > MAX_DEPTH ||
	    seen(&m->documents, &d->digest))
		return;
	add(&m->documents, &d->digest);
	auto_free char *text = load(m, &d->digest, &len);
	if (text && index)
		mark_index(m, text, len, depth);
	else if (text)
		mark_manifest(m, text, len, depth);
}

/* A cache record belongs to a module above: all that matters here are the digests in it. */
static void mark_digests(struct marker *m, const json_t *j, unsigned depth)
{
	const char *key;
	json_t *value;
	struct co_digest d;
	struct co_err ignore = CO_ERR_INIT;
	if (depth > 16)
		return;
	if (json_is_string(j) && co_digest_parse(&d, json_string_value(j), &ignore) == 0) {
		add(m->blobs, &d);
		add(m->layers, &d);
	}
	for (size_t i = 0; i < json_array_size(j); i++)
		mark_digests(m, json_array_get(j, i), depth + 1);
	json_object_foreach((json_t *)j, key, value) mark_digests(m, value, depth + 1);
}

/* Keeps or removes one record. Young means by its own word, else by its file's. */
static void cache_record(struct marker *m, int dir, const char *name, int64_t max_age)
{
	auto_free char *text = NULL;
	auto_json doc = NULL;
	size_t len;
	struct stat st;
	struct co_err ignore = CO_ERR_INIT;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	if (!co_ends(name, ".json") ||
	    co_read_file(dir, name, RECORD_MAX, &text, &len, &ignore) < 0 ||
	    co_json_parse(&doc, text, len, name, &ignore) < 0) {
		unlinkat(dir, name, 0);
		return;
	}
	int64_t age = co_wall_s() - co_json_int(doc, "created", st.st_mtim.tv_sec);
	if (max_age >= 0 && age >= max_age)
		unlinkat(dir, name, 0);
	else
		mark_digests(m, doc, 0);
}

static int cache_records(struct marker *m, int64_t max_age, struct co_err *err)
{
	auto_fd fd = openat(m->s->fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return co_fail_sys(err, "store: read cache");
	fd = -1;
	for (struct dirent *e; (e = readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			cache_record(m, dirfd(d), e->d_name, max_age);
	return 0;
}

int gc_mark_all(struct co_store *s, int64_t cache_max_age_s, struct gc_marks *blobs,
		struct gc_marks *layers, struct co_err *err)
{
	struct marker m = {.s = s, .blobs = blobs, .layers = layers};
	struct co_store_image *list;
	size_t n;
	int r = co_store_list(s, &list, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		mark(&m, &list[i].desc, 0);
	free(list);
	r = cache_records(&m, cache_max_age_s, err);
	gc_marks_release(&m.documents);
	sort(blobs);
	sort(layers);
	if (r == 0 && m.fatal.code) {
		*err = m.fatal;
		r = err->code;
	}
	return r;
}
