/* SPDX-License-Identifier: MIT
 *
 * How errors read: text, place, excerpt, caret, cure.
 */
#include "golden.h"
#include <stdio.h>

static const char source_text[] = "FROM debian\n"
				  "COPY --form=x a b\n"
				  "\tRUN\tmake \xc3\xa4 all\n"
				  "RUN a && \\\n"
				  "    b && \\\n"
				  "    c\n"
				  "RUN \033[31mred\n";
static const struct co_source source = {
	.name = "app/Dockerfile", .text = source_text, .len = sizeof(source_text) - 1};

struct row {
	const char *name, *msg, *hint;
	struct co_pos pos; /* line 0: none */
};
static const struct row rows[] = {
	{"plain", "cannot do it", "", {0, 0, 0}},
	{"cure", "cannot do it", "do this: try \"it\"", {0, 0, 0}},
	{"caret", "unknown flag --form", "did you mean --from?", {2, 6, 2}},
	{"tab", "column behind tabs and wide bytes", "", {3, 14, 3}},
	{"line", "the whole line", "", {3, 0, 3}},
	{"lines", "all lines of an instruction", "", {4, 1, 6}},
	{"hostile", "registry said: \033[2J\033]0;t\007 \xe2\x80\xae", "\033[31mdo", {7, 5, 7}},
	{"empty", "", "", {0, 0, 0}},
};

static void print(const struct row *row, bool color, char **out, size_t *len)
{
	struct co_err err = CO_ERR_INIT;
	FILE *f = open_memstream(out, len);
	co_fail(&err, CO_E_SYNTAX, "%s", row->msg);
	if (row->hint[0])
		co_hint(&err, "%s", row->hint);
	if (row->pos.line)
		co_locate(&err, &source, row->pos);
	error_print(f, &err, color);
	fclose(f);
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text, path[128];
		size_t len;
		print(&rows[i], false, &text, &len);
		snprintf(path, sizeof(path), "errors/%s.txt", rows[i].name);
		golden(path, text);
		for (size_t k = 0; k < len; k++)
			assert_true((unsigned char)text[k] >= ' ' || text[k] == '\n' ||
				    text[k] == '\t');
		free(text);
	}
}

static void test_color(void **state)
{
	(void)state;
	char *text;
	size_t len;
	print(&rows[2], true, &text, &len);
	golden("errors/color.txt", text);
	free(text);
}

static void test_color_wanted(void **state)
{
	(void)state;
	FILE *f = tmpfile();
	assert_false(color_wanted(f));
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
					   cmocka_unit_test(test_color),
					   cmocka_unit_test(test_color_wanted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
