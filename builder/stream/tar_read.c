/* SPDX-License-Identifier: MIT
 *
 * tar_read.c — libarchive's tar reader behind a narrow door: one format, no filter, every size
 * bounded, names as the bytes they are.
 *
 * Names: libarchive converts PAX names to the locale's character set and, in a UTF-8 locale,
 * composes them (NFC): two different files become one. In the "C" locale it gives up with a warning
 * and keeps the raw bytes, which is what a Linux file name is. So its calls run in the "C" locale.
 *
 * Headers: a GNU sparse map or a chain of extension headers is read before the member is shown, at
 * any length (CVE-2025-58183 and family). The input callback counts what one header takes.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "tar-internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <string.h>

#define READ_BUFFER (128u << 10)
#define MAX_HEADER  (4u << 20)
#define MAX_XATTRS  256
#define MAX_XATTR   (64u << 10) /* XATTR_SIZE_MAX */
#define MAX_LINK    4096
#define OR(v, d)    ((v) ? (v) : (d))

struct co_tar_reader {
	struct archive *archive;    /* owned */
	struct co_source_stream *s; /* owned */
	char *buffer;		    /* owned */
	struct co_err below;	    /* why the input failed */
	struct co_tar_limits max;
	locale_t plain;
	uint64_t entries, bytes;
	bool in_header, ended;
	uint64_t header_bytes;
	struct co_xattr xattrs[MAX_XATTRS];
};

static la_ssize_t supply(struct archive *a, void *ctx, const void **data)
{
	struct co_tar_reader *r = ctx;
	ssize_t n = co_stream_read(r->s, r->buffer, READ_BUFFER, &r->below);

	if (n > 0 && r->in_header) {
		r->header_bytes += (size_t)n;
		if (r->header_bytes > MAX_HEADER)
			n = co_fail(&r->below, CO_E_LIMIT, "a member header of more than %u bytes",
				    MAX_HEADER);
	}
	if (n < 0) {
		archive_set_error(a, EIO, "input failed");
		return ARCHIVE_FATAL;
	}
	*data = r->buffer;
	return n;
}

static int reader_fail(struct co_tar_reader *r, struct co_err *err)
{
	const char *text = archive_error_string(r->archive);

	if (r->below.code) {
		if (!err->code)
			*err = r->below;
		return r->below.code;
	}
	if (archive_errno(r->archive) == ENOMEM)
		return co_fail(err, CO_E_LIMIT, "tar: needs too much memory");
	return co_fail(err, CO_E_INVALID, "tar: %s", text ? text : "malformed archive");
}

int co_tar_reader_open(struct co_tar_reader **out, struct co_source_stream *s,
		       const struct co_tar_limits *limits, struct co_err *err)
{
	struct co_tar_reader *r = co_xcalloc(1, sizeof(*r));
	struct co_tar_limits max = limits ? *limits : (struct co_tar_limits){0};

	r->s = s;
	r->max.max_bytes = OR(max.max_bytes, 64ull << 30);
	r->max.max_entries = OR(max.max_entries, 2000000);
	r->max.max_name = OR(max.max_name, 4096);
	r->max.max_depth = OR(max.max_depth, 256);
	r->buffer = co_xrealloc(NULL, 1, READ_BUFFER);
	r->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	r->archive = archive_read_new();
	if (!r->archive || !r->plain)
		co_oom();
	archive_read_support_format_tar(r->archive);
	archive_read_support_format_empty(r->archive);
	if (archive_read_open(r->archive, r, NULL, supply, NULL) != ARCHIVE_OK) {
		int code = reader_fail(r, err);

		co_tar_reader_close(r);
		return code;
	}
	*out = r;
	return 0;
}

void co_tar_reader_close(struct co_tar_reader *r)
{
	if (!r)
		return;
	archive_read_free(r->archive);
	co_stream_close(r->s);
	freelocale(r->plain);
	free(r->buffer);
	free(r);
}

