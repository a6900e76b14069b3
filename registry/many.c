/* SPDX-License-Identifier: MIT
 *
 * many.c — many small questions at once: as many as the connection carries travel together, so a
 * batch costs the time of one round trip.
 */
#include "registry-internal.h"
#include <stdio.h>
#include <string.h>

struct one {
	struct co_manifest_job *job;
	bool *exists;	      /* of a blob */
	struct co_err *first; /* the batch's first real failure */
};

static void note_failure(struct one *o, struct req *q, int *code)
{
	struct co_err err = CO_ERR_INIT;
	int e = req_result(q, NULL, &err);

	if (!e && !q->status)
		e = co_fail(&err, CO_E_NETWORK, "%s: no answer", q->method);
	*code = e;
	if (e < 0 && e != CO_E_NOT_FOUND && !o->first->code)
		*o->first = err;
}

/* ---- manifests ---- */

static void on_got(struct req *q)
{
	struct one *o = q->ctx;
	struct co_manifest_job *j = o->job;
	struct co_descriptor d = {0};
	struct co_err err = CO_ERR_INIT;

	note_failure(o, q, &j->code);
	if (j->code)
		return;
	j->code = manifest_take(q, &j->ref, &d, &err);
	if (j->code)
		return; /* a damaged one is as good as none */
	co_buf_add(&j->body, q->body_in.data, q->body_in.len);
	if (j->body.overflow)
		j->code = CO_E_LIMIT;
	else
		j->desc = d;
}

static void on_put(struct req *q)
{
	struct one *o = q->ctx;

	note_failure(o, q, &o->job->code);
}

static int run_batch(struct co_registry *r, struct co_err *first, struct co_err *err)
{
	struct co_err own = CO_ERR_INIT;
	int e = http_run(r, &own);

	if (e < 0)
		*err = own;
	else if (first->code)
		*err = *first;
	return err->code;
}

static int manifests(struct co_registry *r, struct co_manifest_job *jobs, size_t n, bool put,
		     struct co_err *err)
{
	auto_free struct one *list = co_xcalloc(n + 1, sizeof(*list));
	struct co_err first = CO_ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		struct co_manifest_job *j = &jobs[i];
		struct req *q =
			manifest_req(r, &j->ref, put ? "PUT" : "GET", put ? "pull,push" : "pull");

		list[i] = (struct one){.job = j, .first = &first};
		j->code = CO_E_NETWORK;
		if (put) {
			q->accept = NULL;
			q->max_body = REG_MAX_ERROR;
			snprintf(q->content_type, sizeof(q->content_type), "%s", j->media_type);
			q->body = j->data;
			q->body_len = (int64_t)j->len;
		}
		q->ctx = &list[i];
		q->on_done = put ? on_put : on_got;
		req_start(q);
	}
	return run_batch(r, &first, err);
}

int co_registry_get_many(struct co_registry *r, struct co_manifest_job *jobs, size_t n,
			 struct co_err *err)
{
	return manifests(r, jobs, n, false, err);
}

int co_registry_put_many(struct co_registry *r, struct co_manifest_job *jobs, size_t n,
			 struct co_err *err)
{
	return manifests(r, jobs, n, true, err);
}

/* ---- blobs ---- */

static void on_asked(struct req *q)
{
	struct one *o = q->ctx;
	int code;

	note_failure(o, q, &code);
	*o->exists = code == 0;
}

int co_registry_blobs_exist(struct co_registry *r, const struct co_ref *repo,
			    const struct co_digest *digests, size_t n, bool *exists,
			    struct co_err *err)
{
	auto_free struct one *list = co_xcalloc(n + 1, sizeof(*list));
	struct co_err first = CO_ERR_INIT;
	char digest[CO_DIGEST_TEXT];

	for (size_t i = 0; i < n; i++) {
		struct req *q = req_new(r, repo->host, "HEAD");

		list[i] = (struct one){.exists = &exists[i], .first = &first};
		exists[i] = false;
		req_url(q, "/v2/%s/blobs/%s", repo->path, co_digest_str(&digests[i], digest));
		req_scope(q, repo->path, "pull");
		q->redirect_is_ok = true;
		q->ctx = &list[i];
		q->on_done = on_asked;
		req_start(q);
	}
	return run_batch(r, &first, err);
}

int co_registry_push_blobs(struct co_registry *r, struct co_store *s, const struct co_ref *repo,
			   const struct co_descriptor *blobs, size_t n,
			   const struct co_ref *mount_from, size_t n_mount, struct co_err *err)
{
	auto_free bool *missing = co_xcalloc(n + 1, sizeof(*missing));
	auto_buf scopes = CO_BUF_INIT(8u << 10);
	char scope[400], d[CO_DIGEST_TEXT], name[600];

	snprintf(scope, sizeof(scope), "repository:%s:pull,push", repo->path);
	scope_add(&scopes, scope);
	for (size_t i = 0; i < n_mount; i++) {
		if (strcmp(mount_from[i].host, repo->host) != 0)
			continue;
		snprintf(scope, sizeof(scope), "repository:%s:pull", mount_from[i].path);
		scope_add(&scopes, scope);
	}
	struct push_set set = {.r = r,
			       .store = s,
			       .repo = repo,
			       .scopes = co_buf_str(&scopes),
			       .mounts = mount_from,
			       .n_mounts = n_mount};
	int e = push_blobs(&set, blobs, n, missing, err);
	for (size_t i = 0; !e && i < n; i++)
		if (missing[i])
			e = co_fail(err, CO_E_NOT_FOUND, "%s is not in the store",
				    co_digest_str(&blobs[i].digest, d));
	return e ? co_wrap(err, "push to %s", ref_repo(repo, name, sizeof(name))) : 0;
}
