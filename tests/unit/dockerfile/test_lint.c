/* SPDX-License-Identifier: MIT
 *
 * test_lint.c — the build checks: lint/NAME.Dockerfile with its findings in lint/NAME.expected.
 *
 * Lines of .expected:  opt check=TEXT | opt arg=NAME | opt ignored=PATH | opt image-env=NAME
 *                      fail TEXT (a part of the error) | error (findings fail the build)
 *                      LINE RULE: message
 */
#include "cases.h"
#include <cooper/lint.h>
#include <cooper/str.h>
#include <dirent.h>
#include <time.h>

struct options {
	struct co_arena *a;
	const char *check, *fail;
	const char **args, **ignored, **image_env;
	size_t n_args, n_ignored, n_image_env;
	bool error;
};

static bool listed(const char *const *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], text))
			return true;
	return false;
}

static bool is_ignored(void *ctx, const char *path)
{
	const struct options *o = ctx;
	return listed(o->ignored, o->n_ignored, path);
}

static bool base_has(void *ctx, const char *image, const char *name)
{
	const struct options *o = ctx;
	assert_string_not_equal(image, "scratch");
	return listed(o->image_env, o->n_image_env, name);
}

static bool read_option(struct options *o, const char *line)
{
	if (co_starts(line, "opt check="))
		o->check = line + 10;
	else if (co_starts(line, "opt arg="))
		*co_arena_push(o->a, o->args, o->n_args) = line + 8;
	else if (co_starts(line, "opt ignored="))
		*co_arena_push(o->a, o->ignored, o->n_ignored) = line + 12;
	else if (co_starts(line, "opt image-env="))
		*co_arena_push(o->a, o->image_env, o->n_image_env) = line + 14;
	else if (co_starts(line, "fail "))
		o->fail = line + 5;
	else if (!strcmp(line, "error"))
		o->error = true;
	else
		return false;
	return true;
}

/* Splits the file: options into o, the rest returned. */
static const char *read_expected(struct options *o, const char *path)
{
	auto_buf rest = CO_BUF_INIT(CO_BUF_TEXT);
	for (const char *s = case_text(o->a, path); *s;) {
		size_t n = strcspn(s, "\n");
		const char *line = co_arena_strndup(o->a, s, n);
		if (!read_option(o, line))
			co_buf_addf(&rest, "%s\n", line);
		s += n + (s[n] == '\n');
	}
	return co_arena_strdup(o->a, co_buf_str(&rest));
}

static struct co_dockerfile *parse(struct co_arena *a, const char *name, const char *text)
{
	struct co_err err = CO_ERR_INIT;
	struct co_source *src = co_arena_new(a, struct co_source);
	struct co_dockerfile *d = NULL;
	*src = (struct co_source){name, text, strlen(text)};
	if (co_dockerfile_parse(&d, a, src, &err) < 0)
		fail_msg("%s:%u: %s", name, err.pos.line, err.msg);
	return d;
}

static void check_case(const char *name, struct co_buf *seen)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf got = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_err err = CO_ERR_INIT;
	struct co_findings found = {0};
	struct options o = {.a = &a};

	const char *file = co_arena_printf(&a, "lint/%s.Dockerfile", name);
	const char *expected = read_expected(&o, co_arena_printf(&a, "lint/%s.expected", name));
	struct co_dockerfile *d = parse(&a, file, case_text(&a, file));
	*co_arena_push(&a, o.args, o.n_args) = NULL;
	struct co_lint_opts lo = {.check = o.check, .build_args = o.args, .ctx = &o};
	lo.ignored = o.n_ignored ? is_ignored : NULL;
	lo.base_has = o.n_image_env ? base_has : NULL;
	int r = co_lint(&found, &a, d, &lo, &err);
	if (o.fail ? r >= 0 || !strstr(err.msg, o.fail) : r < 0)
		fail_msg("%s: %d \"%s\"", file, r, err.msg);
	for (size_t i = 0; i < found.n; i++) {
		const struct co_finding *f = &found.items[i];
		co_buf_addf(&got, "%u %s: %s\n", f->pos.line, f->rule->name, f->text);
		co_buf_addf(seen, "%s,", f->rule->name);
	}
	if (strcmp(co_buf_str(&got), expected))
		fail_msg("%s: got\n%sexpected\n%s", file, co_buf_str(&got), expected);
	assert_int_equal(found.error, o.error);
}

