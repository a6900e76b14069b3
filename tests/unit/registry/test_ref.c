/* SPDX-License-Identifier: MIT
 *
 * test_ref.c — the table refs.txt, and the two ways to write a reference.
 */
#include <cooper/auto.h>
#include <cooper/registry.h>
#include <cooper/str.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static char *trim(char *s)
{
	while (*s == ' ')
		s++;
	for (size_t n = strlen(s); n && (s[n - 1] == ' ' || s[n - 1] == '\n'); n--)
		s[n - 1] = '\0';
	return s;
}

static void check_line(char *line)
{
	char *f[5] = {0};
	struct co_ref r;
	struct co_err err = CO_ERR_INIT;
	char digest[CO_DIGEST_TEXT] = "-", again[1200];
	size_t n = 0;

	for (char *p = line; p && n < 5; n++) {
		f[n] = strsep(&p, "|");
		f[n] = n ? trim(f[n]) : f[n];
	}
	size_t len = strlen(f[0]);
	if (len && f[0][len - 1] == ' ')
		f[0][len - 1] = '\0';
	int e = co_ref_parse(&r, f[0], &err);
	if (f[1][0] == '!') {
		if (e != CO_E_USAGE || !strstr(err.msg, f[1] + 2))
			fail_msg("%s: %d %s", f[0], e, err.msg);
		return;
	}
	if (e < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(r.host, f[1]);
	assert_string_equal(r.path, f[2]);
	assert_string_equal(r.tag, f[3]);
	assert_string_equal(r.digest.set ? co_digest_str(&r.digest, digest) : digest, f[4]);
	/* what is written is read as the same */
	struct co_ref r2 = {0};
	assert_int_equal(co_ref_parse(&r2, co_ref_str(&r, again, sizeof(again)), &err), 0);
	assert_memory_equal(&r, &r2, sizeof(r));
	assert_int_equal(co_ref_parse(&r2, co_ref_familiar(&r, again, sizeof(again)), &err), 0);
	assert_memory_equal(&r, &r2, sizeof(r));
}

static void test_table(void **state)
{
	auto_file f = fopen("refs.txt", "re");
	char line[1024];
	int n = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#')
			continue;
		check_line(line);
		n++;
	}
	assert_true(n >= 100);
}

static void test_forms(void **state)
{
	struct co_ref r;
	struct co_err err = CO_ERR_INIT;
	char buf[1200];

	(void)state;
	assert_int_equal(co_ref_parse(&r, "debian", &err), 0);
	assert_string_equal(co_ref_str(&r, buf, sizeof(buf)), "docker.io/library/debian:latest");
	assert_string_equal(co_ref_familiar(&r, buf, sizeof(buf)), "debian:latest");
	assert_int_equal(co_ref_parse(&r, "u/i:t", &err), 0);
	assert_string_equal(co_ref_familiar(&r, buf, sizeof(buf)), "u/i:t");
	assert_int_equal(co_ref_parse(&r, "ghcr.io/library/i:t", &err), 0);
	assert_string_equal(co_ref_familiar(&r, buf, sizeof(buf)), "ghcr.io/library/i:t");
}

static void test_message_is_safe(void **state)
{
	struct co_ref r;
	struct co_err err = CO_ERR_INIT;

	(void)state;
	assert_int_equal(co_ref_parse(&r, "x\033[31m\n::set-env", &err), CO_E_USAGE);
	assert_null(strchr(err.msg, '\033'));
	assert_null(strchr(err.msg, '\n'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_message_is_safe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
