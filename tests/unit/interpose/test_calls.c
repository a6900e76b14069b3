/* SPDX-License-Identifier: MIT
 *
 * The same program in a real chroot and under the interposer. Needs root for the first half, and
 * for becoming an ordinary user in the second.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <grp.h>
#include <cmocka.h>

#define USER 1000

/* Calls that older kernels and container runtimes lack or refuse. */
static const int young[] = {SYS_openat2,	  SYS_statx,
			    SYS_faccessat2,	  SYS_close_range,
			    SYS_process_vm_readv, SYS_process_vm_writev,
			    SYS_memfd_create,	  452 /* fchmodat2 */};
#define YOUNG (sizeof(young) / sizeof(young[0]))

static void refuse_young(int error)
{
	struct sock_filter f[2 * YOUNG + 2];
	size_t n = 0;
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < YOUNG; i++) {
		/* the starter needs memory files; the interposer does without */
		if (young[i] == SYS_memfd_create)
			continue;
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)young[i],
						      0, 1);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						      SECCOMP_RET_ERRNO | (unsigned)error);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog p = {(unsigned short)n, f};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &p))
		_exit(122);
}

struct world {
	char dir[64];
	char *output; /* owned */
};

static void copy(const char *from, const char *to)
{
	auto_fd in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);
	assert_true(in >= 0 && out >= 0);
	assert_true(co_copy_fd(out, in, -1) > 0);
}

static void make_world(struct world *w, unsigned owner)
{
	char path[128];
	strcpy(w->dir, "/var/tmp/root-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/probe", w->dir);
	copy(PROBE, path);
	assert_int_equal(chown(w->dir, owner, owner), 0);
	assert_int_equal(chown(path, owner, owner), 0);
}

static char *slurp(FILE *f)
{
	char *text = NULL;
	size_t n = 0, room = 0;
	for (int c; (c = fgetc(f)) != EOF; text[n++] = (char)c)
		if (n + 2 > room)
			text = co_xrealloc(text, room = room * 2 + 4096, 1);
	assert_non_null(text);
	text[n] = '\0';
	return text;
}

static void run(struct world *w, const char *part, bool native, int refuse)
{
	int out[2], status;
	assert_int_equal(pipe(out), 0);
	pid_t p = fork();
	if (p == 0) {
		gid_t user = USER;
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		/* what the emulated root may do */
		for (int cap = 0; cap < 41; cap++)
			if (!(0xa80425fbull >> cap & 1))
				prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (native) {
			gid_t root = 0;
			if (setgroups(1, &root) || chroot(w->dir) || chdir("/"))
				_exit(120);
			execl("/probe", "/probe", part, NULL);
		} else {
			if (setgroups(1, &user) || setgid(USER) || setuid(USER))
				_exit(120);
			if (refuse)
				refuse_young(refuse);
			execl(EMU_RUN, "emu-run", w->dir, "/probe", part, NULL);
		}
		_exit(121);
	}
	close(out[1]);
	FILE *f = fdopen(out[0], "r");
	w->output = slurp(f);
	fclose(f);
	waitpid(p, &status, 0);
	char alias[32];
	snprintf(alias, sizeof(alias), "/tmp/.co%d", (int)p);
	unlink(alias);
	if (status)
		print_error("%s: status %x\n", native ? "native" : "emulated", status);
	assert_int_equal(status, 0);
}

/* What an old kernel itself would answer differently, and the one thing that can not be known
 * without birth times: who owned a file that has no name any more. */
static bool expected(const char *line)
{
	static const char *const begins[] = {"statx:", "fcntl(fd, F_GETFL)",
					     "syscall(SYS_close_range", "unlinked:"};
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (!strncmp(line, begins[i], strlen(begins[i])))
			return true;
	return false;
}

/* Shows the lines that differ; returns how many. */
static unsigned differences(const char *a, const char *b, bool old)
{
	unsigned n = 0, line = 1;
	while (*a || *b) {
		size_t x = strcspn(a, "\n"), y = strcspn(b, "\n");
		if ((x != y || memcmp(a, b, x)) && !(old && expected(a))) {
			if (n++ < 40)
				print_error("line %u\n  kernel:   %.*s\n  emulated: %.*s\n", line,
					    (int)x, a, (int)y, b);
		}
		a += x + (a[x] == '\n');
		b += y + (b[y] == '\n');
		line++;
	}
	return n;
}

static void compare(const char *part, int refuse)
{
	struct world real, emulated;
	struct co_err err = CO_ERR_INIT;
	if (geteuid() != 0)
		skip();
	make_world(&real, 0);
	make_world(&emulated, USER);
	run(&real, part, true, 0);
	run(&emulated, part, false, refuse);
	assert_true(strlen(real.output) > 100);
	unsigned n = differences(real.output, emulated.output, refuse);
	(void)!co_remove_tree(AT_FDCWD, real.dir, &err);
	(void)!co_remove_tree(AT_FDCWD, emulated.dir, &err);
	free(real.output);
	free(emulated.output);
	assert_int_equal(n, 0);
}

#define PART(name)                                                                                 \
	static void part_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		compare(#name, 0);                                                                 \
	}                                                                                          \
	static void old_##name(void **state)                                                       \
	{                                                                                          \
		(void)state;                                                                       \
		compare(#name, ENOSYS);                                                            \
		compare(#name, EPERM);                                                             \
	}
PART(paths)
PART(files)
PART(modes)
PART(owners)
PART(users)
PART(ids)
PART(caps)
PART(exec)
PART(sockets)
PART(signals)
PART(xattrs)

#define BOTH(name) cmocka_unit_test(part_##name), cmocka_unit_test(old_##name)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(paths),	  BOTH(files),	 BOTH(modes), BOTH(owners),
					   BOTH(users),	  BOTH(ids),	 BOTH(caps),  BOTH(exec),
					   BOTH(sockets), BOTH(signals), BOTH(xattrs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
