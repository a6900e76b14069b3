/* SPDX-License-Identifier: MIT
 *
 * What the files of RUN --mount share.
 */
#pragma once
#include "exec-internal.h"

/* op_mounts.c */
int mount_keep_fd(struct mount_set *m, int fd, struct co_err *err) co_must_check; /* takes fd */
struct co_mount_op *mount_add_op(struct co_exec *x, struct mount_set *m);
/* Absolute and clean; what is relative lies below the working directory. */
const char *mount_target(struct co_exec *x, struct stage_run *st, const char *target);

/* mount_bind.c */
int mount_bind_open(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		    const struct co_origin *from, struct mount_set *m,
		    struct co_err *err) co_must_check;

/* op_mounts.c: identity of the files that mount `index` takes from another place */
int mount_source_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		     size_t index, struct co_digest *out, struct co_err *err) co_must_check;

/* mount_cache.c: first all caches of a step, then each in its place. */
int mount_caches_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		      struct mount_set *m, struct co_err *err) co_must_check;
int mount_cache_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		     size_t index, struct mount_set *m, struct co_err *err) co_must_check;

/* mount_secret.c */
int mount_secret_open(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		      struct mount_set *m, struct co_err *err) co_must_check;
int mount_ssh_open(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		   struct mount_set *m, struct co_err *err) co_must_check;
