/* SPDX-License-Identifier: MIT
 *
 * test_digest.c — what the content key of a copy depends on, and what it does not.
 */
#include "world.h"
#include <cooper/clock.h>

#define BASE                                                                                       \
	"mkdir -p src/d/s; echo a >src/d/a; echo b >src/d/s/b; ln -s a src/d/l; mkfifo src/d/p;"   \
	"echo o >src/other"

static void digest(const char *setup, const char *line, struct co_digest *out)
{
	struct world w;
	struct job j;
	struct co_err err = CO_ERR_INIT;
	world_open(&w, setup);
	job_init(&w, &j, line);
	if (co_copy_digest(&j.copy, out, &err) < 0)
		fail_msg("%s: %s", line, err.msg);
	world_close(&w);
}

static bool same(const char *setup, const char *line)
{
	struct co_digest a, b;
	digest(BASE, "d /e", &a);
	digest(setup, line, &b);
	return co_digest_eq(&a, &b);
}

static void does_not_matter(void **state)
{
	(void)state;
	static const char *const setups[] = {
		BASE,
		BASE "; find src -exec touch -h -d @77 {} +",
		BASE "; echo changed >>src/other; touch src/new; mkdir src/dir",
		/* another order of creation */
		"mkdir -p src/d; mkfifo src/d/p; ln -s a src/d/l; mkdir src/d/s; echo b "
		">src/d/s/b; echo a >src/d/a",
		BASE "; chmod 700 src/d", /* the top is not copied itself */
		BASE "; echo 'other*' >src/.dockerignore",
		BASE "; echo '*.x' >src/.dockerignore; touch src/d/n.x src/d/s/n.x; rm src/d/n.x "
		     "src/d/s/n.x",
		BASE "; echo 'd/extra' >src/.dockerignore; mkdir src/d/extra; touch src/d/extra/x",
	};
	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++)
		if (!same(setups[i], "d /e"))
			fail_msg("another digest: %s", setups[i]);
	/* the file was only reached by another way */
	assert_true(same(BASE "; ln -s d src/link", "link /e"));
	assert_true(same(BASE, "/d/ /e"));
	mode_t mask = umask(077);
	assert_true(same(BASE, "d /e"));
	umask(mask);
}

static void matters(void **state)
{
	(void)state;
	static const char *const setups[] = {
		BASE "; echo A >src/d/a",      BASE "; printf a >src/d/a",
		BASE "; chmod 600 src/d/a",    BASE "; chmod 4644 src/d/a",
		BASE "; chmod 711 src/d/s",    BASE "; mv src/d/a src/d/c",
		BASE "; mv src/d/s src/d/t",   BASE "; ln -sf b src/d/l",
		BASE "; rm src/d/p",	       BASE "; rm src/d/p; touch src/d/p",
		BASE "; touch src/d/empty",    BASE "; mkdir src/d/empty",
		BASE "; mv src/d/s/b src/d/b", BASE "; setfattr -n user.k -v v src/d/a",
		BASE "; rm src/d/s/b",	       BASE "; echo 'd/a' >src/.dockerignore",
		BASE "; ln src/d/a src/d/a2",
	};
	static const char *const lines[] = {"d /f",
					    "d /e/",
					    "d other /e/",
					    "--chown=1:2 d /e",
					    "--link d /e",
					    "--exclude=a d /e",
					    "--parents d /e",
					    "--unpack d /e",
					    "other /e",
					    "d/s /e",
					    "--chmod=644 d /e",
					    "<<d=x /e",
					    "--exclude=zz d /e"};
	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++)
		if (same(setups[i], "d /e"))
			fail_msg("the same digest: %s", setups[i]);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (same(BASE, lines[i]))
			fail_msg("the same digest: %s", lines[i]);
}

static void owners(void **state)
{
	(void)state;
	struct co_digest a, b;
	if (geteuid() != 0)
		skip();
	assert_true(same(BASE "; chown 5:6 src/d/a", "d /e"));
	digest(BASE, "--stage d /e", &a);
	digest(BASE "; chown 5:6 src/d/a", "--stage d /e", &b);
	assert_false(co_digest_eq(&a, &b));
	digest(BASE "; chown 5:6 src/d/a", "--stage --chown=1:1 d /e", &a);
	digest(BASE, "--stage --chown=1:1 d /e", &b);
	assert_true(co_digest_eq(&a, &b));
}

static void digest_with_times(const char *setup, const char *line, int64_t max,
			      struct co_digest *out)
{
	struct world w;
	struct job j;
	struct co_err err = CO_ERR_INIT;
	world_open(&w, setup);
	job_init(&w, &j, line);
	j.copy.times = true;
	j.copy.times_max = max;
	assert_int_equal(co_copy_digest(&j.copy, out, &err), 0);
	world_close(&w);
}

static void times_when_asked_for(void **state)
{
	(void)state;
#define AT(t) BASE "; find src -exec touch -h -d @" t " {} +"
	static const char *const others[] = {AT("50"), AT("77") "; touch -d @78 src/d/s/b",
					     AT("77") "; touch -d @78 src/d/s",
					     AT("77") "; touch -h -d @78 src/d/l"};
	struct co_digest a, b;
	digest_with_times(AT("77"), "d /e", 1000, &a);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		digest_with_times(others[i], "d /e", 1000, &b);
		if (co_digest_eq(&a, &b))
			fail_msg("the same digest: %s", others[i]);
	}
	/* as a layer has them: whole seconds, and none later than its epoch */
	digest_with_times(AT("77.5"), "d /e", 1000, &b);
	assert_true(co_digest_eq(&a, &b));
	digest_with_times(AT("77"), "d /e", 60, &a);
	digest_with_times(AT("99"), "d /e", 60, &b);
	assert_true(co_digest_eq(&a, &b));
	digest_with_times(AT("77"), "d /e", 61, &b);
	assert_false(co_digest_eq(&a, &b));
	/* never taken for one without */
	digest(AT("77"), "d /e", &b);
	assert_false(co_digest_eq(&a, &b));
}

