/* SPDX-License-Identifier: MIT
 *
 * Between the files of this module. A step is started so:
 *
 *   builder  userns.c   limits, pipes, the block of orders (spec.c) → a child in new namespaces
 * that shares the builder's memory until it executes (vfork), so nothing is copied child inside.c
 * mounts (dev.c kernel_fs.c mounts.c), pivot_root, look up the program, descriptors → executes the
 * step's first process first    init.c     ids, capabilities, Landlock, seccomp → executes the
 * command, reaps builder  output.c   pumps output, watches time, waits; stubs.c, limits.c tidy up
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/inroot.h>
#include <cooper/sandbox.h>
#include <linux/filter.h>
#include <time.h>
#include "init-spec.h"

struct co_sandbox {
	const struct co_sandbox_ops *ops;
	enum co_place place;
	struct co_bus *bus;
	bool wants_owners;
	void *state; /* the backend's own */
};
extern const struct co_sandbox_ops sandbox_userns, sandbox_chroot, sandbox_emulated;

/* ---- the wall, shared by every sandbox ---- */

/* A loaded filter's instructions; to be freed. */
struct filter {
	struct sock_filter *insns; /* owned */
	size_t n;
};
/* Refuses internet sockets altogether: for sandboxes that have no network of their own to give. */
void filter_offline(struct filter *f);
enum {
	FILTER_OWN_NET = 1, /* packet sockets see the step's own network only */
	FILTER_COMPAT = 2,  /* the image's programs are 32-bit ones on a 64-bit machine */
	FILTER_NODES = 4,   /* making a device is handed to a listener */
	FILTER_TELL = 8	    /* a listener hears of what is refused */
};
int seccomp_build(struct filter *out, unsigned flags, struct co_err *err);
/* The listener hears of connections too: for a step whose network is empty. */
void filter_addresses(struct filter *f);
/* The listener hears of files given to a user from `uids` on or a group from `gids` on. */
void filter_owners(struct filter *f, uint32_t uids, uint32_t gids);
/* The listener is asked for every new process, not for threads, and counts them. */
void filter_forks(struct filter *f);
/* How an attempt at a call of the list is reported; NULL: not on the list, or not reported. */
const char *refused_what(const char *call);
bool family_told(uint64_t family);

/* A ruleset that keeps a step away from abstract sockets (and, where has_fs is set later, files) of
 * this machine: descriptor, or -1 where this kernel has no such thing. */
int landlock_scope_ruleset(void);

/* Capabilities of a step's root: what Docker gives. */
uint64_t creds_caps(bool insecure);

/* A control group (v2) of the builder's, in which steps run; where one may be made. */
struct group {
	int fd; /* directory, -1: none */
	char path[512];
	bool devices; /* it refuses devices outside the usual set */
	bool tried;   /* whether it can be made is known */
};
/* What device nodes are good for in a group. */
enum device_use {
	DEVICES_ALL,
	DEVICES_USUAL,
	DEVICES_GIVEN /* and those that this step was given */
};
void group_close(struct group *g);
/* Attaches the device filter to a group; given: the step whose own devices are allowed too, or
 * NULL. 0 or -1. */
int group_devices(int cgroup, const struct co_run *given);

/* Limits of one step by that group, or one below it; else by init's watchdog and rlimits. */
struct limits {
	int cgroup; /* directory, -1: none */
	char path[512];
	bool own;		 /* made for this step */
	bool joined;		 /* the child was born in it */
	bool memory, pids, cpus; /* enforced by it */
	bool devices;
	struct group given; /* apart from the other steps: this one was given devices */
};
#define LIMITS_NONE ((struct limits){.cgroup = -1, .given = {.fd = -1}})
/* The group of all steps is made for the first one. */
void limits_open(struct limits *l, struct group *g, enum device_use use, const struct co_run *run);
/* In the child: joins the group; CPU affinity where no group limits cpus. */
int limits_join(const struct limits *l, const struct co_run *run);
/* Fills in what the first process has to enforce itself. */
void limits_spec(const struct limits *l, const struct co_run *run, struct init_spec *spec);
/* Tells whether memory ran out; removes what was made for this step. */
void limits_close(struct limits *l, struct co_result *res);
/* ---- orders for the first process ---- */

const void *init_image(size_t *size);
/* Executable descriptor of a program, sealed; -1 with errno. */
int spec_image(const void *data, size_t size);
/* Executable descriptor of the first process's program, sealed; -1 with errno. */
int spec_image_fd(void);
/* A memory file with the orders; the program is written later. -1 with errno. */
int spec_make(const struct co_run *run, const struct filter *filter, const struct limits *limits,
	      uint32_t flags, uint64_t caps);
