/* SPDX-License-Identifier: MIT
 *
 * Programs for other processors: qemu-ARCH-static, registered with the kernel for a user namespace
 * only (Linux 6.7), never for the machine.
 */
#pragma once
#include <cooper/sandbox.h>
#include <sys/types.h>

struct foreign {
	int formats; /* a binfmt_misc file system; what is registered lasts as long as it */
	int userns;  /* to be entered by the step; -1: this process is in it */
	int alive;   /* the keeper of userns ends when this is closed */
	pid_t keeper;
	unsigned done; /* bits: rows of the table that work */
	char why[256]; /* why the last one does not; "" */
};

void foreign_init(struct foreign *f);
/* Makes programs of this architecture (Go's name) run in steps. What is native needs nothing; when
 * it can not be done f->why tells the cure. */
void foreign_enable(struct foreign *f, enum co_place place, const char *arch);
void foreign_close(struct foreign *f);
