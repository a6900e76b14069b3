/* SPDX-License-Identifier: MIT
 *
 * test_values.c — errors, buffers, digests and JSON.
 */
#include <cooper/arena.h>
#include <cooper/digest.h>
#include <cooper/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_error_story(void **state)
{
	(void)state;
	struct co_err err = CO_ERR_INIT;
	errno = ENOSPC;
	assert_int_equal(co_fail_sys(&err, "write blob"), CO_E_NO_SPACE);
	co_wrap(&err, "push layer %d", 3);
	assert_int_equal(strncmp(err.msg, "push layer 3: write blob", 24), 0);
	co_hint(&err, "make room");
	assert_string_equal(err.hint, "make room");
	assert_int_equal(co_err_exit(&err), 13);
	/* a long context is cut, the root cause stays */
	for (int i = 0; i < 200; i++)
		co_wrap(&err, "a rather long piece of context number %d", i);
	assert_non_null(strstr(err.msg, "write blob"));
	assert_true(strlen(err.msg) < sizeof(err.msg));
}

static void test_error_place(void **state)
{
	(void)state;
	const char *text = "FROM a\nRUN b \\\n  c\nCMD d\n";
	struct co_source src = {"Dockerfile", text, strlen(text)};
	struct co_err err = CO_ERR_INIT;
	co_fail(&err, CO_E_SYNTAX, "no");
	co_locate(&err, &src, (struct co_pos){2, 5, 3});
	assert_string_equal(err.file, "Dockerfile");
	assert_int_equal(strncmp(err.excerpt, "RUN b \\\n  c", 11), 0);
	co_locate(&err, &src, (struct co_pos){1, 1, 1});
	assert_int_equal(err.pos.line, 2);
}

static void test_buf_maximum(void **state)
{
	(void)state;
	auto_buf b = CO_BUF_INIT(8);
	co_buf_adds(&b, "12345678");
	assert_false(b.overflow);
	co_buf_addc(&b, '9');
	assert_true(b.overflow);
	assert_string_equal(co_buf_str(&b), "12345678");
}

static void test_digest(void **state)
{
	(void)state;
	struct co_err err = CO_ERR_INIT;
	struct co_digest d, e;
	char text[CO_DIGEST_TEXT];
	co_digest_of(&d, "abc", 3);
	assert_string_equal(co_digest_str(&d, text), "sha256:ba7816bf8f01cfea414140de5dae2223b00361"
						     "a396177a9cb410ff61f20015ad");
	assert_int_equal(co_digest_parse(&e, text, &err), 0);
	assert_true(co_digest_eq(&d, &e));
	static const char *const bad[] = {
		"",
		"sha256:",
		"sha256:abc",
		"md5:d41d8cd98f00b204e9800998ecf8427e",
		"sha256:../../../../etc/passwd",
		"SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb4"
		"10ff61f20015ad",
		"sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb4"
		"10ff61f20015ad",
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb4"
		"10ff61f20015ad0"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct co_err why = CO_ERR_INIT;
		if (co_digest_parse(&e, bad[i], &why) == 0)
			fail_msg("accepted %s", bad[i]);
	}
}

/* Fields are framed: the same bytes cut differently are different keys. */
static void test_field_framing(void **state)
{
	(void)state;
	struct co_digest a, b;
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, "ab", 2);
	co_hash_field(h, 1, "c", 1);
	co_hash_done(h, &a);
	h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, "a", 1);
	co_hash_field(h, 1, "bc", 2);
	co_hash_done(h, &b);
	assert_false(co_digest_eq(&a, &b));
}

static int parse(const char *text)
{
	auto_json j = NULL;
	struct co_err err = CO_ERR_INIT;
	return co_json_parse(&j, text, strlen(text), "test", &err);
}

static void test_json(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"a\": [1, 2, {}]}"), 0);
	assert_true(parse("{\"a\":1,\"a\":2}") < 0);
	assert_true(parse("{\"layers\":1,\"Layers\":2}") < 0);
	assert_true(parse("{\"a\":1} x") < 0);
	assert_true(parse("") < 0);
	char deep[6001];
	memset(deep, '[', 3000);
	memset(deep + 3000, ']', 3000);
	deep[6000] = '\0';
	assert_true(parse(deep) < 0);
	auto_json j = json_object();
	json_object_set_new(j, "z", json_string("<a&b>"));
	json_object_set_new(j, "a", json_integer(1));
	auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
	co_json_write(&out, j);
	assert_string_equal(co_buf_str(&out), "{\"z\":\"\\u003ca\\u0026b\\u003e\",\"a\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_story),   cmocka_unit_test(test_error_place),
		cmocka_unit_test(test_buf_maximum),   cmocka_unit_test(test_digest),
		cmocka_unit_test(test_field_framing), cmocka_unit_test(test_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