int spec_program(int spec, const char *path);
/* With INIT_INTERPOSED: the descriptor to execute. */
int spec_interposer(int spec, uint32_t fd);

/* ---- mounting: the new mount API, else mount(2) ---- */

/* Takes hold of a tree for mounting: in the namespace where fd was opened, before leaving it. */
struct source {
	int fd;	  /* of the caller */
	int tree; /* detached copy, -1: not to be had */
	bool recursive;
	bool reopened; /* fd was looked up again in the new namespace: owned */
};
void source_grab(struct source *s, int fd, bool recursive);
/* After unshare(CLONE_NEWNS), where there is no detached copy: finds the same object here. */
int source_follow(struct source *s);
void source_drop(struct source *s);
/* flags: MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC. All return 0 or -1 with errno. */
int mount_source(struct source *s, int target, unsigned long flags);
/* The same for something in the current namespace. */
int mount_bind(int fd, int target, unsigned long flags);
/* data: "key=value,flag,…" or NULL. */
int mount_fs(const char *type, const char *data, unsigned long flags, int target);
/* Makes the mounted directory the root and lets go of the old one; -1 with errno. */
int root_change(int dir);

/* ---- inside: the child before it executes the first process ---- */

struct stub {
	char *path; /* owned; resolved, relative to the root */
	bool dir;
	uint64_t dev, ino;
	struct timespec before, after; /* mtime of the directory it was made in */
};
struct stubs {
	struct stub *items; /* owned */
	size_t n;
};
/* Opens (O_PATH) a mount target, made when it is missing; what was made is remembered. */
int stub_open(struct stubs *s, int root, const char *path, bool dir, struct co_err *err);
/* Removes what was made and is still as it was made. */
void stubs_remove(struct stubs *s, int root);

/* One step at work; the child shares this memory. */
struct guest;
struct step {
	const struct co_sandbox *s;
	const struct co_root *root;
	const struct co_run *run;
	struct limits limits;
	struct stubs stubs;
	struct agents *agents;	   /* owned, NULL: none */
	struct listener *listener; /* owned, NULL: none */
	struct attempts *attempts; /* owned, NULL: none */
	char *resolv;		   /* owned; text for /etc/resolv.conf, NULL: none here */
	char *hosts;		   /* owned */
	int image;		   /* borrowed */
	int spec;
	int landlock;
	int out[2], errs[2], status[2], input;
	int userns;		 /* to enter before the command; -1: none; borrowed */
	const char *foreign;	 /* why programs of another machine do not run; "" or NULL */
	struct guest *guest;	 /* the interposer's world; NULL: none */
	bool unmapped;		 /* a file was given to an id that this user namespace has not */
	uint32_t unmapped_to[2]; /* user and group; UINT32_MAX: it keeps its own */
	pid_t first;  /* where the listener counts processes: the first one; 0: it does not */
	bool crowded; /* it counted more than the limit */
	struct co_err *err;
	/* the child's */
	const char *points[2]; /* directories of the machine, covered */
	int scratch;	       /* tmpfs for file contents, -1 until one is needed */
	int in;		       /* the root, in the new mount namespace */
};
int inside(void *step);
int step_pipes(struct step *st, struct co_err *err);
void step_close(struct step *st);
char *step_resolv_conf(void); /* to be freed */
char *step_hosts(const struct co_run *run);
const char *init_stage_text(uint32_t stage);
void close_fds(unsigned first, unsigned last);
/* Directories of this machine that a child may cover: one by the root while it is being furnished,
 * one by the scratch file system. Any that exist will do, but for those still needed. */
size_t spare_dirs(const char **out, size_t max);
pid_t spawn(struct step *st, int (*fn)(void *), char *stack, size_t size, int flags);
int dev_make(struct step *st);
int kernel_fs_make(struct step *st);
/* Sources of run->mounts, held before the namespace is left. */
void mounts_grab(struct step *st, struct source *sources);
int mounts_make(struct step *st, struct source *sources);
int net_loopback_up(void);
/* Finds argv[0] in the root: path to execute. */
int lookup_program(int root, const struct co_run *run, char *path, size_t size, struct co_err *err);
/* Is what a step runs (or the image's shell, where that is not there yet) a 32-bit program? */
bool lookup_is_32bit(int root, const struct co_run *run);
/* An error if it is a program for another processor: for those who do not leave it to the kernel.
 */
int lookup_foreign(int root, const char *path, struct co_err *err);
/* The story behind a failed execve. */
int lookup_explain(int root, const char *path, int error, struct co_err *err);

/* ---- sockets lent to the step ---- */

