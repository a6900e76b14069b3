/* SPDX-License-Identifier: MIT
 *
 * try NAME [ARGUMENT [TARGET]] — one way out of a step. Says LEAK when it worked, or when the call
 * was not refused but failed for another reason: then it had reached what it must not. The image of
 * the attacks has it as /bin/try.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *argument, *target;

static long do_mount(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}
static long do_bind(void)
{
	return mount("/", "/mnt", NULL, MS_BIND, NULL);
}
static long do_remount(void)
{
	return mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
}
static long do_umount(void)
{
	return umount2("/proc/sys", MNT_DETACH);
}
static long do_pivot(void)
{
	return syscall(SYS_pivot_root, ".", ".");
}
static long do_fsopen(void)
{
	return syscall(SYS_fsopen, "tmpfs", 0);
}
static long do_open_tree(void)
{
	return syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);
}
static long do_move_mount(void)
{
	return syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/mnt", 0);
}
static long do_mount_setattr(void)
{
	uint64_t attr[4] = {0};
	return syscall(SYS_mount_setattr, AT_FDCWD, "/proc/sys", 0, attr, sizeof(attr));
}
static long do_unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}
static long do_unshare_mount(void)
{
	return unshare(CLONE_NEWNS);
}
static long do_unshare_net(void)
{
	return unshare(CLONE_NEWNET);
}
static long do_setns(void)
{
	int fd = open("/proc/self/ns/mnt", O_RDONLY);
	return setns(fd < 0 ? 0 : fd, 0);
}
static long do_clone_user(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	return pid;
}
static long do_bpf(void)
{
	union bpf_attr a;
	memset(&a, 0, sizeof(a));
	a.map_type = BPF_MAP_TYPE_ARRAY;
	a.key_size = a.value_size = 4;
	a.max_entries = 1;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
}
static long do_perf(void)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(a), .config = PERF_COUNT_SW_TASK_CLOCK};
	return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}
static long do_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 1);
}
static long do_fanotify(void)
{
	return syscall(SYS_fanotify_init, 0, 0);
}
static long do_keyctl(void)
{
	return syscall(SYS_keyctl, 11 /* KEYCTL_READ */, -3, NULL, 0);
}
static long do_add_key(void)
{
	return syscall(SYS_add_key, "user", "x", "y", 1, -3);
}
static long do_request_key(void)
{
	return syscall(SYS_request_key, "user", "x", NULL, -3);
}
static long do_handle(void)
{
	/* "shocker": inode 2 of the file system that the working directory lies on */
	struct {
		struct file_handle h;
		uint32_t ino[2];
	} f = {.ino = {2, 0}};
	int dir = open("/", O_RDONLY | O_DIRECTORY);
	f.h.handle_bytes = 8;
	f.h.handle_type = 1;
	return syscall(SYS_open_by_handle_at, dir, &f, O_RDONLY);
}
static long do_io_uring(void)
{
	uint32_t parameters[30] = {0};
	return syscall(SYS_io_uring_setup, 4, parameters);
}
static long do_init_module(void)
{
	return syscall(SYS_init_module, "x", 1, "");
}
static long do_finit_module(void)
{
	return syscall(SYS_finit_module, 0, "", 0);
}
static long do_delete_module(void)
{
	return syscall(SYS_delete_module, "no-such-module", O_NONBLOCK);
}
static long do_kexec(void)
{
	return syscall(SYS_kexec_load, 0, 0, NULL, 0);
}
static long do_reboot(void)
{
	return syscall(SYS_reboot, 0xfee1dead, 672274793, 0 /* CAD_OFF */, NULL);
}
static long do_swapon(void)
{
	return syscall(SYS_swapon, "/no-such-file", 0);
}
static long do_acct(void)
{
	return syscall(SYS_acct, "/no-such-file");
}
static long do_syslog(void)
{
	return syscall(SYS_syslog, 10 /* SIZE_BUFFER */, NULL, 0);
}
static long do_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return clock_settime(CLOCK_REALTIME, &t);
}
static long do_iopl(void)
{
#ifdef SYS_iopl
	return syscall(SYS_iopl, 3);
#else
	errno = ENOSYS;
	return -1;
#endif
}
static long do_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}
static long do_vm_read(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
	return syscall(SYS_process_vm_readv, 1, &here, 1, &there, 1, 0);
}
static long do_pidfd_getfd(void)
{
	long fd = syscall(SYS_pidfd_open, 1, 0);
	return fd < 0 ? fd : syscall(SYS_pidfd_getfd, fd, 1, 0);
}
static long do_tiocsti(void)
{
	return ioctl(0, TIOCSTI, "x");
}
static long do_alg(void)
{
	return socket(AF_ALG, SOCK_SEQPACKET, 0);
}
static long do_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}
static long do_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long do_bluetooth(void)
{
	return socket(AF_BLUETOOTH, SOCK_RAW, 0);
}
static long connect_to(const char *path, int abstract)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (n + 1 >= sizeof(a.sun_path))
		return -1;
	memcpy(a.sun_path + abstract, path, n);
	return connect(fd, (struct sockaddr *)&a,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1 - !abstract));
}
static long do_abstract(void)
{
	return connect_to(argument, 1);
}
static long do_socket(void)
{
	return connect_to(argument, 0);
}
/* For a second `argument` is now a folder, now a link to `target`. */
static long do_swap(void)
{
	struct timespec now, end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	do {
		for (int i = 0; i < 100; i++) {
			rmdir(argument);
			(void)!symlink(target, argument);
			unlink(argument);
			mkdir(argument, 0777);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec + 1 ||
		 (now.tv_sec == end.tv_sec + 1 && now.tv_nsec < end.tv_nsec));
	errno = EPERM;
	return -1;
}
/* Nothing but the three standard streams is open. */
static long do_descriptors(void)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return fd;
	errno = EPERM;
	return -1;
}

