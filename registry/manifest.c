/* SPDX-License-Identifier: MIT
 *
 * manifest.c — single manifests: get, head, put. The bytes are what counts: hashed as they came,
 * passed on as they are.
 */
#include "registry-internal.h"
#include <cooper/clock.h>
#include <cooper/json.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define BLOB_UNKNOWN_TRIES 3

bool media_is_foreign(const char *media_type)
{
	return strstr(media_type, ".nondistributable.") || strstr(media_type, ".foreign.");
}

static void lower_type(const char *in, char *out, size_t size)
{
	size_t n = strcspn(in, "; \t");

	snprintf(out, size, "%.*s", (int)n, in);
	for (char *p = out; *p; p++)
		*p = co_lower(*p);
}

static bool is_generic(const char *type)
{
	return !*type || !strcmp(type, "application/json") || !strcmp(type, "text/plain") ||
	       !strcmp(type, "application/octet-stream");
}

static bool is_ours(const char *type)
{
	return co_media_is_index(type) || co_media_is_manifest(type);
}

int manifest_type(const char *content_type, const char *json, size_t len, char *out, size_t size,
		  struct co_err *err)
{
	auto_json doc = NULL;
	char type[128];
	int r = co_json_parse(&doc, json, len, "manifest", err);

	if (r < 0)
		return r;
	lower_type(content_type, type, sizeof(type));
	const char *inner = co_json_str(doc, "mediaType");
	bool list = json_object_get(doc, "manifests") != NULL;
	bool single = json_object_get(doc, "layers") || json_object_get(doc, "config");
	if (strstr(type, "distribution.manifest.v1+") ||
	    co_json_int(doc, "schemaVersion", 2) == 1) {
		co_fail(err, CO_E_UNSUPPORTED, "the image has the old schema 1 format");
		return co_hint(err, "pull and push it once with a newer registry or tool");
	}
	if (list && single)
		return co_fail(err, CO_E_INVALID, "the manifest is an index as well: ambiguous");
	if (!is_ours(type) && !is_generic(type))
		return co_fail(err, CO_E_INVALID, "not an image manifest (type %.80s)", type);
	if (inner && is_ours(type) && strcmp(inner, type) != 0)
		return co_fail(err, CO_E_INVALID,
			       "the manifest says it is %.80s, the registry says %.80s", inner,
			       type);
	if (!is_ours(type) && inner && !is_ours(inner))
		return co_fail(err, CO_E_INVALID, "not an image manifest (type %.80s)", inner);
	if (!is_ours(type) && !inner && !list && !single)
		return co_fail(err, CO_E_INVALID, "neither a manifest nor an index");
	const char *found = is_ours(type) ? type
			    : inner	  ? inner
			    : list	  ? CO_MT_OCI_INDEX
					  : CO_MT_OCI_MANIFEST;
	snprintf(out, size, "%s", found);
	return 0;
}

static void digest_as(enum co_digest_alg alg, const struct co_buf *b, struct co_digest *out)
{
	struct co_hash *h = co_hash_new(alg);

	co_hash_add(h, co_buf_str(b), b->len);
	co_hash_done(h, out);
}

static int mismatch(const struct co_digest *want, const struct co_digest *got, const char *who,
		    struct co_err *err)
{
	char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];

	return co_fail(err, CO_E_INTEGRITY, "the manifest's digest is %s, but %s says %s",
		       co_digest_str(got, a), who, co_digest_str(want, b));
}

static int check_digest(const struct req *q, const struct co_ref *ref, struct co_digest *out,
			struct co_err *err)
{
	struct co_digest said = {0}, got;
	struct co_err quiet = CO_ERR_INIT;

	digest_as(ref->digest.set ? ref->digest.alg : CO_SHA256, &q->body_in, out);
	if (ref->digest.set)
		return co_digest_eq(out, &ref->digest)
			       ? 0
			       : mismatch(&ref->digest, out, "the reference", err);
	if (!q->head.digest[0] || co_digest_parse(&said, q->head.digest, &quiet) < 0)
		return 0;
	digest_as(said.alg, &q->body_in, &got);
	return co_digest_eq(&said, &got) ? 0 : mismatch(&said, &got, "the registry", err);
}

