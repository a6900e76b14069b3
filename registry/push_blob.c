/* SPDX-License-Identifier: MIT
 *
 * push_blob.c — uploads. Each blob is a small machine: is it there? can it be mounted? else a
 * session (POST), the data, and the digest that closes it. The usual way is one PUT; where a
 * registry or a proxy does not take that, one streamed PATCH, then PATCHes of limited size. A
 * failed session is never continued blindly: it starts again at the first question, because the
 * last answer may have been lost on its way.
 */
#include "registry-internal.h"
#include <cooper/clock.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define MAX_MOUNT_TRIES 8
#define FIRST_CHUNK	(4 << 20)
#define SMALLEST_CHUNK	(512 << 10)
#define BIGGEST_MIN	(1 << 30)
#define LONG_UPLOAD	(16 << 20)

enum mode { MODE_PUT, MODE_STREAM, MODE_CHUNKS };

struct upload {
	const struct push_set *set;
	struct co_registry *r;
	struct co_descriptor desc;
	bool *missing;
	struct co_err *err; /* of the batch */
	enum mode mode;
	size_t mount_at;
	unsigned mounts_tried;
	char *location; /* owned; absolute */
	int fd;
	int64_t at, chunk, min_chunk;
	unsigned tries, queries;
	int64_t told_at;
};

static void ask(struct upload *u, int64_t delay_ms);
static void mount_next(struct upload *u);
static void send_data(struct upload *u);

static void fail_batch(struct upload *u, const struct co_err *err)
{
	char name[CO_DIGEST_TEXT];

	if (u->err->code)
		return;
	*u->err = *err;
	co_wrap(u->err, "%s", co_digest_str(&u->desc.digest, name));
	u->r->stop = true;
}

static void fail_req(struct upload *u, struct req *q)
{
	struct co_err err = CO_ERR_INIT;
	char code[64];

	if (req_result(q, NULL, &err) == 0)
		co_fail(&err, CO_E_REGISTRY, "%s: unexpected answer %d", q->method, q->status);
	error_code(q, code, sizeof(code));
	if (!strcmp(code, "NAME_UNKNOWN"))
		co_hint(&err, "this registry wants the repository to be created first");
	fail_batch(u, &err);
}

static void finished(struct upload *u, bool cached)
{
	co_close_fd(&u->fd);
	tell_progress(u->r, &u->told_at, &u->desc.digest, CO_DIR_PUSH, u->desc.size, u->desc.size,
		      true, cached);
}

static struct req *upload_req(struct upload *u, const char *method, void (*done)(struct req *))
{
	struct req *q = req_new(u->r, u->set->repo->host, method);

	scope_add(&q->scopes, u->set->scopes);
	snprintf(q->cred_path, sizeof(q->cred_path), "%s", u->set->repo->path);
	q->on_done = done;
	q->ctx = u;
	return q;
}

static void new_session(struct upload *u)
{
	free(u->location);
	u->location = NULL;
	u->at = 0;
	u->queries = 0;
}

/* Starts over with HEAD after a pause; false when there have been enough tries. */
static bool start_over(struct upload *u, const struct req *q)
{
	int64_t ms = retry_delay(u->r, u->tries, q->status ? q->head.retry_after : "");

	if (ms < 0 || ++u->tries >= u->r->retries)
		return false;
	co_note(u->r->bus, "%s: the upload of a blob broke off (%s%d); next try in %lld.%lld s",
		u->set->repo->host, q->status ? "HTTP " : "error ",
		q->status ? q->status : q->err.code, (long long)(ms / 1000),
		(long long)(ms / 100 % 10));
	new_session(u);
	ask(u, ms);
	return true;
}