static const struct {
	const char *name;
	long (*fn)(void);
} ways[] = {{"mount", do_mount},
	    {"bind", do_bind},
	    {"remount", do_remount},
	    {"umount", do_umount},
	    {"pivot_root", do_pivot},
	    {"fsopen", do_fsopen},
	    {"open_tree", do_open_tree},
	    {"move_mount", do_move_mount},
	    {"mount_setattr", do_mount_setattr},
	    {"unshare-user", do_unshare_user},
	    {"unshare-mount", do_unshare_mount},
	    {"unshare-net", do_unshare_net},
	    {"setns", do_setns},
	    {"clone-user", do_clone_user},
	    {"bpf", do_bpf},
	    {"perf", do_perf},
	    {"userfaultfd", do_userfaultfd},
	    {"fanotify", do_fanotify},
	    {"keyctl", do_keyctl},
	    {"add_key", do_add_key},
	    {"request_key", do_request_key},
	    {"handle", do_handle},
	    {"io_uring", do_io_uring},
	    {"init_module", do_init_module},
	    {"finit_module", do_finit_module},
	    {"delete_module", do_delete_module},
	    {"kexec", do_kexec},
	    {"reboot", do_reboot},
	    {"swapon", do_swapon},
	    {"acct", do_acct},
	    {"syslog", do_syslog},
	    {"clock", do_clock},
	    {"iopl", do_iopl},
	    {"ptrace", do_ptrace},
	    {"vm_read", do_vm_read},
	    {"pidfd_getfd", do_pidfd_getfd},
	    {"tiocsti", do_tiocsti},
	    {"alg", do_alg},
	    {"packet", do_packet},
	    {"vsock", do_vsock},
	    {"bluetooth", do_bluetooth},
	    {"abstract", do_abstract},
	    {"socket", do_socket},
	    {"descriptors", do_descriptors},
	    {"swap", do_swap}};

int main(int argc, char **argv)
{
	static const int refusals[] = {EPERM,	   EACCES, ENOSYS, EAFNOSUPPORT,
				       EOPNOTSUPP, ENOENT, ESRCH};
	argument = argc > 2 ? argv[2] : "";
	target = argc > 3 ? argv[3] : "";
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].name, argv[1]) != 0)
			continue;
		errno = 0;
		long r = ways[i].fn();
		int error = errno;
		/* an answer from beyond the wall, unless a name that is not there was asked for */
		if (r < 0 && error == ENOENT && strcmp(argv[1], "socket") != 0)
			error = 0;
		for (size_t k = 0; r < 0 && k < sizeof(refusals) / sizeof(refusals[0]); k++)
			if (error == refusals[k])
				return 0;
		printf("LEAK by %s: %ld, %s\n", argv[1], r, strerror(errno));
		return 1;
	}
	printf("LEAK: no such way out: %s\n", argc > 1 ? argv[1] : "");
	return 1;
}
