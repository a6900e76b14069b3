/* SPDX-License-Identifier: MIT
 *
 * Secret values never reach a log: step output passes through here. Output comes in pieces cut
 * anywhere, so the end of a piece that could be the beginning of a secret waits for the next one.
 */
#include "exec-internal.h"

#define MASK	   "****"
#define MIN_SECRET 4 /* shorter values would blank out ordinary text */

static const char *next_secret(const struct mask_bus *m, const char *p, const char *end,
			       size_t *len)
{
	for (; p < end; p++)
		for (size_t i = 0; i < m->n_secrets; i++) {
			size_t n = strlen(m->secrets[i]);
			if (n < MIN_SECRET || n > (size_t)(end - p) || memcmp(p, m->secrets[i], n))
				continue;
			*len = n;
			return p;
		}
	return NULL;
}

/* Length of the longest end of [p, end) that a secret begins with. */
static size_t open_tail(const struct mask_bus *m, const char *p, const char *end)
{
	size_t best = 0;
	for (size_t i = 0; i < m->n_secrets; i++) {
		size_t n = strlen(m->secrets[i]);
		if (n < MIN_SECRET)
			continue;
		size_t most = (size_t)(end - p) < n - 1 ? (size_t)(end - p) : n - 1;
		for (size_t k = most; k > best; k--)
			if (!memcmp(end - k, m->secrets[i], k)) {
				best = k;
				break;
			}
	}
	return best;
}

/* All of [p, end) with secrets hidden; hands back what may be the beginning of one at the end. */
static size_t hide(const struct mask_bus *m, struct co_buf *out, const char *p, const char *end)
{
	size_t len;
	for (const char *hit; (hit = next_secret(m, p, end, &len)); p = hit + len) {
		co_buf_add(out, p, (size_t)(hit - p));
		co_buf_adds(out, MASK);
	}
	size_t tail = open_tail(m, p, end);
	co_buf_add(out, p, (size_t)(end - p) - tail);
	return tail;
}

/* One text that came whole; when it was cut, its end may be the beginning of a secret. */
static void hide_text(const struct mask_bus *m, struct co_buf *out, const char *p, size_t n,
		      bool cut)
{
	size_t tail = hide(m, out, p, p + n);
	if (cut && tail)
		co_buf_adds(out, MASK);
	else
		co_buf_add(out, p + n - tail, tail);
}

static void mask_attempt(struct mask_bus *m, const struct co_event *ev)
{
	auto_buf binary = CO_BUF_INIT(CO_BUF_TEXT), args = CO_BUF_INIT(CO_BUF_TEXT),
		 text = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_event out = *ev;
	for (size_t at = 0; at < ev->args_len;) {
		size_t n = strnlen(ev->args + at, ev->args_len - at);
		bool last = at + n + 1 >= ev->args_len;
		hide_text(m, &args, ev->args + at, n, last && ev->args_cut);
		co_buf_addc(&args, '\0');
		at += n + 1;
	}
	if (ev->binary)
		hide_text(m, &binary, ev->binary, strlen(ev->binary), false);
	if (ev->text)
		hide_text(m, &text, ev->text, strlen(ev->text), false);
	out.binary = ev->binary ? co_buf_str(&binary) : NULL;
	out.text = ev->text ? co_buf_str(&text) : NULL;
	out.len = text.len;
	out.args = ev->args ? co_buf_str(&args) : NULL;
	out.args_len = args.len;
	co_emit(m->below, out);
}

static void pass(struct mask_bus *m, const struct co_event *like, const char *text, size_t len)
{
	struct co_event out = *like;
	out.text = text;
	out.len = len;
	if (len)
		co_emit(m->below, out);
}

static void mask_emit(void *ctx, const struct co_event *ev)
{
	struct mask_bus *m = ctx;
	if (ev->kind == CO_EV_ATTEMPT && m->n_secrets) {
		mask_attempt(m, ev);
		return;
	}
	if (ev->kind != CO_EV_STEP_OUTPUT || !ev->text || !m->n_secrets) {
		co_emit(m->below, *ev);
		return;
	}
	struct mask_held *h = &m->held[ev->fd == 2];
	auto_buf all = CO_BUF_INIT(CO_BUF_TEXT), clean = CO_BUF_INIT(CO_BUF_TEXT);
	co_buf_add(&all, co_buf_str(&h->text), h->text.len);
	co_buf_add(&all, ev->text, ev->len ? ev->len : strlen(ev->text));
	const char *end = co_buf_str(&all) + all.len;
	size_t tail = hide(m, &clean, co_buf_str(&all), end);
	h->like = *ev;
	h->text.max = CO_BUF_TEXT;
	co_buf_clear(&h->text);
	co_buf_add(&h->text, end - tail, tail);
	pass(m, ev, co_buf_str(&clean), clean.len);
}

struct co_bus *mask_bus_init(struct mask_bus *m, struct co_bus *below)
{
	m->bus.emit = mask_emit;
	m->bus.ctx = m;
	m->below = below;
	return &m->bus;
}

void mask_bus_end(struct mask_bus *m)
{
	for (int i = 0; i < 2; i++) {
		struct mask_held *h = &m->held[i];
		/* the strings of the event that came last are gone: only its numbers count */
		h->like.stage = h->like.name = h->like.rule = h->like.file = NULL;
		pass(m, &h->like, co_buf_str(&h->text), h->text.len);
		co_buf_release(&h->text);
	}
	m->secrets = NULL;
	m->n_secrets = 0;
}
