/* SPDX-License-Identifier: MIT
 *
 * test_dir.c — a directory as the cache that two stores share: what is written, found, missed,
 * repaired and cleaned up; and the two names of one layer.
 */
#include "../../../builder/cache/cache-internal.h"
#include <cooper/fs.h>
#include <cooper/image.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>

struct world {
	char dir[64], place[96];
	struct co_store *store[2];
	struct co_cache *cache[2];
	struct co_err err;
	unsigned warnings;
	struct co_bus bus;
};

static void heard(void *ctx, const struct co_event *ev)
{
	((struct world *)ctx)->warnings += ev->kind == CO_EV_WARNING;
}

static void reopen(struct world *w, int i)
{
	struct co_cache_place place = {
		.kind = CO_CACHE_DIR, .where = w->place, .read = true, .write = true, .max = true};
	struct co_cache_opts o = {
		.store = w->store[i], .places = &place, .n_places = 1, .bus = &w->bus};
	co_cache_close(w->cache[i]);
	assert_int_equal(co_cache_open(&w->cache[i], &o, &w->err), 0);
	struct co_digest d;
	co_digest_of(&d, "the build", 9);
	co_cache_expect(w->cache[i], &d, &d);
}

static int setup(void **state)
{
	struct world *w = co_xcalloc(1, sizeof(*w));
	char path[96];
	strcpy(w->dir, "/tmp/cooper-dir-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->place, sizeof(w->place), "%s/place", w->dir);
	w->bus = (struct co_bus){.emit = heard, .ctx = w};
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/store%d", w->dir, i);
		assert_int_equal(co_store_open(&w->store[i], path, &w->err), 0);
		reopen(w, i);
	}
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 2; i++) {
		co_cache_close(w->cache[i]);
		co_store_close(w->store[i]);
	}
	int r = co_remove_tree(AT_FDCWD, w->dir, &w->err);
	free(w);
	return r;
}

static struct co_digest key_of(const char *text)
{
	struct co_digest d;
	co_digest_of(&d, text, strlen(text));
	return d;
}

/* A layer in the first store, under a key. */
static struct co_cache_entry make(struct world *w, const char *name)
{
	struct co_cache_entry e = {.key = key_of(name), .result = true};
	strcpy(e.layer.desc.media_type, CO_MT_OCI_LAYER_GZIP);
	e.layer.desc.size = (int64_t)strlen(name);
	e.layer.diff_id = key_of("diff");
	assert_int_equal(
		co_store_put(w->store[0], name, strlen(name), &e.layer.desc.digest, &w->err), 0);
	assert_int_equal(co_cache_put(w->cache[0], &e.key, &e.layer, "RUN x", 1, &w->err), 0);
	return e;
}

static void export(struct world *w, const struct co_cache_entry *list, size_t n)
{
	co_cache_export(w->cache[0], list, n, NULL, 0);
}

static int found(struct world *w, const struct co_digest *key, struct co_layer *layer)
{
	reopen(w, 1);
	return co_cache_get(w->cache[1], key, layer);
}

static char *blob_path(struct world *w, const struct co_digest *d)
{
	char hex[CO_DIGEST_TEXT];
	return co_xasprintf("%s/blobs/sha256/%s", w->place, co_digest_hex(d, hex));
}

static void travels(void **state)
{
	struct world *w = *state;
	struct co_cache_entry e[2] = {make(w, "one"), make(w, "two")};
	struct co_layer got;
	assert_int_equal(found(w, &e[0].key, &got), 0);
	assert_int_equal(w->warnings, 0); /* no directory yet: nothing to tell */
	export(w, e, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(found(w, &e[i].key, &got), 1);
		assert_int_equal(got.place, 1);
		assert_true(co_digest_eq(&got.desc.digest, &e[i].layer.desc.digest));
		assert_false(co_store_has(w->store[1], &got.desc.digest, NULL));
		assert_int_equal(co_cache_fetch(w->cache[1], &got, 1, &w->err), 0);
		assert_true(co_store_has(w->store[1], &got.desc.digest, NULL));
	}
	struct co_digest other = key_of("three");
	assert_int_equal(found(w, &other, &got), 0);
	/* a layout for other tools: every tag, once */
	auto_free char *path = co_xasprintf("%s/index.json", w->place);
	auto_free char *text = NULL;
	size_t len;
	assert_int_equal(co_read_file(AT_FDCWD, path, 1 << 20, &text, &len, &w->err), 0);
	auto_json doc = NULL;
	assert_int_equal(co_json_parse(&doc, text, len, "index", &w->err), 0);
	assert_int_equal(json_array_size(json_object_get(doc, "manifests")), 3);
	assert_int_equal(w->warnings, 0);
}

