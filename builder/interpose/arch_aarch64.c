/* SPDX-License-Identifier: MIT
 *
 * aarch64: entry points; see arch_x86_64.c for what each is for.
 */
#include "guest.h"
#include "slots.h"

__asm__(".text\n"
	".globl _start\n"
	".type _start,%function\n"
	"_start:\n"
	"	mov x0,sp\n"
	"	mov x19,sp\n"
	"	bl start_c\n"
	"	mov sp,x19\n"
	"	mov x16,x0\n"
	"	mov x0,#0\n"
	"	mov x19,#0\n"
	"	mov x29,#0\n"
	"	mov x30,#0\n"
	"	br x16\n");

__asm__(".text\n"
	".globl arch_sigsys\n"
	".type arch_sigsys,%function\n"
	"arch_sigsys:\n"
	"	stp x29,x30,[sp,#-48]!\n"
	"	stp x19,x20,[sp,#16]\n"
	"	stp x21,x22,[sp,#32]\n"
	"	mov x20,x1\n"
	"	mov x21,x2\n"
	"	mov x22,sp\n"
	"	mov w0,#1\n"
	"	bl slot_take\n"
	"	mov w19,w0\n"
	"	bl slot_top\n"
	"	mov sp,x0\n"
	"	mov x0,x20\n"
	"	mov x1,x21\n"
	"	mov w2,w19\n"
	"	bl trap_c\n"
	"	mov sp,x22\n"
	"	mov w0,w19\n"
	"	bl slot_give\n"
	"	ldp x21,x22,[sp,#32]\n"
	"	ldp x19,x20,[sp,#16]\n"
	"	ldp x29,x30,[sp],#48\n"
	"	ret\n");

/* The way back needs a register: x17, which no call leaves intact. */
__asm__(".text\n"
	".globl arch_tramp\n"
	"arch_tramp:\n"
	"	svc #0\n"
	"	ldr x17,[sp],#16\n"
	"	br x17\n"
	".globl arch_restorer\n"
	"arch_restorer:\n"
	"	mov x8,#139\n"
	"	svc #0\n");

extern char arch_tramp[] __attribute__((visibility("hidden")));

void arch_resume(ucontext_t *uc, long nr)
{
	uc->uc_mcontext.sp -= 16;
	*(uint64_t *)uc->uc_mcontext.sp = uc->uc_mcontext.pc;
	uc->uc_mcontext.pc = (unsigned long long)arch_tramp;
	uc->uc_mcontext.regs[8] = (unsigned long long)nr;
}
