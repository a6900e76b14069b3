/* SPDX-License-Identifier: MIT
 *
 * System calls that no build step needs and that reach the kernel's or this machine's insides. The
 * list follows what Docker's default profile refuses to a container without extra capabilities;
 * what is not named is allowed, except numbers younger than this list, which answer ENOSYS so that
 * programs fall back.
 */
#include "sandbox-internal.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* From 403 on all processors share the numbers; the first one not looked at: */
#define FIRST_UNKNOWN	  470
#define NR_open_tree_attr 467
#define ARM_PRIVATE	  0x0f0000
#if defined(__aarch64__)
#define ARM_JUMP 3
#else
#define ARM_JUMP 0
#endif

/* what: how an attempt is reported (docs/events.md). NULL: it is not, because ordinary programs and
 * libraries try it and do without. */
static const struct refused {
	const char *call, *what;
} refused[] = {
	/* mounts and namespaces */
	{"mount", "mount"},
	{"umount", "mount"},
	{"umount2", "mount"},
	{"pivot_root", "mount"},
	{"fsopen", "mount"},
	{"fsconfig", "mount"},
	{"fsmount", "mount"},
	{"fspick", "mount"},
	{"move_mount", "mount"},
	{"open_tree", "mount"},
	{"mount_setattr", "mount"},
	{"setns", "namespace"},
	{"unshare", "namespace"},
	/* keyrings are not namespaced */
	{"keyctl", "keyring"},
	{"add_key", "keyring"},
	{"request_key", "keyring"},
	/* kernel surface with a record */
	{"bpf", "bpf"},
	{"perf_event_open", "perf"},
	{"userfaultfd", "userfaultfd"},
	{"io_uring_setup", NULL},
	{"io_uring_enter", NULL},
	{"io_uring_register", NULL},
	{"fanotify_init", "fanotify"},
	{"lookup_dcookie", NULL},
	{"vm86", NULL},
	{"vm86old", NULL},
	/* past the mount namespace */
	{"open_by_handle_at", "file-handle"},
	/* into other processes */
	{"kcmp", NULL},
	{"pidfd_getfd", "ptrace"},
	{"process_madvise", NULL},
	{"move_pages", NULL},
	{"migrate_pages", NULL},
	/* the machine */
	{"kexec_load", "kexec"},
	{"kexec_file_load", "kexec"},
	{"reboot", "reboot"},
	{"init_module", "module"},
	{"finit_module", "module"},
	{"delete_module", "module"},
	{"create_module", "module"},
	{"get_kernel_syms", NULL},
	{"query_module", NULL},
	{"swapon", "swap"},
	{"swapoff", "swap"},
	{"acct", "accounting"},
	{"quotactl", NULL},
	{"quotactl_fd", NULL},
	{"nfsservctl", NULL},
	{"syslog", "kernel-log"},
	{"vhangup", NULL},
	{"settimeofday", "clock"},
	{"stime", "clock"},
	{"clock_settime", "clock"},
	{"clock_settime64", "clock"},
	{"clock_adjtime", NULL},
	{"clock_adjtime64", NULL},
	{"iopl", "ports"},
	{"ioperm", "ports"},
	{"uselib", NULL},
	{"_sysctl", NULL},
	{"sysfs", NULL},
	{"ustat", NULL}};

const char *refused_what(const char *call)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (!strcmp(refused[i].call, call))
			return refused[i].what;
	return NULL;
}

/* How a call is refused whose attempt is worth telling. */
static uint32_t told(unsigned flags, uint32_t error)
{
	return flags & FILTER_TELL ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(error);
}

static int refuse_names(scmp_filter_ctx c, unsigned flags)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		int nr = seccomp_syscall_resolve_name(refused[i].call);
		if (nr == __NR_SCMP_ERROR)
			continue;
		uint32_t action = refused[i].what ? told(flags, EPERM) : SCMP_ACT_ERRNO(EPERM);
		int r = seccomp_rule_add(c, action, nr, 0);
		if (r < 0 && r != -EDOM && r != -EEXIST)
			return r;
	}
	/* the flags are behind a pointer: the C library falls back to clone */
	return seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int refuse_bits(scmp_filter_ctx c, unsigned flags)
{
	static const uint64_t bits[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					CLONE_NEWUSER, CLONE_NEWPID,	CLONE_NEWNET};
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof(bits) / sizeof(bits[0]); i++)
		r = seccomp_rule_add(c, told(flags, EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, bits[i], bits[i]));
	/* typing into a terminal that is not ours */
	if (!r)
		r = seccomp_rule_add(c, told(flags, EPERM), SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, TIOCSTI));
	if (!r)
		r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, TIOCLINUX));
	return r;
}