struct req *manifest_req(struct co_registry *r, const struct co_ref *ref, const char *method,
			 const char *actions)
{
	char target[CO_DIGEST_TEXT];
	struct req *q = req_new(r, ref->host, method);

	req_url(q, "/v2/%s/manifests/%s", ref->path, ref_target(ref, target));
	req_scope(q, ref->path, actions);
	q->accept = REG_ACCEPT_MANIFEST;
	q->max_body = REG_MAX_MANIFEST;
	return q;
}

int manifest_take(const struct req *q, const struct co_ref *ref, struct co_descriptor *desc,
		  struct co_err *err)
{
	struct co_descriptor d = {0};
	int e = check_digest(q, ref, &d.digest, err);

	if (!e)
		e = manifest_type(q->head.content_type, co_buf_str(&q->body_in), q->body_in.len,
				  d.media_type, sizeof(d.media_type), err);
	if (e < 0)
		return e;
	d.size = (int64_t)q->body_in.len;
	*desc = d;
	return 0;
}

int manifest_get(struct co_registry *r, const struct co_ref *ref, struct co_buf *out,
		 struct co_descriptor *desc, struct co_err *err)
{
	auto_req q = manifest_req(r, ref, "GET", "pull");
	struct co_descriptor d = {0};
	int e = http_do(q, err);

	if (!e)
		e = req_result(q, NULL, err);
	if (!e)
		e = manifest_take(q, ref, &d, err);
	if (e < 0)
		return e;
	co_buf_add(out, q->body_in.data, q->body_in.len);
	if (out->overflow)
		return co_fail(err, CO_E_LIMIT, "the manifest has more than %zu bytes", out->max);
	*desc = d;
	return 0;
}

int co_registry_manifest(struct co_registry *r, const struct co_ref *ref, struct co_buf *out,
			 struct co_descriptor *desc, struct co_err *err)
{
	char name[1024];
	int e = manifest_get(r, ref, out, desc, err);

	return e ? co_wrap(err, "%s", co_ref_str(ref, name, sizeof(name))) : 0;
}

/* Does the HEAD say enough? */
static bool head_tells(const struct req *q, const struct co_ref *ref, struct co_descriptor *d)
{
	struct co_err quiet = CO_ERR_INIT;

	lower_type(q->head.content_type, d->media_type, sizeof(d->media_type));
	d->size = q->head.content_length;
	if (q->head.digest[0] && co_digest_parse(&d->digest, q->head.digest, &quiet) < 0)
		return false;
	if (ref->digest.set) /* what was asked for is what it is */
		d->digest = ref->digest;
	return d->digest.set && d->size > 0 && is_ours(d->media_type);
}

int co_registry_head(struct co_registry *r, const struct co_ref *ref, struct co_descriptor *desc,
		     struct co_err *err)
{
	auto_req q = manifest_req(r, ref, "HEAD", "pull");
	struct co_descriptor d = {0};
	char name[1024];
	int e = http_do(q, err);

	co_ref_str(ref, name, sizeof(name));
	if (!e && q->status == 200 && head_tells(q, ref, &d)) {
		*desc = d;
		return 0;
	}
	if (!e && (q->status == 200 || q->status == 405 || q->status == 403)) {
		/* not enough said, HEAD not known, or a reason that only a body can tell */
		auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);

		e = manifest_get(r, ref, &b, &d, err);
		if (!e)
			*desc = d;
	} else if (!e) {
		e = req_result(q, NULL, err);
	}
	return e ? co_wrap(err, "%s", name) : 0;
}

