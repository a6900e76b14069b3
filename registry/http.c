/* SPDX-License-Identifier: MIT
 *
 * http.c — the engine's loop: start what may start, move bytes, deal with what has ended.
 */
#include "registry-internal.h"
#include <cooper/clock.h>
#include <cooper/str.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define POLL_MS 200

struct req *req_new(struct co_registry *r, const char *host, const char *method)
{
	struct req *q = co_xcalloc(1, sizeof(*q));

	q->r = r;
	q->host = host_get(r, host);
	q->method = method;
	q->fd = -1;
	q->body_len = -1;
	q->expect = -1;
	q->scopes.max = 8u << 10;
	head_clear(&q->head);
	return q;
}

void req_url(struct req *q, const char *fmt, ...)
{
	va_list ap;

	free(q->url);
	q->url = NULL;
	va_start(ap, fmt);
	if (vasprintf(&q->url, fmt, ap) < 0)
		co_oom();
	va_end(ap);
}

void req_scope(struct req *q, const char *path, const char *actions)
{
	char scope[400];

	snprintf(scope, sizeof(scope), "repository:%s:%s", path, actions);
	scope_add(&q->scopes, scope);
	if (!q->cred_path[0])
		snprintf(q->cred_path, sizeof(q->cred_path), "%s", path);
}

static void disarm(struct req *q)
{
	if (q->easy) {
		if (q->r->multi && q->r->pid == getpid())
			curl_multi_remove_handle(q->r->multi, q->easy);
		curl_easy_cleanup(q->easy);
		q->easy = NULL;
	}
	curl_slist_free_all(q->headers);
	q->headers = NULL;
	if (q->counted) {
		q->host->active--;
		q->host->active_big -= q->big;
		q->counted = false;
	}
}

static void unlist(struct req *q)
{
	for (struct req **p = &q->r->reqs; q->listed && *p; p = &(*p)->next)
		if (*p == q) {
			*p = q->next;
			break;
		}
	q->listed = false;
}

void req_free(struct req *q)
{
	unlist(q);
	disarm(q);
	if (q->secret)
		explicit_bzero(q->secret, strlen(q->secret));
	if (q->own_body)
		explicit_bzero(q->own_body, strlen(q->own_body));
	free(q->secret);
	free(q->own_body);
	free(q->extra);
	free(q->url);
	free(q->cur);
	free(q->origin);
	co_buf_release(&q->scopes);
	co_buf_release(&q->body_in);
	head_clear(&q->head);
	free(q);
}

/* Appended: first come, first served. */
void req_start(struct req *q)
{
	struct req **p = &q->r->reqs;

	while (*p)
		p = &(*p)->next;
	q->next = NULL;
	*p = q;
	q->listed = true;
	q->state = REQ_WAIT;
}

static void end(struct req *q)
{
	disarm(q);
	unlist(q);
	q->state = REQ_DONE;
	if (q->err.code) /* half an answer is none */
		q->status = 0;
	if (!q->on_done)
		return;
	q->on_done(q);
	req_free(q);
}

static bool may_start(const struct req *q, int64_t now)
{
	const struct host *h = q->host;
	const struct co_registry *r = q->r;

	if (q->state != REQ_WAIT || q->pass == r->pass || q->not_before > now ||
	    h->pause_until > now)
		return false;
	/* one request finds out how the host is spoken to */
	if (h->scheme == SCHEME_UNKNOWN && q->url[0] == '/' && h->active)
		return false;
	if (q->big)
		return h->active_big < r->max_conn;
	return h->active - h->active_big < r->max_conn;
}

static void set_hop(struct req *q)
{
	char base[300];

	host_base(q->host, base, sizeof(base));
	bool relative = q->url[0] == '/';
	if (!q->cur)
		q->cur = relative ? co_xasprintf("%s%s", base, q->url) : co_xstrdup(q->url);
	free(q->origin);
	q->origin = q->raw && !relative ? co_xstrdup(q->url) : co_xstrdup(base);
}

