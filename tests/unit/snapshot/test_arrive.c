/* SPDX-License-Identifier: MIT
 *
 * test_arrive.c — layers that are unpacked while their blobs are written: what is visible when, and
 * what is left when they turn out wrong.
 */
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <cooper/snapshot.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <cmocka.h>

#define LAYERS 3
#define NOISE  700000

struct world {
	char dir[64];
	struct co_store *store;
	const char *backend;
	struct co_layer layers[LAYERS];
	char *blobs[LAYERS]; /* owned; their bytes, no longer in the store */
};

static void fine(int r, const struct co_err *err)
{
	if (r < 0)
		fail_msg("%s", err->msg);
}

static struct co_rootfs *open_rootfs(struct world *w)
{
	struct co_rootfs *fs = NULL;
	struct co_err err = CO_ERR_INIT;
	fine(co_rootfs_open(&fs, w->store, w->backend, NULL, NULL, &err), &err);
	return fs;
}

/* Files that do not compress, one that every layer has. */
static void fill(int root, int number)
{
	static char noise[NOISE];
	char name[32];
	for (size_t i = 0; i < NOISE; i++)
		noise[i] = (char)(random() >> 8);
	for (int k = 0; k < 2; k++) {
		snprintf(name, sizeof(name), k ? "both" : "only%d", number);
		auto_fd fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		assert_int_equal(co_write_all(fd, noise, NOISE), 0);
		assert_int_equal(co_write_all(fd, name, strlen(name)), 0);
	}
}

static void take_blob(struct world *w, int i)
{
	struct co_err err = CO_ERR_INIT;
	char hex[CO_DIGEST_TEXT], path[256];
	size_t len;
	fine(co_store_blob_read(w->store, &w->layers[i].desc.digest, 16 << 20, &w->blobs[i], &len,
				&err),
	     &err);
	assert_int_equal(len, w->layers[i].desc.size);
	co_digest_hex(&w->layers[i].desc.digest, hex);
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	assert_int_equal(unlinkat(co_store_fd(w->store), path, 0), 0);
	co_digest_hex(&w->layers[i].diff_id, hex);
	snprintf(path, sizeof(path), "layers/%s", hex);
	if (faccessat(co_store_fd(w->store), path, F_OK, 0) == 0)
		fine(co_remove_tree(co_store_fd(w->store), path, &err), &err);
}

