/* SPDX-License-Identifier: MIT
 *
 * Packs: where an object lies in one (.idx), and the object with the deltas it is made of (.pack).
 */
#include "git-read.h"
#include <cooper/str.h>
#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH 512 /* git makes chains of 50 */
#define MAX_PACKS 20000
#define HEAD_MAX  64 /* type, size and base of an object */

static bool read_at(int fd, void *out, size_t n, int64_t at)
{
	return pread(fd, out, n, at) == (ssize_t)n;
}

/* ---- the index ---- */

struct index {
	int fd;
	int64_t size;
	size_t id_len;
	bool v1;
	uint32_t n;	    /* objects */
	int64_t fan, names; /* where the tables begin */
};

static bool index_open(struct index *x)
{
	uint32_t head[2], n;
	struct stat sb;
	if (fstat(x->fd, &sb) < 0 || !read_at(x->fd, head, sizeof(head), 0))
		return false;
	x->size = sb.st_size;
	x->v1 = head[0] != htobe32(0xff744f63);
	if (!x->v1 && head[1] != htobe32(2))
		return false;
	x->fan = x->v1 ? 0 : 8;
	x->names = x->fan + 1024;
	if (!read_at(x->fd, &n, sizeof(n), x->fan + 1020))
		return false;
	x->n = be32toh(n);
	/* names, (checksums,) places, and the two digests at the end */
	int64_t each = (int64_t)x->id_len + (x->v1 ? 4 : 8);
	return x->size >= x->names + each * x->n + 2 * (int64_t)x->id_len;
}

static bool name_at(const struct index *x, uint32_t i, uint8_t *out)
{
	int64_t at = x->v1 ? x->names + (int64_t)i * (4 + (int64_t)x->id_len) + 4
			   : x->names + (int64_t)i * (int64_t)x->id_len;
	return read_at(x->fd, out, x->id_len, at);
}

static bool place_at(const struct index *x, uint32_t i, int64_t *out)
{
	uint32_t small;
	uint64_t large;
	int64_t small_at =
		x->v1 ? x->names + (int64_t)i * (4 + (int64_t)x->id_len)
		      : x->names + (int64_t)x->n * ((int64_t)x->id_len + 4) + (int64_t)i * 4;
	if (!read_at(x->fd, &small, sizeof(small), small_at))
		return false;
	small = be32toh(small);
	if (x->v1 || !(small & 0x80000000)) {
		*out = small;
		return true;
	}
	int64_t table = x->names + (int64_t)x->n * ((int64_t)x->id_len + 8);
	if (!read_at(x->fd, &large, sizeof(large), table + (int64_t)(small & 0x7fffffff) * 8))
		return false;
	large = be64toh(large);
	*out = (int64_t)large;
	return large <= INT64_MAX;
}

