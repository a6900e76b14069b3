/* SPDX-License-Identifier: MIT
 *
 * The commit time of a work tree, read from repositories that git made in every way it knows, and
 * from such as nobody should have made. Expected is what git says itself.
 */
#include "../../../builder/fetch/git-read.h"
#include <cooper/auto.h>
#include <cooper/fetch.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static char top[] = "/tmp/cooper-git-XXXXXX";

static int sh(const char *fmt, ...)
{
	auto_buf b = CO_BUF_INIT(1u << 20);
	char text[65536];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	co_buf_addf(&b, "cd %s && set -e; %s", top, text);
	return system(co_buf_str(&b));
}

static int64_t asked(const char *dir)
{
	char cmd[400], line[64] = "";
	snprintf(cmd, sizeof(cmd), "git -C %s/%s log -1 --format=%%ct", top, dir);
	FILE *f = popen(cmd, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_int_equal(pclose(f), 0);
	return strtoll(line, NULL, 10);
}

static int look(const char *dir, int64_t *when, struct co_err *err)
{
	char path[400];
	snprintf(path, sizeof(path), "%s/%s", top, dir);
	auto_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	co_err_clear(err);
	return co_git_commit_time(when, fd, err);
}

/* What git says, we say. */
static void same(const char *dir)
{
	struct co_err err = CO_ERR_INIT;
	int64_t got = -1;
	int r = look(dir, &got, &err);
	if (r != 1)
		print_error("%s: %d %s\n", dir, r, err.msg);
	assert_int_equal(r, 1);
	assert_int_equal(got, asked(dir));
}

static int refused(const char *dir)
{
	struct co_err err = CO_ERR_INIT;
	int64_t got = -7;
	int r = look(dir, &got, &err);
	assert_int_equal(got, -7);
	if (r < 0)
		assert_true(err.msg[0]);
	return r;
}

/* n commits, 1000 s apart, with a long message that differs little. */
static void make_repo(const char *name, const char *init, int n)
{
	assert_int_equal(
		sh("git init -q %s %s; cd %s; i=0; while [ $i -lt %d ]; do i=$((i+1)); echo $i >f; "
		   "git add f; { echo commit $i; seq 1 300; } >../msg; "
		   "GIT_COMMITTER_DATE=\"$((1600000000 + i * 1000)) +0200\" "
		   "GIT_AUTHOR_DATE='1500000000 +0000' git commit -q -F ../msg; done",
		   init, name, name, n),
		0);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	static const char *const who[] = {"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL",
					  "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"};
	for (size_t i = 0; i < 4; i++)
		setenv(who[i], "a > 1 +0000 <b", 1);
	setenv("GIT_CONFIG_COUNT", "1", 1);
	setenv("GIT_CONFIG_KEY_0", "protocol.file.allow", 1);
	setenv("GIT_CONFIG_VALUE_0", "always", 1);
	make_repo("one", "", 12);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	struct co_err err = CO_ERR_INIT;
	return co_remove_tree(AT_FDCWD, top, &err);
}

static void test_loose(void **state)
{
	(void)state;
	same("one");
	assert_int_equal(sh("mkdir -p one/a/b"), 0);
	same("one/a/b");
	assert_int_equal(sh("cp -r one detached; cd detached; git checkout -q --detach HEAD~3"), 0);
	same("detached");
	assert_int_equal(asked("detached"), 1600009000);
	assert_int_equal(sh("cp -r one packed-refs; cd packed-refs; git checkout -q -b x/y; "
			    "git pack-refs --all; test ! -f .git/refs/heads/x/y; "
			    "mkdir -p .git/refs/heads/x/y"),
			 0);
	same("packed-refs");
	/* as HEAD once was */
	assert_int_equal(sh("cp -r one link; cd link; ref=$(sed 's/ref: //' .git/HEAD); "
			    "rm .git/HEAD; ln -s $ref .git/HEAD"),
			 0);
	same("link");
}

static void test_packs(void **state)
{
	(void)state;
	assert_int_equal(sh("cp -r one gc; git -C gc gc -q --aggressive --prune=now; "
			    "test ! -e gc/.git/objects/??"),
			 0);
	same("gc");
	/* an older commit is a delta of a newer one; of some length */
	for (int i = 1; i < 12; i++) {
		assert_int_equal(sh("git -C gc checkout -q --detach HEAD~1"), 0);
		same("gc");
	}
	assert_int_equal(sh("cd gc; git verify-pack -v .git/objects/pack/*.idx | "
			    "grep -q 'commit .* [1-9][0-9]* [0-9a-f]\\{40\\}$'"),
			 0);
	assert_int_equal(sh("cp -r gc refs; cd refs; git -c repack.useDeltaBaseOffset=false "
			    "repack -q -adf --window=50"),
			 0);
	same("refs");
	assert_int_equal(sh("cp -r gc v1; cd v1; git -c pack.indexVersion=1 repack -q -adf"), 0);
	same("v1");
	assert_int_equal(
		sh("cp -r one some; cd some; git repack -q; "
		   "GIT_COMMITTER_DATE='1700000000 +0000' git commit -q --allow-empty -m x;"
		   "git repack -q; git multi-pack-index write; git prune-packed"),
		0);
	same("some");
	/* places beyond 2 GiB are kept in a table of their own */
	assert_int_equal(sh("cp -r gc far; cd far; p=$(ls .git/objects/pack/*.pack); "
			    "git index-pack --index-version=2,0x40 -o x.idx $p >/dev/null; "
			    "! cmp -s x.idx ${p%%.pack}.idx; mv -f x.idx ${p%%.pack}.idx"),
			 0);
	same("far");
}

static void test_kinds(void **state)
{
	(void)state;
	assert_int_equal(sh("git clone -q --depth=1 file://$PWD/one shallow; "
			    "git clone -q --shared one shared; git clone -q one sub-origin; "
			    "git clone -q --shared shared sharing"),
			 0);
	same("shallow");
	same("shared");
	same("sharing");
	assert_int_equal(sh("cd one; git worktree add -q ../tree HEAD~5; mkdir ../tree/d"), 0);
	same("tree");
	same("tree/d");
	assert_true(asked("tree") != asked("one"));
	assert_int_equal(sh("git init -q outer; cd outer; git submodule --quiet add "
			    "../sub-origin sub 2>/dev/null; GIT_COMMITTER_DATE='1800000000 +0000' "
			    "git commit -q -m sub"),
			 0);
	same("outer");
	same("outer/sub");
	assert_true(asked("outer") != asked("outer/sub"));
	make_repo("long", "--object-format=sha256", 3);
	same("long");
	assert_int_equal(sh("cd long; git gc -q --aggressive --prune=now; git checkout -q "
			    "--detach HEAD~2"),
			 0);
	same("long");
}

static void test_nothing(void **state)
{
	(void)state;
	assert_int_equal(sh("mkdir plain; git init -q unborn; git init -q --bare bare.git"), 0);
	assert_int_equal(refused("plain"), 0);
	assert_int_equal(refused("unborn"), 0);
	assert_int_equal(refused("bare.git"), 0);
	/* something called .git that is none is passed over */
	assert_int_equal(sh("mkdir -p one/in/.git one/in2; mkfifo one/in2/.git"), 0);
	same("one/in");
	same("one/in2");
}

static void test_broken(void **state)
{
	(void)state;
	assert_int_equal(
		sh("for i in head ref garbage gone cut table escape loop fifo bomb big; "
		   "do cp -r one b-$i; done; head=$(git -C one rev-parse HEAD); "
		   "obj=.git/objects/$(echo $head | sed 's,^..,&/,'); "
		   "echo rubbish >b-head/.git/HEAD; "
		   "for i in gone cut garbage bomb big; do chmod u+w b-$i/$obj; done; "
		   "rm b-gone/$obj; truncate -s 40 b-cut/$obj; "
		   "echo 0123456789 >b-garbage/$obj; "
		   "echo $obj >object; "
		   "echo x >b-ref/.git/$(sed 's/ref: //' one/.git/HEAD); "
		   "echo 'ref: refs/heads/.invalid' >b-table/.git/HEAD; "
		   "echo 'ref: refs/../../secret' >b-escape/.git/HEAD; "
		   "echo 'ref: refs/heads/l' | tee b-loop/.git/HEAD >b-loop/.git/refs/heads/l;"
		   "rm b-fifo/.git/HEAD; mkfifo b-fifo/.git/HEAD"),
		0);
	static const char *const names[] = {"b-head",  "b-ref",	   "b-garbage", "b-gone", "b-cut",
					    "b-table", "b-escape", "b-loop",	"b-fifo"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (refused(names[i]) >= 0)
			fail_msg("%s was read", names[i]);
	assert_int_equal(sh("mkdir nowhere; echo 'gitdir: /no/such/place' >nowhere/.git; "
			    "mkdir nothing; echo hello >nothing/.git"),
			 0);
	assert_true(refused("nowhere") < 0);
	assert_true(refused("nothing") < 0);
	/* alternates in a circle and to nowhere */
	assert_int_equal(sh("cp -r b-gone circle; cd circle/.git/objects/info; "
			    "printf '../../objects\\n%%s/b-gone/.git/objects\\n/no/such\\n' %s "
			    ">alternates; cp alternates %s/b-gone/.git/objects/info/",
			    top, top),
			 0);
	assert_int_equal(refused("circle"), CO_E_NOT_FOUND);
}

static void put(const char *name, const void *data, size_t len)
{
	struct co_err err = CO_ERR_INIT;
	char path[400];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(co_write_file(AT_FDCWD, path, data, len, 0644, &err), 0);
}

/* A file that inflates to much more than any commit. */
static void test_bomb(void **state)
{
	(void)state;
	size_t size = 200u << 20;
	auto_free char *text = calloc(1, size);
	uLongf len = compressBound(size);
	auto_free Bytef *packed = malloc(len);
	assert_true(text && packed);
	snprintf(text, 64, "commit %zu", size - 17);
	assert_int_equal(compress(packed, &len, (const Bytef *)text, size), Z_OK);
	put("bomb", packed, len);
	assert_int_equal(sh("mv -f bomb b-bomb/$(cat object)"), 0);
	assert_int_equal(refused("b-bomb"), CO_E_LIMIT);
}

/* A commit that is a delta of itself, and of everything else that is wrong with deltas. */
static void test_bad_deltas(void **state)
{
	(void)state;
	static const unsigned char deltas[][12] = {
		{5, 5, 0x90, 5}, /* itself */
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	};
	struct co_err err = CO_ERR_INIT;
	struct git_id id = {.len = 20, .bytes = {1, 2, 3}};
	for (size_t i = 0; i < 2; i++) {
		unsigned char pack[200] = "PACK\0\0\0\2\0\0\0\1", idx[2000] = {0};
		uLongf len = 100;
		pack[12] = 0x7c - (i == 0) * 8; /* REF_DELTA, 12 or 4 bytes */
		memcpy(pack + 13, id.bytes, 20);
		assert_int_equal(compress(pack + 33, &len, deltas[i], i ? 12 : 4), Z_OK);
		for (size_t k = 1; k < 256; k++)
			idx[4 * k + 3] = 1;
		idx[1024 + 3] = 12;
		memcpy(idx + 1028, id.bytes, 20);
		assert_int_equal(sh("rm -rf hand; git init -q hand; cd hand; "
				    "echo 0102030000000000000000000000000000000000 >.git/HEAD"),
				 0);
		put("hand/.git/objects/pack/pack-x.pack", pack, sizeof(pack));
		put("hand/.git/objects/pack/pack-x.idx", idx, 1048 + 40);
		int r = refused("hand");
		assert_true(r == CO_E_LIMIT || r == CO_E_INVALID);
	}
	struct git_objects o = {.budget = 100};
	auto_buf base = CO_BUF_INIT(10), delta = CO_BUF_INIT(100), out = CO_BUF_INIT(10);
	co_buf_add(&base, "hello", 5);
	static const char *const bad[] = {"\5\5\x91\1\5", "\5\5\x90\4", "\5\5\0",   "\5\5\x05h",
					  "\4\5\x90\5",	  "\5\3\x90\5", "\5\5\x9f", "\5"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		co_buf_clear(&delta);
		co_buf_add(&delta, bad[i], strlen(bad[i]) + (i == 2));
		if (git_delta_apply(&o, &base, &delta, &out, &err) == 0)
			fail_msg("delta %zu was applied", i);
		co_buf_release(&out);
	}
	co_buf_clear(&delta);
	co_buf_adds(&delta, "\5\7\x90\5\2!!");
	assert_int_equal(git_delta_apply(&o, &base, &delta, &out, &err), 0);
	assert_string_equal(co_buf_str(&out), "hello!!");
}

/* Any byte may be another one. */
static void test_mutations(void **state)
{
	(void)state;
	static const char *const ends[] = {"idx", "pack"};
	assert_int_equal(sh("cp -r gc mutant; cd mutant/.git/objects/pack; chmod u+w *; "
			    "mv *.idx p.idx; mv *.pack p.pack; ls >/dev/null"),
			 0);
	unsigned seed = 4711;
	for (int f = 0; f < 2; f++) {
		char path[400];
		auto_free char *data = NULL;
		size_t len;
		struct co_err err = CO_ERR_INIT;
		int64_t when;
		snprintf(path, sizeof(path), "%s/mutant/.git/objects/pack/p.%s", top, ends[f]);
		assert_int_equal(co_read_file(AT_FDCWD, path, 1u << 20, &data, &len, &err), 0);
		auto_fd fd = open(path, O_RDWR | O_CLOEXEC);
		assert_true(fd >= 0);
		for (int i = 0; i < 1500; i++) {
			seed = seed * 1103515245 + 12345;
			size_t at = (seed >> 8) % len;
			char c = (char)(seed >> 3);
			assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
			int r = look("mutant", &when, &err); /* whatever it says, it ends */
			assert_true(r <= 1);
			assert_int_equal(pwrite(fd, data + at, 1, (off_t)at), 1);
		}
	}
	same("mutant");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loose),	   cmocka_unit_test(test_packs),
		cmocka_unit_test(test_kinds),	   cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_broken),	   cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_bad_deltas), cmocka_unit_test(test_mutations),
	};
	return cmocka_run_group_tests_name("git_commit", tests, setup, teardown);
}
