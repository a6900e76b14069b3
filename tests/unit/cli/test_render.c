/* SPDX-License-Identifier: MIT
 *
 * Every renderer replays recorded builds into memory; what it writes is compared with a file.
 */
#include "replay.h"
#include "screen.h"
#include <stdio.h>

static const char *const recorded[] = {"build", "parallel", "failed", "hostile",
				       "pull",	"attempts", NULL};

struct memory {
	FILE *f;
	char *data;
	size_t len, seen;
};

static void memory_open(struct memory *m)
{
	memset(m, 0, sizeof(*m));
	m->f = open_memstream(&m->data, &m->len);
	assert_non_null(m->f);
}

static void memory_close(struct memory *m)
{
	fclose(m->f);
	free(m->data);
}

static void run(const struct renderer_ops *ops, const char *name, const struct co_err *err,
		struct memory *m)
{
	char path[256];
	snprintf(path, sizeof(path), "events/%s.events", name);
	memory_open(m);
	void *self = ops->open(m->f);
	replay(path, ops, self, NULL, NULL);
	if (err && ops->error)
		ops->error(self, err);
	ops->close(self);
	fflush(m->f);
}

static struct co_err some_error(void)
{
	struct co_err err = CO_ERR_INIT;
	struct co_source src = {.name = "Dockerfile", .text = "FROM a\nRUN make\n", .len = 16};
	co_fail(&err, CO_E_RUN_FAILED, "RUN make: exit code 2\n::set-env::x");
	co_hint(&err, "look at 100%% of it, then: again");
	co_locate(&err, &src, (struct co_pos){.line = 2, .col = 1});
	return err;
}

static void test_plain(void **state)
{
	(void)state;
	for (size_t i = 0; recorded[i]; i++) {
		struct memory m;
		char path[256];
		run(&render_plain, recorded[i], NULL, &m);
		snprintf(path, sizeof(path), "events/%s.plain", recorded[i]);
		golden(path, m.data);
		memory_close(&m);
	}
}

static void test_quiet(void **state)
{
	(void)state;
	for (size_t i = 0; recorded[i]; i++) {
		struct memory m;
		run(&render_quiet, recorded[i], NULL, &m);
		if (!strcmp(recorded[i], "failed"))
			golden("events/failed.quiet", m.data);
		else
			assert_string_equal(m.data, "");
		memory_close(&m);
	}
}

/* The recorded lines are what the JSON renderer writes: it gives them back unchanged. */
static void test_json(void **state)
{
	(void)state;
	for (size_t i = 0; recorded[i]; i++) {
		struct memory m;
		char path[256];
		run(&render_json, recorded[i], NULL, &m);
		snprintf(path, sizeof(path), "events/%s.events", recorded[i]);
		auto_free char *want = read_all(path);
		assert_string_equal(m.data, want);
		memory_close(&m);
	}
}

static void test_json_error(void **state)
{
	(void)state;
	struct memory m;
	struct co_err err = some_error();
	memory_open(&m);
	void *self = render_json.open(m.f);
	render_json.error(self, &err);
	render_json.close(self);
	fflush(m.f);
	golden("events/error.json", m.data);
	memory_close(&m);
}

