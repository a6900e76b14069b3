/* SPDX-License-Identifier: MIT
 *
 * One line after the other, for logs: "#3 [builder 2/5] RUN make", "#3 0.412 output", "#3 DONE
 * 0.5s".
 */
#include "render-internal.h"
#include <stdlib.h>
#include <string.h>

#define TRANSFER_PERIOD_NS 5000000000 /* between two lines about one transfer */

struct plain {
	FILE *f;
	struct line_cutter lines;
	struct transfers transfers;
	int step;	    /* whose output is in lines */
	int64_t start, now; /* of that step; of the event in hand */
};

static void *plain_open(FILE *f)
{
	struct plain *p = co_xcalloc(1, sizeof(*p));
	p->f = f;
	p->lines = (struct line_cutter)LINE_CUTTER_INIT;
	return p;
}

static void output_line(void *ctx, const char *line, size_t len)
{
	struct plain *p = ctx;
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_sanitize(&b, line, len, false);
	int64_t ms = (p->now - p->start) / 1000000;
	fprintf(p->f, "#%d %lld.%03lld %s\n", p->step, (long long)(ms / 1000),
		(long long)(ms % 1000), co_buf_str(&b));
}

static void say(struct plain *p, int step, const char *head, const char *text)
{
	fprintf(p->f, "#%d %s%s\n", step, head, text);
}

static void step_start(struct plain *p, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	line_flush(&p->lines, output_line, p);
	step_label(&b, ev->stage, ev->step, ev->count, ev->name);
	fprintf(p->f, "\n");
	say(p, ev->step, "", co_buf_str(&b));
	p->step = ev->step;
	p->start = ev->t_ns;
}

static void step_done(struct plain *p, const struct co_event *ev)
{
	char t[32];
	line_flush(&p->lines, output_line, p);
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
	say(p, p->step, co_buf_str(&b), ev->finished ? " done" : "");
	if (t)
		t->shown_ns = ev->t_ns ? ev->t_ns : 1;
	if (t && ev->finished)
		transfer_end(t);
}

static void finding(struct plain *p, const char *head, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	finding_label(&b, ev);
	say(p, p->step, head, co_buf_str(&b));
}

static void result(struct plain *p, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	result_label(&b, ev);
	say(p, 0, "", co_buf_str(&b));
}

static void build_start(struct plain *p, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	const char *name = ev->name ? ev->name : "";
	co_sanitize(&b, name, strlen(name), false);
	fprintf(p->f, "#0 building %s, %d steps\n", co_buf_str(&b), ev->count);
}

static void plain_event(void *self, const struct co_event *ev)
{
	struct plain *p = self;
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
		line_feed(&p->lines, ev->text, event_len(ev), output_line, p);
		break;
	case CO_EV_STEP_DONE:
		step_done(p, ev);
		break;
	case CO_EV_TRANSFER:
		transfer(p, ev);
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
	case CO_EV_RESULT:
		p->step = 0;
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
	fflush(p->f);
}

static void plain_close(void *self)
{
	struct plain *p = self;
	line_flush(&p->lines, output_line, p);
	fflush(p->f);
	co_buf_release(&p->lines.part);
	free(p);
}

const struct renderer_ops render_plain = {
	.name = "plain", .open = plain_open, .event = plain_event, .close = plain_close};
