/* SPDX-License-Identifier: MIT
 *
 * One JSON object a line: a stable interface, described in docs/events.md.
 */
#include "render-internal.h"
#include <cooper/json.h>
#include <stdlib.h>
#include <string.h>

struct json {
	FILE *f;
	int64_t first_ns;
	bool started;
	struct carry {
		int step;
		char bytes[2][4]; /* a character that a chunk of output cut in two, by stream */
		size_t n[2];
	} carries[MAX_OPEN_STEPS];
};

static void *json_open(FILE *f)
{
	struct json *j = co_xcalloc(1, sizeof(*j));
	j->f = f;
	return j;
}

static void put_str(json_t *o, const char *key, const char *s)
{
	if (s)
		json_object_set_new(o, key, co_json_string(s));
}

static void put_int(json_t *o, const char *key, int64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static void put_line(struct json *j, json_t *o)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_json_write(&b, o);
	co_buf_addc(&b, '\n');
	fwrite(co_buf_str(&b), 1, b.len, j->f);
	fflush(j->f);
}

static void put_place(json_t *o, const char *file, struct co_pos pos)
{
	put_str(o, "file", file);
	if (!pos.line)
		return;
	put_int(o, "line", pos.line);
	if (pos.col)
		put_int(o, "column", pos.col);
	if (pos.end_line > pos.line)
		put_int(o, "end_line", pos.end_line);
}

/* How many bytes at the end begin a character that is not complete. */
static size_t open_tail(const char *s, size_t len)
{
	for (size_t n = 1; n <= 3 && n <= len; n++) {
		unsigned char c = (unsigned char)s[len - n];
		if ((c & 0xc0) == 0x80)
			continue;
		size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
		return need > n ? n : 0;
	}
	return 0;
}

/* NUL bytes are text too: jansson writes them as \u0000. */
static json_t *output_text(const char *s, size_t len)
{
	if (co_utf8_valid(s, len))
		return json_stringn(s, len);
	auto_free char *copy = co_xcalloc(len + 1, 1);
	for (size_t i = 0; i < len; i++)
		copy[i] = s[i] ? s[i] : '?';
	return co_json_string(copy);
}

static struct carry *carry_of(struct json *j, int step)
{
	struct carry *unused = &j->carries[0];
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++) {
		if (j->carries[i].step == step)
			return &j->carries[i];
		if (!j->carries[i].step)
			unused = &j->carries[i];
	}
	*unused = (struct carry){.step = step};
	return unused;
}

static bool put_output(struct json *j, json_t *o, const struct co_event *ev)
{
	size_t k = ev->fd == 2;
	struct carry *c = carry_of(j, ev->step);
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_buf_add(&b, c->bytes[k], c->n[k]);
	co_buf_add(&b, ev->text, event_len(ev));
	c->n[k] = open_tail(co_buf_str(&b), b.len);
	memcpy(c->bytes[k], co_buf_str(&b) + b.len - c->n[k], c->n[k]);
	if (b.len == c->n[k])
		return false;
	put_str(o, "stream", k ? "stderr" : "stdout");
	json_object_set_new(o, "text", output_text(co_buf_str(&b), b.len - c->n[k]));
	return true;
}

/* The members of one kind; false: nothing to say yet. */
static void put_finding(json_t *o, const struct co_event *ev)
{
	put_str(o, "rule", ev->rule);
	put_str(o, "text", ev->text);
	put_place(o, ev->file, ev->pos);
}

static bool put_members(struct json *j, json_t *o, const struct co_event *ev)
{
	switch (ev->kind) {
	case CO_EV_BUILD_START:
		put_str(o, "name", ev->name);
		put_int(o, "steps", ev->count);
		return true;
	case CO_EV_STEP_START:
		put_int(o, "step", ev->step);
		put_int(o, "steps", ev->count);
		put_str(o, "stage", ev->stage);
		put_str(o, "name", ev->name);
		put_place(o, ev->file, ev->pos);
		return true;
	case CO_EV_STEP_OUTPUT:
		put_int(o, "step", ev->step);
		return put_output(j, o, ev);
	case CO_EV_STEP_DONE:
		carry_of(j, ev->step)->step = 0;
		put_int(o, "step", ev->step);
		json_object_set_new(o, "ok", json_boolean(ev->ok));
		json_object_set_new(o, "cached", json_boolean(ev->cached));
		put_int(o, "elapsed_ns", ev->elapsed_ns);
		return true;
	case CO_EV_TRANSFER:
		put_str(o, "name", ev->name);
		put_str(o, "direction", dir_name(ev->dir));
		put_int(o, "done", (int64_t)ev->done);
		if (ev->total)
			put_int(o, "total", (int64_t)ev->total);
		json_object_set_new(o, "finished", json_boolean(ev->finished));
		json_object_set_new(o, "cached", json_boolean(ev->cached));
		return true;
	case CO_EV_POLICY:
		json_object_set_new(o, "ok", json_boolean(ev->ok));
		put_finding(o, ev);
		return true;
	case CO_EV_CACHE:
		put_int(o, "step", ev->step);
		put_str(o, "name", ev->name);
		put_finding(o, ev);
		return true;
	case CO_EV_ATTEMPT:
		co_json_attempt(o, ev);
		return true;
	case CO_EV_NOTE:
	case CO_EV_WARNING:
		put_finding(o, ev);
		return true;
	case CO_EV_RESULT:
		put_str(o, "name", ev->name);
		put_str(o, "text", ev->text);
		return true;
	case CO_EV_BUILD_DONE:
		json_object_set_new(o, "ok", json_boolean(ev->ok));
		put_int(o, "elapsed_ns", ev->elapsed_ns);
		return true;
	case CO_EV_COUNT:
	default:
		return false;
	}
}

static void json_event(void *self, const struct co_event *ev)
{
	struct json *j = self;
	if (!j->started) {
		j->first_ns = ev->t_ns;
		j->started = true;
	}
	auto_json o = json_object();
	put_str(o, "event", co_event_name(ev->kind));
	put_int(o, "t_ns", ev->t_ns - j->first_ns);
	if (put_members(j, o, ev))
		put_line(j, o);
}

/* The last line of a run that failed. */
static void json_error(void *self, const struct co_err *err)
{
	auto_json o = json_object();
	put_str(o, "event", "error");
	put_str(o, "code", co_err_name(err->code));
	put_int(o, "exit_status", co_err_exit(err));
	put_str(o, "text", err->msg[0] ? err->msg : co_err_text(err->code));
	if (err->hint[0])
		put_str(o, "cure", err->hint);
	if (err->file[0])
		put_place(o, err->file, err->pos);
	if (err->excerpt[0])
		put_str(o, "excerpt", err->excerpt);
	put_line(self, o);
}

static void json_close(void *self)
{
	free(self);
}

const struct renderer_ops render_json = {.name = "json",
					 .open = json_open,
					 .event = json_event,
					 .error = json_error,
					 .close = json_close};
