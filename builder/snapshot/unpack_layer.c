/* SPDX-License-Identifier: MIT
 *
 * A layer's blob into a tree, its diff id checked on the way.
 */
#include "snapshot-internal.h"

#define RATIO 2000

static uint64_t limit_ratio(const struct co_layer_limits *l)
{
	return l && l->ratio ? l->ratio : RATIO;
}

uint64_t layer_most_bytes(const struct co_layer_limits *l, int64_t packed)
{
	uint64_t ratio = limit_ratio(l), size = packed > 0 ? (uint64_t)packed : 0;
	if (size > UINT64_MAX / ratio)
		return 0;
	return size * ratio > LAYER_RATIO_FREE ? size * ratio : LAYER_RATIO_FREE;
}

static int explain_limit(int e, struct co_err *err)
{
	if (e == CO_E_LIMIT)
		co_hint(err, "an image that is meant to be so needs a higher --max-layer-size, "
			     "--max-layer-entries, --max-layer-name or --max-layer-ratio");
	return e;
}

/* The layer's tar: from the store, or from the transfer that is bringing it. */
static int open_layer(struct co_rootfs *r, const struct co_layer *layer,
		      struct co_source_stream **out, struct co_err *err)
{
	int fd;
	int64_t size;
	if (r->feed) {
		*out = feed_inflate(r->feed, limit_ratio(r->limits));
		return 0;
	}
	int e = co_store_blob_fd(r->store, &layer->desc.digest, &fd, &size, err);
	if (!e)
		*out = co_stream_inflate(co_stream_fd(fd, true, "layer"),
					 layer_most_bytes(r->limits, size));
	return e;
}

int unpack_layer(struct co_rootfs *r, const struct co_layer *layer, const struct co_root *root,
		 enum co_unpack_mode mode, struct co_err *err)
{
	struct co_source_stream *raw = NULL;
	int e = open_layer(r, layer, &raw, err);
	if (e < 0)
		return e;
	static const struct co_layer_limits none;
	const struct co_layer_limits *limits = r->limits ? r->limits : &none;
	struct co_digest got;
	struct co_source_stream *in = co_stream_hash(raw, CO_SHA256, &got, NULL);
	struct co_tar_reader *tar;
	e = co_tar_reader_open(&tar, in, &limits->tar, err);
	if (e < 0)
		return e;
	struct co_unpack u = {.mode = mode, .root = root, .dest = "", .bus = r->bus};
	e = co_unpack(tar, &u, err);
	co_tar_reader_close(tar);
	if (!e && !co_digest_eq(&got, &layer->diff_id)) {
		char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
		e = co_fail(err, CO_E_INTEGRITY, "its content is %s, the image says %s",
			    co_digest_str(&got, a), co_digest_str(&layer->diff_id, b));
	}
	return explain_limit(e, err);
}
