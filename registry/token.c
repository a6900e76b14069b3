/* SPDX-License-Identifier: MIT
 *
 * token.c — bearer tokens: one per host, credentials and set of scopes, kept for 90 % of their
 * life. Source: distribution token specification; realm rules against SSRF.
 */
#include "registry-internal.h"
#include <cooper/clock.h>
#include <cooper/json.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define SECOND	   INT64_C(1000000000)
#define MIN_LIFE_S 60
#define MAX_LIFE_S 86400
#define MAX_TOKEN  (64u << 10)

void tokens_free(struct co_registry *r)
{
	while (r->tokens) {
		struct token *t = r->tokens;

		r->tokens = t->next;
		if (t->value)
			explicit_bzero(t->value, strlen(t->value));
		free(t->value);
		free(t->scopes);
		free(t);
	}
}

void tokens_retry_failed(struct co_registry *r)
{
	for (struct token *t = r->tokens; t; t = t->next)
		if (t->state == TOKEN_FAILED || t->state == TOKEN_FETCHING) {
			t->state = TOKEN_NONE;
			co_err_clear(&t->err);
		}
}

/* Header-safe? A token comes from outside and goes into a header. */
static bool sane(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] == 0x7f)
			return false;
	return n > 0 && n <= MAX_TOKEN;
}

int token_parse(const char *json, size_t len, char **value, char **refresh, int64_t *lifetime_s,
		struct co_err *err)
{
	auto_json doc = NULL;
	struct co_err quiet = CO_ERR_INIT; /* its text could quote the token */

	if (co_json_parse(&doc, json, len, "token", &quiet) < 0 || !json_is_object(doc))
		return co_fail(err, CO_E_REGISTRY, "the token server's answer is not JSON");
	const char *t = co_json_str(doc, "token"), *again = co_json_str(doc, "refresh_token");
	if (!t || !*t)
		t = co_json_str(doc, "access_token");
	if (!t || !sane(t))
		return co_fail(err, CO_E_REGISTRY, "the token server's answer holds no token");
	int64_t life = co_json_int(doc, "expires_in", MIN_LIFE_S);
	life = life < MIN_LIFE_S ? MIN_LIFE_S : life > MAX_LIFE_S ? MAX_LIFE_S : life;
	*value = co_xstrdup(t);
	*refresh = again && sane(again) ? co_xstrdup(again) : NULL;
	*lifetime_s = life;
	return 0;
}

static void add_param(struct co_buf *b, char sep, const char *name, const char *value, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";

	co_buf_addc(b, sep);
	co_buf_adds(b, name);
	co_buf_addc(b, '=');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if (co_is_alnum((char)c) || strchr("-._~:/,", c))
			co_buf_addc(b, (char)c);
		else
			co_buf_addf(b, "%%%c%c", hex[c >> 4], hex[c & 15]);
	}
}

static size_t scope_length(const struct token *t)
{
	return t->narrowed ? strcspn(t->scopes, " ") : strlen(t->scopes);
}

static void build_get(struct token *t, struct req *q)
{
	const struct challenge *c = &t->host->auth;
	auto_buf u = CO_BUF_INIT(CO_BUF_SMALL);
	size_t n = scope_length(t);
	char sep = strchr(c->realm, '?') ? '&' : '?';

	co_buf_add(&u, c->realm, strcspn(c->realm, "#"));
	if (c->service[0]) {
		add_param(&u, sep, "service", c->service, strlen(c->service));
		sep = '&';
	}
	for (size_t at = 0; at < n;) {
		size_t len = strcspn(t->scopes + at, " ");

		if (len)
			add_param(&u, sep, "scope", t->scopes + at, len);
		sep = '&';
		at += len + 1;
	}
	req_url(q, "%s", co_buf_str(&u));
	const char *password = t->cred->password ? t->cred->password : t->cred->identity;
	if (!t->cred->user && !t->cred->identity)
		return;
	auto_buf plain = CO_BUF_INIT(CO_BUF_SMALL), b64 = CO_BUF_INIT(CO_BUF_SMALL * 2);
	co_buf_addf(&plain, "%s:%s", t->cred->user ? t->cred->user : "<token>",
		    password ? password : "");
	co_buf_adds(&b64, "Basic ");
	co_base64_encode(&b64, plain.data, plain.len);
	explicit_bzero(plain.data, plain.len);
	q->secret = co_buf_take(&b64);
}

static void build_post(struct token *t, struct req *q)
{
	const struct challenge *c = &t->host->auth;
	auto_buf b = CO_BUF_INIT(2 * CO_BUF_SMALL);

	co_buf_adds(&b, "grant_type=refresh_token&client_id=cooper");
	add_param(&b, '&', "service", c->service, strlen(c->service));
	if (scope_length(t))
		add_param(&b, '&', "scope", t->scopes, scope_length(t));
	add_param(&b, '&', "refresh_token", t->cred->identity, strlen(t->cred->identity));
	req_url(q, "%.*s", (int)strcspn(c->realm, "#"), c->realm);
	snprintf(q->content_type, sizeof(q->content_type), "application/x-www-form-urlencoded");
	q->body_len = (int64_t)b.len;
	q->own_body = co_buf_take(&b);
	q->body = q->own_body;
}

