/* SPDX-License-Identifier: MIT
 *
 * test_missing.c — what the user is told of a source that is not there; the table of inodes; links
 * in the way of a source.
 */
#include "../../../builder/context/context-internal.h"
#include "world.h"

static void test_hints(void **state)
{
	(void)state;
	static const struct {
		const char *setup, *pattern, *hint; /* hint NULL: none */
	} rows[] = {
		{"echo x >src/config.json", "confg.json", "did you mean config.json?"},
		{"mkdir -p src/app/main; echo x >src/app/main/f", "ap/main/f",
		 "did you mean app/main/f?"},
		{"mkdir -p src/a; echo x >src/a/server.c", "a/serve.c", "did you mean a/server.c?"},
		{"echo x >src/zzzzzz", "config.json", NULL},
		{"ln -s gone src/l", "l", "it is a link to gone, which is not there"},
		{":", "../outside/sentinel", "nothing outside of the build context"},
		{":", "a/../../b", "nothing outside of the build context"},
		{"mkdir src/zzzz", "zzzz/../b", NULL},
		/* what is excluded is not proposed */
		{"echo x >src/secret.key; echo secret.key >src/.dockerignore", "secret.kez", NULL}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		struct co_err err = CO_ERR_INIT;
		world_open(&w, rows[i].setup);
		struct co_copy_source s = {
			.root = &w.src, .ignore = w.ignore, .pattern = rows[i].pattern, .fd = -1};
		assert_int_equal(source_missing(&s, rows[i].pattern, &err), CO_E_NOT_FOUND);
		assert_non_null(strstr(err.msg, rows[i].pattern));
		assert_non_null(strstr(err.msg, "build context"));
		if (rows[i].hint ? !strstr(err.hint, rows[i].hint) : err.hint[0])
			fail_msg("%s: \"%s\"", rows[i].pattern, err.hint);
		world_close(&w);
	}
}

static void test_words(void **state)
{
	(void)state;
	struct world w;
	struct co_err err = CO_ERR_INIT;
	world_open(&w, ":");
	struct co_copy_source s = {.root = &w.src, .pattern = "x", .fd = -1, .keep_owner = true};
	assert_int_equal(source_missing(&s, "x", &err), CO_E_NOT_FOUND);
	assert_non_null(strstr(err.msg, "source stage or image"));
	co_err_clear(&err);
	assert_int_equal(source_ignored(&s, "x", &err), CO_E_NOT_FOUND);
	assert_non_null(strstr(err.hint, "!x"));
	world_close(&w);
}

static void test_seen(void **state)
{
	(void)state;
	struct seen_map m = {0};
	char path[32];
	for (uint64_t i = 0; i < 5000; i++) {
		struct seen *s = seen_find(&m, i % 3, i);
		assert_null(s->path);
		snprintf(path, sizeof(path), "p%llu", (unsigned long long)i);
		seen_fill(&m, s, path);
	}
	for (uint64_t i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "p%llu", (unsigned long long)i);
		assert_string_equal(seen_find(&m, i % 3, i)->path, path);
		assert_null(seen_find(&m, i % 3 + 3, i)->path); /* another device */
	}
	assert_int_equal(m.n, 5000);
	seen_release(&m);
	assert_int_equal(m.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hints),
					   cmocka_unit_test(test_words),
					   cmocka_unit_test(test_seen)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
