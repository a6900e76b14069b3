/* SPDX-License-Identifier: MIT
 *
 * inroot.h — the one way to open a path inside a root. Symbolic links are resolved as if the root
 * were "/"; nothing ever leaves it. openat2(RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS) where the kernel
 * and the seccomp profile allow it, else a walk with O_PATH|O_NOFOLLOW component by component.
 * Rule: every path that came from an image, a context, a Dockerfile or a step goes through here;
 * the rest of the program uses directory descriptors (CVE-2018-15664, CVE-2024-21626 and family).
 */
#pragma once
#include <cooper/err.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens path inside rootfd, following links in every component (the last too unless O_NOFOLLOW).
 * flags as open(2); O_CLOEXEC is added. Returns a descriptor (>= 0) or -1 with errno; never blocks
 * on a FIFO (O_NONBLOCK is added for opens of existing files and O_NOCTTY always). An empty path or
 * "/" is the root. ELOOP after 40 links. */
int co_inroot_open(int rootfd, const char *path, int flags, mode_t mode);
/* Opens the directory that holds path's last component (its parents' links followed in-root) and
 * gives that component in *base (pointer into path; "" when path is the root itself; "." and ".."
 * as last component are refused with EINVAL). Returns a descriptor O_PATH|O_DIRECTORY or -1 with
 * errno. */
int co_inroot_parent(int rootfd, const char *path, const char **base);
/* mkdir -p inside the root: follows links, creates missing directories with `mode` exactly (umask
 * ignored) and calls made(ctx, dirfd, name) for each one made. Returns a descriptor of the last
 * directory or -1 with errno (ENOTDIR when something else is in the way). */
int co_inroot_mkdirs(int rootfd, const char *path, mode_t mode,
		     void (*made)(void *ctx, int dirfd, const char *name), void *ctx);
/* Where path leads after following every link, as a clean path relative to the root ("" is the
 * root); components that do not exist are kept as written. Writes at most size bytes; -1 with errno
 * (ENAMETOOLONG, ELOOP). */
int co_inroot_resolve(int rootfd, const char *path, char *out, size_t size);
/* Reads a small regular file (passwd, group, os-release …): refuses others, at most max bytes
 * (CVE-2024-9676, CVE-2026-47262). Returns a NUL-terminated buffer to be freed, NULL with errno
 * (EFBIG past max). */
char *co_inroot_slurp(int rootfd, const char *path, size_t max, size_t *len);
/* Tests only: pretend openat2 is missing. */
void co_inroot_force_walk(bool on);
