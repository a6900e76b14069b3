/* SPDX-License-Identifier: MIT
 *
 * auth.c — what goes into Authorization, and what a 401 means. The first request goes out bare; its
 * challenge is remembered for the host, so that later ones are right at once. Credentials go to the
 * registry's own origin (and, by token.c, to the realm that it names), never elsewhere.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

static char *basic(const struct cred *c)
{
	auto_buf plain = CO_BUF_INIT(CO_BUF_SMALL), out = CO_BUF_INIT(CO_BUF_SMALL * 2);

	co_buf_addf(&plain, "%s:%s", c->user, c->password ? c->password : "");
	co_buf_adds(&out, "Basic ");
	co_base64_encode(&out, plain.data, plain.len);
	explicit_bzero(plain.data, plain.len);
	return co_buf_take(&out);
}

static int from_token(struct req *q, struct cred *c, char **out)
{
	struct token *t = token_get(q, c);

	q->token = t;
	switch (t->state) {
	case TOKEN_READY:
		*out = co_xasprintf("Bearer %s", t->value);
		return 1;
	case TOKEN_FAILED:
		q->err = t->err;
		return q->err.code;
	case TOKEN_NONE:
	case TOKEN_FETCHING:
		break;
	}
	return 2;
}

int auth_header(struct req *q, char **out)
{
	struct host *h = q->host;
	struct cred *c;

	if (!url_same_origin(q->cur, q->origin))
		return 0;
	if (q->secret) {
		*out = co_xstrdup(q->secret);
		return 1;
	}
	if (q->raw)
		return 0;
	if (h->ping == PING_RUNNING && !q->is_ping)
		return 2;
	if (h->auth.kind == AUTH_NONE || q->is_ping)
		return 0;
	if (co_starts(q->cur, "http://") && !h->may_plain)
		return co_fail(&q->err, CO_E_AUTH, "%s asks for credentials over plain http",
			       h->name);
	int r = cred_find(q->r, h->name, q->cred_path, &c, &q->err);
	if (r < 0)
		return r;
	if (c->bearer) {
		*out = co_xasprintf("Bearer %s", c->bearer);
		return 1;
	}
	if (h->auth.kind == AUTH_BEARER)
		return from_token(q, c, out);
	if (!c->user)
		return 0;
	*out = basic(c);
	return 1;
}

static void ping_done(struct req *p)
{
	struct challenge c;

	if (p->status == 401 && challenge_parse(co_buf_str(&p->head.challenges), &c))
		p->host->auth = c;
	p->host->ping = PING_DONE;
}

/* Some registries answer 401 without a challenge; /v2/ tells it. */
static bool ask_by_ping(struct req *q)
{
	struct host *h = q->host;

	if (h->ping == PING_DONE)
		return h->auth.kind != AUTH_NONE && !q->sent_auth;
	if (h->ping == PING_NEVER) {
		struct req *p = req_new(q->r, h->name, "GET");

		req_url(p, "/v2/");
		p->is_ping = true;
		p->on_done = ping_done;
		h->ping = PING_RUNNING;
		req_start(p);
	}
	return true;
}

bool auth_challenged(struct req *q)
{
	struct challenge c = {0};
	struct host *h = q->host;

	if (q->raw || q->is_ping || q->auth_tries >= 2 || !url_same_origin(q->cur, q->origin))
		return false;
	q->auth_tries++;
	if (!challenge_parse(co_buf_str(&q->head.challenges), &c))
		return ask_by_ping(q);
	if (c.kind == AUTH_BASIC) {
		bool tried = q->sent_auth && h->auth.kind == AUTH_BASIC;
		struct cred *cred = NULL;

		h->auth = c;
		if (tried)
			return false;
		if (cred_find(q->r, h->name, q->cred_path, &cred, &q->err) < 0)
			return false;
		return cred->user || cred->bearer;
	}
	bool grew = c.scope[0] && scope_add(&q->scopes, c.scope);
	bool refused = q->sent_auth && h->auth.kind == AUTH_BEARER;
	h->auth = c;
	/* refused with a token that should have been good: a new one, once */
	if (refused && !grew && q->token && q->token->state == TOKEN_READY)
		q->token->expires = 0;
	return true;
}
