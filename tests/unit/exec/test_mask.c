/* SPDX-License-Identifier: MIT
 *
 * test_mask.c — a secret in step output is hidden, however the output is cut.
 */
#include "../../../builder/exec/exec-internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void collect(void *ctx, const struct co_event *ev)
{
	if (ev->kind == CO_EV_STEP_OUTPUT)
		co_buf_add(ctx, ev->text, ev->len);
}

static void feed(const char *text, size_t piece, struct co_buf *out)
{
	static const char *const secrets[] = {"hunter2hunter2", "hunter2hunter3x", "abc"};
	struct co_bus below = {collect, out};
	struct mask_bus m = {.secrets = secrets, .n_secrets = 3};
	struct co_bus *bus = mask_bus_init(&m, &below);
	for (size_t at = 0; at < strlen(text); at += piece) {
		size_t n = strlen(text) - at < piece ? strlen(text) - at : piece;
		co_emit(bus,
			(struct co_event){
				.kind = CO_EV_STEP_OUTPUT, .text = text + at, .len = n, .fd = 1});
	}
	mask_bus_end(&m);
}

static void test_every_cut(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"token=hunter2hunter2\n", "token=****\n"},
		{"hunter2hunter3x", "****"},
		{"hunter2hunter", "hunter2hunter"},
		{"hunter2hunter2hunter2hunter2", "********"},
		{"abc is too short to hide", "abc is too short to hide"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece <= strlen(rows[i][0]); piece++) {
			auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
			feed(rows[i][0], piece, &out);
			if (strcmp(co_buf_str(&out), rows[i][1]))
				fail_msg("\"%s\" in pieces of %zu: \"%s\"", rows[i][0], piece,
					 co_buf_str(&out));
		}
}

static void keep(void *ctx, const struct co_event *ev)
{
	co_buf_addf(ctx, "%s|%s|", ev->binary, ev->text);
	for (size_t at = 0; at < ev->args_len; at += strlen(ev->args + at) + 1)
		co_buf_addf(ctx, "%s,", ev->args + at);
}

/* Command lines and paths of what a sandbox refused; one that was cut may end within a secret. */
static void test_attempts(void **state)
{
	(void)state;
	static const char *const secrets[] = {"hunter2hunter2"};
	static const char args[] = "mount\0pass=hunter2hunter2\0\0-h\0hunter2h";
	auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
	struct co_bus below = {keep, &out};
	struct mask_bus m = {.secrets = secrets, .n_secrets = 1};
	struct co_bus *bus = mask_bus_init(&m, &below);
	struct co_event ev = {.kind = CO_EV_ATTEMPT,
			      .binary = "/bin/hunter2hunter2",
			      .text = "/x/hunter2hunter2/y",
			      .args = args,
			      .args_len = sizeof(args)};
	co_emit(bus, ev);
	assert_string_equal(co_buf_str(&out), "/bin/****|/x/****/y|mount,pass=****,,-h,hunter2h,");
	co_buf_clear(&out);
	ev.args_cut = true;
	co_emit(bus, ev);
	assert_string_equal(co_buf_str(&out), "/bin/****|/x/****/y|mount,pass=****,,-h,****,");
	mask_bus_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_cut),
					   cmocka_unit_test(test_attempts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