/* Behind the end marker: padding, or rubbish that no reader looks at, yet part of the digest. */
static int drain(struct co_tar_reader *r, struct co_err *err)
{
	uint64_t total = 0;
	ssize_t n;

	r->ended = true;
	while ((n = co_stream_read(r->s, r->buffer, READ_BUFFER, err)) > 0) {
		total += (uint64_t)n;
		if (total > r->max.max_bytes)
			return co_fail(err, CO_E_LIMIT, "tar: too much data behind the end");
	}
	return (int)n;
}

static unsigned depth_of(const char *path)
{
	unsigned depth = 0;

	for (const char *p = path; *p; p++)
		depth += *p != '/' && (p == path || p[-1] == '/');
	return depth;
}

static int check_limits(struct co_tar_reader *r, const char *path, int64_t size, struct co_err *err)
{
	if (!path || !*path)
		return co_fail(err, CO_E_INVALID, "tar: a member without a name");
	if (strlen(path) > r->max.max_name)
		return co_fail(err, CO_E_LIMIT, "tar: a name of %zu bytes (at most %u)",
			       strlen(path), r->max.max_name);
	if (depth_of(path) > r->max.max_depth)
		return co_fail(err, CO_E_LIMIT, "tar: a name of %u components (at most %u)",
			       depth_of(path), r->max.max_depth);
	if (++r->entries > r->max.max_entries)
		return co_fail(err, CO_E_LIMIT, "tar: more than %llu members",
			       (unsigned long long)r->max.max_entries);
	if (size < 0)
		return co_fail(err, CO_E_INVALID, "tar: %s: negative size", path);
	if ((uint64_t)size > r->max.max_bytes - r->bytes)
		return co_fail(err, CO_E_LIMIT, "tar: files of more than %llu bytes",
			       (unsigned long long)r->max.max_bytes);
	r->bytes += (uint64_t)size;
	return 0;
}

/* chown(2) takes all ones as "leave it". */
static int get_id(int64_t v, const char *path, uint32_t *out, struct co_err *err)
{
	if (v < 0 || v >= (int64_t)UINT32_MAX)
		return co_fail(err, CO_E_INVALID, "tar: %s: owner %lld is out of range", path,
			       (long long)v);
	*out = (uint32_t)v;
	return 0;
}

/* The same attribute may come as SCHILY.xattr and as LIBARCHIVE.xattr: the last one counts. */
static struct co_xattr *xattr_place(struct co_tar_reader *r, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(r->xattrs[i].name, name))
			return &r->xattrs[i];
	return *n < MAX_XATTRS ? &r->xattrs[(*n)++] : NULL;
}

static int get_xattrs(struct co_tar_reader *r, struct archive_entry *ae, struct co_tar_entry *e,
		      struct co_err *err)
{
	const char *name;
	const void *value;
	size_t size;

	e->xattrs = r->xattrs;
	archive_entry_xattr_reset(ae);
	while (archive_entry_xattr_next(ae, &name, &value, &size) == ARCHIVE_OK) {
		struct co_xattr *x;

		if (!name || !*name)
			continue;
		x = xattr_place(r, &e->n_xattrs, name);
		if (!x || size > MAX_XATTR || strlen(name) > 255)
			return co_fail(err, CO_E_LIMIT, "tar: %s: too large or too many attributes",
				       e->path);
		*x = (struct co_xattr){name, value, size};
	}
	return 0;
}

static int get_link(struct archive_entry *ae, struct co_tar_entry *e, struct co_err *err)
{
	e->link = archive_entry_hardlink(ae);
	e->hardlink = e->link != NULL;
	if (!e->hardlink)
		e->link = archive_entry_symlink(ae);
	if (!e->hardlink && !S_ISLNK(e->mode)) {
		e->link = NULL;
		return 0;
	}
	if (!e->link || !*e->link)
		return co_fail(err, CO_E_INVALID, "tar: %s: a link to nowhere", e->path);
	if (strlen(e->link) > MAX_LINK)
		return co_fail(err, CO_E_LIMIT, "tar: %s: a link target of %zu bytes", e->path,
			       strlen(e->link));
	return 0;
}

