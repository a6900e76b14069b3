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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_cut)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
