/* SPDX-License-Identifier: MIT
 *
 * exec.h — programs: execve becomes execve of the interposer, which then maps the real one.
 */
#pragma once
#include "guest.h"

long h_execve(struct call *c);
long h_execveat(struct call *c);
/* execve for the first program; returns only on failure. */
long exec_first(const char *file, char **argv, char **envp);

/* What one execve tells the interposer in the new image, as text in the last entry of its
 * environment. */
struct handover {
	int program, interpreter; /* descriptors; interpreter is -1 for a static program */
	bool secure;
};
/* Reads it, fills g; false when it is the first start ("boot"). */
bool handover_read(const char *text, struct handover *h);
char *handover_write(char *p, const char *end, const struct handover *h,
		     const struct co_ip_cred *cred, const char *exe, const char *name);

/* elf.c: maps a program; dies when it does not fit (the old image is gone). */
void elf_map(int fd, struct program *out, const char *what);
/* Looks at the first bytes of a file: 0 and its interpreter ("" for none), or a negative errno. */
long elf_check(int fd, const void *head, size_t n, char *interp, size_t size);
