/* SPDX-License-Identifier: MIT
 *
 * What the renderers share: output cut into lines, the tail of a step's output, short texts.
 */
#pragma once
#include "cli.h"

/* Untrusted chunks → lines. A line is what a terminal would show of it: text before a carriage
 * return was overwritten. Lines over LINE_MAX_BYTES are cut into several. */
#define LINE_MAX_BYTES 16384u
struct line_cutter {
	struct co_buf part;
};
#define LINE_CUTTER_INIT                                                                           \
	{                                                                                          \
		CO_BUF_INIT(LINE_MAX_BYTES + 4)                                                    \
	}
typedef void line_fn(void *ctx, const char *line, size_t len);
void line_feed(struct line_cutter *l, const char *text, size_t len, line_fn *emit, void *ctx);
void line_flush(struct line_cutter *l, line_fn *emit, void *ctx);

/* The last TAIL_KEEP bytes or more of a step's output. */
#define TAIL_KEEP (256u << 10)
struct tail {
	struct co_buf text;
	bool cut; /* the beginning is gone */
};
#define TAIL_INIT                                                                                  \
	{                                                                                          \
		CO_BUF_INIT(2 * TAIL_KEEP + CO_BUF_SMALL)                                          \
	}
void tail_add(struct tail *t, const char *text, size_t len);
void tail_clear(struct tail *t);
/* The failed step's output between two rules, made safe. */
void tail_print(FILE *f, const struct tail *t, const char *label);

/* Steps that were started and are not done: stages run side by side, so there may be many. */
#define MAX_OPEN_STEPS 128
struct open_step {
	bool used;
	int step;
	int64_t start_ns;
	char label[512];
	struct line_cutter lines;
	struct tail tail;
};
struct open_steps {
	struct open_step items[MAX_OPEN_STEPS];
};
void open_steps_init(struct open_steps *s);
void open_steps_release(struct open_steps *s);
/* NULL: not open, or (begin) there are too many. */
struct open_step *open_step_find(struct open_steps *s, int step);
struct open_step *open_step_begin(struct open_steps *s, const struct co_event *ev);
void open_step_end(struct open_step *o);

/* What the plain renderer writes, as text: taken out by the caller with co_buf_clear. */
struct plain;
struct plain *plain_new(void);
struct co_buf *plain_add(struct plain *p, const struct co_event *ev);
struct co_buf *plain_text(struct plain *p);   /* what is there */
struct co_buf *plain_finish(struct plain *p); /* lines without an end too */
void plain_free(struct plain *p);

/* Length of an event's text. */
size_t event_len(const struct co_event *ev);
/* "[builder 2/5] RUN make": one clean line. */
void step_label(struct co_buf *out, const char *stage, int step, int count, const char *name);
/* "0.3s", "1m02.3s". Returns buf. */
const char *short_time(int64_t ns, char *buf, size_t len);
/* "pull sha256:abc 1.2MB / 4MB 3.1MB/s": rate 0 is left out. */
void transfer_label(struct co_buf *out, const struct co_event *ev, uint64_t rate);
/* "Rule: text (Dockerfile:3)" */
void finding_label(struct co_buf *out, const struct co_event *ev);
/* "mount by /bin/busybox: mount -t tmpfs x /tmp (3 times)" */
void attempt_label(struct co_buf *out, const struct co_event *ev);
void result_label(struct co_buf *out, const struct co_event *ev);
const char *dir_name(enum co_event_dir dir);

/* Rates of transfers, by name. */
#define MAX_TRANSFERS 32
struct transfer {
	char name[96];
	enum co_event_dir dir;
	int64_t start_ns, shown_ns;
	uint64_t done, total, start_done;
	bool used;
};
struct transfers {
	struct transfer items[MAX_TRANSFERS];
};
/* The row of an event's transfer, made when it is new; NULL when the table is full. */
struct transfer *transfer_update(struct transfers *t, const struct co_event *ev);
uint64_t transfer_rate(const struct transfer *t, int64_t now_ns);
/* Its slot is free again. */
void transfer_end(struct transfer *t);

/* A workflow command of GitHub Actions: "::warning file=…,line=…::text", escaped. */
void github_annotation(struct co_buf *out, const char *level, const char *file, struct co_pos pos,
		       const char *title, const char *text, size_t len);
void github_escape(struct co_buf *out, const char *s, size_t len, bool property);
