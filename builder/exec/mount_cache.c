/* SPDX-License-Identifier: MIT
 *
 * Cache mounts: directories of the store that outlive the build. A lock says who uses one; another
 * one guards its making, so that nobody sees it half filled.
 */
#include "mounts-internal.h"
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

/* An id names a directory by its hash, so that no id can name a path (CVE-2024-9675). */
static void cache_name(const char *id, unsigned attempt, char *out, size_t size)
{
	struct co_digest d;
	char hex[CO_DIGEST_TEXT];
	co_digest_of(&d, id, strlen(id));
	co_digest_hex(&d, hex);
	snprintf(out, size, attempt ? "%s.%u" : "%s", hex, attempt);
}

/* 1: somebody else has it. */
static int lock_file(int mounts, const char *name, const char *suffix, int how, int *lock,
		     struct co_err *err)
{
	char path[200];
	snprintf(path, sizeof(path), "%.160s%s", name, suffix);
	auto_fd fd = openat(mounts, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return co_fail_sys(err, "cache mount lock");
	while (flock(fd, how) < 0) {
		if (errno == EWOULDBLOCK)
			return 1;
		if (errno != EINTR)
			return co_fail_sys(err, "lock a cache mount");
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
	}
	*lock = co_steal_fd(&fd);
	return 0;
}

/* private: the first directory that nobody uses; else the one of the id. */
static int pick(int mounts, const struct co_mount *mt, const char *id, char *name, size_t size,
		int *lock, struct co_err *err)
{
	int how = mt->sharing == CO_SHARE_SHARED    ? LOCK_SH
		  : mt->sharing == CO_SHARE_PRIVATE ? LOCK_EX | LOCK_NB
						    : LOCK_EX;
	for (unsigned i = 0; i < 1000; i++) {
		cache_name(id, i, name, size);
		int r = lock_file(mounts, name, ".lock", how, lock, err);
		if (r <= 0)
			return r;
	}
	return co_fail(err, CO_E_LIMIT, "more than 1000 users of a private cache mount");
}

static int seed(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		const struct co_origin *from, const struct co_root *root, struct co_err *err)
{
	struct origin_tree tree;
	int r = origin_open(x, from, &st->config.platform, &tree, err);
	if (r < 0)
		return r;
	struct co_copy_source src = {.root = tree.root,
				     .ignore = tree.ignore,
				     .keep_owner = tree.keep_owner,
				     .pattern = mt->source && *mt->source ? mt->source : ".",
				     .fd = -1};
	struct co_copy copy = {.sources = &src, .n_sources = 1, .dest = "/", .bus = x->o->bus};
	return co_copy_run(&copy, root, err);
}

static int make(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		const struct co_origin *from, int mounts, const char *name, const char *id,
		struct co_err *err)
{
	char fresh[200];
	snprintf(fresh, sizeof(fresh), "%.160s.new", name);
	int r = co_remove_tree(mounts, fresh, err);
	if (r < 0)
		return r;
	if (mkdirat(mounts, fresh, 0700) < 0)
		return co_fail_sys(err, "make a cache mount");
	auto_fd dir = openat(mounts, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return co_fail_sys(err, "open a cache mount");
	struct co_root root = {.fd = dir, .owners = x->owners};
	/* id NULL: what a shared cache has of it is no good */
	int loaded = id ? co_cache_mount_load(x->o->cache, id, &root) : 0;
	if (loaded < 0)
		return make(x, st, mt, from, mounts, name, NULL, err);
	r = mt->from && !loaded ? seed(x, st, mt, from, &root, err) : 0;
	if (r < 0)
		return r;
	uint32_t uid = mt->has_uid ? mt->uid : 0, gid = mt->has_gid ? mt->gid : 0;
	if (co_root_set_owner_mode(&root, dir, "", uid, gid, mt->has_mode ? mt->mode : 0755) < 0) {
		co_root_fail_owner(uid, gid, err);
		return co_wrap(err, "own a cache mount");
	}
	if (renameat(mounts, fresh, mounts, name) < 0)
		return co_fail_sys(err, "publish a cache mount");
	return 0;
}

static int open_or_make(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
			const struct co_origin *from, int mounts, const char *name, const char *id,
			int *out, struct co_err *err)
{
	auto_fd making = -1;
	int r = lock_file(mounts, name, ".make", LOCK_EX, &making, err);
	if (r < 0)
		return r;
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	auto_fd dir = openat(mounts, name, flags);
	if (dir < 0 && errno == ENOENT) {
		r = make(x, st, mt, from, mounts, name, id, err);
		if (r < 0)
			return r;
		dir = openat(mounts, name, flags);
	}
	if (dir < 0)
		return co_fail_sys(err, "open a cache mount");
	*out = co_steal_fd(&dir);
	return 0;
}

/* As in BuildKit a cache is told from another by what it was when new, too: what filled it, and
 * whose it was. Else a user would find the directory of another one, who has the same id by its
 * target. BUILDKIT_CACHE_MOUNT_NS keeps the caches of several projects apart. */
static int cache_id(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		    size_t index, const char **out, struct co_err *err)
{
	const struct co_mount *mt = &step->mounts[index];
	const char *id = mt->id && *mt->id ? mt->id : mount_target(x, st, mt->target);
	unsigned uid = mt->has_uid ? mt->uid : 0, gid = mt->has_gid ? mt->gid : 0,
		 mode = mt->has_mode ? mt->mode : 0755;
	if (step->cache_ns && *step->cache_ns)
		id = co_arena_printf(x->a, "%s/%s", step->cache_ns, id);
	if (uid || gid || mode != 0755)
		id = co_arena_printf(x->a, "%s uid=%u gid=%u mode=%04o", id, uid, gid, mode);
	if (mt->from) {
		struct co_digest d;
		char hex[CO_DIGEST_TEXT];
		int r = mount_source_key(x, st, step, index, &d, err);
		if (r < 0)
			return r;
		co_digest_hex(&d, hex);
		id = co_arena_printf(x->a, "%s from=%.16s source=%s", id, hex,
				     mt->source ? mt->source : "");
	}
	*out = id;
	return 0;
}

/* One that this step has already is not locked again: it would wait for itself. */
static bool have(struct mount_set *m, const char *id, size_t to)
{
	for (size_t i = 0; i < m->n_caches; i++)
		if (m->caches[i].sharing != CO_SHARE_PRIVATE && !strcmp(m->caches[i].id, id)) {
			m->caches[to].fd = m->caches[i].fd;
			return m->caches[to].fd >= 0;
		}
	return false;
}

static int open_one(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		    struct mount_set *m, int mounts, size_t index, struct co_err *err)
{
	struct cache_use *use = &m->caches[index];
	const struct co_mount *mt = &step->mounts[use->mount];
	char name[160];
	int lock = -1;
	if (mt->sharing != CO_SHARE_PRIVATE && have(m, use->id, index))
		return 0;
	int r = pick(mounts, mt, use->id, name, sizeof(name), &lock, err);
	if (!r)
		r = mount_keep_fd(m, lock, err);
	if (!r)
		r = open_or_make(x, st, mt, &step->mount_from[use->mount], mounts, name, use->id,
				 &use->fd, err);
	return r ? r : mount_keep_fd(m, use->fd, err);
}

static int by_id(const void *a, const void *b)
{
	const struct cache_use *x = a, *y = b;
	int r = strcmp(x->id, y->id);
	/* the strictest of the same id first: its lock serves the others */
	return r ? r
		 : (x->sharing == CO_SHARE_LOCKED ? 0 : 1) -
			       (y->sharing == CO_SHARE_LOCKED ? 0 : 1);
}

int mount_caches_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		      struct mount_set *m, struct co_err *err)
{
	for (size_t i = 0; i < step->n_mounts; i++) {
		const struct co_mount *mt = &step->mounts[i];
		if (mt->type != CO_MOUNT_CACHE)
			continue;
		if (mt->source && *mt->source && !mt->from &&
		    *co_path_clean_rel(x->a, mt->source)) {
			co_fail(err, CO_E_SYNTAX,
				"cache mount: source=%s without from=", mt->source);
			return co_hint(err, "source names a directory of the stage, image or "
					    "context that fills a new cache");
		}
		struct cache_use use = {.mount = i, .sharing = mt->sharing, .fd = -1};
		int r = cache_id(x, st, step, i, &use.id, err);
		if (r < 0)
			return r;
		*co_arena_push(x->a, m->caches, m->n_caches) = use;
	}
	if (!m->n_caches)
		return 0;
	int store = co_store_fd(x->o->store);
	if (mkdirat(store, "mounts", 0700) < 0 && errno != EEXIST)
		return co_fail_sys(err, "make the directory of cache mounts");
	auto_fd mounts = openat(store, "mounts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mounts < 0)
		return co_fail_sys(err, "open the directory of cache mounts");
	/* all steps lock in one order: two can not wait for each other */
	qsort(m->caches, m->n_caches, sizeof(*m->caches), by_id);
	int r = 0;
	for (size_t i = 0; r == 0 && i < m->n_caches; i++)
		r = open_one(x, st, step, m, mounts, i, err);
	return r;
}

int mount_cache_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		     size_t index, struct mount_set *m, struct co_err *err)
{
	const struct co_mount *mt = &step->mounts[index];
	for (size_t i = 0; i < m->n_caches; i++) {
		if (m->caches[i].mount != index)
			continue;
		struct co_mount_op *op = mount_add_op(x, m);
		op->kind = CO_MOP_BIND;
		op->target = mount_target(x, st, mt->target);
		op->src_fd = m->caches[i].fd;
		op->readonly = mt->readonly;
		return 0;
	}
	return co_fail(err, CO_E_INTERNAL, "a cache mount was not opened");
}

void mount_caches_save(struct co_exec *x, const struct co_step *step, const struct mount_set *m)
{
	if (!co_cache_wants_mounts(x->o->cache))
		return;
	for (size_t i = 0; i < m->n_caches; i++) {
		const struct cache_use *use = &m->caches[i];
		struct co_root root = {.fd = use->fd, .owners = x->owners};
		if (use->fd >= 0 && !step->mounts[use->mount].readonly)
			co_cache_mount_save(x->o->cache, use->id, &root);
	}
}
