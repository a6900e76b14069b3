/* SPDX-License-Identifier: MIT
 *
 * test_match.c — wildcards and ignore files by table, their text forms, and their cost.
 */
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/clock.h>
#include <cooper/context.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void check_ignore(const char *patterns, const char *path, const char *want)
{
	auto_buf text = CO_BUF_INIT(CO_BUF_SMALL);
	struct co_err err = CO_ERR_INIT;
	struct co_ignore *ig = NULL;
	for (const char *p = patterns; *p;) {
		const char *sep = strstr(p, ";;");
		size_t n = sep ? (size_t)(sep - p) : strlen(p);
		co_buf_add(&text, p, n);
		co_buf_addc(&text, '\n');
		p += n + (sep ? 2 : 0);
	}
	int r = co_ignore_parse(&ig, co_buf_str(&text), text.len, "test", &err);
	if (!strcmp(want, "BAD")) {
		if (r != CO_E_SYNTAX)
			fail_msg("%s: not refused", patterns);
		assert_non_null(strstr(err.msg, "test:1"));
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", patterns, err.msg);
	if (co_ignore_match(ig, path) != (*want == 'y'))
		fail_msg("patterns %s, path %s: not %s", patterns, path, want);
	co_ignore_free(ig);
}

static unsigned each_row(const char *file, unsigned columns, void (*check)(char **column))
{
	auto_file f = fopen(file, "r");
	char line[1024], *column[4];
	unsigned rows = 0;
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f)) {
		char *p = line;
		line[strcspn(line, "\n")] = 0;
		for (unsigned i = 0; i < columns; i++) {
			column[i] = p;
			p = i + 1 < columns ? strchr(p, '\t') : p;
			if (!p)
				fail_msg("%s: bad row: %s", file, line);
			if (i + 1 < columns)
				*p++ = 0;
		}
		check(column);
		rows++;
	}
	return rows;
}

static void ignore_row(char **c)
{
	check_ignore(c[0], c[1], c[2]);
}

static void glob_row(char **c)
{
	if (co_glob_match(c[0], c[1], *c[2] == 'y') != (*c[3] == 'y'))
		fail_msg("glob %s, path %s, deep %s: not %s", c[0], c[1], c[2], c[3]);
}

static void ignore_table(void **state)
{
	(void)state;
	assert_true(each_row("ignore.tsv", 3, ignore_row) >= 150);
}

static void glob_table(void **state)
{
	(void)state;
	assert_true(each_row("glob.tsv", 4, glob_row) >= 50);
}

static bool ignored(const char *text, size_t len, const char *path)
{
	struct co_err err = CO_ERR_INIT;
	struct co_ignore *ig = NULL;
	assert_int_equal(co_ignore_parse(&ig, text, len, ".dockerignore", &err), 0);
	bool yes = co_ignore_match(ig, path);
	co_ignore_free(ig);
	return yes;
}
#define IGNORED(text, path) ignored(text, sizeof(text) - 1, path)

static void text_forms(void **state)
{
	(void)state;
	assert_true(IGNORED("\xef\xbb\xbf"
			    "foo\n",
			    "foo"));
	assert_true(IGNORED("\xef\xbb\xbf"
			    "#x\nfoo",
			    "foo"));
	/* only the first line may have one */
	assert_false(IGNORED("bar\n\xef\xbb\xbf"
			     "foo\n",
			     "foo"));
	assert_true(IGNORED("foo\r\nbar\r\n", "foo"));
	assert_true(IGNORED("foo\r\nbar\r\n", "bar"));
	assert_true(IGNORED("\tfoo\t\n", "foo"));
	assert_true(IGNORED("\xc2\xa0"
			    "foo\xe2\x80\x83\n",
			    "foo"));
	assert_true(IGNORED("foo", "foo"));
	assert_false(IGNORED("", "foo"));
	assert_false(IGNORED("\n\n\n", "foo"));
	/* a NUL matches no name */
	assert_false(IGNORED("fo\0o\n", "fo"));
	assert_false(IGNORED("*\0\n", "fo"));
	/* bytes that are no UTF-8 stand for themselves */
	assert_true(IGNORED("a\xff\n", "a\xff"));
	assert_false(IGNORED("a\xff\n", "a\xfe"));
	assert_true(IGNORED("a?b\n", "a\xff"
				     "b"));
	assert_false(IGNORED("*\n", ""));
	assert_false(IGNORED("*\n", "."));
	/* a line break in a name hides it from no pattern */
	assert_true(IGNORED("**/k*\n", "a\nb/key"));
}

static void errors(void **state)
{
	(void)state;
	struct co_err err = CO_ERR_INIT;
	struct co_ignore *ig = (void *)&err;
	static const char text[] = "ok\n#c\n[x\n";
	assert_int_equal(co_ignore_parse(&ig, text, strlen(text), "my.ignore", &err), CO_E_SYNTAX);
	assert_ptr_equal(ig, &err);
	assert_int_equal(err.pos.line, 3);
	assert_string_equal(err.file, "my.ignore");
	assert_non_null(strstr(err.msg, "my.ignore:3"));
	assert_non_null(strstr(err.msg, "[x"));
	struct co_err long_err = CO_ERR_INIT;
	auto_free char *big = malloc(70000);
	memset(big, 'a', 70000);
	assert_int_equal(co_ignore_parse(&ig, big, 70000, "x", &long_err), CO_E_LIMIT);
}

static void negation(void **state)
{
	(void)state;
	struct co_err err = CO_ERR_INIT;
	struct co_ignore *a, *b;
	assert_int_equal(co_ignore_parse(&a, "x\n!y\n", 5, "a", &err), 0);
	assert_int_equal(co_ignore_parse(&b, "x\ny\n", 4, "b", &err), 0);
	assert_true(co_ignore_has_negation(a));
	assert_false(co_ignore_has_negation(b));
	co_ignore_free(a);
	co_ignore_free(b);
	co_ignore_free(NULL);
}

/* Patterns that make a backtracking matcher run for ages. */
static void linear_time(void **state)
{
	(void)state;
	auto_buf pattern = CO_BUF_INIT(CO_BUF_SMALL), deep = CO_BUF_INIT(CO_BUF_SMALL);
	char path[4000];
	for (int i = 0; i < 200; i++) {
		co_buf_adds(&pattern, "*a");
		co_buf_adds(&deep, "**/a*/");
	}
	co_buf_addc(&pattern, 'X');
	co_buf_addc(&deep, 'X');
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = 0;
	int64_t begin = co_mono_ns();
	assert_false(co_glob_match(co_buf_str(&pattern), path, false));
	for (size_t i = 1; i < sizeof(path) - 1; i += 2)
		path[i] = '/';
	assert_false(co_glob_match(co_buf_str(&deep), path, true));
	assert_true(co_mono_ns() - begin < 2000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ignore_table), cmocka_unit_test(glob_table),
		cmocka_unit_test(text_forms),	cmocka_unit_test(errors),
		cmocka_unit_test(negation),	cmocka_unit_test(linear_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
