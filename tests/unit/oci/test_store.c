/* SPDX-License-Identifier: MIT */
#include "oci_test.h"
#include <dirent.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

static void get_is(struct fixture *f, const struct co_digest *d, const char *want)
{
	auto_free char *text = NULL;
	size_t len;
	assert_ok(co_store_blob_read(f->store, d, 1 << 20, &text, &len, &f->err), &f->err);
	assert_int_equal(len, strlen(want));
	assert_string_equal(text, want);
}

static void puts_and_gets(void **state)
{
	struct fixture *f = *state;
	struct co_digest d = put(f, "hello", 5), e, empty = put(f, "", 0);
	struct stat st;
	int64_t size;
	int fd;
	char text[CO_DIGEST_TEXT];
	co_digest_of(&e, "hello", 5);
	assert_true(co_digest_eq(&d, &e));
	get_is(f, &d, "hello");
	get_is(f, &empty, "");
	assert_true(co_store_has(f->store, &d, &size));
	assert_int_equal(size, 5);
	assert_ok(co_store_blob_fd(f->store, &d, &fd, &size, &f->err), &f->err);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	/* once more is no error */
	put(f, "hello", 5);
	co_digest_of(&e, "other", 5);
	assert_false(co_store_has(f->store, &e, NULL));
	assert_int_equal(co_store_blob_fd(f->store, &e, &fd, NULL, &f->err), CO_E_NOT_FOUND);
	assert_non_null(strstr(f->err.msg, co_digest_str(&e, text)));
}

/* ---- who watches blobs being written ---- */

struct watched {
	int fd, begins, good, bad;
	int64_t size;
};

static void begins(void *ctx, const struct co_digest *d, int fd)
{
	struct watched *w = ctx;
	assert_true(d->set);
	co_close_fd(&w->fd);
	w->fd = fd;
	w->begins++;
}

static void grows(void *ctx, const struct co_digest *d, int64_t size)
{
	(void)d;
	((struct watched *)ctx)->size = size;
}

static void ends(void *ctx, const struct co_digest *d, bool good)
{
	struct watched *w = ctx;
	(void)d;
	w->good += good;
	w->bad += !good;
}

static void watches(void **state)
{
	struct fixture *f = *state;
	struct watched w = {.fd = -1};
	const struct co_store_watch watch = {begins, grows, ends, &w};
	static char big[200000], back[sizeof(big) + 1];
	struct co_digest d;
	co_digest_of(&d, big, sizeof(big));
	co_store_watch(f->store, &watch);
	struct co_sink *s = co_store_sink(f->store, &d, sizeof(big), NULL, NULL);
	assert_int_equal(w.begins, 1);
	co_sink_write(s, big, 100000);
	assert_int_equal(w.size, 100000);
	assert_true(read(w.fd, back, sizeof(back)) >= 65536);
	co_sink_write(s, big, 100000);
	assert_int_equal(w.good + w.bad, 0);
	assert_ok(co_sink_close(s, &f->err), &f->err);
	assert_int_equal(w.good, 1);
	assert_int_equal(pread(w.fd, back, sizeof(back), 0), sizeof(big));
	/* what is wrong or given up ends badly, once */
	s = co_store_sink(f->store, &d, sizeof(big), NULL, NULL);
	co_sink_write(s, "x", 1);
	assert_int_equal(co_sink_close(s, &f->err), CO_E_INTEGRITY);
	assert_int_equal(w.bad, 1);
	co_sink_abort(co_store_sink(f->store, &d, sizeof(big), NULL, NULL));
	assert_int_equal(w.bad, 2);
	/* without a digest nobody is told, and neither after the end */
	put(f, "hello", 5);
	co_store_watch(f->store, NULL);
	co_sink_abort(co_store_sink(f->store, &d, sizeof(big), NULL, NULL));
	assert_int_equal(w.begins, 3);
	assert_int_equal(w.bad, 2);
	close(w.fd);
}

static void sink_result(struct fixture *f, const struct co_digest *expect, int64_t size,
			const char *text, int want)
{
	struct co_digest got = {0};
	int64_t n = -7;
	struct co_err err = CO_ERR_INIT;
	struct co_sink *s = co_store_sink(f->store, expect, size, &got, &n);
	for (const char *p = text; *p; p++)
		co_sink_write(s, p, 1);
	assert_int_equal(co_sink_close(s, &err), want);
	if (want < 0) {
		assert_int_equal(n, -7);
		assert_false(got.set);
	} else {
		assert_int_equal(n, strlen(text));
		assert_true(co_store_has(f->store, &got, NULL));
	}
	f->err = err;
}

