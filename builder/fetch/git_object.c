/* SPDX-License-Identifier: MIT
 *
 * Objects by their names: loose files, and the packs of a repository and its alternates.
 */
#include "git-read.h"
#include <cooper/str.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define BUDGET	       (64u << 20)
#define MAX_ALTERNATES 5 /* of alternates, as git has it */
#define LIST_MAX       (64u << 10)
#define CHUNK	       16384

static bool known(const struct git_objects *o, int fd)
{
	struct stat new, old;
	if (fstat(fd, &new) < 0)
		return true;
	for (size_t i = 0; i < o->n; i++)
		if (fstat(o->dirs[i], &old) == 0 && old.st_dev == new.st_dev &&
		    old.st_ino == new.st_ino)
			return true;
	return false;
}

/* Lines of objects/info/alternates: paths from that directory. One that is not there, or too far
 * away, is passed over, as git does; an object that is missed in the end will be told. */
static int add_alternates(struct git_objects *o, size_t from, unsigned depth, struct co_err *err)
{
	auto_buf text = CO_BUF_INIT(LIST_MAX);
	struct co_err none = CO_ERR_INIT;
	int r = git_read_text(o->dirs[from], "info/alternates", LIST_MAX, &text, &none);
	if (r == CO_E_NOT_FOUND || depth == MAX_ALTERNATES)
		return 0;
	if (r < 0) {
		*err = none;
		return r;
	}
	for (const char *p = co_buf_str(&text); *p;) {
		char path[4096];
		size_t n = strcspn(p, "\n");
		snprintf(path, sizeof(path), "%.*s", n < sizeof(path) ? (int)n : 0, p);
		p += n + (p[n] == '\n');
		if (!path[0] || path[0] == '#')
			continue;
		if (o->n == GIT_DIRS)
			return co_fail(err, CO_E_LIMIT, "more than %d alternates", GIT_DIRS);
		int fd = openat(o->dirs[from], path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || known(o, fd)) {
			co_close_fd(&fd);
			continue;
		}
		o->dirs[o->n++] = fd;
		r = add_alternates(o, o->n - 1, depth + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int git_objects_open(struct git_objects *o, int common, struct co_err *err)
{
	*o = (struct git_objects){.budget = BUDGET};
	int fd = openat(common, "objects", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "its objects");
	o->dirs[o->n++] = fd;
	int r = add_alternates(o, 0, 0, err);
	if (r < 0)
		git_objects_close(o);
	return r;
}

void git_objects_close(struct git_objects *o)
{
	for (size_t i = 0; i < o->n; i++)
		co_close_fd(&o->dirs[i]);
	o->n = 0;
}

static int take(struct git_objects *o, struct co_buf *out, const void *data, size_t n,
		struct co_err *err)
{
	if (n > o->budget || n > out->max - out->len)
		return co_fail(err, CO_E_LIMIT, "an object is too large");
	o->budget -= n;
	co_buf_add(out, data, n);
	return 0;
}

static int run(struct git_objects *o, z_stream *z, int fd, int64_t at, struct co_buf *out,
	       struct co_err *err)
{
	unsigned char in[CHUNK], part[CHUNK];
	int code = Z_OK;
	while (code != Z_STREAM_END) {
		if (!z->avail_in) {
			ssize_t n = pread(fd, in, sizeof(in), at);
			if (n < 0)
				return co_fail_sys(err, "read an object");
			if (!n)
				return co_fail(err, CO_E_INVALID, "an object is cut off");
			z->next_in = in;
			z->avail_in = (uInt)n;
			at += n;
		}
		z->next_out = part;
		z->avail_out = sizeof(part);
		code = inflate(z, Z_NO_FLUSH);
		if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
			return co_fail(err, CO_E_INVALID, "an object is damaged");
		int r = take(o, out, part, sizeof(part) - z->avail_out, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int git_inflate(struct git_objects *o, int fd, int64_t at, size_t max, bool exact,
		struct co_buf *out, struct co_err *err)
{
	z_stream z = {0};
	if (max > GIT_OBJECT_MAX)
		return co_fail(err, CO_E_LIMIT, "an object of more than %u bytes", GIT_OBJECT_MAX);
	*out = (struct co_buf)CO_BUF_INIT(max);
	if (inflateInit(&z) != Z_OK)
		co_oom();
	int r = run(o, &z, fd, at, out, err);
	inflateEnd(&z);
	if (!r && exact && out->len != max)
		r = co_fail(err, CO_E_INVALID, "an object is not as long as it says");
	return r;
}

/* "commit 123\0", then the content. */
static int split(const struct co_buf *raw, enum git_type *type, struct co_buf *out,
		 struct co_err *err)
{
	static const char *const names[] = {[GIT_COMMIT] = "commit ",
					    [GIT_TREE] = "tree ",
					    [GIT_BLOB] = "blob ",
					    [GIT_TAG] = "tag "};
	const char *s = co_buf_str(raw);
	size_t head = strnlen(s, raw->len);
	uint64_t size;
	for (unsigned t = GIT_COMMIT; t <= GIT_TAG; t++) {
		if (!co_starts(s, names[t]))
			continue;
		if (head == raw->len || !co_parse_u64(s + strlen(names[t]), &size) ||
		    size != raw->len - head - 1)
			break;
		*type = (enum git_type)t;
		*out = (struct co_buf)CO_BUF_INIT(GIT_OBJECT_MAX);
		co_buf_add(out, s + head + 1, (size_t)size);
		return 0;
	}
	return co_fail(err, CO_E_INVALID, "a loose object is damaged");
}

static int read_loose(struct git_objects *o, int dir, const struct git_id *id, enum git_type *type,
		      struct co_buf *out, struct co_err *err)
{
	char name[72], text[65];
	co_hex(id->bytes, id->len, text);
	snprintf(name, sizeof(name), "%.2s/%s", text, text + 2);
	auto_fd fd = git_open_file(dir, name);
	if (fd < 0)
		return errno == ENOENT ? 0 : co_fail_sys(err, "object %s", name);
	auto_buf raw = CO_BUF_INIT(GIT_OBJECT_MAX);
	int r = git_inflate(o, fd, 0, GIT_OBJECT_MAX, false, &raw, err);
	if (!r)
		r = split(&raw, type, out, err);
	return r < 0 ? r : 1;
}

int git_object_read(struct git_objects *o, const struct git_id *id, unsigned depth,
		    enum git_type *type, struct co_buf *out, struct co_err *err)
{
	char text[65];
	for (size_t i = 0; i < o->n; i++) {
		int r = read_loose(o, o->dirs[i], id, type, out, err);
		if (!r)
			r = git_pack_read(o, o->dirs[i], id, depth, type, out, err);
		if (r)
			return r < 0 ? r : 0;
	}
	co_hex(id->bytes, id->len, text);
	return co_fail(err, CO_E_NOT_FOUND, "object %.12s is missing", text);
}
