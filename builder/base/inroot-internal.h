/* SPDX-License-Identifier: MIT
 *
 * The walk used where openat2 is missing (older kernels, seccomp profiles that refuse it).
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* Like co_inroot_open, component by component with O_PATH|O_NOFOLLOW. */
int inroot_walk(int rootfd, const char *path, int flags, mode_t mode);
