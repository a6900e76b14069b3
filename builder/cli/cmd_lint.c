/* SPDX-License-Identifier: MIT
 *
 * lint: the build checks on files, without a context and without building.
 */
#include "commands.h"
#include "lint_report.h"
#include <cooper/dockerfile.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <string.h>

#define DOCKERFILE_MAX (16u << 20)

struct lint_opts {
	struct common_opts common;
	struct text_list build_args;
	const char *format, *check;
	bool exit_zero;
};
static const struct opt lint_table[] = {
	{"format", 0, OPT_TEXT, "FORMAT", "text (default), json, sarif, github or gitlab",
	 offsetof(struct lint_opts, format)},
	{"check", 0, OPT_TEXT, "RULES", "as # check= has them: skip=RULE,…;error=true",
	 offsetof(struct lint_opts, check)},
	{"build-arg", 0, OPT_LIST, "NAME[=VALUE]", "an argument that the build is going to get",
	 offsetof(struct lint_opts, build_args)},
	{"exit-zero", 0, OPT_FLAG, NULL, "findings do not make the exit status 1",
	 offsetof(struct lint_opts, exit_zero)},
	{"help", 'h', OPT_FLAG, NULL, "show this help", offsetof(struct lint_opts, common.help)},
	OPT_END};

static int read_source(struct cmd_ctx *c, const char *name, struct co_source *out)
{
	auto_free char *text = NULL;
	size_t len;
	int r;
	if (!strcmp(name, "-")) {
		auto_buf b = CO_BUF_INIT(DOCKERFILE_MAX);
		r = co_buf_read_fd(&b, 0, "standard input", c->err);
		len = b.len;
		out->name = "stdin";
		out->text = r ? NULL : co_arena_dup(c->arena, co_buf_str(&b), len);
	} else {
		r = co_read_file(AT_FDCWD, name, DOCKERFILE_MAX, &text, &len, c->err);
		out->name = name;
		out->text = r ? NULL : co_arena_dup(c->arena, text, len);
	}
	if (!r)
		out->len = len;
	return r;
}

static const char *const *arg_names(struct cmd_ctx *c, const struct lint_opts *o)
{
	const char **names = NULL;
	size_t n = 0;
	for (size_t i = 0; i < o->build_args.n; i++) {
		const char *text = o->build_args.items[i];
		*co_arena_push(c->arena, names, n) =
			co_arena_strndup(c->arena, text, strcspn(text, "="));
	}
	*co_arena_push(c->arena, names, n) = NULL;
	return names;
}

/* A file that can not be parsed is a finding too: one report for all of them. */
static int lint_one(struct cmd_ctx *c, const struct lint_opts *o, const char *name,
		    struct lint_file *out)
{
	struct co_source *src = co_arena_new(c->arena, struct co_source);
	struct co_findings *found = co_arena_new(c->arena, struct co_findings);
	struct co_err *err = co_arena_new(c->arena, struct co_err);
	struct co_dockerfile *d;
	struct co_lint_opts lo = {.check = o->check, .build_args = arg_names(c, o)};
	int r = read_source(c, name, src);
	if (r < 0)
		return r;
	out->source = src;
	r = co_dockerfile_parse(&d, c->arena, src, err);
	if (!r)
		r = co_lint(found, c->arena, d, &lo, err);
	if (r < 0)
		out->error = err;
	else
		out->findings = found;
	return 0;
}

static int run_lint(struct cmd_ctx *c, void *opts)
{
	const struct lint_opts *o = opts;
	const struct lint_report *report = lint_report_find(o->format ? o->format : "text");
	static char *default_names[] = {"Dockerfile"};
	char **names = c->argc ? c->argv : default_names;
	size_t n = c->argc ? (size_t)c->argc : 1, found = 0;
	if (!report)
		return co_fail(c->err, CO_E_USAGE,
			       "cooper lint: --format is text, json, sarif, github or gitlab");
	struct lint_file *files = co_arena_alloc(c->arena, n * sizeof(*files));
	const struct co_err *broken = NULL;
	for (size_t i = 0; i < n; i++) {
		int r = lint_one(c, o, names[i], &files[i]);
		if (r < 0)
			return r;
		found += files[i].findings ? files[i].findings->n : 0;
		if (files[i].error && !broken)
			broken = files[i].error;
	}
	auto_buf out = CO_BUF_INIT(4 * CO_BUF_TEXT);
	report->write(&out, files, n);
	fwrite(co_buf_str(&out), 1, out.len, stdout);
	if (broken)
		return co_err_exit(broken);
	return found && !o->exit_zero ? 1 : 0;
}

const struct command cmd_lint = {
	.name = "lint",
	.usage = "[OPTIONS] [FILE…]",
	.summary = "Check Dockerfiles",
	.detail = "FILE is Dockerfile when none is given; - is standard input. The rules are those "
		  "of\n"
		  "docker build --check. The exit status is 1 when something was found, 3 when a "
		  "file\n"
		  "can not be parsed. sarif is for code scanning services, github writes "
		  "annotations for\n"
		  "an Actions log, gitlab a code quality report.",
	.examples = "  cooper lint\n"
		    "  cooper lint --format sarif Dockerfile docker/*.Dockerfile > lint.sarif\n"
		    "  cooper lint --check 'skip=JSONArgsRecommended' Dockerfile",
	.opts = lint_table,
	.size = sizeof(struct lint_opts),
	.max_args = -1,
	.run = run_lint};
