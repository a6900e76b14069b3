/* SPDX-License-Identifier: MIT
 *
 * test_copy.c — every rule of COPY and ADD of local files, as a row: what is there, the COPY line,
 * what must come of it (shell conditions in the world's directory) or the error.
 */
#include "world.h"

struct row {
	const char *id, *setup, *line;
	const char *fails; /* part of message or hint; NULL: it works */
	const char *check;
	bool root; /* needs to be run as root */
};
static const struct row rows[] = {
#include "copy_rows.inc"
};

static void one_row(void **state)
{
	const struct row *row = *state;
	struct world w;
	struct co_err err = CO_ERR_INIT;
	char both[2048], script[3000];
	if (row->root && geteuid() != 0)
		skip();
	world_open(&w, row->setup);
	int r = run_line(&w, row->line, &err);
	if (!row->fails && r < 0)
		fail_msg("%s: %s", row->id, err.msg);
	if (row->fails) {
		if (r == 0)
			fail_msg("%s: no error", row->id);
		snprintf(both, sizeof(both), "%s (%s)", err.msg, err.hint);
		if (!strstr(both, row->fails))
			fail_msg("%s: wrong error: %s", row->id, both);
	}
	if (row->check) {
		snprintf(script, sizeof(script),
			 "mode() { stat -c %%a dst/$1; }; own() { stat -c %%u:%%g dst/$1; }\n"
			 "has() { test \"$(cat dst/$1)\" = \"$2\"; }; set -e\n%s",
			 row->check);
		if (!sh(&w, script))
			fail_msg("%s: not so: %s", row->id, row->check);
	}
	world_close(&w);
}

int main(void)
{
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	struct CMUnitTest tests[N];
	for (size_t i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){rows[i].id, one_row, NULL, NULL,
					       (void *)(uintptr_t)&rows[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
