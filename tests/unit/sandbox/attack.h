/* SPDX-License-Identifier: MIT
 *
 * attack.h — what a hostile step tries. The test's own program is put into the image and run as
 * `/attack NAME`; each function tells whether the attack worked.
 */
#pragma once
#include <errno.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define ABSTRACT "cooper-attack-test"

/* Refused, whatever the arguments: EPERM, ENOSYS or EAFNOSUPPORT; anything else is a way in. */
static bool refused(long r)
{
	return r < 0 && (errno == EPERM || errno == ENOSYS || errno == EAFNOSUPPORT);
}
#define CALL(...) (!refused(syscall(__VA_ARGS__)))

static bool mounts(void)
{
	return CALL(SYS_mount, "x", "/tmp", "tmpfs", 0, NULL) || CALL(SYS_umount2, "/proc", 2) ||
	       CALL(SYS_pivot_root, "/tmp", "/tmp") || CALL(SYS_fsopen, "tmpfs", 0) ||
	       CALL(SYS_open_tree, AT_FDCWD, "/", 1) || CALL(SYS_move_mount, -1, "", -1, "", 4) ||
	       CALL(SYS_mount_setattr, -1, "", 0, NULL, 0) ||
	       CALL(467, AT_FDCWD, "/", 1, NULL, 0) || CALL(SYS_fsmount, -1, 0, 0) ||
	       CALL(SYS_fspick, -1, "", 0) || CALL(SYS_fsconfig, -1, 0, NULL, NULL, 0);
}

static bool namespaces(void)
{
	static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS,	 CLONE_NEWPID,	 CLONE_NEWNET,
				    CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
	bool open = false;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		long r = syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0);
		if (r == 0)
			_exit(0);
		open |= !refused(r) || CALL(SYS_unshare, flags[i]);
	}
	char args[88] = {0};
	return open || CALL(SYS_clone3, args, sizeof(args)) || CALL(SYS_setns, -1, 0);
}

static bool kernel_surface(void)
{
	char a[256] = {0};
	return CALL(SYS_bpf, 0, a, 72) || CALL(SYS_perf_event_open, a, 0, -1, -1, 0) ||
	       CALL(SYS_userfaultfd, 1) || CALL(SYS_io_uring_setup, 4, a) ||
	       CALL(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) ||
	       CALL(SYS_io_uring_register, -1, 0, NULL, 0) || CALL(SYS_kexec_load, 0, 0, NULL, 0) ||
	       CALL(SYS_init_module, a, 0, "") || CALL(SYS_finit_module, -1, "", 0) ||
	       CALL(SYS_delete_module, "x", 0) || CALL(SYS_fanotify_init, 0, 0) ||
	       CALL(SYS_syslog, 3, a, 10) || CALL(SYS_reboot, 0, 0, 0, NULL) ||
	       CALL(SYS_swapon, "/x", 0) || CALL(SYS_acct, "/x") ||
	       CALL(SYS_quotactl, 0, NULL, 0, NULL) || CALL(SYS_clock_settime, 0, NULL) ||
	       CALL(SYS_settimeofday, NULL, NULL) || CALL(SYS_vhangup) || CALL(600, 0);
}

static bool keyrings(void)
{
	return CALL(SYS_add_key, "user", "x", "y", 1, -3) || CALL(SYS_keyctl, 0, -3, 0) ||
	       CALL(SYS_request_key, "user", "x", NULL, -3);
}

/* Opened, whatever for. */
static bool opens(const char *path, int flags)
{
	auto_fd fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		printf("%s can be opened\n", path);
	return fd >= 0;
}

static bool other_processes(void)
{
	char b[8];
	struct iovec l = {b, 8}, r = {(void *)0x400000, 8};
	if (ptrace(PTRACE_SEIZE, 1, 0, 0) == 0)
		return printf("ptrace\n");
	if (syscall(SYS_process_vm_readv, 1, &l, 1, &r, 1, 0) >= 0 || errno == EFAULT)
		return printf("process_vm_readv\n");
	if (CALL(SYS_kcmp, 1, 1, 0, 0, 0) || CALL(SYS_pidfd_getfd, -1, 0, 0) ||
	    CALL(SYS_process_madvise, -1, NULL, 0, 0, 0) ||
	    CALL(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0))
		return printf("a call\n");
	return opens("/proc/1/environ", O_RDONLY) || opens("/proc/1/mem", O_RDWR) ||
	       opens("/proc/1/root/etc", O_RDONLY) || opens("/proc/1/fd/4", O_WRONLY) ||
	       opens("/proc/1/cwd", O_RDONLY) || opens("/proc/1/exe", O_RDONLY);
}

