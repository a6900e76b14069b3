/* SPDX-License-Identifier: MIT
 *
 * test_context.c — contexts from directories and archives, their Dockerfile and ignore file.
 */
#include "world.h"
#include <cooper/inroot.h>

static void open_src(struct world *w, struct co_context *c, const char *setup)
{
	char path[96];
	struct co_err err = CO_ERR_INIT;
	world_open(w, setup);
	snprintf(path, sizeof(path), "%s/src", w->dir);
	assert_int_equal(co_context_open_dir(c, path, &err), 0);
	assert_int_equal(c->epoch, -1);
	assert_false(c->temporary);
}

static void close_src(struct world *w, struct co_context *c)
{
	co_context_release(c);
	world_close(w);
}

static int dockerfile(const char *setup, const char *name, const char *want, const char *shown)
{
	struct world w;
	struct co_context c;
	struct co_err err = CO_ERR_INIT;
	char *text = NULL, *name_out = NULL;
	size_t len = 0;
	open_src(&w, &c, setup);
	int r = co_context_dockerfile(&c, name, &text, &len, &name_out, &err);
	if (r == 0) {
		if (len != strlen(want) || memcmp(text, want, len))
			fail_msg("text is %s", text);
		assert_string_equal(name_out, shown);
	} else if (want && !strstr(err.hint, want) && !strstr(err.msg, want)) {
		fail_msg("error is %s (%s)", err.msg, err.hint);
	}
	free(text);
	free(name_out);
	close_src(&w, &c);
	return r;
}

static void find_dockerfile(void **state)
{
	(void)state;
	assert_int_equal(dockerfile("echo D >src/Dockerfile; echo d >src/dockerfile", NULL, "D\n",
				    "Dockerfile"),
			 0);
	assert_int_equal(dockerfile("echo d >src/dockerfile", NULL, "d\n", "dockerfile"), 0);
	assert_int_equal(dockerfile("mkdir src/x; echo d >src/x/My", "x/My", "d\n", "x/My"), 0);
	assert_int_equal(dockerfile("echo r >src/real; ln -s real src/Dockerfile", NULL, "r\n",
				    "Dockerfile"),
			 0);
	/* links do not leave the context (CVE-2026-44517) */
	assert_int_equal(dockerfile("ln -s ../outside/sentinel src/Dockerfile", NULL, NULL, NULL),
			 CO_E_NOT_FOUND);
	assert_int_equal(dockerfile("ln -s /etc/passwd src/Dockerfile", NULL, NULL, NULL),
			 CO_E_NOT_FOUND);
	assert_int_equal(dockerfile("mkfifo src/Dockerfile", NULL, "regular", NULL), CO_E_INVALID);
	assert_int_equal(dockerfile("mkdir src/Dockerfile", NULL, "regular", NULL), CO_E_INVALID);
	assert_int_equal(dockerfile("truncate -s 1G src/Dockerfile", NULL, "larger", NULL),
			 CO_E_LIMIT);
	assert_int_equal(dockerfile("touch src/Containerfile", NULL, "-f Containerfile", NULL),
			 CO_E_NOT_FOUND);
	assert_int_equal(dockerfile("touch src/app.docker", "app.doker", "-f app.docker", NULL),
			 CO_E_NOT_FOUND);
}

static void outside_dockerfile(void **state)
{
	(void)state;
	struct world w;
	struct co_context c;
	struct co_err err = CO_ERR_INIT;
	char *text, *name, path[96];
	size_t len;
	open_src(&w, &c,
		 "echo away >DF; echo 'secret' >DF.dockerignore; echo other "
		 ">src/.dockerignore");
	snprintf(path, sizeof(path), "%s/DF", w.dir);
	assert_int_equal(co_context_dockerfile(&c, path, &text, &len, &name, &err), 0);
	assert_string_equal(text, "away\n");
	assert_string_equal(name, path);
	free(text);
	free(name);
	assert_int_equal(co_context_load_ignore(&c, path, &err), 0);
	assert_true(co_ignore_match(c.ignore, "secret"));
	assert_false(co_ignore_match(c.ignore, "other"));
	close_src(&w, &c);
}

/* Which of a, b, c, d the context ignores. */
static void ignores(const char *setup, const char *name, const char *want)
{
	struct world w;
	struct co_context c;
	struct co_err err = CO_ERR_INIT;
	char got[8] = "";
	open_src(&w, &c, setup);
	assert_int_equal(co_context_load_ignore(&c, name, &err), 0);
	for (const char *p = "abcd"; *p; p++) {
		char path[2] = {*p, 0};
		if (c.ignore && co_ignore_match(c.ignore, path))
			strcat(got, path);
	}
	assert_string_equal(got, want);
	close_src(&w, &c);
}

static void find_ignore(void **state)
{
	(void)state;
#define A "echo a >src/.dockerignore;"
#define B "echo b >src/.containerignore;"
#define C "echo c >src/Dockerfile.dockerignore;"
#define D "mkdir src/x; echo d >src/x/My.dockerignore;"
	ignores(":", NULL, "");
	ignores(A, NULL, "a");
	ignores(A B, NULL, "b");
	ignores(A B C, NULL, "c");
	ignores(A B C D, "x/My", "d");
	ignores(A D, "x/Other", "a");
	ignores(A C, "-", "a");
	ignores("ln -s /etc/passwd src/.dockerignore", NULL, "");
	ignores(": >src/Dockerfile.dockerignore;" A, NULL, "");
}

