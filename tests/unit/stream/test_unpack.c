/* SPDX-License-Identifier: MIT
 *
 * test_unpack.c — every attack of docs/security.md on unpacking, as a row: an archive, a mode, what
 * must come of it. After each row the world outside the root must be as it was.
 */
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <cooper/root.h>
#include <cooper/tar.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <cmocka.h>
#include "rawtar.h"

#define FLAT	CO_UNPACK_FLAT
#define OVERLAY CO_UNPACK_OVERLAY
#define PLAIN	CO_UNPACK_PLAIN

/* A world: DIR/root is unpacked into, DIR/outside must never change. */
struct world {
	char dir[64];
	struct co_root root;
};

static void run_sh(const char *dir, const char *script)
{
	char cmd[2048];

	snprintf(cmd, sizeof(cmd), "cd %s && { %s; }", dir, script);
	assert_int_equal(system(cmd), 0);
}

static void world_open(struct world *w)
{
	char path[80];

	strcpy(w->dir, "/tmp/cooper-unpack-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	run_sh(w->dir, "mkdir root outside && echo safe >outside/sentinel && mkdir outside/d &&"
		       "touch -d @1 outside outside/d outside/sentinel .");
	snprintf(path, sizeof(path), "%s/root", w->dir);
	w->root = (struct co_root){.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	assert_true(w->root.fd >= 0);
}

static void world_close(struct world *w)
{
	/* Names, contents, modes and times of everything that is not the root. */
	run_sh(w->dir, "test \"$(ls -A . outside outside/d | tr '\\n' ' ')\" = "
		       "'.: outside root  outside: d sentinel  outside/d: ' &&"
		       "test \"$(cat outside/sentinel)\" = safe &&"
		       "test \"$(stat -c %Y%a outside outside/d outside/sentinel | sort -u | wc "
		       "-l)\" = 2 &&"
		       "test $(stat -c %Y outside) = 1 && test $(stat -c %Y outside/d) = 1");
	close(w->root.fd);
	run_sh(w->dir, "chmod -R u+rwx . && rm -rf ../$(basename $PWD)");
}

static int unpack_buf(struct world *w, const struct co_buf *tar, enum co_unpack_mode mode,
		      const char *dest, struct co_err *err)
{
	struct co_tar_reader *r;
	struct co_unpack u = {.mode = mode, .root = &w->root, .dest = dest};
	int c;

	c = co_tar_reader_open(&r, co_stream_mem(tar->data, tar->len), NULL, err);
	if (c < 0)
		return c;
	c = co_unpack(r, &u, err);
	co_tar_reader_close(r);
	return c;
}

static int unpack_spec(struct world *w, const char *spec, enum co_unpack_mode mode,
		       struct co_err *err)
{
	auto_buf tar = CO_BUF_INIT(64u << 20);

	raw_members(&tar, spec);
	raw_end(&tar);
	return unpack_buf(w, &tar, mode, "", err);
}

/* One "path kind rest" of a row's expectation; see the table. */
static void check_one(struct world *w, const char *text)
{
	char path[256], *at, real[300], link[512] = "";
	struct stat st;
	int found;

	snprintf(path, sizeof(path), "%s", text + 2);
	at = strpbrk(path, "=>");
	if (at)
		*at++ = 0;
	found = fstatat(w->root.fd, path, &st, AT_SYMLINK_NOFOLLOW);
	if (text[0] == '!') {
		assert_int_equal(found, -1);
		return;
	}
	if (found < 0)
		fail_msg("%s is missing", path);
	switch (text[0]) {
	case 'f':
		assert_true(S_ISREG(st.st_mode));
		snprintf(real, sizeof(real), "%s", at ? at : "");
		if (at) {
			auto_fd fd = openat(w->root.fd, path, O_RDONLY);

			assert_int_equal(read(fd, link, sizeof(link)), strlen(at));
			assert_memory_equal(link, at, strlen(at));
		}
		break;
	case 'd':
		assert_true(S_ISDIR(st.st_mode));
		break;
	case 'l':
		assert_true(S_ISLNK(st.st_mode));
		assert_true(readlinkat(w->root.fd, path, link, sizeof(link) - 1) > 0);
		assert_string_equal(link, at);
		break;
	case 'w': /* overlay whiteout */
		assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
		break;
	case 'h': { /* the same file as */
		struct stat other;

		assert_int_equal(fstatat(w->root.fd, at, &other, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_ino, other.st_ino);
		break;
	}
	case 'o': { /* opaque directory */
		auto_fd fd = openat(w->root.fd, path, O_RDONLY | O_DIRECTORY);

		assert_int_equal(fgetxattr(fd, "user.overlay.opaque", link, sizeof(link)), 1);
		assert_int_equal(link[0], 'y');
		break;
	}
	default:
		fail_msg("test table: %s", text);
	}
}

struct row {
	const char *id;
	enum co_unpack_mode mode;
	int code; /* expected of the last archive */
	const char
		*want; /* "f path=content | d path | l path>target | h path>same | w p | ! path" */
	const char *first; /* unpacked before, NULL: nothing */
	const char *spec;
};

static const struct row rows[] = {
#include "unpack_rows.inc"
};

static void check_row(const struct row *row)
{
	struct world w;
	struct co_err err = CO_ERR_INIT;
	char *copy = strdup(row->want), *rest = copy, *part;

	world_open(&w);
	/* Layers of an overlay lie in directories of their own; here they share one on purpose. */
	if (row->first)
		assert_int_equal(unpack_spec(&w, row->first, row->mode, &err), 0);
	if (unpack_spec(&w, row->spec, row->mode, &err) != row->code)
		fail_msg("%s: code %d, wanted %d: %s", row->id, err.code, row->code, err.msg);
	while ((part = strsep(&rest, "|"))) {
		size_t len;

		part += strspn(part, " ");
		len = strlen(part);
		if (len && part[len - 1] == ' ')
			part[len - 1] = 0;
		if (*part)
			check_one(&w, part);
	}
	free(copy);
	world_close(&w);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].id);
		check_row(&rows[i]);
	}
}

