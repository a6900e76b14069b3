/* SPDX-License-Identifier: MIT
 *
 * guest.h — what every file of the interposer needs: system calls, strings without a C library,
 * access to the guest's memory, and the one global state.
 *
 * The interposer lives in every process of a step, at the same address, in the process's own
 * memory. It must hold nothing on its heap, use no thread-local storage, and take no lock that a
 * killed thread could keep. "Guest" is the program above it. Functions return values as system
 * calls do: negative errno on failure.
 */
#pragma once
#include <cooper/interpose.h>
#include <cooper/owntab_layout.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#if defined(__x86_64__)
#include "arch_x86_64.h"
#elif defined(__aarch64__)
#include "arch_aarch64.h"
#else
#error "no interposer for this architecture"
#endif

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef AT_EACCESS
#define AT_EACCESS 0x200
#endif

#define sys0(n)		       sys6((n), 0, 0, 0, 0, 0, 0)
#define sys1(n, a)	       sys6((n), (long)(a), 0, 0, 0, 0, 0)
#define sys2(n, a, b)	       sys6((n), (long)(a), (long)(b), 0, 0, 0, 0)
#define sys3(n, a, b, c)       sys6((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sys4(n, a, b, c, d)    sys6((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define sys5(n, a, b, c, d, e) sys6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

#define PATH_SIZE 4096
#define PAGE	  4096ul /* the smallest there is; g.page is what the kernel uses */

/* The kernel's struct stat differs from no C library's on our architectures. */
struct stat;

/* ---- strings (text.c) ---- */
void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t text_len(const char *s);
bool text_eq(const char *a, const char *b);
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
/* Copies s to d up to end (always terminated); gives the place of the NUL. */
char *text_put(char *d, const char *end, const char *s);
char *text_num(char *d, const char *end, uint64_t v, unsigned base);
/* Reads a number in the base; moves *s behind it and one following space. */
uint64_t text_get(const char **s, unsigned base);
bool text_is_number(const char *s, size_t n);
_Noreturn void die(const char *what, long err, int status);

/* ---- the guest's memory (memory.c) ---- */
/* 0 or -EFAULT; never a fault, whatever the pointer. */
long guest_read(void *to, const void *from, size_t n);
long guest_write(void *to, const void *from, size_t n);
/* Copies a string of at most size - 1 bytes: its length, -EFAULT or -ENAMETOOLONG. */
long guest_string(char *to, size_t size, const char *from);

/* ---- state ---- */
struct sigaction_k { /* the kernel's */
	uint64_t handler, flags, restorer, mask;
};
struct cache_slot { /* see cache.c */
	uint32_t seq, gen;
	uint64_t hash;
	uint16_t key_len, value_len;
	char text[232];
};
#define CACHE_SLOTS 2048
/* What the processes of a step share beside the ownership table: at the end of the session. */
struct shared {
	uint32_t gen;	   /* grows when a link or a directory may have changed place */
	uint32_t perm_gen; /* grows when a directory's owner or mode changed */
	uint32_t rmdirs;   /* directories removed so far */
	/* removals begun so far, and how many there were when the cache was last emptied for a new
	 * link */
	uint32_t rmdirs_begun, rmdirs_seen;
	uint32_t pad[11];
	struct cache_slot cache[CACHE_SLOTS];
};
struct child_cred { /* ids of a child that still runs in our memory (vfork) */
	int32_t pid;
	struct co_ip_cred cred;
};
#define CHILD_CREDS 8
struct state {
	const struct co_ip_session *ses;
	struct shared *shared;
	struct owntab_map *tab;
	uint64_t page;
	uint64_t proc_dev; /* device of /proc, once it was asked for */
	uint32_t fd_base, n_fds, flags;
	uint32_t real_uid, real_gid;
	struct co_ip_cred cred;
	uint32_t cred_epoch;
	uint32_t n_children;
	struct child_cred child[CHILD_CREDS];
	uint32_t umask;
	uint32_t dumpable;
	struct sigaction_k sigsys; /* what the guest believes is set for SIGSYS */
	bool sigsys_blocked;
	char exe[PATH_SIZE];	   /* guest's path of the program */
	char exec_name[PATH_SIZE]; /* as execve was given it: AT_EXECFN */
	uint32_t cwd_seq, cwd_gen;
	char cwd[512];	      /* guest path of the working directory, while cwd_gen is current */
	char root[PATH_SIZE]; /* guest's chroot, "" for none */
	bool no_openat2;
	bool any_readonly;    /* a directory is mounted read-only */
	uint64_t mount_names; /* a set of (first letter, length) of mounts' last components */
};
extern struct state g;

#define FD(n) ((int)g.fd_base + (n))
static inline bool fd_reserved(long fd)
{
	return (uint32_t)fd - g.fd_base < g.n_fds;
}
static inline bool paths_on(void)
{
	return g.flags & CO_IP_PATHS;
}
static inline bool ids_on(void)
{
	return g.flags & CO_IP_IDS;
}

/* ---- one trapped call ---- */
struct call {
	long nr;
	long a[6 + 1];
	const struct row *row;
	int dirfd;	  /* of the row's path, AT_FDCWD when the call has none */
	const char *path; /* the row's path: the guest's pointer */
	const long *x;	  /* the arguments behind the path */
	ucontext_t *uc;	  /* NULL: came without a trap */
	int slot;
	bool resumed; /* the call runs on in the guest's context; its return value is not ours */
};
struct row {
	short nr;
	unsigned char when; /* CO_IP_* flags, any of which makes this call trapped */
	signed char at, path;
	unsigned char condition;
	short argument;
	long (*fn)(struct call *c);
	bool quick; /* may be served without a trap */
};
/* Lets the call run in the guest's own context, interruptible, with its registers as they are. */
long call_resume(struct call *c);
void arch_resume(ucontext_t *uc, long nr);

/* ---- start and exec ---- */
struct program { /* a mapped ELF file */
	uint64_t base, entry, phdr, phnum;
};
