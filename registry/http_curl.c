/* SPDX-License-Identifier: MIT
 *
 * http_curl.c — one hop of a request as a curl handle: options, and the bytes in and out.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define RECEIVE_BUFFER (512L << 10)
#define UPLOAD_BUFFER  (1L << 20)
#define SMALL_TIME_S   300L

static void set_tls(struct req *q, CURL *e)
{
	struct co_registry *r = q->r;
	struct host *h = host_of_url(r, q->cur);

	tls_load(r, h);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (h->ca_blob) {
		struct curl_blob blob = {h->ca_blob, h->ca_len, CURL_BLOB_NOCOPY};

		curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &blob);
	} else if (r->ca_file) {
		curl_easy_setopt(e, CURLOPT_CAINFO, r->ca_file);
	}
	if (r->ca_path)
		curl_easy_setopt(e, CURLOPT_CAPATH, r->ca_path);
	if (h->cert) {
		curl_easy_setopt(e, CURLOPT_SSLCERT, h->cert);
		curl_easy_setopt(e, CURLOPT_SSLKEY, h->key);
	}
	if (h->insecure) {
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void add_header(struct req *q, const char *fmt, ...) co_printf(2, 3);
static void add_header(struct req *q, const char *fmt, ...)
{
	char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&line, fmt, ap);
	va_end(ap);
	struct curl_slist *l = n < 0 ? NULL : curl_slist_append(q->headers, line);
	if (!l)
		co_oom();
	free(line);
	q->headers = l;
}

static void set_headers(struct req *q, const char *authorization)
{
	if (authorization)
		add_header(q, "Authorization: %s", authorization);
	if (q->extra && url_same_origin(q->cur, q->origin))
		add_header(q, "%s", q->extra);
	if (q->accept)
		add_header(q, "Accept: %s", q->accept);
	/* digests are of the stored bytes */
	add_header(q, "Accept-Encoding: identity");
	if (q->body_len >= 0)
		add_header(q, "Content-Type: %s",
			   q->content_type[0] ? q->content_type : "application/octet-stream");
	if (q->content_range[0])
		add_header(q, "Content-Range: %s", q->content_range);
	add_header(q, "Expect:");
	if (q->on_data && q->delivered > 0) {
		add_header(q, "Range: bytes=%lld-", (long long)q->delivered);
		if (q->if_range)
			add_header(q, "If-Range: %s", q->entity);
	}
	curl_easy_setopt(q->easy, CURLOPT_HTTPHEADER, q->headers);
}

static void set_method(struct req *q, CURL *e)
{
	if (!strcmp(q->method, "HEAD"))
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	else if (q->body_len < 0)
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	if (q->body_len >= 0) {
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_len);
		curl_easy_setopt(e, CURLOPT_READFUNCTION, http_on_read);
		curl_easy_setopt(e, CURLOPT_READDATA, q);
		curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, http_on_seek);
		curl_easy_setopt(e, CURLOPT_SEEKDATA, q);
		curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE,
				 q->body_len > (64 << 10) ? UPLOAD_BUFFER : 64L << 10);
	}
	if (strcmp(q->method, "HEAD") != 0 && strcmp(q->method, "GET") != 0)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method);
}

static void set_limits(struct req *q, CURL *e)
{
	struct co_registry *r = q->r;
	bool upload = q->big && q->body_len >= 0;
	/* a plain server may wait for more of what it does not understand */
	bool probing = q->host->scheme == SCHEME_UNKNOWN && q->url[0] == '/';

	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, probing ? 5L : (long)r->connect_s);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1024L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
			 (long)(upload ? r->low_speed_upload_s : r->low_speed_s));
	if (!q->big)
		curl_easy_setopt(e, CURLOPT_TIMEOUT, SMALL_TIME_S);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, q->big && !upload ? RECEIVE_BUFFER : 64L << 10);
}

static void set_network(struct req *q, CURL *e, const struct url *u)
{
	const char *proxy = proxy_for(u);

	curl_easy_setopt(e, CURLOPT_PROXY, proxy);
	curl_easy_setopt(e, CURLOPT_NOPROXY, *proxy ? "" : "*");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
			 q->r->http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_SHARE, q->r->share);
}

