/* SPDX-License-Identifier: MIT
 *
 * Looking after the cache: what there is, and taking the old away.
 */
#include "cache-internal.h"
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BATCH 64

struct items {
	struct co_cache_item *list; /* owned */
	size_t n;
};

static struct co_cache_item *add(struct items *l)
{
	l->list = co_xrealloc(l->list, l->n + 1, sizeof(*l->list));
	memset(&l->list[l->n], 0, sizeof(*l->list));
	return &l->list[l->n++];
}

static int by_age(const void *a, const void *b)
{
	const struct co_cache_item *x = a, *y = b;
	if (x->created != y->created)
		return x->created < y->created ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* ---- the store ---- */

static void local_item(struct co_cache *c, int dir, const char *file, struct items *l)
{
	auto_free char *text = NULL;
	auto_json doc = NULL;
	size_t len;
	struct co_err err = CO_ERR_INIT;
	struct record r;
	if (co_read_file(dir, file, 3 * RECORD_MAX, &text, &len, &err) < 0 ||
	    co_json_parse(&doc, text, len, file, &err) < 0 ||
	    !record_parse(&r, json_object_get(doc, "record")))
		return;
	struct co_cache_item *it = add(l);
	snprintf(it->name, sizeof(it->name), "%.64s", file);
	snprintf(it->what, sizeof(it->what), "%s", r.what);
	snprintf(it->place, sizeof(it->place), "local");
	it->created = co_json_int(doc, "created", 0);
	/* what is not here takes no room here */
	if (co_store_has(c->store, &r.layer.desc.digest, NULL))
		it->size = (uint64_t)r.layer.desc.size;
}

static uint64_t tree_size(int dirfd, const char *name, unsigned depth)
{
	uint64_t sum = 0;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; d && depth < 200 && (e = readdir(d));) {
		struct stat st;
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		sum += (uint64_t)st.st_blocks * 512;
		if (S_ISDIR(st.st_mode))
			sum += tree_size(fd, e->d_name, depth + 1);
	}
	return sum;
}

static void mount_items(struct co_cache *c, struct items *l)
{
	int fd = openat(co_store_fd(c->store), "mounts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct stat st;
		if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		struct co_cache_item *it = add(l);
		snprintf(it->name, sizeof(it->name), "%.150s", e->d_name);
		snprintf(it->what, sizeof(it->what), "cache mount");
		snprintf(it->place, sizeof(it->place), "local");
		it->size = tree_size(fd, e->d_name, 0);
		it->created = st.st_mtim.tv_sec;
		it->mount = true;
	}
}

static void list_local(struct co_cache *c, struct items *l)
{
	int fd = openat(co_store_fd(c->store), "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; d && (e = readdir(d));)
		if (strlen(e->d_name) == 69 && co_ends(e->d_name, ".json"))
			local_item(c, fd, e->d_name, l);
	mount_items(c, l);
}

static int remove_local(struct co_cache *c, const struct co_cache_item *it, struct co_err *err)
{
	char name[240];
	int dir = co_store_fd(c->store);
	if (it->mount) {
		snprintf(name, sizeof(name), "mounts/%s", it->name);
		return co_remove_tree(dir, name, err);
	}
	snprintf(name, sizeof(name), "cache/%s.json", it->name);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return co_fail_sys(err, "remove a cache record");
	return 0;
}

/* ---- places ---- */

static void place_item(struct place *p, const struct tagged *t, struct items *l)
{
	auto_document d = {.notes = NULL};
	struct record r = {0};
	if (t->code || !document_read(&d, co_buf_str(&t->body), t->body.len))
		return;
	struct co_cache_item *it = add(l);
	snprintf(it->name, sizeof(it->name), "%s", t->tag);
	snprintf(it->place, sizeof(it->place), "%s", p->name);
	it->created = d.created;
	if (t->tag[0] == 'd') {
		/* its layers are counted where their entries are */
		snprintf(it->what, sizeof(it->what), "index of %zu steps",
			 json_array_size(d.notes));
		it->size = t->body.len;
		return;
	}
	for (size_t i = 0; i < d.n_layers; i++)
		it->size += (uint64_t)d.layers[i].size;
	if (envelope_open(&r, json_array_get(d.notes, 0), NULL) == ENV_GOOD)
		snprintf(it->what, sizeof(it->what), "%s", r.what);
}

static int list_place(struct co_cache *c, struct place *p, struct items *l, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	const char **tags = NULL;
	size_t n = 0;
	int r = p->ops->list(p, &a, &tags, &n, err);
	if (r == CO_E_NOT_FOUND) { /* nothing was ever written */
		co_err_clear(err);
		return 0;
	}
	for (size_t at = 0; r == 0 && at < n; at += BATCH) {
		struct tagged t[BATCH] = {0};
		size_t k = n - at < BATCH ? n - at : BATCH;
		for (size_t i = 0; i < k; i++) {
			t[i].place = p;
			snprintf(t[i].tag, sizeof(t[i].tag), "%s", tags[at + i]);
		}
		places_get(c, t, k);
		for (size_t i = 0; i < k; i++) {
			place_item(p, &t[i], l);
			co_buf_release(&t[i].body);
		}
	}
	return r;
}

int co_cache_list(struct co_cache *c, bool of_places, struct co_cache_item **out, size_t *n,
		  struct co_err *err)
{
	struct items l = {0};
	int r = 0;
	if (!of_places)
		list_local(c, &l);
	for (size_t i = 0; of_places && r == 0 && i < c->n_places; i++)
		r = list_place(c, &c->places[i], &l, err);
	if (r < 0) {
		free(l.list);
		return r;
	}
	if (l.n)
		qsort(l.list, l.n, sizeof(*l.list), by_age);
	*out = l.list;
	*n = l.n;
	return 0;
}

static int remove_item(struct co_cache *c, const struct co_cache_item *it, struct co_err *err)
{
	for (size_t i = 0; i < c->n_places; i++) {
		struct place *p = &c->places[i];
		if (strcmp(p->name, it->place))
			continue;
		int r = p->ops->remove(p, it->name, err);
		if (r != CO_E_NOT_FOUND)
			return r;
		/* tags of the same document go together */
		co_err_clear(err);
		return 0;
	}
	return remove_local(c, it, err);
}

int co_cache_collect(struct co_cache *c, bool of_places, struct co_cache_gc *gc, struct co_err *err)
{
	struct co_cache_item *list;
	size_t n;
	uint64_t all = 0;
	int64_t now = co_wall_s();
	int r = co_cache_list(c, of_places, &list, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		all += !list[i].mount || gc->mounts ? list[i].size : 0;
	gc->removed = gc->bytes = gc->kept = gc->kept_bytes = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		bool mine = !list[i].mount || gc->mounts;
		bool old = gc->max_age_s >= 0 && now - list[i].created >= gc->max_age_s;
		if (!mine || (!old && all <= gc->keep_bytes)) {
			gc->kept++;
			gc->kept_bytes += list[i].size;
			continue;
		}
		r = gc->dry_run ? 0 : remove_item(c, &list[i], err);
		all -= list[i].size;
		gc->removed++;
		gc->bytes += list[i].size;
	}
	for (size_t i = 0; of_places && !gc->dry_run && r == 0 && i < c->n_places; i++)
		if (c->places[i].ops->sweep)
			r = c->places[i].ops->sweep(&c->places[i], err);
	free(list);
	return r;
}