/* The same table with openat2 switched off. */
static void test_rows_walk(void **state)
{
	(void)state;
	co_inroot_force_walk(true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(&rows[i]);
	co_inroot_force_walk(false);
}

static void test_metadata(void **state)
{
	struct world w;
	struct co_err err = CO_ERR_INIT;
	struct stat st;
	char spec[256];

	(void)state;
	world_open(&w);
	snprintf(spec, sizeof(spec),
		 "d .@%u,%u,750 | d a@%u,%u,3777 | f a/s@%u,%u,4755=x | l a/l>s | f z@%u,%u,0=q |"
		 "d ro@%u,%u,500 | f ro/in=1",
		 geteuid(), getegid(), geteuid(), getegid(), geteuid(), getegid(), geteuid(),
		 getegid(), geteuid(), getegid());
	assert_int_equal(unpack_spec(&w, spec, FLAT, &err), 0);
	assert_int_equal(fstat(w.root.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(fstatat(w.root.fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 03777);
	assert_int_equal(st.st_mtime, 1000000000);
	assert_int_equal(fstatat(w.root.fd, "a/s", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(st.st_mtime, 1000000000);
	assert_int_equal(fstatat(w.root.fd, "a/l", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mtime, 1000000000);
	assert_int_equal(fstatat(w.root.fd, "z", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0);
	assert_int_equal(fstatat(w.root.fd, "ro", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0500);
	world_close(&w);
}

static void test_umask(void **state)
{
	mode_t old = umask(077);
	struct world w;
	struct co_err err = CO_ERR_INIT;
	struct stat st;

	(void)state;
	world_open(&w);
	assert_int_equal(unpack_spec(&w, "f p/q/f=1 | d d | p fifo", FLAT, &err), 0);
	assert_int_equal(fstatat(w.root.fd, "p/q", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(w.root.fd, "p/q/f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(fstatat(w.root.fd, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(w.root.fd, "fifo", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	world_close(&w);
	umask(old);
}

/* ADD: below a destination, with owners replaced; absolute names stay below it. */
static void test_plain_dest(void **state)
{
	auto_buf tar = CO_BUF_INIT(1u << 20);
	struct world w;
	struct co_err err = CO_ERR_INIT;

	(void)state;
	raw_members(&tar, "d . | f .wh.x=1 | f /abs=2 | f s/f=3 | h hard>s/f | h hard2>/s/f");
	raw_end(&tar);
	world_open(&w);
	assert_int_equal(unpack_buf(&w, &tar, PLAIN, "/opt//app/", &err), 0);
	check_one(&w, "f opt/app/.wh.x=1");
	check_one(&w, "f opt/app/abs=2");
	check_one(&w, "h opt/app/hard>opt/app/s/f");
	check_one(&w, "h opt/app/hard2>opt/app/s/f");
	world_close(&w);
}

/* A destination that is a link inside the root leads inside. */
static void test_plain_dest_link(void **state)
{
	auto_buf tar = CO_BUF_INIT(1u << 20);
	struct world w;
	struct co_err err = CO_ERR_INIT;

	(void)state;
	raw_members(&tar, "f f=1 | d sub");
	raw_end(&tar);
	world_open(&w);
	run_sh(w.dir, "mkdir root/outside && ln -s ../../../../../outside root/link");
	assert_int_equal(unpack_buf(&w, &tar, PLAIN, "link", &err), 0);
	check_one(&w, "f outside/f=1");
	world_close(&w);
}

static void test_owner(void **state)
{
	auto_buf tar = CO_BUF_INIT(1u << 20);
	struct world w;
	struct co_err err = CO_ERR_INIT;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	raw_members(&tar, "d d@5,6,755 | f d/f@7,8,6755=1 | l d/l>f");
	raw_end(&tar);
	world_open(&w);
	if (unpack_buf(&w, &tar, FLAT, "", &err) < 0) {
		world_close(&w);
		skip(); /* a namespace with one id */
	}
	assert_int_equal(fstatat(w.root.fd, "d", &st, 0), 0);
	assert_int_equal(st.st_uid, 5);
	assert_int_equal(st.st_gid, 6);
	assert_int_equal(fstatat(w.root.fd, "d/f", &st, 0), 0);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_mode & 07777, 06755);
	world_close(&w);
}

/* New files in a set-gid directory must not keep its group. */
static void test_set_gid_parent(void **state)
{
	struct world w;
	struct co_err err = CO_ERR_INIT;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	world_open(&w);
	if (unpack_spec(&w, "d d@0,6,2755 | f d/f@0,0,644=1 | d d/e@0,0,755", FLAT, &err) < 0) {
		world_close(&w);
		skip();
	}
	assert_int_equal(fstatat(w.root.fd, "d/f", &st, 0), 0);
	assert_int_equal(st.st_gid, 0);
	assert_int_equal(fstatat(w.root.fd, "d/e", &st, 0), 0);
	assert_int_equal(st.st_gid, 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	world_close(&w);
}

static void test_xattr(void **state)
{
	auto_buf tar = CO_BUF_INIT(1u << 20);
	struct world w;
	struct co_err err = CO_ERR_INIT;
	char value[64];

	(void)state;
	world_open(&w);
	if (fsetxattr(w.root.fd, "user.probe", "1", 1, 0) < 0) {
		world_close(&w);
		skip();
	}
	raw_pax(&tar, "SCHILY.xattr.user.a", "one\0two\n=", 9);
	raw_members(&tar, "f f=1");
	raw_pax(&tar, "SCHILY.xattr.user.overlay.opaque", "y", 1);
	raw_members(&tar, "d d");
	raw_pax(&tar, "SCHILY.xattr.user.overlay.redirect", "/etc", 4);
	raw_members(&tar, "d e");
	raw_end(&tar);
	assert_int_equal(unpack_buf(&w, &tar, OVERLAY, "", &err), 0);
	{
		auto_fd f = openat(w.root.fd, "f", O_RDONLY);
		auto_fd d = openat(w.root.fd, "d", O_RDONLY);
		auto_fd e = openat(w.root.fd, "e", O_RDONLY);

		assert_int_equal(fgetxattr(f, "user.a", value, sizeof(value)), 9);
		assert_memory_equal(value, "one\0two\n=", 9);
		assert_int_equal(fgetxattr(d, "user.overlay.opaque", value, sizeof(value)), -1);
		assert_int_equal(fgetxattr(e, "user.overlay.redirect", value, sizeof(value)), -1);
	}
	world_close(&w);
}

/* An archive that breaks off, then a good one: nothing of the first is followed (CVE-2026-44517).
 */
static void test_partial(void **state)
{
	auto_buf tar = CO_BUF_INIT(1u << 20);
	struct world w;
	struct co_err err = CO_ERR_INIT;

	(void)state;
	world_open(&w);
	raw_members(&tar, "l Dockerfile>/outside/sentinel | l d>../outside | f big=0123456789");
	co_buf_cut(&tar, tar.len - 300);
	assert_int_equal(unpack_buf(&w, &tar, FLAT, "", &err), CO_E_INVALID);
	co_err_clear(&err);
	assert_int_equal(unpack_spec(&w, "f Dockerfile=FROM | d d | f d/x=1", FLAT, &err), 0);
	check_one(&w, "f Dockerfile=FROM");
	check_one(&w, "f d/x=1");
	world_close(&w);
}

/* Holes stay holes. */
static void test_sparse(void **state)
{
	static const char map[] = "1\n10485760\n512\n";
	auto_buf tar = CO_BUF_INIT(1u << 20);
	struct raw_member m = {.type = '0', .name = "GNUSparseFile.0/x", .mode = 0644};
	char body[1024] = {0};
	struct world w;
	struct co_err err = CO_ERR_INIT;
	struct stat st;
	char byte;

	(void)state;
	memcpy(body, map, sizeof(map));
	memset(body + 512, 'D', 512);
	m.uid = geteuid();
	m.gid = getegid();
	m.data = body;
	m.size = sizeof(body);
	world_open(&w);
	{
		static const char records[] =
			"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
			"23 GNU.sparse.name=abc\n32 GNU.sparse.realsize=20971520\n";
		struct raw_member x = {.type = 'x', .name = "PaxHeaders", .data = records};

		x.size = sizeof(records) - 1;
		raw_add(&tar, &x);
	}
	raw_add(&tar, &m);
	raw_end(&tar);
	assert_int_equal(unpack_buf(&w, &tar, FLAT, "", &err), 0);
	assert_int_equal(fstatat(w.root.fd, "abc", &st, 0), 0);
	assert_int_equal(st.st_size, 20971520);
	assert_true(st.st_blocks < 4096);
	{
		auto_fd fd = openat(w.root.fd, "abc", O_RDONLY);

		assert_int_equal(pread(fd, &byte, 1, 10485760), 1);
		assert_int_equal(byte, 'D');
		assert_int_equal(pread(fd, &byte, 1, 10485760 + 512), 1);
		assert_int_equal(byte, 0);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	   cmocka_unit_test(test_rows_walk),
		cmocka_unit_test(test_metadata),   cmocka_unit_test(test_umask),
		cmocka_unit_test(test_plain_dest), cmocka_unit_test(test_plain_dest_link),
		cmocka_unit_test(test_owner),	   cmocka_unit_test(test_set_gid_parent),
		cmocka_unit_test(test_xattr),	   cmocka_unit_test(test_partial),
		cmocka_unit_test(test_sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
