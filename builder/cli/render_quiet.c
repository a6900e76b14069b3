/* SPDX-License-Identifier: MIT
 *
 * Nothing, until a step fails: then what it had to say.
 */
#include "render-internal.h"
#include <stdlib.h>

struct quiet {
	FILE *f;
	struct tail tail;
	char label[512];
};

static void *quiet_open(FILE *f)
{
	struct quiet *q = co_xcalloc(1, sizeof(*q));
	q->f = f;
	q->tail = (struct tail)TAIL_INIT;
	return q;
}

static void quiet_event(void *self, const struct co_event *ev)
{
	struct quiet *q = self;
	if (ev->kind == CO_EV_STEP_START) {
		auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
		step_label(&b, ev->stage, ev->step, ev->count, ev->name);
		snprintf(q->label, sizeof(q->label), "%s", co_buf_str(&b));
		tail_clear(&q->tail);
	} else if (ev->kind == CO_EV_STEP_OUTPUT) {
		tail_add(&q->tail, ev->text, event_len(ev));
	} else if (ev->kind == CO_EV_STEP_DONE && !ev->ok && q->tail.text.len) {
		tail_print(q->f, &q->tail, q->label);
	}
}

static void quiet_close(void *self)
{
	struct quiet *q = self;
	co_buf_release(&q->tail.text);
	free(q);
}

const struct renderer_ops render_quiet = {
	.name = "quiet", .open = quiet_open, .event = quiet_event, .close = quiet_close};