/* The builder's token must be nowhere in /proc. */
static bool environs(void)
{
	char path[64], text[65536];
	for (int pid = 1; pid < 40; pid++) {
		snprintf(path, sizeof(path), "/proc/%d/environ", pid);
		auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
		if (n > 0 && memmem(text, (size_t)n, "CANARY", 6))
			return true;
	}
	return getenv("COOPER_TEST_TOKEN") != NULL;
}

static bool handles(void)
{
	char h[200] = {0};
	int id;
	*(unsigned *)h = 128;
	syscall(SYS_name_to_handle_at, AT_FDCWD, "/etc", h, &id, 0);
	return CALL(SYS_open_by_handle_at, AT_FDCWD, h, O_RDONLY);
}

static bool terminal(void)
{
	char c = 'x';
	bool in = ioctl(0, TIOCSTI, &c) == 0 || errno != EPERM;
	in |= syscall(SYS_ioctl, 0, TIOCSTI | 0x100000000ul, &c) == 0 || errno != EPERM;
	in |= ioctl(0, TIOCLINUX, &c) == 0 || errno != EPERM;
	return in || open("/dev/tty", O_RDWR | O_NOCTTY) >= 0;
}

static bool descriptors(void)
{
	for (int fd = 3; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return true;
	return false;
}

/* Out of a root by a second one, and by its parent. */
static bool second_root(void)
{
	struct stat a, b;
	int d = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdir("/tmp/c", 0700);
	if (fstat(d, &a) < 0 || chroot("/tmp/c") < 0 || fchdir(d) < 0)
		return false;
	for (int i = 0; i < 40; i++)
		if (chdir("..") < 0)
			return false;
	if (chroot(".") < 0 || stat("/", &b) < 0)
		return false;
	return a.st_ino != b.st_ino || a.st_dev != b.st_dev;
}

static bool machine(void)
{
	static const char *const files[] = {"/proc/sys/kernel/core_pattern",
					    "/proc/sys/kernel/modprobe",
					    "/proc/sys/vm/panic_on_oom",
					    "/proc/sysrq-trigger",
					    "/proc/irq/default_smp_affinity",
					    "/sys/kernel/uevent_helper",
					    "/sys/fs/cgroup/release_agent",
					    "/sys/fs/cgroup/memory/release_agent",
					    "/sys/fs/cgroup/cgroup.procs",
					    "/sys/fs/cgroup/unified/cgroup.procs",
					    "/sys/kernel/mm/transparent_hugepage/enabled"};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (open(files[i], O_WRONLY | O_CLOEXEC) >= 0)
			return true;
	char c;
	static const char *const hidden[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list"};
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		auto_fd fd = open(hidden[i], O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, &c, 1) > 0)
			return true;
	}
	return false;
}

static bool disks(void)
{
	char c;
	static const struct {
		mode_t type;
		unsigned major, minor;
	} nodes[] = {{S_IFBLK, 254, 0},	 {S_IFBLK, 253, 0}, {S_IFBLK, 8, 0},   {S_IFBLK, 7, 0},
		     {S_IFCHR, 1, 1},	 {S_IFCHR, 1, 4},   {S_IFCHR, 1, 11},  {S_IFCHR, 10, 200},
		     {S_IFCHR, 10, 229}, {S_IFCHR, 4, 1},   {S_IFCHR, 10, 237}};
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		unlink("/tmp/node");
		if (mknod("/tmp/node", nodes[i].type | 0600,
			  makedev(nodes[i].major, nodes[i].minor)) < 0)
			continue;
		auto_fd fd = open("/tmp/node", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		struct stat st;
		/* a file that stands for a device in the layer is none here */
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && read(fd, &c, 1) == 0)
			continue;
		/* EPERM and EACCES: refused; anything else is the driver's own answer */
		if (fd >= 0 || (errno != EPERM && errno != EACCES))
			return true;
	}
	unlink("/tmp/node");
	return false;
}

static bool sockets(void)
{
	static const int families[] = {AF_PACKET, AF_VSOCK, 38 /* ALG */, AF_KEY,
				       AF_CAN,	  AF_TIPC,  AF_BLUETOOTH, 44 /* XDP */,
				       AF_RDS,	  AF_X25,   AF_NFC};
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (CALL(SYS_socket, families[i], SOCK_RAW, 0) ||
		    CALL(SYS_socket, families[i] | 0x100000000ul, SOCK_DGRAM, 0))
			return true;
	return socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_UNIX, SOCK_STREAM, 0) < 0;
}

