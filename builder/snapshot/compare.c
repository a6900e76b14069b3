/* SPDX-License-Identifier: MIT
 *
 * Are two entries the same below their metadata?
 */
#include "snapshot-internal.h"
#include <stdlib.h>

#define LIST_MAX  65536
#define VALUE_MAX 65536

struct attrs {
	char list[LIST_MAX];
	char a[VALUE_MAX], b[VALUE_MAX];
};

static bool has_same_value(struct attrs *t, const struct co_root *a, int adir, const char *aname,
			   const struct co_root *b, int bdir, const char *bname, const char *key)
{
	ssize_t na = co_root_getxattr(a, adir, aname, key, t->a, sizeof(t->a));
	ssize_t nb = co_root_getxattr(b, bdir, bname, key, t->b, sizeof(t->b));
	return na == nb && (na <= 0 || !memcmp(t->a, t->b, (size_t)na));
}

bool same_xattrs(const struct co_root *a, int adir, const char *aname, const struct co_root *b,
		 int bdir, const char *bname)
{
	char probe[64];
	ssize_t na = co_root_listxattr(a, adir, aname, probe, 0);
	ssize_t nb = co_root_listxattr(b, bdir, bname, probe, 0);
	if (na <= 0 && nb <= 0)
		return true;
	struct attrs *t = co_xcalloc(1, sizeof(*t));
	size_t total[2] = {0, 0};
	bool same = true;
	/* every name of the one has the same value in the other, and there are as many */
	for (int side = 0; side < 2; side++) {
		ssize_t n = side ? co_root_listxattr(b, bdir, bname, t->list, LIST_MAX)
				 : co_root_listxattr(a, adir, aname, t->list, LIST_MAX);
		for (ssize_t at = 0; at < n; at += (ssize_t)strlen(t->list + at) + 1) {
			total[side]++;
			if (!side && same)
				same = has_same_value(t, a, adir, aname, b, bdir, bname,
						      t->list + at);
		}
	}
	free(t);
	return same && total[0] == total[1];
}

int same_bytes(int a, int b)
{
	enum { CHUNK = 128 << 10 };
	char *buf = co_xrealloc(NULL, 2, CHUNK);
	int r = 1;
	off_t at = 0;
	for (;;) {
		ssize_t n = pread(a, buf, CHUNK, at), m = 0;
		while (n > 0 && m < n) {
			ssize_t k = pread(b, buf + CHUNK + m, (size_t)(n - m), at + m);
			if (k <= 0) {
				r = k < 0 ? -1 : 0;
				break;
			}
			m += k;
		}
		if (n < 0)
			r = -1;
		if (r <= 0 || n == 0)
			break;
		if (memcmp(buf, buf + CHUNK, (size_t)n)) {
			r = 0;
			break;
		}
		at += n;
	}
	free(buf);
	return r;
}
