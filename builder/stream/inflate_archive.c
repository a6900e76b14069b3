/* SPDX-License-Identifier: MIT
 *
 * inflate_archive.c — bzip2 and xz (ADD of source archives) by libarchive's filters under its raw
 * format; no other filter or format is enabled.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "stream-internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

struct raw {
	struct archive *archive; /* owned */
	struct co_err below;	 /* why our callback failed */
};

static la_ssize_t supply(struct archive *a, void *ctx, const void **data)
{
	struct inflate *f = ctx;
	struct raw *raw = f->state;
	ssize_t n = inflate_fill(f, &raw->below);

	if (n < 0) {
		archive_set_error(a, EIO, "input failed");
		return ARCHIVE_FATAL;
	}
	*data = f->in + f->pos;
	f->pos = f->len;
	return n;
}

static int raw_fail(struct raw *raw, struct co_err *err)
{
	const char *text = archive_error_string(raw->archive);

	if (raw->below.code) {
		*err = raw->below;
		return err->code;
	}
	if (archive_errno(raw->archive) == ENOMEM)
		return co_fail(err, CO_E_LIMIT, "needs too much memory");
	return co_fail(err, CO_E_INVALID, "%s", text ? text : "malformed data");
}

static int raw_open(struct inflate *f, int (*filter)(struct archive *), struct co_err *err)
{
	struct raw *raw = co_xcalloc(1, sizeof(*raw));
	struct archive_entry *entry;
	int r;

	f->state = raw;
	raw->archive = archive_read_new();
	if (!raw->archive)
		co_oom();
	/* A warning would mean that an external program does the work. */
	if (filter(raw->archive) != ARCHIVE_OK)
		return co_fail(err, CO_E_UNSUPPORTED, "%s is not built into libarchive",
			       f->codec->name);
	archive_read_support_format_raw(raw->archive);
	archive_read_support_format_empty(raw->archive);
	if (archive_read_open(raw->archive, f, NULL, supply, NULL) != ARCHIVE_OK)
		return raw_fail(raw, err);
	r = archive_read_next_header(raw->archive, &entry);
	if (r == ARCHIVE_EOF)
		f->done = true;
	else if (r != ARCHIVE_OK)
		return raw_fail(raw, err);
	return 0;
}

static int bzip2_open(struct inflate *f, struct co_err *err)
{
	return raw_open(f, archive_read_support_filter_bzip2, err);
}

static int xz_open(struct inflate *f, struct co_err *err)
{
	return raw_open(f, archive_read_support_filter_xz, err);
}

static ssize_t raw_read(struct inflate *f, void *data, size_t len, struct co_err *err)
{
	struct raw *raw = f->state;
	la_ssize_t n = archive_read_data(raw->archive, data, len);

	if (n < 0)
		return raw_fail(raw, err);
	return n;
}

static void raw_close(struct inflate *f)
{
	struct raw *raw = f->state;

	if (raw)
		archive_read_free(raw->archive);
	free(raw);
}

const struct codec codec_bzip2 = {"bzip2", bzip2_open, raw_read, raw_close};
const struct codec codec_xz = {"xz", xz_open, raw_read, raw_close};
