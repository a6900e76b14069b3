/* SPDX-License-Identifier: MIT */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/owntab.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct co_owntab {
	int fd; /* owned */
	struct owntab_map *map;
};

static int attach(struct co_owntab **out, int fd, const char *what, struct co_err *err)
{
	struct owntab_map *map =
		mmap(NULL, sizeof(*map), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return co_fail_sys(err, "map %s", what);
	struct co_owntab *t = co_xcalloc(1, sizeof(*t));
	t->map = map;
	t->fd = fd;
	*out = t;
	return 0;
}

int co_owntab_create(struct co_owntab **out, const char *path, struct co_err *err)
{
	const char *what = path ? path : "ownership table";
	auto_fd fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)
			  : memfd_create("ownership", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, sizeof(struct owntab_map)) < 0)
		return co_fail_sys(err, "%s", what);
	if (!path && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return co_fail_sys(err, "seal the ownership table");
	int r = attach(out, fd, what, err);
	if (r < 0)
		return r;
	(*out)->map->magic = OWNTAB_MAGIC;
	fd = -1;
	return 0;
}

int co_owntab_open(struct co_owntab **out, const char *path, struct co_err *err)
{
	struct stat st;
	uint64_t magic = 0;
	auto_fd fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return co_fail_sys(err, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(struct owntab_map) ||
	    pread(fd, &magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) || magic != OWNTAB_MAGIC)
		return co_fail(err, CO_E_INVALID, "%s: not an ownership table", path);
	int r = attach(out, fd, path, err);
	if (r == 0)
		fd = -1;
	return r;
}

void co_owntab_close(struct co_owntab *t)
{
	if (!t)
		return;
	munmap(t->map, sizeof(*t->map));
	close(t->fd);
	free(t);
}

int co_owntab_fd(const struct co_owntab *t)
{
	return t->fd;
}

static int key_from_stat(int dirfd, const char *name, int flags, struct owntab_key *key,
			 struct stat *st)
{
	if (fstatat(dirfd, name, st, flags) < 0)
		return -1;
	*key = (struct owntab_key){owntab_dev(major(st->st_dev), minor(st->st_dev)), st->st_ino, 0};
	return 0;
}

int co_owntab_stat(int dirfd, const char *name, struct owntab_key *key, struct stat *st)
{
	struct statx x;
	int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
	if (statx(dirfd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &x) < 0) {
		/* EPERM: a seccomp profile older than the call */
		return errno == ENOSYS || errno == EPERM
			       ? key_from_stat(dirfd, name, flags, key, st)
			       : -1;
	}
	*key = (struct owntab_key){owntab_dev(x.stx_dev_major, x.stx_dev_minor), x.stx_ino, 0};
	if (x.stx_mask & STATX_BTIME)
		key->birth = (uint64_t)x.stx_btime.tv_sec * 1000000000u + x.stx_btime.tv_nsec;
	*st = (struct stat){.st_dev = makedev(x.stx_dev_major, x.stx_dev_minor),
			    .st_ino = x.stx_ino,
			    .st_mode = x.stx_mode,
			    .st_nlink = x.stx_nlink,
			    .st_uid = x.stx_uid,
			    .st_gid = x.stx_gid,
			    .st_rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor),
			    .st_size = (off_t)x.stx_size,
			    .st_blksize = x.stx_blksize,
			    .st_blocks = (blkcnt_t)x.stx_blocks,
			    .st_mtim = {x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec},
			    .st_ctim = {x.stx_ctime.tv_sec, x.stx_ctime.tv_nsec},
			    .st_atim = {x.stx_atime.tv_sec, x.stx_atime.tv_nsec}};
	return 0;
}

int co_owntab_key(int dirfd, const char *name, struct owntab_key *key, uint64_t *nlink)
{
	struct stat st;
	if (co_owntab_stat(dirfd, name, key, &st) < 0)
		return -1;
	if (nlink)
		*nlink = st.st_nlink;
	return 0;
}

static void claim(struct co_own *out, const struct owntab_entry *e)
{
	*out = (struct co_own){e->uid, e->gid, e->mode, e->dev_major, e->dev_minor, e->xattrs};
}

