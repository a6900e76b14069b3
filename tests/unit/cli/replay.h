/* SPDX-License-Identifier: MIT
 *
 * Events from lines as --progress=json writes them.
 */
#pragma once
#include "golden.h"
#include <cooper/json.h>

static inline enum co_event_kind kind_of(const char *name)
{
	for (int k = 0; k < CO_EV_COUNT; k++)
		if (!strcmp(co_event_name(k), name))
			return (enum co_event_kind)k;
	return CO_EV_COUNT;
}

static inline enum co_event_dir dir_of(const char *name)
{
	for (int d = CO_DIR_NONE; d <= CO_DIR_LOCAL; d++)
		if (name && !strcmp(dir_name(d), name))
			return (enum co_event_dir)d;
	return CO_DIR_NONE;
}

/* What the JSON form calls otherwise. Recordings have each program's attempts once: they are all.
 */
static inline void attempt_of(struct co_event *ev, const json_t *j, struct co_buf *args)
{
	const json_t *detail = json_object_get(j, "detail"),
		     *list = json_object_get(j, "arguments");
	ev->name = co_json_str(j, "what");
	ev->rule = co_json_str(j, "call");
	ev->text = json_string_value(detail);
	ev->len = json_string_length(detail);
	ev->binary = co_json_str(j, "binary");
	ev->done = ev->total = (uint64_t)co_json_int(j, "count", 0);
	ev->args_cut = json_is_true(json_object_get(j, "arguments_cut"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));
		co_buf_add(args, s, strlen(s) + 1);
	}
	ev->args = args->data;
	ev->args_len = args->len;
}

static inline struct co_event event_of(const json_t *j)
{
	const json_t *text = json_object_get(j, "text");
	const char *stream = co_json_str(j, "stream");
	return (struct co_event){.kind = kind_of(co_json_str(j, "event")),
				 .t_ns = 1000000000 + co_json_int(j, "t_ns", 0),
				 .step = (int)co_json_int(j, "step", 0),
				 .count = (int)co_json_int(j, "steps", 0),
				 .stage = co_json_str(j, "stage"),
				 .name = co_json_str(j, "name"),
				 .text = json_string_value(text),
				 .len = json_string_length(text),
				 .rule = co_json_str(j, "rule"),
				 .file = co_json_str(j, "file"),
				 .pos = {.line = (unsigned)co_json_int(j, "line", 0),
					 .col = (unsigned)co_json_int(j, "column", 0),
					 .end_line = (unsigned)co_json_int(j, "end_line", 0)},
				 .dir = dir_of(co_json_str(j, "direction")),
				 .done = (uint64_t)co_json_int(j, "done", 0),
				 .total = (uint64_t)co_json_int(j, "total", 0),
				 .finished = json_is_true(json_object_get(j, "finished")),
				 .ok = json_is_true(json_object_get(j, "ok")),
				 .cached = json_is_true(json_object_get(j, "cached")),
				 .fd = stream && !strcmp(stream, "stderr") ? 2 : 1,
				 .elapsed_ns = co_json_int(j, "elapsed_ns", 0)};
}

/* Replays a file; after each event `each` (may be NULL) is called. */
static inline void replay(const char *path, const struct renderer_ops *ops, void *self,
			  void (*each)(void *ctx), void *ctx)
{
	auto_free char *text = read_all(path);
	for (char *p = text; *p;) {
		size_t n = strcspn(p, "\n");
		struct co_err err = CO_ERR_INIT;
		json_t *j;
		if (co_json_parse(&j, p, n, path, &err) < 0)
			fail_msg("%s", err.msg);
		auto_json line = j;
		struct co_event ev = event_of(line);
		auto_buf args = CO_BUF_INIT(CO_BUF_SMALL);
		if (ev.kind == CO_EV_ATTEMPT)
			attempt_of(&ev, line, &args);
		if (ev.kind == CO_EV_COUNT)
			fail_msg("%s: unknown event", path);
		ops->event(self, &ev);
		if (each)
			each(ctx);
		p += n + (p[n] == '\n');
	}
}
