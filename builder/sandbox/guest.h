/* SPDX-License-Identifier: MIT
 *
 * guest.h — the world of a step that runs under the interposer (sandboxes emulated and chroot): the
 * root, what is mounted in it, and how the step's first process finds both. See cooper/interpose.h.
 */
#pragma once
#include "sandbox-internal.h"
#include <cooper/interpose.h>
#include <cooper/owntab.h>

struct guest {
	struct step *st;
	struct co_ip_session *session; /* mapped */
	int session_fd, image;	       /* owned; image borrowed */
	int dir;		       /* owned; a directory of this step, outside the root */
	char dir_path[1200];
	struct stubs in_dev;	  /* mount targets in the step's own /dev, which is in dir */
	int mounts[CO_IP_MOUNTS]; /* owned; O_PATH */
	bool writable[CO_IP_MOUNTS];
	unsigned n_files;
	char message[64]; /* last entry of the environment */
};

/* The interposer's program, executable. -1 with errno. */
int guest_image(void);
/* flags: CO_IP_*. With CO_IP_PATHS makes missing mount targets in the root (st->stubs). */
int guest_open(struct guest *g, struct step *st, int image, uint32_t flags, struct co_err *err);
void guest_close(struct guest *g);
/* In the child: puts the guest's descriptors at their numbers. */
int guest_place(const struct guest *g);

/* The step's environment with the interposer's message behind it; to be freed. */
const char **guest_env(const struct guest *g);
/* Makes a file of ours look like uid's: in the table, or without one on disk. 0 or -1. */
int guest_claim(struct co_owntab *t, int dirfd, const char *name, uint32_t uid, uint32_t gid,
		uint32_t mode, uint32_t major_no, uint32_t minor_no);

/* guest_dir.c: makes the directory of this step. */
int guest_dir_make(struct guest *g, struct co_err *err);
/* The name that the kernel gives a descriptor's file; -1 with errno. */
int guest_host_name(int fd, char *out, size_t size);

/* guest_mounts.c */
int guest_mounts(struct guest *g, struct co_err *err);
/* A ruleset that lets the step reach nothing but its world; -1 where the kernel can not. */
int guest_landlock(const struct guest *g);

/* Kills what is left of a step that was started when `before` were our children. */
struct children {
	pid_t *pids; /* owned */
	size_t n;
};
void children_list(struct children *c);
void children_sweep(const struct children *before);
/* How many processes are below this one now. */
size_t children_below(pid_t first);
