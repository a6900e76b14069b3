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

/* As the snapshot does it: an overlay of the builder's own, whose upper directory is the layer. */
static char upper[64];

static void overlay(struct world *w, struct job *j)
{
	char data[400];
	(void)j;
	snprintf(data, sizeof(data), "lowerdir=%s,upperdir=%s/fs,workdir=%s/work,userxattr",
		 w->root, upper, upper);
	if (mount("overlay", w->root, "overlay", 0, data) < 0)
		_exit(97);
}

static void overlay_root_as(enum who who, struct outcome *o)
{
	struct world w, up = {.who = who};
	struct job j = {.script = "echo x >/tmp/new && rm -r /home && test -s /etc/hosts",
			.before = overlay};
	char cmd[400];
	world_open(&w, who);
	strcpy(upper, "/tmp/cooper-upper-XXXXXX");
	assert_non_null(mkdtemp(upper));
	snprintf(up.dir, sizeof(up.dir), "%s", upper);
	snprintf(cmd, sizeof(cmd),
		 "mkdir fs work && chmod 755 fs . && touch -d @1000000000 fs && "
		 "if [ $(id -u) = 0 ]; then chown -R %d:%d .; fi",
		 who == AS_ROOT ? 0 : TEST_UID, who == AS_ROOT ? 0 : TEST_UID);
	sh(&up, cmd);
	step(&w, &j, o);
	assert_int_equal(o->code, 0);
	assert_int_equal(o->res.status, 0);
	/* the change and nothing else; /etc was touched and is as before */
	sh(&up, "test \"$(cd fs && find . | sort | tr '\\n' ' ')\" = "
		"'. ./etc ./home ./tmp ./tmp/new ' && test -c fs/home && "
		"test $(stat -c %Y fs/etc) = 1000000000");
	sh(&up, "chmod -R u+rwx . && rm -rf fs work && rmdir $PWD");
	world_close(&w);
}

static void overlay_root(void **state)
{
	(void)state;
	struct outcome *o = outcome_new();
	for (int who = AS_ROOT; who <= AS_SINGLE; who <<= 1)
		if (can_be(who))
			overlay_root_as(who, o);
	munmap(o, sizeof(*o));
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupted), cmocka_unit_test(builder_killed),
		cmocka_unit_test(overlay_root), cmocka_unit_test(many_steps)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
