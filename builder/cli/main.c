/* SPDX-License-Identifier: MIT
 *
 * cooper — builds container images without daemon, root or privileges.
 */
#include "cli.h"
#include <cooper/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Descriptors 0-2 must exist, or a file of ours would become stdout. */
static void sane_start(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) < 0)
			_exit(70);
	/* credentials live in this process: nothing may read its memory or its files in /proc */
	prctl(PR_SET_DUMPABLE, 0);
	struct rlimit n;
	if (getrlimit(RLIMIT_NOFILE, &n) == 0 && n.rlim_cur < n.rlim_max) {
		n.rlim_cur = n.rlim_max > 1048576 ? 1048576 : n.rlim_max;
		setrlimit(RLIMIT_NOFILE, &n);
	}
	umask(022);
	co_interrupt_install();
}

static int unknown_command(const char *name, struct co_err *err)
{
	const char *names[64];
	size_t n = 0;
	for (size_t i = 0; commands[i] && n < 63; i++)
		if (!commands[i]->hidden)
			names[n++] = commands[i]->name;
	names[n] = NULL;
	const char *near = co_nearest(name, names);
	co_fail(err, CO_E_USAGE, "unknown command \"%s\"", name);
	return near ? co_hint(err, "did you mean cooper %s?", near)
		    : co_hint(err, "see cooper --help");
}

static int check_count(const struct command *cmd, const struct cmd_ctx *c)
{
	if (c->argc >= cmd->min_args && (cmd->max_args < 0 || c->argc <= cmd->max_args))
		return 0;
	co_fail(c->err, CO_E_USAGE, "cooper %s: %s", cmd->name,
		c->argc < cmd->min_args ? "an argument is missing" : "too many arguments");
	return co_hint(c->err, "usage: cooper %s %s", cmd->name, cmd->usage);
}

static bool asks_help(const struct command *cmd, const void *opts)
{
	for (const struct opt *o = cmd->opts; o->name; o++)
		if (!strcmp(o->name, "help"))
			return *(const bool *)((const char *)opts + o->offset);
	return false;
}

static int run(int argc, char **argv, struct cmd_ctx *c)
{
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help_all(argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	const char *name =
		!strcmp(argv[1], "--version") || !strcmp(argv[1], "-v") ? "version" : argv[1];
	const struct command *cmd = command_find(name);
	if (!cmd)
		return unknown_command(name, c->err);
	void *opts = co_arena_alloc(c->arena, cmd->size);
	int r = opts_parse(c, cmd, argc - 2, argv + 2, opts);
	if (r < 0)
		return r;
	if (asks_help(cmd, opts)) {
		help_print(stdout, cmd);
		return 0;
	}
	r = check_count(cmd, c);
	return r ? r : cmd->run(c, opts);
}

int main(int argc, char **argv)
{
	struct co_arena arena = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	sane_start();
	struct cmd_ctx c = {.arena = &arena, .err = &err};
	int r = run(argc, argv, &c);
	if (r < 0 && !c.reported)
		error_print(stderr, &err, color_wanted(stderr));
	co_arena_release(&arena);
	if (fflush(stdout) != 0 && r == 0) {
		if (errno == EPIPE) /* the reader has seen enough */
			return 128 + SIGPIPE;
		fprintf(stderr, "error: write standard output\n");
		return 70;
	}
	return r < 0 ? co_err_exit(&err) : r;
}
