/* SPDX-License-Identifier: MIT
 *
 * x86-64: calls without a trap.
 *
 * A trap costs several times what most calls cost. The C library's wrappers read
 *
 *	b8 NR NR NR NR	mov $nr,%eax		(or bf: mov $AT_FDCWD,%edi)
 *	0f 05		syscall
 *
 * and after some traps from one place its mov becomes a jump to a stub, which serves the call and
 * goes on behind the syscall. The syscall itself stays: who jumps to it traps as ever, and a stub
 * that does not want a call goes back to it. No thread is ever inside the mov. Its five bytes are
 * changed by one atomic store to the aligned sixteen around them, so that a thread runs the old
 * instruction or the new one; where they do not lie in one such block, only while the process has
 * a single thread.
 *
 * Changed are private pages of the C library, the loader and static programs, and they get their
 * protection back. The stubs are a page of the interposer's image, mapped once more near the place:
 * nothing is ever writable and executable but the page being patched, meanwhile.
 *
 * Signals: a trap's handler runs with all of them held. Here that is done only once the guest has a
 * handler (signals.c); until then none of its code can get between.
 */
#include "patch.h"
#include "calls.h"
#include "signals.h"
#include "slots.h"
#include <elf.h>
#include <sys/mman.h>

#define hidden __attribute__((visibility("hidden")))
extern char arch_stubs[] hidden; /* one page: STUBS stubs of 16 bytes each */

#define STUBS	 255
#define MOV_EAX	 0xb8
#define MOV_EDI	 0xbf
#define JMP	 0xe9
#define SYSCALL	 0x050f
#define REACH	 0x7fff0000ul /* of a jump, less the page itself */
#define FIRST	 12	      /* traps before the first look at where they come from */
#define OFTEN	 3	      /* traps of one place before it is patched */
#define MAX_LOOK 8	      /* looks at our own maps */

static struct site {
	uint64_t back; /* behind the syscall */
	int32_t nr;
	uint32_t mov; /* the replaced instruction: MOV_EAX or MOV_EDI */
} sites[STUBS];
static uint32_t n_sites;

#define SEEN 64
static struct {
	uint64_t back;
	uint32_t hits;
	int32_t nr;
} seen[SEEN];
static uint32_t traps, looks;

struct range {
	uint64_t lo, hi;
};
#define RANGES 8
static struct range texts[RANGES]; /* of C libraries, mapped as they should be */
static uint32_t n_texts;
#define STUB_PAGES 4
static uint64_t stub_page[STUB_PAGES];
static uint32_t n_stub_pages;
static uint32_t busy; /* somebody is patching; a child of fork() may inherit that, and will not */
static bool off;
static uint64_t static_entry; /* of a static program, else 0 */

void patch_program(uint64_t entry, bool is_static)
{
	off = g.flags & CO_IP_TRAP_ONLY;
	static_entry = is_static ? entry : 0;
}

/* ---- where calls may come from ---- */

static bool is_library(const char *path)
{
	static const char *const names[] = {"libc.so", "libc-2.",   "ld-linux",	 "ld-2.",
					    "ld-musl", "libc.musl", "libpthread"};
	const char *name = path;
	for (const char *p = path; *p; p++)
		if (*p == '/')
			name = p + 1;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_starts(name, names[i]))
			return true;
	return false;
}

/* "start-end perms offset dev inode path" */
static void learn_line(const char *p)
{
	struct range r;
	r.lo = text_get(&p, 16);
	if (*p++ != '-')
		return;
	r.hi = text_get(&p, 16);
	if (!text_starts(p, "r-xp ") || (r.lo >= ARCH_BASE && r.lo < ARCH_BASE + (1ull << 32)))
		return;
	while (*p && *p != '/')
		p++;
	bool own = static_entry && r.lo <= static_entry && static_entry < r.hi;
	if (*p && (own || is_library(p)) && n_texts < RANGES)
		texts[n_texts++] = r;
}

static void look_at_maps(void)
{
	char buf[4096], line[512];
	size_t n = 0;
	long fd = sys4(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0), got;
	n_texts = 0;
	if (fd < 0)
		return;
	while ((got = sys3(SYS_read, fd, buf, sizeof(buf))) > 0)
		for (long i = 0; i < got; i++) {
			if (n + 1 < sizeof(line))
				line[n++] = buf[i] == '\n' ? '\0' : buf[i];
			if (buf[i] != '\n')
				continue;
			line[n] = line[sizeof(line) - 1] = '\0';
			learn_line(line);
			n = 0;
		}
	sys1(SYS_close, fd);
}

