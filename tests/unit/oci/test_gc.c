/* SPDX-License-Identifier: MIT */
#include "oci_test.h"
#include <cooper/clock.h>
#include <dirent.h>
#include <signal.h>
#include <sys/file.h>

static void unpacked(struct fixture *f, const struct co_digest *diff_id)
{
	char name[256];
	int dir;
	assert_ok(co_store_layer_begin(f->store, name, sizeof(name), &dir, &f->err), &f->err);
	assert_int_equal(mkdirat(dir, "fs", 0755), 0);
	assert_int_equal(mkdirat(dir, "fs/d", 0755), 0);
	assert_ok(co_write_file(dir, "fs/d/file", "content", 7, 0400, &f->err), &f->err);
	assert_int_equal(symlinkat("/etc/passwd", dir, "fs/link"), 0);
	assert_int_equal(fchmodat(dir, "fs/d", 0500, 0), 0);
	close(dir);
	assert_ok(co_store_layer_publish(f->store, name, diff_id, &f->err), &f->err);
}

static void gc(struct fixture *f, int64_t age, struct co_gc_stats *st)
{
	*st = (struct co_gc_stats){0};
	assert_ok(co_store_gc(f->store, age, st, &f->err), &f->err);
}

static struct co_config config_of(struct fixture *f, const struct co_descriptor *d)
{
	struct co_manifest m = get_manifest(f, d);
	struct co_config c;
	char *text;
	size_t len;
	assert_ok(co_store_blob_read(f->store, &m.config.digest, 1 << 20, &text, &len, &f->err),
		  &f->err);
	assert_ok(co_config_parse(&c, &f->arena, text, len, &f->err), &f->err);
	free(text);
	return c;
}

