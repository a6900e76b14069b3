/* SPDX-License-Identifier: MIT
 *
 * blob.c — downloads by digest, several at a time, into the store or a caller's sink. Size and
 * digest are checked while the bytes pass; a sink is closed only when they were right.
 */
#include "registry-internal.h"
#include <cooper/clock.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define TELL_NS INT64_C(100000000)

void tell_progress(struct co_registry *r, int64_t *told_at, const struct co_digest *d,
		   enum co_event_dir dir, int64_t done, int64_t total, bool finished, bool cached)
{
	char name[CO_DIGEST_TEXT];
	int64_t now = co_mono_ns();

	if (!r->bus || (!finished && now - *told_at < TELL_NS))
		return;
	*told_at = now;
	co_emit(r->bus, (struct co_event){.kind = CO_EV_TRANSFER,
					  .name = co_digest_str(d, name),
					  .dir = dir,
					  .done = (uint64_t)done,
					  .total = (uint64_t)total,
					  .finished = finished,
					  .ok = finished,
					  .cached = cached});
}

static void batch_fails(struct blob_job *j, const struct co_err *err)
{
	char name[CO_DIGEST_TEXT];

	if (j->err->code)
		return;
	*j->err = *err;
	co_wrap(j->err, "%s", co_digest_str(&j->desc.digest, name));
	j->r->stop = true;
}

static void open_sink(struct blob_job *j)
{
	if (!j->sink)
		j->sink = co_store_sink(j->store, &j->desc.digest, j->desc.size, NULL, NULL);
}

static int on_data(struct req *q, const void *data, size_t len)
{
	struct blob_job *j = q->ctx;

	open_sink(j);
	if (j->hash)
		co_hash_add(j->hash, data, len);
	if (co_sink_write(j->sink, data, len) < 0)
		return co_sink_close(co_steal(&j->sink), &q->err);
	tell_progress(j->r, &j->told_at, &j->desc.digest, CO_DIR_PULL, q->delivered + (int64_t)len,
		      j->desc.size, false, false);
	return 0;
}

static int verify(struct blob_job *j, struct co_err *err)
{
	struct co_digest got;
	char text[CO_DIGEST_TEXT];

	if (!j->hash)
		return 0;
	co_hash_done(co_steal(&j->hash), &got);
	if (co_digest_eq(&got, &j->desc.digest))
		return 0;
	return co_fail(err, CO_E_INTEGRITY, "the registry sent other content: %s",
		       co_digest_str(&got, text));
}

static void on_done(struct req *q)
{
	struct blob_job *j = q->ctx;
	struct co_err err = CO_ERR_INIT;
	int r = req_result(q, NULL, &err);

	if (r == CO_E_NOT_FOUND && media_is_foreign(j->desc.media_type))
		co_hint(&err, "this is a layer that its maker allows to be fetched from his own "
			      "address only; cooper does not do that");
	if (!r)
		r = verify(j, &err);
	if (!r) {
		open_sink(j); /* an empty blob had no data */
		r = co_sink_close(co_steal(&j->sink), &err);
	}
	if (r < 0) {
		batch_fails(j, &err);
		return;
	}
	tell_progress(j->r, &j->told_at, &j->desc.digest, CO_DIR_PULL, j->desc.size, j->desc.size,
		      true, false);
}

static bool wanted(const struct blob_job *jobs, size_t i)
{
	const struct blob_job *j = &jobs[i];

	if (j->sink)
		return true;
	if (co_store_has(j->store, &j->desc.digest, NULL))
		return false;
	for (size_t k = 0; k < i; k++) /* the same layer twice */
		if (!jobs[k].given && co_digest_eq(&jobs[k].desc.digest, &j->desc.digest))
			return false;
	return true;
}

static void start(struct blob_job *j)
{
	char digest[CO_DIGEST_TEXT];
	struct req *q = req_new(j->r, j->repo->host, "GET");

	req_url(q, "/v2/%s/%s/%s", j->repo->path, j->manifest ? "manifests" : "blobs",
		co_digest_str(&j->desc.digest, digest));
	req_scope(q, j->repo->path, "pull");
	if (j->manifest)
		q->accept = REG_ACCEPT_MANIFEST;
	q->big = true;
	q->expect = j->desc.size;
	q->on_data = on_data;
	q->on_done = on_done;
	q->ctx = j;
	req_start(q);
}

int blob_fetch_all(struct co_registry *r, struct blob_job *jobs, size_t n, struct co_err *err)
{
	struct co_err batch = CO_ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		jobs[i].r = r;
		jobs[i].err = &batch;
		jobs[i].given = jobs[i].sink != NULL;
		if (jobs[i].given)
			jobs[i].hash = co_hash_new(jobs[i].desc.digest.alg);
	}
	for (size_t i = 0; i < n; i++) {
		struct blob_job *j = &jobs[i];

		if (j->manifest && j->desc.size > (int64_t)REG_MAX_MANIFEST) {
			co_fail(&batch, CO_E_LIMIT, "a manifest has %lld bytes; 4 MiB are allowed",
				(long long)j->desc.size);
			break;
		}
		if (wanted(jobs, i))
			start(j);
		else
			tell_progress(r, &j->told_at, &j->desc.digest, CO_DIR_PULL, j->desc.size,
				      j->desc.size, true, true);
	}
	int e = batch.code;
	if (e < 0)
		http_drop_all(r);
	else
		e = http_run(r, &batch);
	for (size_t i = 0; i < n; i++) {
		co_hash_free(co_steal(&jobs[i].hash));
		co_sink_abort(co_steal(&jobs[i].sink));
	}
	if (batch.code) {
		*err = batch;
		return err->code;
	}
	return e;
}

int co_registry_fetch(struct co_registry *r, struct co_store *s, const struct co_ref *ref,
		      struct co_blob_job *jobs, size_t n, struct co_err *err)
{
	auto_free struct blob_job *list = co_xcalloc(n + 1, sizeof(*list));
	char name[600];

	for (size_t i = 0; i < n; i++)
		list[i] = (struct blob_job){
			.store = s, .repo = ref, .desc = jobs[i].desc, .sink = jobs[i].sink};
	int e = blob_fetch_all(r, list, n, err);
	for (size_t i = 0; i < n; i++)
		jobs[i].sink = NULL; /* taken */
	return e ? co_wrap(err, "pull from %s", ref_repo(ref, name, sizeof(name))) : 0;
}

int co_registry_blob_exists(struct co_registry *r, const struct co_ref *repo,
			    const struct co_digest *d, bool *exists, struct co_err *err)
{
	char digest[CO_DIGEST_TEXT];
	auto_req q = req_new(r, repo->host, "HEAD");

	req_url(q, "/v2/%s/blobs/%s", repo->path, co_digest_str(d, digest));
	req_scope(q, repo->path, "pull");
	q->redirect_is_ok = true;
	int e = http_do(q, err);
	if (!e && q->status != 404)
		e = req_result(q, NULL, err);
	if (!e)
		*exists = q->status != 404;
	return e;
}
