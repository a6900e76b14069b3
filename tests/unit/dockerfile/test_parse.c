/* SPDX-License-Identifier: MIT
 *
 * test_parse.c — the parser against files of cases, and against inputs of hostile size.
 *
 * parse/NAME.cases and invalid/NAME.cases hold cases of the form
 *     === name [options]
 *     the Dockerfile
 *     ---
 *     its dump, or the error with place, hint and source lines
 * Options change the text before it is parsed: crlf, bom, noeol (no final newline), hex ({c2}{a0}
 * stands for bytes), one (co_dockerfile_parse_one instead).
 */
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/dockerfile.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <glob.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define MIB (1u << 20)

static void read_all(struct co_buf *b, const char *path)
{
	struct co_err err = CO_ERR_INIT;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(co_buf_read_fd(b, fd, path, &err), 0);
}

static void put_error(struct co_buf *out, const struct co_err *err)
{
	co_buf_addf(out, "%s %u:%u %s\n", co_err_name(err->code), err->pos.line, err->pos.col,
		    err->msg);
	if (err->hint[0])
		co_buf_addf(out, "hint: %s\n", err->hint);
	for (const char *s = err->excerpt; *s; s += strspn(s, "\n")) {
		size_t n = strcspn(s, "\n");
		bool text = co_utf8_valid(s, n);
		co_buf_adds(out, "> ");
		for (; n--; s++)
			co_buf_addc(out, text || !(*s & 0x80) ? *s : '?');
		co_buf_addc(out, '\n');
	}
}

static char at_pos(const struct co_source *src, struct co_pos pos)
{
	const char *s = src->text, *end = s + src->len;
	for (unsigned i = 1; i < pos.line; i++) {
		s = memchr(s, '\n', (size_t)(end - s));
		assert_non_null(s);
		s++;
	}
	if (pos.line == 1 && src->len >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
		s += 3;
	s += pos.col - 1;
	return s < end ? *s : '\0';
}

/* Whatever stands in the tree must stand at its place in the text. */
static void check_places(const struct co_source *src, const struct co_insn *i)
{
	char first = at_pos(src, i->pos);
	if (first != '\\' && first != '`') /* a continuation with nothing before it */
		assert_int_equal(first, i->keyword[0]);
	assert_true(i->pos.end_line >= i->pos.line);
	for (size_t k = 0; k < i->n_args; k++) {
		char c = at_pos(src, i->arg_pos[k]);
		if (i->json)
			assert_int_equal(c, '"');
		else if (!co_starts(i->args[k], "<<") && *i->args[k])
			assert_int_equal(c, i->args[k][0]);
	}
	for (size_t k = 0; k < i->n_kvs; k++)
		assert_int_equal(at_pos(src, i->kvs[k].pos), i->kvs[k].key[0]);
	for (size_t k = 0; k < i->n_flags; k++)
		assert_int_equal(at_pos(src, i->flags[k].pos), '-');
	if (i->inner)
		check_places(src, i->inner);
}

static void run(struct co_buf *out, const struct co_source *src, bool one)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct co_dockerfile *d, whole = {.escape = '\\'};
	struct co_insn *insn;
	struct co_stage_ast stage = {.base = ""};
	int r;
	if (one) {
		r = co_dockerfile_parse_one(&insn, &a, src, &err);
		if (!r) {
			stage.from = insn;
			whole.stages = &stage;
			whole.n_stages = 1;
			d = &whole;
		}
	} else {
		r = co_dockerfile_parse(&d, &a, src, &err);
	}
	if (r < 0) {
		assert_int_equal(r, err.code);
		put_error(out, &err);
		return;
	}
	for (size_t i = 0; i < d->n_globals; i++)
		check_places(src, d->globals[i]);
	for (size_t i = 0; i < d->n_stages; i++) {
		check_places(src, d->stages[i].from);
		for (size_t k = 0; k < d->stages[i].n_insns; k++)
			check_places(src, d->stages[i].insns[k]);
	}
	co_dockerfile_dump(out, d);
}