int manifest_there(struct co_registry *r, const struct co_ref *ref, const char *scopes,
		   const struct co_digest *digest, bool *there, struct co_err *err)
{
	auto_req q = manifest_req(r, ref, "HEAD", "pull,push");
	struct co_descriptor d = {0};

	if (scopes)
		scope_add(&q->scopes, scopes);
	int e = http_do(q, err);
	*there =
		!e && q->status == 200 && head_tells(q, ref, &d) && co_digest_eq(&d.digest, digest);
	return e;
}

static int put_once(struct co_registry *r, const struct co_ref *ref, const char *scopes,
		    const void *data, size_t len, const char *media_type, struct req **out,
		    struct co_err *err)
{
	struct req *q = manifest_req(r, ref, "PUT", "pull,push");

	*out = q;
	if (scopes)
		scope_add(&q->scopes, scopes);
	q->accept = NULL;
	q->max_body = REG_MAX_ERROR;
	snprintf(q->content_type, sizeof(q->content_type), "%s", media_type);
	q->body = data;
	q->body_len = (int64_t)len;
	return http_do(q, err);
}

static int check_put(const struct req *q, const void *data, size_t len, struct co_err *err)
{
	struct co_digest said, ours;
	struct co_err quiet = CO_ERR_INIT;

	if (!q->head.digest[0] || co_digest_parse(&said, q->head.digest, &quiet) < 0)
		return 0;
	struct co_hash *h = co_hash_new(said.alg);
	co_hash_add(h, data, len);
	co_hash_done(h, &ours);
	return co_digest_eq(&said, &ours) ? 0 : mismatch(&said, &ours, "the registry", err);
}

bool manifest_has_subject(const void *data, size_t len)
{
	auto_json doc = NULL;
	struct co_err quiet = CO_ERR_INIT;

	return co_json_parse(&doc, data, len, "manifest", &quiet) == 0 &&
	       json_is_object(json_object_get(doc, "subject"));
}

static int explain_put(struct req *q, struct co_err *err)
{
	char code[64];
	int e = req_result(q, NULL, err);

	error_code(q, code, sizeof(code));
	if (!strcmp(code, "NAME_UNKNOWN"))
		co_hint(err, "this registry wants the repository to be created first");
	else if (strstr(co_buf_str(&q->body_in), "mmutable"))
		co_hint(err, "the tag exists and may not be moved: use another tag");
	return e;
}

int manifest_put(struct co_registry *r, const struct co_ref *ref, const char *scopes,
		 const void *data, size_t len, const char *media_type, struct co_err *err)
{
	auto_req q = NULL;
	char code[64];

	for (unsigned try = 0;; try++) {
		int e = put_once(r, ref, scopes, data, len, media_type, &q, err);

		if (e < 0)
			return e;
		error_code(q, code, sizeof(code));
		/* some stores show a blob only after a moment */
		if (strcmp(code, "MANIFEST_BLOB_UNKNOWN") != 0 || try + 1 >= BLOB_UNKNOWN_TRIES)
			break;
		req_free_ptr(&q);
		co_sleep_ms(r->base_delay_ms << try);
	}
	if (q->status != 201 && q->status != 200 && q->status != 202) {
		if (q->status / 100 == 2)
			return co_fail(err, CO_E_REGISTRY, "PUT of the manifest was answered %d",
				       q->status);
		return explain_put(q, err);
	}
	int e = check_put(q, data, len, err);
	if (!e && !q->head.subject[0] && manifest_has_subject(data, len))
		e = referrers_add(r, ref, data, len, media_type, err);
	return e;
}

int co_registry_put_manifest(struct co_registry *r, const struct co_ref *ref, const void *data,
			     size_t len, const char *media_type, struct co_err *err)
{
	char name[1024];

	co_ref_str(ref, name, sizeof(name));
	if (len > REG_MAX_MANIFEST)
		return co_fail(err, CO_E_LIMIT, "%s: the manifest has more than 4 MiB", name);
	int e = manifest_put(r, ref, NULL, data, len, media_type, err);
	return e ? co_wrap(err, "push %s", name) : 0;
}
