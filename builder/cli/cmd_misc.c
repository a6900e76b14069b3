/* SPDX-License-Identifier: MIT
 *
 * version, help, and two hidden ones for the sources of this program itself.
 */
#include "commands.h"
#include <cooper/dockerfile.h>
#include <cooper/fs.h>
#include <cooper/json.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

struct version_opts {
	struct common_opts common;
	const char *format;
};
static const struct opt version_table[] = {
	{"format", 0, OPT_TEXT, "FORMAT", "text (default) or json",
	 offsetof(struct version_opts, format)},
	{"help", 'h', OPT_FLAG, NULL, "show this help", offsetof(struct version_opts, common.help)},
	OPT_END};

static int run_version(struct cmd_ctx *c, void *opts)
{
	static const char *const formats[] = {"text", "json", NULL};
	const struct version_opts *o = opts;
	struct utsname u = {0};
	if (!cli_one_of(o->format, formats))
		return co_fail(c->err, CO_E_USAGE, "cooper version: --format is text or json");
	uname(&u);
	if (!o->format || !strcmp(o->format, "text")) {
		printf("cooper " COOPER_VERSION " (%s)\n", u.machine);
		return 0;
	}
	auto_json j = json_object();
	json_object_set_new(j, "version", json_string(COOPER_VERSION));
	json_object_set_new(j, "machine", co_json_string(u.machine));
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	co_json_write(&b, j);
	printf("%s\n", co_buf_str(&b));
	return 0;
}

const struct command cmd_version = {.name = "version",
				    .usage = "[OPTIONS]",
				    .summary = "Show the version",
				    .examples = "  cooper version",
				    .opts = version_table,
				    .size = sizeof(struct version_opts),
				    .run = run_version};

struct help_opts {
	struct common_opts common;
};
static const struct opt help_table[] = {
	{"help", 'h', OPT_FLAG, NULL, "show this help", offsetof(struct help_opts, common.help)},
	OPT_END};

static int run_help(struct cmd_ctx *c, void *opts)
{
	(void)opts;
	if (!c->argc) {
		help_all(stdout);
		return 0;
	}
	const struct command *cmd = command_find(c->argv[0]);
	if (!cmd) {
		co_fail(c->err, CO_E_USAGE, "unknown command \"%s\"", c->argv[0]);
		return co_hint(c->err, "cooper help lists them");
	}
	help_print(stdout, cmd);
	return 0;
}

const struct command cmd_help = {.name = "help",
				 .usage = "[COMMAND]",
				 .summary = "Show help",
				 .examples = "  cooper help build",
				 .opts = help_table,
				 .size = sizeof(struct help_opts),
				 .max_args = 1,
				 .run = run_help};

static int run_gen(struct cmd_ctx *c, void *opts)
{
	(void)opts;
	return gen_run(c, c->argv[0], c->argv[1]);
}

const struct command cmd_gen = {.name = "__gen",
				.usage = "man|completions|docs DIR",
				.summary = "Write manual pages, completions or reference pages",
				.examples = "  cooper __gen man man",
				.opts = help_table,
				.size = sizeof(struct help_opts),
				.min_args = 2,
				.max_args = 2,
				.hidden = true,
				.run = run_gen};

static int run_dump(struct cmd_ctx *c, void *opts)
{
	(void)opts;
	auto_free char *text = NULL;
	size_t len;
	struct co_dockerfile *d;
	int r = co_read_file(AT_FDCWD, c->argv[0], 16u << 20, &text, &len, c->err);
	if (r < 0)
		return r;
	struct co_source src = {.name = c->argv[0], .text = text, .len = len};
	r = co_dockerfile_parse(&d, c->arena, &src, c->err);
	if (r < 0)
		return r;
	auto_buf b = CO_BUF_INIT(4 * CO_BUF_TEXT);
	co_dockerfile_dump(&b, d);
	fwrite(co_buf_str(&b), 1, b.len, stdout);
	return 0;
}

const struct command cmd_dump = {.name = "__dump",
				 .usage = "FILE",
				 .summary = "Show the syntax tree of a Dockerfile",
				 .examples = "  cooper __dump Dockerfile",
				 .opts = help_table,
				 .size = sizeof(struct help_opts),
				 .min_args = 1,
				 .max_args = 1,
				 .hidden = true,
				 .run = run_dump};