static void prepare(struct co_buf *out, const char *s, const char *end, const char *opts)
{
	bool crlf = strstr(opts, "crlf"), hex = strstr(opts, "hex");
	if (strstr(opts, "bom"))
		co_buf_adds(out, "\xef\xbb\xbf");
	for (; s < end; s++) {
		unsigned byte;
		if (hex && end - s >= 4 && *s == '{' && s[3] == '}' &&
		    sscanf(s + 1, "%2x", &byte) == 1) {
			co_buf_addc(out, (char)byte);
			s += 3;
			continue;
		}
		if (*s == '\n' && crlf)
			co_buf_addc(out, '\r');
		co_buf_addc(out, *s);
	}
	if (strstr(opts, "noeol"))
		co_buf_cut(out, out->len - 1);
}

/* One case: from the line behind "=== name" to the next "===". Returns whether it passed. */
static bool run_case(const char *file, const char *name, const char *opts, const char *s,
		     const char *end)
{
	auto_buf text = CO_BUF_INIT(MIB), got = CO_BUF_INIT(MIB), want = CO_BUF_INIT(MIB);
	const char *mid = co_starts(s, "---\n") ? s : strstr(s, "\n---\n");
	if (!mid || mid >= end)
		fail_msg("%s: %s: no expectation", file, name);
	const char *stop = mid == s ? s : mid + 1;
	prepare(&text, s, stop, opts);
	co_buf_add(&want, stop + 4, (size_t)(end - stop - 4));
	struct co_source src = {"Dockerfile", co_buf_str(&text), text.len};
	run(&got, &src, strstr(opts, "one"));
	if (!strcmp(co_buf_str(&want), co_buf_str(&got)))
		return true;
	print_error("%s: %s\nwant:\n%sgot:\n%s\n", file, name, co_buf_str(&want), co_buf_str(&got));
	return false;
}

static void run_file(const char *path, unsigned *n, unsigned *failed)
{
	auto_buf b = CO_BUF_INIT(4 * MIB);
	read_all(&b, path);
	const char *s = co_buf_str(&b), *end = s + b.len;
	assert_true(co_starts(s, "=== "));
	while (s && s < end) {
		const char *nl = strchr(s, '\n'), *next = strstr(s, "\n=== ");
		assert_non_null(nl);
		char head[128], *opts;
		snprintf(head, sizeof(head), "%.*s", (int)(nl - s - 4), s + 4);
		opts = strchr(head, ' ');
		if (opts)
			*opts++ = '\0';
		next = next ? next + 1 : end;
		*failed += !run_case(path, head, opts ? opts : "", nl + 1, next);
		++*n;
		s = next;
	}
}

static void run_folder(const char *pattern, unsigned at_least)
{
	glob_t g;
	unsigned n = 0, failed = 0;
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		run_file(g.gl_pathv[i], &n, &failed);
	globfree(&g);
	assert_int_equal(failed, 0);
	assert_true(n >= at_least);
}

static void test_parse(void **state)
{
	(void)state;
	run_folder("parse/*.cases", 100);
}

static void test_invalid(void **state)
{
	(void)state;
	run_folder("invalid/*.cases", 70);
}

/* ---- size ---- */

static void fill(struct co_buf *b, const char *head, const char *part, size_t times,
		 const char *tail)
{
	co_buf_adds(b, head);
	for (size_t i = 0; i < times; i++)
		co_buf_adds(b, part);
	co_buf_adds(b, tail);
	assert_false(b->overflow);
}

/* Bytes that malloc has given out; 0 under sanitizers, which have their own. */
static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
}

/* Parses text; the tree may take at most FACTOR bytes for each byte of it. */
#define FACTOR 64
static int parse_sized(const struct co_buf *b, size_t *stages)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct co_dockerfile *d;
	struct co_source src = {"Dockerfile", co_buf_str(b), b->len};
	struct timespec from, to;
	size_t before = in_use();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	int r = co_dockerfile_parse(&d, &a, &src, &err);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	/* generous: sanitizers and busy machines; quadratic code takes minutes */
	assert_true(to.tv_sec - from.tv_sec < 20);
	assert_true(in_use() - before < FACTOR * b->len + MIB);
	if (!r)
		*stages = d->n_stages;
	return r;
}

