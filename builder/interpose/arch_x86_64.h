/* SPDX-License-Identifier: MIT
 *
 * x86-64: system calls, and where a trapped call's registers are.
 */
#pragma once
#include <linux/audit.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#define ARCH_BASE     0x200000000000ull /* above ASan's shadow, below any mapping of the kernel */
#define ARCH_AUDIT    AUDIT_ARCH_X86_64
#define ARCH_MACHINE  EM_X86_64
#define ARCH_X32_BIT  0x40000000u
#define ARCH_RESTORER 0x04000000ul /* SA_RESTORER */

static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;
	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

static inline void arch_pause(void)
{
	__builtin_ia32_pause();
}

/* The argument registers of a trapped call, in order. */
static const int arch_arg[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};

static inline long arch_get(const ucontext_t *uc, int i)
{
	return uc->uc_mcontext.gregs[arch_arg[i]];
}
static inline void arch_set(ucontext_t *uc, int i, long v)
{
	uc->uc_mcontext.gregs[arch_arg[i]] = v;
}
static inline void arch_return(ucontext_t *uc, long v)
{
	uc->uc_mcontext.gregs[REG_RAX] = v;
}