static void start(struct req *q)
{
	struct host *h = q->host;
	char *authorization = NULL;

	if (h->scheme == SCHEME_UNKNOWN && q->url[0] == '/' && !h->peeked) {
		h->peeked = true;
		if (peek_plain(h))
			h->scheme = SCHEME_HTTP;
	}
	set_hop(q);
	int r = auth_header(q, &authorization);
	if (r == 2)
		return;
	if (r >= 0)
		r = http_arm(q, authorization);
	if (authorization)
		explicit_bzero(authorization, strlen(authorization));
	free(authorization);
	if (r < 0) {
		end(q);
		return;
	}
	q->state = REQ_RUNNING;
	q->counted = true;
	q->host->active++;
	q->host->active_big += q->big;
}

/* Every request is looked at once a pass; the list changes under our hands. */
static void start_due(struct co_registry *r)
{
	int64_t now = co_mono_ns();

	r->pass++;
	for (struct req *q = r->reqs; q && !r->stop;) {
		if (!may_start(q, now)) {
			q = q->next;
			continue;
		}
		q->pass = r->pass;
		start(q);
		q = r->reqs;
	}
}

static unsigned reap(struct co_registry *r)
{
	unsigned n = 0;
	CURLMsg *m;
	int left;

	while (!r->stop && (m = curl_multi_info_read(r->multi, &left))) {
		struct req *q = NULL;
		CURLcode code = m->data.result;
		curl_off_t handshake = 0;

		if (m->msg != CURLMSG_DONE)
			continue;
		n++;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&q);
		curl_easy_getinfo(m->easy_handle, CURLINFO_APPCONNECT_TIME_T, &handshake);
		q->tls_done = handshake > 0;
		disarm(q);
		q->state = REQ_WAIT;
		if (http_finish(q, code))
			end(q);
	}
	return n;
}

static int wait_ms(const struct co_registry *r)
{
	int64_t now = co_mono_ns(), soonest = now + POLL_MS * INT64_C(1000000);

	for (const struct req *q = r->reqs; q; q = q->next) {
		int64_t at =
			q->not_before > q->host->pause_until ? q->not_before : q->host->pause_until;
		if (q->state == REQ_WAIT && at > now && at < soonest)
			soonest = at;
	}
	return (int)((soonest - now) / 1000000) + 1;
}

void http_drop_all(struct co_registry *r)
{
	while (r->reqs) {
		struct req *q = r->reqs;

		disarm(q);
		unlist(q);
		if (q->on_done)
			req_free(q);
	}
	for (struct host *h = r->hosts; h; h = h->next)
		if (h->ping == PING_RUNNING)
			h->ping = PING_NEVER;
	r->stop = false;
}

/* After a fork the connections are the parent's: they are left alone, not closed. */
int http_engine_ready(struct co_registry *r, struct co_err *err)
{
	if (r->multi && r->pid == getpid())
		return 0;
	r->multi = curl_multi_init();
	r->share = curl_share_init();
	r->pid = getpid();
	if (!r->multi || !r->share)
		return co_fail(err, CO_E_INTERNAL, "libcurl gives no handle");
	curl_share_setopt(r->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(r->multi, CURLMOPT_MAXCONNECTS, 32L);
	curl_multi_setopt(r->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	return 0;
}

void http_engine_close(struct co_registry *r)
{
	http_drop_all(r);
	if (r->multi && r->pid == getpid()) {
		curl_multi_cleanup(r->multi);
		curl_share_cleanup(r->share);
	}
	r->multi = NULL;
	r->share = NULL;
}

int http_run(struct co_registry *r, struct co_err *err)
{
	int e = http_engine_ready(r, err), running;

	tokens_retry_failed(r);
	while (!e && r->reqs && !r->stop) {
		if (co_interrupted()) {
			e = co_fail(err, CO_E_INTERRUPTED, "interrupted");
			break;
		}
		start_due(r);
		if (curl_multi_perform(r->multi, &running) != CURLM_OK) {
			e = co_fail(err, CO_E_INTERNAL, "libcurl's loop failed");
			break;
		}
		if (!reap(r) && r->reqs && !r->stop)
			curl_multi_poll(r->multi, NULL, 0, wait_ms(r), NULL);
	}
	http_drop_all(r);
	return e;
}

int http_do(struct req *q, struct co_err *err)
{
	req_start(q);
	int e = http_run(q->r, err);
	if (!e && q->err.code) {
		*err = q->err;
		e = err->code;
	}
	return e;
}
