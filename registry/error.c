/* SPDX-License-Identifier: MIT
 *
 * error.c — a registry's answers as errors: code, a message that names the object, a cure. Text
 * from the registry is sanitised; addresses are shown without user and query.
 */
#include "registry-internal.h"
#include <cooper/json.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} list[] = {{400, "Bad Request"},
		    {401, "Unauthorized"},
		    {403, "Forbidden"},
		    {404, "Not Found"},
		    {405, "Method Not Allowed"},
		    {408, "Request Timeout"},
		    {409, "Conflict"},
		    {412, "Precondition Failed"},
		    {413, "Content Too Large"},
		    {415, "Unsupported Media Type"},
		    {416, "Range Not Satisfiable"},
		    {429, "Too Many Requests"},
		    {500, "Internal Server Error"},
		    {501, "Not Implemented"},
		    {502, "Bad Gateway"},
		    {503, "Service Unavailable"},
		    {504, "Gateway Timeout"},
		    {507, "Insufficient Storage"}};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i].status == status)
			return list[i].text;
	return "";
}

static json_t *first_error(const struct req *q)
{
	struct co_err quiet = CO_ERR_INIT;
	json_t *doc = NULL;

	if (!q->body_in.len ||
	    co_json_parse(&doc, co_buf_str(&q->body_in), q->body_in.len, "error", &quiet) < 0)
		return NULL;
	json_t *e = json_incref(json_array_get(json_object_get(doc, "errors"), 0));
	if (!json_is_object(e) && json_is_object(doc)) { /* one object, or Azure's {"error":{…}} */
		json_t *one = json_object_get(doc, "error");

		json_decref(e);
		e = json_incref(json_is_object(one) ? one : doc);
	}
	json_decref(doc);
	return e;
}

void error_code(const struct req *q, char *code, size_t len)
{
	auto_json e = first_error(q);
	const char *c = co_json_str(e, "code");

	snprintf(code, len, "%s", c ? c : "");
}

/* "CODE: message", sanitised; "" when the body tells nothing. */
static void error_text(const struct req *q, char *out, size_t len)
{
	auto_json e = first_error(q);
	const char *code = co_json_str(e, "code"), *msg = co_json_str(e, "message");
	auto_buf b = CO_BUF_INIT(4096);

	if (code)
		co_sanitize(&b, code, strnlen(code, 60), false);
	if (msg && *msg) {
		if (b.len)
			co_buf_adds(&b, ": ");
		co_sanitize(&b, msg, strnlen(msg, 300), false);
	}
	snprintf(out, len, "%s", co_buf_str(&b));
}

bool req_not_found(const struct req *q)
{
	auto_json e = first_error(q);
	const char *code = co_json_str(e, "code"), *msg = co_json_str(e, "message");

	if (q->status == 404)
		return true;
	if (q->status < 400 || !code)
		return false;
	return !strcmp(code, "MANIFEST_UNKNOWN") ||
	       (!strcmp(code, "UNKNOWN") && msg && co_ieq(msg, "not found"));
}

static int code_of(const struct req *q)
{
	char code[64];

	error_code(q, code, sizeof(code));
	if (q->status == 401 || q->status == 403 || !strcmp(code, "DENIED") ||
	    !strcmp(code, "UNAUTHORIZED"))
		return CO_E_AUTH;
	if (req_not_found(q))
		return CO_E_NOT_FOUND;
	if (q->status == 405 || q->status == 501 || !strcmp(code, "UNSUPPORTED"))
		return CO_E_UNSUPPORTED;
	return CO_E_REGISTRY;
}

static void auth_hint(const struct req *q, struct co_err *err)
{
	struct cred *c = NULL;
	struct co_err quiet = CO_ERR_INIT;
	const char *host = q->host->name;

	if (cred_find(q->r, host, q->cred_path, &c, &quiet) == 0 && c->from)
		co_hint(err,
			"the credentials came from %s; they may be wrong or lack the right for "
			"this repository",
			c->from);
	else
		co_hint(err, "no credentials are known for %s: cooper login %s", host, host);
}

static void add_hint(const struct req *q, struct co_err *err)
{
	if (err->code == CO_E_AUTH && !q->raw)
		auth_hint(q, err);
	else if (q->status == 413)
		co_hint(err,
			"the registry, or a proxy before it, limits the size of uploads: raise "
			"that limit, or make the layer smaller");
	else if (q->status == 429)
		co_hint(err,
			"the registry limits requests: log in (cooper login %s), use a mirror, "
			"or try later",
			q->host->name);
	else if (q->status >= 500)
		co_hint(err, "the registry has trouble of its own; try later");
}

int req_result(struct req *q, const char *what, struct co_err *err)
{
	char text[480], shown[320];

	if (q->err.code) {
		*err = q->err;
		return what ? co_wrap(err, "%s", what) : err->code;
	}
	if (q->status >= 200 && q->status < 300)
		return 0;
	error_text(q, text, sizeof(text));
	url_shown(q->cur, shown, sizeof(shown));
	const char *why = reason(q->status);
	co_fail(err, code_of(q), "%s %s: %d%s%s%s%s", q->method, shown, q->status, *why ? " " : "",
		why, text[0] ? ": " : "", text);
	err->sys = q->status;
	add_hint(q, err);
	return what ? co_wrap(err, "%s", what) : err->code;
}

static const char *curl_hint(CURLcode code)
{
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "check the host name, the network and HTTPS_PROXY";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "put the CA into /etc/docker/certs.d/HOST/ca.crt or SSL_CERT_FILE, or name "
		       "the host with --insecure-registry";
	case CURLE_SSL_CACERT_BADFILE:
		return "install ca-certificates, or set SSL_CERT_FILE";
	case CURLE_SSL_CONNECT_ERROR:
		return "a registry without TLS must be named with --insecure-registry";
	case CURLE_OPERATION_TIMEDOUT:
		return "the server is too slow or not reachable";
	default:
		return NULL;
	}
}

void error_curl(struct req *q, CURLcode code)
{
	char shown[320];
	auto_buf b = CO_BUF_INIT(2048);
	const char *text = q->curl_err[0] ? q->curl_err : curl_easy_strerror(code);
	const char *hint = curl_hint(code);

	if (q->err.code)
		return;
	co_sanitize(&b, text, strnlen(text, 240), false);
	url_shown(q->cur, shown, sizeof(shown));
	co_fail(&q->err, CO_E_NETWORK, "%s %s: %s", q->method, shown, co_buf_str(&b));
	if (hint)
		co_hint(&q->err, "%s", hint);
}
