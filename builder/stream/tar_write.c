/* SPDX-License-Identifier: MIT
 *
 * tar_write.c — the writer: members in order, padding, end marker.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "tar-internal.h"
#include <string.h>
#include <unistd.h>

#define COPY_BUFFER (128u << 10)
#define NAME_MAX_   4096

struct co_tar_writer {
	struct co_sink *below; /* owned */
	struct co_err err;     /* the first failure */
	uint64_t left;	       /* of the current member */
	uint32_t pad;	       /* behind it */
	struct co_buf pax;
	char *copy; /* owned; allocated at first use */
};

struct co_tar_writer *co_tar_writer_new(struct co_sink *below)
{
	struct co_tar_writer *w = co_xcalloc(1, sizeof(*w));

	w->below = below;
	w->pax.max = TAR_PAX_MAX;
	return w;
}

static int put(struct co_tar_writer *w, const void *data, size_t len)
{
	return co_sink_pass(w->below, data, len, &w->err);
}

static int put_zeros(struct co_tar_writer *w, uint64_t n)
{
	static const char zeros[4096];

	while (n) {
		size_t part = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);
		int r = put(w, zeros, part);

		if (r < 0)
			return r;
		n -= part;
	}
	return 0;
}

static uint32_t padding(uint64_t n)
{
	return (uint32_t)(-n & (TAR_BLOCK - 1));
}

/* Everything promised of the last member must have come. */
static int finish_member(struct co_tar_writer *w)
{
	uint32_t pad = w->pad;

	if (w->err.code)
		return w->err.code;
	if (w->left)
		return co_fail(&w->err, CO_E_INTERNAL, "tar: %llu bytes of a member are missing",
			       (unsigned long long)w->left);
	w->pad = 0;
	return put_zeros(w, pad);
}

static char type_of(const struct co_tar_entry *e)
{
	if (e->hardlink)
		return '1';
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		return '0';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return 0;
	}
}

static int check_entry(struct co_tar_writer *w, const struct co_tar_entry *e, char type)
{
	size_t len = strlen(e->path);

	if (!type)
		return co_fail(&w->err, CO_E_INTERNAL, "tar: %s: cannot store a file of type %o",
			       e->path, e->mode & S_IFMT);
	if (!len || len > NAME_MAX_ || e->path[0] == '/' || e->path[len - 1] == '/')
		return co_fail(&w->err, CO_E_INTERNAL, "tar: unfit member name \"%s\"", e->path);
	if ((type == '1' || type == '2') && (!e->link || !*e->link || strlen(e->link) > NAME_MAX_))
		return co_fail(&w->err, CO_E_INTERNAL, "tar: %s: unfit link target", e->path);
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (strlen(e->xattrs[i].name) > 255 || strchr(e->xattrs[i].name, '='))
			return co_fail(&w->err, CO_E_INVALID, "tar: %s: unfit attribute name %s",
				       e->path, e->xattrs[i].name);
	return 0;
}

static int put_pax(struct co_tar_writer *w, const char *name)
{
	struct ustar h;
	int r;

	if (!w->pax.len)
		return 0;
	if (w->pax.overflow)
		return co_fail(&w->err, CO_E_LIMIT, "tar: %s: attributes of more than 1 MiB", name);
	tar_fill_pax(&h, name, w->pax.len);
	if ((r = put(w, &h, sizeof(h))) < 0 || (r = put(w, w->pax.data, w->pax.len)) < 0)
		return r;
	return put_zeros(w, padding(w->pax.len));
}

int co_tar_write_entry(struct co_tar_writer *w, const struct co_tar_entry *e)
{
	char name[NAME_MAX_ + 2];
	char type = type_of(e);
	struct ustar h;
	size_t len;
	int r = finish_member(w);

	if (r < 0 || (r = check_entry(w, e, type)) < 0)
		return r;
	len = strlen(e->path);
	memcpy(name, e->path, len + 1);
	if (type == '5')
		memcpy(name + len, "/", 2);
	co_buf_clear(&w->pax);
	w->pax.overflow = false;
	tar_fill(&h, e, name, type, &w->pax);
	if ((r = put_pax(w, name)) < 0 || (r = put(w, &h, sizeof(h))) < 0)
		return r;
	w->left = type == '0' ? e->size : 0;
	w->pad = padding(w->left);
	return 0;
}

int co_tar_write_data(struct co_tar_writer *w, const void *data, size_t len)
{
	int r;

	if (w->err.code)
		return w->err.code;
	if (len > w->left)
		return co_fail(&w->err, CO_E_INTERNAL, "tar: more data than the member's size");
	if ((r = put(w, data, len)) < 0)
		return r;
	w->left -= len;
	return 0;
}

static int zero_rest(struct co_tar_writer *w, uint64_t size)
{
	int r;

	if (size > w->left)
		return co_fail(&w->err, CO_E_INTERNAL, "tar: more data than the member's size");
	if ((r = put_zeros(w, size)) < 0)
		return r;
	w->left -= size;
	return 0;
}

int co_tar_write_fd(struct co_tar_writer *w, int fd, uint64_t size, uint64_t *short_by)
{
	int r = 0;

	if (short_by)
		*short_by = 0;
	if (!w->copy)
		w->copy = co_xrealloc(NULL, 1, COPY_BUFFER);
	while (size && r == 0) {
		size_t want = size < COPY_BUFFER ? (size_t)size : COPY_BUFFER;
		ssize_t n = read(fd, w->copy, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !w->err.code)
			return co_fail_sys(&w->err, "read");
		if (n <= 0) {
			if (short_by)
				*short_by = size;
			return zero_rest(w, size);
		}
		r = co_tar_write_data(w, w->copy, (size_t)n);
		size -= (uint64_t)n;
	}
	return r;
}

static void writer_free(struct co_tar_writer *w)
{
	co_sink_abort(w->below);
	co_buf_release(&w->pax);
	free(w->copy);
	free(w);
}

int co_tar_writer_close(struct co_tar_writer *w, struct co_err *err)
{
	int r = finish_member(w);

	if (r == 0)
		r = put_zeros(w, 2 * TAR_BLOCK);
	if (r < 0 && !err->code)
		*err = w->err;
	if (r == 0)
		r = co_sink_close(co_steal(&w->below), err);
	writer_free(w);
	return r;
}

void co_tar_writer_abort(struct co_tar_writer *w)
{
	if (w)
		writer_free(w);
}
