/* SPDX-License-Identifier: MIT
 *
 * test_fallback.c — the same with every first choice of system call refused, as older kernels and
 * container runtimes do it.
 */
#include "rows.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

static void refused_calls(int denial, const int *calls)
{
	static const char *const names[] = {"streams",
					    "devices",
					    "nested mounts",
					    "binds",
					    "own resolv.conf and hosts",
					    "proc is read-only",
					    "descriptors",
					    "no mount on /proc",
					    "network none"};
	struct outcome *o = outcome_new();
	for (int who = AS_ROOT; who <= AS_SINGLE; who <<= 1) {
		for (size_t i = 0; can_be(who) && i < sizeof(rows) / sizeof(rows[0]); i++) {
			bool wanted = false;
			for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
				wanted |= !strcmp(names[k], rows[i].name);
			if (wanted)
				run_row(&rows[i], who, calls, denial, o);
		}
	}
	munmap(o, sizeof(*o));
}

static const int new_calls[] = {SYS_open_tree,
				SYS_move_mount,
				SYS_fsopen,
				SYS_fsmount,
				SYS_openat2,
				SYS_mount_setattr,
				SYS_close_range,
				SYS_clone3,
				SYS_execveat,
				SYS_bpf,
				SYS_landlock_create_ruleset,
				0};

static void calls_missing(void **state)
{
	(void)state;
	refused_calls(ENOSYS, new_calls);
}

static void calls_refused(void **state)
{
	(void)state;
	refused_calls(EPERM, new_calls);
}

static void setattr_missing(void **state)
{
	static const int only[] = {SYS_mount_setattr, 0};
	(void)state;
	refused_calls(ENOSYS, only);
}

/* A container whose own filter has a listener (as some runtimes have it for mknod): a process can
 * have but one, so nobody is told what a step tries, and all of it is refused as ever. */
static void have_listener(struct world *w, struct job *j)
{
	struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog p = {1, all};
	(void)w;
	(void)j;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &p) < 0)
		_exit(97);
}

static void no_listener(void **state)
{
	static const struct row refused[] = {
		{"calls that would be told of", AS_ALL,
		 "mount -t tmpfs x /tmp 2>&1; unshare -m true 2>&1; echo fine", 0, "~fine\n",
		 .before = have_listener},
		{"calls that would go on",
		 AS_ALL,
		 "ping -c1 127.0.0.1 >/dev/null && echo lo; nc 192.0.2.1 80 -w 1 2>&1",
		 EXIT(1),
		 "~Network is unreachable\n",
		 {.net = CO_NET_NONE},
		 .before = have_listener}};
	(void)state;
	struct outcome *o = outcome_new();
	for (int who = AS_ROOT; who <= AS_SINGLE; who <<= 1)
		for (size_t i = 0; can_be(who) && i < sizeof(refused) / sizeof(refused[0]); i++) {
			run_row(&refused[i], who, NULL, 0, o);
			if (i == 0 && (!strstr(o->out, "mount") || !strstr(o->out, "unshare") ||
				       strstr(o->out, "not implemented")))
				fail_msg("%s: %s", who_text(who), o->out);
		}
	munmap(o, sizeof(*o));
}

/* vm.memfd_noexec=2, a setting of the pid namespace: the first process comes from a file. */
static void memfd_noexec(void **state)
{
	(void)state;
	if (!can_be(AS_ROOT) || getuid() || access("/proc/sys/vm/memfd_noexec", W_OK) < 0)
		skip();
	struct outcome *o = outcome_new();
	struct world w;
	struct job j = {.script = "echo fine"};
	int status;
	world_open(&w, AS_ROOT);
	pid_t outer = fork();
	if (outer == 0) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
			_exit(1);
		pid_t inner = fork();
		if (inner == 0) {
			if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			    mount("proc", "/proc", "proc", 0, NULL) < 0)
				_exit(1);
			auto_fd fd = open("/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);
			if (write(fd, "2", 1) != 1)
				_exit(1);
			step(&w, &j, o);
			_exit(0);
		}
		waitpid(inner, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	waitpid(outer, &status, 0);
	assert_int_equal(status, 0);
	assert_string_equal(o->out, "fine\n");
	world_close(&w);
	munmap(o, sizeof(*o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_missing), cmocka_unit_test(calls_refused),
		cmocka_unit_test(setattr_missing), cmocka_unit_test(no_listener),
		cmocka_unit_test(memfd_noexec)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
