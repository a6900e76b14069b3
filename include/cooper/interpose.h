/* SPDX-License-Identifier: MIT
 *
 * interpose.h — the program that stands between the processes of a step and the kernel where no
 * namespaces are to be had (docs/sandbox.md), and the memory in which a sandbox tells it what the
 * step's world looks like.
 *
 * Start: prepare a descriptor for each part, at the numbers fd_base + CO_IPF_*, none close-on-exec;
 * fill a memfd of CO_IP_SESSION_SIZE bytes with struct co_ip_session; chdir to the step's working
 * directory (the real one); then execveat(fd_base + CO_IPF_IMAGE, "", argv, envp, AT_EMPTY_PATH)
 * with the step's argv and its environment plus, as last entry, CO_IP_ENV "=boot " and fd_base in
 * hexadecimal. The image installs its filter and becomes session.program; every process started
 * from there on runs under it. A start that fails prints one line to descriptor 2 and exits 126
 * (127: no such program).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The program itself: a static ELF executable for a fixed address. */
extern const unsigned char co_interpose_image[];
extern const size_t co_interpose_size;

#define CO_IP_MAGIC	   0x6970733031ull
#define CO_IP_ENV	   "\001cooper"
#define CO_IP_SESSION_SIZE (4u << 20)
#define CO_IP_MOUNTS	   64
#define CO_IP_GROUPS	   128

enum {			/* struct co_ip_session.flags */
       CO_IP_PATHS = 1, /* names are resolved below root and its mounts */
       CO_IP_IDS = 2,	/* ids, owners and modes are virtual, kept in the ownership table */
       CO_IP_NO_PIDFD_EXE = 4,
       CO_IP_TRAP_ONLY = 8, /* every call by its trap: nothing of the guest is patched */
       CO_IP_OFFLINE = 16   /* the step has no network: what asks for one is noted */
};
enum {		       /* descriptors, relative to fd_base; mounts follow */
       CO_IPF_ROOT,    /* O_PATH directory; with CO_IP_PATHS */
       CO_IPF_TABLE,   /* co_owntab_fd(); with CO_IP_IDS, or for device nodes only */
       CO_IPF_SESSION, /* this memory */
       CO_IPF_IMAGE,   /* the program; executable, never close-on-exec */
       CO_IPF_MOUNTS
};
enum { /* struct co_ip_mount.flags */
       CO_IPM_READONLY = 1,
       CO_IPM_PROC = 2, /* a real /proc: its magic links need care */
       CO_IPM_FILE = 4	/* source is not a directory */
};

/* Something of the host that appears in the root. target: clean, absolute, without links. */
struct co_ip_mount {
	char target[512];
	char source[1024]; /* the host's path of fd, as /proc/self/fd tells it */
	int32_t fd;	   /* O_PATH, in the reserved range */
	uint32_t flags;
};

struct co_ip_cred {
	uint32_t ruid, euid, suid, fsuid;
	uint32_t rgid, egid, sgid, fsgid;
	uint64_t effective, permitted, inheritable, bounding, ambient;
	uint32_t securebits;
	uint32_t no_new_privs;
	uint32_t n_groups;
	uint32_t groups[CO_IP_GROUPS];
};

struct co_ip_session {
	uint64_t magic;
	uint32_t flags;
	uint32_t fd_base, n_fds; /* the reserved range */
	uint32_t real_uid, real_gid;
	uint32_t umask;
	struct co_ip_cred cred; /* of the first process; with CO_IP_IDS */
	char root[1024];	/* the host's path of the root */
	/* a short link to root, e.g. in /tmp, so that socket paths fit in 108 bytes; "" if none */
	char alias[64];
	char program[4096]; /* first program, a path inside the root */
	uint32_t n_mounts;
	struct co_ip_mount mounts[CO_IP_MOUNTS];
};

/* What interposers note of calls that are refused: a list in the session's last quarter that fills
 * once. A slot is taken with an addition to `next`, and a process that is killed while it writes
 * leaves `state` below CO_IPA_READY. The step can write anything here: the reader takes a copy and
 * believes no length in it. */
#define CO_IP_ATTEMPTS	  256
#define CO_IP_ATTEMPTS_AT (CO_IP_SESSION_SIZE / 4 * 3)
enum { CO_IPA_FREE, CO_IPA_WRITING, CO_IPA_READY };
struct co_ip_attempt {
	uint32_t state, count;
	uint64_t hash; /* of all that follows; equal ones are counted */
	int32_t nr;
	uint32_t args_len; /* bytes of args; more than there are: cut */
	uint64_t arg[2];
	char binary[512], detail[256];
	char args[1024]; /* each with a NUL behind it */
};
struct co_ip_attempts {
	uint32_t next; /* slots taken, and attempts for which there was none */
	uint32_t pad[15];
	struct co_ip_attempt items[CO_IP_ATTEMPTS];
};
_Static_assert(sizeof(struct co_ip_attempts) <= CO_IP_SESSION_SIZE / 4, "fits");
