/* SPDX-License-Identifier: MIT
 *
 * test_inroot.c — no path leaves the root: with openat2, and with the walk that stands in for it.
 * Rows of the CVE-2018-15664 family: links up, absolute links, links in the middle, loops.
 */
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

struct world {
	char dir[64];
	int top, root;
};

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(co_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	strcpy(w->dir, "/tmp/cooper-inroot-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->top = open(w->dir, O_RDONLY | O_DIRECTORY);
	put(w->top, "secret", "outside");
	assert_int_equal(mkdirat(w->top, "root", 0755), 0);
	w->root = openat(w->top, "root", O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(w->root, "d", 0755), 0);
	assert_int_equal(mkdirat(w->root, "d/e", 0755), 0);
	put(w->root, "secret", "inside");
	put(w->root, "d/f", "file");
	static const char *const links[][2] = {{"../../secret", "up"},
					       {"/secret", "abs"},
					       {"../../../../..", "far"},
					       {"/d/e", "toe"},
					       {"loop2", "loop1"},
					       {"loop1", "loop2"},
					       {"/nowhere/at/all", "dangling"},
					       {"d/../../secret", "mid"},
					       {"toe/../f", "dots"}};
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		assert_int_equal(symlinkat(links[i][0], w->root, links[i][1]), 0);
	assert_int_equal(mkfifoat(w->root, "fifo", 0644), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct co_err err = CO_ERR_INIT;
	close(w->root);
	close(w->top);
	assert_int_equal(co_remove_tree(AT_FDCWD, w->dir, &err), 0);
	free(w);
	co_inroot_force_walk(false);
	return 0;
}

static void expect(struct world *w, const char *path, const char *text)
{
	char buf[64] = "";
	auto_fd fd = co_inroot_open(w->root, path, O_RDONLY, 0);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	ssize_t n = co_read_full(fd, buf, sizeof(buf) - 1);
	assert_true(n >= 0);
	assert_string_equal(buf, text);
}

static void inside(struct world *w)
{
	static const char *const paths[] = {"secret", "/secret", "../secret",  "up",
					    "abs",    "mid",	 "far/secret", "d/../../secret"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		expect(w, paths[i], "inside");
	expect(w, "dots", "file");
	expect(w, "toe/../../d/f", "file");
	assert_int_equal(co_inroot_open(w->root, "loop1", O_RDONLY, 0), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(co_inroot_open(w->root, "dangling", O_RDONLY, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(co_inroot_open(w->root, "d/f/x", O_RDONLY, 0), -1);
	assert_int_equal(errno, ENOTDIR);
	/* a FIFO without a writer must not hang the builder */
	auto_fd fifo = co_inroot_open(w->root, "fifo", O_RDONLY, 0);
	assert_true(fifo >= 0);
}

static void test_openat2(void **state)
{
	inside(*state);
}

static void test_walk(void **state)
{
	co_inroot_force_walk(true);
	inside(*state);
}

static void parents(struct world *w)
{
	const char *base;
	auto_fd d = co_inroot_parent(w->root, "toe/new", &base);
	assert_true(d >= 0);
	assert_string_equal(base, "new");
	struct stat a, b;
	assert_int_equal(fstat(d, &a), 0);
	assert_int_equal(fstatat(w->root, "d/e", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(co_inroot_parent(w->root, "d/..", &base), -1);
	auto_fd r = co_inroot_parent(w->root, "/", &base);
	assert_true(r >= 0);
	assert_string_equal(base, "");
}

static void test_parent(void **state)
{
	parents(*state);
	co_inroot_force_walk(true);
	parents(*state);
}

static void test_mkdirs(void **state)
{
	struct world *w = *state;
	umask(077);
	for (int walk = 0; walk < 2; walk++) {
		co_inroot_force_walk(walk);
		const char *path = walk ? "up2/a/b" : "toe/x/y";
		auto_fd fd = co_inroot_mkdirs(w->root, path, 0755, NULL, NULL);
		assert_true(fd >= 0);
		struct stat st;
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0755);
	}
	umask(022);
	struct stat st;
	assert_int_equal(fstatat(w->root, "d/e/x/y", &st, 0), 0);
	assert_int_equal(co_inroot_mkdirs(w->root, "secret/x", 0755, NULL, NULL), -1);
	assert_int_equal(errno, ENOTDIR);
}

static void test_resolve(void **state)
{
	struct world *w = *state;
	char out[256];
	assert_int_equal(co_inroot_resolve(w->root, "toe/new/file", out, sizeof(out)), 0);
	assert_string_equal(out, "d/e/new/file");
	assert_int_equal(co_inroot_resolve(w->root, "far/secret", out, sizeof(out)), 0);
	assert_string_equal(out, "secret");
	assert_int_equal(co_inroot_resolve(w->root, "loop1", out, sizeof(out)), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(co_inroot_resolve(w->root, "toe/new/file", out, 4), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

static void test_slurp(void **state)
{
	struct world *w = *state;
	size_t len = 0;
	auto_free char *text = co_inroot_slurp(w->root, "up", 100, &len);
	assert_non_null(text);
	assert_string_equal(text, "inside");
	assert_int_equal(len, 6);
	assert_null(co_inroot_slurp(w->root, "secret", 3, &len));
	assert_int_equal(errno, EFBIG);
	assert_null(co_inroot_slurp(w->root, "fifo", 100, &len));
	assert_null(co_inroot_slurp(w->root, "d", 100, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_openat2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mkdirs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slurp, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