static bool in_library(uint64_t at)
{
	for (uint32_t i = 0; i < n_texts; i++)
		if (texts[i].lo <= at && at + 7 <= texts[i].hi)
			return true;
	return false;
}

static bool allowed(uint64_t at)
{
	if (in_library(at))
		return true;
	if (looks >= MAX_LOOK)
		return false;
	looks++;
	look_at_maps();
	return in_library(at);
}

/* ---- stubs ---- */

static bool near(uint64_t page, uint64_t at)
{
	return page < at ? at - page < REACH : page - at < REACH;
}

/* Where the stubs lie in the image's file. */
static long stubs_offset(void)
{
	const Elf64_Ehdr *eh = (const void *)ARCH_BASE;
	const Elf64_Phdr *ph = (const void *)(ARCH_BASE + eh->e_phoff);
	uint64_t at = (uint64_t)arch_stubs;
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && at >= ph[i].p_vaddr &&
		    at + PAGE <= ph[i].p_vaddr + ph[i].p_filesz)
			return (long)(at - ph[i].p_vaddr + ph[i].p_offset);
	return -1;
}

static uint64_t map_stubs(uint64_t at, uint64_t hint, int flags)
{
	long offset = stubs_offset();
	long r = offset < 0 ? -ENOEXEC
			    : sys6(SYS_mmap, (long)hint, PAGE, PROT_READ | PROT_EXEC,
				   MAP_PRIVATE | flags, FD(CO_IPF_IMAGE), offset);
	if (r < 0 && r > -4096)
		return 0;
	if (near((uint64_t)r, at))
		return (uint64_t)r;
	sys2(SYS_munmap, r, PAGE);
	return 0;
}

/* A page of stubs in reach of a jump; 0 when there is no room. */
static uint64_t stubs_near(uint64_t at)
{
	for (uint32_t i = 0; i < n_stub_pages; i++)
		if (near(stub_page[i], at))
			return stub_page[i];
	if (n_stub_pages == STUB_PAGES)
		return 0;
	uint64_t page = map_stubs(at, 0, 0);
	/* a program at a low address: below it */
	for (uint64_t d = 16 * PAGE; !page && d < 1024 * PAGE && d < at; d += 64 * PAGE)
		page = map_stubs(at, (at - d) & ~(PAGE - 1), MAP_FIXED_NOREPLACE);
	if (page)
		stub_page[n_stub_pages++] = page;
	return page;
}

/* ---- patching ---- */

static bool in_one_block(uint64_t at)
{
	return (at & 15) <= 11;
}

/* Replaces *block when it still is *old. Sixteen aligned bytes, one store. */
static void swap16(uint64_t *block, const uint64_t old[2], const uint64_t new[2])
{
	uint64_t lo = old[0], hi = old[1];
	__asm__ volatile("lock cmpxchg16b %2"
			 : "+a"(lo), "+d"(hi), "+m"(*(unsigned __int128 *)(void *)block)
			 : "b"(new[0]), "c"(new[1])
			 : "memory", "cc");
}

/* Is it the instruction, and not the end of another one? What comes before may make the same five
 * bytes a part of something longer: a prefix, or a store of a constant. */
static bool is_mov(const uint8_t *p, long nr)
{
	int32_t number;
	uint16_t call;
	memcpy(&number, p + 4, sizeof(number));
	memcpy(&call, p + 8, sizeof(call));
	bool one = (p[3] == MOV_EAX && number == nr) ||
		   (p[3] == MOV_EDI && number == AT_FDCWD && nr == SYS_openat);
	return one && call == SYSCALL && (p[2] & 0xf0) != 0x40 && p[1] != 0xc7 && p[0] != 0xc7;
}

/* /proc/self/task has a link for each thread. A vfork child does not see its parent's. */
static bool one_thread(void)
{
	struct statx x;
	return sys5(SYS_statx, AT_FDCWD, "/proc/self/task", 0, STATX_NLINK, &x) == 0 &&
	       x.stx_mask & STATX_NLINK && x.stx_nlink == 3 && !slot_is_guest_of_parent();
}