static int setup(void **state, const char *backend)
{
	static const struct co_layer_opts opts = {.clamp = true, .level = -1, .threads = 1};
	struct world *w = calloc(1, sizeof(*w));
	struct co_err err = CO_ERR_INIT;
	const struct co_root *root;
	strcpy(w->dir, "/tmp/cooper-arrive-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	fine(co_store_open(&w->store, w->dir, &err), &err);
	w->backend = backend;
	struct co_rootfs *fs = open_rootfs(w);
	for (int i = 0; i < LAYERS; i++) {
		fine(co_rootfs_begin(fs, &root, &err), &err);
		fill(root->fd, i);
		fine(co_rootfs_commit(fs, &opts, &w->layers[i], &err), &err);
	}
	co_rootfs_close(fs);
	for (int i = 0; i < LAYERS; i++)
		take_blob(w, i);
	*state = w;
	return 0;
}

static int setup_plain(void **state)
{
	return setup(state, "plain");
}

static int setup_overlay(void **state)
{
	return setup(state, "overlay");
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct co_err err = CO_ERR_INIT;
	co_store_close(w->store);
	fine(co_remove_tree(AT_FDCWD, w->dir, &err), &err);
	for (int i = 0; i < LAYERS; i++)
		free(w->blobs[i]);
	free(w);
	return 0;
}

static bool published(struct world *w, int i)
{
	char path[4096];
	return co_store_layer_path(w->store, &w->layers[i].diff_id, path, sizeof(path));
}

static struct co_sink *sink_of(struct world *w, int i)
{
	return co_store_sink(w->store, &w->layers[i].desc.digest, w->layers[i].desc.size, NULL,
			     NULL);
}

/* The upper layers come first, the lowest in small pieces and last. */
static void bring(struct world *w)
{
	struct co_err err = CO_ERR_INIT;
	struct co_sink *low = sink_of(w, 0);
	size_t size = (size_t)w->layers[0].desc.size, half = size / 2;
	for (size_t at = 0; at < half; at += 1000)
		co_sink_write(low, w->blobs[0] + at, half - at < 1000 ? half - at : 1000);
	for (int i = LAYERS - 1; i > 0; i--) {
		struct co_sink *s = sink_of(w, i);
		co_sink_write(s, w->blobs[i], (size_t)w->layers[i].desc.size);
		fine(co_sink_close(s, &err), &err);
	}
	usleep(100000);
	assert_false(published(w, 0));
	co_sink_write(low, w->blobs[0] + half, size - half);
	fine(co_sink_close(low, &err), &err);
}

static void check_tree(struct world *w, struct co_rootfs *fs)
{
	const struct co_root *root;
	struct co_err err = CO_ERR_INIT;
	size_t len;
	for (int i = 0; i < LAYERS; i++)
		fine(co_rootfs_add_layer(fs, &w->layers[i], &err), &err);
	fine(co_rootfs_view(fs, &root, &err), &err);
	auto_free char *only = co_inroot_slurp(root->fd, "only1", 1 << 20, &len);
	assert_non_null(only);
	assert_int_equal(len, NOISE + 5);
	auto_free char *both = co_inroot_slurp(root->fd, "both", 1 << 20, &len);
	auto_free char *last = co_inroot_slurp(root->fd, "only2", 1 << 20, NULL);
	assert_memory_equal(both, last, NOISE);
}

static void test_comes(void **state)
{
	struct world *w = *state;
	struct co_err err = CO_ERR_INIT;
	struct co_rootfs *fs = open_rootfs(w);
	struct co_arrival *a = co_arrival_begin(fs, w->layers, LAYERS);
	bring(w);
	fine(co_arrival_end(a, true, &err), &err);
	for (int i = 0; i < LAYERS; i++)
		assert_int_equal(published(w, i), !strcmp(w->backend, "overlay"));
	check_tree(w, fs);
	co_rootfs_close(fs);
}

/* One layer is not what was announced, one is never finished. */
static void test_goes_wrong(void **state)
{
	struct world *w = *state;
	struct co_err err = CO_ERR_INIT, bad = CO_ERR_INIT;
	struct co_rootfs *fs = open_rootfs(w);
	struct co_arrival *a = co_arrival_begin(fs, w->layers, LAYERS);
	struct co_sink *s = sink_of(w, 0), *half = sink_of(w, 1);
	size_t size = (size_t)w->layers[0].desc.size;
	co_sink_write(s, w->blobs[0], size - 1);
	co_sink_write(s, "?", 1);
	co_sink_write(half, w->blobs[1], 300000);
	assert_int_equal(co_sink_close(s, &bad), CO_E_INTEGRITY);
	fine(co_arrival_end(a, false, &err), &err);
	co_sink_abort(half);
	for (int i = 0; i < LAYERS; i++) {
		assert_false(published(w, i));
		assert_false(co_store_has(w->store, &w->layers[i].desc.digest, NULL));
	}
	co_err_clear(&bad);
	assert_int_equal(co_rootfs_add_layer(fs, &w->layers[0], &bad), CO_E_NOT_FOUND);
	/* and then everything comes */
	a = co_arrival_begin(fs, w->layers, LAYERS);
	bring(w);
	fine(co_arrival_end(a, true, &err), &err);
	check_tree(w, fs);
	co_rootfs_close(fs);
}

/* A blob that is right with content that is not: nothing of it counts, and add_layer says so. */
static void test_other_content(void **state)
{
	struct world *w = *state;
	struct co_err err = CO_ERR_INIT, bad = CO_ERR_INIT;
	struct co_rootfs *fs = open_rootfs(w);
	co_digest_of(&w->layers[1].diff_id, "other", 5);
	struct co_arrival *a = co_arrival_begin(fs, w->layers, LAYERS);
	bring(w);
	fine(co_arrival_end(a, true, &err), &err);
	assert_false(published(w, 1));
	fine(co_rootfs_add_layer(fs, &w->layers[0], &err), &err);
	assert_int_equal(co_rootfs_add_layer(fs, &w->layers[1], &bad), CO_E_INTEGRITY);
	assert_non_null(strstr(bad.msg, "the image says"));
	co_rootfs_close(fs);
}

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test_setup_teardown(test_comes, setup_plain, teardown),
		cmocka_unit_test_setup_teardown(test_goes_wrong, setup_plain, teardown),
		cmocka_unit_test_setup_teardown(test_other_content, setup_plain, teardown),
	};
	const struct CMUnitTest overlay[] = {
		cmocka_unit_test_setup_teardown(test_comes, setup_overlay, teardown),
		cmocka_unit_test_setup_teardown(test_goes_wrong, setup_overlay, teardown),
		cmocka_unit_test_setup_teardown(test_other_content, setup_overlay, teardown),
	};
	int r = cmocka_run_group_tests(plain, NULL, NULL);
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		r += cmocka_run_group_tests(overlay, NULL, NULL);
	return r;
}
