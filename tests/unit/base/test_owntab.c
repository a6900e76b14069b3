/* SPDX-License-Identifier: MIT
 *
 * The ownership table: what it keeps, what a killed or hostile process can do to it, and the root
 * operations on top of it.
 */
#include <cooper/auto.h>
#include <cooper/owntab.h>
#include <cooper/root.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

static struct co_owntab *fresh(void)
{
	struct co_err err = CO_ERR_INIT;
	struct co_owntab *t;
	assert_int_equal(co_owntab_create(&t, NULL, &err), 0);
	return t;
}

static struct owntab_key key_of(uint64_t ino)
{
	return (struct owntab_key){owntab_dev(8, 1), ino, 1000 + ino};
}

static void set_get_remove(void **state)
{
	(void)state;
	struct co_owntab *t = fresh();
	struct co_own own, in = {1, 2, S_IFREG | 04755, 0, 0};
	for (uint64_t i = 1; i <= 5000; i++) {
		struct owntab_key k = key_of(i);
		in.uid = (uint32_t)i;
		assert_false(co_owntab_get(t, &k, &own));
		assert_int_equal(co_owntab_set(t, &k, &in), 0);
	}
	assert_int_equal(co_owntab_count(t), 5000);
	for (uint64_t i = 1; i <= 5000; i++) {
		struct owntab_key k = key_of(i);
		assert_true(co_owntab_get(t, &k, &own));
		assert_int_equal(own.uid, i);
		assert_int_equal(own.mode, S_IFREG | 04755);
		k.birth++; /* the inode number was used again */
		assert_false(co_owntab_get(t, &k, &own));
		co_owntab_remove(t, &k);
		k.birth--;
		assert_true(co_owntab_get(t, &k, &own));
		if (i % 2)
			co_owntab_remove(t, &k);
		assert_int_equal(co_owntab_get(t, &k, &own), i % 2 == 0);
	}
	assert_int_equal(co_owntab_count(t), 2500);
	struct owntab_key k = key_of(2);
	k.birth = 7;
	assert_int_equal(co_owntab_set(t, &k, &in), 0);
	assert_int_equal(co_owntab_count(t), 2500);
	co_owntab_reset(t);
	assert_int_equal(co_owntab_count(t), 0);
	assert_false(co_owntab_get(t, &k, &own));
	assert_int_equal(co_owntab_set(t, &k, &in), 0);
	assert_int_equal(co_owntab_count(t), 1);
	co_owntab_close(t);
}

/* Changing one entry for ever must not use up the table. */
static void changes_take_no_room(void **state)
{
	(void)state;
	struct co_owntab *t = fresh();
	struct owntab_key k = key_of(77);
	struct co_own own = {1, 1, S_IFDIR | 0755, 0, 0};
	for (uint32_t i = 0; i < 200000; i++) {
		own.gid = i;
		assert_int_equal(co_owntab_set(t, &k, &own), 0);
		if (i % 3 == 0)
			co_owntab_remove(t, &k);
	}
	struct owntab_map *m = mmap(NULL, sizeof(*m), PROT_READ, MAP_SHARED, co_owntab_fd(t), 0);
	assert_true(m != MAP_FAILED);
	assert_true(m->used < 16);
	munmap(m, sizeof(*m));
	co_owntab_close(t);
}

