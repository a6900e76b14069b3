/* SPDX-License-Identifier: MIT
 *
 * The kernel hands a program for another processor to qemu when it was told to. As root of the
 * machine that would be a change of the machine, so a step gets a user namespace of its own in
 * which every id is what it was, and the registration is made there.
 */
#include "foreign.h"
#include "sandbox-internal.h"
#include <cooper/fs.h>
#include <cooper/proc.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* qemu's name, EM_ number, 64 bit, big-endian */
static const struct machine {
	const char *arch, *qemu;
	unsigned number;
	bool wide, big;
} machines[] = {
	{"amd64", "x86_64", 62, true, false},	     {"386", "i386", 3, false, false},
	{"arm64", "aarch64", 183, true, false},	     {"arm", "arm", 40, false, false},
	{"riscv64", "riscv64", 243, true, false},    {"ppc64le", "ppc64le", 21, true, false},
	{"s390x", "s390x", 22, true, true},	     {"mips64le", "mips64el", 8, true, false},
	{"loong64", "loongarch64", 258, true, false}};
#define N_MACHINES (sizeof(machines) / sizeof(machines[0]))

void foreign_init(struct foreign *f)
{
	*f = (struct foreign){.formats = -1, .userns = -1, .alive = -1, .keeper = -1};
}

static bool is_native(const char *arch)
{
#if defined(__x86_64__)
	return !strcmp(arch, "amd64") || !strcmp(arch, "386");
#elif defined(__aarch64__)
	return !strcmp(arch, "arm64") || !strcmp(arch, "arm");
#else
	(void)arch;
	return true;
#endif
}

/* The machine's administrator has registered it, in the way that reaches into other roots. */
static bool machine_has(const struct machine *m)
{
	struct co_err ignored = CO_ERR_INIT;
	char path[96];
	auto_free char *text = NULL;
	size_t len;
	snprintf(path, sizeof(path), "/proc/sys/fs/binfmt_misc/qemu-%s", m->qemu);
	if (co_read_file(AT_FDCWD, path, 4096, &text, &len, &ignored) < 0)
		return false;
	const char *flags = strstr(text, "flags: ");
	return co_starts(text, "enabled") && flags &&
	       memchr(flags + 7, 'F', strcspn(flags + 7, "\n")) != NULL;
}

