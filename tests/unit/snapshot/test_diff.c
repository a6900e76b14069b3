/* SPDX-License-Identifier: MIT
 *
 * test_diff.c — the same change gives the same layer in every backend, whatever the storage;
 * applying the layers again gives the tree that the step left; what did not change is not in the
 * layer.
 */
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <cooper/owntab.h>
#include <cooper/snapshot.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <cmocka.h>

#define EPOCH 1000000000

static void put(int root, const char *path, const char *text)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(co_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void ok(int r, const char *what)
{
	if (r < 0)
		fail_msg("%s: %s", what, strerror(errno));
}
#define OK(call) ok((call), #call)

static void make_base(int root)
{
	OK(mkdirat(root, "etc", 0755));
	OK(mkdirat(root, "etc/sub", 0750));
	OK(mkdirat(root, "usr", 0755));
	put(root, "etc/a", "aaa");
	put(root, "etc/b", "bbb");
	put(root, "etc/sub/c", "ccc");
	put(root, "usr/big", "content");
	OK(symlinkat("a", root, "etc/link"));
	OK(linkat(root, "etc/b", root, "usr/b2", 0));
	OK(mkfifoat(root, "usr/fifo", 0600));
}

/* ---- changes: each is one step on top of the base ---- */

static void nothing(int root)
{
	struct stat st;
	OK(fstatat(root, "etc/a", &st, 0));
}
static void open_for_write(int root)
{
	int fd = openat(root, "etc/a", O_RDWR);
	OK(fd);
	close(fd);
}
static void modify(int root)
{
	put(root, "etc/a", "AAA");
}
static void same_content_same_time(int root)
{
	struct stat st;
	OK(fstatat(root, "etc/a", &st, 0));
	put(root, "etc/a", "aaa");
	struct timespec t[2] = {st.st_mtim, st.st_mtim};
	OK(utimensat(root, "etc/a", t, 0));
}
static void other_content_same_time(int root)
{
	struct stat st;
	OK(fstatat(root, "etc/a", &st, 0));
	put(root, "etc/a", "xyz");
	struct timespec t[2] = {st.st_mtim, st.st_mtim};
	OK(utimensat(root, "etc/a", t, 0));
}
static void replaced_same_time(int root)
{
	struct stat st, d;
	OK(fstatat(root, "etc/a", &st, 0));
	OK(fstatat(root, "etc", &d, 0));
	put(root, "etc/new", "xyz");
	struct timespec t[2] = {st.st_mtim, st.st_mtim};
	OK(utimensat(root, "etc/new", t, 0));
	OK(renameat(root, "etc/new", root, "etc/a"));
	struct timespec td[2] = {d.st_mtim, d.st_mtim};
	OK(utimensat(root, "etc", td, 0));
}
static void touch_only(int root)
{
	OK(utimensat(root, "usr/big", NULL, 0));
}
static void chmod_same(int root)
{
	OK(fchmodat(root, "etc/a", 0644, 0));
	OK(fchmodat(root, "etc/sub", 0750, 0));
}
static void chmod_deep(int root)
{
	OK(fchmodat(root, "etc/sub/c", 0600, 0));
}
static void remove_file(int root)
{
	OK(unlinkat(root, "etc/a", 0));
}
static void remove_dir(int root)
{
	OK(unlinkat(root, "etc/sub/c", 0));
	OK(unlinkat(root, "etc/sub", AT_REMOVEDIR));
}
static void replace_dir(int root)
{
	remove_dir(root);
	OK(mkdirat(root, "etc/sub", 0750));
	put(root, "etc/sub/d", "ddd");
}
static void dir_to_file(int root)
{
	remove_dir(root);
	put(root, "etc/sub", "now a file");
}
static void file_to_dir(int root)
{
	OK(unlinkat(root, "etc/a", 0));
	OK(mkdirat(root, "etc/a", 0755));
	put(root, "etc/a/x", "x");
}
static void link_change(int root)
{
	OK(unlinkat(root, "etc/link", 0));
	OK(symlinkat("b", root, "etc/link"));
}
static void link_same(int root)
{
	struct stat st, d;
	OK(fstatat(root, "etc/link", &st, AT_SYMLINK_NOFOLLOW));
	OK(fstatat(root, "etc", &d, 0));
	OK(unlinkat(root, "etc/link", 0));
	OK(symlinkat("a", root, "etc/link"));
	struct timespec t[2] = {st.st_mtim, st.st_mtim}, td[2] = {d.st_mtim, d.st_mtim};
	OK(utimensat(root, "etc/link", t, AT_SYMLINK_NOFOLLOW));
	OK(utimensat(root, "etc", td, 0));
}
static void new_hard_links(int root)
{
	put(root, "usr/h1", "hard");
	OK(linkat(root, "usr/h1", root, "etc/h2", 0));
	OK(linkat(root, "etc/a", root, "etc/a2", 0));
}
static void made_and_gone(int root)
{
	put(root, "usr/tmp", "x");
	OK(unlinkat(root, "usr/tmp", 0));
}
static void sparse(int root)
{
	int fd = openat(root, "usr/sparse", O_WRONLY | O_CREAT, 0644);
	OK(fd);
	OK(pwrite(fd, "end", 3, 3 << 20));
	close(fd);
}
static void attributes(int root)
{
	int fd = openat(root, "etc/a", O_RDONLY);
	OK(fsetxattr(fd, "user.note", "hello", 5, 0));
	close(fd);
}
static void odd_names(int root)
{
	char name[256];
	memset(name, 'n', 255);
	name[255] = '\0';
	put(root, name, "long");
	put(root, "etc/gr\xc3\xbc\xc3\x9f", "utf8");
	put(root, "etc/raw\xff", "not utf8");
	put(root, "etc/-x y\n", "blank and newline");
}
static void owners(int root)
{
	OK(fchownat(root, "etc/a", 123, 456, 0));
	OK(fchownat(root, "etc/link", 7, 7, AT_SYMLINK_NOFOLLOW));
}

static const struct change {
	const char *name;
	void (*apply)(int root);
	bool empty;  /* the layer has no member */
	bool native; /* only where files can be given away */
} changes[] = {
	{"nothing", nothing, true, false},
	{"open_for_write", open_for_write, true, false},
	{"modify", modify, false, false},
	{"same_content_same_time", same_content_same_time, true, false},
	{"other_content_same_time", other_content_same_time, false, false},
	{"replaced_same_time", replaced_same_time, false, false},
	{"touch_only", touch_only, false, false},
	{"chmod_same", chmod_same, true, false},
	{"chmod_deep", chmod_deep, false, false},
	{"remove_file", remove_file, false, false},
	{"remove_dir", remove_dir, false, false},
	{"replace_dir", replace_dir, false, false},
	{"dir_to_file", dir_to_file, false, false},
	{"file_to_dir", file_to_dir, false, false},
	{"link_change", link_change, false, false},
	{"link_same", link_same, true, false},
	{"new_hard_links", new_hard_links, false, false},
	{"made_and_gone", made_and_gone, false, false},
	{"sparse", sparse, false, false},
	{"attributes", attributes, false, false},
	{"odd_names", odd_names, false, false},
	{"owners", owners, false, true},
};
#define N_CHANGES (sizeof(changes) / sizeof(changes[0]))

static bool own_mounts;

struct world {
	char dir[64];
	struct co_store *store;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct co_err err = CO_ERR_INIT;
	strcpy(w->dir, "/tmp/cooper-diff-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	if (co_store_open(&w->store, w->dir, &err) < 0)
		fail_msg("%s", err.msg);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct co_err err = CO_ERR_INIT;
	co_store_close(w->store);
	if (co_remove_tree(AT_FDCWD, w->dir, &err) < 0)
		fail_msg("%s", err.msg);
	free(w);
	return 0;
}

static const struct co_layer_opts opts = {.epoch = EPOCH, .clamp = true, .level = -1, .threads = 1};

static struct co_rootfs *open_rootfs(struct world *w, const char *backend, struct co_owntab *owners)
{
	struct co_rootfs *fs;
	struct co_err err = CO_ERR_INIT;
	if (co_rootfs_open(&fs, w->store, backend, owners, NULL, &err) < 0)
		fail_msg("%s: %s", backend, err.msg);
	return fs;
}

static void step(struct co_rootfs *fs, void (*apply)(int root), struct co_layer *out)
{
	const struct co_root *root;
	struct co_err err = CO_ERR_INIT;
	if (co_rootfs_begin(fs, &root, &err) < 0)
		fail_msg("begin: %s", err.msg);
	apply(root->fd);
	if (co_rootfs_commit(fs, &opts, out, &err) < 0)
		fail_msg("commit: %s", err.msg);
}

/* The tree as one digest. */
static void tree_digest(struct co_rootfs *fs, struct co_digest *out)
{
	const struct co_root *root;
	struct co_err err = CO_ERR_INIT;
	assert_int_equal(co_rootfs_view(fs, &root, &err), 0);
	struct co_sink *sink = co_sink_hash(co_sink_null(), CO_SHA256, out, NULL);
	if (co_tree_write_tar(root, 0, false, sink, &err) < 0)
		fail_msg("tree: %s", err.msg);
}

struct outcome {
	struct co_layer base, change;
	struct co_digest tree;
};

static void run(struct world *w, const char *backend, struct co_owntab *owners,
		const struct change *c, struct outcome *o)
{
	struct co_err err = CO_ERR_INIT;
	struct co_rootfs *fs = open_rootfs(w, backend, owners);
	step(fs, make_base, &o->base);
	step(fs, c->apply, &o->change);
	tree_digest(fs, &o->tree);
	co_rootfs_close(fs);
	/* the same tree from the layers */
	struct co_digest again;
	fs = open_rootfs(w, backend, owners);
	assert_int_equal(co_rootfs_add_layer(fs, &o->base, &err), 0);
	if (co_rootfs_add_layer(fs, &o->change, &err) < 0)
		fail_msg("%s: %s: %s", backend, c->name, err.msg);
	tree_digest(fs, &again);
	if (!co_digest_eq(&again, &o->tree))
		fail_msg("%s: %s: the layers give another tree", backend, c->name);
	co_rootfs_close(fs);
}

static void same(const struct outcome *a, const struct outcome *b, const char *name,
		 const char *backend)
{
	if (!co_digest_eq(&a->base.diff_id, &b->base.diff_id))
		fail_msg("%s: base layer differs in %s", name, backend);
	if (!co_digest_eq(&a->change.diff_id, &b->change.diff_id))
		fail_msg("%s: layer differs in %s", name, backend);
	if (!co_digest_eq(&a->change.desc.digest, &b->change.desc.digest))
		fail_msg("%s: blob differs in %s", name, backend);
}

static void test_plain(void **state)
{
	for (size_t i = 0; i < N_CHANGES; i++) {
		struct outcome o;
		if (changes[i].native && geteuid() != 0)
			continue;
		run(*state, "plain", NULL, &changes[i], &o);
		if (o.change.empty != changes[i].empty)
			fail_msg("%s: empty is %d", changes[i].name, o.change.empty);
	}
}

static void test_backends_agree(void **state)
{
	if (!own_mounts) {
		print_message("no mount namespace here: overlay is not compared\n");
		return;
	}
	for (size_t i = 0; i < N_CHANGES; i++) {
		struct outcome plain, overlay;
		run(*state, "plain", NULL, &changes[i], &plain);
		run(*state, "overlay", NULL, &changes[i], &overlay);
		same(&plain, &overlay, changes[i].name, "overlay");
	}
}

static void test_owner_table(void **state)
{
	struct co_owntab *t;
	struct co_err err = CO_ERR_INIT;
	assert_int_equal(co_owntab_create(&t, NULL, &err), 0);
	for (size_t i = 0; i < N_CHANGES; i++) {
		struct outcome plain, table;
		if (changes[i].native)
			continue;
		run(*state, "plain", NULL, &changes[i], &plain);
		run(*state, "plain", t, &changes[i], &table);
		if (geteuid() == 0)
			same(&plain, &table, changes[i].name, "the ownership table");
	}
	co_owntab_close(t);
}

int main(void)
{
	/* before the store is opened: mounts are made from its descriptors */
	own_mounts = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
		     mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_backends_agree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner_table, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
