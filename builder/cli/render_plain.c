/* SPDX-License-Identifier: MIT
 *
 * One line after the other, for logs: "#3 [builder 2/5] RUN make", "#3 0.412 output", "#3 DONE
 * 0.5s". Steps that run side by side are told apart by their number.
 */
#include "render-internal.h"
#include <stdlib.h>
#include <string.h>

#define TRANSFER_PERIOD_NS 5000000000 /* between two lines about one transfer */
#define OUT_MAX		   (64u << 20)

struct plain {
	struct co_buf out;
	struct open_steps steps;
	struct transfers transfers;
	const struct open_step *step; /* of the line in hand */
	int64_t now;
};

static void output_line(void *ctx, const char *line, size_t len)
{
	struct plain *p = ctx;
	int64_t ms = (p->now - p->step->start_ns) / 1000000;
	co_buf_addf(&p->out, "#%d %lld.%03lld ", p->step->step, (long long)(ms / 1000),
		    (long long)(ms % 1000));
	co_sanitize(&p->out, line, len, true);
	co_buf_addc(&p->out, '\n');
}

static void say(struct plain *p, int step, const char *head, const char *text)
{
	co_buf_addf(&p->out, "#%d %s%s\n", step, head, text);
}

static void step_start(struct plain *p, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	step_label(&b, ev->stage, ev->step, ev->count, ev->name);
	co_buf_addc(&p->out, '\n');
	say(p, ev->step, "", co_buf_str(&b));
	open_step_begin(&p->steps, ev);
}

static void step_output(struct plain *p, const struct co_event *ev)
{
	struct open_step *o = open_step_find(&p->steps, ev->step);
	p->step = o;
	if (o)
		line_feed(&o->lines, ev->text, event_len(ev), output_line, p);
}

static void flush_step(struct plain *p, struct open_step *o)
{
	p->step = o;
	line_flush(&o->lines, output_line, p);
	open_step_end(o);
}

static void step_done(struct plain *p, const struct co_event *ev)
{
	char t[32];
	struct open_step *o = open_step_find(&p->steps, ev->step);
	if (o)
		flush_step(p, o);
	short_time(ev->elapsed_ns, t, sizeof(t));
	if (ev->ok && ev->cached)
		say(p, ev->step, "CACHED", "");
	else
		say(p, ev->step, ev->ok ? "DONE " : "ERROR after ", t);
}

static void transfer(struct plain *p, const struct co_event *ev)
{
	struct transfer *t = transfer_update(&p->transfers, ev);
	bool due = !t || t->shown_ns == 0 || ev->t_ns - t->shown_ns >= TRANSFER_PERIOD_NS;
	if (!ev->finished && !due)
		return;
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	transfer_label(&b, ev, t ? transfer_rate(t, ev->t_ns) : 0);
	say(p, ev->step, co_buf_str(&b), ev->finished && !ev->cached ? " done" : "");
	if (t)
		t->shown_ns = ev->t_ns ? ev->t_ns : 1;
	if (t && ev->finished)
		transfer_end(t);
}

static void finding(struct plain *p, const char *head, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	finding_label(&b, ev);
	say(p, ev->step, head, co_buf_str(&b));
}

/* One line for each program and what it tried; the rest is for readers of the JSON form. */
static void attempt(struct plain *p, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	struct open_step *o = open_step_find(&p->steps, ev->step);
	if (!ev->total)
		return;
	attempt_label(&b, ev);
	p->step = o;
	if (o)
		line_flush(&o->lines, output_line, p);
	say(p, ev->step, "blocked: ", co_buf_str(&b));
}

static void result(struct plain *p, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	result_label(&b, ev);
	say(p, 0, "", co_buf_str(&b));
}

static void build_start(struct plain *p, const struct co_event *ev)
{
	const char *name = ev->name ? ev->name : "";
	co_buf_adds(&p->out, "#0 building ");
	co_sanitize(&p->out, name, strlen(name), false);
	co_buf_addf(&p->out, ", %d steps\n", ev->count);
}

struct plain *plain_new(void)
{
	struct plain *p = co_xcalloc(1, sizeof(*p));
	p->out.max = OUT_MAX;
	open_steps_init(&p->steps);
	return p;
}

struct co_buf *plain_add(struct plain *p, const struct co_event *ev)
{
	char t[32];
	p->now = ev->t_ns;
	switch (ev->kind) {
	case CO_EV_BUILD_START:
		build_start(p, ev);
		break;
	case CO_EV_STEP_START:
		step_start(p, ev);
		break;
	case CO_EV_STEP_OUTPUT:
		step_output(p, ev);
		break;
	case CO_EV_STEP_DONE:
		step_done(p, ev);
		break;
	case CO_EV_TRANSFER:
		transfer(p, ev);
		break;
	case CO_EV_CACHE:
		if (ev->ok)
			finding(p, "not cached: ", ev);
		break;
	case CO_EV_NOTE:
		finding(p, "", ev);
		break;
	case CO_EV_WARNING:
		finding(p, "warning: ", ev);
		break;
	case CO_EV_POLICY:
		finding(p, "policy: ", ev);
		break;
	case CO_EV_ATTEMPT:
		attempt(p, ev);
		break;
	case CO_EV_RESULT:
		result(p, ev);
		break;
	case CO_EV_BUILD_DONE:
		short_time(ev->elapsed_ns, t, sizeof(t));
		say(p, 0, ev->ok ? "DONE " : "FAILED after ", t);
		break;
	case CO_EV_COUNT:
	default:
		break;
	}
	return &p->out;
}

struct co_buf *plain_text(struct plain *p)
{
	return &p->out;
}

struct co_buf *plain_finish(struct plain *p)
{
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++)
		if (p->steps.items[i].used)
			flush_step(p, &p->steps.items[i]);
	return &p->out;
}

void plain_free(struct plain *p)
{
	open_steps_release(&p->steps);
	co_buf_release(&p->out);
	free(p);
}

/* ---- the renderer ---- */
struct plain_renderer {
	FILE *f;
	struct plain *text;
};

static void *plain_open(FILE *f)
{
	struct plain_renderer *r = co_xcalloc(1, sizeof(*r));
	r->f = f;
	r->text = plain_new();
	return r;
}

static void put(struct plain_renderer *r, struct co_buf *text)
{
	fwrite(co_buf_str(text), 1, text->len, r->f);
	fflush(r->f);
	co_buf_clear(text);
}

static void plain_event(void *self, const struct co_event *ev)
{
	struct plain_renderer *r = self;
	struct co_buf *text = plain_add(r->text, ev);
	if (!ev->brief) /* else it goes out with its end: a hundred thousand steps, half the writes
			 */
		put(r, text);
}

static void plain_close(void *self)
{
	struct plain_renderer *r = self;
	put(r, plain_finish(r->text));
	plain_free(r->text);
	free(r);
}

const struct renderer_ops render_plain = {
	.name = "plain", .open = plain_open, .event = plain_event, .close = plain_close};
