/* SPDX-License-Identifier: MIT
 *
 * Command lines, as a table: what they set, or how they are refused.
 */
#include "../../../builder/cli/build_args.h"
#include "../../../builder/cli/commands.h"
#include "golden.h"

struct sample {
	bool flag, other;
	const char *text;
	struct text_list list;
	unsigned count;
};
static const struct opt table[] = {
	{"flag", 'f', OPT_FLAG, NULL, "a flag", offsetof(struct sample, flag)},
	{"other", 'o', OPT_FLAG, NULL, "another", offsetof(struct sample, other)},
	{"text", 't', OPT_TEXT, "TEXT", "a text", offsetof(struct sample, text)},
	{"list", 'l', OPT_LIST, "ITEM", "a list", offsetof(struct sample, list)},
	{"count", 'c', OPT_COUNT, "N", "a number", offsetof(struct sample, count)},
	OPT_END};
static const struct refusal refused[] = {{"gone", 'g', true, NULL, "it is gone", "do without"},
					 {"off", 0, false, "false", "it is off", "leave it out"},
					 {NULL, 0, false, NULL, NULL, NULL}};
static const struct command sample_command = {.name = "sample",
					      .usage = "[OPTIONS]",
					      .summary = "A sample",
					      .opts = table,
					      .refused = refused,
					      .size = sizeof(struct sample)};

struct world {
	struct co_arena arena;
	struct co_err err;
	struct cmd_ctx c;
	struct sample out;
};

/* Words are separated by blanks; '' is an empty one. */
static int parse_line(struct world *w, const char *line)
{
	char *words[32];
	int n = 0;
	memset(w, 0, sizeof(*w));
	w->c = (struct cmd_ctx){.arena = &w->arena, .err = &w->err};
	char *text = co_arena_strdup(&w->arena, line);
	for (char *p = text; *p;) {
		size_t len = strcspn(p, " ");
		words[n] = strncmp(p, "''", 2) ? p : p + 2;
		n++;
		p += len;
		if (*p)
			*p++ = '\0';
	}
	return opts_parse(&w->c, &sample_command, n, words, &w->out);
}

/* One line that says all: "f=1 o=0 t=x l=a,b c=3 args=y,z". */
static void show(const struct world *w, struct co_buf *out)
{
	co_buf_addf(out, "f=%d o=%d t=%s l=", w->out.flag, w->out.other,
		    w->out.text ? w->out.text : "-");
	for (size_t i = 0; i < w->out.list.n; i++)
		co_buf_addf(out, "%s%s", i ? "," : "", w->out.list.items[i]);
	co_buf_addf(out, " c=%u args=", w->out.count);
	for (int i = 0; i < w->c.argc; i++)
		co_buf_addf(out, "%s%s", i ? "," : "", w->c.argv[i]);
}

