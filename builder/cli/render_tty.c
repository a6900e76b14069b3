/* SPDX-License-Identifier: MIT
 *
 * The live view of a terminal: what is done scrolls up for good, what runs is redrawn below it.
 * Drawing moves the cursor up over the last frame and never hides it or switches anything off:
 * however the program ends, the terminal is as it was.
 */
#include "render-internal.h"
#include "render_frame.h"
#include <cooper/clock.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PERIOD_NS   100000000 /* ten frames a second */
#define MAX_RUNNING 16
#define LAST_LINES  6

struct running {
	bool used;
	int step;
	int64_t start_ns;
	char label[512];
	struct line_cutter lines;
	struct tail tail;
	char last[LAST_LINES][256];
	unsigned n_last; /* all lines so far; the newest is last[(n_last - 1) % LAST_LINES] */
};
struct tty {
	struct frame frame;
	struct running running[MAX_RUNNING];
	struct transfers transfers;
	char name[256];
	bool building;
	int done, count;
	int64_t start_ns, drawn_ns;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t ticker;
	bool ticking, quit;
};

static void draw_running(struct tty *t, const struct running *r, int64_t now)
{
	char time[32];
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	co_buf_addf(&b, " => %s", r->label);
	frame_line(&t->frame, co_buf_str(&b), short_time(now - r->start_ns, time, sizeof(time)));
	unsigned n = r->n_last < LAST_LINES ? r->n_last : LAST_LINES;
	for (unsigned i = r->n_last - n; i < r->n_last; i++) {
		co_buf_clear(&b);
		co_buf_addf(&b, " => => # %s", r->last[i % LAST_LINES]);
		frame_line(&t->frame, co_buf_str(&b), NULL);
	}
}

static void draw_transfer(struct tty *t, const struct transfer *x, int64_t now)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	struct co_event ev = {.name = x->name, .dir = x->dir, .done = x->done, .total = x->total};
	char time[32];
	co_buf_adds(&b, " => ");
	transfer_label(&b, &ev, transfer_rate(x, now));
	frame_line(&t->frame, co_buf_str(&b), short_time(now - x->start_ns, time, sizeof(time)));
}

/* Called with the lock held. */
static void draw(struct tty *t, int64_t now)
{
	if (now - t->drawn_ns < PERIOD_NS)
		return;
	t->drawn_ns = now;
	frame_begin(&t->frame);
	if (t->building) {
		char time[32];
		auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
		co_buf_addf(&b, "[+] Building %s (%d/%d)", t->name, t->done, t->count);
		frame_line(&t->frame, co_buf_str(&b),
			   short_time(now - t->start_ns, time, sizeof(time)));
	}
	for (size_t i = 0; i < MAX_RUNNING; i++)
		if (t->running[i].used)
			draw_running(t, &t->running[i], now);
	for (size_t i = 0; i < MAX_TRANSFERS; i++)
		if (t->transfers.items[i].used)
			draw_transfer(t, &t->transfers.items[i], now);
	frame_end(&t->frame);
}

