/* SPDX-License-Identifier: MIT
 *
 * test_contexts.c — what the CONTEXT argument may be, and a git checkout made a plain tree.
 */
#include "../../../builder/fetch/git-internal.h"
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

struct place {
	char dir[64];
	struct co_store *store;
};

static bool sh(const struct place *p, const char *script)
{
	char cmd[1024];
	snprintf(cmd, sizeof(cmd), "cd %s && { %s\n}", p->dir, script);
	return system(cmd) == 0;
}

static int open_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct co_err err = CO_ERR_INIT;
	char root[96];
	strcpy(p->dir, "/tmp/cooper-fetch-XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(root, sizeof(root), "%s/store", p->dir);
	*state = p;
	return co_store_open(&p->store, root, &err);
}

static int close_place(void **state)
{
	struct place *p = *state;
	co_store_close(p->store);
	bool ok = sh(p, "chmod -R u+rwx . && rm -rf -- \"$PWD\"");
	free(p);
	return ok ? 0 : -1;
}

static int fetch(const struct place *p, const char *name, struct co_context *c, struct co_err *err)
{
	char spec[160];
	snprintf(spec, sizeof(spec), "%s/%s", p->dir, name);
	return co_fetch_context(c, p->store, NULL, spec, NULL, err);
}

static bool holds(const struct co_context *c, const char *name)
{
	return faccessat(c->root.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_local(void **state)
{
	struct place *p = *state;
	struct co_err err = CO_ERR_INIT;
	struct co_context c;
	assert_true(sh(p, "mkdir d && echo x >d/f && tar cf t.tar -C d . && gzip -k t.tar"));
	static const char *const good[] = {"d", "t.tar", "t.tar.gz"};
	for (size_t i = 0; i < 3; i++) {
		memset(&c, 0, sizeof(c));
		if (fetch(p, good[i], &c, &err) < 0)
			fail_msg("%s: %s", good[i], err.msg);
		assert_true(holds(&c, "f"));
		assert_int_equal(c.temporary, i > 0);
		co_context_release(&c);
	}
	assert_true(fetch(p, "nothing", &c, &err) < 0);
	assert_non_null(strstr(err.msg, "nothing"));
	assert_true(err.hint[0]);
	co_err_clear(&err);
	assert_true(fetch(p, "d/f", &c, &err) < 0); /* text in a file is no context */
	co_err_clear(&err);
	assert_int_equal(co_fetch_context(&c, p->store, NULL, "target:x", NULL, &err),
			 CO_E_UNSUPPORTED);
	co_err_clear(&err);
	assert_int_equal(co_fetch_context(&c, p->store, NULL, "https://h/r.git?nope=1", NULL, &err),
			 CO_E_SYNTAX);
}

/* stdin: name is read through it. */
static int from_stdin(const struct place *p, const char *name, struct co_context *c,
		      struct co_err *err)
{
	char path[160];
	int saved = dup(0);
	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && saved >= 0);
	assert_int_equal(dup2(fd, 0), 0);
	int r = co_fetch_context(c, p->store, NULL, "-", NULL, err);
	assert_int_equal(dup2(saved, 0), 0);
	close(saved);
	return r;
}

static void test_stdin(void **state)
{
	struct place *p = *state;
	struct co_err err = CO_ERR_INIT;
	struct co_context c = {0};
	assert_true(sh(p, "mkdir e && echo x >e/f && tar cf e.tar -C e . && zstd -q e.tar && "
			  "echo FROM scratch >text && : >empty"));
	static const char *const archives[] = {"e.tar", "e.tar.zst"};
	for (size_t i = 0; i < 2; i++) {
		memset(&c, 0, sizeof(c));
		if (from_stdin(p, archives[i], &c, &err) < 0)
			fail_msg("%s: %s", archives[i], err.msg);
		assert_true(holds(&c, "f") && !c.text);
		co_context_release(&c);
	}
	memset(&c, 0, sizeof(c));
	assert_int_equal(from_stdin(p, "text", &c, &err), 0);
	assert_string_equal(c.text, "FROM scratch\n");
	assert_false(holds(&c, "f"));
	co_context_release(&c);
	memset(&c, 0, sizeof(c));
	assert_int_equal(from_stdin(p, "empty", &c, &err), 0);
	assert_int_equal(c.text_len, 0);
	co_context_release(&c);
}

static bool made_at(int dir, const char *name, int64_t when)
{
	struct stat sb;
	return fstatat(dir, name, &sb, AT_SYMLINK_NOFOLLOW) == 0 && sb.st_mtim.tv_sec == when;
}

static void test_settle(void **state)
{
	struct place *p = *state;
	struct co_err err = CO_ERR_INIT;
	char path[96];
	assert_true(sh(p, "mkdir -p g/.git/objects g/sub/deep && echo x >g/sub/deep/f && "
			  "echo gitdir >g/sub/.git && ln -s nowhere g/l"));
	snprintf(path, sizeof(path), "%s/g", p->dir);
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(git_tree_settle(dir, true, -1, &err), 0);
	assert_int_equal(faccessat(dir, ".git/objects", F_OK, 0), 0);
	assert_int_equal(git_tree_settle(dir, false, 1000000000, &err), 0);
	assert_true(faccessat(dir, ".git", F_OK, 0) < 0);
	assert_true(faccessat(dir, "sub/.git", F_OK, 0) < 0);
	static const char *const kept[] = {"sub", "sub/deep", "sub/deep/f", "l"};
	for (size_t i = 0; i < 4; i++)
		if (!made_at(dir, kept[i], 1000000000))
			fail_msg("%s", kept[i]);
}

static void test_settle_depth(void **state)
{
	struct place *p = *state;
	struct co_err err = CO_ERR_INIT;
	char path[96];
	assert_true(
		sh(p, "mkdir deep && cd deep && for i in $(seq 300); do mkdir d && cd d; done"));
	snprintf(path, sizeof(path), "%s/deep", p->dir);
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(git_tree_settle(dir, false, 1, &err), CO_E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local), cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_settle), cmocka_unit_test(test_settle_depth)};
	return cmocka_run_group_tests(tests, open_place, close_place);
}
