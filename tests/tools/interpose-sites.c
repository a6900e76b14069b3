/* SPDX-License-Identifier: MIT
 *
 * interpose-sites direct|trap
 *
 * Static. Makes calls from places of its own like those of a C library, one for each way they can
 * lie in memory, and looks at what a system call leaves alone: registers, vectors, flags, what is
 * below the stack pointer. Says whether the places were patched. Exits 0 when all is as it must be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define TIMES 60
#define SITES 17

/* What a call gets and leaves; places are known to the assembler below. */
struct frame {
	uint64_t rdi, rsi, rdx, r10, r8, r9;   /* 0: in and out */
	uint64_t rbx, rbp, r12, r13, r14, r15; /* 48 */
	uint64_t rax, rcx, r11, flags;	       /* 96: out */
	uint64_t xmm[32];		       /* 128: in and out */
	uint64_t zone[16];		       /* 384: in and out */
	uint64_t want;			       /* 512: out: where rcx must lead */
	uint64_t rsp;			       /* 520: scratch */
};

/* call_NAME(frame): loads everything, calls site_NAME's two instructions, stores everything. */
#define SAVE(i) "	movups %xmm" #i ",128+16*" #i "(%rax)\n"
#define LOAD(i) "	movups 128+16*" #i "(%rax),%xmm" #i "\n"
#define ALL(m)	m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)

__asm__(".text\n"
	"around:\n" /* rdi: frame, rax: site; both on the stack meanwhile */
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n"
	"	push %r15\n	push %rdi\n"
	"	mov %rax,saved_site(%rip)\n"
	"	mov %rdi,%rax\n" ALL(LOAD) /* the zone below the stack pointer */
	".set i,0\n"
	".rept 16\n"
	"	mov 384+8*i(%rax),%rcx\n"
	"	mov %rcx,-8*i-8(%rsp)\n"
	".set i,i+1\n"
	".endr\n"
	"	mov %rsp,520(%rax)\n"
	"	mov 0(%rax),%rdi\n	mov 8(%rax),%rsi\n	mov 16(%rax),%rdx\n"
	"	mov 24(%rax),%r10\n	mov 32(%rax),%r8\n	mov 40(%rax),%r9\n"
	"	mov 48(%rax),%rbx\n	mov 56(%rax),%rbp\n	mov 64(%rax),%r12\n"
	"	mov 72(%rax),%r13\n	mov 80(%rax),%r14\n	mov 88(%rax),%r15\n"
	"	mov saved_site(%rip),%rcx\n"
	"	std\n	stc\n"
	"	jmp *%rcx\n"
	".globl site_done\n"
	"site_done:\n" /* r11 and rcx are the kernel's; flags must not be touched before pushf */
	"	mov %rax,saved_rax(%rip)\n"
	"	mov %rcx,saved_rcx(%rip)\n"
	"	mov (%rsp),%rax\n" /* the frame */
	"	lea -256(%rsp),%rsp\n	pushfq\n	pop %rcx\n	lea 256(%rsp),%rsp\n"
	"	cld\n"
	"	mov %rcx,120(%rax)\n	mov saved_rcx(%rip),%rcx\n	mov %rcx,104(%rax)\n"
	"	mov saved_rax(%rip),%rcx\n	mov %rcx,96(%rax)\n	mov %r11,112(%rax)\n"
	"	sub %rsp,520(%rax)\n"
	"	mov %rdi,0(%rax)\n	mov %rsi,8(%rax)\n	mov %rdx,16(%rax)\n"
	"	mov %r10,24(%rax)\n	mov %r8,32(%rax)\n	mov %r9,40(%rax)\n"
	"	mov %rbx,48(%rax)\n	mov %rbp,56(%rax)\n	mov %r12,64(%rax)\n"
	"	mov %r13,72(%rax)\n	mov %r14,80(%rax)\n	mov %r15,88(%rax)\n" ALL(
		SAVE) ".set i,0\n"
		      ".rept 16\n"
		      "	mov -8*i-8(%rsp),%rcx\n"
		      "	mov %rcx,384+8*i(%rax)\n"
		      ".set i,i+1\n"
		      ".endr\n"
		      "	pop %rdi\n	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n"
		      "	pop %rbp\n	pop %rbx\n	ret\n"
		      ".data\n	.balign 8\n"
		      "saved_site:	.quad 0\n"
		      "saved_rax:	.quad 0\n"
		      "saved_rcx:	.quad 0\n"
		      ".text\n");