static void sink_verifies(void **state)
{
	struct fixture *f = *state;
	struct co_digest abc, xyz, long_one;
	char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
	struct co_hash *h = co_hash_new(CO_SHA512);
	co_digest_of(&abc, "abc", 3);
	co_digest_of(&xyz, "xyz", 3);
	co_hash_add(h, "abc", 3);
	co_hash_done(h, &long_one);
	sink_result(f, &abc, 3, "xyz", CO_E_INTEGRITY);
	assert_non_null(strstr(f->err.msg, co_digest_str(&abc, a)));
	assert_non_null(strstr(f->err.msg, co_digest_str(&xyz, b)));
	sink_result(f, &abc, 2, "abc", CO_E_INTEGRITY);
	sink_result(f, &abc, 4, "abc", CO_E_INTEGRITY);
	sink_result(f, &abc, 0, "abc", CO_E_INTEGRITY);
	sink_result(f, &xyz, -1, "", CO_E_INTEGRITY);
	/* nothing was published, nothing left behind */
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
	auto_dir d = opendir(co_store_tmp_path(f->store));
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		assert_int_equal(e->d_name[0], '.');
	sink_result(f, &abc, 3, "abc", 0);
	sink_result(f, NULL, -1, "any", 0);
	sink_result(f, &long_one, 3, "abc", 0);
	assert_true(co_store_has(f->store, &long_one, NULL));
	get_is(f, &long_one, "abc");
}

static void abort_publishes_nothing(void **state)
{
	struct fixture *f = *state;
	struct co_sink *s = co_store_sink(f->store, NULL, -1, NULL, NULL);
	co_sink_write(s, "abc", 3);
	co_sink_abort(s);
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
}

static void overwrite(struct fixture *f, const struct co_digest *d, const char *text)
{
	char hex[CO_DIGEST_TEXT];
	auto_free char *path = co_xasprintf("%s/blobs/sha256/%s", f->root, co_digest_hex(d, hex));
	auto_fd fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* A power cut may leave a blob empty: reading finds it, the next write heals it. */
static void damage_is_found(void **state)
{
	struct fixture *f = *state;
	struct co_digest d = put(f, "document", 8);
	char *text;
	size_t len;
	overwrite(f, &d, "");
	assert_int_equal(co_store_blob_read(f->store, &d, 100, &text, &len, &f->err),
			 CO_E_INTEGRITY);
	assert_false(co_store_has(f->store, &d, NULL));
	co_err_clear(&f->err);
	put(f, "document", 8);
	overwrite(f, &d, "tampered");
	put(f, "document", 8);
	get_is(f, &d, "document");
	assert_int_equal(co_store_blob_read(f->store, &d, 3, &text, &len, &f->err), CO_E_LIMIT);
}

static void write_fails(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, small = {4096, 4096};
	struct co_err err = CO_ERR_INIT;
	char block[1024] = {0};
	/* a full disk, as near as it gets without one: EFBIG is no NO_SPACE, but must end the same
	 */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct co_sink *s = co_store_sink(f->store, NULL, -1, NULL, NULL);
	for (int i = 0; i < 1000; i++)
		co_sink_write(s, block, sizeof(block));
	int r = co_sink_close(s, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, CO_E_SYSTEM);
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
}

static void no_space(void **state)
{
	(void)state;
	struct co_err err = CO_ERR_INIT;
	auto_fd fd = open("/dev/full", O_WRONLY);
	if (fd < 0)
		skip();
	/* the way a store's bytes take */
	struct co_sink *s = co_sink_fd(fd, false, "a blob to the store");
	co_sink_write(s, "x", 1);
	assert_int_equal(co_sink_close(s, &err), CO_E_NO_SPACE);
	assert_true(err.hint[0]);
}

static void names(void **state)
{
	struct fixture *f = *state;
	struct co_store_image img, *list;
	struct co_descriptor d = {.size = 5, .platform = {"linux", "arm", "v7"}};
	size_t n;
	char big[600];
	strcpy(d.media_type, CO_MT_OCI_MANIFEST);
	d.digest = put(f, "hello", 5);
	assert_int_equal(co_store_lookup(f->store, "x:1", &img, &f->err), CO_E_NOT_FOUND);
	co_err_clear(&f->err);
	assert_ok(co_store_tag(f->store, "reg.example/b:1", &d, &f->err), &f->err);
	assert_ok(co_store_tag(f->store, "reg.example/a:1", &d, &f->err), &f->err);
	assert_ok(co_store_tag(f->store, "../../../etc/passwd", &d, &f->err), &f->err);
	assert_ok(co_store_lookup(f->store, "reg.example/b:1", &img, &f->err), &f->err);
	assert_string_equal(img.name, "reg.example/b:1");
	assert_true(co_digest_eq(&img.desc.digest, &d.digest));
	assert_string_equal(img.desc.platform.variant, "v7");
	assert_int_equal(img.desc.size, 5);
	assert_true(img.created > 1500000000);
	assert_ok(co_store_list(f->store, &list, &n, &f->err), &f->err);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].name, "../../../etc/passwd");
	assert_string_equal(list[1].name, "reg.example/a:1");
	free(list);
	/* a name moves */
	d.digest = put(f, "other", 5);
	assert_ok(co_store_tag(f->store, "reg.example/b:1", &d, &f->err), &f->err);
	assert_ok(co_store_lookup(f->store, "reg.example/b:1", &img, &f->err), &f->err);
	assert_true(co_digest_eq(&img.desc.digest, &d.digest));
	assert_ok(co_store_untag(f->store, "reg.example/b:1", &f->err), &f->err);
	assert_int_equal(co_store_untag(f->store, "reg.example/b:1", &f->err), CO_E_NOT_FOUND);
	co_err_clear(&f->err);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(co_store_tag(f->store, big, &d, &f->err), CO_E_USAGE);
}