/* May credentials go to the realm? */
static int check_realm(struct co_registry *r, const struct host *h, struct co_err *err)
{
	char base[300], shown[320];
	struct url u;

	host_base(h, base, sizeof(base));
	if (!url_parse(h->auth.realm, &u) || u.has_user)
		return co_fail(err, CO_E_REGISTRY, "%s: its token realm is no http address",
			       h->name);
	url_shown(h->auth.realm, shown, sizeof(shown));
	if (!strcmp(u.scheme, "http") &&
	    (!h->may_plain || !host_of_url(r, h->auth.realm)->may_plain)) {
		co_fail(err, CO_E_REGISTRY, "%s: its token realm %s is plain http; refused",
			h->name, shown);
		return co_hint(err, "name both hosts with --insecure-registry if that is meant");
	}
	if (!url_may_go(base, h->auth.realm, true))
		return co_fail(err, CO_E_REGISTRY,
			       "%s: its token realm %s is an internal address; refused", h->name,
			       shown);
	return 0;
}

static void token_fail(struct token *t, const struct co_err *err)
{
	t->err = *err;
	t->state = TOKEN_FAILED;
}

static void start(struct co_registry *r, struct token *t);

static void refused(struct token *t, struct req *q)
{
	struct co_err err = CO_ERR_INIT;
	const char *from = t->cred->from;

	if ((q->status == 401 || q->status == 403) && from) {
		co_fail(&err, CO_E_AUTH, "%s: the credentials from %s were refused (%d)",
			t->host->name, from, q->status);
		co_hint(&err,
			"log in again (cooper login %s), or cooper logout %s for a public "
			"image",
			t->host->name, t->host->name);
	} else {
		(void)!req_result(q, NULL, &err);
		co_wrap(&err, "token for %s", t->host->name);
	}
	token_fail(t, &err);
}

static void on_token(struct req *q)
{
	struct token *t = q->ctx;
	struct co_err err = CO_ERR_INIT;
	char *value = NULL, *again = NULL;
	int64_t life;

	if (q->status == 200) {
		if (token_parse(co_buf_str(&q->body_in), q->body_in.len, &value, &again, &life,
				&err) < 0) {
			co_wrap(&err, "%s", t->host->name);
			token_fail(t, &err);
			return;
		}
		free(t->value);
		t->value = value;
		t->born = co_mono_ns();
		t->expires = t->born + life * SECOND / 10 * 9;
		t->state = TOKEN_READY;
		if (again && t->cred->identity) { /* it may rotate */
			free(t->cred->identity);
			t->cred->identity = co_steal(&again);
		}
		free(again);
		return;
	}
	if ((q->status == 404 || q->status == 405) && t->cred->identity && !t->by_get) {
		t->by_get = true;
		start(q->r, t);
	} else if (q->status >= 400 && q->status < 404 && strchr(t->scopes, ' ') && !t->narrowed) {
		/* the repositories to mount from may be closed to us: that must not stop a push */
		t->narrowed = true;
		start(q->r, t);
	} else {
		refused(t, q);
	}
}

static void start(struct co_registry *r, struct token *t)
{
	struct co_err err = CO_ERR_INIT;
	bool post = t->cred->identity && !t->by_get;

	t->state = TOKEN_FETCHING;
	if (check_realm(r, t->host, &err) < 0) {
		token_fail(t, &err);
		return;
	}
	struct req *q =
		req_new(r, host_of_url(r, t->host->auth.realm)->name, post ? "POST" : "GET");
	q->raw = q->strict = true;
	q->max_body = REG_MAX_TOKEN;
	q->accept = "application/json";
	q->on_done = on_token;
	q->ctx = t;
	if (post)
		build_post(t, q);
	else
		build_get(t, q);
	req_start(q);
}

static bool usable(const struct token *t, const struct req *q, int64_t now)
{
	if (t->state != TOKEN_READY)
		return t->state == TOKEN_FETCHING || t->state == TOKEN_FAILED;
	/* data that takes minutes to send must not end with a token that has run out */
	int64_t need = q->fresh_token ? (t->expires - t->born) / 2 : 0;
	return now + need <= t->expires;
}

static bool token_covers(const struct token *t, const char *scopes)
{
	auto_free char *have = co_xasprintf("%.*s", (int)scope_length(t), t->scopes);

	return scope_covers(have, scopes);
}

struct token *token_get(struct req *q, struct cred *c)
{
	const char *scopes = co_buf_str(&q->scopes);
	struct token *same = NULL;
	int64_t now = co_mono_ns();

	for (struct token *t = q->r->tokens; t; t = t->next) {
		if (t->host != q->host || t->cred != c)
			continue;
		if (!strcmp(t->scopes, scopes))
			same = t;
		else if (t->state == TOKEN_READY && *scopes && usable(t, q, now) &&
			 token_covers(t, scopes))
			return t;
	}
	if (!same) {
		same = co_xcalloc(1, sizeof(*same));
		same->host = q->host;
		same->cred = c;
		same->scopes = co_xstrdup(scopes);
		same->next = q->r->tokens;
		q->r->tokens = same;
	}
	if (!usable(same, q, now))
		start(q->r, same);
	return same;
}
