/* SPDX-License-Identifier: MIT
 *
 * One layer of an image as a stream of members.
 */
#include "report-internal.h"

#define LAYER_MAX (64ull << 30)

int layer_open(struct layer *l, struct co_view *v, unsigned index, struct co_err *err)
{
	*l = (struct layer){.index = index};
	int fd, r = co_store_blob_fd(v->store, &v->manifest.layers[index].digest, &fd, NULL, err);
	if (r < 0)
		return co_wrap(err, "layer %u", index);
	struct co_source_stream *s = co_stream_inflate(co_stream_fd(fd, true, "layer"), LAYER_MAX);
	enum co_digest_alg alg = CO_SHA256;
	if (index < v->config.n_diff_ids)
		alg = (enum co_digest_alg)v->config.diff_ids[index].alg;
	s = co_stream_hash(s, alg, &l->got, NULL);
	r = co_tar_reader_open(&l->tar, s, NULL, err);
	return r < 0 ? co_wrap(err, "layer %u", index) : 0;
}

int layer_next(struct layer *l, struct co_view *v, struct co_tar_entry *e, struct co_err *err)
{
	char want[CO_DIGEST_TEXT], got[CO_DIGEST_TEXT];
	int r = co_tar_next(l->tar, e, err);
	if (r < 0)
		return co_wrap(err, "layer %u", l->index);
	if (r || l->index >= v->config.n_diff_ids)
		return r;
	const struct co_digest *d = &v->config.diff_ids[l->index];
	if (co_digest_eq(d, &l->got))
		return 0;
	return co_fail(err, CO_E_INTEGRITY, "layer %u: its content is %s, the config says %s",
		       l->index, l->got.set ? co_digest_str(&l->got, got) : "not complete",
		       co_digest_str(d, want));
}

void layer_close(struct layer *l)
{
	co_tar_reader_close(l->tar);
	l->tar = NULL;
}
