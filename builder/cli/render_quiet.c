/* SPDX-License-Identifier: MIT
 *
 * Nothing, until a step fails: then what it had to say.
 */
#include "render-internal.h"
#include <stdlib.h>

struct quiet {
	FILE *f;
	struct open_steps steps;
};

static void *quiet_open(FILE *f)
{
	struct quiet *q = co_xcalloc(1, sizeof(*q));
	q->f = f;
	open_steps_init(&q->steps);
	return q;
}

static void quiet_event(void *self, const struct co_event *ev)
{
	struct quiet *q = self;
	struct open_step *o = open_step_find(&q->steps, ev->step);
	if (ev->kind == CO_EV_STEP_START)
		open_step_begin(&q->steps, ev);
	else if (ev->kind == CO_EV_STEP_OUTPUT && o)
		tail_add(&o->tail, ev->text, event_len(ev));
	if (ev->kind != CO_EV_STEP_DONE || !o)
		return;
	if (!ev->ok && o->tail.text.len)
		tail_print(q->f, &o->tail, o->label);
	open_step_end(o);
}

static void quiet_close(void *self)
{
	struct quiet *q = self;
	open_steps_release(&q->steps);
	free(q);
}

const struct renderer_ops render_quiet = {
	.name = "quiet", .open = quiet_open, .event = quiet_event, .close = quiet_close};