static bool index_find(const struct index *x, const struct git_id *id, int64_t *out)
{
	uint32_t fan[2] = {0, 0};
	uint8_t first = id->bytes[0], name[32];
	bool ok = first ? read_at(x->fd, fan, sizeof(fan), x->fan + (first - 1) * 4)
			: read_at(x->fd, &fan[1], 4, x->fan);
	uint32_t low = be32toh(fan[0]), high = be32toh(fan[1]);
	if (!ok || high > x->n)
		return false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (!name_at(x, mid, name))
			return false;
		int d = memcmp(id->bytes, name, x->id_len);
		if (!d)
			return place_at(x, mid, out);
		if (d < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return false;
}

/* ---- one object ---- */

struct entry {
	enum git_type type;
	uint64_t size;
	int64_t base; /* OFS_DELTA */
	struct git_id base_id;
	int64_t data; /* where its stream begins */
};

static int entry_broken(struct co_err *err)
{
	return co_fail(err, CO_E_INVALID, "a pack is damaged");
}

static int entry_read(struct entry *e, int fd, int64_t at, size_t id_len, struct co_err *err)
{
	uint8_t p[HEAD_MAX];
	size_t i = 0;
	ssize_t got = at < 12 ? -1 : pread(fd, p, sizeof(p), at);
	if (got < 1 + (ssize_t)id_len)
		return entry_broken(err);
	memset(p + got, 0, sizeof(p) - (size_t)got);
	uint8_t c = p[i++];
	*e = (struct entry){.type = (enum git_type)(c >> 4 & 7), .size = c & 15};
	for (unsigned shift = 4; c & 0x80; shift += 7) {
		if (shift > 53)
			return entry_broken(err);
		c = p[i++];
		e->size |= (uint64_t)(c & 0x7f) << shift;
	}
	if (e->type == GIT_OFS_DELTA) {
		c = p[i++];
		int64_t back = c & 0x7f;
		while (c & 0x80) {
			if (back > INT64_MAX >> 8)
				return entry_broken(err);
			c = p[i++];
			back = ((back + 1) << 7) | (c & 0x7f);
		}
		if (back <= 0 || back >= at)
			return entry_broken(err);
		e->base = at - back;
	} else if (e->type == GIT_REF_DELTA) {
		e->base_id.len = id_len;
		memcpy(e->base_id.bytes, p + i, id_len);
		i += id_len;
	}
	e->data = at + (int64_t)i;
	return 0;
}

static int read_entry(struct git_objects *o, int fd, int64_t at, size_t id_len, unsigned depth,
		      enum git_type *type, struct co_buf *out, struct co_err *err)
{
	struct entry e;
	if (depth > MAX_DEPTH)
		return co_fail(err, CO_E_LIMIT, "deltas of more than %d levels", MAX_DEPTH);
	int r = entry_read(&e, fd, at, id_len, err);
	if (r < 0)
		return r;
	bool delta = e.type == GIT_OFS_DELTA || e.type == GIT_REF_DELTA;
	if (!delta && (e.type < GIT_COMMIT || e.type > GIT_TAG))
		return entry_broken(err);
	if (e.size > GIT_OBJECT_MAX)
		return co_fail(err, CO_E_LIMIT, "an object of more than %u bytes", GIT_OBJECT_MAX);
	if (!delta) {
		*type = e.type;
		return git_inflate(o, fd, e.data, (size_t)e.size, true, out, err);
	}
	auto_buf own = CO_BUF_INIT(GIT_OBJECT_MAX);
	auto_buf base = CO_BUF_INIT(GIT_OBJECT_MAX);
	r = git_inflate(o, fd, e.data, (size_t)e.size, true, &own, err);
	if (!r && e.type == GIT_OFS_DELTA)
		r = read_entry(o, fd, e.base, id_len, depth + 1, type, &base, err);
	else if (!r)
		r = git_object_read(o, &e.base_id, depth + 1, type, &base, err);
	return r ? r : git_delta_apply(o, &base, &own, out, err);
}

/* ---- deltas ---- */

struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

static uint8_t next(struct cursor *c)
{
	if (c->p == c->end) {
		c->bad = true;
		return 0;
	}
	return *c->p++;
}

static uint64_t number(struct cursor *c)
{
	uint64_t v = 0;
	uint8_t b = 0x80;
	for (unsigned shift = 0; b & 0x80 && shift <= 56; shift += 7) {
		b = next(c);
		v |= (uint64_t)(b & 0x7f) << shift;
	}
	c->bad |= (b & 0x80) != 0;
	return v;
}

/* Bytes that the bits of op say are there, the lowest first. */
static uint32_t packed(struct cursor *c, uint8_t op, unsigned n)
{
	uint32_t v = 0;
	for (unsigned i = 0; i < n; i++)
		if (op >> i & 1)
			v |= (uint32_t)next(c) << 8 * i;
	return v;
}

int git_delta_apply(struct git_objects *o, const struct co_buf *base, const struct co_buf *delta,
		    struct co_buf *out, struct co_err *err)
{
	const uint8_t *text = (const uint8_t *)co_buf_str(delta);
	struct cursor c = {.p = text, .end = text + delta->len};
	uint64_t from = number(&c), size = number(&c);
	if (c.bad || from != base->len)
		return entry_broken(err);
	if (size > GIT_OBJECT_MAX || size > o->budget)
		return co_fail(err, CO_E_LIMIT, "an object is too large");
	o->budget -= (size_t)size;
	*out = (struct co_buf)CO_BUF_INIT((size_t)size);
	while (c.p < c.end) {
		uint8_t op = next(&c);
		if (op & 0x80) {
			uint32_t at = packed(&c, op, 4), n = packed(&c, op >> 4 & 7, 3);
			n = n ? n : 0x10000;
			if (c.bad || at > base->len || n > base->len - at)
				return entry_broken(err);
			co_buf_add(out, base->data + at, n);
		} else {
			if (!op || (size_t)(c.end - c.p) < op)
				return entry_broken(err);
			co_buf_add(out, c.p, op);
			c.p += op;
		}
		if (out->overflow)
			return entry_broken(err);
	}
	return out->len == size ? 0 : entry_broken(err);
}

/* ---- all packs of a directory ---- */

static int look_in(struct git_objects *o, int dir, const char *idx, const struct git_id *id,
		   unsigned depth, enum git_type *type, struct co_buf *out, struct co_err *err)
{
	char name[NAME_MAX + 8];
	int64_t at;
	auto_fd fd = git_open_file(dir, idx);
	struct index x = {.fd = fd, .id_len = id->len};
	/* one that is no good may stand beside others that are */
	if (fd < 0 || !index_open(&x) || !index_find(&x, id, &at))
		return 0;
	snprintf(name, sizeof(name), "%.*s.pack", (int)(strlen(idx) - 4), idx);
	auto_fd pack = git_open_file(dir, name);
	if (pack < 0)
		return errno == ENOENT ? 0 : co_fail_sys(err, "%s", name);
	int r = read_entry(o, pack, at, id->len, depth, type, out, err);
	return r < 0 ? r : 1;
}

int git_pack_read(struct git_objects *o, int objects, const struct git_id *id, unsigned depth,
		  enum git_type *type, struct co_buf *out, struct co_err *err)
{
	int fd = openat(objects, "pack", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		co_close_fd(&fd);
		return 0;
	}
	unsigned n = 0;
	for (struct dirent *e; (e = readdir(d)) && n < MAX_PACKS;) {
		if (!co_ends(e->d_name, ".idx"))
			continue;
		n++;
		int r = look_in(o, fd, e->d_name, id, depth, type, out, err);
		if (r)
			return r;
	}
	return 0;
}
