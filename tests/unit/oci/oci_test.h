/* SPDX-License-Identifier: MIT
 *
 * oci_test.h — what the tests of this module share.
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/fs.h>
#include <cooper/image.h>
#include <cooper/layout.h>
#include <cooper/store.h>
#include <cooper/tar.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define assert_ok(call, err)                                                                       \
	do {                                                                                       \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s", #call, (err)->msg);                                     \
	} while (0)

/* A scratch directory with a store in it. */
struct fixture {
	char dir[256];
	char root[300];
	struct co_store *store;
	struct co_arena arena;
	struct co_err err;
};

static inline int fixture_open(void **state)
{
	struct fixture *f = co_xcalloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");
	snprintf(f->dir, sizeof(f->dir), "%s/cooper-oci-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->root, sizeof(f->root), "%s/store", f->dir);
	if (co_store_open(&f->store, f->root, &f->err) < 0)
		return -1;
	*state = f;
	return 0;
}

static inline int fixture_close(void **state)
{
	struct fixture *f = *state;
	struct co_err err = CO_ERR_INIT;
	co_store_close(f->store);
	co_arena_release(&f->arena);
	int r = co_remove_tree(AT_FDCWD, f->dir, &err);
	free(f);
	return r;
}

#define fixture_test(f) cmocka_unit_test_setup_teardown(f, fixture_open, fixture_close)

static inline const char *in_dir(struct fixture *f, const char *name)
{
	return co_arena_printf(&f->arena, "%s/%s", f->dir, name);
}

static inline struct co_digest put(struct fixture *f, const void *data, size_t len)
{
	struct co_digest d;
	assert_ok(co_store_put(f->store, data, len, &d, &f->err), &f->err);
	return d;
}

/* A layer with one file. The blob as packed; *diff_id of what is inside. */
static inline struct co_descriptor put_layer(struct fixture *f, const char *name, const char *text,
					     enum co_compression packed, struct co_digest *diff_id)
{
	struct co_descriptor d = {0};
	struct co_sink *blob = co_store_sink(f->store, NULL, -1, &d.digest, &d.size);
	struct co_sink *pack = co_sink_compress(blob, packed, -1, 1);
	struct co_tar_writer *w = co_tar_writer_new(co_sink_hash(pack, CO_SHA256, diff_id, NULL));
	struct co_tar_entry e = {.path = name, .mode = S_IFREG | 0644, .size = strlen(text)};
	co_tar_write_entry(w, &e);
	co_tar_write_data(w, text, strlen(text));
	assert_ok(co_tar_writer_close(w, &f->err), &f->err);
	strcpy(d.media_type, packed == CO_COMP_GZIP   ? CO_MT_OCI_LAYER_GZIP
			     : packed == CO_COMP_ZSTD ? CO_MT_OCI_LAYER_ZSTD
						      : CO_MT_OCI_LAYER);
	return d;
}

/* An image of n layers; what tells one from another is salt. */
static inline struct co_descriptor put_image(struct fixture *f, const char *salt, size_t n,
					     enum co_compression packed, const char *platform)
{
	struct co_config c;
	struct co_platform p;
	struct co_manifest m = {.media_type = CO_MT_OCI_MANIFEST};
	auto_buf config = CO_BUF_INIT(CO_BUF_TEXT);
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	assert_ok(co_platform_parse(&p, platform, &f->err), &f->err);
	co_config_init(&c, &p);
	co_config_set_label(&c, &f->arena, "salt", salt);
	for (size_t i = 0; i < n; i++) {
		struct co_digest *id = co_arena_push(&f->arena, c.diff_ids, c.n_diff_ids);
		struct co_history *h = co_arena_push(&f->arena, c.history, c.n_history);
		const char *name = co_arena_printf(&f->arena, "file%zu", i);
		*co_arena_push(&f->arena, m.layers, m.n_layers) =
			put_layer(f, name, salt, packed, id);
		h->created_by = "test";
		h->created = "2026-01-02T03:04:05Z";
	}
	co_config_write(&config, &c);
	m.config.digest = put(f, config.data, config.len);
	m.config.size = (int64_t)config.len;
	strcpy(m.config.media_type, CO_MT_OCI_CONFIG);
	co_manifest_write(&text, &m);
	struct co_descriptor d = {.size = (int64_t)text.len, .platform = p};
	strcpy(d.media_type, CO_MT_OCI_MANIFEST);
	d.digest = put(f, text.data, text.len);
	return d;
}

static inline struct co_descriptor put_index(struct fixture *f, struct co_descriptor *list,
					     size_t n)
{
	struct co_index ix = {.media_type = CO_MT_OCI_INDEX, .manifests = list, .n = n};
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	co_index_write(&text, &ix);
	struct co_descriptor d = {.size = (int64_t)text.len};
	strcpy(d.media_type, CO_MT_OCI_INDEX);
	d.digest = put(f, text.data, text.len);
	return d;
}

static inline struct co_manifest get_manifest(struct fixture *f, const struct co_descriptor *d)
{
	struct co_manifest m;
	char *text;
	size_t len;
	assert_ok(co_store_blob_read(f->store, &d->digest, 4 << 20, &text, &len, &f->err), &f->err);
	assert_ok(co_manifest_parse(&m, &f->arena, text, len, d->media_type, &f->err), &f->err);
	free(text);
	for (size_t i = 0; i < m.n_layers; i++)
		m.layers[i].annotations = NULL;
	co_manifest_release(&m);
	return m;
}

/* Everything the image needs is in the store, as its descriptors say. */
static inline void assert_complete(struct fixture *f, const struct co_descriptor *d)
{
	struct co_manifest m = get_manifest(f, d);
	int64_t size;
	assert_true(co_store_has(f->store, &m.config.digest, &size));
	assert_int_equal(size, m.config.size);
	for (size_t i = 0; i < m.n_layers; i++) {
		assert_true(co_store_has(f->store, &m.layers[i].digest, &size));
		assert_int_equal(size, m.layers[i].size);
	}
}

static inline size_t count_files(struct fixture *f, const char *sub)
{
	auto_free char *path = co_xasprintf("%s/%s", f->root, sub);
	auto_dir d = opendir(path);
	size_t n = 0;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	return n;
}