/* The session's next address, checked: a server may name any. */
static int take_location(struct upload *u, struct req *q, struct co_err *err)
{
	char shown[320];
	char *to = q->head.location ? url_resolve(q->cur, q->head.location) : NULL;
	auto_free char *next = to ? url_keep_tls(q->cur, to) : NULL;

	free(to);
	if (!next)
		return co_fail(err, CO_E_REGISTRY, "the registry names no usable upload address");
	url_shown(next, shown, sizeof(shown));
	if (co_starts(q->cur, "https://") && co_starts(next, "http://") &&
	    !host_of_url(u->r, next)->insecure)
		return co_fail(err, CO_E_REGISTRY,
			       "the registry sends the upload to %s over plain http", shown);
	if (!url_may_go(q->cur, next, true))
		return co_fail(err, CO_E_REGISTRY,
			       "the registry sends the upload to an internal address (%s)", shown);
	free(u->location);
	u->location = co_steal(&next);
	return 0;
}

static void on_open(struct req *q)
{
	struct upload *u = q->ctx;
	struct co_err err = CO_ERR_INIT;

	if (q->status != 202) {
		fail_req(u, q);
	} else if (take_location(u, q, &err) < 0) {
		fail_batch(u, &err);
	} else {
		u->min_chunk = q->head.min_chunk;
		send_data(u);
	}
}

static void open_session(struct upload *u)
{
	struct req *q = upload_req(u, "POST", on_open);
	bool sha512 = u->desc.digest.alg == CO_SHA512;

	req_url(q, "/v2/%s/blobs/uploads/%s", u->set->repo->path,
		sha512 ? "?digest-algorithm=sha512" : "");
	q->body_len = 0;
	q->body = "";
	req_start(q);
}

static void on_mount(struct req *q)
{
	struct upload *u = q->ctx;
	struct co_err err = CO_ERR_INIT;

	if (q->status == 201) {
		finished(u, true);
		return;
	}
	/* 202: not mounted, but a session is open; anything else: no mount from there */
	if (q->status == 202 && take_location(u, q, &err) < 0) {
		fail_batch(u, &err);
		return;
	}
	if (q->status == 202)
		u->min_chunk = q->head.min_chunk;
	mount_next(u);
}

static bool is_candidate(const struct upload *u, const struct co_ref *from)
{
	return !strcmp(from->host, u->set->repo->host) && strcmp(from->path, u->set->repo->path);
}

static void mount_next(struct upload *u)
{
	const struct push_set *s = u->set;
	char digest[CO_DIGEST_TEXT];

	while (u->mount_at < s->n_mounts && !is_candidate(u, &s->mounts[u->mount_at]))
		u->mount_at++;
	if (u->mount_at < s->n_mounts && u->mounts_tried++ < MAX_MOUNT_TRIES) {
		struct req *q = upload_req(u, "POST", on_mount);

		req_url(q, "/v2/%s/blobs/uploads/?mount=%s&from=%s", s->repo->path,
			co_digest_str(&u->desc.digest, digest), s->mounts[u->mount_at++].path);
		q->once = true;
		q->body_len = 0;
		q->body = "";
		req_start(q);
	} else if (!co_store_has(s->store, &u->desc.digest, NULL)) {
		*u->missing = true;
	} else if (u->location) {
		send_data(u);
	} else {
		open_session(u);
	}
}

static void on_asked(struct req *q)
{
	struct upload *u = q->ctx;

	if (q->status == 200)
		finished(u, true);
	else if (!q->status || q->status == 401 || retry_status(q->status))
		fail_req(u, q);
	else if (u->tries) /* what could not be mounted the first time need not be tried again */
		open_session(u);
	else
		mount_next(u);
}

static void ask(struct upload *u, int64_t delay_ms)
{
	char digest[CO_DIGEST_TEXT];
	struct req *q = upload_req(u, "HEAD", on_asked);

	req_url(q, "/v2/%s/blobs/%s", u->set->repo->path, co_digest_str(&u->desc.digest, digest));
	q->redirect_is_ok = true;
	if (delay_ms)
		q->not_before = co_mono_ns() + delay_ms * 1000000;
	req_start(q);
}