static void attributes(void **state)
{
	(void)state;
	struct co_owntab *t = fresh();
	struct owntab_key k = key_of(5);
	struct co_own own = {3, 4, S_IFLNK | 0777, 0, 0};
	char buf[300];
	assert_int_equal(co_owntab_getxattr(t, &k, "user.a", buf, sizeof(buf)), -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(co_owntab_setxattr(t, &k, &own, "user.a", "one", 3), 0);
	assert_int_equal(co_owntab_setxattr(t, &k, &own, "security.capability", "12345", 5), 0);
	assert_int_equal(co_owntab_setxattr(t, &k, &own, "user.a", "changed", 7), 0);
	assert_int_equal(co_owntab_getxattr(t, &k, "user.a", NULL, 0), 7);
	assert_int_equal(co_owntab_getxattr(t, &k, "user.a", buf, 6), -1);
	assert_int_equal(errno, ERANGE);
	assert_int_equal(co_owntab_getxattr(t, &k, "user.a", buf, sizeof(buf)), 7);
	assert_memory_equal(buf, "changed", 7);
	assert_int_equal(co_owntab_listxattr(t, &k, buf, sizeof(buf)), 27);
	assert_memory_equal(buf, "security.capability\0user.a\0", 27);
	assert_int_equal(co_owntab_listxattr(t, &k, buf, 10), -1);
	/* owner and mode may change, the attributes stay */
	own.uid = 9;
	assert_int_equal(co_owntab_set(t, &k, &own), 0);
	assert_int_equal(co_owntab_getxattr(t, &k, "user.a", NULL, 0), 7);
	assert_int_equal(co_owntab_setxattr(t, &k, &own, "user.empty", "", 0), 0);
	assert_int_equal(co_owntab_getxattr(t, &k, "user.empty", buf, sizeof(buf)), 0);
	auto_free char *big = calloc(1, 70000);
	assert_int_equal(co_owntab_setxattr(t, &k, &own, "user.big", big, 70000), -1);
	assert_int_equal(errno, E2BIG);
	assert_int_equal(co_owntab_setxattr(t, &k, &own, "user.big", big, 65530), -1);
	assert_int_equal(errno, ENOSPC);
	co_owntab_close(t);
}

static void worker(struct co_owntab *t, unsigned seed)
{
	for (;;) {
		struct owntab_key k = key_of(1 + (seed = seed * 1103515245 + 12345) / 65536 % 64);
		struct co_own own = {seed, seed, S_IFREG | 0644, seed, seed};
		if (seed % 5)
			(void)co_owntab_set(t, &k, &own);
		else
			co_owntab_remove(t, &k);
	}
}

/* Writers that are killed at any moment leave a table that works and whose entries are whole. */
static void killed_writers(void **state)
{
	(void)state;
	struct co_owntab *t = fresh();
	for (int round = 0; round < 20; round++) {
		pid_t p[4];
		for (int i = 0; i < 4; i++)
			if ((p[i] = fork()) == 0)
				worker(t, (unsigned)(round * 4 + i + 1));
		for (int n = 0; n < 20000; n++) {
			struct owntab_key k = key_of(1 + n % 64);
			struct co_own own;
			if (!co_owntab_get(t, &k, &own))
				continue;
			assert_int_equal(own.uid, own.gid);
			assert_int_equal(own.uid, own.dev_minor);
		}
		for (int i = 0; i < 4; i++) {
			kill(p[i], SIGKILL);
			waitpid(p[i], NULL, 0);
		}
		struct owntab_key k = key_of(3);
		struct co_own own = {1, 1, S_IFREG, 1, 1};
		assert_int_equal(co_owntab_set(t, &k, &own), 0);
		assert_true(co_owntab_get(t, &k, &own));
		assert_true(co_owntab_count(t) <= 64);
	}
	co_owntab_close(t);
}

/* A step owns the memory: rubbish in it must not hang or crash the builder. */
static void hostile_memory(void **state)
{
	(void)state;
	struct co_owntab *t = fresh();
	struct owntab_map *m =
		mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED, co_owntab_fd(t), 0);
	assert_true(m != MAP_FAILED);
	assert_int_equal(ftruncate(co_owntab_fd(t), 4096), -1);
	unsigned seed = 1;
	for (int round = 0; round < 30; round++) {
		for (uint32_t i = 0; i < 4096; i++) {
			uint32_t *e = (uint32_t *)(void *)&m->entry[i];
			for (int w = 0; w < 16; w++)
				e[w] = (seed = seed * 1103515245 + 12345);
			m->entry[i].next = i % 3 ? seed : i;
			m->entry[i].key = key_of(i % 7);
			m->entry[i].xattrs = i % 2 ? seed : seed % 512;
			m->heap[i] = (uint8_t)(seed >> 20);
		}
		for (uint32_t b = 0; b < OWNTAB_BUCKETS; b += 13)
			m->bucket[b] = (seed = seed * 1103515245 + 12345) % 8192;
		m->free = round % 2 ? 5 : seed;
		m->used = round % 3 ? 100 : seed;
		m->heap_used = round % 3 ? 5 : seed;
		for (uint64_t i = 0; i < 50; i++) {
			struct owntab_key k = key_of(i);
			struct co_own own = {0, 0, S_IFREG, 0, 0};
			char buf[100];
			(void)co_owntab_get(t, &k, &own);
			(void)co_owntab_listxattr(t, &k, buf, sizeof(buf));
			(void)co_owntab_getxattr(t, &k, "user.x", buf, sizeof(buf));
			if (round % 5 == 0)
				(void)co_owntab_setxattr(t, &k, &own, "user.x", "y", 1);
		}
	}
	munmap(m, sizeof(*m));
	co_owntab_close(t);
}

