/* SPDX-License-Identifier: MIT
 *
 * archive_read.c — an image archive, read once from front to back, possibly from a pipe. Its
 * members become files in the store's tmp directory under names of our own; the archive's names
 * only ever serve as keys of a table. What the chosen image needs is published, the rest is
 * dropped.
 */
#include "layout-internal.h"
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/clock.h>
#include <cooper/str.h>
#include <cooper/tar.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_MEMBERS  65536
#define MAX_MANIFEST (1u << 20)
#define MAX_HEADER   4096
#define BLOCK	     (128u << 10)

struct archive_member *archive_find(const struct archive *ar, const char *path)
{
	for (int hops = 0; hops < 16; hops++) {
		struct archive_member *m = NULL;
		for (size_t i = ar->n; !m && i > 0; i--)
			if (!strcmp(ar->members[i - 1].path, path))
				m = &ar->members[i - 1];
		if (!m || !m->link)
			return m;
		path = m->link;
	}
	return NULL;
}

static int copy_data(struct co_tar_reader *tar, struct co_sink *out, struct co_err *err)
{
	auto_free char *block = co_xrealloc(NULL, 1, BLOCK);
	ssize_t n;
	while ((n = co_tar_read(tar, block, BLOCK, err)) > 0) {
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		if (co_sink_write(out, block, (size_t)n) < 0)
			return 0; /* the sink keeps its error for close */
	}
	return n < 0 ? (int)n : 0;
}

static int drain(struct co_tar_reader *tar, struct co_sink *out, struct co_err *err)
{
	int r = copy_data(tar, out, err);
	if (r < 0) {
		co_sink_abort(out);
		return r;
	}
	return co_sink_close(out, err);
}

static int read_text(struct co_tar_reader *tar, const char *name, size_t max, char **out,
		     size_t *len, struct co_err *err)
{
	auto_buf b = CO_BUF_INIT(max);
	int r = drain(tar, co_sink_buf(&b), err);
	if (r < 0)
		return co_wrap(err, "%s", name);
	free(*out);
	*len = b.len;
	*out = co_buf_take(&b);
	return 0;
}

static struct archive_member *add_member(struct archive *ar, const char *path, struct co_err *err)
{
	if (ar->n == MAX_MEMBERS) {
		co_fail(err, CO_E_LIMIT, "more than %d members", MAX_MEMBERS);
		return NULL;
	}
	struct archive_member *m = co_arena_push(ar->a, ar->members, ar->n);
	m->path = path;
	return m;
}

/* A symbolic link's target counts from its directory, a hard link's from the top. */
static int add_link(struct archive *ar, const char *path, const struct co_tar_entry *e,
		    struct co_err *err)
{
	struct archive_member *m = add_member(ar, path, err);
	if (!m)
		return err->code;
	const char *slash = strrchr(path, '/');
	bool below = !e->hardlink && e->link[0] != '/' && slash;
	m->link = co_path_clean_rel(
		ar->a, below ? co_arena_printf(ar->a, "%.*s/%s", (int)(slash - path), path, e->link)
			     : e->link);
	return 0;
}

static int add_file(struct archive *ar, struct co_tar_reader *tar, const char *path,
		    struct co_err *err)
{
	struct co_digest named;
	char want[CO_DIGEST_TEXT], got[CO_DIGEST_TEXT];
	bool is_blob = layout_blob_name(path, &named);
	enum co_digest_alg alg = is_blob ? (enum co_digest_alg)named.alg : CO_SHA256;
	struct archive_member *m = add_member(ar, path, err);
	if (!m)
		return err->code;
	int r = drain(tar, store_spool_sink(ar->s, alg, &m->spool), err);
	if (r < 0)
		return r;
	if (is_blob && !co_digest_eq(&named, &m->spool.digest))
		return co_fail(err, CO_E_INTEGRITY, "blob %s: its content is %s",
			       co_digest_str(&named, want), co_digest_str(&m->spool.digest, got));
	return 0;
}