static int get_entry(struct co_tar_reader *r, struct archive_entry *ae, struct co_tar_entry *out,
		     struct co_err *err)
{
	struct co_tar_entry e = {.path = archive_entry_pathname(ae)};
	int64_t size = archive_entry_size(ae);
	int c = check_limits(r, e.path, size, err);

	if (c < 0)
		return c;
	e.mode = (uint32_t)archive_entry_mode(ae);
	/* Version 7 tars mark directories by the name only. */
	if (S_ISREG(e.mode) && e.path[strlen(e.path) - 1] == '/')
		e.mode = (e.mode & 07777) | S_IFDIR;
	e.size = (uint64_t)size;
	e.mtime.tv_sec = archive_entry_mtime(ae);
	e.mtime.tv_nsec = archive_entry_mtime_nsec(ae);
	if (e.mtime.tv_nsec < 0 || e.mtime.tv_nsec > 999999999)
		e.mtime.tv_nsec = 0;
	e.dev_major = (uint32_t)archive_entry_rdevmajor(ae);
	e.dev_minor = (uint32_t)archive_entry_rdevminor(ae);
	if ((c = get_id(archive_entry_uid(ae), e.path, &e.uid, err)) < 0 ||
	    (c = get_id(archive_entry_gid(ae), e.path, &e.gid, err)) < 0 ||
	    (c = get_link(ae, &e, err)) < 0 || (c = get_xattrs(r, ae, &e, err)) < 0)
		return c;
	if (e.hardlink)
		e.mode &= 07777;
	*out = e;
	return 1;
}

/* Character sets are no concern of ours, and ACLs are left out anyway; any other warning means that
 * libarchive skipped a header it did not understand: then its view and another tool's may differ.
 */
static bool harmless(struct archive *a)
{
	const char *text = archive_error_string(a);

	return text && (strstr(text, "can't be converted") || strstr(text, "SCHILY.acl."));
}

static int skip_data(struct co_tar_reader *r, struct co_err *err)
{
	int c = r->entries ? archive_read_data_skip(r->archive) : ARCHIVE_OK;

	return c == ARCHIVE_OK || c == ARCHIVE_EOF ? 0 : reader_fail(r, err);
}

int co_tar_next(struct co_tar_reader *r, struct co_tar_entry *e, struct co_err *err)
{
	struct archive_entry *ae;
	locale_t before;
	int c;

	if (r->ended)
		return 0;
	if ((c = skip_data(r, err)) < 0)
		return c;
	r->in_header = true;
	r->header_bytes = 0;
	before = uselocale(r->plain);
	c = archive_read_next_header(r->archive, &ae);
	r->in_header = false;
	if (c == ARCHIVE_EOF)
		c = drain(r, err);
	else if (c == ARCHIVE_OK || (c == ARCHIVE_WARN && harmless(r->archive)))
		c = get_entry(r, ae, e, err);
	else
		c = reader_fail(r, err);
	uselocale(before);
	return c;
}

ssize_t co_tar_read(struct co_tar_reader *r, void *data, size_t len, struct co_err *err)
{
	la_ssize_t n = archive_read_data(r->archive, data, len);

	return n < 0 ? reader_fail(r, err) : n;
}

int co_tar_read_block(struct co_tar_reader *r, const void **data, size_t *len, int64_t *offset,
		      struct co_err *err)
{
	int c = archive_read_data_block(r->archive, data, len, offset);

	if (c == ARCHIVE_EOF)
		return 0;
	return c == ARCHIVE_OK ? 1 : reader_fail(r, err);
}