/* Families that reach the kernel's or the machine's insides; others are asked for by programs that
 * only want to know what there is. */
bool family_told(uint64_t family)
{
	return family == AF_ALG || family == AF_PACKET || family == AF_VSOCK;
}

/* Local, internet and netlink sockets are left; packet sockets only see a network of one's own. */
static int refuse_sockets(scmp_filter_ctx c, unsigned flags)
{
	static const int wanted[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	int r = 0;
	for (int family = 0; r == 0 && family <= AF_PACKET; family++) {
		bool keep = family == AF_PACKET && flags & FILTER_OWN_NET;
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			keep |= wanted[i] == family;
		uint32_t action = family_told((uint64_t)family) ? told(flags, EAFNOSUPPORT)
								: SCMP_ACT_ERRNO(EAFNOSUPPORT);
		if (!keep)
			r = seccomp_rule_add(
				c, action, SCMP_SYS(socket), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, (uint64_t)family));
	}
	/* some of these are told; a rule for each would make the filter much longer */
	return r ? r
		 : seccomp_rule_add(c, told(flags, EAFNOSUPPORT), SCMP_SYS(socket), 1,
				    SCMP_A0(SCMP_CMP_GT, AF_PACKET));
}

/* Into the step's first process: the kernel would refuse it too, but tell nobody. Others are the
 * step's own. */
static int report_ptrace(scmp_filter_ctx c)
{
	static const uint64_t requests[] = {PTRACE_ATTACH, PTRACE_SEIZE};
	const struct scmp_arg_cmp first = SCMP_A0(SCMP_CMP_EQ, 1), pid = SCMP_A1(SCMP_CMP_EQ, 1);
	int r = 0;
	for (size_t i = 0; r == 0 && i < 2; i++)
		r = seccomp_rule_add(c, SCMP_ACT_NOTIFY, SCMP_SYS(ptrace), 2,
				     SCMP_A0(SCMP_CMP_EQ, requests[i]), pid);
	if (!r)
		r = seccomp_rule_add(c, SCMP_ACT_NOTIFY, SCMP_SYS(process_vm_readv), 1, first);
	return r ? r : seccomp_rule_add(c, SCMP_ACT_NOTIFY, SCMP_SYS(process_vm_writev), 1, first);
}

/* The second, 32-bit face of a 64-bit processor: the same calls under other numbers. Its programs
 * make sockets through one multiplexed call whose family is behind a pointer, so it is all or
 * nothing: they get it only in an image that is 32-bit itself, and nobody is told. */
static int add_narrow(scmp_filter_ctx c, uint32_t arch, unsigned flags)
{
	scmp_filter_ctx narrow = seccomp_init(SCMP_ACT_ALLOW);
	if (!narrow)
		return -ENOMEM;
	int r = seccomp_arch_remove(narrow, SCMP_ARCH_NATIVE);
	if (!r)
		r = seccomp_arch_add(narrow, arch);
	if (!r)
		r = refuse_names(narrow, flags);
	if (!r)
		r = refuse_bits(narrow, flags);
	if (!r && !(flags & FILTER_COMPAT))
		r = refuse_sockets(narrow, 0);
	if (!r)
		r = seccomp_attr_set(narrow, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (!r)
		r = seccomp_merge(c, narrow);
	if (r)
		seccomp_release(narrow);
	return r;
}

/* Where no listener can be had, the call is left to the kernel, which refuses it. */
static int report_nodes(scmp_filter_ctx c)
{
	static const uint64_t kinds[] = {S_IFCHR, S_IFBLK};
	int r = 0;
	for (size_t i = 0; r == 0 && i < 2; i++) {
		r = seccomp_rule_add(c, SCMP_ACT_NOTIFY, SCMP_SYS(mknodat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
#if defined(__NR_mknod)
		if (!r)
			r = seccomp_rule_add(c, SCMP_ACT_NOTIFY, SCMP_SYS(mknod), 1,
					     SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
#endif
	}
	return r == -EOPNOTSUPP ? 0 : r;
}

static int fill(scmp_filter_ctx c, unsigned flags)
{
	int r = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (!r)
		r = refuse_names(c, flags);
	if (!r)
		r = refuse_bits(c, flags);
	if (!r)
		r = refuse_sockets(c, flags);
	if (!r && flags & FILTER_NODES)
		r = report_nodes(c);
	if (!r && flags & FILTER_TELL)
		r = report_ptrace(c);
#if defined(__x86_64__)
	if (!r)
		r = add_narrow(c, SCMP_ARCH_X86, flags);
#elif defined(__aarch64__)
	if (!r)
		r = add_narrow(c, SCMP_ARCH_ARM, flags | FILTER_COMPAT);
#endif
	if (!r)
		seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r;
}

/* In front of libseccomp's program: what it cannot say about numbers. x32 calls (bit 30) are above
 * the limit too. */
static void prologue(struct sock_filter *f)
{
	const uint32_t nr = offsetof(struct seccomp_data, nr);
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr),
		/* 32-bit ARM has private calls there */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ARM_PRIVATE, ARM_JUMP, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_UNKNOWN, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_open_tree_attr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++)
		f[i] = code[i];
}
#define PROLOGUE 5

static int export(scmp_filter_ctx c, struct filter *out)
{
	struct stat sb;
	auto_fd fd = memfd_create("filter", MFD_CLOEXEC);
	if (fd < 0 || seccomp_export_bpf(c, fd) < 0 || fstat(fd, &sb) < 0)
		return -1;
	size_t n = (size_t)sb.st_size / sizeof(struct sock_filter) + PROLOGUE;
	struct sock_filter *f = co_xcalloc(n, sizeof(*f));
	prologue(f);
	if (n > BPF_MAXINSNS || pread(fd, f + PROLOGUE, (size_t)sb.st_size, 0) != sb.st_size) {
		free(f);
		return -1;
	}
	out->insns = f;
	out->n = n;
	return 0;
}

int seccomp_build(struct filter *out, unsigned flags, struct co_err *err)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);
	int r = c ? fill(c, flags) : -ENOMEM;
	if (!r && export(c, out) < 0)
		r = -EIO;
	if (c)
		seccomp_release(c);
	return r ? co_fail(err, CO_E_SANDBOX, "build the seccomp filter: %s", strerror(-r)) : 0;
}

