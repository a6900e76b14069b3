/* SPDX-License-Identifier: MIT
 *
 * test_end.c — however the builder or a step ends, nothing of the step is left.
 */
#include "world.h"

static void interrupted(void **state)
{
	(void)state;
	struct outcome *o = outcome_new();
	struct world w;
	int status;
	world_open(&w, can_be(AS_ROOT) ? AS_ROOT : AS_SINGLE);
	struct job j = {.script = "trap '' INT TERM; echo ready; sleep 54322"};
	co_interrupt_install();
	pid_t pid = builder_start(&w, &j, o);
	for (int i = 0; i < 500 && !strstr(o->out, "ready"); i++)
		co_sleep_ms(10);
	int64_t t = co_mono_ns();
	kill(pid, SIGINT);
	waitpid(pid, &status, 0);
	assert_int_equal(o->code, CO_E_INTERRUPTED);
	assert_true(co_mono_ns() - t < 2000000000);
	assert_false(alive("54322"));
	world_close(&w);
	munmap(o, sizeof(*o));
}

static void killed(enum who who)
{
	struct outcome *o = outcome_new();
	struct world w;
	world_open(&w, who);
	struct job j = {.script = "echo ready; setsid sleep 54323 & sleep 54323"};
	pid_t pid = builder_start(&w, &j, o);
	for (int i = 0; i < 1000 && !alive("54323"); i++)
		co_sleep_ms(10);
	assert_true(alive("54323"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 200 && alive("54323"); i++)
		co_sleep_ms(10);
	assert_false(alive("54323"));
	world_close(&w);
	munmap(o, sizeof(*o));
}

static void builder_killed(void **state)
{
	(void)state;
	for (int who = AS_ROOT; who <= AS_SINGLE; who <<= 1)
		if (can_be(who))
			killed(who);
}

static void many_steps(void **state)
{
	(void)state;
	struct outcome *o = outcome_new();
	struct world w;
	world_open(&w, can_be(AS_ROOT) ? AS_ROOT : AS_SINGLE);
	struct job j = {.script = "true", .times = 100};
	int64_t t = co_mono_ns();
	step(&w, &j, o);
	assert_int_equal(o->code, 0);
	assert_int_equal(o->res.status, 0);
	assert_true(co_mono_ns() - t < 60000000000);
	assert_true(o->res.max_rss_kb > 0);
	world_close(&w);
	munmap(o, sizeof(*o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(interrupted),
					   cmocka_unit_test(builder_killed),
					   cmocka_unit_test(many_steps)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