static void damaged_name(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor d = {.size = 5};
	struct co_store_image *list, img;
	size_t n;
	strcpy(d.media_type, CO_MT_OCI_MANIFEST);
	d.digest = put(f, "hello", 5);
	assert_ok(co_store_tag(f->store, "good:1", &d, &f->err), &f->err);
	assert_ok(co_store_tag(f->store, "bad:1", &d, &f->err), &f->err);
	struct co_digest h;
	char hex[CO_DIGEST_TEXT];
	co_digest_of(&h, "bad:1", 5);
	auto_free char *path = co_xasprintf("images/%s", co_digest_hex(&h, hex));
	assert_ok(co_write_file(co_store_fd(f->store), path, "{", 1, 0600, &f->err), &f->err);
	assert_ok(co_store_list(f->store, &list, &n, &f->err), &f->err);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].name, "good:1");
	free(list);
	assert_int_equal(co_store_lookup(f->store, "bad:1", &img, &f->err), CO_E_INVALID);
}

static struct co_digest layer(struct fixture *f, const char *id, const char *file)
{
	struct co_digest d;
	char name[256];
	int dir;
	co_digest_of(&d, id, strlen(id));
	assert_ok(co_store_layer_begin(f->store, name, sizeof(name), &dir, &f->err), &f->err);
	assert_int_equal(mkdirat(dir, "fs", 0755), 0);
	auto_free char *path = co_xasprintf("fs/%s", file);
	assert_ok(co_write_file(dir, path, "x", 1, 0444, &f->err), &f->err);
	close(dir);
	assert_ok(co_store_layer_publish(f->store, name, &d, &f->err), &f->err);
	/* the work directory is gone either way */
	assert_int_equal(faccessat(co_store_fd(f->store), name, F_OK, 0), -1);
	return d;
}

