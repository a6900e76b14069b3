/* SPDX-License-Identifier: MIT
 *
 * test_attack.c — contexts and roots that are made, or changed meanwhile, to lead the copy out
 * (CVE-2018-15664 and family). world_close checks that nothing outside changed.
 */
#include "world.h"
#include <cooper/clock.h>
#include <cooper/inroot.h>
#include <pthread.h>
#include <stdatomic.h>

static bool walk_only;

static void must(struct world *w, const char *line)
{
	struct co_err err = CO_ERR_INIT;
	if (run_line(w, line, &err) < 0)
		fail_msg("%s: %s", line, err.msg);
}

static void links_out_of_the_source(void **state)
{
	(void)state;
	static const char *const setups[] = {
		"ln -s ../outside src/l", "ln -s ../../../../../../../../tmp src/l",
		"ln -s /proc/self/cwd src/l",
		"mkdir src/d; ln -s ../../outside src/d/x; ln -s d/x src/l"};
	for (size_t i = 0; i < 4; i++) {
		struct world w;
		struct co_err err = CO_ERR_INIT;
		world_open(&w, setups[i]);
		assert_int_equal(run_line(&w, "l/sentinel /x", &err), CO_E_NOT_FOUND);
		struct co_err again = CO_ERR_INIT;
		assert_int_equal(run_line(&w, "l/* /x/", &again), 0);
		assert_true(sh(&w, "test ! -e dst/x"));
		world_close(&w);
	}
}

static void link_to_the_root(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, "ln -s / src/l; ln -s ../../.. src/m; echo x >src/x");
	must(&w, "l /a");
	must(&w, "m/x /b");
	assert_true(sh(&w, "test -e dst/a/x && test -e dst/b && test ! -e dst/a/etc"));
	world_close(&w);
}

static void links_out_of_the_destination(void **state)
{
	(void)state;
	static const char *const links[] = {"../outside", "/../../outside", "/outside",
					    "../../../../../../../../tmp/evil"};
	for (size_t i = 0; i < 4; i++) {
		struct world w;
		char setup[200];
		snprintf(setup, sizeof(setup),
			 "echo x >src/x; mkdir src/d; touch src/d/y; ln -s %s "
			 "dst/l",
			 links[i]);
		world_open(&w, setup);
		must(&w, "x /l/");
		must(&w, "d /l");
		must(&w, "x /l/new/deep");
		assert_true(sh(&w, "test -L dst/l && test ! -e /tmp/evil"));
		world_close(&w);
	}
}

static void magic_links(void **state)
{
	(void)state;
	struct world w;
	struct co_err err = CO_ERR_INIT;
	/* a root that shows the host's /proc, as a step's would */
	world_open(&w, "echo x >src/x; ln -s /proc/self/fd/0 dst/l; ln -s /proc/1/root dst/m");
	must(&w, "x /l");
	must(&w, "x /m/outside");
	assert_true(sh(&w, "test -f dst/proc/self/fd/0 && test -f dst/proc/1/root/outside"));
	assert_int_equal(run_line(&w, "/proc/self/environ /e", &err), CO_E_NOT_FOUND);
	world_close(&w);
}

static void deep_source(void **state)
{
	(void)state;
	struct world w;
	struct co_err err = CO_ERR_INIT;
	world_open(&w, "cd src; for i in $(seq 300); do mkdir d; cd d; done");
	assert_int_equal(run_line(&w, ". /x", &err), CO_E_LIMIT);
	world_close(&w);
}

static void unreadable(void **state)
{
	(void)state;
	struct world w;
	struct co_err err = CO_ERR_INIT;
	if (geteuid() == 0)
		skip();
	world_open(&w, "mkdir src/d; echo x >src/d/x; chmod 0 src/d/x");
	assert_true(run_line(&w, "d /e", &err) < 0);
	assert_non_null(strstr(err.msg, "d/x"));
	world_close(&w);
}

/* ---- swaps while the copy runs ---- */

#define RACE_NS 1500000000 /* long enough for a missing O_NOFOLLOW to show */

struct swapper {
	struct world *w;
	const char *a, *b; /* exchanged all the time */
	int dirfd;
	atomic_bool stop;
};

static void *swap_loop(void *ctx)
{
	struct swapper *s = ctx;
	while (!atomic_load(&s->stop))
		renameat2(s->dirfd, s->a, s->dirfd, s->b, 2 /* RENAME_EXCHANGE */);
	return NULL;
}

/* d is a directory and a link to the outside by turns. */
static void swapped_source(void **state)
{
	(void)state;
	struct world w;
	world_open(&w, "mkdir -p src/t/d; echo good >src/t/d/inner; ln -s ../../outside src/t/e");
	struct swapper s = {&w, "t/d", "t/e", w.src.fd, false};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, swap_loop, &s), 0);
	int64_t end = co_mono_ns() + RACE_NS;
	for (int i = 0; co_mono_ns() < end; i++) {
		static const char *const lines[] = {"t /x", "t/d/sentinel /y", "t /x", "t/* /z/"};
		struct co_err err = CO_ERR_INIT;
		(void)!run_line(&w, lines[i % 4], &err);
	}
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	assert_true(sh(&w, "! grep -rq safe dst"));
	world_close(&w);
}

static void swapped_destination(void **state)
{
	(void)state;
	struct world w;
	world_open(
		&w,
		"mkdir -p src/d/s dst/t/d; echo evil >src/d/s/f; echo evil >src/f; ln -s "
		"../../outside dst/t/e; mkdir outside/.s; rmdir outside/.s; touch -d @1 outside");
	struct swapper s = {&w, "t/d", "t/e", w.dst.fd, false};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, swap_loop, &s), 0);
	int64_t end = co_mono_ns() + RACE_NS;
	for (int i = 0; co_mono_ns() < end; i++) {
		static const char *const lines[] = {"d /t/d", "f /t/d/new/f", "--link d /t/d/x",
						    "d /t"};
		struct co_err err = CO_ERR_INIT;
		(void)!run_line(&w, lines[i % 4], &err);
	}
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	world_close(&w);
}

static int with_openat2(void **state)
{
	(void)state;
	co_inroot_force_walk(walk_only = false);
	return 0;
}

static int without_openat2(void **state)
{
	(void)state;
	co_inroot_force_walk(walk_only = true);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_out_of_the_source),
		cmocka_unit_test(link_to_the_root),
		cmocka_unit_test(links_out_of_the_destination),
		cmocka_unit_test(magic_links),
		cmocka_unit_test(deep_source),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(swapped_source),
		cmocka_unit_test(swapped_destination),
	};
	int r = cmocka_run_group_tests_name("openat2", tests, with_openat2, NULL);
	return r | cmocka_run_group_tests_name("walk", tests, without_openat2, NULL);
}
