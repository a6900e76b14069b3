/* SPDX-License-Identifier: MIT
 *
 * The guest's memory. A bad pointer must give EFAULT, not a fault inside the handler. Reading is
 * probed with the cheapest system call that does nothing but read: rt_sigprocmask with an invalid
 * operation copies its set first and then refuses. Eight aligned bytes lie in one page.
 */
#include "guest.h"
#include <sys/uio.h>

static bool readable(const void *p)
{
	const void *word = (const void *)((uintptr_t)p & ~7ul);
	return sys4(SYS_rt_sigprocmask, 99, word, 0, 8) != -EFAULT;
}

long guest_read(void *to, const void *from, size_t n)
{
	uintptr_t at = (uintptr_t)from, end = at + n;
	if (!n)
		return 0;
	if (end < at)
		return -EFAULT;
	for (uintptr_t page = at; page < end; page = (page & ~(PAGE - 1)) + PAGE)
		if (!readable((const void *)page))
			return -EFAULT;
	memcpy(to, from, n);
	return 0;
}

/* The same call writes eight bytes where it is told to put the old mask. */
static bool writable(void *p)
{
	return sys4(SYS_rt_sigprocmask, 0, 0, p, 8) == 0;
}

/* Probes every page of [to, to + n) by writing inside it; n is at least 8. */
static bool all_writable(char *to, size_t n)
{
	uintptr_t at = (uintptr_t)to, last = at + n - 8;
	if (last < at)
		return false;
	for (uintptr_t p = at; p < last; p = (p & ~(PAGE - 1)) + PAGE)
		if (!writable((void *)p))
			return false;
	return writable((void *)last);
}

long guest_write(void *to, const void *from, size_t n)
{
	if (n >= 8) {
		if (!all_writable(to, n))
			return -EFAULT;
		memcpy(to, from, n);
		return 0;
	}
	struct iovec l = {(void *)(uintptr_t)from, n}, r = {to, n};
	if (!n)
		return 0;
	long done = sys6(SYS_process_vm_writev, sys0(SYS_getpid), (long)&l, 1, (long)&r, 1, 0);
	if (done == (long)n)
		return 0;
	if (done != -EPERM && done != -ENOSYS)
		return -EFAULT;
	/* refused here: what can be read is taken as writable */
	char probe;
	if (guest_read(&probe, to, 1) < 0 || guest_read(&probe, (char *)to + n - 1, 1) < 0)
		return -EFAULT;
	memcpy(to, from, n);
	return 0;
}

long guest_string(char *to, size_t size, const char *from)
{
	size_t n = 0;
	while (n < size) {
		if (!readable(from + n))
			return -EFAULT;
		size_t in_page = PAGE - ((uintptr_t)(from + n) & (PAGE - 1));
		for (; in_page && n < size; in_page--, n++)
			if (!(to[n] = from[n]))
				return (long)n;
	}
	return -ENAMETOOLONG;
}
