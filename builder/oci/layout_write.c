/* SPDX-License-Identifier: MIT
 *
 * layout_write.c — an image from the store into an OCI layout directory, beside what is there.
 */
#include "layout-internal.h"
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_WAIT_S 600

/* ---- what belongs to an image ---- */

struct collector {
	struct co_store *s;
	struct layout_blobs *out;
};

static int collect(void *ctx, const struct co_descriptor *d, struct co_err *err)
{
	struct collector *c = ctx;
	char text[CO_DIGEST_TEXT];
	int64_t size;
	if (!co_store_has(c->s, &d->digest, &size))
		return co_fail(err, CO_E_NOT_FOUND, "blob %s is not in the store",
			       co_digest_str(&d->digest, text));
	if (size != d->size)
		return co_fail(err, CO_E_INTEGRITY, "blob %s has %lld bytes, the image says %lld",
			       co_digest_str(&d->digest, text), (long long)size,
			       (long long)d->size);
	for (size_t i = 0; i < c->out->n; i++)
		if (co_digest_eq(&c->out->items[i].digest, &d->digest))
			return 0;
	struct co_descriptor *mine = co_arena_push(c->out->a, c->out->items, c->out->n);
	*mine = *d;
	mine->annotations = NULL;
	return 0;
}

int layout_collect(struct co_store *s, const struct co_descriptor *d, struct layout_blobs *out,
		   struct co_err *err)
{
	struct collector c = {s, out};
	return layout_walk(s, collect, &c, d, err);
}

json_t *layout_entries(const struct co_descriptor *d, const char *const *names)
{
	auto_arena a = CO_ARENA_INIT;
	json_t *list = json_array();
	for (size_t i = 0; names && names[i]; i++) {
		struct co_descriptor entry = *d;
		const char *tag = layout_tag(&a, names[i]);
		auto_json notes = json_object();
		oci_set_string(notes, LAYOUT_FULL_NAME, layout_full_name(&a, names[i]));
		if (tag)
			oci_set_string(notes, LAYOUT_REF_NAME, tag);
		entry.annotations = notes;
		json_array_append_new(list, oci_descriptor_json(&entry));
	}
	if (!json_array_size(list)) {
		struct co_descriptor entry = *d;
		entry.annotations = NULL;
		json_array_append_new(list, oci_descriptor_json(&entry));
	}
	return list;
}

/* ---- the directory ---- */

static int lock_dir(int fd, struct co_err *err)
{
	int64_t end = co_mono_ns() + LOCK_WAIT_S * 1000000000ll;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return 0; /* a file system without locks: one writer has to do */
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		if (co_mono_ns() > end)
			return co_fail(err, CO_E_TIMEOUT, "another writer holds its lock");
		co_sleep_ms(50);
	}
	return 0;
}

/* Complete under its name or not there at all; a leftover of a killed writer is overwritten, which
 * the lock allows. */
static int put_blob(struct co_store *s, int dir, const struct co_descriptor *d, struct co_err *err)
{
	char hex[CO_DIGEST_TEXT], tmp[CO_DIGEST_TEXT + 8];
	struct stat st;
	auto_fd in = -1;
	co_digest_hex(&d->digest, hex);
	if (fstatat(dir, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == d->size)
		return 0;
	int r = co_store_blob_fd(s, &d->digest, &in, NULL, err);
	if (r < 0)
		return r;
	snprintf(tmp, sizeof(tmp), ".%s.tmp", hex);
	unlinkat(dir, tmp, 0);
	auto_fd out = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (out < 0)
		return co_fail_sys(err, "write blob %s", hex);
	if (co_clone_fd(out, in) == 0 && close(co_steal_fd(&out)) == 0 &&
	    renameat(dir, tmp, dir, hex) == 0)
		return 0;
	co_fail_sys(err, "write blob %s", hex);
	unlinkat(dir, tmp, 0);
	return err->code;
}

static int put_blobs(struct co_store *s, int root, const struct layout_blobs *blobs,
		     struct co_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < blobs->n; i++) {
		const struct co_descriptor *d = &blobs->items[i];
		const char *sub = d->digest.alg == CO_SHA512 ? "blobs/sha512" : "blobs/sha256";
		auto_fd dir = co_inroot_mkdirs(root, sub, 0755, NULL, NULL);
		auto_fd real = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (real < 0)
			return co_fail_sys(err, "make %s", sub);
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		r = put_blob(s, real, d, err);
	}
	return r;
}

