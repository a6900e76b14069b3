/* SPDX-License-Identifier: MIT
 *
 * test_lookup.c — names in a growing array: short and long, found late, copied with their index.
 */
#include <cooper/lookup.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define MANY 20000

static const char *key(const void *items, size_t i, size_t *len)
{
	const char *text = ((const char *const *)items)[i];
	*len = strcspn(text, "=");
	return text;
}

static size_t find(struct co_lookup *x, struct co_arena *a, const char **items, size_t n,
		   const char *name)
{
	return co_lookup_find(x, a, items, n, key, name, strlen(name));
}

static void test_grows(void **state)
{
	(void)state;
	struct co_arena a = CO_ARENA_INIT;
	struct co_lookup x = {0};
	const char **items = NULL;
	size_t n = 0;
	for (unsigned i = 0; i < MANY; i++) {
		const char *name = co_arena_printf(&a, "k%u", i);
		assert_int_equal(find(&x, &a, items, n, name), n); /* not yet */
		*co_arena_push(&a, items, n) = co_arena_printf(&a, "%s=%u", name, i);
		if (i % 997 == 0)
			assert_int_equal(find(&x, &a, items, n, name), i);
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(find(&x, &a, items, n, co_arena_printf(&a, "k%u", i)), i);
	assert_int_equal(find(&x, &a, items, n, "k"), n);
	assert_int_equal(find(&x, &a, items, n, "k1="), n);
	assert_int_equal(find(&x, &a, items, n, ""), n);
	co_arena_release(&a);
}

static void test_first_counts(void **state)
{
	(void)state;
	struct co_arena a = CO_ARENA_INIT;
	const char *items[100];
	for (unsigned i = 0; i < 100; i++)
		items[i] = i % 2 ? "odd=x" : co_arena_printf(&a, "e%u=x", i);
	for (size_t n = 2; n <= 100; n += 7) {
		struct co_lookup x = {0};
		assert_int_equal(find(&x, &a, items, n, "odd"), 1);
	}
	co_arena_release(&a);
}

static void test_behind(void **state)
{
	(void)state;
	struct co_arena a = CO_ARENA_INIT;
	struct co_lookup x = {0};
	const char *items[200];
	for (unsigned i = 0; i < 200; i++)
		items[i] = co_arena_printf(&a, "k%u=x", i);
	assert_int_equal(find(&x, &a, items, 100, "k99"), 99);
	/* entries that are not in the index yet */
	assert_int_equal(co_lookup_peek(&x, items, 200, key, "k150", 4), 150);
	/* a copy of the array that is shorter than the index says */
	assert_int_equal(co_lookup_peek(&x, items, 50, key, "k60", 3), 50);
	assert_int_equal(co_lookup_peek(&x, items, 50, key, "k40", 3), 40);
	assert_int_equal(find(&x, &a, items, 50, "k60"), 50);
	struct co_lookup none = {0};
	assert_int_equal(co_lookup_peek(&none, items, 200, key, "k199", 4), 199);
	assert_int_equal(co_lookup_peek(&none, NULL, 0, key, "k", 1), 0);
	co_arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_grows),
					   cmocka_unit_test(test_first_counts),
					   cmocka_unit_test(test_behind)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