static uint32_t site_for(uint64_t back, long nr)
{
	for (uint32_t i = 0; i < n_sites; i++)
		if (sites[i].back == back && sites[i].nr == nr)
			return i;
	if (n_sites == STUBS)
		return STUBS;
	sites[n_sites] = (struct site){back, (int32_t)nr, *(const uint8_t *)(back - 7)};
	return n_sites++;
}

/* The page is writable now, and the place was looked at by patchable(). */
static void patch_place(uint64_t back, long nr)
{
	uint64_t at = back - 7, block = at & ~15ul, page = stubs_near(at);
	uint32_t site = page ? site_for(back, nr) : STUBS;
	if (site == STUBS)
		return;
	int32_t distance = (int32_t)(page + 16ul * site - back + 2);
	uint8_t jump[5] = {JMP};
	memcpy(jump + 1, &distance, sizeof(distance));
	if (!in_one_block(at)) {
		if (one_thread())
			memcpy((void *)at, jump, sizeof(jump));
		return;
	}
	uint64_t old[2], new[2];
	memcpy(old, (const void *)block, sizeof(old));
	memcpy(new, old, sizeof(new));
	memcpy((uint8_t *)new + (at - block), jump, sizeof(jump));
	if (((const uint8_t *)old)[at - block] == sites[site].mov)
		swap16((uint64_t *)block, old, new);
}

static bool patchable(uint64_t back, long nr)
{
	uint8_t code[10];
	return guest_read(code, (const void *)(back - sizeof(code)), sizeof(code)) == 0 &&
	       is_mov(code, nr);
}

/* All places of one page that were seen, while it is open. */
static void patch_page(uint64_t page)
{
	if (sys3(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0) {
		off = true;
		return;
	}
	for (uint32_t i = 0; i < SEEN; i++) {
		uint64_t at = seen[i].back - 7;
		if (at >= page && at + 5 <= page + PAGE && patchable(seen[i].back, seen[i].nr))
			patch_place(seen[i].back, seen[i].nr);
	}
	sys3(SYS_mprotect, page, PAGE, PROT_READ | PROT_EXEC);
}

void patch_seen(uint64_t back, long nr)
{
	if (off)
		return;
	uint32_t i = (uint32_t)(back * 0x9e3779b97f4a7c15ull >> 58);
	if (seen[i].back != back) {
		seen[i].hits = 0;
		seen[i].back = back;
		seen[i].nr = (int32_t)nr;
	}
	/* the second: a place that cannot be patched is asked about now and then only */
	if (++traps < FIRST || ++seen[i].hits < OFTEN || (seen[i].hits & (seen[i].hits - 1)))
		return;
	if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return;
	if (patchable(back, nr) && allowed(back - 7))
		patch_page((back - 7) & ~(PAGE - 1));
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

/* ---- a call that came by its stub ---- */

struct direct {	       /* what arch_direct keeps on the guest's stack */
	uint64_t back; /* in: the stub's number; out: where to go on */
	uint64_t mask, held;
	long rax;
	long a[6]; /* r9 r8 r10 rdx rsi rdi */
};
int direct_begin(struct direct *d);
void direct_end(struct direct *d, int slot);
long direct_c(struct direct *d);

int direct_begin(struct direct *d)
{
	if (!signals_handled()) {
		int slot = slot_take(SLOT_OPEN);
		if (!signals_handled())
			return slot;
		slot_give(slot); /* somebody has just set one, and waits for us */
	}
	signals_hold(&d->mask);
	d->held = true;
	return slot_take(SLOT_TAKEN);
}

void direct_end(struct direct *d, int slot)
{
	slot_give(slot);
	if (d->held)
		signals_release(&d->mask);
}

long direct_c(struct direct *d)
{
	const struct site *s = &sites[d->back];
	struct call c = {.nr = s->nr};
	if (s->mov == MOV_EDI) {
		d->a[5] = (uint32_t)AT_FDCWD;
		if (d->rax != s->nr) { /* the same instruction, another call */
			d->back = s->back - 2;
			return d->rax;
		}
	}
	for (int i = 0; i < 6; i++)
		c.a[i] = d->a[5 - i];
	/* a cancelled thread is unwound from where it is: that must be in the library's own code */
	bool unwound = signals_cancel() && (c.nr == SYS_openat || c.nr == SYS_open);
	long r = unwound ? CALL_TRAP : call_serve(&c);
	d->back = s->back;
	if (r != CALL_TRAP)
		return r;
	d->back -= 2;
	return s->nr;
}
