/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

static void ids(const char *name)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;
	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	printf("%s: %u %u %u %u, %u %u %u\n", name, r, e, s, (unsigned)setfsuid((uid_t)-1), rg, eg,
	       sg);
	fflush(stdout);
}

#define STEP(call)                                                                                 \
	do {                                                                                       \
		TRY(call);                                                                         \
		ids("ids");                                                                        \
	} while (0)

static void by_setuid(void)
{
	STEP(setuid(1000));
	STEP(setuid(0));
	STEP(seteuid(0));
	STEP(setreuid(0, 1000));
	STEP(setresuid(1000, 1000, 1000));
	STEP(setgid(5));
	TRY(setgroups(0, NULL));
}
static void by_seteuid(void)
{
	STEP(seteuid(1000));
	STEP(setuid(2000));
	STEP(setuid(1000));
	STEP(seteuid(0));
	STEP(setreuid(1000, (uid_t)-1));
	STEP(setreuid((uid_t)-1, 1000));
	STEP(setreuid(1000, 0));
}
static void by_setreuid(void)
{
	STEP(setreuid(1, 2));
	STEP(setreuid(2, 1));
	STEP(setreuid((uid_t)-1, 3));
	STEP(setresuid((uid_t)-1, 1, (uid_t)-1));
	STEP(setresuid(2, 2, 2));
	STEP(setresuid(1, 1, 1));
}
static void by_gids(void)
{
	gid_t g[4] = {9, 3, 5, 3}, out[8];
	STEP(setegid(100));
	STEP(setregid(100, 101));
	STEP(setresgid(1, 2, 3));
	TRY(setgroups(4, g));
	int n = getgroups(8, out);
	for (int i = 0; i < n; i++)
		printf("group %u\n", out[i]);
	TRY(getgroups(2, out));
	TRY(getgroups(0, NULL));
	TRY(setgroups(100000, NULL));
	TRY(setgroups(3, (void *)8));
	STEP(setuid(1000));
	STEP(setgid(2));
	STEP(setgid(1));
	STEP(setgid(77));
	TRY(syscall(SYS_setuid, -1));
	TRY(getresuid((void *)8, (void *)8, (void *)8));
}
static void by_fsuid(void)
{
	STEP(setfsuid(1000));
	STEP(setfsuid(0));
	TRY(setfsgid(44));
	TRY(setfsgid(0));
	STEP(setfsuid(500));
	make_file("fs-owned", "x", 0644);
	say_stat("fs-owned", "fs-owned");
}

static void *sleeper(void *p)
{
	pthread_barrier_wait(p);
	pthread_barrier_wait(p);
	return NULL;
}

/* The C library repeats a change in every thread. */
static void with_threads(void)
{
	pthread_barrier_t b;
	pthread_t t[3];
	pthread_barrier_init(&b, NULL, 4);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, sleeper, &b);
	pthread_barrier_wait(&b);
	STEP(setreuid(10, 20));
	STEP(setreuid(20, 10));
	STEP(setreuid(10, 20));
	pthread_barrier_wait(&b);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	ids("after");
}

/* A vfork child's ids are its own. */
static void with_vfork(void)
{
	int status;
	pid_t p = vfork();
	if (p == 0) {
		int r = setgid(7) || setuid(8) || getuid() != 8;
		_exit(r);
	}
	waitpid(p, &status, 0);
	say("vfork child", status);
	ids("parent");
	p = vfork();
	if (p == 0) {
		(void)!setuid(9);
		execl("/probe", "probe", "show", NULL);
		_exit(1);
	}
	waitpid(p, &status, 0);
	say("vfork child that executes", status);
	ids("parent");
}

void probe_ids(void)
{
	ids("start");
	in_child(-1, -1, by_setuid);
	in_child(-1, -1, by_seteuid);
	in_child(-1, -1, by_setreuid);
	in_child(-1, -1, by_gids);
	in_child(-1, -1, by_fsuid);
	in_child(-1, -1, with_threads);
	in_child(-1, -1, with_vfork);
	ids("end");
}

static void caps(const char *name)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	if (syscall(SYS_capget, &h, d) < 0)
		say("capget", -1);
	printf("%s: %08x%08x %08x%08x %08x%08x\n", name, d[1].effective, d[0].effective,
	       d[1].permitted, d[0].permitted, d[1].inheritable, d[0].inheritable);
	fflush(stdout);
}

static long set(uint32_t e, uint32_t p, uint32_t i)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{e, p, i}, {0, 0, 0}};
	return syscall(SYS_capset, &h, d);
}

static void drops(void)
{
	caps("start");
	TRY(seteuid(1000));
	caps("seteuid");
	TRY(seteuid(0));
	caps("back");
	TRY(setuid(1000));
	caps("setuid");
	TRY(set(1, 1, 0));
	TRY(prctl(PR_CAPBSET_DROP, 3, 0, 0, 0));
}

static void keeps(void)
{
	TRY(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	TRY(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	TRY(prctl(PR_SET_KEEPCAPS, 2, 0, 0, 0));
	TRY(setuid(1000));
	caps("kept");
	TRY(set(1u << CAP_CHOWN, 1u << CAP_CHOWN, 1u << CAP_CHOWN));
	caps("one");
	make_file("kept", "x", 0644);
	TRY(chown("kept", 5, 5));
	TRY(chmod("kept", 0600));
	say_stat("kept", "kept");
	TRY(set(3, 3, 0));
	TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
	TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	TRY(setuid(0));
}

static void bounding(void)
{
	TRY(prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0));
	TRY(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0));
	TRY(prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0));
	TRY(prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0));
	TRY(prctl(PR_CAPBSET_READ, 63, 0, 0, 0));
	caps("still");
	TRY(set(0, 0, 0));
	caps("none");
	make_file("p", "x", 0644);
	TRY(chown("p", 1, 1));
	TRY(mknod("dev", S_IFCHR | 0600, 0x103));
	TRY(setuid(1));
	TRY(setgroups(0, NULL));
}

void probe_caps(void)
{
	in_child(-1, -1, drops);
	in_child(-1, -1, keeps);
	in_child(-1, -1, bounding);
	struct __user_cap_header_struct h = {1, 0};
	TRY(syscall(SYS_capget, &h, NULL));
	printf("version %x\n", h.version);
	TRY(syscall(SYS_capget, (void *)8, NULL));
}
