/* SPDX-License-Identifier: MIT
 *
 * test_git_url.c — which sources are git's and which are HTTP's, and git URLs taken apart.
 */
#include "../../../builder/fetch/git-internal.h"
#include <cooper/str.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_kinds(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		bool git, http;
	} rows[] = {{"https://h.example/r.git", true, false},
		    {"http://h.example/r.git#main:dir", true, false},
		    {"https://h.example/r.git?ref=main", true, false},
		    {"https://h.example/r", false, true},
		    {"https://h.example/r.git/x", false, true},
		    {"https://h.example/x?y=r.git", false, true},
		    {"https://h.example/x#r.git", false, true},
		    {"git://h.example/r", true, false},
		    {"ssh://git@h.example/r", true, false},
		    {"git@h.example:r", true, false},
		    {"ftp://h.example/r.git", false, false},
		    {"./r.git", false, false},
		    {".git", false, false},
		    {"", false, false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (co_url_is_git(rows[i].url) != rows[i].git ||
		    co_url_is_http(rows[i].url) != rows[i].http)
			fail_msg("%s", rows[i].url);
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void test_parts(void **state)
{
	(void)state;
	static const struct {
		const char *url, *remote, *shown, *ref, *subdir, *checksum;
	} rows[] = {
		{"https://h/r.git", "https://h/r.git", "https://h/r.git", NULL, NULL, NULL},
		{"https://h/r.git#main", "https://h/r.git", "https://h/r.git", "main", NULL, NULL},
		{"https://h/r.git#main:a/b", "https://h/r.git", "https://h/r.git", "main", "a/b",
		 NULL},
		{"https://h/r.git#:a", "https://h/r.git", "https://h/r.git", NULL, "a", NULL},
		{"https://u:p@h/r.git", "https://u:p@h/r.git", "https://h/r.git", NULL, NULL, NULL},
		{"git@h:o/r#x", "git@h:o/r", "git@h:o/r", "x", NULL, NULL},
		{"https://h/r.git?tag=v1&subdir=d", "https://h/r.git", "https://h/r.git",
		 "refs/tags/v1", "d", NULL},
		{"https://h/r.git?branch=b", "https://h/r.git", "https://h/r.git", "refs/heads/b",
		 NULL, NULL},
		/* a commit alone is what is asked for; beside a ref it is the check */
		{"https://h/r.git?commit=0123abcd", "https://h/r.git", "https://h/r.git",
		 "0123abcd", NULL, "0123abcd"},
		{"https://h/r.git?ref=m&checksum=0123abcd", "https://h/r.git", "https://h/r.git",
		 "m", NULL, "0123abcd"},
		{"https://h/r.git?ref=m&commit=0123abcd&fetch-by-commit=1", "https://h/r.git",
		 "https://h/r.git", "0123abcd", NULL, "0123abcd"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct co_arena a = CO_ARENA_INIT;
		struct co_err err = CO_ERR_INIT;
		struct git_url g;
		if (git_url_parse(&g, &a, rows[i].url, NULL, &err) < 0)
			fail_msg("%s: %s", rows[i].url, err.msg);
		if (!same(g.remote, rows[i].remote) || !same(g.shown, rows[i].shown) ||
		    !same(g.ref, rows[i].ref) || !same(g.subdir, rows[i].subdir) ||
		    !same(g.checksum, rows[i].checksum))
			fail_msg("%s: remote %s shown %s ref %s subdir %s checksum %s", rows[i].url,
				 g.remote, g.shown, g.ref, g.subdir, g.checksum);
		co_arena_release(&a);
	}
}

static void test_flags(void **state)
{
	(void)state;
	struct co_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct git_url g;
	assert_int_equal(git_url_parse(&g, &a, "https://h/r.git", NULL, &err), 0);
	assert_false(g.keep_git_dir || g.has_keep || g.no_submodules || g.fetch_commit ||
		     g.times_of_checkout);
	assert_int_equal(git_url_parse(&g, &a,
				       "https://h/r.git?keep-git-dir&submodules=0&mtime=checkout",
				       NULL, &err),
			 0);
	assert_true(g.keep_git_dir && g.has_keep && g.no_submodules && g.times_of_checkout);
	assert_int_equal(git_url_parse(&g, &a, "https://h/r.git?keep-git-dir=false&submodules=TRUE",
				       NULL, &err),
			 0);
	assert_true(!g.keep_git_dir && g.has_keep && !g.no_submodules);
	co_arena_release(&a);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *url, *checksum;
		bool keep;
		const char *message;
	} rows[] = {
		{"https://h/r.git?ref=a#b", NULL, false, "conflicting values for the ref"},
		{"https://h/r.git?subdir=a#m:b", NULL, false, "conflicting values for the subdir"},
		{"https://h/r.git?commit=0123", "4567", false, "conflicting values for the commit"},
		{"https://h/r.git?ref=", NULL, false, "is empty"},
		{"https://h/r.git?reff=a", NULL, false, "unexpected query \"reff\""},
		{"https://h/r.git?submodules=maybe", NULL, false, "invalid value maybe"},
		{"https://h/r.git?mtime=now", NULL, false, "invalid value now for mtime"},
		{"https://h/r.git?commit=012", NULL, false, "is no commit"},
		{"https://h/r.git?commit=0123ABCD", NULL, false, "is no commit"},
		{"https://h/r.git", "main", false, "is no commit"},
		{"https://h/r.git?fetch-by-commit", NULL, false, "needs a commit"},
		{"https://h/r.git?keep-git-dir=false", NULL, true, "--keep-git-dir"},
		{"https://h/r.git#--upload-pack=x", NULL, false, "can not start with"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct co_arena a = CO_ARENA_INIT;
		struct co_err err = CO_ERR_INIT;
		struct git_url g;
		struct co_git_opts o = {.keep_git_dir = rows[i].keep, .checksum = rows[i].checksum};
		if (git_url_parse(&g, &a, rows[i].url, &o, &err) != CO_E_SYNTAX ||
		    !strstr(err.msg, rows[i].message))
			fail_msg("%s: %s", rows[i].url, err.msg);
		co_arena_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds), cmocka_unit_test(test_parts),
		cmocka_unit_test(test_flags), cmocka_unit_test(test_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
