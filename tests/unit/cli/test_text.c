/* SPDX-License-Identifier: MIT
 *
 * Lines, tails, widths, tables, CSV: the small parts of the renderers and commands.
 */
#include "golden.h"
#include <stdio.h>

static void collect(void *ctx, const char *line, size_t len)
{
	co_buf_addc(ctx, '[');
	co_buf_add(ctx, line, len);
	co_buf_addc(ctx, ']');
}

static void test_lines(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"a\nb\n", "[a][b]"},
		{"a\n\nb", "[a][][b]"},
		{"", ""},
		{"10%\r50%\r100%\n", "[100%]"},
		{"10%\r50%\r", "[50%]"},
		{"a\r\nb\r\n", "[a][b]"},
		{"\r\r\n", "[]"},
		{"\033[1;31mred\033[0m \033[Kx\n", "[red x]"},
		{"\033[", "[\033[]"},
		{"\033[12", "[\033[12]"},
		{"\033]0;t\a\n", "[\033]0;t\a]"},
		{"a\033[2\nJ\n", "[a\033[2][J]"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step <= 3; step++) { /* however it is cut */
			struct line_cutter l = LINE_CUTTER_INIT;
			auto_buf got = CO_BUF_INIT(CO_BUF_SMALL);
			size_t len = strlen(rows[i][0]);
			for (size_t at = 0; at < len; at += step)
				line_feed(&l, rows[i][0] + at, len - at < step ? len - at : step,
					  collect, &got);
			line_flush(&l, collect, &got);
			assert_string_equal(co_buf_str(&got), rows[i][1]);
			co_buf_release(&l.part);
		}
}

static void count(void *ctx, const char *line, size_t len)
{
	size_t *sums = ctx;
	(void)line;
	sums[0]++;
	sums[1] += len;
	assert_true(len <= LINE_MAX_BYTES);
}

static void test_endless_line(void **state)
{
	(void)state;
	struct line_cutter l = LINE_CUTTER_INIT;
	size_t sums[2] = {0, 0};
	char block[5000];
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 1000; i++)
		line_feed(&l, block, sizeof(block), count, sums);
	line_flush(&l, count, sums);
	assert_int_equal(sums[1], 1000 * sizeof(block)); /* nothing is lost */
	assert_int_equal(sums[0], (1000 * sizeof(block) + LINE_MAX_BYTES - 1) / LINE_MAX_BYTES);
	co_buf_release(&l.part);
}

static void test_tail(void **state)
{
	(void)state;
	struct tail t = TAIL_INIT;
	char line[32];
	for (int i = 0; i < 100000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		tail_add(&t, line, strlen(line));
	}
	assert_true(t.cut);
	assert_true(t.text.len >= TAIL_KEEP && t.text.len <= 2 * TAIL_KEEP);
	assert_false(t.text.overflow);
	assert_true(co_starts(co_buf_str(&t.text), "line "));
	assert_true(co_ends(co_buf_str(&t.text), "line 99999\n"));
	char *big = co_xcalloc(3, TAIL_KEEP);
	memset(big, 'y', 3 * TAIL_KEEP);
	tail_add(&t, big, 3 * TAIL_KEEP);
	assert_true(t.text.len >= TAIL_KEEP && t.text.len <= 2 * TAIL_KEEP);
	free(big);
	co_buf_release(&t.text);
}

static void test_width(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t width, fit5;
	} rows[] = {{"", 0, 0},
		    {"abcdef", 6, 5},
		    {"\xc3\xa4\xc3\xb6\xc3\xbc", 3, 6},
		    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, 6}, /* wide: two fit into five */
		    {"e\xcc\x81x", 2, 4},			    /* combining */
		    {"\xf0\x9f\x98\x80", 2, 4}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(text_width(rows[i].text, strlen(rows[i].text)), rows[i].width);
		assert_int_equal(text_fit(rows[i].text, strlen(rows[i].text), 5), rows[i].fit5);
	}
}

static void test_times(void **state)
{
	(void)state;
	char b[32];
	assert_string_equal(short_time(0, b, sizeof(b)), "0.0s");
	assert_string_equal(short_time(-5, b, sizeof(b)), "0.0s");
	assert_string_equal(short_time(59900000000, b, sizeof(b)), "59.9s");
	assert_string_equal(short_time(60000000000, b, sizeof(b)), "1m00.0s");
	assert_string_equal(short_time(3725500000000, b, sizeof(b)), "62m05.5s");
}

static void test_table(void **state)
{
	(void)state;
	static const char *const cells[] = {"NAME", "SIZE",	   "\xc3\xa4\xc3\xb6",
					    "1",    "longer name", ""};
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	print_table(f, cells, 2, 3);
	fclose(f);
	assert_string_equal(text, "NAME          SIZE\n"
				  "\xc3\xa4\xc3\xb6            1\n"
				  "longer name   \n");
	free(text);
}

static void test_csv(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"a=b", "a=b;"},
		{"a=b,c", "a=b;c;"},
		{"a=,=b,", "a=;=b;;"},
		{"\"a=x,y\",b=\"z\"", "a=x,y;b=\"z\";"},
		{"\"a=\"\"q\"\"\"", "a=\"q\";"},
		{"a=b=c", "a=b=c;"},
		{"\"a", NULL},
		{"\"a\"b", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_arena a = CO_ARENA_INIT;
		struct co_err err = CO_ERR_INIT;
		struct cmd_ctx c = {.arena = &a, .err = &err};
		struct co_kv *kvs;
		size_t n;
		auto_buf got = CO_BUF_INIT(CO_BUF_SMALL);
		int r = cli_csv(&c, rows[i][0], "--x", &kvs, &n);
		assert_int_equal(r, rows[i][1] ? 0 : CO_E_USAGE);
		for (size_t k = 0; r == 0 && k < n; k++)
			co_buf_addf(&got, "%s%s%s;", kvs[k].key, kvs[k].value ? "=" : "",
				    kvs[k].value ? kvs[k].value : "");
		if (rows[i][1])
			assert_string_equal(co_buf_str(&got), rows[i][1]);
	}
}

/* Transfers over the table's size are still shown, and rates start where a resumed one started. */
static void test_transfers(void **state)
{
	(void)state;
	struct transfers t = {0};
	for (int i = 0; i < MAX_TRANSFERS + 3; i++) {
		char name[16];
		snprintf(name, sizeof(name), "t%d", i);
		struct co_event ev = {.name = name, .dir = CO_DIR_PULL, .done = 500, .t_ns = 1};
		assert_true((transfer_update(&t, &ev) != NULL) == (i < MAX_TRANSFERS));
	}
	struct co_event ev = {.name = "t0", .dir = CO_DIR_PULL, .done = 1500, .t_ns = 1000000001};
	struct transfer *x = transfer_update(&t, &ev);
	assert_int_equal(transfer_rate(x, ev.t_ns), 1000);
	transfer_end(x);
	ev.name = "new";
	assert_ptr_equal(transfer_update(&t, &ev), x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_tail),  cmocka_unit_test(test_width),
		cmocka_unit_test(test_times), cmocka_unit_test(test_table),
		cmocka_unit_test(test_csv),   cmocka_unit_test(test_transfers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
