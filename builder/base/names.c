/* SPDX-License-Identifier: MIT */
#include <cooper/names.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int co_names_read(struct co_names *out, int dirfd)
{
	memset(out, 0, sizeof(*out));
	_Alignas(8) char buf[32768];
	if (lseek(dirfd, 0, SEEK_SET) < 0)
		return -1;
	for (;;) {
		long n = syscall(SYS_getdents64, dirfd, buf, sizeof(buf));
		if (n < 0) {
			int saved = errno;
			co_names_release(out);
			errno = saved;
			return -1;
		}
		if (n == 0)
			break;
		for (long at = 0; at < n;) {
			const struct dirent64_raw *d = (const void *)(buf + at);
			at += d->reclen;
			if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
				continue;
			*co_arena_push(&out->arena, out->items, out->n) =
				co_arena_strdup(&out->arena, d->name);
		}
	}
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), by_bytes);
	return 0;
}

void co_names_release(struct co_names *n)
{
	co_arena_release(&n->arena);
	n->items = NULL;
	n->n = 0;
}
