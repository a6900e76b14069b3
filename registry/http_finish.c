/* SPDX-License-Identifier: MIT
 *
 * http_finish.c — a transfer has ended: is that the answer, or is there another hop, another try,
 * another token?
 */
#include "registry-internal.h"
#include <cooper/clock.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define MILLISECOND   INT64_C(1000000)
#define GOOD_PROGRESS (1 << 20)

static void from_start(struct req *q)
{
	free(q->cur);
	q->cur = NULL;
	q->hops = 0;
	q->auth_tries = 0;
}

/* Another try later; false when there have been enough. */
static bool again(struct req *q, const char *why)
{
	int64_t now = co_mono_ns();

	if (q->once)
		return false;
	if (q->delivered - q->tried_at >= GOOD_PROGRESS)
		q->tries = 0;
	q->tried_at = q->delivered;
	if (q->tries + 1 >= q->r->retries)
		return false;
	/* without a digest, half a body is only worth something if the same entity goes on */
	if (q->on_data && q->delivered && q->if_range && !q->entity[0])
		return false;
	int64_t ms = retry_delay(q->r, q->tries, q->status ? q->head.retry_after : "");
	if (ms < 0)
		return false;
	q->tries++;
	q->not_before = now + ms * MILLISECOND;
	if (q->status == 429 || q->status == 503)
		q->host->pause_until = q->not_before;
	co_note(q->r->bus, "%s: %s; next try in %lld.%lld s", q->host->name, why,
		(long long)(ms / 1000), (long long)(ms / 100 % 10));
	from_start(q);
	return true;
}

/* A host that may speak plain http is tried with TLS first, as docker does. */
static bool fall_to_plain(struct req *q, CURLcode code)
{
	struct host *h = q->host;

	/* who has spoken TLS is not asked without it */
	if (h->scheme != SCHEME_UNKNOWN || q->url[0] != '/' || q->tls_done)
		return false;
	bool no_tls = code == CURLE_SSL_CONNECT_ERROR || code == CURLE_GOT_NOTHING ||
		      code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
	/* without a port, https and http knock at different doors */
	const char *port = strrchr(h->api, ':');
	bool closed = code == CURLE_COULDNT_CONNECT && (!port || strchr(port, ']'));
	if (!no_tls && !closed && code != CURLE_OPERATION_TIMEDOUT)
		return false;
	h->scheme = SCHEME_HTTP;
	from_start(q);
	return true;
}

static bool method_survives(const struct req *q)
{
	bool reads = !strcmp(q->method, "GET") || !strcmp(q->method, "HEAD");

	return reads || q->status == 307 || q->status == 308;
}

static bool redirect_fails(struct req *q, const char *why)
{
	char shown[320];

	url_shown(q->head.location, shown, sizeof(shown));
	co_fail(&q->err, CO_E_REGISTRY, "%s sends us to %s: %s", q->host->name, shown, why);
	return true;
}

/* False: the next hop is set. */
static bool redirect(struct req *q)
{
	auto_free char *to = url_resolve(q->cur, q->head.location);

	if (!to)
		return redirect_fails(q, "not a usable address");
	bool same = url_same_origin(q->cur, to);
	if (q->redirect_is_ok && !same) {
		/* a signed address is for GET only; that there is one is the answer */
		q->status = 200;
		return true;
	}
	if (++q->hops > REG_MAX_HOPS)
		return redirect_fails(q, "too many redirects");
	if (!method_survives(q))
		return redirect_fails(q, "that would turn an upload into a download");
	if (co_starts(q->cur, "https://") && co_starts(to, "http://") &&
	    !host_of_url(q->r, to)->insecure)
		return redirect_fails(q, "from https to http is refused");
	if (!url_may_go(q->cur, to, q->strict))
		return redirect_fails(q, "an internal address is refused");
	if (q->raw && q->body_len >= 0 && !same)
		return redirect_fails(q, "a refresh token is not sent to another host");
	free(q->cur);
	q->cur = co_steal(&to);
	q->not_before = 0;
	return false;
}

static bool pull_limit(const struct req *q)
{
	return q->status == 429 && !q->head.retry_after[0] && q->body_in.len &&
	       strstr(co_buf_str(&q->body_in), "pull rate limit") != NULL;
}

/* A download that ended without an error: complete? */
static bool stream_ended(struct req *q)
{
	if (q->err.code)
		return true;
	if (q->status == 416 && q->delivered && q->delivered == q->expect) {
		q->status = 200; /* all was there already */
		return true;
	}
	if (q->status != 200 && q->status != 206)
		return true;
	if (q->expect < 0 || q->delivered == q->expect)
		return true;
	if (again(q, "the transfer ended early"))
		return false;
	co_fail(&q->err, CO_E_INTEGRITY, "%s: sent %lld of %lld bytes", q->host->name,
		(long long)q->delivered, (long long)q->expect);
	return true;
}

static bool answered(struct req *q)
{
	char why[64];

	if (q->host->scheme == SCHEME_UNKNOWN && q->url[0] == '/')
		q->host->scheme = SCHEME_HTTPS;
	if (q->status == 401 && auth_challenged(q)) {
		q->not_before = 0;
		return false;
	}
	if (q->status >= 300 && q->status < 400 && q->status != 304 && q->head.location)
		return redirect(q);
	if (retry_status(q->status) && !pull_limit(q)) {
		snprintf(why, sizeof(why), "answered %d", q->status);
		if (again(q, why))
			return false;
	}
	return q->on_data ? stream_ended(q) : true;
}

bool http_finish(struct req *q, CURLcode code)
{
	/* a server that refuses an upload half-way closes: its reason counts */
	bool refused = q->status >= 400 && q->body_len > 0 &&
		       (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR);

	if (code == CURLE_OK || ((q->cut || refused) && !q->err.code))
		return answered(q);
	if (q->err.code)
		return true;
	if (fall_to_plain(q, code))
		return false;
	/* what arrived before the connection broke must not be taken for an answer */
	q->status = 0;
	/* a wrong name or a closed port seldom heals: not the whole patience */
	bool unreachable = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT ||
			   code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_SSL_CONNECT_ERROR;
	if (retry_curl(code) && !(unreachable && q->tries >= 2) &&
	    again(q, curl_easy_strerror(code)))
		return false;
	error_curl(q, code);
	return true;
}