/* Time passes while a step is silent. */
static void *ticker_main(void *arg)
{
	struct tty *t = arg;
	pthread_mutex_lock(&t->lock);
	while (!t->quit) {
		struct timespec at;
		clock_gettime(CLOCK_MONOTONIC, &at);
		at.tv_nsec += PERIOD_NS;
		if (at.tv_nsec >= 1000000000) {
			at.tv_nsec -= 1000000000;
			at.tv_sec++;
		}
		pthread_cond_timedwait(&t->wake, &t->lock, &at);
		if (!t->quit)
			draw(t, co_mono_ns());
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* Not before the first step or transfer: the namespaces that a build works in can only be entered
 * while there is one thread. */
static void start_ticker(struct tty *t)
{
	sigset_t all, old;
	if (t->ticking || !t->frame.is_tty)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	t->ticking = pthread_create(&t->ticker, NULL, ticker_main, t) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void *tty_open(FILE *f)
{
	struct tty *t = co_xcalloc(1, sizeof(*t));
	pthread_condattr_t attr;
	frame_init(&t->frame, f);
	t->drawn_ns = INT64_MIN / 2;
	for (size_t i = 0; i < MAX_RUNNING; i++) {
		t->running[i].lines = (struct line_cutter)LINE_CUTTER_INIT;
		t->running[i].tail = (struct tail)TAIL_INIT;
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->wake, &attr);
	pthread_condattr_destroy(&attr);
	return t;
}

static struct running *find_running(struct tty *t, int step)
{
	for (size_t i = 0; i < MAX_RUNNING; i++)
		if (t->running[i].used && t->running[i].step == step)
			return &t->running[i];
	return NULL;
}

static void clear_running(struct running *r)
{
	r->used = false;
	r->n_last = 0;
	co_buf_clear(&r->lines.part);
	tail_clear(&r->tail);
}

static void build_start(struct tty *t, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	const char *name = ev->name ? ev->name : "";
	co_sanitize(&b, name, strlen(name), false);
	snprintf(t->name, sizeof(t->name), "%s", co_buf_str(&b));
	if (!t->building)
		t->start_ns = ev->t_ns;
	t->building = true;
	t->done = 0;
	t->count = ev->count;
}

static void step_start(struct tty *t, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	struct running *r = find_running(t, ev->step);
	for (size_t i = 0; !r && i < MAX_RUNNING; i++)
		if (!t->running[i].used)
			r = &t->running[i];
	if (!r)
		return;
	clear_running(r);
	step_label(&b, ev->stage, ev->step, ev->count, ev->name);
	snprintf(r->label, sizeof(r->label), "%s", co_buf_str(&b));
	r->used = true;
	r->step = ev->step;
	r->start_ns = ev->t_ns;
}

static void output_line(void *ctx, const char *line, size_t len)
{
	struct running *r = ctx;
	auto_buf b = CO_BUF_INIT(4 * LINE_MAX_BYTES + 64);
	co_sanitize(&b, line, len, false);
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] == '\t')
			b.data[i] = ' ';
	char *slot = r->last[r->n_last++ % LAST_LINES];
	/* cut between characters: half of one would spoil the line */
	size_t n = b.len < sizeof(r->last[0]) - 1 ? b.len : sizeof(r->last[0]) - 1;
	while (n < b.len && n && ((unsigned char)b.data[n] & 0xc0) == 0x80)
		n--;
	memcpy(slot, co_buf_str(&b), n);
	slot[n] = '\0';
}

static void step_output(struct tty *t, const struct co_event *ev)
{
	struct running *r = find_running(t, ev->step);
	if (!r)
		return;
	tail_add(&r->tail, ev->text, event_len(ev));
	line_feed(&r->lines, ev->text, event_len(ev), output_line, r);
}

static void step_done(struct tty *t, const struct co_event *ev)
{
	struct running *r = find_running(t, ev->step);
	char time[32];
	if (!r)
		return;
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	t->done++;
	co_buf_addf(&b, " => %s%s", ev->ok ? (ev->cached ? "CACHED " : "") : "ERROR ", r->label);
	short_time(ev->elapsed_ns, time, sizeof(time));
	frame_keep_step(&t->frame, ev->ok ? (ev->cached ? FRAME_CACHED : FRAME_DONE) : FRAME_ERROR,
			co_buf_str(&b), time);
	if (!ev->ok && r->tail.text.len) {
		frame_clear(&t->frame);
		tail_print(t->frame.f, &r->tail, r->label);
	}
	clear_running(r);
}

static void transfer(struct tty *t, const struct co_event *ev)
{
	struct transfer *x = transfer_update(&t->transfers, ev);
	if (!ev->finished)
		return;
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	char time[32] = "";
	co_buf_adds(&b, " => ");
	transfer_label(&b, ev, x ? transfer_rate(x, ev->t_ns) : 0);
	if (x) {
		short_time(ev->t_ns - x->start_ns, time, sizeof(time));
		transfer_end(x);
	}
	frame_keep_step(&t->frame, FRAME_DONE, co_buf_str(&b), time);
}

static void keep_finding(struct tty *t, const char *head, enum frame_look look,
			 const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	co_buf_adds(&b, head);
	finding_label(&b, ev);
	frame_keep(&t->frame, look, co_buf_str(&b));
}

static void keep_result(struct tty *t, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	co_buf_adds(&b, " => ");
	result_label(&b, ev);
	frame_keep(&t->frame, FRAME_DONE, co_buf_str(&b));
}

static void build_done(struct tty *t, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	char time[32];
	if (t->building) {
		co_buf_addf(&b, "[+] %s %s in %s (%d/%d)", ev->ok ? "Built" : "FAILED", t->name,
			    short_time(ev->elapsed_ns, time, sizeof(time)), t->done, t->count);
		frame_keep(&t->frame, ev->ok ? FRAME_DONE : FRAME_ERROR, co_buf_str(&b));
	}
	t->building = false;
}

static void one_event(struct tty *t, const struct co_event *ev)
{
	switch (ev->kind) {
	case CO_EV_BUILD_START:
		build_start(t, ev);
		start_ticker(t);
		break;
	case CO_EV_STEP_START:
		step_start(t, ev);
		break;
	case CO_EV_STEP_OUTPUT:
		step_output(t, ev);
		break;
	case CO_EV_STEP_DONE:
		step_done(t, ev);
		break;
	case CO_EV_TRANSFER:
		transfer(t, ev);
		start_ticker(t);
		break;
	case CO_EV_NOTE:
		keep_finding(t, " => ", FRAME_DONE, ev);
		break;
	case CO_EV_WARNING:
		keep_finding(t, "warning: ", FRAME_WARNING, ev);
		break;
	case CO_EV_POLICY:
		keep_finding(t, "policy: ", FRAME_WARNING, ev);
		break;
	case CO_EV_RESULT:
		keep_result(t, ev);
		break;
	case CO_EV_BUILD_DONE:
		build_done(t, ev);
		break;
	case CO_EV_COUNT:
	default:
		break;
	}
}

static void tty_event(void *self, const struct co_event *ev)
{
	struct tty *t = self;
	pthread_mutex_lock(&t->lock);
	one_event(t, ev);
	draw(t, ev->t_ns);
	pthread_mutex_unlock(&t->lock);
}

static void tty_close(void *self)
{
	struct tty *t = self;
	pthread_mutex_lock(&t->lock);
	t->quit = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	if (t->ticking)
		pthread_join(t->ticker, NULL);
	frame_clear(&t->frame);
	frame_release(&t->frame);
	for (size_t i = 0; i < MAX_RUNNING; i++) {
		co_buf_release(&t->running[i].lines.part);
		co_buf_release(&t->running[i].tail.text);
	}
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

const struct renderer_ops render_tty = {
	.name = "tty", .open = tty_open, .event = tty_event, .close = tty_close};
