/* SPDX-License-Identifier: MIT
 *
 * Calls without a trap: the programs of tests/tools that check them from inside, with and without.
 */
#include <cooper/fs.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <grp.h>
#include <cmocka.h>

#define USER 1000

struct world {
	char dir[64];
};

static int make(void **state)
{
	static struct world w;
	strcpy(w.dir, "/var/tmp/direct-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	assert_int_equal(chmod(w.dir, 0755), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(w.dir, USER, USER), 0);
	*state = &w;
	return 0;
}

static int unmake(void **state)
{
	struct world *w = *state;
	struct co_err err = CO_ERR_INIT;
	(void)!co_remove_tree(AT_FDCWD, w->dir, &err);
	co_err_clear(&err);
	return 0;
}

static void run(const char *flag, const char *root, const char *program, const char *arg)
{
	int status;
	pid_t p = fork();
	if (p == 0) {
		gid_t user = USER;
		if (geteuid() == 0 && (setgroups(1, &user) || setgid(USER) || setuid(USER)))
			_exit(120);
		alarm(120); /* kept by execve; the step's own alarms replace it when they are set */
		execl(EMU_RUN, "emu-run", flag, "-b", "/usr:/usr", "-b", "/bin:/bin", "-b",
		      "/lib:/lib", "-b", "/lib64:/lib64", root, program, arg, NULL);
		_exit(121);
	}
	assert_int_equal(waitpid(p, &status, 0), p);
	char alias[32];
	snprintf(alias, sizeof(alias), "/tmp/.co%d", (int)p);
	unlink(alias);
	assert_int_equal(status, 0);
}

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	assert_true(in >= 0 && out >= 0);
	assert_true(co_copy_fd(out, in, -1) > 0);
	close(in);
	close(out);
}

static void places(void **state)
{
	struct world *w = *state;
	char path[128];
	snprintf(path, sizeof(path), "%s/sites", w->dir);
	copy(SITES, path);
	run("-D", w->dir, "/sites", "direct");
	run("-T", w->dir, "/sites", "trap");
}

static void threads(void **state)
{
	struct world *w = *state;
	char path[128];
	snprintf(path, sizeof(path), "%s/threads", w->dir);
	copy(THREADS, path);
	run("-D", w->dir, "/threads", "/");
	run("-T", w->dir, "/threads", "/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(places, make, unmake),
					   cmocka_unit_test_setup_teardown(threads, make, unmake)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
