/* SPDX-License-Identifier: MIT
 *
 * test_run.c — steps as root, as a user with a range of ids and as one without: what they see, how
 * they end, what is left of them.
 */
#include "rows.h"

static void all_rows(enum who who)
{
	if (!can_be(who))
		skip();
	struct outcome *o = outcome_new();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].who & who)
			run_row(&rows[i], who, NULL, 0, o);
	munmap(o, sizeof(*o));
}

static void as_root(void **state)
{
	(void)state;
	all_rows(AS_ROOT);
}

static void as_range(void **state)
{
	(void)state;
	all_rows(AS_RANGE);
}

static void as_single(void **state)
{
	(void)state;
	all_rows(AS_SINGLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_root), cmocka_unit_test(as_range),
					   cmocka_unit_test(as_single)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
