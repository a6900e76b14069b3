/* SPDX-License-Identifier: MIT
 *
 * test_expand.c — words, splitting and heredoc bodies; the rows are in expand.tsv.
 */
#include "cases.h"
#include <cooper/dockerfile.h>
#include <cooper/str.h>
#include <time.h>

#define FILE_NAME "expand.tsv"

struct env {
	const char *names[64], *values[64];
	size_t n;
	struct co_buf missed; /* names of undefined variables, with commas */
};

static const char *get(void *ctx, const char *name)
{
	const struct env *env = ctx;
	for (size_t i = env->n; i > 0; i--)
		if (!strcmp(env->names[i - 1], name))
			return env->values[i - 1];
	return NULL;
}

static void undefined(void *ctx, const char *name)
{
	struct env *env = ctx;
	co_buf_addf(&env->missed, "%s%s", env->missed.len ? "," : "", name);
}

static int run_row(const struct row *r, struct co_arena *a, const struct co_vars *vars,
		   struct co_buf *out, struct co_err *err)
{
	const char *word = r->fields[1];
	char *text = NULL, **words = NULL;
	size_t n = 0;
	char kind = r->fields[0][0];
	int e = kind == 's'   ? co_expand_words(&words, &n, a, word, '\\', vars, err)
		: kind == 'h' ? co_expand_heredoc(&text, a, word, vars, err)
			      : co_expand(&text, a, word, kind == 'b' ? '`' : '\\', vars, err);
	for (size_t i = 0; i < n; i++)
		co_buf_addf(out, "%s%s", i ? "¦" : "", words[i]);
	if (text)
		co_buf_adds(out, text);
	return e;
}

static void check_row(const struct row *r, struct env *env)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_err err = CO_ERR_INIT;
	struct co_vars vars = {.get = get, .undefined = undefined, .ctx = env};
	const char *expected = r->fields[2];

	int e = run_row(r, &a, &vars, &out, &err);
	if (expected[0] == '!') {
		if (e >= 0)
			fail_msg("%s:%u: \"%s\" where an error was expected", FILE_NAME, r->line,
				 co_buf_str(&out));
		if (!strstr(err.msg, expected + 1))
			fail_msg("%s:%u: the error is \"%s\"", FILE_NAME, r->line, err.msg);
		assert_int_equal(err.code, e);
		return;
	}
	if (e < 0)
		fail_msg("%s:%u: %s", FILE_NAME, r->line, err.msg);
	case_equal(FILE_NAME, r, co_buf_str(&out), expected);
	case_equal(FILE_NAME, r, co_buf_str(&env->missed), r->fields[3]);
}

static void test_rows(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	struct env env = {.missed = CO_BUF_INIT(CO_BUF_SMALL)};
	size_t n, checked = 0;
	struct row *rows = case_rows(&a, FILE_NAME, &n);
	(void)state;

	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		if (!strcmp(r->fields[0], "env")) {
			assert_true(env.n < 64);
			env.names[env.n] = r->fields[1];
			env.values[env.n++] = r->fields[2];
			continue;
		}
		co_buf_clear(&env.missed);
		check_row(r, &env);
		checked++;
	}
	co_buf_release(&env.missed);
	assert_true(checked >= 150);
}

/* Without a callback, and without variables at all, everything is unset. */
static void test_no_vars(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct co_vars empty = {0};
	char *text;
	(void)state;

	assert_int_equal(co_expand(&text, &a, "a${b}${c:-d}", '\\', NULL, &err), 0);
	assert_string_equal(text, "ad");
	assert_int_equal(co_expand(&text, &a, "$b${c%x}${d/x/y}", '\\', &empty, &err), 0);
	assert_string_equal(text, "");
}

/* On failure the result is untouched. */
static void test_untouched(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	char *text = "before", *one = "x", **words = &one;
	size_t n = 7;
	(void)state;

	assert_int_equal(co_expand(&text, &a, "'", '\\', NULL, &err), CO_E_SYNTAX);
	assert_string_equal(text, "before");
	co_err_clear(&err);
	assert_int_equal(co_expand_words(&words, &n, &a, "a b ${", '\\', NULL, &err), CO_E_SYNTAX);
	assert_ptr_equal(words, &one);
	assert_int_equal(n, 7);
}

static char *repeat(struct co_arena *a, const char *head, const char *body, size_t times,
		    const char *tail)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_buf_adds(&b, head);
	for (size_t i = 0; i < times; i++)
		co_buf_adds(&b, body);
	co_buf_adds(&b, tail);
	return co_arena_strdup(a, co_buf_str(&b));
}

static const char *get_long(void *ctx, const char *name)
{
	return *name == 'v' ? ctx : NULL;
}

static void expect_code(const char *word, const char *value, int code)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct co_vars vars = {.get = get_long, .ctx = (void *)value};
	struct timespec from, to;
	char *text;

	clock_gettime(CLOCK_MONOTONIC, &from);
	int r = co_expand(&text, &a, word, '\\', &vars, &err);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (r != code)
		fail_msg("%.60s: %d (%s), expected %d", word, r, err.msg, code);
	assert_true(to.tv_sec - from.tv_sec < 30);
}

/* What would be deep, long or slow ends with an error, and soon. */
static void test_limits(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	const char *as = repeat(&a, "", "a", 100000, ""), *stars = repeat(&a, "", "*a", 2000, "b");
	(void)state;

	expect_code(repeat(&a, "", "${x:-", 64, repeat(&a, "deep", "}", 64, "")), "", 0);
	expect_code(repeat(&a, "", "${x:-", 65, repeat(&a, "deep", "}", 65, "")), "", CO_E_SYNTAX);
	expect_code(repeat(&a, "", "${x:-", 200000, ""), "", CO_E_SYNTAX);
	expect_code(repeat(&a, "", "\"${x:-", 100000, ""), "", CO_E_SYNTAX);
	expect_code(repeat(&a, "", "$v", 10, ""), as, 0);
	expect_code(repeat(&a, "", "$v", 11, ""), as, CO_E_LIMIT);
	/* text that is thrown away is work as well */
	expect_code(repeat(&a, "", "${x+$v}", 100000, ""), as, CO_E_LIMIT);
	expect_code("${v##*a*a*a*a*a*a*a*a*a*a*a*a*b}", as, 0);
	expect_code(co_arena_printf(&a, "${v##%s}", stars), as, CO_E_LIMIT);
	expect_code(co_arena_printf(&a, "${v//%s/x}", stars), as + 99000, 0);
	expect_code("${v//a/0123456789a}", as, CO_E_LIMIT);
	expect_code("${v//a/0123456789}", as, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_vars),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
