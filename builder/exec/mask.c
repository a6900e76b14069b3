/* SPDX-License-Identifier: MIT
 *
 * Secret values never reach a log: step output passes through here.
 */
#include "exec-internal.h"
#include <cooper/buf.h>

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

static void mask_emit(void *ctx, const struct co_event *ev)
{
	struct mask_bus *m = ctx;
	struct co_event out = *ev;
	if (ev->kind != CO_EV_STEP_OUTPUT || !ev->text) {
		co_emit(m->below, out);
		return;
	}
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	const char *p = ev->text, *end = p + (ev->len ? ev->len : strlen(ev->text));
	size_t len;
	for (const char *hit; (hit = next_secret(m, p, end, &len)); p = hit + len) {
		co_buf_add(&b, p, (size_t)(hit - p));
		co_buf_adds(&b, MASK);
	}
	co_buf_add(&b, p, (size_t)(end - p));
	out.text = co_buf_str(&b);
	out.len = b.len;
	co_emit(m->below, out);
}

struct co_bus *mask_bus_init(struct mask_bus *m, struct co_bus *below)
{
	m->bus.emit = mask_emit;
	m->bus.ctx = m;
	m->below = below;
	return &m->bus;
}
