/* SPDX-License-Identifier: MIT
 *
 * A layer's blob into a tree, its diff id checked on the way.
 */
#include "snapshot-internal.h"

int unpack_layer(struct co_rootfs *r, const struct co_layer *layer, const struct co_root *root,
		 enum co_unpack_mode mode, struct co_err *err)
{
	int fd;
	int64_t size;
	int e = co_store_blob_fd(r->store, &layer->desc.digest, &fd, &size, err);
	if (e < 0)
		return e;
	struct co_digest got;
	struct co_source_stream *raw = co_stream_inflate(co_stream_fd(fd, true, "layer"), 0);
	struct co_source_stream *in = co_stream_hash(raw, CO_SHA256, &got, NULL);
	struct co_tar_reader *tar;
	e = co_tar_reader_open(&tar, in, NULL, err);
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
	return e;
}
