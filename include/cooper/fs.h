/* SPDX-License-Identifier: MIT
 *
 * fs.h — small file-system helpers for the builder's own files (never for paths inside a root).
 */
#pragma once
#include <cooper/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int co_write_all(int fd, const void *data, size_t len); /* EINTR and short writes handled */
ssize_t co_read_full(int fd, void *data, size_t len);	/* up to len bytes, short only at the end */
/* Writes data to a temporary file beside path and renames it over path: never half-written, no
 * link followed. mode is exact. */
int co_write_file(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		  struct co_err *err) co_must_check;
/* Reads a whole file up to max bytes into a new buffer (NUL-terminated). */
int co_read_file(int dirfd, const char *path, size_t max, char **out, size_t *len,
		 struct co_err *err) co_must_check;
int co_mkdir_p(const char *path, mode_t mode, struct co_err *err) co_must_check;
/* A new directory "prefix-XXXXXXXX" below dirfd, mode 0700; its name in out. Returns its fd. */
int co_mkdtemp_at(int dirfd, const char *prefix, char *out, size_t size, struct co_err *err);
/* Removes a tree (never follows links). ENOENT is success. */
int co_remove_tree(int dirfd, const char *name, struct co_err *err) co_must_check;
/* Copies bytes: copy_file_range, else read/write. len < 0: to the end. Returns bytes or -1. */
int64_t co_copy_fd(int out, int in, int64_t len);
/* reflink (FICLONE) or, failing that, co_copy_fd of the whole file, keeping holes. 0 or -1. */
int co_clone_fd(int out, int in);
