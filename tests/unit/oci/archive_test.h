/* SPDX-License-Identifier: MIT
 *
 * archive_test.h — archives from hand-made members, for the tests of this folder.
 */
#pragma once
#include "oci_test.h"
#include "../stream/rawtar.h"

/* Another store in the same scratch directory. */
static inline struct co_store *fresh(struct fixture *f)
{
	struct co_store *s;
	char root[300];
	snprintf(root, sizeof(root), "%s/other-XXXXXX", f->dir);
	assert_non_null(mkdtemp(root));
	assert_ok(co_store_open(&s, root, &f->err), &f->err);
	return s;
}

static inline int read_tar(struct fixture *f, const struct co_buf *tar, const char *select,
			   struct co_descriptor *out)
{
	co_err_clear(&f->err);
	return co_layout_read_tar(f->store, co_stream_mem(tar->data, tar->len), "x.tar", select,
				  out, &f->err);
}

/* Goes on with an empty store; the old one is closed. */
static inline void start_over(struct fixture *f)
{
	struct co_store *s = fresh(f);
	co_store_close(f->store);
	f->store = s;
	snprintf(f->root, sizeof(f->root), "%s", co_store_path(s));
}

static inline void file(struct co_buf *tar, const char *name, const char *data, size_t len)
{
	raw_add(tar, &(struct raw_member){
			     .type = '0', .name = name, .data = data, .size = len, .mode = 0600});
}

static inline void sym(struct co_buf *tar, const char *name, const char *target)
{
	raw_add(tar, &(struct raw_member){.type = '2', .name = name, .link = target});
}

static inline void finish(struct co_buf *tar)
{
	for (int i = 0; i < 1024; i++)
		co_buf_addc(tar, 0);
}