/* An old entry gives way to a new one with the same reference name (when both have a full one, with
 * that), or, when neither has a name, for the same image. */
static bool replaced(const json_t *old, const json_t *entries)
{
	const json_t *notes = json_object_get(old, "annotations");
	const char *ref = co_json_str(notes, LAYOUT_REF_NAME);
	const char *full = co_json_str(notes, LAYOUT_FULL_NAME);
	const char *digest = co_json_str(old, "digest");
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *e = json_array_get(entries, i);
		const char *mine = co_json_str(json_object_get(e, "annotations"), LAYOUT_REF_NAME);
		const char *whole =
			co_json_str(json_object_get(e, "annotations"), LAYOUT_FULL_NAME);
		bool other = full && whole && strcmp(full, whole) != 0;
		if (ref && mine && !strcmp(ref, mine) && !other)
			return true;
		if (!ref && digest && !strcmp(digest, co_json_str(e, "digest")))
			return true;
	}
	return false;
}

static json_t *merged(json_t *old, const json_t *entries)
{
	json_t *list = json_array();
	for (size_t i = 0; i < json_array_size(old); i++)
		if (!replaced(json_array_get(old, i), entries))
			json_array_append(list, json_array_get(old, i));
	json_array_extend(list, (json_t *)entries);
	return list;
}

/* What the directory has already, checked; an empty index when it is new. */
static int old_index(int root, json_t **out, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_index ix = {.media_type = CO_MT_OCI_INDEX};
	size_t len;
	auto_free char *text = co_inroot_slurp(root, "index.json", OCI_DOC_MAX, &len);
	if (!text && errno != ENOENT)
		return co_fail_sys(err, "index.json");
	if (!text) {
		auto_buf fresh = CO_BUF_INIT(CO_BUF_SMALL);
		co_index_write(&fresh, &ix);
		return co_json_parse(out, fresh.data, fresh.len, "index.json", err);
	}
	int r = co_index_parse(&ix, &a, text, len, NULL, err);
	if (r < 0)
		return r;
	*out = co_steal(&ix.doc);
	return 0;
}

static int put_index(int root, const struct co_descriptor *d, const char *const *names,
		     struct co_err *err)
{
	auto_json doc = NULL;
	auto_json entries = layout_entries(d, names);
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	int r = old_index(root, &doc, err);
	if (r < 0)
		return r;
	json_object_set_new(doc, "manifests", merged(json_object_get(doc, "manifests"), entries));
	co_json_write_pretty(&text, doc);
	return co_write_file(root, "index.json", text.data, text.len, 0644, err);
}

static int put_header(int root, struct co_err *err)
{
	size_t len;
	auto_free char *old = co_inroot_slurp(root, "oci-layout", 4096, &len);
	if (old)
		return layout_check_header(old, len, err);
	return co_write_file(root, "oci-layout", LAYOUT_HEADER, strlen(LAYOUT_HEADER), 0644, err);
}

static int write_dir(struct co_store *s, const struct co_descriptor *d, const char *const *names,
		     int root, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct layout_blobs blobs = {.a = &a};
	int r = layout_collect(s, d, &blobs, err);
	if (!r)
		r = lock_dir(root, err);
	if (!r)
		r = put_header(root, err);
	if (!r)
		r = put_blobs(s, root, &blobs, err);
	if (!r)
		r = put_index(root, d, names, err);
	return r;
}

int co_layout_write_dir(struct co_store *s, const struct co_descriptor *desc,
			const char *const *names, const char *dir, struct co_err *err)
{
	int r = co_mkdir_p(dir, 0755, err);
	if (r < 0)
		return r;
	auto_fd root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return co_fail_sys(err, "open %s", dir);
	r = write_dir(s, desc, names, root, err);
	return r < 0 ? co_wrap(err, "OCI layout %s", dir) : 0;
}