static void layers(void **state)
{
	struct fixture *f = *state;
	char path[512], tiny[8] = "";
	struct co_digest other;
	struct co_digest d = layer(f, "one", "first");
	assert_true(co_store_layer_path(f->store, &d, path, sizeof(path)));
	assert_false(co_store_layer_path(f->store, &d, tiny, sizeof(tiny)));
	assert_true(path[0] != '/');
	auto_fd fs = openat(co_store_fd(f->store), path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(faccessat(fs, "first", F_OK, 0), 0);
	/* the first one stays */
	layer(f, "one", "second");
	assert_int_equal(faccessat(fs, "first", F_OK, 0), 0);
	assert_int_equal(faccessat(fs, "second", F_OK, 0), -1);
	co_digest_of(&other, "none", 4);
	assert_false(co_store_layer_path(f->store, &other, path, sizeof(path)));
}

/* ---- several processes ---- */

static void child_work(const char *root, int n)
{
	struct co_store *s;
	struct co_err err = CO_ERR_INIT;
	char text[64];
	if (co_store_open(&s, root, &err) < 0)
		_exit(2);
	for (int i = 0; i < 50; i++) {
		struct co_digest d;
		struct co_descriptor desc = {.size = 1};
		char name[256];
		int dir;
		/* half of it is the same for all */
		snprintf(text, sizeof(text), "blob %d %d", i, i % 2 ? n : 0);
		strcpy(desc.media_type, CO_MT_OCI_MANIFEST);
		if (co_store_put(s, text, strlen(text), &desc.digest, &err) < 0 ||
		    co_store_tag(s, "shared:name", &desc, &err) < 0 ||
		    co_store_layer_begin(s, name, sizeof(name), &dir, &err) < 0)
			_exit(3);
		mkdirat(dir, "fs", 0755);
		close(dir);
		snprintf(text, sizeof(text), "%d", i);
		co_digest_of(&d, text, strlen(text));
		struct co_store_image img;
		if (co_store_layer_publish(s, name, &d, &err) < 0 ||
		    !co_store_layer_path(s, &d, name, sizeof(name)) ||
		    co_store_lookup(s, "shared:name", &img, &err) < 0)
			_exit(4);
	}
	co_store_close(s);
	_exit(0);
}

static void many_at_once(void **state)
{
	struct fixture *f = *state;
	pid_t pids[8];
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (!pids[i])
			child_work(f->root, i + 1);
	}
	for (int i = 0; i < 8; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_int_equal(count_files(f, "blobs/sha256"), 25 + 25 * 8);
	assert_int_equal(count_files(f, "layers"), 50);
	assert_int_equal(count_files(f, "images"), 1);
	assert_int_equal(count_files(f, "tmp"), 0);
}

/* A child that forks off a build shares its tmp directory, and leaves it alone at its end. */
static void fork_shares_tmp(void **state)
{
	struct fixture *f = *state;
	assert_true(co_store_tmp_fd(f->store, &f->err) >= 0);
	struct co_sink *s = co_store_sink(f->store, NULL, -1, NULL, NULL);
	co_sink_write(s, "parent", 6);
	pid_t pid = fork();
	if (!pid) {
		struct co_digest d;
		struct co_err err = CO_ERR_INIT;
		if (co_store_put(f->store, "child", 5, &d, &err) < 0)
			_exit(1);
		co_store_close(f->store);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_ok(co_sink_close(s, &f->err), &f->err);
	assert_int_equal(count_files(f, "blobs/sha256"), 2);
}

/* Killed in the midst of everything: no half blob, no half layer, and the next one cleans up. */
static void killed(void **state)
{
	struct fixture *f = *state;
	int ready[2];
	char c;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (!pid) {
		struct co_store *s;
		struct co_err err = CO_ERR_INIT;
		char name[256];
		int dir;
		if (co_store_open(&s, f->root, &err) < 0)
			_exit(1);
		struct co_sink *sink = co_store_sink(s, NULL, -1, NULL, NULL);
		char block[70000] = {0};
		co_sink_write(sink, block, sizeof(block));
		if (co_store_layer_begin(s, name, sizeof(name), &dir, &err) < 0)
			_exit(1);
		mkdirat(dir, "fs", 0);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	/* while it lives, its directory is not touched */
	struct co_store *other;
	assert_ok(co_store_open(&other, f->root, &f->err), &f->err);
	co_store_close(other);
	assert_int_equal(count_files(f, "tmp"), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
	assert_int_equal(count_files(f, "layers"), 0);
	assert_ok(co_store_open(&other, f->root, &f->err), &f->err);
	co_store_close(other);
	assert_int_equal(count_files(f, "tmp"), 0);
	close(ready[0]);
	close(ready[1]);
}

/* ---- where the store is ---- */

static void open_with(struct fixture *f, int want, const char *path)
{
	struct co_store *s = NULL;
	struct co_err err = CO_ERR_INIT;
	assert_int_equal(co_store_open(&s, NULL, &err), want);
	f->err = err;
	if (want < 0)
		return;
	auto_free char *real = realpath(path, NULL);
	assert_string_equal(co_store_path(s), real);
	co_store_close(s);
}

/* The directory in TMPDIR: the number is the user's id as seen from outside a user namespace. */
static const char *fallback_name(struct fixture *f)
{
	unsigned id = geteuid(), in, out, n;
	auto_file map = fopen("/proc/self/uid_map", "re");
	if (map && fscanf(map, "%u %u %u", &in, &out, &n) == 3 && id == in)
		id = out;
	return co_arena_printf(&f->arena, "%s/cooper-%u", f->dir, id);
}

static void finds_its_place(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	const char *old = getenv("TMPDIR");
	const char *tmp = co_arena_strdup(&f->arena, old ? old : "/tmp");
	setenv("TMPDIR", f->dir, 1);
	const char *fallback = fallback_name(f);
	setenv("COOPER_ROOT", in_dir(f, "explicit/deep"), 1);
	setenv("XDG_DATA_HOME", in_dir(f, "xdg"), 1);
	setenv("HOME", in_dir(f, "home"), 1);
	open_with(f, 0, in_dir(f, "explicit/deep"));
	unsetenv("COOPER_ROOT");
	open_with(f, 0, in_dir(f, "xdg/cooper"));
	setenv("XDG_DATA_HOME", "relative", 1);
	open_with(f, 0, in_dir(f, "home/.local/share/cooper"));
	unsetenv("XDG_DATA_HOME");
	assert_int_equal(stat(in_dir(f, "home/.local/share/cooper"), &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	/* no home, or a useless one */
	unsetenv("HOME");
	open_with(f, 0, fallback);
	assert_ok(co_remove_tree(AT_FDCWD, fallback, &f->err), &f->err);
	setenv("HOME", "/dev/null", 1);
	open_with(f, 0, fallback);
	assert_int_equal(stat(fallback, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	setenv("TMPDIR", tmp, 1);
}

static void shared_tmp_is_checked(void **state)
{
	struct fixture *f = *state;
	const char *fallback = fallback_name(f);
	const char *old = getenv("TMPDIR");
	const char *tmp = co_arena_strdup(&f->arena, old ? old : "/tmp");
	setenv("TMPDIR", f->dir, 1);
	unsetenv("COOPER_ROOT");
	unsetenv("XDG_DATA_HOME");
	unsetenv("HOME");
	assert_int_equal(mkdir(fallback, 0700), 0);
	assert_int_equal(chmod(fallback, 0755), 0);
	open_with(f, CO_E_POLICY, NULL);
	assert_true(f->err.hint[0]);
	assert_int_equal(chmod(fallback, 0700), 0);
	open_with(f, 0, fallback);
	assert_ok(co_remove_tree(AT_FDCWD, fallback, &f->err), &f->err);
	/* a link that somebody laid there */
	assert_int_equal(mkdir(in_dir(f, "theirs"), 0700), 0);
	assert_int_equal(symlink(in_dir(f, "theirs"), fallback), 0);
	open_with(f, CO_E_SYSTEM, NULL);
	assert_int_equal(unlink(fallback), 0);
	assert_int_equal(mkdir(fallback, 0700), 0);
	if (chown(fallback, 12345, 12345) == 0)
		open_with(f, CO_E_POLICY, NULL);
	setenv("TMPDIR", tmp, 1);
}

static void modes(void **state)
{
	struct fixture *f = *state;
	static const char *const dirs[] = {"blobs", "blobs/sha256", "images", "layers", "tmp"};
	struct stat st;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		assert_int_equal(fstatat(co_store_fd(f->store), dirs[i], &st, 0), 0);
		assert_int_equal(st.st_mode & 077, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(puts_and_gets),
		fixture_test(watches),
		fixture_test(sink_verifies),
		fixture_test(abort_publishes_nothing),
		fixture_test(damage_is_found),
		fixture_test(write_fails),
		fixture_test(no_space),
		fixture_test(names),
		fixture_test(damaged_name),
		fixture_test(layers),
		fixture_test(many_at_once),
		fixture_test(fork_shares_tmp),
		fixture_test(killed),
		fixture_test(finds_its_place),
		fixture_test(shared_tmp_is_checked),
		fixture_test(modes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