static void missing_and_damaged(void **state)
{
	struct world *w = *state;
	struct co_cache_entry e[2] = {make(w, "one"), make(w, "two")};
	struct co_layer got;
	export(w, e, 2);
	auto_free char *gone = blob_path(w, &e[0].layer.desc.digest);
	auto_free char *bad = blob_path(w, &e[1].layer.desc.digest);
	assert_int_equal(unlink(gone), 0);
	assert_int_equal(co_write_file(AT_FDCWD, bad, "TWO", 3, 0644, &w->err), 0);
	assert_int_equal(found(w, &e[0].key, &got), 0);
	assert_int_equal(found(w, &e[1].key, &got), 1);
	struct co_err err = CO_ERR_INIT;
	assert_true(co_cache_fetch(w->cache[1], &got, 1, &err) < 0);
	assert_true(co_cache_lost(w->cache[1]));
	assert_false(co_store_has(w->store[1], &got.desc.digest, NULL));
	assert_int_equal(co_cache_get(w->cache[1], &e[1].key, &got), 0);
	/* whoever missed one and made it writes it again, the same as before */
	assert_int_equal(found(w, &e[0].key, &got), 0);
	assert_int_equal(co_store_put(w->store[1], "one", 3, &got.desc.digest, &w->err), 0);
	assert_int_equal(co_cache_put(w->cache[1], &e[0].key, &e[0].layer, "RUN", 1, &w->err), 0);
	co_cache_export(w->cache[1], &e[0], 1, NULL, 0);
	assert_int_equal(access(gone, F_OK), 0);
}

static void damaged_documents(void **state)
{
	struct world *w = *state;
	struct co_cache_entry e = make(w, "one");
	struct co_layer got;
	char cmd[400];
	export(w, &e, 1);
	static const char *const harm[] = {"truncate -s 0", "sed -i s/sha256/sha255/",
					   "sed -i s/[0-9]/x/g"};
	for (size_t i = 0; i < 3; i++) {
		snprintf(cmd, sizeof(cmd), "%s %s/entries/*", harm[i], w->place);
		assert_int_equal(system(cmd), 0);
		assert_int_equal(found(w, &e.key, &got), 0);
	}
	/* a tag that names another manifest of the place is not believed either */
	snprintf(cmd, sizeof(cmd), "rm -r %s", w->place);
	assert_int_equal(system(cmd), 0);
	struct co_cache_entry two[2] = {e, make(w, "two")};
	reopen(w, 0);
	export(w, two, 2);
	snprintf(cmd, sizeof(cmd),
		 "cd %s/entries && rm d1-* && set -- c1-* && cp $1 x && cp $2 $1 && mv x $2",
		 w->place);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(found(w, &two[0].key, &got), 0);
	assert_int_equal(found(w, &two[1].key, &got), 0);
}