static int take_member(struct archive *ar, struct co_tar_reader *tar, const struct co_tar_entry *e,
		       struct co_err *err)
{
	const char *path = co_path_clean_rel(ar->a, e->path);
	if (e->link)
		return add_link(ar, path, e, err);
	if (!S_ISREG(e->mode))
		return 0;
	if (!strcmp(path, "oci-layout"))
		return read_text(tar, path, MAX_HEADER, &ar->header, &ar->header_len, err);
	if (!strcmp(path, "index.json"))
		return read_text(tar, path, OCI_DOC_MAX, &ar->index, &ar->index_len, err);
	if (!strcmp(path, "manifest.json"))
		return read_text(tar, path, MAX_MANIFEST, &ar->manifest, &ar->manifest_len, err);
	if (!strcmp(path, "repositories")) {
		ar->has_repositories = true;
		return 0;
	}
	return add_file(ar, tar, path, err);
}

static int read_members(struct archive *ar, struct co_source_stream *in, struct co_err *err)
{
	struct co_tar_limits limits = {.max_entries = 2 * MAX_MEMBERS};
	struct co_tar_reader *tar;
	struct co_tar_entry e;
	int r = co_tar_reader_open(&tar, co_stream_inflate(in, 0), &limits, err);
	if (r < 0)
		return r;
	while ((r = co_tar_next(tar, &e, err)) > 0) {
		r = take_member(ar, tar, &e, err);
		if (r < 0)
			break;
	}
	co_tar_reader_close(tar);
	return r;
}

/* Publishes what was spooled; else the store may have it already. */
static int bring(void *ctx, const struct co_descriptor *d, struct co_err *err)
{
	struct archive *ar = ctx;
	char path[LAYOUT_PATH_MAX], text[CO_DIGEST_TEXT];
	int64_t size;
	struct archive_member *m = archive_find(ar, store_blob_path(&d->digest, path));
	if (m && m->spool.name[0]) {
		if (!co_digest_eq(&m->spool.digest, &d->digest))
			return co_fail(err, CO_E_INTEGRITY, "%s leads to other content", path);
		int r = store_spool_publish(ar->s, &m->spool, err);
		if (r < 0)
			return r;
	}
	if (!co_store_has(ar->s, &d->digest, &size))
		return co_fail(err, CO_E_NOT_FOUND, "%s is missing", path);
	if (d->size >= 0 && size != d->size)
		return co_fail(err, CO_E_INTEGRITY, "blob %s has %lld bytes, not %lld",
			       co_digest_str(&d->digest, text), (long long)size,
			       (long long)d->size);
	return 0;
}

static int import(struct archive *ar, const char *select, struct co_descriptor *out,
		  struct co_err *err)
{
	if (!ar->index && !ar->manifest) {
		if (!ar->has_repositories)
			return co_fail(err, CO_E_INVALID,
				       "neither an OCI layout nor a docker archive");
		co_fail(err, CO_E_UNSUPPORTED, "an archive of docker before 1.10");
		return co_hint(err, "load it with docker and save it again");
	}
	if (ar->manifest && (!ar->index || !ar->header))
		return archive_docker_import(ar, select, out, err);
	struct co_err why = CO_ERR_INIT;
	int r = layout_check_header(ar->header, ar->header_len, &why);
	if (!r)
		r = layout_import(ar->s, ar->index, ar->index_len, select, bring, ar, out, &why);
	/* the other half of an archive of both kinds may know the name, or have all the blobs */
	if (r == CO_E_NOT_FOUND && ar->manifest) {
		struct co_err other = CO_ERR_INIT;
		if (archive_docker_import(ar, select, out, &other) == 0)
			return 0;
	}
	if (r < 0)
		*err = why;
	return r;
}

int co_layout_read_tar(struct co_store *s, struct co_source_stream *in, const char *what,
		       const char *select, struct co_descriptor *out, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct archive ar = {.s = s, .a = &a};
	int r = read_members(&ar, in, err);
	if (!r)
		r = import(&ar, select, out, err);
	for (size_t i = 0; i < ar.n; i++)
		store_spool_drop(s, &ar.members[i].spool);
	free(ar.header);
	free(ar.index);
	free(ar.manifest);
	return r < 0 ? co_wrap(err, "archive %s", what) : 0;
}