static void bad_ignore(void **state)
{
	(void)state;
	struct world w;
	struct co_context c;
	struct co_err err = CO_ERR_INIT, fifo = CO_ERR_INIT;
	open_src(&w, &c, "printf 'a\\n[\\n' >src/.dockerignore; mkfifo src/x.dockerignore");
	assert_int_equal(co_context_load_ignore(&c, NULL, &err), CO_E_SYNTAX);
	assert_non_null(strstr(err.msg, ".dockerignore:2"));
	assert_int_equal(co_context_load_ignore(&c, "x", &fifo), CO_E_INVALID);
	assert_null(c.ignore);
	close_src(&w, &c);
}

static void no_directory(void **state)
{
	(void)state;
	struct co_context c;
	struct co_err a = CO_ERR_INIT, b = CO_ERR_INIT;
	assert_int_equal(co_context_open_dir(&c, "/nonexistent/dir", &a), CO_E_NOT_FOUND);
	assert_non_null(strstr(a.msg, "/nonexistent/dir"));
	assert_int_equal(co_context_open_dir(&c, "/etc/passwd", &b), CO_E_SYSTEM);
}

/* ---- archives ---- */

static int open_tar(struct world *w, struct co_store *s, struct co_context *c, const char *make,
		    struct co_err *err)
{
	char script[512];
	snprintf(script, sizeof(script), "set -e; rm -rf t tar; mkdir t; (cd t; %s)", make);
	assert_true(sh(w, script));
	auto_fd dir = world_root(w, ".");
	int fd = openat(dir, "tar", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return co_context_open_tar(c, s, co_stream_fd(fd, true, "test"), "test", err);
}

static void archives(void **state)
{
	(void)state;
	struct world w;
	struct co_store *s;
	struct co_context c;
	char path[96], *text, *name;
	size_t len;
	struct co_err err = CO_ERR_INIT;
	world_open(&w, "");
	snprintf(path, sizeof(path), "%s/store", w.dir);
	assert_int_equal(co_store_open(&s, path, &err), 0);
	static const char *const makes[] = {
		"echo F >Dockerfile; echo x >x; echo x >.dockerignore; tar -cf ../tar .",
		"echo F >Dockerfile; tar -czf ../tar Dockerfile",
		"echo F >Dockerfile; tar -cf - . | zstd -q >../tar",
		"echo F >Dockerfile; tar -cJf ../tar .", "echo F >Dockerfile; tar -cjf ../tar ."};
	for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		assert_int_equal(open_tar(&w, s, &c, makes[i], &err), 0);
		assert_true(c.temporary);
		assert_int_equal(co_context_dockerfile(&c, NULL, &text, &len, &name, &err), 0);
		assert_string_equal(text, "F\n");
		free(text);
		free(name);
		assert_int_equal(co_context_load_ignore(&c, NULL, &err), 0);
		assert_null(c.ignore);
		/* a name of the command line means the archive, not the working directory */
		struct co_err missing = CO_ERR_INIT;
		assert_int_equal(
			co_context_dockerfile(&c, "/etc/passwd", &text, &len, &name, &missing),
			CO_E_NOT_FOUND);
		co_context_release(&c);
	}
	co_store_close(s);
	world_close(&w);
}

/* A link in one member, a file through it in the next. */
#define LINK_THEN_FILE                                                                             \
	"ln -s ../../../outside l; tar -cf ../tar l; rm l; mkdir l; echo x >l/evil;"               \
	"tar -cf ../tar2 l/evil; tar -Af ../tar ../tar2"

static void bad_archives(void **state)
{
	(void)state;
	struct world w;
	struct co_store *s;
	struct co_context c;
	char path[96];
	struct co_err err = CO_ERR_INIT;
	world_open(&w, "");
	snprintf(path, sizeof(path), "%s/store", w.dir);
	assert_int_equal(co_store_open(&s, path, &err), 0);
	static const char *const makes[] = {
		"echo 'FROM x' >../tar",
		": >../tar",
		"echo x >x; tar -cPf ../tar --transform 's,x,../../../outside/evil,' x",
		"echo x >x; tar -cf - x | head -c 700 >../tar",
		LINK_THEN_FILE,
	};
	for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		struct co_err one = CO_ERR_INIT;
		int r = open_tar(&w, s, &c, makes[i], &one);
		if (r == 0) /* the last one is contained instead */
			co_context_release(&c);
		else
			assert_true(*one.hint && strstr(one.msg, "build context test"));
		assert_true(r < 0 || i == 4);
	}
	co_store_close(s);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find_dockerfile), cmocka_unit_test(outside_dockerfile),
		cmocka_unit_test(find_ignore),	   cmocka_unit_test(bad_ignore),
		cmocka_unit_test(no_directory),	   cmocka_unit_test(archives),
		cmocka_unit_test(bad_archives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
