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

#define PERIOD_NS  100000000 /* ten frames a second */
#define LAST_LINES 6

/* The newest lines of one step's output. */
struct last {
	char lines[LAST_LINES][256];
	unsigned n; /* all so far; the newest is lines[(n - 1) % LAST_LINES] */
};
struct tty {
	struct frame frame;
	struct open_steps steps;
	struct last last[MAX_OPEN_STEPS]; /* by the same index */
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

/* How many lines of output each step that runs may show: the screen is shared out. */
static unsigned lines_each(const struct tty *t)
{
	unsigned steps = 0, others = 2;
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++)
		steps += t->steps.items[i].used;
	for (size_t i = 0; i < MAX_TRANSFERS; i++)
		others += t->transfers.items[i].used;
	if (!steps || t->frame.rows <= others + steps)
		return 0;
	unsigned n = (t->frame.rows - others - steps) / steps;
	return n < LAST_LINES ? n : LAST_LINES;
}

static void draw_step(struct tty *t, size_t index, unsigned lines, int64_t now)
{
	const struct open_step *o = &t->steps.items[index];
	const struct last *l = &t->last[index];
	char time[32];
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	co_buf_addf(&b, " => %s", o->label);
	frame_line(&t->frame, co_buf_str(&b), short_time(now - o->start_ns, time, sizeof(time)));
	unsigned n = l->n < lines ? l->n : lines;
	for (unsigned i = l->n - n; i < l->n; i++) {
		co_buf_clear(&b);
		co_buf_addf(&b, " => => # %s", l->lines[i % LAST_LINES]);
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
	unsigned lines = lines_each(t);
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++)
		if (t->steps.items[i].used)
			draw_step(t, i, lines, now);
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
	open_steps_init(&t->steps);
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->wake, &attr);
	pthread_condattr_destroy(&attr);
	return t;
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

static struct last *last_of(struct tty *t, const struct open_step *o)
{
	return &t->last[o - t->steps.items];
}

static void step_start(struct tty *t, const struct co_event *ev)
{
	struct open_step *o = open_step_begin(&t->steps, ev);
	if (o)
		last_of(t, o)->n = 0;
}

static void output_line(void *ctx, const char *line, size_t len)
{
	struct last *l = ctx;
	auto_buf b = CO_BUF_INIT(4 * LINE_MAX_BYTES + 64);
	co_sanitize(&b, line, len, true);
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] == '\t') /* its width would depend on where it stands */
			b.data[i] = ' ';
	char *slot = l->lines[l->n++ % LAST_LINES];
	/* cut between characters: half of one would spoil the line */
	size_t n = b.len < sizeof(l->lines[0]) ? b.len : sizeof(l->lines[0]) - 1;
	while (n < b.len && n && ((unsigned char)b.data[n] & 0xc0) == 0x80)
		n--;
	memcpy(slot, co_buf_str(&b), n);
	slot[n] = '\0';
}

static void step_output(struct tty *t, const struct co_event *ev)
{
	struct open_step *o = open_step_find(&t->steps, ev->step);
	if (!o)
		return;
	tail_add(&o->tail, ev->text, event_len(ev));
	line_feed(&o->lines, ev->text, event_len(ev), output_line, last_of(t, o));
}

static void step_done(struct tty *t, const struct co_event *ev)
{
	struct open_step *o = open_step_find(&t->steps, ev->step);
	char time[32];
	if (!o)
		return;
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	t->done++;
	co_buf_addf(&b, " => %s%s", ev->ok ? (ev->cached ? "CACHED " : "") : "ERROR ", o->label);
	short_time(ev->elapsed_ns, time, sizeof(time));
	frame_keep_step(&t->frame, ev->ok ? (ev->cached ? FRAME_CACHED : FRAME_DONE) : FRAME_ERROR,
			co_buf_str(&b), time);
	if (!ev->ok && o->tail.text.len) {
		frame_clear(&t->frame);
		tail_print(t->frame.f, &o->tail, o->label);
	}
	open_step_end(o);
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

static void keep_attempt(struct tty *t, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	if (!ev->total)
		return;
	co_buf_addf(&b, "blocked in step %d: ", ev->step);
	attempt_label(&b, ev);
	frame_keep(&t->frame, FRAME_WARNING, co_buf_str(&b));
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
	case CO_EV_CACHE:
		if (ev->ok)
			keep_finding(t, " => not cached: ", FRAME_DONE, ev);
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
	case CO_EV_ATTEMPT:
		keep_attempt(t, ev);
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
	open_steps_release(&t->steps);
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

const struct renderer_ops render_tty = {
	.name = "tty", .open = tty_open, .event = tty_event, .close = tty_close};
