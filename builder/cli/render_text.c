/* SPDX-License-Identifier: MIT */
#include "render-internal.h"
#include <string.h>

size_t event_len(const struct co_event *ev)
{
	return !ev->text ? 0 : ev->len ? ev->len : strlen(ev->text);
}

/* Colours and cursor movements (ESC [ … letter) are taken out: they mean nothing in a log. What
 * else an escape might be stays, and is made visible. */
static size_t drop_csi(char *s, size_t len)
{
	size_t to = 0;
	for (size_t i = 0; i < len;) {
		size_t k = i + 2;
		if (s[i] == '\033' && i + 1 < len && s[i + 1] == '[') {
			while (k < len && s[k] >= 0x20 && s[k] <= 0x3f)
				k++;
			if (k < len && s[k] >= 0x40 && s[k] <= 0x7e) {
				i = k + 1;
				continue;
			}
		}
		s[to++] = s[i++];
	}
	return to;
}

/* What is left of a line once carriage returns have overwritten it. */
static void emit_line(struct line_cutter *l, line_fn *emit, void *ctx)
{
	if (l->part.len)
		co_buf_cut(&l->part, drop_csi(l->part.data, l->part.len));
	const char *s = co_buf_str(&l->part);
	size_t len = l->part.len;
	while (len && s[len - 1] == '\r')
		len--;
	const char *cr = len ? memrchr(s, '\r', len) : NULL;
	if (cr) {
		len -= (size_t)(cr + 1 - s);
		s = cr + 1;
	}
	emit(ctx, s, len);
	co_buf_clear(&l->part);
}

void line_feed(struct line_cutter *l, const char *text, size_t len, line_fn *emit, void *ctx)
{
	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		size_t room = LINE_MAX_BYTES - l->part.len;
		bool full = n > room;
		if (full)
			n = room;
		co_buf_add(&l->part, text, n);
		text += n;
		len -= n;
		if (full) {
			emit_line(l, emit, ctx);
		} else if (nl) {
			emit_line(l, emit, ctx);
			text++;
			len--;
		}
	}
}

void line_flush(struct line_cutter *l, line_fn *emit, void *ctx)
{
	if (l->part.len)
		emit_line(l, emit, ctx);
}

void tail_add(struct tail *t, const char *text, size_t len)
{
	if (len > TAIL_KEEP) {
		text += len - TAIL_KEEP;
		len = TAIL_KEEP;
		t->cut = true;
	}
	if (t->text.len + len > 2 * TAIL_KEEP) {
		/* from a line's start on, so that what is left reads well */
		size_t from = t->text.len - TAIL_KEEP;
		const char *nl = memchr(t->text.data + from, '\n', TAIL_KEEP);
		if (nl)
			from = (size_t)(nl + 1 - t->text.data);
		memmove(t->text.data, t->text.data + from, t->text.len - from);
		co_buf_cut(&t->text, t->text.len - from);
		t->cut = true;
	}
	co_buf_add(&t->text, text, len);
}

void tail_clear(struct tail *t)
{
	co_buf_clear(&t->text);
	t->cut = false;
}

void open_steps_init(struct open_steps *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++) {
		s->items[i].lines = (struct line_cutter)LINE_CUTTER_INIT;
		s->items[i].tail = (struct tail)TAIL_INIT;
	}
}

void open_steps_release(struct open_steps *s)
{
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++)
		open_step_end(&s->items[i]);
}

struct open_step *open_step_find(struct open_steps *s, int step)
{
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++)
		if (s->items[i].used && s->items[i].step == step)
			return &s->items[i];
	return NULL;
}

struct open_step *open_step_begin(struct open_steps *s, const struct co_event *ev)
{
	struct open_step *o = open_step_find(s, ev->step);
	for (size_t i = 0; !o && i < MAX_OPEN_STEPS; i++)
		if (!s->items[i].used)
			o = &s->items[i];
	if (!o)
		return NULL;
	open_step_end(o);
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	step_label(&b, ev->stage, ev->step, ev->count, ev->name);
	/* cut between characters */
	size_t n = b.len < sizeof(o->label) ? b.len : sizeof(o->label) - 1;
	while (n < b.len && n && ((unsigned char)b.data[n] & 0xc0) == 0x80)
		n--;
	memcpy(o->label, co_buf_str(&b), n);
	o->label[n] = '\0';
	o->used = true;
	o->step = ev->step;
	o->start_ns = ev->t_ns;
	return o;
}

void open_step_end(struct open_step *o)
{
	o->used = false;
	co_buf_release(&o->lines.part);
	co_buf_release(&o->tail.text);
	o->lines = (struct line_cutter)LINE_CUTTER_INIT;
	o->tail = (struct tail)TAIL_INIT;
}

static void print_line(void *ctx, const char *line, size_t len)
{
	auto_buf b = CO_BUF_INIT(4 * LINE_MAX_BYTES + 64);
	co_sanitize(&b, line, len, true);
	fprintf(ctx, "%s\n", co_buf_str(&b));
}

void tail_print(FILE *f, const struct tail *t, const char *label)
{
	struct line_cutter lines = LINE_CUTTER_INIT;
	fprintf(f, "------\n%s\n", label);
	if (t->cut)
		fprintf(f, "(earlier output left out)\n");
	line_feed(&lines, co_buf_str(&t->text), t->text.len, print_line, f);
	line_flush(&lines, print_line, f);
	co_buf_release(&lines.part);
	fprintf(f, "------\n");
	fflush(f);
}

