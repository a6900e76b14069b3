/* SPDX-License-Identifier: MIT
 *
 * test_str.c — the text helpers, by tables.
 */
#include <cooper/arena.h>
#include <cooper/buf.h>
#include <cooper/clock.h>
#include <cooper/str.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} rows[] = {{"0", true, 0},
		    {"18446744073709551615", true, UINT64_MAX},
		    {"18446744073709551616", false, 0},
		    {"", false, 0},
		    {"-1", false, 0},
		    {"+1", false, 0},
		    {" 1", false, 0},
		    {"1 ", false, 0},
		    {"0x1", false, 0}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 0;
		if (co_parse_u64(rows[i].text, &v) != rows[i].ok || v != rows[i].value)
			fail_msg("\"%s\"", rows[i].text);
	}
	uint32_t o = 0;
	assert_true(co_parse_octal("0755", &o));
	assert_int_equal(o, 0755);
	assert_false(co_parse_octal("0788", &o));
}

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} rows[] = {{"512", true, 512},	      {"64m", true, 64u << 20},
		    {"64M", true, 64u << 20}, {"1.5g", true, 3ull << 29},
		    {"2k", true, 2048},	      {"", false, 0},
		    {"m", false, 0},	      {"-1", false, 0},
		    {"1x", false, 0},	      {"99999999999999999999g", false, 0}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 0;
		bool ok = co_parse_size(rows[i].text, &v);
		if (ok != rows[i].ok || (ok && v != rows[i].value))
			fail_msg("\"%s\" gives %llu", rows[i].text, (unsigned long long)v);
	}
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		int64_t ns;
	} rows[] = {{"0", true, 0},
		    {"1s", true, 1000000000},
		    {"250ms", true, 250000000},
		    {"1h30m", true, 5400000000000},
		    {"1.5s", true, 1500000000},
		    {"10", false, 0},
		    {"s", false, 0},
		    {"", false, 0},
		    {"1d", false, 0}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ns = 0;
		bool ok = co_parse_duration(rows[i].text, &ns);
		if (ok != rows[i].ok || (ok && ns != rows[i].ns))
			fail_msg("\"%s\" gives %lld", rows[i].text, (long long)ns);
	}
}

static void test_nearest(void **state)
{
	(void)state;
	static const char *const words[] = {"FROM", "RUN", "COPY", "ENTRYPOINT", NULL};
	assert_string_equal(co_nearest("FORM", words), "FROM");
	assert_string_equal(co_nearest("ENTRYPONT", words), "ENTRYPOINT");
	assert_null(co_nearest("XYZZY", words));
	assert_null(co_nearest("", words));
	assert_int_equal(co_distance("kitten", "sitting"), 3);
}

static void test_paths(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"a/b", "a/b"},	      {"/a//b/", "a/b"},  {"a/./b", "a/b"}, {"a/../b", "b"},
		{"../../etc", "etc"}, {"/", ""},	  {"", ""},	    {".", ""},
		{"a/b/../../..", ""}, {"a/..b", "a/..b"}, {"...", "..."}};
	auto_arena a = CO_ARENA_INIT;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(co_path_clean_rel(&a, rows[i][0]), rows[i][1]);
	assert_string_equal(co_path_base("a/b"), "b");
	assert_string_equal(co_path_base("a/"), "");
	assert_string_equal(co_path_base("a"), "a");
}

static void test_sanitize(void **state)
{
	(void)state;
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	const char *evil = "a\033[2Jb\r\x07"
			   "c\n";
	co_sanitize(&b, evil, strlen(evil), true);
	assert_null(strchr(co_buf_str(&b), '\033'));
	assert_null(strchr(co_buf_str(&b), '\x07'));
	assert_non_null(strchr(co_buf_str(&b), '\n'));
	co_buf_clear(&b);
	co_sanitize(&b, "a\nb", 3, false);
	assert_null(strchr(co_buf_str(&b), '\n'));
	/* C1 controls reach some terminals as ESC [ */
	co_buf_clear(&b);
	co_sanitize(&b,
		    "\xc2\x9b"
		    "2J",
		    4, true);
	assert_null(strstr(co_buf_str(&b), "\xc2\x9b"));
}

static void test_base64(void **state)
{
	(void)state;
	for (size_t n = 0; n < 70; n++) {
		unsigned char data[70] = {0};
		for (size_t i = 0; i < n; i++)
			data[i] = (unsigned char)(i * 37 + n);
		auto_buf text = CO_BUF_INIT(CO_BUF_SMALL), back = CO_BUF_INIT(CO_BUF_SMALL);
		co_base64_encode(&text, data, n);
		assert_true(co_base64_decode(&back, co_buf_str(&text), text.len));
		assert_int_equal(back.len, n);
		if (n)
			assert_memory_equal(back.data, data, n);
	}
	auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
	assert_false(co_base64_decode(&out, "a*b=", 4));
}

static void test_utf8(void **state)
{
	(void)state;
	assert_true(co_utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
	assert_false(co_utf8_valid("\xc0\xaf", 2));	    /* overlong */
	assert_false(co_utf8_valid("\xed\xa0\x80", 3));	    /* surrogate */
	assert_false(co_utf8_valid("\xf5\x80\x80\x80", 4)); /* beyond U+10FFFF */
	assert_false(co_utf8_valid("\xc3", 1));
}

static void test_times(void **state)
{
	(void)state;
	char buf[40];
	int64_t t = 0;
	assert_string_equal(co_rfc3339(0, buf, sizeof(buf)), "1970-01-01T00:00:00Z");
	assert_string_equal(co_rfc3339(1709210096, buf, sizeof(buf)), "2024-02-29T12:34:56Z");
	assert_true(co_parse_rfc3339("2024-02-29T12:34:56Z", &t));
	assert_int_equal(t, 1709210096);
	assert_true(co_parse_rfc3339("2024-02-29T13:34:56.789+01:00", &t));
	assert_int_equal(t, 1709210096);
	assert_false(co_parse_rfc3339("yesterday", &t));
	assert_true(co_parse_http_date("Thu, 29 Feb 2024 12:34:56 GMT", &t));
	assert_int_equal(t, 1709210096);
	assert_false(co_parse_http_date("", &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations), cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_paths),	  cmocka_unit_test(test_sanitize),
		cmocka_unit_test(test_base64),	  cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