/* ---- the data ---- */
static void on_progress(struct req *q, int64_t done)
{
	struct upload *u = q->ctx;

	tell_progress(u->r, &u->told_at, &u->desc.digest, CO_DIR_PUSH, u->at + done, u->desc.size,
		      false, false);
}

static struct req *data_req(struct upload *u, const char *method, int64_t len,
			    void (*done)(struct req *))
{
	struct req *q = upload_req(u, method, done);

	q->once = true;
	q->big = true;
	q->strict = true;
	q->fd = u->fd;
	q->body_off = u->at;
	q->body_len = len;
	q->body = "";
	q->fresh_token = len >= LONG_UPLOAD;
	q->on_progress = on_progress;
	return q;
}

static void close_url(struct upload *u, struct req *q)
{
	char digest[CO_DIGEST_TEXT];

	req_url(q, "%s%cdigest=%s", u->location, strchr(u->location, '?') ? '&' : '?',
		co_digest_str(&u->desc.digest, digest));
}

/* A worse way that more registries take; false when there is none left. */
static bool other_mode(struct upload *u, const struct req *q)
{
	if (q->status == 413) {
		int64_t smaller = u->mode == MODE_CHUNKS ? u->chunk / 4 : FIRST_CHUNK;

		if (smaller < SMALLEST_CHUNK || smaller < u->min_chunk || u->desc.size <= smaller)
			return false;
		u->mode = MODE_CHUNKS;
		u->chunk = smaller;
		return true;
	}
	if (u->mode == MODE_CHUNKS)
		return false;
	u->mode = u->mode == MODE_PUT ? MODE_STREAM : MODE_CHUNKS;
	u->chunk = FIRST_CHUNK;
	return true;
}

static bool is_lost_session(const struct req *q)
{
	char code[64];

	error_code(q, code, sizeof(code));
	return q->status == 404 || !strcmp(code, "BLOB_UPLOAD_UNKNOWN") ||
	       !strcmp(code, "BLOB_UPLOAD_INVALID");
}

static void data_failed(struct upload *u, struct req *q)
{
	char code[64];
	bool again = false;

	error_code(q, code, sizeof(code));
	if (q->err.code == CO_E_INTEGRITY || q->status == 401 || q->status == 403) {
		fail_req(u, q);
		return;
	}
	if (!q->status || retry_status(q->status)) {
		/* twice the same trouble with a whole body: let it go in another way */
		if (q->status >= 500 && u->tries == 1)
			other_mode(u, q);
		again = start_over(u, q);
	} else if (is_lost_session(q)) {
		if (u->tries == 1)
			other_mode(u, q);
		again = start_over(u, q);
	} else if (!strcmp(code, "DIGEST_INVALID")) {
		again = u->tries == 0 && start_over(u, q);
	} else if (other_mode(u, q)) {
		new_session(u);
		open_session(u);
		again = true;
	}
	if (!again)
		fail_req(u, q);
}

static void on_closed(struct req *q)
{
	struct upload *u = q->ctx;
	struct co_err err = CO_ERR_INIT, quiet = CO_ERR_INIT;
	struct co_digest said;

	if (q->status != 201 && q->status != 204 && q->status != 200) {
		data_failed(u, q);
		return;
	}
	if (q->head.digest[0] && co_digest_parse(&said, q->head.digest, &quiet) == 0 &&
	    said.alg == u->desc.digest.alg && !co_digest_eq(&said, &u->desc.digest)) {
		co_fail(&err, CO_E_INTEGRITY, "the registry stored other content");
		fail_batch(u, &err);
		return;
	}
	finished(u, false);
}

static void on_asked_offset(struct req *q)
{
	struct upload *u = q->ctx;
	struct co_err err = CO_ERR_INIT;
	const char *dash = strchr(q->head.range, '-');
	uint64_t last;

	if (q->status / 100 != 2 || !dash || !co_parse_u64(dash + 1, &last) ||
	    (int64_t)last + 1 > u->desc.size) {
		if (!start_over(u, q))
			fail_req(u, q);
		return;
	}
	if (q->head.location && take_location(u, q, &err) < 0) {
		fail_batch(u, &err);
		return;
	}
	u->at = last ? (int64_t)last + 1 : 0;
	send_data(u);
}

