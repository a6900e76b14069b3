/* SPDX-License-Identifier: MIT
 *
 * test_values.c — values of options after expansion: mounts, modes, ports, signals. The rows are in
 * mounts.tsv, chmod.tsv and expose.tsv.
 */
#include "cases.h"
#include <cooper/dockerfile.h>
#include <cooper/str.h>

/* An error was expected (a text with "!") and came, or the test fails. False: none was expected. */
static bool check_error(const char *file, const struct row *r, const char *expected, int e,
			const struct co_err *err)
{
	if (expected[0] != '!') {
		if (e < 0)
			fail_msg("%s:%u: %s", file, r->line, err->msg);
		return false;
	}
	if (e >= 0)
		fail_msg("%s:%u: no error", file, r->line);
	if (!strstr(err->msg, expected + 1))
		fail_msg("%s:%u: the error is \"%s\"", file, r->line, err->msg);
	return true;
}

/* ---- mounts ---- */

static const char *get(void *ctx, const char *name)
{
	static const char *const vars[][2] = {{"home", "/root"}, {"id", "npm"}, {"empty", ""}};
	(void)ctx;
	for (size_t i = 0; i < 3; i++)
		if (!strcmp(vars[i][0], name))
			return vars[i][1];
	return NULL;
}

static void add_text(struct co_buf *out, const char *name, const char *value)
{
	if (value)
		co_buf_addf(out, " %s=%s", name, value);
}

static void print_mount(struct co_buf *out, const struct co_mount *m)
{
	static const char *const types[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
	static const char *const sharing[] = {"", " private", " locked"};
	co_buf_adds(out, types[m->type]);
	add_text(out, "target", m->target);
	add_text(out, "source", m->source);
	add_text(out, "from", m->from);
	add_text(out, "id", m->id);
	add_text(out, "env", m->env);
	co_buf_addf(out, " %s%s%s", m->readonly ? "ro" : "rw", m->required ? " required" : "",
		    sharing[m->sharing]);
	if (m->size)
		co_buf_addf(out, " size=%llu", (unsigned long long)m->size);
	if (m->has_mode)
		co_buf_addf(out, " mode=%o", m->mode);
	if (m->has_uid)
		co_buf_addf(out, " uid=%u", m->uid);
	if (m->has_gid)
		co_buf_addf(out, " gid=%u", m->gid);
}

static void check_mount(const struct row *r)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
	struct co_err err = CO_ERR_INIT;
	struct co_vars vars = {.get = get};
	struct co_mount m;

	memset(&m, 0x55, sizeof(m));
	int e = co_mount_parse(&m, &a, r->fields[0], '\\', &vars, &err);
	if (check_error("mounts.tsv", r, r->fields[1], e, &err)) {
		struct co_mount untouched;
		memset(&untouched, 0x55, sizeof(untouched));
		assert_memory_equal(&m, &untouched, sizeof(m));
		if (*r->fields[2] && !strstr(err.hint, r->fields[2]))
			fail_msg("mounts.tsv:%u: the hint is \"%s\"", r->line, err.hint);
		return;
	}
	print_mount(&out, &m);
	case_equal("mounts.tsv", r, co_buf_str(&out), r->fields[1]);
}

static void test_mounts(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	size_t n;
	struct row *rows = case_rows(&a, "mounts.tsv", &n);
	(void)state;

	for (size_t i = 0; i < n; i++)
		check_mount(&rows[i]);
	assert_true(n >= 90);
}

static void test_many_options(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_err err = CO_ERR_INIT;
	struct co_mount m;
	(void)state;

	co_buf_adds(&b, "target=/a");
	for (int i = 0; i < 64; i++)
		co_buf_adds(&b, ",ro");
	assert_int_equal(co_mount_parse(&m, &a, co_buf_str(&b), '\\', NULL, &err), CO_E_LIMIT);
	co_err_clear(&err);
	co_buf_cut(&b, b.len - 3);
	assert_int_equal(co_mount_parse(&m, &a, co_buf_str(&b), '\\', NULL, &err), 0);
}

/* ---- modes ---- */