static int is_dockerfile(const struct dirent *e)
{
	return co_ends(e->d_name, ".Dockerfile");
}

static void test_cases(void **state)
{
	struct dirent **list;
	auto_buf seen = CO_BUF_INIT(CO_BUF_TEXT);
	int n = scandir("lint", &list, is_dockerfile, alphasort);
	(void)state;

	assert_true(n >= 25);
	for (int i = 0; i < n; i++) {
		*strrchr(list[i]->d_name, '.') = '\0';
		check_case(list[i]->d_name, &seen);
		free(list[i]);
	}
	free(list);
	for (size_t i = 0; co_lint_rules[i].name; i++)
		if (!strstr(co_buf_str(&seen), co_lint_rules[i].name) &&
		    strcmp(co_lint_rules[i].name, "InvalidBaseImagePlatform"))
			fail_msg("no case finds %s", co_lint_rules[i].name);
}

static void test_table(void **state)
{
	size_t n = 0, experimental = 0;
	(void)state;

	for (; co_lint_rules[n].name; n++) {
		const struct co_lint_rule *r = &co_lint_rules[n];
		assert_true(*r->description);
		experimental += r->experimental;
		if (*r->url)
			assert_true(
				co_starts(r->url, "https://docs.docker.com/go/dockerfile/rule/") &&
				co_ends(r->url, "/"));
	}
	assert_int_equal(n, 22);
	assert_int_equal(experimental, 1);
	assert_string_equal(co_lint_rules[6].name, "JSONArgsRecommended");
	assert_string_equal(co_lint_rules[6].url,
			    "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
}

/* Runs the checks over a made-up file; gives the code, and the number of findings in *n. */
static int lint_text(const char *text, const struct co_lint_opts *opts, size_t *n)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct co_findings found = {0};
	struct timespec from, to;
	struct co_dockerfile *d = parse(&a, "generated", text);

	clock_gettime(CLOCK_MONOTONIC, &from);
	int r = co_lint(&found, &a, d, opts, &err);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec < 30);
	*n = found.n;
	return r;
}

/* Large files take time in proportion, or end with an error. */
static void test_large(void **state)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_lint_opts none = {0};
	size_t n;
	(void)state;

	co_buf_adds(&b, "FROM scratch AS s\n");
	for (int i = 0; i < 20000; i++)
		co_buf_addf(&b, "ENV v%d=$u%d\n", i, i);
	assert_int_equal(lint_text(co_buf_str(&b), &none, &n), 0);
	assert_int_equal(n, 20000);
	for (int i = 0; i < 300; i++)
		co_buf_addf(&b, "FROM s AS s%d\n", i);
	assert_int_equal(lint_text(co_buf_str(&b), &none, &n), CO_E_LIMIT);

	co_buf_clear(&b);
	co_buf_adds(&b, "FROM scratch AS s\n");
	for (int i = 0; i < 5000; i++)
		co_buf_adds(&b, "ONBUILD USER $u\n");
	for (int i = 0; i < 21; i++)
		co_buf_adds(&b, "FROM s\n");
	assert_int_equal(lint_text(co_buf_str(&b), &none, &n), CO_E_LIMIT);
	co_buf_cut(&b, b.len - 7); /* one stage less */
	assert_int_equal(lint_text(co_buf_str(&b), &none, &n), 0);
	assert_int_equal(n, 100000);
}

/* Every doubling is one line; what grows beyond measure is let be. */
static void test_growth(void **state)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_lint_opts none = {0};
	size_t n;
	(void)state;

	co_buf_adds(&b, "FROM scratch\nENV a=0123456789\n");
	for (int i = 0; i < 40; i++)
		co_buf_adds(&b, "ENV a=$a$a\n");
	assert_int_equal(lint_text(co_buf_str(&b), &none, &n), 0);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_growth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
