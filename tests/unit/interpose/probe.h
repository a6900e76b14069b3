/* SPDX-License-Identifier: MIT
 *
 * probe.h — checks that run inside a root and print what the kernel (or who stands in for it)
 * answered, one line each. The same program runs in a real chroot and under the interposer; the two
 * outputs must be equal.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Prints "name: value errno-name". */
void say(const char *name, long value);
void say_text(const char *name, const char *text);
void say_stat(const char *name, const char *path);
/* Runs fn in a child, with these ids when uid >= 0. */
void in_child(int uid, int gid, void (*fn)(void));
void make_file(const char *path, const char *text, mode_t mode);

#define TRY(call) say(#call, (long)(call))

void probe_paths(void);
void probe_files(void);
void probe_modes(void);
void probe_owners(void);
void probe_users(void);
void probe_ids(void);
void probe_caps(void);
void probe_exec(void);
void probe_sockets(void);
void probe_signals(void);
void probe_xattrs(void);
void probe_proc(void);