static void clean_up(void **state)
{
	struct world *w = *state;
	struct co_cache_entry e[2] = {make(w, "one"), make(w, "two")};
	struct co_cache_item *list;
	struct co_layer got;
	size_t n;
	char cmd[400];
	export(w, e, 2);
	assert_int_equal(co_cache_list(w->cache[0], true, &list, &n, &w->err), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(list[i].place, w->place);
	free(list);
	/* what is young stays: a writer may be about to name it */
	auto_free char *blob = blob_path(w, &e[0].layer.desc.digest);
	struct co_cache_gc gc = {.max_age_s = 0, .keep_bytes = UINT64_MAX};
	assert_int_equal(co_cache_collect(w->cache[0], true, &gc, &w->err), 0);
	assert_int_equal(gc.removed, 3);
	assert_int_equal(access(blob, F_OK), 0);
	assert_int_equal(found(w, &e[0].key, &got), 0);
	reopen(w, 0);
	export(w, e, 1);
	snprintf(cmd, sizeof(cmd), "touch -d 2001-01-01 %s/blobs/sha256/*", w->place);
	assert_int_equal(system(cmd), 0);
	gc = (struct co_cache_gc){.max_age_s = -1, .keep_bytes = UINT64_MAX};
	assert_int_equal(co_cache_collect(w->cache[0], true, &gc, &w->err), 0);
	assert_int_equal(gc.removed, 0);
	auto_free char *other = blob_path(w, &e[1].layer.desc.digest);
	assert_int_equal(access(blob, F_OK), 0);
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(found(w, &e[0].key, &got), 1);
}

static void not_a_directory(void **state)
{
	struct world *w = *state;
	struct co_cache_entry e = make(w, "one");
	struct co_layer got;
	assert_int_equal(co_write_file(AT_FDCWD, w->place, "x", 1, 0644, &w->err), 0);
	assert_int_equal(found(w, &e.key, &got), 0);
	unsigned before = w->warnings;
	reopen(w, 0);
	export(w, &e, 1);
	assert_true(w->warnings > before);
	/* here it is found all the same */
	assert_int_equal(co_cache_get(w->cache[0], &e.key, &got), 1);
}

/* A layer by the tree that its files came from, and by the files. */
static void two_names(void **state)
{
	struct world *w = *state;
	struct co_cache_entry e = make(w, "content");
	struct co_digest tree = key_of("tree"), later = key_of("later tree");
	struct co_layer got;
	co_cache_alias(w->cache[0], &tree, &e.key);
	assert_int_equal(co_cache_get(w->cache[0], &tree, &got), 1);
	assert_true(co_digest_eq(&got.desc.digest, &e.layer.desc.digest));
	struct co_cache_entry both = {.key = tree, .also = e.key, .layer = e.layer, .result = true};
	export(w, &both, 1);
	assert_int_equal(found(w, &tree, &got), 1);
	assert_int_equal(found(w, &e.key, &got), 1);
	/* an alias of what lies elsewhere leads there */
	co_cache_alias(w->cache[1], &later, &e.key);
	assert_int_equal(found(w, &later, &got), 1);
	assert_int_equal(got.place, 1);
	/* one of nothing is none, and of an alias neither */
	struct co_digest none = key_of("none"), third = key_of("third");
	co_cache_alias(w->cache[0], &third, &none);
	assert_int_equal(co_cache_get(w->cache[0], &third, &got), 0);
	co_cache_alias(w->cache[0], &third, &tree);
	assert_int_equal(co_cache_get(w->cache[0], &third, &got), 0);
	/* it is worth what it stands for */
	struct local_record l;
	assert_int_equal(local_read(w->cache[0], &tree, &l), 1);
	assert_false(l.built);
	assert_true(local_is_ours(w->cache[0], &l));
	assert_int_equal(local_read(w->cache[1], &later, &l), 1);
	assert_false(local_is_ours(w->cache[1], &l));
	char name[200], hex[CO_DIGEST_TEXT];
	snprintf(name, sizeof(name), "cache/%s.json", co_digest_hex(&e.key, hex));
	assert_int_equal(unlinkat(co_store_fd(w->store[0]), name, 0), 0);
	assert_int_equal(local_read(w->cache[0], &tree, &l), 1);
	assert_false(local_is_ours(w->cache[0], &l));
}

#define with_world(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		with_world(travels),	       with_world(missing_and_damaged),
		with_world(damaged_documents), with_world(clean_up),
		with_world(not_a_directory),   with_world(two_names),
	};
	return cmocka_run_group_tests_name("dir", tests, NULL, NULL);
}