static void ask_offset(struct upload *u)
{
	struct req *q = upload_req(u, "GET", on_asked_offset);

	req_url(q, "%s", u->location);
	q->strict = true;
	req_start(q);
}

static void on_patched(struct req *q)
{
	struct upload *u = q->ctx;
	struct co_err err = CO_ERR_INIT;
	const char *dash = strchr(q->head.range, '-');
	int64_t sent = u->at + q->body_len;
	uint64_t last;

	if (q->status == 416 && u->mode == MODE_CHUNKS && u->queries++ < 3) {
		ask_offset(u);
		return;
	}
	if (q->status != 202 && q->status != 201 && q->status != 204) {
		data_failed(u, q);
		return;
	}
	if (q->head.location && take_location(u, q, &err) < 0) {
		fail_batch(u, &err);
		return;
	}
	/* the registry kept less than we sent; a count that stands still (ECR) is not believed */
	if (u->mode == MODE_CHUNKS && dash && co_parse_u64(dash + 1, &last) &&
	    (int64_t)last + 1 > u->at && (int64_t)last + 1 < sent)
		sent = (int64_t)last + 1;
	u->at = sent;
	send_data(u);
}

static void send_chunk(struct upload *u)
{
	int64_t left = u->desc.size - u->at;
	int64_t size = u->chunk > u->min_chunk ? u->chunk : u->min_chunk;
	bool end = left <= size;
	struct req *q =
		data_req(u, end ? "PUT" : "PATCH", end ? left : size, end ? on_closed : on_patched);

	if (q->body_len)
		snprintf(q->content_range, sizeof(q->content_range), "%lld-%lld", (long long)u->at,
			 (long long)(u->at + q->body_len - 1));
	if (end)
		close_url(u, q);
	else
		req_url(q, "%s", u->location);
	req_start(q);
}

static void send_data(struct upload *u)
{
	struct co_err err = CO_ERR_INIT;
	int64_t size;
	struct req *q;

	if (u->fd < 0 &&
	    co_store_blob_fd(u->set->store, &u->desc.digest, &u->fd, &size, &err) < 0) {
		fail_batch(u, &err);
		return;
	}
	if (u->min_chunk > BIGGEST_MIN)
		u->min_chunk = BIGGEST_MIN;
	if (u->mode == MODE_CHUNKS) {
		send_chunk(u);
		return;
	}
	if (u->mode == MODE_STREAM && u->at < u->desc.size) {
		q = data_req(u, "PATCH", u->desc.size, on_patched);
		req_url(q, "%s", u->location);
	} else {
		q = data_req(u, "PUT", u->desc.size - u->at, on_closed);
		close_url(u, q);
	}
	req_start(q);
}

int push_blobs(const struct push_set *set, const struct co_descriptor *blobs, size_t n,
	       bool *missing, struct co_err *err)
{
	auto_free struct upload *list = co_xcalloc(n + 1, sizeof(*list));
	struct co_err batch = CO_ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		list[i] = (struct upload){.set = set,
					  .r = set->r,
					  .desc = blobs[i],
					  .missing = &missing[i],
					  .err = &batch,
					  .fd = -1};
		missing[i] = false;
		/* the descriptor of a store blob may be vague about its size */
		co_store_has(set->store, &blobs[i].digest, &list[i].desc.size);
		if (!media_is_foreign(blobs[i].media_type))
			ask(&list[i], 0);
	}
	int e = http_run(set->r, &batch);
	for (size_t i = 0; i < n; i++) {
		co_close_fd(&list[i].fd);
		free(list[i].location);
	}
	if (!batch.code)
		return e;
	*err = batch;
	return err->code;
}
