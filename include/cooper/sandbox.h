/* SPDX-License-Identifier: MIT
 *
 * sandbox.h — run one process in one root, in the strongest way this machine allows.
 * docs/sandbox.md tells how each works and what the wall is made of. A step's code is hostile: it
 * reaches neither the builder nor its credentials, and none of its processes outlives the step.
 */
#pragma once
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/root.h>
#include <stdbool.h>
#include <stdint.h>

/* Before any root is made, once per process: takes the place where the builder itself works.
 * As root: a private mount namespace. As a user: a user namespace with the subordinate ids
 * (newuidmap/newgidmap), else with the single id, plus a mount namespace; nothing at all where
 * namespaces are refused. Forks nothing; may re-exec is not needed. */
enum co_place {
	CO_PLACE_NONE,	 /* no namespaces: sandboxes chroot (root) or emulated (user) */
	CO_PLACE_ROOT,	 /* real root with its own mount namespace */
	CO_PLACE_RANGE,	 /* root of a user namespace with an id range */
	CO_PLACE_SINGLE, /* root of a user namespace with one id */
};
int co_place_enter(enum co_place *out, const char *wanted_sandbox, struct co_bus *bus,
		   struct co_err *err) co_must_check;

struct co_mount_op {
	enum {
		CO_MOP_BIND,   /* src_fd (O_PATH) onto target */
		CO_MOP_DEVICE, /* the same with a device node, which the step may use */
		CO_MOP_TMPFS,  /* size, mode */
		CO_MOP_FILE,   /* data/len as a read-only file: secrets, hosts, resolv.conf */
		CO_MOP_SOCKET  /* src_fd: a unix socket (ssh agent) */
	} kind;
	const char
		*target; /* path inside the root; missing targets are created and removed again */
	int src_fd;
	bool readonly;
	uint64_t size;
	uint32_t mode, uid, gid;
	const void *data;
	size_t len;
};
enum co_net { CO_NET_DEFAULT, CO_NET_NONE, CO_NET_HOST };
/* Plain data, built by the executor; the sandbox never sees a Dockerfile. */
struct co_run {
	const char *const *argv; /* argv[0] looked up in env's PATH inside the root */
	const char *const *env;
	const char *cwd; /* inside the root; exists already */
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t n_groups;
	const struct co_mount_op *mounts;
	size_t n_mounts;
	enum co_net net;
	const char *hostname; /* "buildkitsandbox" */
	const char *arch; /* what the root's programs are for, as Go names it; NULL: this machine */
	const void *stdin_data;
	size_t stdin_len;
	bool insecure; /* --security=insecure, allowed by the caller */
	/* limits; 0: none */
	uint64_t memory, pids, output;
	double cpus;
	unsigned timeout_s;
	int step; /* for STEP_OUTPUT events */
};
struct co_result {
	int status; /* wait status of the first process */
	bool timed_out, output_cut, oom;
	int64_t user_us, system_us;
	uint64_t max_rss_kb;
};
struct co_sandbox;
/* What a probe found, for `cooper doctor` and for the one line that says why. */
struct co_probe {
	bool usable;
	enum co_place place; /* where it would work */
	char answer[256];    /* "user namespace: ok" / "unshare: Operation not permitted" */
	char cure[256];
};
struct co_sandbox_ops {
	const char *name;		     /* "userns", "chroot", "emulated" */
	void (*probe)(struct co_probe *out); /* tries in a child; does not change this process */
	int (*open)(struct co_sandbox **out, enum co_place place, struct co_bus *bus,
		    struct co_err *err);
	/* 0 when the process was started and ended (look at result), <0 when it could not be. */
	int (*run)(struct co_sandbox *s, const struct co_root *root, const struct co_run *run,
		   struct co_result *result, struct co_err *err);
	void (*close)(struct co_sandbox *s);
};
extern const struct co_sandbox_ops *const co_sandboxes[]; /* best first, NULL-ended */
/* name NULL or "auto": the first that works. SANDBOX error with what each answered. */
int co_sandbox_open(struct co_sandbox **out, const char *name, enum co_place place,
		    struct co_bus *bus, struct co_err *err) co_must_check;
const char *co_sandbox_name(const struct co_sandbox *s);
/* UNMAPPED: the step has to do with an owner whom this user namespace has not, and was ended; a
 * root with a table of owners, in CO_PLACE_SINGLE, holds him. */
int co_sandbox_run(struct co_sandbox *s, const struct co_root *root, const struct co_run *run,
		   struct co_result *result, struct co_err *err) co_must_check;
void co_sandbox_close(struct co_sandbox *s);
/* Does this sandbox need the ownership table (struct co_root.owners)? */
bool co_sandbox_wants_owners(const struct co_sandbox *s);
