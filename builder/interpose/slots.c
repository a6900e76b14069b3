/* SPDX-License-Identifier: MIT
 *
 * Stacks. The words that say which are taken lie in a page that fork() empties in the child, where
 * only one thread exists and none of them is in use. The same page tells a vfork child (it sees its
 * parent's pid there) from a fork child (it sees 0).
 */
#include "guest.h"
#include "slots.h"
#include <sys/mman.h>
#include <sys/uio.h>

struct words {
	int32_t owner; /* pid of the process this memory belongs to */
	uint32_t taken[SLOTS];
};
#if defined(__aarch64__)
#define LARGEST_PAGE 65536
#else
#define LARGEST_PAGE 4096
#endif
static union {
	struct words w;
	char page[LARGEST_PAGE];
} words __attribute__((aligned(LARGEST_PAGE)));
/* The first slot's is the last, so that what every process uses lies together with the words. */
static char stacks[SLOTS][SLOT_SIZE] __attribute__((aligned(4096)));
#define USUAL_DEPTH 16384
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
static bool wiped;     /* fork() does empty the page */
static int32_t before; /* the owner before the last fork */
static volatile int32_t mark;

/* Does the process see what we write? */
static bool shares_memory(int32_t pid)
{
	int32_t seen = 0;
	struct iovec l = {&seen, sizeof(seen)}, r = {(void *)(uintptr_t)&mark, sizeof(seen)};
	mark = (int32_t)sys0(SYS_gettid);
	long n = sys6(SYS_process_vm_readv, pid, (long)&l, 1, (long)&r, 1, 0);
	if (n == -ENOSYS || n == -EPERM) {
		char path[40], *end = path + sizeof(path);
		char *p = text_num(text_put(path, end, "/proc/"), end, (uint32_t)pid, 10);
		text_put(p, end, "/mem");
		long fd = sys4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
		n = fd < 0 ? fd : sys4(SYS_pread64, fd, &seen, sizeof(seen), &mark);
		if (fd >= 0)
			sys1(SYS_close, fd);
	}
	return n == sizeof(seen) && seen == mark;
}

/* The first call after a fork: made by the new process, or already by a vfork child of it. */
static void find_owner(void)
{
	int32_t pid = (int32_t)sys0(SYS_getpid), parent = (int32_t)sys0(SYS_getppid);
	bool guest = wiped && parent != before && parent > 0 && shares_memory(parent);
	words.w.owner = before = guest ? parent : pid;
}

/* One call for what would be a dozen page faults. */
void slots_prepare(void)
{
	char *from = slot_top(0) + 64 - USUAL_DEPTH, *to = (char *)(&g + 1);
	if (from < to && (size_t)(to - from) < 4 * USUAL_DEPTH)
		sys3(SYS_madvise, from, to - from, MADV_POPULATE_WRITE);
	/* an older kernel does not know it; the faults come one by one then */
}

void slots_init(void)
{
	wiped = sys3(SYS_madvise, &words, LARGEST_PAGE, MADV_WIPEONFORK) == 0;
	words.w.owner = before = (int32_t)sys0(SYS_getpid);
}

int slot_take(uint32_t word)
{
	if (!words.w.owner)
		find_owner();
	for (;;) {
		for (int i = 0; i < SLOTS; i++)
			if (!__atomic_load_n(&words.w.taken[i], __ATOMIC_RELAXED) &&
			    !__atomic_exchange_n(&words.w.taken[i], word, __ATOMIC_SEQ_CST))
				return i;
		sys0(SYS_sched_yield);
	}
}

void slot_give(int slot)
{
	__atomic_store_n(&words.w.taken[slot], 0, __ATOMIC_RELEASE);
}

void slots_drain(void)
{
	/* bounded: after fork() in a threaded process an old kernel leaves words behind */
	for (int i = 0, tries = 0; i < SLOTS && tries < 10000; tries++) {
		if (__atomic_load_n(&words.w.taken[i], __ATOMIC_SEQ_CST) != SLOT_OPEN)
			i++;
		else
			sys0(SYS_sched_yield);
	}
}

char *slot_top(int slot)
{
	return stacks[SLOTS - 1 - slot] + SLOT_SIZE - 64;
}

uint32_t *slot_word(int slot)
{
	return &words.w.taken[slot];
}

bool slot_is_guest_of_parent(void)
{
	int32_t pid = (int32_t)sys0(SYS_getpid);
	if (!wiped)
		words.w.owner = pid;
	return words.w.owner != pid;
}