int http_arm(struct req *q, const char *authorization)
{
	struct url u;

	if (!url_parse(q->cur, &u))
		return co_fail(&q->err, CO_E_NETWORK, "%s: not an http address", q->host->name);
	CURL *e = curl_easy_init();
	if (!e)
		co_oom();
	q->easy = e;
	q->curl_err[0] = '\0';
	q->status = 0;
	q->body_at = q->skip = 0;
	q->cut = q->checked_head = false;
	q->sent_auth = authorization != NULL;
	head_clear(&q->head);
	co_buf_clear(&q->body_in);
	q->body_in.max = q->max_body ? q->max_body : REG_MAX_ERROR;
	curl_easy_setopt(e, CURLOPT_URL, q->cur);
	curl_easy_setopt(e, CURLOPT_PRIVATE, q);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, q->curl_err);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "cooper/" COOPER_VERSION);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, q);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, q);
	set_network(q, e, &u);
	set_tls(q, e);
	set_method(q, e);
	set_limits(q, e);
	set_headers(q, authorization);
	if (curl_multi_add_handle(q->r->multi, e) != CURLM_OK)
		return co_fail(&q->err, CO_E_INTERNAL, "libcurl refused a transfer");
	return 0;
}

/* Does the answer fit what was asked for? Called before the first byte is given on. */
static int check_stream(struct req *q)
{
	struct http_head *h = &q->head;
	int64_t left = q->expect < 0 ? -1 : q->expect;

	q->checked_head = true;
	if (q->status == 206) {
		if (!q->delivered || !head_range_ok(h->content_range, q->delivered, q->expect))
			return co_fail(&q->err, CO_E_REGISTRY,
				       "%s: sent another part than the one asked for",
				       q->host->name);
		left = q->expect < 0 ? -1 : q->expect - q->delivered;
	} else if (q->delivered && q->if_range) {
		return co_fail(&q->err, CO_E_NETWORK,
			       "%s: the content changed while it was downloaded", q->host->name);
	} else {
		q->skip = q->delivered;
		if (q->if_range) /* weak validators do not promise equal bytes */
			snprintf(q->entity, sizeof(q->entity), "%s",
				 co_starts(h->etag, "\"") ? h->etag : "");
	}
	if (left >= 0 && h->content_length >= 0 && h->content_length != left)
		return co_fail(&q->err, CO_E_INTEGRITY, "%s: sends %lld bytes where %lld belong",
			       q->host->name, (long long)h->content_length, (long long)left);
	return 0;
}

static size_t give(struct req *q, const char *data, size_t len)
{
	size_t all = len;

	if (!q->checked_head && check_stream(q) < 0)
		return 0;
	if (q->skip) {
		size_t drop = (uint64_t)q->skip < len ? (size_t)q->skip : len;

		q->skip -= (int64_t)drop;
		data += drop;
		len -= drop;
	}
	if (!len)
		return all;
	if (q->expect >= 0 && (int64_t)len > q->expect - q->delivered) {
		co_fail(&q->err, CO_E_INTEGRITY, "%s: sends more than the %lld bytes announced",
			q->host->name, (long long)q->expect);
		return 0;
	}
	if (q->on_data(q, data, len) < 0)
		return 0;
	q->delivered += (int64_t)len;
	return all;
}

size_t http_on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct req *q = ctx;
	size_t len = size * n;

	if (q->on_data && (q->status == 200 || q->status == 206))
		return give(q, data, len);
	if (len > q->body_in.max - q->body_in.len) {
		q->cut = true;
		if (q->status >= 200 && q->status < 300)
			co_fail(&q->err, CO_E_LIMIT, "%s: the answer is larger than %zu bytes",
				q->host->name, q->body_in.max);
		return 0;
	}
	co_buf_add(&q->body_in, data, len);
	return len;
}

size_t http_on_read(char *data, size_t size, size_t n, void *ctx)
{
	struct req *q = ctx;
	size_t len = size * n;
	int64_t left = q->body_len - q->body_at;

	if ((int64_t)len > left)
		len = (size_t)left;
	if (!len)
		return 0;
	if (q->fd < 0) {
		memcpy(data, (const char *)q->body + q->body_at, len);
	} else {
		ssize_t got = pread(q->fd, data, len, (off_t)(q->body_off + q->body_at));

		if (got <= 0) {
			co_fail(&q->err, CO_E_INTEGRITY,
				"a blob of the store became shorter while "
				"it was read");
			return CURL_READFUNC_ABORT;
		}
		len = (size_t)got;
	}
	q->body_at += (int64_t)len;
	if (q->on_progress)
		q->on_progress(q, q->body_at);
	return len;
}

int http_on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct req *q = ctx;

	if (origin != SEEK_SET || offset < 0 || offset > q->body_len)
		return CURL_SEEKFUNC_FAIL;
	q->body_at = offset;
	return CURL_SEEKFUNC_OK;
}