static void put_in_front(struct filter *f, const struct sock_filter *code, size_t k)
{
	f->insns = co_xrealloc(f->insns, f->n + k, sizeof(*f->insns));
	memmove(f->insns + k, f->insns, f->n * sizeof(*f->insns));
	memcpy(f->insns, code, k * sizeof(*code));
	f->n += k;
}

void filter_offline(struct filter *f)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
	};
	put_in_front(f, code, sizeof(code) / sizeof(code[0]));
}

#if defined(__x86_64__)
#define THIS_ARCH  SCMP_ARCH_X86_64
#define OLD_CHOWN  SYS_chown
#define OLD_LCHOWN SYS_lchown
#define OLD_FORK   SYS_fork
#define OLD_VFORK  SYS_vfork
#else /* such processors have not the old calls, and no call has this number */
#define THIS_ARCH  SCMP_ARCH_AARCH64
#define OLD_CHOWN  0xffffffffu
#define OLD_LCHOWN 0xffffffffu
#define OLD_FORK   0xffffffffu
#define OLD_VFORK  0xffffffffu
#endif
/* Begins with the call's number, of this processor's own calls; others: so many instructions ahead.
 */
#define NATIVE_CALL(ahead)                                                                         \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),                   \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 0, (ahead) + 1),                    \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
/* The low half of a 64-bit argument, on our (little-endian) processors. */
#define ARG(i) ((uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)(i)))

void filter_addresses(struct filter *f)
{
	const struct sock_filter code[] = {
		NATIVE_CALL(7),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(4)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(4) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF | FILTER_HARMLESS),
	};
	put_in_front(f, code, sizeof(code) / sizeof(code[0]));
}

/* New namespaces are left to the rules behind. clone3 is refused by them. */
void filter_forks(struct filter *f)
{
	const uint32_t others = CLONE_THREAD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
				CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	const struct sock_filter code[] = {
		NATIVE_CALL(6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OLD_FORK, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OLD_VFORK, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(0)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, others, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF | FILTER_HARMLESS),
	};
	put_in_front(f, code, sizeof(code) / sizeof(code[0]));
}

#define UNCHANGED 0xffffffffu /* (uid_t)-1 */
/* Argument arg is an id from `end` on: so many instructions ahead. Else the next one. */
#define FROM_ID(arg, end, ahead)                                                                   \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(arg)),                                              \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UNCHANGED, 1, 0),                              \
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (end), (ahead), 0)

void filter_owners(struct filter *f, uint32_t uids, uint32_t gids)
{
	const struct sock_filter code[] = {
		NATIVE_CALL(19),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchownat, 10, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchown, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OLD_CHOWN, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OLD_LCHOWN, 0, 15),
		FROM_ID(1, uids, 11),
		FROM_ID(2, gids, 8),
		BPF_STMT(BPF_JMP | BPF_JA, 8),
		FROM_ID(2, uids, 4),
		FROM_ID(3, gids, 1),
		BPF_STMT(BPF_JMP | BPF_JA, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF | FILTER_HARMLESS),
	};
	put_in_front(f, code, sizeof(code) / sizeof(code[0]));
}