static const struct big {
	const char *head, *part;
	size_t times;
	const char *tail;
	int result;
} bigs[] = {
	{"", "FROM x AS s\nRUN a\nCOPY a b\n", 100000, "", 0},
	{"FROM x\n", "RUN a\n", 499999, "", 0},
	{"FROM x\n", "RUN a\n", 500000, "", CO_E_LIMIT},
	{"FROM x\n", "# comment\n", 1 << 20, "", 0},
	{"FROM x\n", "RUN echo a b c d e f g h i j k l m\n", 290000, "", 0},
	{"FROM x\nRUN ", "aaaaaaaaaaaaaaaa", 4095, "\n", 0},
	{"FROM x\nRUN ", "aaaaaaaaaaaaaaaa", 4096, "\n", CO_E_LIMIT},
	{"FROM x\nRUN ", "aaaaaaaaaaaaaaaa", MIB / 16, "\n", CO_E_LIMIT},
	{"FROM x\nRUN a", " b\\\n", 500000, "\n", 0},
	{"FROM x\nRUN a", " b\\\n", 530000, "\n", CO_E_LIMIT},
	{"FROM x\nRUN a \\\n", "\n", 8 * MIB, "b\n", 0},
	{"FROM x\nRUN a \\\n", "# c\n", 2 * MIB, "b\n", 0},
	{"FROM x\nRUN <<e\n", "\t\n", 4 * MIB, "e\n", 0},
	{"FROM x\nCOPY <<-e /d\n", "\t\n", 4 * MIB, "e\n", 0},
	{"FROM x\nRUN ", "[\\\n", 300000, "\n", 0},
	{"FROM x\nRUN [\"a\"", ",\"a\"\\\n", 200000, "]\n", 0},
	{"FROM x\nRUN <<a ", "${a:-\"\\\n", 150000, "\n", 0},
	{"FROM x\nCOPY <<a ", "'<<b' \\\n", 150000, "/\nb\na\n", 0},
	{"FROM x\nRUN ", "--device=a \\\n", 80000, "b\n", 0},
	{"FROM x\nRUN ", "--mount=type=tmpfs,target=/a \\\n", 30000, "b\n", 0},
	{"FROM x\nENV ", "a=b \\\n", 250000, "\n", 0},
	{"FROM x\nRUN ", "<<a \\\n", 256, "\n", CO_E_SYNTAX},
	{"FROM x\nRUN ", "<<a \\\n", 257, "\n", CO_E_LIMIT},
	{"", "x\\\n", 500000, "\n", CO_E_SYNTAX},
	{"# ", "a", 17 * MIB, "\n", CO_E_LIMIT},
};

static void test_big(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bigs) / sizeof(bigs[0]); i++) {
		auto_buf b = CO_BUF_INIT(32 * MIB);
		size_t stages = 0;
		fill(&b, bigs[i].head, bigs[i].part, bigs[i].times, bigs[i].tail);
		int r = parse_sized(&b, &stages);
		if (r != bigs[i].result)
			fail_msg("row %zu: %d, not %d", i, r, bigs[i].result);
		if (!r)
			assert_int_equal(stages, i ? 1 : 100000);
	}
}

/* Every prefix of a text that uses everything: no crash, and an error that names a line. */
static void test_prefixes(void **state)
{
	static const char text[] =
		"# syntax=a b\n# escape=`\n#c\nARG a=\"b c\" d\nFROM --platform=$P x`y AS Z\n"
		"ONBUILD COPY --chown=a <<-'E' 3<<F /d/\n\tx\n\tE\ny\nF\n"
		"RUN --mount=type=bind,src=\"b\" [\"a\\u00e9\", \"\\ud83d\\ude00\"] `\n#x\n\n || "
		"b\n"
		"HEALTHCHECK --interval=1s CMD [\"x\"]\nENV a b\nLABEL a='b c'\nVOLUME [\"/a\"]\n"
		"RUN echo ${a:-\"${b//x/y}\"} '<<q' <<E\nE\n";
	(void)state;
	for (size_t n = 1; n < sizeof(text); n++) {
		auto_arena a = CO_ARENA_INIT;
		struct co_err err = CO_ERR_INIT;
		struct co_dockerfile *d;
		auto_free char *copy = malloc(n); /* exact, so that ASan sees a read behind it */
		memcpy(copy, text, n);
		struct co_source src = {"Dockerfile", copy, n};
		int r = co_dockerfile_parse(&d, &a, &src, &err);
		assert_true(r == 0 || (err.pos.line > 0 && err.file[0]));
		if (n == sizeof(text) - 1)
			assert_int_equal(r, 0);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(co_op_name(CO_OP_FROM), "FROM");
	assert_string_equal(co_op_name(CO_OP_MAINTAINER), "MAINTAINER");
	assert_string_equal(co_op_name(CO_OP_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_big),   cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