static void keeps_what_names_reach(void **state)
{
	struct fixture *f = *state;
	struct co_gc_stats st;
	struct co_descriptor list[2] = {put_image(f, "a", 2, CO_COMP_GZIP, "linux/amd64"),
					put_image(f, "b", 1, CO_COMP_ZSTD, "linux/arm64")};
	struct co_descriptor single = put_image(f, "c", 1, CO_COMP_NONE, "linux/amd64");
	struct co_descriptor lost = put_image(f, "d", 3, CO_COMP_GZIP, "linux/amd64");
	struct co_descriptor ix = put_index(f, list, 2);
	struct co_config kept = config_of(f, &list[1]), gone = config_of(f, &lost);
	char path[512];
	put(f, "loose", 5);
	unpacked(f, &kept.diff_ids[0]);
	unpacked(f, &gone.diff_ids[0]);
	assert_ok(co_store_tag(f->store, "multi:1", &ix, &f->err), &f->err);
	assert_ok(co_store_tag(f->store, "single:1", &single, &f->err), &f->err);
	size_t before = count_files(f, "blobs/sha256");
	gc(f, -1, &st);
	/* manifest, config and three layers; and the loose one */
	assert_int_equal(st.blobs, 6);
	assert_int_equal(count_files(f, "blobs/sha256"), before - 6);
	assert_int_equal(st.layers, 1);
	assert_true(st.bytes > 500);
	assert_true(co_store_layer_path(f->store, &kept.diff_ids[0], path, sizeof(path)));
	assert_false(co_store_layer_path(f->store, &gone.diff_ids[0], path, sizeof(path)));
	assert_complete(f, &list[0]);
	assert_complete(f, &list[1]);
	assert_complete(f, &single);
	gc(f, -1, &st);
	assert_int_equal(st.blobs + st.layers + st.bytes, 0);
	/* no name, no image */
	assert_ok(co_store_untag(f->store, "multi:1", &f->err), &f->err);
	assert_ok(co_store_untag(f->store, "single:1", &f->err), &f->err);
	gc(f, -1, &st);
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
	assert_int_equal(count_files(f, "layers"), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

static void verdict(struct fixture *f, const char *name, const char *text)
{
	auto_free char *path = co_xasprintf("users/%s", name);
	mkdirat(co_store_fd(f->store), "users", 0700);
	assert_ok(co_write_file(co_store_fd(f->store), path, text, strlen(text), 0600, &f->err),
		  &f->err);
}

/* What was found out about users goes with the layers that it is about. */
static void verdicts(void **state)
{
	struct fixture *f = *state;
	struct co_gc_stats st;
	char text[CO_DIGEST_TEXT];
	struct co_descriptor d = put_image(f, "a", 2, CO_COMP_GZIP, "linux/amd64");
	struct co_config c = config_of(f, &d);
	assert_ok(co_store_tag(f->store, "x:1", &d, &f->err), &f->err);
	auto_free char *kept = co_xasprintf("{\"root\":false,\"layer\":\"%s\"}",
					    co_digest_str(&c.diff_ids[1], text));
	struct co_digest other;
	co_digest_of(&other, "x", 1);
	auto_free char *gone = co_xasprintf("{\"layer\":\"%s\"}", co_digest_str(&other, text));
	verdict(f, "kept.json", kept);
	verdict(f, "gone.json", gone);
	verdict(f, "old.json", "{\"root\":false}");
	verdict(f, "broken.json", "{");
	gc(f, -1, &st);
	assert_int_equal(count_files(f, "users"), 1);
	assert_int_equal(faccessat(co_store_fd(f->store), "users/kept.json", F_OK, 0), 0);
	assert_ok(co_store_untag(f->store, "x:1", &f->err), &f->err);
	gc(f, -1, &st);
	assert_int_equal(count_files(f, "users"), 0);
}

static void sparse_index(void **state)
{
	struct fixture *f = *state;
	struct co_gc_stats st;
	struct co_descriptor list[2] = {put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64")};
	list[1] = list[0];
	co_digest_of(&list[1].digest, "absent", 6);
	struct co_descriptor ix = put_index(f, list, 2);
	assert_ok(co_store_tag(f->store, "x:1", &ix, &f->err), &f->err);
	gc(f, -1, &st);
	assert_int_equal(st.blobs, 0);
	assert_complete(f, &list[0]);
}

static void record(struct fixture *f, const char *name, const struct co_digest *blob,
		   const struct co_digest *diff_id, int64_t created)
{
	char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
	auto_free char *path = co_xasprintf("cache/%s", name);
	auto_free char *text =
		co_xasprintf("{\"layer\":{\"mediaType\":\"x/"
			     "y\",\"digest\":\"%s\",\"size\":1},\"diff_id\":\"%s\","
			     "\"created\":%lld}",
			     co_digest_str(blob, a), co_digest_str(diff_id, b), (long long)created);
	mkdirat(co_store_fd(f->store), "cache", 0700);
	assert_ok(co_write_file(co_store_fd(f->store), path, text, strlen(text), 0600, &f->err),
		  &f->err);
}

static void cache_records(void **state)
{
	struct fixture *f = *state;
	struct co_gc_stats st;
	struct co_digest young_id, old_id;
	struct co_descriptor young = put_layer(f, "y", "young", CO_COMP_GZIP, &young_id);
	struct co_descriptor old = put_layer(f, "o", "old", CO_COMP_GZIP, &old_id);
	unpacked(f, &young_id);
	unpacked(f, &old_id);
	record(f, "young.json", &young.digest, &young_id, co_wall_s());
	record(f, "old.json", &old.digest, &old_id, co_wall_s() - 7200);
	assert_ok(co_write_file(co_store_fd(f->store), "cache/broken.json", "{", 1, 0600, &f->err),
		  &f->err);
	assert_ok(co_write_file(co_store_fd(f->store), "cache/left.json.tmp-12", "{}", 2, 0600,
				&f->err),
		  &f->err);
	gc(f, -1, &st);
	assert_int_equal(st.blobs + st.layers, 0);
	assert_int_equal(count_files(f, "cache"), 2);
	gc(f, 3600, &st);
	assert_int_equal(st.blobs, 1);
	assert_int_equal(st.layers, 1);
	assert_int_equal(count_files(f, "cache"), 1);
	assert_true(co_store_has(f->store, &young.digest, NULL));
	co_sleep_ms(1100);
	gc(f, 0, &st);
	assert_int_equal(count_files(f, "cache"), 0);
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
	assert_int_equal(count_files(f, "layers"), 0);
}

static void refuses_while_in_use(void **state)
{
	struct fixture *f = *state;
	struct co_store *other;
	struct co_gc_stats st;
	struct co_err err = CO_ERR_INIT;
	struct co_digest d = put(f, "loose", 5);
	assert_ok(co_store_open(&other, f->root, &f->err), &f->err);
	assert_int_equal(co_store_gc(f->store, -1, &st, &err), CO_E_SYSTEM);
	assert_non_null(strstr(err.msg, "in use"));
	assert_true(err.hint[0]);
	assert_true(co_store_has(f->store, &d, NULL));
	/* our own shared lock is still held */
	co_err_clear(&err);
	assert_int_equal(co_store_gc(other, -1, &st, &err), CO_E_SYSTEM);
	co_store_close(other);
	gc(f, -1, &st);
	assert_int_equal(st.blobs, 1);
}

/* Who comes during a clean-up waits for its end. */
static void opening_waits(void **state)
{
	struct fixture *f = *state;
	struct co_err err = CO_ERR_INIT;
	struct co_store *s;
	auto_free char *path = co_xasprintf("%s/lock", f->root);
	co_store_close(f->store);
	f->store = NULL;
	auto_fd fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	int64_t start = co_mono_ns();
	pid_t pid = fork();
	if (!pid) {
		usleep(300000);
		_exit(0); /* gives the lock up: the parent's descriptor is closed below */
	}
	co_close_fd(&fd);
	assert_ok(co_store_open(&s, f->root, &err), &err);
	assert_true(co_mono_ns() - start > 200000000);
	co_store_close(s);
	waitpid(pid, NULL, 0);
}

/* A document that cannot be read: nothing may go. As root everything can be read, so the blob is
 * made something that read(2) refuses. */
static void unreadable_document(void **state)
{
	struct fixture *f = *state;
	struct co_gc_stats st;
	struct co_descriptor d = put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64");
	char hex[CO_DIGEST_TEXT];
	auto_free char *path =
		co_xasprintf("%s/blobs/sha256/%s", f->root, co_digest_hex(&d.digest, hex));
	assert_ok(co_store_tag(f->store, "x:1", &d, &f->err), &f->err);
	size_t before = count_files(f, "blobs/sha256");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(co_store_gc(f->store, -1, &st, &f->err), CO_E_SYSTEM);
	assert_int_equal(count_files(f, "blobs/sha256"), before);
}

/* Files of other ids, as a user namespace with an id range leaves them. */
static void foreign_files(void **state)
{
	struct fixture *f = *state;
	struct co_digest id;
	char path[512];
	if (geteuid() != 0)
		skip();
	co_digest_of(&id, "x", 1);
	unpacked(f, &id);
	assert_true(co_store_layer_path(f->store, &id, path, sizeof(path)));
	auto_free char *dir = co_xasprintf("%s/%s/d", f->root, path);
	auto_free char *file = co_xasprintf("%s/file", dir);
	if (chown(file, 100001, 100001) < 0)
		skip(); /* a user namespace with one id */
	assert_int_equal(chown(dir, 100000, 100000), 0);
	co_store_close(f->store);
	f->store = NULL;
	assert_int_equal(chmod(f->dir, 0755), 0);
	auto_free char *cmd = co_xasprintf(
		"cd %s && chown 12345:12345 . store store/* store/blobs/* store/layers/* "
		"store/layers/*/fs",
		f->dir);
	assert_int_equal(system(cmd), 0);
	pid_t pid = fork();
	if (!pid) {
		struct co_err err = CO_ERR_INIT;
		struct co_gc_stats st;
		struct co_store *s;
		if (setgid(12345) < 0 || setuid(12345) < 0)
			_exit(1);
		if (co_store_open(&s, f->root, &err) < 0)
			_exit(2);
		if (co_store_gc(s, -1, &st, &err) != CO_E_SYSTEM || !err.hint[0] ||
		    !strstr(err.msg, "1 layers"))
			_exit(3);
		if (co_store_layer_path(s, &id, path, sizeof(path)))
			_exit(4); /* half a layer under its name */
		co_store_close(s);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(count_files(f, "tmp"), 1);
	/* who may, cleans up at the next chance */
	assert_ok(co_store_open(&f->store, f->root, &f->err), &f->err);
	assert_int_equal(count_files(f, "tmp"), 0);
}

static void unpack_and_collect(const char *root)
{
	struct fixture f = {0};
	struct co_gc_stats st;
	if (co_store_open(&f.store, root, &f.err) < 0)
		_exit(1);
	for (;;) {
		for (unsigned i = 0; i < 16; i++) {
			struct co_digest id;
			co_digest_of(&id, &i, sizeof(i));
			unpacked(&f, &id);
		}
		if (co_store_gc(f.store, -1, &st, &f.err) < 0)
			_exit(2);
	}
}

/* Killed at any moment: what has a layer's name is a whole layer. */
static void killed_at_work(void **state)
{
	struct fixture *f = *state;
	size_t seen = 0;
	co_store_close(f->store);
	f->store = NULL;
	for (unsigned round = 0; round < 40; round++) {
		pid_t pid = fork();
		if (!pid)
			unpack_and_collect(f->root);
		usleep(4000 + 1300 * (round % 20));
		int status;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		auto_free char *path = co_xasprintf("%s/layers", f->root);
		auto_dir d = opendir(path);
		assert_non_null(d);
		for (struct dirent *e; (e = readdir(d));) {
			auto_free char *file = co_xasprintf("%s/fs/d/file", e->d_name);
			auto_free char *link = co_xasprintf("%s/fs/link", e->d_name);
			struct stat st;
			if (e->d_name[0] == '.')
				continue;
			seen++;
			assert_int_equal(fstatat(dirfd(d), file, &st, 0), 0);
			assert_int_equal(fstatat(dirfd(d), link, &st, AT_SYMLINK_NOFOLLOW), 0);
		}
	}
	assert_true(seen > 0);
	assert_ok(co_store_open(&f->store, f->root, &f->err), &f->err);
	assert_int_equal(count_files(f, "tmp"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(keeps_what_names_reach), fixture_test(verdicts),
		fixture_test(sparse_index),	      fixture_test(cache_records),
		fixture_test(refuses_while_in_use),   fixture_test(opening_waits),
		fixture_test(unreadable_document),    fixture_test(foreign_files),
		fixture_test(killed_at_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
