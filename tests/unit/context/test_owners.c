/* SPDX-License-Identifier: MIT
 *
 * test_owners.c — copies into and out of a root whose owners are claims in a table: what a builder
 * without privilege does. Runs the same as root and as a user.
 */
#include "world.h"
#include <cooper/owntab.h>

static struct co_meta meta_of(const struct co_root *r, const char *path)
{
	struct co_meta m = {0};
	char dir[256];
	const char *base = strrchr(path, '/');
	snprintf(dir, sizeof(dir), "%.*s", base ? (int)(base - path) : 1, base ? path : ".");
	auto_fd fd = openat(r->fd, dir, O_PATH | O_DIRECTORY);
	if (fd < 0 || co_root_stat(r, fd, base ? base + 1 : path, &m) < 0)
		fail_msg("%s is missing", path);
	return m;
}

static void check(const struct co_root *r, const char *path, uint32_t uid, uint32_t gid,
		  uint32_t mode)
{
	struct co_meta m = meta_of(r, path);
	if (m.uid != uid || m.gid != gid || m.mode != mode)
		fail_msg("%s: %u:%u %o", path, m.uid, m.gid, m.mode);
}

static void claimed(void **state)
{
	(void)state;
	struct world w;
	struct co_owntab *tab;
	struct job j;
	struct co_err err = CO_ERR_INIT;
	world_open(&w, "mkdir -p src/d/s src/n dst2; echo a >src/d/s/a; ln src/d/s/a src/d/b; "
		       "ln -s x src/d/l; chmod 4711 src/d/s/a; chmod 500 src/d/s; mkfifo src/d/p;"
		       "mkdir dst/etc; echo 'u:x:20:21::/:' >dst/etc/passwd");
	assert_int_equal(co_owntab_create(&tab, NULL, &err), 0);
	w.dst.owners = tab;
	job_init(&w, &j, "--chown=u:30 d /x/e");
	j.copy.owner_best_effort = false;
	if (co_copy_run(&j.copy, &w.dst, &err) < 0)
		fail_msg("%s", err.msg);
	check(&w.dst, "x", 20, 30, S_IFDIR | 0755);
	check(&w.dst, "x/e/s", 20, 30, S_IFDIR | 0500);
	check(&w.dst, "x/e/s/a", 20, 30, S_IFREG | 04711);
	check(&w.dst, "x/e/b", 20, 30, S_IFREG | 04711);
	check(&w.dst, "x/e/l", 20, 30, S_IFLNK | 0777);
	check(&w.dst, "x/e/p", 20, 30, S_IFIFO | 0644);
	assert_int_equal(meta_of(&w.dst, "x/e/b").nlink, 2);
	/* from that root into another one: --from keeps what is claimed */
	struct co_copy_source s = {.root = &w.dst, .keep_owner = true, .pattern = "x", .fd = -1};
	struct co_copy c = {.sources = &s, .n_sources = 1, .dest = "/y"};
	struct co_root second = {.fd = world_root(&w, "dst2"), .owners = tab};
	if (co_copy_run(&c, &second, &err) < 0)
		fail_msg("%s", err.msg);
	check(&second, "y", 0, 0, S_IFDIR | 0755);
	check(&second, "y/e", 20, 30, S_IFDIR | 0755);
	check(&second, "y/e/s", 20, 30, S_IFDIR | 0500);
	check(&second, "y/e/s/a", 20, 30, S_IFREG | 04711);
	check(&second, "y/e/l", 20, 30, S_IFLNK | 0777);
	struct co_digest before, after;
	assert_int_equal(co_copy_digest(&c, &before, &err), 0);
	auto_fd dir = openat(w.dst.fd, "x/e/s", O_PATH | O_DIRECTORY);
	assert_int_equal(co_root_set_owner_mode(&w.dst, dir, "a", 1, 1, 0644), 0);
	assert_int_equal(co_copy_digest(&c, &after, &err), 0);
	assert_false(co_digest_eq(&before, &after));
	co_root_close(&second);
	world_close(&w);
	co_owntab_close(tab);
}

/* A device that the kernel refused to make is a claim too; a copy must not open it. */
static void claimed_device(void **state)
{
	(void)state;
	struct world w;
	struct co_owntab *tab;
	struct co_err err = CO_ERR_INIT;
	world_open(&w, "mkdir dst/d; : >dst/d/null; mkdir dst2");
	assert_int_equal(co_owntab_create(&tab, NULL, &err), 0);
	w.dst.owners = tab;
	struct co_root second = {.fd = world_root(&w, "dst2"), .owners = tab};
	auto_fd dir = openat(w.dst.fd, "d", O_PATH | O_DIRECTORY);
	assert_int_equal(co_root_mknod(&w.dst, dir, "n", S_IFCHR | 0660, 1, 3), 0);
	struct co_copy_source s = {.root = &w.dst, .keep_owner = true, .pattern = "d", .fd = -1};
	struct co_copy c = {.sources = &s, .n_sources = 1, .dest = "/d"};
	assert_int_equal(co_copy_run(&c, &second, &err), 0);
	struct co_meta m = meta_of(&second, "d/n");
	assert_int_equal(m.mode, S_IFCHR | 0660);
	assert_int_equal(m.dev_major, 1);
	assert_int_equal(m.dev_minor, 3);
	co_root_close(&second);
	world_close(&w);
	co_owntab_close(tab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claimed),
		cmocka_unit_test(claimed_device),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
