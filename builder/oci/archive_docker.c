/* SPDX-License-Identifier: MIT
 *
 * archive_docker.c — what `docker save` writes: manifest.json names a config and layers. Layers are
 * mostly uncompressed and are kept as they are; each must be what the config's diff ids say.
 */
#include "layout-internal.h"
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/fs.h>
#include <cooper/str.h>
#include <string.h>

#define MAX_LAYERS 4096

enum packing { PLAIN, GZIP, ZSTD, OTHER };

static int packing_of(struct archive *ar, const struct store_spool *sp, enum packing *out,
		      struct co_err *err)
{
	uint8_t magic[6] = {0};
	auto_fd fd = store_spool_open(ar->s, sp, err);
	if (fd < 0)
		return fd;
	if (co_read_full(fd, magic, sizeof(magic)) < 0)
		return co_fail_sys(err, "read a layer");
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		*out = GZIP;
	else if (!memcmp(magic, "\x28\xb5\x2f\xfd", 4) ||
		 ((magic[0] & 0xf0) == 0x50 && !memcmp(magic + 1, "\x2a\x4d\x18", 3)))
		*out = ZSTD;
	else if (!memcmp(magic, "BZh", 3) || !memcmp(magic,
						     "\xfd"
						     "7zXZ\0",
						     6))
		*out = OTHER;
	else
		*out = PLAIN;
	return 0;
}

/* Unpacks into out (taken), hashing. */
static int unpack_to(struct archive *ar, const struct store_spool *sp, enum co_digest_alg alg,
		     struct co_sink *out, struct co_digest *diff, struct co_err *err)
{
	int fd = store_spool_open(ar->s, sp, err);
	if (fd < 0) {
		co_sink_abort(out);
		return fd;
	}
	struct co_source_stream *in = co_stream_inflate(co_stream_fd(fd, true, "a layer"), 0);
	in = co_stream_hash(in, alg, diff, NULL);
	int r = layout_pump(in, out, err);
	co_stream_close(in);
	if (r < 0) {
		co_sink_abort(out);
		return r;
	}
	return co_sink_close(out, err);
}

static const char *media_type(enum packing p)
{
	return p == GZIP   ? CO_MT_OCI_LAYER_GZIP
	       : p == ZSTD ? CO_MT_OCI_LAYER_ZSTD
			   : CO_MT_OCI_LAYER;
}

static int publish(struct archive *ar, struct store_spool *sp, struct co_err *err)
{
	/* the same layer may stand in the list twice */
	return sp->name[0] ? store_spool_publish(ar->s, sp, err) : 0;
}

static int wrong_diff(const char *path, const struct co_digest *got, const struct co_digest *want,
		      struct co_err *err)
{
	char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
	return co_fail(err, CO_E_INTEGRITY, "layer %s: its content is %s, the config says %s", path,
		       co_digest_str(got, a), co_digest_str(want, b));
}

static int check_layer(struct archive *ar, struct store_spool *sp, const char *path,
		       const struct co_digest *diff_id, struct co_descriptor *out,
		       struct co_err *err)
{
	enum packing p = PLAIN;
	struct co_digest diff = sp->digest;
	struct store_spool plain = {0};
	int r = packing_of(ar, sp, &p, err);
	if (r < 0)
		return r;
	struct co_sink *sink = p == OTHER ? store_spool_sink(ar->s, CO_SHA256, &plain)
			       : p != PLAIN || diff_id->alg != diff.alg ? co_sink_null()
									: NULL;
	if (sink)
		r = unpack_to(ar, sp, (enum co_digest_alg)diff_id->alg, sink, &diff, err);
	if (!r && !co_digest_eq(&diff, diff_id))
		r = wrong_diff(path, &diff, diff_id, err);
	struct store_spool *use = p == OTHER ? &plain : sp;
	if (!r)
		r = publish(ar, use, err);
	store_spool_drop(ar->s, &plain);
	if (r < 0)
		return r;
	*out = (struct co_descriptor){.digest = use->digest, .size = use->size};
	snprintf(out->media_type, sizeof(out->media_type), "%s", media_type(p));
	return 0;
}

/* A layer whose file was published before (named twice) is described from its first place. */
static int add_layer(struct archive *ar, struct co_manifest *m, struct archive_member **files,
		     const char *path, const struct co_digest *diff_id, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct archive_member *f = archive_find(ar, co_path_clean_rel(&a, path));
	size_t i = m->n_layers;
	if (!f)
		return co_fail(err, CO_E_NOT_FOUND, "layer %.200s is missing", path);
	files[i] = f;
	struct co_descriptor *d = co_arena_push(ar->a, m->layers, m->n_layers);
	for (size_t k = 0; k < i; k++) {
		if (files[k] != f)
			continue;
		*d = m->layers[k];
		return 1;
	}
	return check_layer(ar, &f->spool, path, diff_id, d, err);
}

