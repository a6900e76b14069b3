/* SPDX-License-Identifier: MIT
 *
 * step-run [-s SANDBOX] [-u UID[:GID]] [-t TABLE] [-n] [-r COUNT] [-T SECONDS] [-C DIR] ROOT
 * COMMAND...
 *
 * Runs one step in a root directory, as the executor would, or COUNT steps, one after the other.
 * For trying sandboxes by hand, in tests/e2e and in tests/bench. Exit status: the last command's.
 */
#include <cooper/event.h>
#include <cooper/owntab.h>
#include <cooper/sandbox.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void show(void *ctx, const struct co_event *e)
{
	(void)ctx;
	if (e->kind == CO_EV_STEP_OUTPUT)
		(void)!write(e->fd, e->text, e->len);
	else if (e->kind == CO_EV_WARNING)
		fprintf(stderr, "warning: %s\n", e->text);
}

static int fail(const struct co_err *err)
{
	fprintf(stderr, "step-run: %s\n", err->msg);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	return 125;
}

int main(int argc, char **argv)
{
	struct co_err err = CO_ERR_INIT;
	struct co_run run = {.cwd = "/", .env = (const char *const *)environ};
	struct co_root root = {.fd = -1};
	struct co_sandbox *s;
	struct co_result res;
	enum co_place place = CO_PLACE_NONE;
	struct co_bus listener = {show, NULL}, *bus = &listener;
	const char *name = "emulated", *table = NULL;
	unsigned long count = 1;
	for (int o; (o = getopt(argc, argv, "+s:u:t:nr:T:C:")) != -1;) {
		char *rest = NULL;
		if (o == 's')
			name = optarg;
		else if (o == 'u') {
			run.uid = run.gid = (uint32_t)strtoul(optarg, &rest, 10);
			if (*rest == ':')
				run.gid = (uint32_t)strtoul(rest + 1, NULL, 10);
		} else if (o == 't')
			table = optarg;
		else if (o == 'n')
			run.net = CO_NET_NONE;
		else if (o == 'r')
			count = strtoul(optarg, NULL, 10);
		else if (o == 'T')
			run.timeout_s = (unsigned)strtoul(optarg, NULL, 10);
		else if (o == 'C')
			run.cwd = optarg;
	}
	if (argc - optind < 2)
		return 125;
	if (!strcmp(name, "userns") && co_place_enter(&place, name, bus, &err) < 0)
		return fail(&err);
	if (co_sandbox_open(&s, name, place, bus, &err) < 0)
		return fail(&err);
	root.fd = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (co_sandbox_wants_owners(s) &&
	    !(table && co_owntab_open(&root.owners, table, &err) == 0)) {
		co_err_clear(&err);
		if (co_owntab_create(&root.owners, table, &err) < 0)
			return fail(&err);
	}
	run.argv = (const char *const *)argv + optind + 1;
	do
		if (co_sandbox_run(s, &root, &run, &res, &err) < 0)
			return fail(&err);
	while (count-- > 1);
	co_sandbox_close(s);
	if (res.timed_out)
		fprintf(stderr, "step-run: timed out\n");
	return WIFEXITED(res.status) ? WEXITSTATUS(res.status) : 128 + WTERMSIG(res.status);
}