bool co_owntab_get(const struct co_owntab *t, const struct owntab_key *key, struct co_own *out)
{
	struct owntab_seen s = {0};
	owntab_look(t->map, key, &s);
	if (s.live)
		claim(out, &s.entry);
	return s.live;
}

static int put(struct co_owntab *t, const struct owntab_seen *s, const struct owntab_key *key,
	       const struct co_own *own, uint32_t xattrs)
{
	struct owntab_entry e = {.key = *key,
				 .uid = own->uid,
				 .gid = own->gid,
				 .mode = own->mode,
				 .dev_major = own->dev_major,
				 .dev_minor = own->dev_minor,
				 .xattrs = xattrs};
	int r = owntab_commit(t->map, s, &e);
	if (r > 0 && (S_ISCHR(own->mode) || S_ISBLK(own->mode)))
		owntab_bump(&t->map->devices);
	if (r > 0 && S_ISDIR(own->mode) && (own->mode & S_ISGID))
		owntab_bump(&t->map->setgid_dirs);
	if (r < 0)
		errno = ENOSPC;
	return r;
}

int co_owntab_set(struct co_owntab *t, const struct owntab_key *key, const struct co_own *own)
{
	struct owntab_seen s;
	int r;
	do {
		owntab_look(t->map, key, &s);
		r = put(t, &s, key, own, s.live ? s.entry.xattrs : 0);
	} while (r == 0);
	return r < 0 ? -1 : 0;
}

void co_owntab_remove(struct co_owntab *t, const struct owntab_key *key)
{
	struct owntab_seen s;
	do {
		owntab_look(t->map, key, &s);
	} while (s.live && owntab_drop(t->map, &s) == 0);
}

void co_owntab_reset(struct co_owntab *t)
{
	uint64_t magic = t->map->magic;
	/* gives the memory back; a file system without holes is cleared by hand */
	if (fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, sizeof(*t->map)) < 0)
		memset(t->map, 0, offsetof(struct owntab_map, entry));
	t->map->magic = magic;
}

/* Shows the live entries of one chain: the first of each inode that is not removed. */
static int each_in_chain(const struct owntab_map *m, uint32_t bucket,
			 int (*fn)(void *, const struct owntab_key *, const struct co_own *),
			 void *ctx)
{
	uint32_t i = (uint32_t)owntab_load(&m->bucket[bucket]);
	for (uint32_t steps = 0; i && i < OWNTAB_ENTRIES && steps < OWNTAB_WALK; steps++) {
		struct owntab_entry e = m->entry[i];
		struct owntab_seen s;
		struct co_own own;
		owntab_look(m, &e.key, &s);
		if (s.at == i && e.mode) {
			claim(&own, &e);
			int r = fn(ctx, &e.key, &own);
			if (r)
				return r;
		}
		i = e.next;
	}
	return 0;
}

int co_owntab_each(const struct co_owntab *t,
		   int (*fn)(void *ctx, const struct owntab_key *key, const struct co_own *own),
		   void *ctx)
{
	for (uint32_t b = 0; b < OWNTAB_BUCKETS; b++) {
		if (!(uint32_t)owntab_load(&t->map->bucket[b]))
			continue;
		int r = each_in_chain(t->map, b, fn, ctx);
		if (r)
			return r;
	}
	return 0;
}

static int count_one(void *ctx, const struct owntab_key *key, const struct co_own *own)
{
	(void)key;
	(void)own;
	++*(size_t *)ctx;
	return 0;
}

size_t co_owntab_count(const struct co_owntab *t)
{
	size_t n = 0;
	if (owntab_load(&t->map->changes))
		co_owntab_each(t, count_one, &n);
	return n;
}

void co_owntab_note_fifo(struct co_owntab *t)
{
	owntab_bump(&t->map->fifos);
}

/* ---- attributes ---- */

/* A private copy of an inode's records, so that a step can not change them under the parser. */
struct records {
	uint8_t *data; /* owned */
	uint32_t size;
};

static void records_read(const struct co_owntab *t, uint32_t place, struct records *out)
{
	uint32_t size;
	const uint8_t *block = owntab_block(t->map, place, &size);
	out->data = co_xcalloc(size + 1, 1);
	out->size = size;
	memcpy(out->data, block, size);
}

static bool is_key(const struct owntab_xattr *x, const uint8_t *key, const char *name)
{
	return x->key_len == strlen(name) && !memcmp(key, name, x->key_len);
}