/* A place k bytes behind a multiple of 16. jump_*: into the middle, to the system call itself. */
#define SITE(k)                                                                                    \
	__asm__(".text\n	.balign 64\n	.skip " #k ",0x90\n"                               \
		"site_" #k ":	mov $262,%eax\n	syscall\n"                                           \
		"after_" #k ":	jmp site_done\n"                                                    \
		".globl call_" #k "\n"                                                             \
		"call_" #k ":	lea site_" #k "(%rip),%rax\n"                                      \
		"	lea after_" #k "(%rip),%rcx\n	mov %rcx,512(%rdi)\n	jmp around\n"           \
		".globl jump_" #k "\n"                                                             \
		"jump_" #k ":	lea 1f(%rip),%rax\n"                                                 \
		"	lea after_" #k "(%rip),%rcx\n	mov %rcx,512(%rdi)\n	jmp around\n"           \
		"1:	mov $262,%eax\n	jmp site_" #k "+5\n");                                     \
	void call_##k(struct frame *);                                                             \
	void jump_##k(struct frame *);
SITE(64)
SITE(1)
SITE(2)
SITE(3)
SITE(4)
SITE(5)
SITE(6)
SITE(7)
SITE(8)
SITE(9)
SITE(10)
SITE(11)
SITE(12)
SITE(13)
SITE(14)
SITE(15)
SITE(60) /* over the end of a cache line */

#define BOTH(k)                                                                                    \
	{                                                                                          \
		call_##k, jump_##k, k                                                              \
	}
static const struct {
	void (*call)(struct frame *), (*jump)(struct frame *);
	int offset;
} sites[SITES] = {BOTH(64), BOTH(1),  BOTH(2),	BOTH(3),  BOTH(4),  BOTH(5),
		  BOTH(6),  BOTH(7),  BOTH(8),	BOTH(9),  BOTH(10), BOTH(11),
		  BOTH(12), BOTH(13), BOTH(14), BOTH(15), BOTH(60)};

static int failures;

static void check(const char *what, int offset, int i, int ok)
{
	if (!ok && failures++ < 20)
		printf("place %d, call %d: %s\n", offset, i, what);
}

static void fill(struct frame *f, int i, const char *name, void *buf)
{
	uint64_t *w = (uint64_t *)f;
	for (size_t k = 0; k < sizeof(*f) / 8; k++)
		w[k] = 0x9e3779b97f4a7c15ull * (k + 1 + (uint64_t)i);
	f->rdi = (uint64_t)AT_FDCWD;
	f->rsi = (uint64_t)name;
	f->rdx = (uint64_t)buf;
	f->r10 = 0;
}

static void one(int s, int i)
{
	static char buf[256];
	struct frame f, was;
	int bad = i % 3;
	fill(&f, i, bad == 1 ? "/none" : "/", bad == 2 ? (void *)8 : buf);
	was = f;
	(i % 7 == 6 ? sites[s].jump : sites[s].call)(&f);
	int k = sites[s].offset;
	check("answer", k, i, (long)f.rax == (bad == 1 ? -ENOENT : bad == 2 ? -EFAULT : 0));
	check("arguments", k, i, !memcmp(&f.rdi, &was.rdi, 48));
	check("registers", k, i, !memcmp(&f.rbx, &was.rbx, 48));
	check("vectors", k, i, !memcmp(f.xmm, was.xmm, sizeof(f.xmm)));
	check("red zone", k, i, !memcmp(f.zone, was.zone, sizeof(f.zone)));
	check("stack pointer", k, i, f.rsp == 0);
	check("flags", k, i, (f.flags & 0x401) == 0x401);
	check("rcx", k, i, f.rcx == f.want || i % 7 == 6);
}

int main(int argc, char **argv)
{
	int direct = argc > 1 && !strcmp(argv[1], "direct");
	for (int i = 0; i < TIMES; i++)
		for (int s = 0; s < SITES; s++)
			one(s, i);
	for (int s = 0; s < SITES; s++) {
		struct frame f;
		fill(&f, 0, "/", NULL);
		sites[s].call(&f);
		const uint8_t *code = (const uint8_t *)f.want - 7;
		check(direct ? "not patched" : "patched", sites[s].offset, 0,
		      code[0] == (direct ? 0xe9 : 0xb8));
		check("no syscall", sites[s].offset, 0, code[5] == 0x0f && code[6] == 0x05);
	}
	if (!failures)
		printf("ok\n");
	return failures != 0;
}
#else
int main(void)
{
	puts("ok");
	return 0;
}
#endif
