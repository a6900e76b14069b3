/* SPDX-License-Identifier: MIT
 *
 * aarch64: system calls, and where a trapped call's registers are.
 */
#pragma once
#include <linux/audit.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#define ARCH_BASE     0x2400000000ull /* below 2^38, above ASan's shadow of a 39-bit space */
#define ARCH_AUDIT    AUDIT_ARCH_AARCH64
#define ARCH_MACHINE  EM_AARCH64
#define ARCH_RESTORER 0ul

static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

static inline void arch_pause(void)
{
	__asm__ volatile("yield");
}

static inline long arch_get(const ucontext_t *uc, int i)
{
	return (long)uc->uc_mcontext.regs[i];
}
static inline void arch_set(ucontext_t *uc, int i, long v)
{
	uc->uc_mcontext.regs[i] = (unsigned long long)v;
}
static inline void arch_return(ucontext_t *uc, long v)
{
	uc->uc_mcontext.regs[0] = (unsigned long long)v;
}
