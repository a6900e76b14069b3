/* SPDX-License-Identifier: MIT
 *
 * What the kernel's ELF loader does, for a program and for its interpreter.
 */
#include "exec.h"
#include <elf.h>
#include <sys/mman.h>

#define MAX_HEADERS 64

static long read_headers(int fd, Elf64_Ehdr *eh, Elf64_Phdr *ph)
{
	long n = sys4(SYS_pread64, fd, eh, sizeof(*eh), 0);
	if (n != (long)sizeof(*eh))
		return n < 0 ? n : -ENOEXEC;
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_machine != ARCH_MACHINE || (eh->e_type != ET_EXEC && eh->e_type != ET_DYN) ||
	    eh->e_phentsize != sizeof(*ph) || !eh->e_phnum || eh->e_phnum > MAX_HEADERS)
		return -ENOEXEC;
	long size = (long)(eh->e_phnum * sizeof(*ph));
	n = sys4(SYS_pread64, fd, ph, size, eh->e_phoff);
	return n == size ? 0 : -ENOEXEC;
}

long elf_check(int fd, const void *head, size_t n, char *interp, size_t size)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph[MAX_HEADERS];
	interp[0] = '\0';
	if (n < sizeof(eh) || memcmp(head, ELFMAG, SELFMAG))
		return -ENOEXEC;
	long r = read_headers(fd, &eh, ph);
	if (r < 0)
		return r;
	for (int i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type != PT_INTERP)
			continue;
		if (ph[i].p_filesz < 2 || ph[i].p_filesz >= size)
			return -ENOEXEC;
		r = sys4(SYS_pread64, fd, interp, ph[i].p_filesz, ph[i].p_offset);
		if (r != (long)ph[i].p_filesz)
			return -ENOEXEC;
		interp[r] = '\0';
		break;
	}
	return 0;
}

static uint64_t down(uint64_t v)
{
	return v & ~(g.page - 1);
}

static uint64_t up(uint64_t v)
{
	return down(v + g.page - 1);
}

static bool failed(long r)
{
	return r < 0 && r > -4096;
}

/* Finds room for [lo, hi) and gives the distance to add to its addresses. */
static uint64_t reserve(uint64_t lo, uint64_t hi, uint64_t align, bool fixed, const char *what)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint64_t size = hi - lo;
	if (fixed) {
		long r = sys6(SYS_mmap, (long)lo, (long)size, PROT_NONE,
			      flags | MAP_FIXED_NOREPLACE, -1, 0);
		if (r == (long)lo)
			return 0;
		if (failed(r))
			die(what, r, 126);
		/* a kernel that takes the address as a wish */
		die(what, -ENOMEM, 126);
	}
	uint64_t slack = align > g.page ? align : 0;
	long r = sys6(SYS_mmap, 0, (long)(size + slack), PROT_NONE, flags, -1, 0);
	if (failed(r))
		die(what, r, 126);
	uint64_t at = (uint64_t)r, base = slack ? (at + align - 1) / align * align : at;
	if (base > at)
		sys2(SYS_munmap, at, base - at);
	if (at + size + slack > base + size)
		sys2(SYS_munmap, base + size, at + slack - base);
	return base - lo;
}

static void map_segment(int fd, const Elf64_Phdr *p, uint64_t bias, const char *what)
{
	int prot = (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
		   (p->p_flags & PF_X ? PROT_EXEC : 0);
	uint64_t start = down(p->p_vaddr + bias), file_end = p->p_vaddr + bias + p->p_filesz;
	uint64_t mem_end = p->p_vaddr + bias + p->p_memsz, anon = start;
	if (p->p_filesz) {
		long r = sys6(SYS_mmap, (long)start, (long)(file_end - start), prot,
			      MAP_PRIVATE | MAP_FIXED, fd, (long)down(p->p_offset));
		if (failed(r))
			die(what, r, 126);
		anon = up(file_end);
	}
	if (mem_end <= file_end)
		return;
	/* the rest of the file's last page is part of the zeroed memory; so is the rest of its own
	 * last page, which ld.so takes as its first heap */
	if (p->p_filesz && file_end < anon) {
		if (!(prot & PROT_WRITE))
			sys3(SYS_mprotect, down(file_end), g.page, prot | PROT_WRITE);
		memset((void *)file_end, 0, anon - file_end);
		if (!(prot & PROT_WRITE))
			sys3(SYS_mprotect, down(file_end), g.page, prot);
	}
	if (mem_end > anon) {
		long r = sys6(SYS_mmap, (long)anon, (long)(up(mem_end) - anon), prot,
			      MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
		if (failed(r))
			die(what, r, 126);
	}
}

/* Where the program headers ended up in memory. */
static uint64_t headers_at(const Elf64_Ehdr *eh, const Elf64_Phdr *ph, uint64_t bias)
{
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_PHDR)
			return ph[i].p_vaddr + bias;
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset <= eh->e_phoff &&
		    eh->e_phoff < ph[i].p_offset + ph[i].p_filesz)
			return eh->e_phoff - ph[i].p_offset + ph[i].p_vaddr + bias;
	return 0;
}

void elf_map(int fd, struct program *out, const char *what)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph[MAX_HEADERS];
	uint64_t lo = ~0ull, hi = 0, align = g.page;
	long r = read_headers(fd, &eh, ph);
	if (r < 0)
		die(what, r, 126);
	for (int i = 0; i < eh.e_phnum; i++) {
		uint64_t end = ph[i].p_vaddr + ph[i].p_memsz;
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (end < ph[i].p_vaddr || ph[i].p_filesz > ph[i].p_memsz)
			die(what, -ENOEXEC, 126);
		lo = ph[i].p_vaddr < lo ? ph[i].p_vaddr : lo;
		hi = end > hi ? end : hi;
		if (ph[i].p_align > align && !(ph[i].p_align & (ph[i].p_align - 1)))
			align = ph[i].p_align;
	}
	if (!hi)
		die(what, -ENOEXEC, 126);
	lo = down(lo);
	uint64_t bias = reserve(lo, up(hi), align, eh.e_type == ET_EXEC, what);
	for (int i = 0; i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_LOAD)
			map_segment(fd, &ph[i], bias, what);
	*out = (struct program){.base = bias,
				.entry = eh.e_entry + bias,
				.phdr = headers_at(&eh, ph, bias),
				.phnum = eh.e_phnum};
}
