/* SPDX-License-Identifier: MIT
 *
 * gc.c — removal of what nothing reaches. Records went first (gc_mark.c), then blobs, one unlink
 * each, then layers: those are moved to tmp before they are taken apart.
 */
#include "store-internal.h"
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <cooper/json.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT_DEPTH 128
#define VERDICT_MAX 65536

struct gc {
	struct co_store *s;
	struct gc_marks blobs, layers;
	struct co_gc_stats stats;
	uint64_t stuck;	     /* layers that could not be removed */
	struct co_err first; /* why */
};

/* Bytes on disk below a directory; what lies deeper than COUNT_DEPTH is not counted. */
static uint64_t disk_use(int dirfd_, const char *name, unsigned depth)
{
	struct stat st;
	uint64_t sum = 0;
	auto_fd fd = openat(dirfd_, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return 0;
	fd = -1;
	for (struct dirent *e; (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < COUNT_DEPTH)
			sum += disk_use(dirfd(d), e->d_name, depth + 1);
		/* a file with several names counts once in total */
		else if (S_ISREG(st.st_mode) && st.st_nlink)
			sum += (uint64_t)st.st_blocks * 512 / st.st_nlink;
	}
	return sum;
}

static void drop_blob(struct gc *g, int dir, const char *name)
{
	struct stat st;
	if (gc_marked(&g->blobs, name) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    unlinkat(dir, name, 0) < 0)
		return;
	g->stats.blobs++;
	g->stats.bytes += (uint64_t)st.st_size;
}

static void drop_layer(struct gc *g, int dir, const char *name)
{
	char dead[32];
	struct co_err why = CO_ERR_INIT;
	if (gc_marked(&g->layers, name))
		return;
	uint64_t bytes = disk_use(dir, name, 0);
	snprintf(dead, sizeof(dead), "dead-%u", atomic_fetch_add(&g->s->serial, 1));
	if (renameat(dir, name, g->s->tmp, dead) < 0)
		co_fail_sys(&why, "remove layer %s", name);
	else if (co_remove_tree(g->s->tmp, dead, &why) < 0)
		co_wrap(&why, "layer %s", name);
	if (why.code) {
		if (!g->stuck++)
			g->first = why;
		return;
	}
	g->stats.layers++;
	g->stats.bytes += bytes;
}

/* What a builder found out about the users in a stack of layers: kept as long as the topmost one
 * is. It is soon found out again. */
static void drop_verdict(struct gc *g, int dir, const char *name)
{
	auto_free char *text = NULL;
	auto_json doc = NULL;
	size_t len;
	struct co_digest top;
	char hex[CO_DIGEST_TEXT];
	struct co_err ignore = CO_ERR_INIT;
	const char *layer = NULL;
	if (co_read_file(dir, name, VERDICT_MAX, &text, &len, &ignore) == 0 &&
	    co_json_parse(&doc, text, len, name, &ignore) == 0)
		layer = co_json_str(doc, "layer");
	if (layer && co_digest_parse(&top, layer, &ignore) == 0 &&
	    gc_marked(&g->layers, co_digest_hex(&top, hex)))
		return;
	unlinkat(dir, name, 0);
}

static int each(struct gc *g, const char *path, void (*drop)(struct gc *, int, const char *),
		struct co_err *err)
{
	auto_fd fd = openat(g->s->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return co_fail_sys(err, "store: read %s", path);
	fd = -1;
	for (struct dirent *e; (e = readdir(d));) {
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			drop(g, dirfd(d), e->d_name);
	}
	return 0;
}

static int report_stuck(const struct gc *g, struct co_err *err)
{
	if (!g->stuck)
		return 0;
	co_fail(err, CO_E_SYSTEM, "store: %llu layers could not be removed: %s",
		(unsigned long long)g->stuck, g->first.msg);
	return co_hint(err,
		       "their files belong to other ids: clean up inside the user namespace that "
		       "made them (such as: podman unshare rm -r %s/tmp), or as root",
		       g->s->path);
}

static int sweep(struct gc *g, int64_t max_age, struct co_err *err)
{
	int r = co_store_tmp_fd(g->s, err);
	if (r < 0)
		return r;
	r = gc_mark_all(g->s, max_age, &g->blobs, &g->layers, err);
	if (!r)
		r = each(g, "blobs/sha256", drop_blob, err);
	if (!r)
		r = each(g, "blobs/sha512", drop_blob, err);
	if (!r)
		r = each(g, "layers", drop_layer, err);
	if (!r)
		r = each(g, "users", drop_verdict, err);
	return r ? r : report_stuck(g, err);
}

int co_store_gc(struct co_store *s, int64_t cache_max_age_s, struct co_gc_stats *out,
		struct co_err *err)
{
	struct gc g = {.s = s};
	int r = store_lock_exclusive(s, err);
	if (r < 0)
		return r;
	r = sweep(&g, cache_max_age_s, err);
	gc_marks_release(&g.blobs);
	gc_marks_release(&g.layers);
	struct co_err again = CO_ERR_INIT;
	int back = store_lock_shared(s, &again);
	if (back < 0 && !r) {
		*err = again;
		r = back;
	}
	if (!r)
		*out = g.stats;
	return r;
}
