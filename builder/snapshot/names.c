/* SPDX-License-Identifier: MIT
 *
 * The entries of one directory in byte order (readdir order must not reach a layer).
 */
#include "snapshot-internal.h"
#include <fcntl.h>
#include <stdlib.h>
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

int names_read(struct names *out, int dirfd, struct co_err *err)
{
	memset(out, 0, sizeof(*out));
	_Alignas(8) char buf[32768];
	if (lseek(dirfd, 0, SEEK_SET) < 0)
		return co_fail_sys(err, "rewind a directory");
	for (;;) {
		long n = syscall(SYS_getdents64, dirfd, buf, sizeof(buf));
		if (n < 0) {
			co_fail_sys(err, "read a directory");
			names_release(out);
			return err->code;
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

void names_release(struct names *n)
{
	co_arena_release(&n->arena);
	n->items = NULL;
	n->n = 0;
}