/* A character that arrives in two pieces is not damaged, whatever other steps say meanwhile. */
static void test_json_split(void **state)
{
	(void)state;
	struct memory m;
	memory_open(&m);
	void *self = render_json.open(m.f);
	const struct co_event parts[] = {
		{.kind = CO_EV_STEP_OUTPUT, .step = 1, .fd = 1, .text = "a\xe2\x82", .len = 3},
		{.kind = CO_EV_STEP_OUTPUT, .step = 2, .fd = 1, .text = "\xc3", .len = 1},
		{.kind = CO_EV_STEP_OUTPUT, .step = 1, .fd = 2, .text = "err", .len = 3},
		{.kind = CO_EV_STEP_OUTPUT, .step = 1, .fd = 1, .text = "\xac!", .len = 2},
		{.kind = CO_EV_STEP_OUTPUT, .step = 2, .fd = 1, .text = "\xa9\xff\0z", .len = 4}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		render_json.event(self, &parts[i]);
	render_json.close(self);
	fflush(m.f);
	assert_non_null(strstr(m.data, "\"step\":1,\"stream\":\"stdout\",\"text\":\"a\""));
	assert_non_null(strstr(m.data, "\"stream\":\"stderr\",\"text\":\"err\""));
	assert_non_null(
		strstr(m.data, "\"step\":1,\"stream\":\"stdout\",\"text\":\"\xe2\x82\xac!\""));
	assert_non_null(strstr(
		m.data, "\"step\":2,\"stream\":\"stdout\",\"text\":\"\xc3\xa9\xef\xbf\xbd?z\""));
	memory_close(&m);
}

/* ---- GitHub ---- */
/* Random tokens become TOKEN; between stop-commands and its token no line may be obeyed. */
static void tokens_out(struct co_buf *out, char *text)
{
	char token[64] = "";
	for (char *p = text; *p;) {
		size_t n = strcspn(p, "\n");
		char *line = strndup(p, n);
		char resume[80];
		snprintf(resume, sizeof(resume), "::%s::", token);
		if (!strncmp(line, "::stop-commands::", 17)) {
			assert_string_equal(token, "");
			assert_int_equal(strlen(line + 17), 32);
			snprintf(token, sizeof(token), "%.32s", line + 17);
			co_buf_adds(out, "::stop-commands::TOKEN\n");
		} else if (token[0] && !strcmp(line, resume)) {
			token[0] = '\0';
			co_buf_adds(out, "::TOKEN::\n");
		} else {
			if (!token[0] && !co_starts(line, "::group::") &&
			    !co_starts(line, "::endgroup::") && !co_starts(line, "::warning ") &&
			    !co_starts(line, "::error "))
				fail_msg("outside of stop-commands: %s", line);
			co_buf_addf(out, "%s\n", line);
		}
		free(line);
		p += n + (p[n] == '\n');
	}
	assert_string_equal(token, ""); /* commands work again in the end */
}

static void test_github(void **state)
{
	(void)state;
	for (size_t i = 0; recorded[i]; i++) {
		struct memory m;
		char path[256];
		struct co_err err = some_error();
		auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
		run(&render_github, recorded[i], strcmp(recorded[i], "failed") ? NULL : &err, &m);
		tokens_out(&out, m.data);
		snprintf(path, sizeof(path), "events/%s.github", recorded[i]);
		golden(path, co_buf_str(&out));
		memory_close(&m);
	}
}

static void test_github_tokens_differ(void **state)
{
	(void)state;
	struct memory a, b;
	run(&render_github, "build", NULL, &a);
	run(&render_github, "build", NULL, &b);
	assert_string_not_equal(a.data, b.data);
	memory_close(&a);
	memory_close(&b);
}

/* ---- the live view ---- */
struct live {
	struct memory m;
	struct screen *screen;
};

static void feed_screen(void *ctx)
{
	struct live *l = ctx;
	fflush(l->m.f);
	screen_write(l->screen, l->m.data + l->m.seen, l->m.len - l->m.seen);
	l->m.seen = l->m.len;
}

static void run_live(const char *name, unsigned cols, const char *rows, struct screen *screen)
{
	struct live l = {.screen = screen};
	char path[256], text[16];
	memset(screen, 0, sizeof(*screen));
	screen->cols = cols;
	snprintf(text, sizeof(text), "%u", cols);
	setenv("COLUMNS", text, 1);
	setenv("LINES", rows, 1);
	memory_open(&l.m);
	void *self = render_tty.open(l.m.f);
	snprintf(path, sizeof(path), "events/%s.events", name);
	replay(path, &render_tty, self, feed_screen, &l);
	render_tty.close(self);
	feed_screen(&l);
	memory_close(&l.m);
}

static void test_tty(void **state)
{
	(void)state;
	struct screen *s = co_xcalloc(1, sizeof(*s));
	for (size_t i = 0; recorded[i]; i++) {
		char path[256];
		auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
		run_live(recorded[i], 80, "24", s);
		screen_text(s, &out);
		snprintf(path, sizeof(path), "events/%s.tty", recorded[i]);
		golden(path, co_buf_str(&out));
	}
	free(s);
}

/* No width is too small, and lines of a frame never wrap: what wraps can not be erased. */
static void test_tty_narrow(void **state)
{
	(void)state;
	static const unsigned widths[] = {2, 3, 10, 17, 40, 79, 200};
	struct screen *s = co_xcalloc(1, sizeof(*s));
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		run_live("parallel", widths[i], "5", s);
		/* the lines that stay in the end are cut too, but for the summary */
		if (widths[i] >= 79)
			assert_false(s->wrapped);
	}
	free(s);
}

/* Ten frames a second, however many events there are. */
static void test_tty_rate(void **state)
{
	(void)state;
	struct memory m;
	struct screen *s = co_xcalloc(1, sizeof(*s));
	memory_open(&m);
	s->cols = 80;
	setenv("COLUMNS", "80", 1);
	setenv("LINES", "24", 1);
	void *self = render_tty.open(m.f);
	struct co_event ev = {.kind = CO_EV_BUILD_START, .t_ns = 1, .name = "D", .count = 1};
	render_tty.event(self, &ev);
	ev = (struct co_event){
		.kind = CO_EV_STEP_START, .t_ns = 1, .step = 1, .count = 1, .name = "RUN x"};
	render_tty.event(self, &ev);
	for (int i = 0; i < 10000; i++) { /* two seconds */
		ev = (struct co_event){
			.kind = CO_EV_STEP_OUTPUT, .t_ns = i * 200000ll, .step = 1, .text = "x\n"};
		render_tty.event(self, &ev);
	}
	render_tty.close(self);
	fflush(m.f);
	screen_write(s, m.data, m.len);
	assert_in_range(s->erases, 15, 21);
	assert_int_equal(s->row, 0); /* nothing of the frame is left */
	memory_close(&m);
	free(s);
}

/* A terminal that was made narrower has folded the lines of the frame: all of them are erased. */
static void test_tty_resize(void **state)
{
	(void)state;
	struct memory m;
	memory_open(&m);
	setenv("COLUMNS", "80", 1);
	setenv("LINES", "24", 1);
	void *self = render_tty.open(m.f);
	struct co_event ev = {.kind = CO_EV_BUILD_START, .t_ns = 0, .name = "D", .count = 1};
	render_tty.event(self, &ev);
	setenv("COLUMNS", "20", 1);
	ev = (struct co_event){.kind = CO_EV_STEP_START,
			       .t_ns = 200000000,
			       .step = 1,
			       .count = 1,
			       .name = "RUN x"};
	render_tty.event(self, &ev);
	fflush(m.f);
	/* 79 columns on a terminal of 20: four rows */
	assert_non_null(strstr(m.data, "\033[4A\033[J"));
	render_tty.close(self);
	memory_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_error),
		cmocka_unit_test(test_json_split),
		cmocka_unit_test(test_github),
		cmocka_unit_test(test_github_tokens_differ),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_tty_narrow),
		cmocka_unit_test(test_tty_rate),
		cmocka_unit_test(test_tty_resize),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