/* The same through the processor's 32-bit face. */
static bool narrow_calls(void)
{
#if defined(__x86_64__)
	uint32_t *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	static const unsigned calls[][3] = {{102, 1, 0}, /* socketcall(socket, ALG) */
					    {359, 38, 5},
					    {21, 0, 0} /* mount */,
					    {310, 0x10000000, 0} /* unshare */,
					    {120, 0x10000011, 0} /* clone */,
					    {357, 0, 0} /* bpf */,
					    {288, 0, 0} /* keyctl */,
					    {425, 0, 0} /* io_uring */};
	args[0] = 38;
	args[1] = 5;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		long second = calls[i][0] == 102 ? (long)(uintptr_t)args : (long)calls[i][2];
		int r;
		__asm__ volatile("int $0x80"
				 : "=a"(r)
				 : "a"(calls[i][0]), "b"((long)calls[i][1]), "c"(second), "d"(0L),
				   "S"(0L), "D"(0L)
				 : "memory", "r8", "r9", "r10", "r11");
		if (r == 0 && calls[i][0] == 120)
			_exit(0);
		if (r != -EPERM && r != -ENOSYS && r != -EAFNOSUPPORT) {
			printf("32-bit call %u answered %d\n", calls[i][0], r);
			return true;
		}
	}
	/* x32 */
	errno = 0;
	return CALL(SYS_getpid | 0x40000000);
#else
	return false;
#endif
}

static socklen_t abstract_name(struct sockaddr_un *a)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path + 1, ABSTRACT, sizeof(ABSTRACT) - 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(ABSTRACT));
}

static bool abstract_socket(void)
{
	struct sockaddr_un a;
	socklen_t n = abstract_name(&a);
	auto_fd s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(s, (void *)&a, n) == 0 || errno != EPERM;
}

/* Inheritable and ambient capabilities, and more than Docker's set. */
static bool capabilities(void)
{
	uint32_t head[2] = {0x20080522, 0}, data[6] = {0};
	if (syscall(SYS_capget, head, data) < 0)
		return true;
	const uint32_t given = 0xa80425fb;
	bool more = (data[0] & ~given) || (data[1] & ~given) || data[2] || data[3] || data[4] ||
		    data[5];
	for (int cap = 0; cap < 41; cap++)
		more |= prctl(PR_CAPBSET_READ, cap) == 1 && (cap > 31 || !(given & (1u << cap)));
	return more || setpriority(PRIO_PROCESS, 0, -5) == 0 || sethostname("x", 1) == 0;
}

static const struct attack {
	const char *name;
	bool (*works)(void);
} attacks[] = {{"mounts", mounts},
	       {"namespaces", namespaces},
	       {"kernel surface", kernel_surface},
	       {"keyrings", keyrings},
	       {"other processes", other_processes},
	       {"environment of the builder", environs},
	       {"file handles", handles},
	       {"terminal", terminal},
	       {"descriptors", descriptors},
	       {"second root", second_root},
	       {"the machine's settings", machine},
	       {"disks", disks},
	       {"sockets", sockets},
	       {"32-bit calls", narrow_calls},
	       {"abstract socket", abstract_socket},
	       {"capabilities", capabilities}};

/* Speaks to a lent socket, several times, with more than a buffer's worth. */
static int ask_agent(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/run/agent"};
	char buf[1000], back[1000];
	memset(buf, 'x', sizeof(buf));
	for (int i = 0; i < 40; i++) {
		auto_fd s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(s, (void *)&a, sizeof(a)) < 0)
			return 3;
		for (int k = 0; k < 50; k++) {
			size_t got = 0;
			if (write(s, buf, sizeof(buf)) != sizeof(buf))
				return 4;
			while (got < sizeof(buf)) {
				ssize_t n = read(s, back, sizeof(back));
				if (n <= 0)
					return 5;
				got += (size_t)n;
			}
		}
	}
	/* left open, unread: must not hold anyone up */
	for (int i = 0; i < 30; i++) {
		int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(s, (void *)&a, sizeof(a)) == 0)
			while (send(s, buf, sizeof(buf), MSG_NOSIGNAL) > 0)
				;
	}
	return 0;
}

/* Exit status 0: it did not work. */
static int attack_main(const char *name)
{
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (!strcmp(attacks[i].name, name))
			return attacks[i].works();
	if (!strcmp(name, "agent"))
		return ask_agent();
	if (!strcmp(name, "euid"))
		return geteuid() == 0 ? 0 : 1;
	return 2;
}
