/* SPDX-License-Identifier: MIT
 *
 * What the builder tells the first process of a step (init.c), as one block in a memory file, and
 * what that process answers through a pipe. Offsets count from the start of the block.
 */
#pragma once
#include <stdint.h>

#define INIT_MAGIC 0x636f6f70u
/* Descriptors the first process is started with; 0, 1 and 2 are the step's own. */
enum {
	INIT_FD_SPEC = 3,
	INIT_FD_STATUS,
	INIT_FD_LANDLOCK,
	INIT_FD_SELF,
	INIT_FD_LISTENER,
	INIT_FD_END
};

enum init_flags {
	INIT_NO_NEW_PRIVS = 1, /* before the seccomp filter; needed where we are not root */
	INIT_LANDLOCK = 2,     /* INIT_FD_LANDLOCK holds a ruleset */
	INIT_SETGROUPS = 4,    /* allowed here */
	INIT_KEEP_IDS = 8,     /* ids stay as they are; no capability does */
	INIT_REAPER = 16,      /* no pid namespace: kill what the step leaves behind */
	INIT_LISTENER = 64,    /* the filter's listener goes into INIT_FD_LISTENER */
	INIT_INTERPOSED = 32,  /* execute the descriptor `interposer`, not `program` */
};

/* In the data of SECCOMP_RET_USER_NOTIF: without a listener the call is allowed, not refused. */
#define FILTER_HARMLESS 1

struct init_spec {
	uint32_t magic, size, flags;
	uint32_t uid, gid, groups, n_groups;
	uint32_t filter, n_filter; /* struct sock_filter[]; none: 0 */
	uint32_t argv, env;	   /* uint64_t[] of offsets, 0-ended */
	uint32_t max_procs;	   /* RLIMIT_NPROC, 0: as it is */
	uint64_t caps;		   /* bounding, permitted and effective set */
	uint64_t max_data;	   /* RLIMIT_DATA, 0: as it is */
	uint64_t watch_memory;	   /* bytes; sum over the step, 0: not watched */
	uint32_t watch_procs, page_size;
	uint32_t interposer;
	char program[4096]; /* what to execute; written when the mounts are in place */
};

enum init_kind { INIT_EXITED, INIT_FAILED, INIT_OVER_MEMORY, INIT_OVER_PROCS };
/* In the order they happen. */
#define INIT_STAGES(X)                                                                             \
	X(SPEC, "read its orders")                                                                 \
	X(FORK, "fork")                                                                            \
	X(SESSION, "make a session")                                                               \
	X(LIMITS, "set resource limits")                                                           \
	X(LANDLOCK, "restrict itself with Landlock")                                               \
	X(SECCOMP, "load the seccomp filter")                                                      \
	X(BOUNDING, "drop capabilities from the bounding set")                                     \
	X(GROUPS, "set the groups")                                                                \
	X(GID, "set the group id")                                                                 \
	X(UID, "set the user id")                                                                  \
	X(CAPS, "drop capabilities")                                                               \
	X(EXEC, "execute")
enum init_stage {
#define INIT_STAGE_ENUM(name, text) INIT_AT_##name,
	INIT_STAGES(INIT_STAGE_ENUM)
#undef INIT_STAGE_ENUM
};
struct init_report {
	uint32_t kind;
	uint32_t stage; /* of INIT_FAILED */
	int32_t value;	/* wait status, or errno */
};