ssize_t co_owntab_getxattr(const struct co_owntab *t, const struct owntab_key *key,
			   const char *name, void *val, size_t size)
{
	struct owntab_seen s;
	owntab_look(t->map, key, &s);
	struct records r = {0};
	ssize_t found = -1;
	errno = ENODATA;
	if (!s.live || !s.entry.xattrs)
		return -1;
	records_read(t, s.entry.xattrs, &r);
	struct owntab_xattr x;
	const uint8_t *k;
	for (uint32_t pos = 0; owntab_record(r.data, r.size, &pos, &x, &k);) {
		if (!is_key(&x, k, name))
			continue;
		found = (ssize_t)x.value_len;
		if (size && size < x.value_len) {
			found = -1;
			errno = ERANGE;
		} else if (size) {
			memcpy(val, k + x.key_len, x.value_len);
		}
		break;
	}
	co_free_ptr(&r.data);
	return found;
}

ssize_t co_owntab_listxattr(const struct co_owntab *t, const struct owntab_key *key, char *list,
			    size_t size)
{
	struct owntab_seen s;
	owntab_look(t->map, key, &s);
	if (!s.live || !s.entry.xattrs)
		return 0;
	struct records r;
	struct owntab_xattr x;
	const uint8_t *k;
	size_t n = 0;
	records_read(t, s.entry.xattrs, &r);
	for (uint32_t pos = 0; owntab_record(r.data, r.size, &pos, &x, &k);) {
		if (memchr(k, 0, x.key_len))
			continue;
		if (n + x.key_len + 1 <= size) {
			memcpy(list + n, k, x.key_len);
			list[n + x.key_len] = '\0';
		}
		n += x.key_len + 1;
	}
	co_free_ptr(&r.data);
	if (size && n > size) {
		errno = ERANGE;
		return -1;
	}
	return (ssize_t)n;
}

/* Writes the old records without `name`, then the new one, into the heap. Returns its place. */
static uint32_t rewrite(struct co_owntab *t, uint32_t old, const char *name, const void *val,
			size_t size)
{
	struct records r;
	struct owntab_xattr x;
	const uint8_t *k;
	struct owntab_xattr fresh = {(uint32_t)size, (uint32_t)strlen(name)};
	records_read(t, old, &r);
	uint8_t *data = co_xcalloc(r.size + sizeof(fresh) + fresh.key_len + size, 1);
	uint32_t n = 0, place = 0;
	for (uint32_t pos = 0, was = 0; owntab_record(r.data, r.size, &pos, &x, &k); was = pos) {
		if (is_key(&x, k, name))
			continue;
		memcpy(data + n, r.data + was, pos - was);
		n += pos - was;
	}
	memcpy(data + n, &fresh, sizeof(fresh));
	memcpy(data + n + sizeof(fresh), name, fresh.key_len);
	if (size)
		memcpy(data + n + sizeof(fresh) + fresh.key_len, val, size);
	n += (uint32_t)(sizeof(fresh) + fresh.key_len + size);
	if (n <= OWNTAB_XATTRS && (place = owntab_room(t->map, n))) {
		uint8_t *at = t->map->heap + (size_t)place * OWNTAB_UNIT;
		memcpy(at, &n, sizeof(n));
		memcpy(at + sizeof(n), data, n);
	}
	co_free_ptr(&r.data);
	co_free_ptr(&data);
	return place;
}

int co_owntab_setxattr(struct co_owntab *t, const struct owntab_key *key, const struct co_own *own,
		       const char *name, const void *val, size_t size)
{
	struct owntab_seen s;
	int r;
	if (!*name || strlen(name) > 255 || size > OWNTAB_XATTRS) {
		errno = *name && size <= OWNTAB_XATTRS ? ERANGE : E2BIG;
		return -1;
	}
	do {
		struct co_own now = *own;
		owntab_look(t->map, key, &s);
		if (s.live)
			claim(&now, &s.entry);
		uint32_t place = rewrite(t, s.live ? s.entry.xattrs : 0, name, val, size);
		if (!place) {
			errno = ENOSPC;
			return -1;
		}
		r = put(t, &s, key, &now, place);
	} while (r == 0);
	return r < 0 ? -1 : 0;
}
