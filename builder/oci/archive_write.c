/* SPDX-License-Identifier: MIT
 *
 * archive_write.c — an image as one tar file: an OCI layout, and a docker archive at once when
 * asked for. Members sorted, times zero, owner 0: the same image gives the same bytes.
 */
#include "layout-internal.h"
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/clock.h>
#include <cooper/str.h>
#include <cooper/tar.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct out_member {
	const char *path;
	const char *text; /* NULL: a blob, or a directory when blob is not set */
	size_t len;
	struct co_digest blob;
};
struct out_archive {
	struct co_store *s;
	struct co_arena a;
	struct out_member *members;
	size_t n;
};

static void add_text(struct out_archive *ar, const char *path, const char *text, size_t len)
{
	struct out_member *m = co_arena_push(&ar->a, ar->members, ar->n);
	m->path = path;
	m->text = co_arena_strndup(&ar->a, text, len);
	m->len = len;
}

static void add_dir(struct out_archive *ar, const char *path)
{
	for (size_t i = 0; i < ar->n; i++)
		if (!strcmp(ar->members[i].path, path))
			return;
	co_arena_push(&ar->a, ar->members, ar->n)->path = path;
}

static void add_blobs(struct out_archive *ar, const struct layout_blobs *blobs)
{
	char path[LAYOUT_PATH_MAX];
	bool long_ones = false;
	add_dir(ar, "blobs");
	add_dir(ar, "blobs/sha256");
	for (size_t i = 0; i < blobs->n; i++) {
		struct out_member *m = co_arena_push(&ar->a, ar->members, ar->n);
		m->blob = blobs->items[i].digest;
		m->path = co_arena_strdup(&ar->a, store_blob_path(&m->blob, path));
		long_ones |= m->blob.alg == CO_SHA512;
	}
	if (long_ones)
		add_dir(ar, "blobs/sha512");
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct out_member *)a)->path, ((const struct out_member *)b)->path);
}

static int write_blob(struct out_archive *ar, struct co_tar_writer *w, const struct out_member *m,
		      struct co_err *err)
{
	char text[CO_DIGEST_TEXT];
	struct co_tar_entry e = {.path = m->path, .mode = S_IFREG | 0644};
	auto_fd fd = -1;
	int64_t size;
	uint64_t short_by = 0;
	int r = co_store_blob_fd(ar->s, &m->blob, &fd, &size, err);
	if (r < 0)
		return r;
	e.size = (uint64_t)size;
	if (co_tar_write_entry(w, &e) < 0 || co_tar_write_fd(w, fd, e.size, &short_by) < 0)
		return 0; /* the writer keeps its error for close */
	if (short_by)
		return co_fail(err, CO_E_INTEGRITY, "blob %s shrank while it was read",
			       co_digest_str(&m->blob, text));
	return 0;
}

static int write_members(struct out_archive *ar, struct co_tar_writer *w, struct co_err *err)
{
	int r = 0;
	qsort(ar->members, ar->n, sizeof(*ar->members), by_path);
	for (size_t i = 0; r == 0 && i < ar->n; i++) {
		const struct out_member *m = &ar->members[i];
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		if (m->blob.set) {
			r = write_blob(ar, w, m, err);
			continue;
		}
		struct co_tar_entry e = {.path = m->path,
					 .mode = m->text ? S_IFREG | 0644 : S_IFDIR | 0755,
					 .size = m->len};
		co_tar_write_entry(w, &e);
		if (m->text)
			co_tar_write_data(w, m->text, m->len);
	}
	return r;
}

/* ---- the docker half ---- */

static int load_manifest(struct out_archive *ar, const struct co_descriptor *d,
			 struct co_manifest *m, struct co_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int r = co_store_blob_read(ar->s, &d->digest, OCI_DOC_MAX, &text, &len, err);
	return r ? r : co_manifest_parse(m, &ar->a, text, len, d->media_type, err);
}

/* manifest.json has no platforms: of several images the one for this machine, else the first. */
static int pick_image(struct out_archive *ar, const struct co_descriptor *desc,
		      struct co_descriptor *out, struct co_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	struct co_index ix;
	struct co_platform host;
	*out = *desc;
	if (!co_media_is_index(desc->media_type))
		return 0;
	int r = co_store_blob_read(ar->s, &desc->digest, OCI_DOC_MAX, &text, &len, err);
	if (!r)
		r = co_index_parse(&ix, &ar->a, text, len, desc->media_type, err);
	if (r < 0)
		return r;
	co_platform_host(&host);
	const struct co_descriptor *d = co_index_select(&ix, &host);
	if (d && !co_store_has(ar->s, &d->digest, NULL))
		d = NULL;
	for (size_t i = 0; !d && i < ix.n; i++)
		if (oci_is_image(&ix.manifests[i]) &&
		    co_store_has(ar->s, &ix.manifests[i].digest, NULL))
			d = &ix.manifests[i];
	if (d) {
		*out = *d;
		out->annotations = NULL;
	} else {
		r = co_fail(err, CO_E_NOT_FOUND, "there is no image in the index");
	}
	co_index_release(&ix);
	return r;
}

