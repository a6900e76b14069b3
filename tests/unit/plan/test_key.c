/* SPDX-License-Identifier: MIT
 *
 * What changes a key and what does not.
 */
#include <cooper/plan.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct co_arena arena;
static struct co_platform amd64 = {.os = "linux", .arch = "amd64"};

static struct co_digest state_of(const char *const *env, const char *user, const char *workdir)
{
	struct co_config c;
	struct co_digest d;
	co_config_init(&c, &amd64);
	c.env = (struct co_strs){0};
	for (size_t i = 0; env && env[i]; i++)
		co_strs_add(&c.env, &arena, env[i]);
	c.user = user;
	c.workdir = workdir;
	co_key_state(&d, &c);
	return d;
}

static bool same(struct co_digest a, struct co_digest b)
{
	return co_digest_eq(&a, &b);
}

static void test_state(void **state)
{
	(void)state;
	const char *ab[] = {"A=1", "B=2", NULL}, *ba[] = {"B=2", "A=1", NULL};
	const char *joined[] = {"A=1B=2", NULL}, *other[] = {"A=1", "B=3", NULL};
	const char *twice[] = {"A=0", "B=2", "A=1", NULL}, *back[] = {"A=1", "B=2", "A=0", NULL};
	const char *longer[] = {"A=1", "B=2", "AA=3", NULL};
	assert_true(same(state_of(ab, "", "/"), state_of(ba, "", "/")));
	assert_false(same(state_of(ab, "", "/"), state_of(joined, "", "/")));
	assert_false(same(state_of(ab, "", "/"), state_of(other, "", "/")));
	assert_false(same(state_of(ab, "", "/"), state_of(longer, "", "/")));
	/* the last value of a name is in force */
	assert_true(same(state_of(ab, "", "/"), state_of(twice, "", "/")));
	assert_false(same(state_of(ab, "", "/"), state_of(back, "", "/")));
	/* no value slips from one field into its neighbour */
	assert_false(same(state_of(NULL, "u", "/"), state_of(NULL, "/", "u")));
	assert_false(same(state_of(NULL, "", "/"), state_of(NULL, NULL, "/")));
	assert_false(same(state_of(NULL, "1", "/"), state_of(NULL, "1", "/x")));
}

static void test_platform_and_layers(void **state)
{
	(void)state;
	struct co_platform arm = {.os = "linux", .arch = "arm64"};
	struct co_config a, b;
	struct co_digest x, y, layers[2];
	co_config_init(&a, &amd64);
	co_config_init(&b, &arm);
	co_key_state(&x, &a);
	co_key_state(&y, &b);
	assert_false(same(x, y));
	co_digest_of(&layers[0], "0", 1);
	co_digest_of(&layers[1], "1", 1);
	struct co_digest swapped[] = {layers[1], layers[0]};
	co_config_init(&b, &amd64);
	a.diff_ids = layers;
	b.diff_ids = swapped;
	a.n_diff_ids = b.n_diff_ids = 2;
	co_key_tree(&x, &a);
	co_key_tree(&y, &b);
	assert_false(same(x, y));
	b.diff_ids = layers;
	/* what a step can not see does not count: labels, ports, the command */
	co_config_set_label(&b, &arena, "k", "v");
	co_strs_add(&b.ports, &arena, "80/tcp");
	b.has_cmd = true;
	co_key_state(&x, &a);
	co_key_state(&y, &b);
	assert_true(same(x, y));
}

static struct co_digest key_of(const struct co_step *s, const struct co_key_inputs *in)
{
	struct co_digest state, d;
	co_digest_of(&state, "state", 5);
	co_key_step(&d, &state, s, in);
	return d;
}

