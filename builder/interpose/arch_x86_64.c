/* SPDX-License-Identifier: MIT
 *
 * x86-64: entry points. Registers on entry are the kernel's; the stack may be the guest's.
 */
#include "guest.h"
#include "slots.h"

/* The program's entry: start_c(stack) maps the real program and gives its entry point. The stack
 * pointer is handed on as the kernel made it; rdx (an exit function) must be 0. */
__asm__(".text\n"
	".globl _start\n"
	".type _start,@function\n"
	"_start:\n"
	"	mov %rsp,%rdi\n"
	"	mov %rsp,%rbx\n"
	"	and $-16,%rsp\n"
	"	call start_c\n"
	"	mov %rbx,%rsp\n"
	"	xor %edx,%edx\n"
	"	xor %ebp,%ebp\n"
	"	xor %ebx,%ebx\n"
	"	xor %esi,%esi\n"
	"	xor %edi,%edi\n"
	"	jmp *%rax\n");

/* The SIGSYS handler: leaves the guest's stack, which may be a signal stack of a few kilobytes, for
 * one of ours. */
__asm__(".text\n"
	".globl arch_sigsys\n"
	".type arch_sigsys,@function\n"
	"arch_sigsys:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	mov %rsi,%r12\n"
	"	mov %rdx,%r13\n"
	"	mov %rsp,%rbp\n"
	"	and $-16,%rsp\n"
	"	mov $1,%edi\n"
	"	call slot_take\n"
	"	mov %eax,%ebx\n"
	"	mov %eax,%edi\n"
	"	call slot_top\n"
	"	mov %rax,%rsp\n"
	"	mov %r12,%rdi\n"
	"	mov %r13,%rsi\n"
	"	mov %ebx,%edx\n"
	"	call trap_c\n"
	"	mov %rbp,%rsp\n"
	"	and $-16,%rsp\n"
	"	mov %ebx,%edi\n"
	"	call slot_give\n"
	"	mov %rbp,%rsp\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n");

/* A system call made in the guest's context: below its red zone lies the address to go back to. The
 * kernel restarts it here, too. */
__asm__(".text\n"
	".globl arch_tramp\n"
	"arch_tramp:\n"
	"	syscall\n"
	"	ret $128\n"
	".globl arch_restorer\n"
	"arch_restorer:\n"
	"	mov $15,%eax\n"
	"	syscall\n");

/* The stubs of patch.c: number to r11, which no call leaves intact, like rcx. This page is mapped a
 * second time near the code that jumps to it. */
__asm__(".text\n"
	".balign 4096\n"
	".globl arch_stubs\n"
	"arch_stubs:\n"
	".set number,0\n"
	".rept 255\n"
	"	mov $number,%r11d\n"
	"	jmp 1f\n"
	"	.balign 16,0xcc\n"
	".set number,number+1\n"
	".endr\n"
	"1:	movabs $arch_direct,%rcx\n"
	"	jmp *%rcx\n"
	"	.balign 4096,0xcc\n");

/* A call from a stub. Below the guest's red zone: the flags, what handlers keep, the arguments, and
 * the rest of struct direct. All registers come back as they were, and rcx and r11 as the kernel
 * leaves them. The stack is the guest's while the signals are being held and let through. */
__asm__(".text\n"
	".globl arch_direct\n"
	".type arch_direct,@function\n"
	"arch_direct:\n"
	"	lea -128(%rsp),%rsp\n"
	"	pushfq\n"
	"	cld\n"
	"	push %r12\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %rdi\n"
	"	push %rsi\n"
	"	push %rdx\n"
	"	push %r10\n"
	"	push %r8\n"
	"	push %r9\n"
	"	push %rax\n"
	"	push $0\n"
	"	push $0\n"
	"	push %r11\n"
	"	mov %rsp,%rbp\n"
	"	and $-16,%rsp\n"
	"	mov %rbp,%rdi\n"
	"	call direct_begin\n"
	"	mov %eax,%ebx\n"
	"	mov %eax,%edi\n"
	"	call slot_top\n"
	"	mov %rax,%rsp\n"
	"	mov %rbp,%rdi\n"
	"	call direct_c\n"
	"	mov %rax,%r12\n"
	"	mov %rbp,%rsp\n"
	"	and $-16,%rsp\n"
	"	mov %rbp,%rdi\n"
	"	mov %ebx,%esi\n"
	"	call direct_end\n"
	"	mov %r12,%rax\n"
	"	mov %rbp,%rsp\n"
	"	pop %rcx\n"
	"	lea 24(%rsp),%rsp\n"
	"	pop %r9\n"
	"	pop %r8\n"
	"	pop %r10\n"
	"	pop %rdx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	pop %r12\n"
	"	mov (%rsp),%r11\n"
	"	popfq\n"
	"	lea 128(%rsp),%rsp\n"
	"	jmp *%rcx\n");

extern char arch_tramp[] __attribute__((visibility("hidden")));

void arch_resume(ucontext_t *uc, long nr)
{
	greg_t *regs = uc->uc_mcontext.gregs;
	uint64_t sp = (uint64_t)regs[REG_RSP] - 136;
	*(uint64_t *)sp = (uint64_t)regs[REG_RIP];
	regs[REG_RSP] = (greg_t)sp;
	regs[REG_RIP] = (greg_t)arch_tramp;
	regs[REG_RAX] = nr;
}