static int repack_layer(struct out_archive *ar, struct co_descriptor *d, struct co_err *err)
{
	int fd;
	int r = co_store_blob_fd(ar->s, &d->digest, &fd, NULL, err);
	if (r < 0)
		return r;
	struct co_descriptor plain = {0};
	struct co_sink *out = co_store_sink(ar->s, NULL, -1, &plain.digest, &plain.size);
	struct co_source_stream *in = co_stream_inflate(co_stream_fd(fd, true, "a layer"), 0);
	r = layout_pump(in, out, err);
	co_stream_close(in);
	if (r < 0) {
		co_sink_abort(out);
		return r;
	}
	r = co_sink_close(out, err);
	snprintf(plain.media_type, sizeof(plain.media_type), "%s", CO_MT_OCI_LAYER);
	if (!r)
		*d = plain;
	return r;
}

/* Docker before 23 cannot load zstd: such an image is written with plain layers, under a manifest
 * that says so. Its config, and so its id, stays. */
static int without_zstd(struct out_archive *ar, struct co_descriptor *desc, struct co_manifest *m,
			struct co_err *err)
{
	bool changed = false;
	int r = 0;
	for (size_t i = 0; r == 0 && i < m->n_layers; i++) {
		if (!strstr(m->layers[i].media_type, "zstd"))
			continue;
		changed = true;
		r = repack_layer(ar, &m->layers[i], err);
	}
	if (r < 0 || !changed)
		return r;
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	m->media_type = CO_MT_OCI_MANIFEST;
	snprintf(m->config.media_type, sizeof(m->config.media_type), "%s", CO_MT_OCI_CONFIG);
	co_manifest_write(&text, m);
	snprintf(desc->media_type, sizeof(desc->media_type), "%s", CO_MT_OCI_MANIFEST);
	desc->size = (int64_t)text.len;
	return co_store_put(ar->s, text.data, text.len, &desc->digest, err);
}

static json_t *docker_image(struct out_archive *ar, const struct co_manifest *m,
			    const char *const *names)
{
	char path[LAYOUT_PATH_MAX];
	json_t *image = json_object(), *tags = json_array(), *layers = json_array();
	for (size_t i = 0; names && names[i]; i++) {
		const char *tag = layout_repo_tag(&ar->a, names[i]);
		if (tag)
			json_array_append_new(tags, co_json_string(tag));
	}
	for (size_t i = 0; i < m->n_layers; i++)
		json_array_append_new(layers,
				      json_string(store_blob_path(&m->layers[i].digest, path)));
	oci_set_string(image, "Config", store_blob_path(&m->config.digest, path));
	bool tagged = json_array_size(tags) > 0;
	json_object_set_new(image, "RepoTags", tagged ? json_incref(tags) : json_null());
	json_decref(tags);
	json_object_set_new(image, "Layers", layers);
	return image;
}

static int add_docker(struct out_archive *ar, struct co_descriptor *desc, const char *const *names,
		      json_t *list, struct co_err *err)
{
	struct co_descriptor image;
	struct co_manifest m = {0};
	struct co_digest before;
	int r = pick_image(ar, desc, &image, err);
	if (!r)
		r = load_manifest(ar, &image, &m, err);
	if (r < 0)
		return r;
	before = image.digest;
	r = without_zstd(ar, &image, &m, err);
	if (!r)
		json_array_append_new(list, docker_image(ar, &m, names));
	co_manifest_release(&m);
	if (!r && !co_digest_eq(&before, &image.digest))
		*desc = image;
	return r;
}

static void add_index(struct out_archive *ar, json_t *entries)
{
	auto_json doc = json_object();
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	json_object_set_new(doc, "schemaVersion", json_integer(2));
	oci_set_string(doc, "mediaType", CO_MT_OCI_INDEX);
	json_object_set(doc, "manifests", entries);
	co_json_write_pretty(&text, doc);
	add_text(ar, "index.json", text.data, text.len);
	add_text(ar, "oci-layout", LAYOUT_HEADER, strlen(LAYOUT_HEADER));
}

static int fill(struct out_archive *ar, const struct co_layout_image *images, size_t n, bool docker,
		struct co_err *err)
{
	struct layout_blobs blobs = {.a = &ar->a};
	auto_json list = json_array();
	auto_json entries = json_array();
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct co_descriptor d = images[i].desc;
		r = docker ? add_docker(ar, &d, images[i].names, list, err) : 0;
		if (!r)
			r = layout_collect(ar->s, &d, &blobs, err);
		auto_json mine = layout_entries(&d, images[i].names);
		json_array_extend(entries, mine);
	}
	if (r < 0)
		return r;
	co_json_write(&text, list);
	if (docker)
		add_text(ar, "manifest.json", text.data, text.len);
	add_blobs(ar, &blobs);
	add_index(ar, entries);
	return 0;
}

int co_layout_write_tar_many(struct co_store *s, const struct co_layout_image *images, size_t n,
			     bool docker, struct co_sink *out, struct co_err *err)
{
	struct out_archive ar = {.s = s};
	struct co_tar_writer *w = co_tar_writer_new(out);
	int r = fill(&ar, images, n, docker, err);
	if (!r)
		r = write_members(&ar, w, err);
	co_arena_release(&ar.a);
	if (r < 0) {
		co_tar_writer_abort(w);
		return r;
	}
	return co_tar_writer_close(w, err);
}

int co_layout_write_tar(struct co_store *s, const struct co_descriptor *desc,
			const char *const *names, bool docker, struct co_sink *out,
			struct co_err *err)
{
	struct co_layout_image one = {.desc = *desc, .names = names};
	return co_layout_write_tar_many(s, &one, 1, docker, out, err);
}