struct pollfd;
int agents_open(struct step *st, struct co_err *err);
/* In the child: names the socket of a mount in scratch; O_PATH descriptor of it or -1. */
int agent_bind(struct step *st, const struct co_mount_op *op, unsigned number);
#define AGENTS_POLL 64
/* Fills in what to wait for, at most AGENTS_POLL of them. */
size_t agents_poll(struct step *st, struct pollfd *f);
void agents_move(struct step *st);
void agents_close(struct step *st);

/* ---- what the step's filter hands to the builder ---- */

struct seccomp_notif;
/* Nothing happens where the kernel cannot tell about system calls. */
int listener_open(struct step *st, struct co_err *err);
/* Do kernel and library know such filters at all? */
bool listener_may_tell(void);
/* Does this kernel let a call go on that it told of (Linux 5.5)? */
bool listener_may_continue(void);
/* Does it count this step's processes? Where no control group limits them: real root is bound by
 * nothing else, and a fork bomb is faster than looking now and then. */
bool listener_counts(const struct step *st);
int listener_end(const struct step *st);		 /* the step's descriptor, -1: none */
size_t listener_poll(struct step *st, struct pollfd *f); /* 0 or 1 filled in */
void listener_move(struct step *st, const struct pollfd *f);
void listener_close(struct step *st);
/* unmapped.c: are there ids that this user namespace has not? */
bool unmapped_any(void);
/* Without an interposer's ids, those that the step is given have to be there. */
int unmapped_check(const struct step *st, struct co_err *err);
/* The error of a step that gave a file to st->unmapped_to, and was ended. */
int unmapped_given(const struct step *st, struct co_err *err);

/* A file of /proc/PID; descriptor or -1 with errno. */
int open_of(pid_t pid, const char *what, int flags);

/* nodes.c: devices that a step in a user namespace makes. */
bool node_asked(const struct seccomp_notif *n);
/* Does what is asked, if valid() says that the asker is still there: 0 or a negative errno. */
int node_answer(const struct seccomp_notif *n, bool (*valid)(void *ctx), void *ctx);

/* attempts.c: what the step tried and was refused. It is kept until the end, so that what is the
 * same comes out once; all of it is bounded. */
#define ATTEMPT_ARGS 1024
struct attempt {
	const char *what;	     /* static */
	const char *call;	     /* of the system call */
	const char *binary, *detail; /* or NULL */
	const char *args;	     /* each with a NUL behind it */
	size_t args_len;
	bool args_cut;
	uint64_t count;
};
/* How an attempt at a call is reported; NULL: it is not. */
const char *attempt_what(const char *call, const uint64_t *args);
void attempt_add(struct step *st, const struct attempt *a);
/* The same, when nobody looked at who it was. */
void attempt_count(struct step *st, uint64_t n);
/* Takes in what the interposers of a guest noted. */
void attempts_read(struct step *st, const void *session);
/* Tells all of them and forgets them. */
void attempts_tell(struct step *st);

/* ---- afterwards ---- */

/* Moves output until the step has ended; *report says how. Kills it at a limit. */
struct pump {
	struct step *st;
	pid_t pid;
	struct co_result *res;
	struct init_report report;
	int kill_with; /* signal that makes the first process end; 0: SIGKILL */
	bool reported, interrupted, over_procs, ended;
};
int pump_run(struct pump *p, struct co_err *err);
/* Afterwards: says which limit of the first process's it was, and makes it the result. */
void pump_limits(const struct pump *p);

/* ---- the place ---- */

struct id_range {
	uint32_t first, count;
};
#define ID_RANGES 16
/* This user's ranges in /etc/subuid or /etc/subgid (file); how many. */
size_t idmap_ranges(const char *file, const char *user, uint32_t uid, struct id_range *out,
		    size_t max);
struct idmap;
/* Starts the helper that writes the maps from outside; before unshare. NULL: there is none to be
 * had, *why says why not. */
struct idmap *idmap_begin(char *why, size_t size);
/* Lets it write the maps of this process, which has unshared. 0, or -1 and *why. */
int idmap_finish(struct idmap *m, bool write, char *why, size_t size);
/* The first id that this process's "uid" or "gid" map has not; UINT32_MAX when it has them all. */
uint32_t idmap_end(const char *kind);
/* Maps this one user and group to root; in the new namespace. */
int idmap_single(uint32_t uid, uint32_t gid);

/* Does in a child what co_place_enter and a step do, and says which place works. full: the id maps
 * too, which takes programs with set-id bits; else they are taken for granted (SINGLE is said). */
enum co_place probe_place(struct co_probe *out, bool full);

/* cures.c: one line that would allow namespaces here, or give them more than one id; "" if none is
 * known. */
const char *cure_namespaces(void);
const char *cure_ids(void);