static void test_accepted(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"", "f=0 o=0 t=- l= c=0 args="},
		{"a b", "f=0 o=0 t=- l= c=0 args=a,b"},
		{"-f a --other", "f=1 o=1 t=- l= c=0 args=a"},
		{"--text x", "f=0 o=0 t=x l= c=0 args="},
		{"--text=x", "f=0 o=0 t=x l= c=0 args="},
		{"--text= y", "f=0 o=0 t= l= c=0 args=y"},
		{"--text=a=b", "f=0 o=0 t=a=b l= c=0 args="},
		{"--text --flag", "f=0 o=0 t=--flag l= c=0 args="},
		{"-t x", "f=0 o=0 t=x l= c=0 args="},
		{"-tx", "f=0 o=0 t=x l= c=0 args="},
		{"-t=x", "f=0 o=0 t=x l= c=0 args="},
		{"-fo", "f=1 o=1 t=- l= c=0 args="},
		{"-fotx y", "f=1 o=1 t=x l= c=0 args=y"},
		{"-ft x y", "f=1 o=0 t=x l= c=0 args=y"},
		{"--flag=false", "f=0 o=0 t=- l= c=0 args="},
		{"--flag=TRUE", "f=1 o=0 t=- l= c=0 args="},
		{"--flag --flag=0", "f=0 o=0 t=- l= c=0 args="},
		{"-f=0 -o=1", "f=0 o=1 t=- l= c=0 args="},
		{"--flag false", "f=1 o=0 t=- l= c=0 args=false"},
		{"--text a --text b", "f=0 o=0 t=b l= c=0 args="},
		{"-l a --list b -lc --list=d", "f=0 o=0 t=- l=a,b,c,d c=0 args="},
		{"-c 7", "f=0 o=0 t=- l= c=7 args="},
		{"-- -f --nothing", "f=0 o=0 t=- l= c=0 args=-f,--nothing"},
		{"-", "f=0 o=0 t=- l= c=0 args=-"},
		{"--off=false", "f=0 o=0 t=- l= c=0 args="},
		{"'' x", "f=0 o=0 t=- l= c=0 args=,x"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		auto_buf got = CO_BUF_INIT(CO_BUF_SMALL);
		if (parse_line(&w, rows[i][0]) != 0)
			fail_msg("%s: %s", rows[i][0], w.err.msg);
		show(&w, &got);
		if (strcmp(co_buf_str(&got), rows[i][1]))
			fail_msg("%s: %s, not %s", rows[i][0], co_buf_str(&got), rows[i][1]);
		if (w.out.list.n)
			assert_null(w.out.list.items[w.out.list.n]);
		co_arena_release(&w.arena);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		int code;
		const char *msg, *hint;
	} rows[] = {
		{"--txt x", CO_E_USAGE, "unknown flag --txt", "did you mean --text?"},
		{"--flga=1", CO_E_USAGE, "unknown flag --flga", "did you mean --flag?"},
		{"--zzzzzz", CO_E_USAGE, "unknown flag --zzzzzz", "see cooper sample --help"},
		{"-x", CO_E_USAGE, "unknown flag -x", "see cooper sample --help"},
		{"-fx", CO_E_USAGE, "unknown flag -x", "see cooper sample --help"},
		{"--text", CO_E_USAGE, "--text needs a value (TEXT)", "a text"},
		{"-t", CO_E_USAGE, "-t needs a value (TEXT)", "a text"},
		{"-ft", CO_E_USAGE, "-t needs a value (TEXT)", "a text"},
		{"--flag=perhaps", CO_E_USAGE, "--flag takes true or false, not \"perhaps\"", ""},
		{"--count=many", CO_E_USAGE, "--count takes a number, not \"many\"", ""},
		{"--count=-1", CO_E_USAGE, "--count takes a number, not \"-1\"", ""},
		{"--count=99999999999999999999", CO_E_USAGE, "takes a number", ""},
		{"--gone x", CO_E_UNSUPPORTED, "does not carry out --gone: it is gone",
		 "do without"},
		{"--gone=x", CO_E_UNSUPPORTED, "does not carry out --gone: it is gone",
		 "do without"},
		{"--gone", CO_E_UNSUPPORTED, "does not carry out --gone: it is gone", "do without"},
		{"-g x", CO_E_UNSUPPORTED, "does not carry out --gone: it is gone", "do without"},
		{"--off", CO_E_UNSUPPORTED, "does not carry out --off: it is off", "leave it out"},
		{"--off=true", CO_E_UNSUPPORTED, "does not carry out --off", "leave it out"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		int r = parse_line(&w, rows[i].line);
		if (r != rows[i].code || !strstr(w.err.msg, rows[i].msg) ||
		    !strstr(w.err.hint, rows[i].hint))
			fail_msg("%s: %d %s (%s)", rows[i].line, r, w.err.msg, w.err.hint);
		co_arena_release(&w.arena);
	}
}

/* What help, manual and completions are made of must be whole. */
static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		const struct command *cmd = commands[i];
		assert_non_null(cmd->summary);
		assert_non_null(cmd->usage);
		assert_non_null(cmd->examples);
		assert_non_null(strstr(cmd->examples, "cooper "));
		assert_ptr_equal(command_find(cmd->name), cmd);
		for (const struct opt *o = cmd->opts; o->name; o++) {
			assert_non_null(o->help);
			assert_true((o->kind == OPT_FLAG) == (o->arg == NULL));
			assert_true(o->offset < cmd->size);
			for (const struct opt *p = cmd->opts; p < o; p++) {
				assert_string_not_equal(p->name, o->name);
				assert_true(!o->letter || p->letter != o->letter);
				assert_true(p->offset != o->offset);
			}
			for (const struct refusal *f = cmd->refused; f && f->name; f++) {
				assert_string_not_equal(f->name, o->name);
				assert_true(!o->letter || f->letter != o->letter);
			}
		}
		for (const struct refusal *f = cmd->refused; f && f->name; f++) {
			assert_non_null(f->reason);
			assert_non_null(f->cure);
		}
	}
}

/* Every example of every command can be parsed by that command's table. */
static void test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		const struct command *cmd = commands[i];
		auto_arena a = CO_ARENA_INIT;
		char start[64];
		snprintf(start, sizeof(start), "cooper %s", cmd->name);
		for (const char *p = strstr(cmd->examples, start); p; p = strstr(p, start)) {
			char *words[32];
			int n = 0;
			struct co_err err = CO_ERR_INIT;
			struct cmd_ctx c = {.arena = &a, .err = &err};
			p += strlen(start);
			char *text = co_arena_strndup(&a, p, strcspn(p, "\n"));
			text[strcspn(text, "|&>")] = '\0';
			for (char *w = text + strspn(text, " "); *w; w += strspn(w, " ")) {
				words[n++] = w;
				w += strcspn(w, " ");
				if (*w)
					*w++ = '\0';
			}
			if (opts_parse(&c, cmd, n, words, co_arena_alloc(&a, cmd->size)) < 0)
				fail_msg("%s%s: %s", start, p, err.msg);
			if (c.argc < cmd->min_args ||
			    (cmd->max_args >= 0 && c.argc > cmd->max_args))
				fail_msg("%s: %d arguments in %s", start, c.argc, p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_tables), cmocka_unit_test(test_examples)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
