/* SPDX-License-Identifier: MIT
 *
 * clone with everything in it: a child on its own stack in this memory, born inside its control
 * group. Joining a group later waits for all processors, ten milliseconds and more; being born
 * there does not (Linux 5.7).
 */
#include "sandbox-internal.h"
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>

int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

/* The C library has no clone3; a child with its own stack must not return from the system call. */
static long clone3_call(struct clone_args *a, int (*fn)(void *), void *arg)
{
#if defined(__x86_64__)
	long ret;
	register int (*f)(void *) __asm__("r12") = fn;
	register void *p __asm__("r13") = arg;
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(SYS_clone3), "D"(a), "S"(sizeof(*a)), "r"(f), "r"(p)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)a;
	register long x1 __asm__("x1") = sizeof(*a);
	register int (*f)(void *) __asm__("x20") = fn;
	register void *p __asm__("x21") = arg;
	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, #0\n\t"
			 "mov x0, x21\n\t"
			 "blr x20\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(f), "r"(p)
			 : "x30", "memory");
	return x0;
#else
	(void)a;
	(void)fn;
	(void)arg;
	return -ENOSYS;
#endif
}

pid_t spawn(struct step *st, int (*fn)(void *), char *stack, size_t size, int flags)
{
	struct clone_args a = {.flags = (uint64_t)flags | CLONE_INTO_CGROUP,
			       .exit_signal = SIGCHLD,
			       .stack = (uint64_t)(uintptr_t)stack,
			       .stack_size = size,
			       .cgroup = (uint64_t)st->limits.cgroup};
	if (st->limits.cgroup >= 0) {
		st->limits.joined = true;
		long pid = clone3_call(&a, fn, st);
		if (pid > 0)
			return (pid_t)pid;
	}
	st->limits.joined = false;
	return clone(fn, stack + size, flags | SIGCHLD, st);
}
