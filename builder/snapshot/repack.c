/* SPDX-License-Identifier: MIT
 *
 * A layer in another compression: the content, and so the diff id, stays what it is.
 */
#include "snapshot-internal.h"
#include <stdio.h>
#include <stdlib.h>

#define CHUNK (256u << 10)

static int pour(struct co_source_stream *in, struct co_sink *out, struct co_err *err)
{
	auto_free char *buf = co_xrealloc(NULL, 1, CHUNK);
	ssize_t n;
	while ((n = co_stream_read(in, buf, CHUNK, err)) > 0)
		if (co_sink_write(out, buf, (size_t)n) < 0)
			return 0; /* the sink keeps its error for close */
	return (int)n;
}

static int check(const struct co_layer *layer, const struct co_digest *got, struct co_err *err)
{
	char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
	if (co_digest_eq(got, &layer->diff_id))
		return 0;
	return co_fail(err, CO_E_INTEGRITY, "its content is %s, the image says %s",
		       co_digest_str(got, a), co_digest_str(&layer->diff_id, b));
}

int co_layer_repack(struct co_store *s, const struct co_layer *layer, const struct co_layer_opts *o,
		    struct co_layer *out, struct co_err *err)
{
	struct co_layer made = {.diff_id = layer->diff_id, .empty = layer->empty};
	struct co_digest got = {0};
	int fd;
	int64_t packed;
	int r = co_store_blob_fd(s, &layer->desc.digest, &fd, &packed, err);
	if (r < 0)
		return r;
	/* no more than it says may come out of it: see unpack_layer.c */
	struct co_source_stream *in =
		co_stream_inflate(co_stream_fd(fd, true, "layer"), layer_most_bytes(NULL, packed));
	struct co_sink *blob = co_store_sink(s, NULL, -1, &made.desc.digest, &made.desc.size);
	struct co_sink *sink =
		co_sink_hash(co_sink_compress(blob, o->compression, o->level, o->threads),
			     CO_SHA256, &got, &made.size);
	r = pour(in, sink, err);
	co_stream_close(in);
	if (r < 0) {
		co_sink_abort(sink);
		return r;
	}
	r = co_sink_close(sink, err);
	if (!r)
		r = check(layer, &got, err);
	if (r < 0)
		return r;
	snprintf(made.desc.media_type, sizeof(made.desc.media_type), "%s", layer_media_type(o));
	*out = made;
	return 0;
}
