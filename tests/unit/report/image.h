/* SPDX-License-Identifier: MIT
 *
 * image.h — images of a few layers in a store of their own, for the tests of this folder.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/report.h>
#include <cooper/str.h>
#include <assert.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "../stream/rawtar.h"

struct image {
	char dir[64];
	struct co_store *store;
	struct co_arena arena;
	struct co_config config;
	struct co_manifest manifest;
	struct co_descriptor desc;
};

static inline void image_open(struct image *im)
{
	struct co_err err = CO_ERR_INIT;
	struct co_platform p;
	char path[96];
	memset(im, 0, sizeof(*im));
	strcpy(im->dir, "/tmp/cooper-report-XXXXXX");
	assert_non_null(mkdtemp(im->dir));
	snprintf(path, sizeof(path), "%s/store", im->dir);
	assert_int_equal(co_store_open(&im->store, path, &err), 0);
	assert_int_equal(co_platform_parse(&p, "linux/amd64", &err), 0);
	co_config_init(&im->config, &p);
	im->manifest.media_type = CO_MT_OCI_MANIFEST;
}

static inline void image_close(struct image *im)
{
	char cmd[96];
	co_store_close(im->store);
	co_arena_release(&im->arena);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", im->dir);
	assert_int_equal(system(cmd), 0);
}

static inline void image_add_tar(struct image *im, const void *tar, size_t len)
{
	struct co_err err = CO_ERR_INIT;
	struct co_descriptor d = {.media_type = CO_MT_OCI_LAYER_GZIP};
	struct co_digest diff;
	struct co_sink *s = co_store_sink(im->store, NULL, -1, &d.digest, &d.size);
	s = co_sink_hash(co_sink_gzip(s, 1, 1), CO_SHA256, &diff, NULL);
	co_sink_write(s, tar, len);
	assert_int_equal(co_sink_close(s, &err), 0);
	*co_arena_push(&im->arena, im->manifest.layers, im->manifest.n_layers) = d;
	*co_arena_push(&im->arena, im->config.diff_ids, im->config.n_diff_ids) = diff;
	struct co_history *h = co_arena_push(&im->arena, im->config.history, im->config.n_history);
	h->created_by = co_arena_printf(&im->arena, "layer %zu", im->manifest.n_layers - 1);
	h->created = "2026-01-02T03:04:05Z";
}

/* A layer from rawtar's member list. */
static inline void image_add(struct image *im, const char *spec)
{
	auto_buf tar = CO_BUF_INIT(64u << 20);
	raw_members(&tar, spec);
	raw_end(&tar);
	image_add_tar(im, tar.data, tar.len);
}

static inline void put_doc(struct image *im, const struct co_buf *b, struct co_descriptor *d,
			   const char *type)
{
	struct co_err err = CO_ERR_INIT;
	assert_int_equal(co_store_put(im->store, b->data, b->len, &d->digest, &err), 0);
	d->size = (int64_t)b->len;
	strcpy(d->media_type, type);
}

/* Writes config and manifest. */
static inline void image_finish(struct image *im)
{
	auto_buf config = CO_BUF_INIT(CO_BUF_TEXT), manifest = CO_BUF_INIT(CO_BUF_TEXT);
	co_config_write(&config, &im->config);
	put_doc(im, &config, &im->manifest.config, CO_MT_OCI_CONFIG);
	co_manifest_write(&manifest, &im->manifest);
	put_doc(im, &manifest, &im->desc, CO_MT_OCI_MANIFEST);
}

static inline void image_view(struct image *im, struct co_view *v)
{
	struct co_err err = CO_ERR_INIT;
	if (co_view_open(v, &im->arena, im->store, &im->desc, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}
