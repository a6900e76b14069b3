/* SPDX-License-Identifier: MIT
 *
 * layout_read.c — an OCI layout directory into the store. The directory comes from outside: its
 * files are opened inside it only.
 */
#include "layout-internal.h"
#include <cooper/auto.h>
#include <cooper/inroot.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER_MAX 4096

struct dir {
	struct co_store *s;
	int fd;
};

static int copy_blob(struct dir *l, int fd, const struct co_descriptor *d, struct co_err *err)
{
	struct co_sink *out = co_store_sink(l->s, &d->digest, d->size, NULL, NULL);
	struct co_source_stream *in = co_stream_fd(fd, false, "a blob of the layout");
	int r = layout_pump(in, out, err);
	co_stream_close(in);
	if (r < 0) {
		co_sink_abort(out);
		return r;
	}
	return co_sink_close(out, err);
}

static int bring(void *ctx, const struct co_descriptor *d, struct co_err *err)
{
	struct dir *l = ctx;
	char path[LAYOUT_PATH_MAX], text[CO_DIGEST_TEXT];
	struct stat st;
	int64_t size;
	if (co_store_has(l->s, &d->digest, &size) && (d->size < 0 || size == d->size))
		return 0;
	auto_fd fd = co_inroot_open(l->fd, store_blob_path(&d->digest, path), O_RDONLY, 0);
	if (fd < 0 && errno == ENOENT)
		return co_fail(err, CO_E_NOT_FOUND, "%s is missing", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return co_fail_sys(err, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return co_fail(err, CO_E_INVALID, "blob %s is not a file",
			       co_digest_str(&d->digest, text));
	return copy_blob(l, fd, d, err);
}

static int read_layout(struct dir *l, const char *select, struct co_descriptor *out,
		       struct co_err *err)
{
	size_t len, index_len;
	auto_free char *header = co_inroot_slurp(l->fd, "oci-layout", HEADER_MAX, &len);
	int r = layout_check_header(header, header ? len : 0, err);
	if (r < 0)
		return r;
	auto_free char *index = co_inroot_slurp(l->fd, "index.json", OCI_DOC_MAX, &index_len);
	if (!index)
		return co_fail_sys(err, "index.json");
	return layout_import(l->s, index, index_len, select, bring, l, out, err);
}

int co_layout_read_dir(struct co_store *s, const char *dir, const char *select,
		       struct co_descriptor *out, struct co_err *err)
{
	auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "OCI layout %s", dir);
	struct dir l = {s, fd};
	int r = read_layout(&l, select, out, err);
	return r < 0 ? co_wrap(err, "OCI layout %s", dir) : 0;
}