static int add_layers(struct archive *ar, struct co_manifest *m, const struct co_config *c,
		      const json_t *paths, struct co_err *err)
{
	struct archive_member *files[MAX_LAYERS];
	size_t n = json_array_size(paths);
	if (n != c->n_diff_ids)
		return co_fail(err, CO_E_INVALID, "%zu layers but %zu diff ids", n, c->n_diff_ids);
	if (n > MAX_LAYERS)
		return co_fail(err, CO_E_LIMIT, "more than %d layers", MAX_LAYERS);
	for (size_t i = 0; i < n; i++) {
		const char *path = json_string_value(json_array_get(paths, i));
		if (!path)
			return co_fail(err, CO_E_INVALID, "manifest.json: a layer is no string");
		int r = add_layer(ar, m, files, path, &c->diff_ids[i], err);
		for (size_t k = 0; r == 1 && k < i; k++)
			if (files[k] == files[i] && !co_digest_eq(&c->diff_ids[k], &c->diff_ids[i]))
				r = wrong_diff(path, &c->diff_ids[k], &c->diff_ids[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "<hex>.json", "blobs/sha256/<hex>", "sha256:<hex>": a config's file carries its digest. */
static int check_name(const char *path, const struct co_digest *got, struct co_err *err)
{
	char hex[CO_DIGEST_TEXT], text[CO_DIGEST_TEXT];
	const char *base = co_path_base(path);
	base += co_starts(base, "sha256:") ? 7 : 0;
	size_t n = strspn(base, "0123456789abcdef");
	co_digest_hex(got, hex);
	if (n != 64 || (base[n] && strcmp(base + n, ".json")) || !strncmp(base, hex, n))
		return 0;
	return co_fail(err, CO_E_INTEGRITY, "config %s: its content is %s", path,
		       co_digest_str(got, text));
}

static int read_config(struct archive *ar, const char *path, struct co_manifest *m,
		       struct co_config *c, struct co_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	struct archive_member *f = archive_find(ar, co_path_clean_rel(ar->a, path));
	if (!f)
		return co_fail(err, CO_E_NOT_FOUND, "config %.200s is missing", path);
	int r = check_name(path, &f->spool.digest, err);
	if (r == 0 && f->spool.size > (int64_t)OCI_DOC_MAX)
		r = co_fail(err, CO_E_LIMIT, "config of more than %u bytes", OCI_DOC_MAX);
	if (!r)
		r = publish(ar, &f->spool, err);
	if (!r)
		r = co_store_blob_read(ar->s, &f->spool.digest, OCI_DOC_MAX, &text, &len, err);
	if (!r)
		r = co_config_parse(c, ar->a, text, len, err);
	if (r < 0)
		return r;
	snprintf(m->config.media_type, sizeof(m->config.media_type), "%s", CO_MT_OCI_CONFIG);
	m->config.digest = f->spool.digest;
	m->config.size = f->spool.size;
	return 0;
}

static int import_image(struct archive *ar, const json_t *image, struct co_descriptor *out,
			struct co_err *err)
{
	struct co_manifest m = {.media_type = CO_MT_OCI_MANIFEST};
	struct co_config c;
	struct co_descriptor d = {0};
	const json_t *layers;
	const char *config = co_json_str(image, "Config");
	if (!config)
		return co_fail(err, CO_E_INVALID, "manifest.json: an image without Config");
	int r = oci_get_typed(&layers, image, "Layers", JSON_ARRAY, "manifest.json", err);
	if (!r)
		r = read_config(ar, config, &m, &c, err);
	if (!r)
		r = add_layers(ar, &m, &c, layers, err);
	if (r < 0)
		return r;
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	co_manifest_write(&text, &m);
	snprintf(d.media_type, sizeof(d.media_type), "%s", CO_MT_OCI_MANIFEST);
	d.size = (int64_t)text.len;
	d.platform = c.platform;
	r = co_store_put(ar->s, text.data, text.len, &d.digest, err);
	if (!r)
		*out = d;
	return r;
}

static bool has_tag(const json_t *image, const char *select)
{
	const json_t *tags = json_object_get(image, "RepoTags");
	for (size_t i = 0; i < json_array_size(tags); i++) {
		const char *tag = json_string_value(json_array_get(tags, i));
		const char *colon = tag ? strrchr(tag, ':') : NULL;
		if (layout_name_matches(tag, select) || (colon && !strcmp(colon + 1, select)))
			return true;
	}
	const char *config = co_json_str(image, "Config");
	const char *hex = co_starts(select, "sha256:") ? select + 7 : NULL;
	return hex && strlen(hex) == 64 && config && strstr(config, hex);
}

int archive_docker_import(struct archive *ar, const char *select, struct co_descriptor *out,
			  struct co_err *err)
{
	auto_json doc = NULL;
	const json_t *image = NULL;
	int r = co_json_parse(&doc, ar->manifest, ar->manifest_len, "manifest.json", err);
	if (r < 0)
		return r;
	size_t n = json_array_size(doc);
	if (!n)
		return co_fail(err, CO_E_INVALID, "manifest.json: no image in it");
	if ((!select || !*select) && n > 1) {
		co_fail(err, CO_E_USAGE, "it holds %zu images", n);
		return co_hint(err, "choose one by its name (see: tar -xOf FILE manifest.json)");
	}
	for (size_t i = 0; i < n && !image; i++)
		if (!select || !*select || has_tag(json_array_get(doc, i), select))
			image = json_array_get(doc, i);
	if (!image)
		return co_fail(err, CO_E_NOT_FOUND, "no image \"%.200s\" in it", select);
	return import_image(ar, image, out, err);
}