static void check_chmod(const struct row *r)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	const struct co_chmod *c = NULL;
	bool is_dir = r->fields[1][0] == 'd';
	uint32_t from, expected, octal = 07070;

	int e = co_chmod_parse(&c, &a, r->fields[0], &err);
	if (check_error("chmod.tsv", r, r->fields[2], e, &err)) {
		assert_null(c);
		return;
	}
	assert_true(co_parse_octal(r->fields[1] + is_dir, &from));
	assert_true(co_parse_octal(r->fields[2], &expected));
	uint32_t got = co_chmod_apply(c, from, is_dir);
	if (got != expected)
		fail_msg("chmod.tsv:%u: got %o, expected %o", r->line, got, expected);
	/* file type bits are not part of a mode */
	assert_int_equal(co_chmod_apply(c, from | 0100000, is_dir), expected);
	bool is_octal = co_is_digit(r->fields[0][0]);
	assert_int_equal(co_chmod_octal(c, &octal), is_octal);
	assert_int_equal(octal, is_octal ? expected : 07070);
}

static void test_chmod(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	size_t n;
	struct row *rows = case_rows(&a, "chmod.tsv", &n);
	(void)state;

	for (size_t i = 0; i < n; i++)
		check_chmod(&rows[i]);
	assert_true(n >= 90);
}

/* ---- ports ---- */

static void test_expose(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	size_t n;
	struct row *rows = case_rows(&a, "expose.tsv", &n);
	(void)state;

	for (size_t i = 0; i < n; i++) {
		auto_buf out = CO_BUF_INIT(CO_BUF_SMALL);
		struct co_err err = CO_ERR_INIT;
		char **ports = NULL;
		size_t n_ports = 99;
		int e = co_expose_parse(&ports, &n_ports, &a, rows[i].fields[0], &err);
		if (check_error("expose.tsv", &rows[i], rows[i].fields[1], e, &err)) {
			assert_int_equal(n_ports, 99);
			continue;
		}
		for (size_t k = 0; k < n_ports; k++)
			co_buf_addf(&out, "%s%s", k ? " " : "", ports[k]);
		case_equal("expose.tsv", &rows[i], co_buf_str(&out), rows[i].fields[1]);
	}
	assert_true(n >= 40);
}

static void test_expose_all(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	char **ports;
	size_t n;
	(void)state;

	assert_int_equal(co_expose_parse(&ports, &n, &a, "0-65535/udp", &err), 0);
	assert_int_equal(n, 65536);
	assert_string_equal(ports[0], "0/udp");
	assert_string_equal(ports[65535], "65535/udp");
}

/* ---- signals ---- */

static void test_signals(void **state)
{
	static const char *const good[] = {
		"SIGTERM", "TERM",	 "sigterm",  "Kill",	 "SIGKILL",    "9",	   "1",
		"64",	   "SIGQUIT",	 "HUP",	     "USR1",	 "SIGWINCH",   "SIGRTMIN", "RTMAX",
		"RTMIN+1", "SIGRTMIN+3", "rtmin+15", "RTMAX-14", "SIGRTMAX-1", "STKFLT",   "CLD"};
	static const char *const bad[] = {"",
					  "0",
					  "65",
					  "-1",
					  "+9",
					  "SIG",
					  "SIGFOO",
					  "TERM ",
					  " TERM",
					  "RTMIN+0",
					  "RTMIN+16",
					  "RTMAX-15",
					  "RTMAX-0",
					  "RTMIN-1",
					  "RTMAX+1",
					  "RTMIN+",
					  "RTMIN+01",
					  "RTMIN+x",
					  "SIGSIGTERM",
					  "9x",
					  "TERMINATE",
					  "$SIGNAL",
					  "18446744073709551625"};
	(void)state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!co_signal_valid(good[i]))
			fail_msg("%s is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (co_signal_valid(bad[i]))
			fail_msg("\"%s\" is accepted", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mounts),	   cmocka_unit_test(test_many_options),
		cmocka_unit_test(test_chmod),	   cmocka_unit_test(test_expose),
		cmocka_unit_test(test_expose_all), cmocka_unit_test(test_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