static void test_run(void **state)
{
	(void)state;
	const char *one[] = {"sh", "-c", "make all", NULL},
		   *two[] = {"sh", "-c", "make", "all", NULL};
	const char *env[] = {"V=1", NULL}, *env2[] = {"V=2", NULL};
	struct co_key_inputs in = {0}, none = {.network = "none"}, epoch = {.clamp = true};
	struct co_step s = {.op = CO_OP_RUN,
			    .argv = one,
			    .n_argv = 3,
			    .network = "default",
			    .security = "sandbox"};
	struct co_digest base = key_of(&s, &in);
	struct co_step t = s;
	assert_true(same(base, key_of(&t, &in)));
	t.argv = two;
	t.n_argv = 4;
	assert_false(same(base, key_of(&t, &in)));
	t = s;
	t.key_env = env;
	struct co_digest with = key_of(&t, &in);
	assert_false(same(base, with));
	t.key_env = env2;
	assert_false(same(with, key_of(&t, &in)));
	t = s;
	t.script = "";
	assert_false(same(base, key_of(&t, &in)));
	/* the build's --network is the step's, unless the step says its own */
	assert_false(same(base, key_of(&s, &none)));
	t = s;
	t.network = "none";
	assert_true(same(key_of(&t, &in), key_of(&s, &none)));
	/* a time given is not the same as none */
	assert_false(same(base, key_of(&s, &epoch)));
	/* a copy gives the commit's time to old files too; a command is not concerned */
	struct co_key_inputs commit = {.clamp = true, .set_times = true};
	struct co_step copy = {.op = CO_OP_COPY, .dest = "/d"};
	assert_false(same(key_of(&copy, &epoch), key_of(&copy, &commit)));
	assert_true(same(key_of(&s, &epoch), key_of(&s, &commit)));
	t = s;
	t.title = "another title";
	t.pos.line = 7;
	assert_true(same(base, key_of(&t, &in)));
}

static void test_mounts(void **state)
{
	(void)state;
	struct co_key_inputs in = {0};
	struct co_mount m = {.type = CO_MOUNT_SECRET, .id = "token", .target = "/t"}, n = m;
	struct co_step s = {.op = CO_OP_RUN,
			    .network = "default",
			    .security = "sandbox",
			    .mounts = &m,
			    .n_mounts = 1};
	struct co_step t = s;
	t.mounts = &n;
	assert_true(same(key_of(&s, &in), key_of(&t, &in)));
	n.id = "other";
	assert_false(same(key_of(&s, &in), key_of(&t, &in)));
	n = m;
	n.target = "/u";
	assert_false(same(key_of(&s, &in), key_of(&t, &in)));
	n = m;
	n.type = CO_MOUNT_SSH;
	assert_false(same(key_of(&s, &in), key_of(&t, &in)));
}

static void test_copy(void **state)
{
	(void)state;
	struct co_digest c1, c2;
	co_digest_of(&c1, "1", 1);
	co_digest_of(&c2, "2", 1);
	struct co_key_inputs in = {.content = &c1, .n_content = 1},
			     in2 = {.content = &c2, .n_content = 1};
	const char *a_b[] = {"a", "b"}, *ab[] = {"ab"}, *body[] = {"text"}, *body2[] = {"tex"};
	const char *name[] = {"f"};
	struct co_step s = {.op = CO_OP_COPY, .sources = a_b, .n_sources = 2, .dest = "/d/"}, t = s;
	assert_false(same(key_of(&s, &in), key_of(&s, &in2)));
	t.sources = ab;
	t.n_sources = 1;
	assert_false(same(key_of(&s, &in), key_of(&t, &in)));
	t = s;
	t.dest = "/d";
	assert_false(same(key_of(&s, &in), key_of(&t, &in)));
	t = s;
	t.chown = "1";
	struct co_step u = s;
	u.chmod_text = "1";
	assert_false(same(key_of(&t, &in), key_of(&u, &in)));
	t = s;
	t.excludes = ab;
	t.n_excludes = 1;
	assert_false(same(key_of(&s, &in), key_of(&t, &in)));
	t = u = s;
	t.bodies = body;
	u.bodies = body2;
	t.body_names = u.body_names = name;
	t.n_bodies = u.n_bodies = 1;
	assert_false(same(key_of(&t, &in), key_of(&u, &in)));
	t = s;
	t.op = CO_OP_ADD;
	assert_false(same(key_of(&s, &in), key_of(&t, &in)));
}

static int release(void **state)
{
	(void)state;
	co_arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state), cmocka_unit_test(test_platform_and_layers),
		cmocka_unit_test(test_run), cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_copy)};
	return cmocka_run_group_tests(tests, NULL, release);
}