static void on_file(void **state)
{
	(void)state;
	struct co_err err = CO_ERR_INIT;
	struct co_owntab *t;
	char path[] = "/tmp/owntab-XXXXXX";
	co_close_fd(&(int){mkstemp(path)});
	struct owntab_key k = key_of(1);
	struct co_own own = {1, 2, S_IFREG | 0600, 0, 0}, got;
	assert_int_equal(co_owntab_open(&t, path, &err), CO_E_INVALID);
	co_err_clear(&err);
	assert_int_equal(co_owntab_create(&t, path, &err), 0);
	assert_int_equal(co_owntab_set(t, &k, &own), 0);
	co_owntab_close(t);
	assert_int_equal(co_owntab_open(&t, path, &err), 0);
	assert_true(co_owntab_get(t, &k, &got));
	assert_int_equal(got.gid, 2);
	co_owntab_reset(t);
	assert_int_equal(co_owntab_count(t), 0);
	co_owntab_close(t);
	unlink(path);
}

/* ---- a root with claims ---- */

static uint32_t disk_mode(int fd, const char *name)
{
	struct stat st;
	assert_int_equal(fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode;
}

static void check(const struct co_root *r, const char *name, uint32_t mode, uint32_t uid,
		  uint32_t gid)
{
	struct co_meta m;
	assert_int_equal(co_root_stat(r, r->fd, name, &m), 0);
	assert_int_equal(m.mode, mode);
	assert_int_equal(m.uid, uid);
	assert_int_equal(m.gid, gid);
}

static void root_objects(const struct co_root *r)
{
	struct co_meta m;
	auto_fd f = co_root_create(r, r->fd, "f", 0644);
	assert_true(f >= 0);
	check(r, "f", S_IFREG | 0644, 0, 0);
	assert_int_equal(co_owntab_count(r->owners), 0);
	assert_int_equal(co_root_set_owner_mode(r, r->fd, "f", 33, 34, 06111), 0);
	check(r, "f", S_IFREG | 06111, 33, 34);
	assert_int_equal(disk_mode(r->fd, "f"), S_IFREG | 0711);
	assert_int_equal(linkat(r->fd, "f", r->fd, "g", 0), 0);
	check(r, "g", S_IFREG | 06111, 33, 34);
	assert_int_equal(co_root_remove(r, r->fd, "f"), 0);
	check(r, "g", S_IFREG | 06111, 33, 34);
	assert_int_equal(co_root_remove(r, r->fd, "g"), 0);
	assert_int_equal(co_owntab_count(r->owners), 0);

	assert_int_equal(co_root_mkdir(r, r->fd, "d", 02055), 0);
	check(r, "d", S_IFDIR | 02055, 0, 0);
	assert_int_equal(disk_mode(r->fd, "d"), S_IFDIR | 0755);
	auto_fd d = openat(r->fd, "d", O_RDONLY | O_DIRECTORY);
	assert_int_equal(co_root_set_owner_mode(r, d, "", 5, 6, 0), 0);
	check(r, "d", S_IFDIR, 5, 6);

	assert_int_equal(co_root_mknod(r, d, "null", S_IFCHR | 0666, 1, 3), 0);
	assert_int_equal(co_root_stat(r, d, "null", &m), 0);
	assert_int_equal(m.mode, S_IFCHR | 0666);
	assert_int_equal(m.dev_major, 1);
	assert_int_equal(m.dev_minor, 3);
	assert_int_equal(co_root_set_owner_mode(r, d, "null", 7, 8, 0600), 0);
	assert_int_equal(co_root_stat(r, d, "null", &m), 0);
	assert_int_equal(m.mode, S_IFCHR | 0600);
	assert_int_equal(m.dev_minor, 3);
	assert_int_equal(co_root_mknod(r, d, "pipe", S_IFIFO | 0222, 0, 0), 0);
	assert_int_equal(co_root_stat(r, d, "pipe", &m), 0);
	assert_int_equal(m.mode, S_IFIFO | 0222);
	assert_int_equal(disk_mode(d, "pipe"), S_IFIFO | 0622);

	assert_int_equal(co_root_symlink(r, r->fd, "l", "d"), 0);
	check(r, "l", S_IFLNK | 0777, 0, 0);
	assert_int_equal(co_root_set_owner_mode(r, r->fd, "l", 1, 2, 0), 0);
	check(r, "l", S_IFLNK | 0777, 1, 2);
	assert_int_equal(co_root_remove(r, r->fd, "d"), 0);
	assert_int_equal(co_root_remove(r, r->fd, "l"), 0);
}

static void root_attributes(const struct co_root *r)
{
	char buf[200];
	static const unsigned char cap3[24] = {0, 0, 0, 3};
	auto_fd f = co_root_create(r, r->fd, "x", 0400);
	assert_true(f >= 0);
	assert_int_equal(co_root_symlink(r, r->fd, "y", "x"), 0);
	assert_int_equal(co_root_setxattr(r, r->fd, "x", "user.n", "v", 1), 0);
	assert_int_equal(co_root_setxattr(r, r->fd, "x", "security.capability", cap3, 24), 0);
	assert_int_equal(co_root_setxattr(r, r->fd, "y", "user.n", "link", 4), 0);
	assert_int_equal(co_root_setxattr(r, r->fd, "x", "trusted.t", "t", 1), 0);
	assert_int_equal(co_root_getxattr(r, r->fd, "x", "user.n", buf, sizeof(buf)), 1);
	assert_int_equal(co_root_getxattr(r, r->fd, "x", "security.capability", buf, 200), 20);
	assert_int_equal(buf[3], 2);
	assert_int_equal(co_root_getxattr(r, r->fd, "y", "user.n", buf, sizeof(buf)), 4);
	assert_int_equal(co_root_getxattr(r, f, "", "trusted.t", buf, sizeof(buf)), 1);
	ssize_t n = co_root_listxattr(r, r->fd, "x", buf, sizeof(buf));
	assert_int_equal(n, (ssize_t)sizeof("user.n\0security.capability\0trusted.t"));
	assert_int_equal(co_root_listxattr(r, r->fd, "x", NULL, 0), n);
	check(r, "x", S_IFREG | 0400, 0, 0);
	assert_int_equal(co_root_remove(r, r->fd, "x"), 0);
	assert_int_equal(co_root_remove(r, r->fd, "y"), 0);
}

static void with_root(void (*fn)(const struct co_root *))
{
	char path[] = "/var/tmp/owntab-XXXXXX";
	assert_non_null(mkdtemp(path));
	struct co_root r = {.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    .owners = fresh()};
	fn(&r);
	co_owntab_close(r.owners);
	co_root_close(&r);
	assert_int_equal(rmdir(path), 0);
}

static void root_claims(void **state)
{
	(void)state;
	with_root(root_objects);
	with_root(root_attributes);
}

#define NO_FILTER 77
/* An old seccomp profile answers EPERM to statx: the key then has no birth time. */
static void without_statx(void **state)
{
	(void)state;
	pid_t p = fork();
	if (p == 0) {
		struct sock_filter f[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_statx, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
		struct sock_fprog prog = {4, f};
		struct statx x;
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			_exit(3);
		/* an emulator of another processor has none */
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
			_exit(errno == EINVAL || errno == ENOSYS ? NO_FILTER : 3);
		if (statx(AT_FDCWD, "/", 0, 0, &x) == 0)
			_exit(4);
		with_root(root_objects);
		with_root(root_attributes);
		_exit(0);
	}
	int status;
	waitpid(p, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_get_remove), cmocka_unit_test(changes_take_no_room),
		cmocka_unit_test(attributes),	  cmocka_unit_test(killed_writers),
		cmocka_unit_test(hostile_memory), cmocka_unit_test(on_file),
		cmocka_unit_test(root_claims),	  cmocka_unit_test(without_statx)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