const char *short_time(int64_t ns, char *buf, size_t len)
{
	int64_t tenths = (ns < 0 ? 0 : ns) / 100000000;
	if (tenths < 600)
		snprintf(buf, len, "%lld.%llds", (long long)(tenths / 10),
			 (long long)(tenths % 10));
	else
		snprintf(buf, len, "%lldm%02lld.%llds", (long long)(tenths / 600),
			 (long long)(tenths / 10 % 60), (long long)(tenths % 10));
	return buf;
}

static void add_clean(struct co_buf *out, const char *text)
{
	if (text)
		co_sanitize(out, text, strlen(text), false);
}

void step_label(struct co_buf *out, const char *stage, int step, int count, const char *name)
{
	co_buf_addc(out, '[');
	if (stage && *stage) {
		add_clean(out, stage);
		co_buf_addc(out, ' ');
	}
	co_buf_addf(out, "%d/%d] ", step, count > step ? count : step);
	size_t n = name ? strcspn(name, "\n") : 0;
	if (n)
		co_sanitize(out, name, n, false);
	if (name && name[n])
		co_buf_adds(out, " …");
}

const char *dir_name(enum co_event_dir dir)
{
	switch (dir) {
	case CO_DIR_PULL:
		return "pull";
	case CO_DIR_PUSH:
		return "push";
	case CO_DIR_LOCAL:
		return "write";
	case CO_DIR_NONE:
	default:
		return "transfer";
	}
}

void transfer_label(struct co_buf *out, const struct co_event *ev, uint64_t rate)
{
	char a[32], b[32];
	const char *name = ev->name ? ev->name : "";
	bool digest = co_starts(name, "sha256:") || co_starts(name, "sha512:");
	co_buf_addf(out, "%s ", dir_name(ev->dir));
	co_sanitize(out, name, digest && strlen(name) > 19 ? 19 : strlen(name), false);
	co_buf_addf(out, " %s", co_human_size(ev->done, a, sizeof(a)));
	if (ev->total && !ev->finished)
		co_buf_addf(out, " / %s", co_human_size(ev->total, b, sizeof(b)));
	if (ev->finished && ev->cached)
		co_buf_adds(out, ", was there already");
	else if (rate)
		co_buf_addf(out, " %s/s", co_human_size(rate, b, sizeof(b)));
}

void finding_label(struct co_buf *out, const struct co_event *ev)
{
	/* of a cache miss the step's name says more than the rule's */
	const char *head = ev->kind == CO_EV_CACHE ? ev->name : ev->rule;
	if (head) {
		add_clean(out, head);
		co_buf_adds(out, ": ");
	}
	co_sanitize(out, ev->text ? ev->text : "", event_len(ev), false);
	if (ev->file && ev->pos.line) {
		co_buf_adds(out, " (");
		add_clean(out, ev->file);
		co_buf_addf(out, ":%u)", ev->pos.line);
	}
}

#define ARGS_SHOWN 160 /* bytes of a command line in a notice */

void attempt_label(struct co_buf *out, const struct co_event *ev)
{
	if (ev->name && !strcmp(ev->name, "more")) {
		co_buf_addf(out, "%llu more, not listed", (unsigned long long)ev->done);
		return;
	}
	add_clean(out, ev->name);
	if (ev->text) {
		co_buf_addc(out, ' ');
		co_sanitize(out, ev->text, event_len(ev), false);
	}
	co_buf_adds(out, " by ");
	add_clean(out, ev->binary ? ev->binary : "an unknown program");
	auto_buf args = CO_BUF_INIT(CO_BUF_TEXT);
	for (size_t at = 0; at < ev->args_len; at += strlen(ev->args + at) + 1) {
		if (at)
			co_buf_addc(&args, ' ');
		add_clean(&args, ev->args + at);
	}
	bool cut = ev->args_cut;
	if (args.len > ARGS_SHOWN) {
		size_t n = ARGS_SHOWN;
		while (n && ((unsigned char)args.data[n] & 0xc0) == 0x80)
			n--;
		co_buf_cut(&args, n);
		cut = true;
	}
	if (args.len)
		co_buf_addf(out, ": %s%s", co_buf_str(&args), cut ? "…" : "");
	if (ev->total > 1)
		co_buf_addf(out, " (%llu times)", (unsigned long long)ev->total);
}

void result_label(struct co_buf *out, const struct co_event *ev)
{
	add_clean(out, ev->name ? ev->name : "result");
	co_buf_addc(out, ' ');
	co_sanitize(out, ev->text ? ev->text : "", event_len(ev), false);
}

struct transfer *transfer_update(struct transfers *t, const struct co_event *ev)
{
	struct transfer *slot = NULL;
	char name[sizeof(slot->name)];
	snprintf(name, sizeof(name), "%s", ev->name ? ev->name : "");
	for (size_t i = 0; i < MAX_TRANSFERS; i++) {
		struct transfer *x = &t->items[i];
		if (x->used && x->dir == ev->dir && !strcmp(x->name, name)) {
			slot = x;
			break;
		}
		if (!x->used && !slot)
			slot = x;
	}
	if (!slot)
		return NULL;
	if (!slot->used) {
		memset(slot, 0, sizeof(*slot));
		memcpy(slot->name, name, sizeof(name));
		slot->dir = ev->dir;
		slot->start_ns = ev->t_ns;
		slot->start_done = ev->done; /* a resumed one did not move these now */
		slot->used = true;
	}
	slot->done = ev->done;
	slot->total = ev->total;
	return slot;
}

uint64_t transfer_rate(const struct transfer *t, int64_t now_ns)
{
	int64_t ns = now_ns - t->start_ns;
	if (ns < 100000000 || t->done <= t->start_done)
		return 0;
	return (uint64_t)((double)(t->done - t->start_done) * 1e9 / (double)ns);
}

void transfer_end(struct transfer *t)
{
	t->used = false;
}