static int mount_formats(void)
{
	auto_fd fs = fsopen("binfmt_misc", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

/* Waits until it is let go, so that its namespace stays. */
_Noreturn static void keep(int ready, int alive)
{
	char c;
	unsigned low = (unsigned)(ready < alive ? ready : alive);
	unsigned high = (unsigned)(ready < alive ? alive : ready);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* the pipes of a step must end when the step does */
	if (low)
		close_fds(0, low - 1);
	close_fds(low + 1, high - 1);
	close_fds(high + 1, ~0u);
	if (unshare(CLONE_NEWUSER) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	(void)!read(alive, &c, 1);
	_exit(0);
}

static int write_map(pid_t pid, const char *name)
{
	static const char all[] = "0 0 4294967295";
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || co_write_all(fd, all, sizeof(all) - 1) < 0 ? -1 : 0;
}

static int make_userns(struct foreign *f)
{
	int ready[2], alive[2];
	char c, path[64];
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	if (pipe2(alive, O_CLOEXEC) < 0) {
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	f->keeper = fork();
	if (f->keeper == 0) {
		close(alive[1]);
		keep(ready[1], alive[0]);
	}
	close(ready[1]);
	close(alive[0]);
	f->alive = alive[1];
	bool up = f->keeper > 0 && read(ready[0], &c, 1) == 1;
	close(ready[0]);
	if (!up || write_map(f->keeper, "uid_map") < 0 || write_map(f->keeper, "gid_map") < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)f->keeper);
	f->userns = open(path, O_RDONLY | O_CLOEXEC);
	return f->userns < 0 ? -1 : 0;
}

/* The file system belongs to the namespace of who opens it: a child goes there and gives it back
 * through the descriptor table that it shares. */
static int formats_in(void *arg)
{
	struct foreign *f = arg;
	if (setns(f->userns, CLONE_NEWUSER) == 0 && unshare(CLONE_NEWNS) == 0)
		f->formats = mount_formats();
	return f->formats < 0 ? errno & 0x7f : 0;
}

static int open_formats(struct foreign *f, enum co_place place)
{
	static const size_t size = 64u << 10;
	if (place != CO_PLACE_ROOT)
		return (f->formats = mount_formats()) < 0 ? -1 : 0;
	if (make_userns(f) < 0)
		return -1;
	char *stack = co_xcalloc(1, size);
	pid_t pid =
		clone(formats_in, stack + size, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, f);
	int status = 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	free(stack);
	if (f->formats < 0 && WIFEXITED(status))
		errno = WEXITSTATUS(status);
	return f->formats < 0 ? -1 : 0;
}

static void add_bytes(struct co_buf *b, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		co_buf_addf(b, "\\x%02x", p[i]);
}

static int tell_kernel(struct foreign *f, const struct machine *m, const char *qemu)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	unsigned char magic[20] = {0x7f, 'E', 'L', 'F', m->wide ? 2 : 1, m->big ? 2 : 1, 1};
	/* any system's ABI; programs and shared objects */
	unsigned char mask[20] = {255, 255, 255, 255, 255, 255, 255, 0,	  255, 255,
				  255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	magic[m->big ? 17 : 16] = 2;
	mask[m->big ? 17 : 16] = 0xfe;
	magic[m->big ? 18 : 19] = (unsigned char)(m->number >> 8);
	magic[m->big ? 19 : 18] = (unsigned char)m->number;
	co_buf_addf(&b, ":qemu-%s:M::", m->qemu);
	add_bytes(&b, magic, sizeof(magic));
	co_buf_addc(&b, ':');
	add_bytes(&b, mask, sizeof(mask));
	/* F: opened now, from this root; P: argv[0] is kept; O and C: set-id programs work */
	co_buf_addf(&b, ":%s:POCF", qemu);
	auto_fd fd = openat(f->formats, "register", O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, co_buf_str(&b), b.len) != (ssize_t)b.len ? -1 : 0;
}

void foreign_enable(struct foreign *f, enum co_place place, const char *arch)
{
	size_t i = 0;
	f->why[0] = '\0';
	if (!arch || is_native(arch))
		return;
	while (i < N_MACHINES && strcmp(machines[i].arch, arch) != 0)
		i++;
	if (i == N_MACHINES) {
		snprintf(f->why, sizeof(f->why), "no emulator for %s is known", arch);
		return;
	}
	const struct machine *m = &machines[i];
	if (f->done & 1u << i || machine_has(m))
		return;
	char name[64];
	snprintf(name, sizeof(name), "qemu-%s-static", m->qemu);
	auto_free char *qemu = co_proc_find(name);
	if (!qemu) {
		snprintf(f->why, sizeof(f->why),
			 "install %s on this machine (Debian: package qemu-user-static)", name);
		return;
	}
	if ((f->formats < 0 && open_formats(f, place) < 0) || tell_kernel(f, m, qemu) < 0) {
		snprintf(f->why, sizeof(f->why),
			 "%s is here, but this kernel does not let it be registered for a build "
			 "(%s): "
			 "that needs Linux 6.7; or register it for the machine (systemd-binfmt, "
			 "flag F)",
			 name, strerror(errno));
		return;
	}
	f->done |= 1u << i;
}

void foreign_close(struct foreign *f)
{
	co_close_fd(&f->formats);
	co_close_fd(&f->userns);
	co_close_fd(&f->alive);
	if (f->keeper > 0)
		while (waitpid(f->keeper, NULL, 0) < 0 && errno == EINTR)
			;
	foreign_init(f);
}