static void names_and_wildcards(void **state)
{
	(void)state;
	struct co_digest a, b;
	digest("echo x >src/a1", "a* /d/", &a);
	digest("echo x >src/a2", "a* /d/", &b);
	assert_false(co_digest_eq(&a, &b));
	digest("echo x >src/a1", "a1 /d/", &b);
	assert_true(co_digest_eq(&a, &b));
	digest("", "<<a=x /d/", &a);
	digest("", "<<a=y /d/", &b);
	assert_false(co_digest_eq(&a, &b));
	digest("", "<<b=x /d/", &b);
	assert_false(co_digest_eq(&a, &b));
	/* no borders that move */
	digest("echo x >src/a; echo y >src/b", "a b /d/", &a);
	digest("printf 'x\ny\n' >src/a; : >src/b", "a b /d/", &b);
	assert_false(co_digest_eq(&a, &b));
	digest("mkdir -p src/d/a; touch src/d/a/b", "d /e", &a);
	digest("mkdir -p src/d/a; touch src/d/b", "d /e", &b);
	assert_false(co_digest_eq(&a, &b));
}

static void failures(void **state)
{
	(void)state;
	struct world w;
	struct job j;
	struct co_digest d;
	static const struct {
		const char *line;
		int code;
	} lines[] = {{"nope /x", CO_E_NOT_FOUND},
		     {"secret /x", CO_E_NOT_FOUND},
		     {"--parents nope /x", CO_E_NOT_FOUND},
		     {"[a /x", CO_E_SYNTAX},
		     {"nope* /x", 0}};
	world_open(&w, "echo secret >src/.dockerignore; touch src/secret");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct co_err err = CO_ERR_INIT;
		job_init(&w, &j, lines[i].line);
		assert_int_equal(co_copy_digest(&j.copy, &d, &err), lines[i].code);
	}
	world_close(&w);
}

static void downloads(void **state)
{
	(void)state;
	struct world w;
	struct co_err err = CO_ERR_INIT;
	struct co_digest a, b;
	world_open(&w, "printf content >src/f; mkdir t; echo x >t/x; tar -cf src/a.tar -C t .");
	auto_fd fd = openat(w.src.fd, "f", O_RDONLY), tar = openat(w.src.fd, "a.tar", O_RDONLY);
	struct co_copy_source s = {
		.pattern = "file", .fd = fd, .mode = 0600, .mtime = {.tv_sec = 5}};
	struct co_copy c = {.sources = &s, .n_sources = 1, .dest = "/d/"};
	c.owner_best_effort = geteuid() != 0;
	assert_int_equal(co_copy_digest(&c, &a, &err), 0);
	assert_int_equal(co_copy_run(&c, &w.dst, &err), 0);
	assert_int_equal(co_copy_digest(&c, &b, &err), 0);
	assert_true(co_digest_eq(&a, &b));
	assert_true(sh(&w, "test \"$(cat dst/d/file)\" = content && test $(stat -c %a%Y "
			   "dst/d/file) = 6005"));
	s.fd = tar;
	s.pattern = "a.tar";
	c.unpack = CO_UNPACK_AUTO;
	assert_int_equal(co_copy_run(&c, &w.dst, &err), 0);
	assert_true(sh(&w, "test -f dst/d/a.tar"));
	c.unpack = CO_UNPACK_ALWAYS;
	c.dest = "/u";
	assert_int_equal(co_copy_run(&c, &w.dst, &err), 0);
	assert_true(sh(&w, "test -f dst/u/x"));
	world_close(&w);
}

static void many_files(void **state)
{
	(void)state;
	struct world w;
	struct job j;
	struct co_digest a, b;
	struct co_err err = CO_ERR_INIT;
	world_open(&w, "for i in $(seq 25); do mkdir src/$i; for k in $(seq 200); do echo $i $k; "
		       "done | split -l 1 -a 3 - src/$i/f; done");
	job_init(&w, &j, ". /x");
	assert_int_equal(co_copy_digest(&j.copy, &a, &err), 0);
	int64_t begin = co_mono_ns();
	assert_int_equal(co_copy_digest(&j.copy, &b, &err), 0);
	int64_t took = co_mono_ns() - begin;
	print_message("digest of 5,000 files: %lld ms\n", (long long)(took / 1000000));
	assert_true(took < 20000000000);
	assert_true(co_digest_eq(&a, &b));
	begin = co_mono_ns();
	assert_int_equal(co_copy_run(&j.copy, &w.dst, &err), 0);
	print_message("copy of 5,000 files: %lld ms\n",
		      (long long)((co_mono_ns() - begin) / 1000000));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_not_matter),
		cmocka_unit_test(matters),
		cmocka_unit_test(owners),
		cmocka_unit_test(times_when_asked_for),
		cmocka_unit_test(names_and_wildcards),
		cmocka_unit_test(failures),
		cmocka_unit_test(downloads),
		cmocka_unit_test(many_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
