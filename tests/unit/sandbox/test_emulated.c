/* SPDX-License-Identifier: MIT
 *
 * The sandboxes without namespaces: "emulated" as an ordinary user with nothing, "chroot" as root.
 */
#include "world.h"
#include <sys/socket.h>
#include <sys/un.h>

struct kind {
	const char *name;
	bool root;
};
static const struct kind kinds[] = {{"emulated", false}, {"chroot", true}};

static bool possible(const struct kind *k)
{
	return !k->root || getuid() == 0;
}

static void become_builder(const struct kind *k)
{
	if (!k->root && getuid() == 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(TEST_UID, TEST_UID, TEST_UID) < 0 ||
	     setresuid(TEST_UID, TEST_UID, TEST_UID) < 0))
		_exit(99);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* as the builder itself does */
	prctl(PR_SET_DUMPABLE, 0);
}

static int run_it(struct world *w, const struct kind *k, struct job *j, struct outcome *o)
{
	struct co_bus bus = {collect, o};
	struct co_sandbox *s;
	const char *env[] = {"PATH=/bin", "HOME=/root", NULL};
	const char *argv[] = {"/bin/sh", "-c", j->script, NULL};
	struct co_root root = {.fd = open(w->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	int r = co_sandbox_open(&s, k->name, CO_PLACE_NONE, &bus, &o->err);
	if (!r && co_sandbox_wants_owners(s))
		r = co_owntab_create(&root.owners, NULL, &o->err);
	if (r < 0)
		return r;
	if (j->before)
		j->before(w, j);
	if (!j->run.argv)
		j->run.argv = argv;
	j->run.env = env;
	if (!j->run.cwd)
		j->run.cwd = "/";
	for (int i = 0; r == 0 && i < (j->times ? j->times : 1); i++)
		r = co_sandbox_run(s, &root, &j->run, &o->res, &o->err);
	co_sandbox_close(s);
	return r;
}

static pid_t start(struct world *w, const struct kind *k, struct job *j, struct outcome *o)
{
	memset(o, 0, sizeof(*o));
	o->code = 1;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	become_builder(k);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	o->code = run_it(w, k, j, o);
	_exit(0);
}

static void finish(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("the builder of a test died: %#x", (unsigned)status);
}

static void each(void (*fn)(struct world *, const struct kind *, struct outcome *))
{
	struct outcome *o = outcome_new();
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		if (!possible(&kinds[i]))
			continue;
		world_open(&w, kinds[i].root ? AS_ROOT : AS_SINGLE);
		fn(&w, &kinds[i], o);
		world_close(&w);
	}
	munmap(o, sizeof(*o));
}

static void expect(const struct outcome *o, const char *text)
{
	if (o->code || strcmp(o->out, text))
		fail_msg("code %d (%s), output:\n%s\ninstead of:\n%s", o->code, o->err.msg, o->out,
			 text);
}

static void one_step(struct world *w, const struct kind *k, struct outcome *o, const char *script,
		     const char *text)
{
	struct job j = {.script = script};
	finish(start(w, k, &j, o));
	expect(o, text);
}

static void looks_like_root(struct world *w, const struct kind *k, struct outcome *o)
{
	one_step(w, k, o,
		 "id -u; cd /tmp; touch f; chown 1:2 f; chmod 4711 f; stat -c '%u:%g %a' f; pwd; "
		 "mknod n c 1 3 && stat -c '%F %t:%T' n; ls /dev | tr '\\n' ' '; echo; "
		 "echo x >/dev/null; test -c /dev/null && echo device; cat /proc/self/comm; "
		 "su app -c 'id -u; cat f 2>/dev/null || echo denied; touch /etc/x 2>/dev/null || "
		 "echo denied'; head -c 20 /etc/hosts; exit 0",
		 "0\n1:2 4711\n/tmp\ncharacter special file 1:3\n"
		 "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero \n"
		 "device\ncat\n1000\ndenied\ndenied\n127.0.0.1\tlocalhost ");
}

static void basics(struct world *w, const struct kind *k, struct outcome *o)
{
	struct job j = {.script = "exit 7"};
	finish(start(w, k, &j, o));
	assert_int_equal(o->code, 0);
	assert_int_equal(o->res.status, 7 << 8);
	const char *none[] = {"/none", NULL};
	j = (struct job){.run = {.argv = none}};
	finish(start(w, k, &j, o));
	assert_int_equal(o->code, CO_E_RUN_FAILED);
	assert_int_equal(co_err_exit(&o->err), 1);
	j = (struct job){.script = "id -u; id -g; pwd; touch mine 2>&1",
			 .run = {.uid = 1000, .gid = 1000, .cwd = "/tmp"}};
	finish(start(w, k, &j, o));
	expect(o, "1000\n1000\n/tmp\n");
	j = (struct job){.script = "cat", .run = {.stdin_data = "hello", .stdin_len = 5}};
	finish(start(w, k, &j, o));
	expect(o, "hello");
	j = (struct job){.script = "nc -w 1 127.0.0.1 1 2>&1 | grep -c 'socket\\|supported'",
			 .run = {.net = CO_NET_NONE}};
	finish(start(w, k, &j, o));
	expect(o, "1\n");
}

/* A user's own descriptors can be opened again, and a file is no directory to a user either. */
static void reopened(struct world *w, const struct kind *k, struct outcome *o)
{
	struct job j = {.script =
				"echo out >/dev/stdout; (echo err >/dev/stderr) 2>&1; "
				"echo in | cat /dev/stdin; ls /proc/$$/fd >/dev/null && echo fds; "
				"touch /tmp/f; stat /tmp/f/x 2>&1 | grep -c 'Not a directory'; "
				"mkdir /tmp/f/x 2>&1 | grep -c 'Not a directory'",
			.run = {.uid = 1000, .gid = 1000}};
	finish(start(w, k, &j, o));
	expect(o, "out\nerr\nin\nfds\n1\n1\n");
}

/* A number that the interposer keeps for itself is never given to the step. */
static void many_files(struct world *w, const struct kind *k, struct outcome *o)
{
	one_step(w, k, o,
		 "ulimit -n 2000; cd /tmp; awk 'BEGIN { for (i = 0; i < 1100; i++) print \"x\" "
		 ">\"f\" i; "
		 "for (i = 0; i < 1100; i++) bad += close(\"f\" i) != 0; print bad + 0 }'; "
		 "cat f* | wc -l; rm f*",
		 "0\n1100\n");
}

/* What a hostile step tries; each line that is printed is one that got through. */
static void attacks(struct world *w, const struct kind *k, struct outcome *o)
{
	char script[2048];
	pid_t self = getpid();
	snprintf(script, sizeof(script),
		 "exec 2>/dev/null\n"
		 "cat /proc/%d/environ >/dev/null 2>&1 && echo environ\n"
		 "ls /proc/%d/root/ >/dev/null 2>&1 && echo root\n"
		 "cat /proc/$PPID/environ >/dev/null 2>&1 && echo init\n"
		 "kill -0 %d 2>/dev/null && echo kill\n"
		 "mount -t tmpfs t /tmp 2>/dev/null && echo mount\n"
		 "unshare -U true 2>/dev/null && echo unshare\n"
		 "cat %s/outside/sentinel 2>/dev/null\n"
		 "cat /../../../..%s/outside/sentinel 2>/dev/null\n"
		 "ln -s %s/outside/sentinel /tmp/l; cat /tmp/l 2>/dev/null; rm /tmp/l\n"
		 "cd /proc/self/fd; for f in *; do cat $f/outside/sentinel 2>/dev/null; done\n"
		 "cat /proc/1/root%s/outside/sentinel 2>/dev/null\n"
		 "echo core >/proc/sys/kernel/core_pattern 2>/dev/null && echo core\n"
		 "echo 0 >/sys/kernel/mm/ksm/run 2>/dev/null && echo sys\n"
		 "exit 0",
		 self, self, self, w->dir, w->dir, w->dir, w->dir);
	one_step(w, k, o, script, "");
}

static void until(const char *word, bool want)
{
	for (int i = 0; i < 500 && alive(word) != want; i++)
		co_sleep_ms(10);
	assert_int_equal(alive(word), want);
}

static void ends(struct world *w, const struct kind *k, struct outcome *o)
{
	one_step(w, k, o, "setsid sleep 54331 >/dev/null 2>&1 & sleep 54331 & echo done", "done\n");
	assert_false(alive("54331"));
	struct job j = {.script = "setsid sleep 54332 & sleep 54332", .run = {.timeout_s = 1}};
	finish(start(w, k, &j, o));
	assert_int_equal(o->code, 0);
	assert_true(o->res.timed_out);
	assert_false(alive("54332"));
	j = (struct job){.script = "setsid sleep 54333 & trap '' TERM; sleep 54333; sleep 54333"};
	pid_t pid = start(w, k, &j, o);
	until("54333", true);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	until("54333", false);
	j = (struct job){.script = "yes", .run = {.output = 100000}};
	finish(start(w, k, &j, o));
	assert_true(o->res.output_cut);
	sh(w, "rm -rf /tmp/.cooper-* /dev/shm/.cooper-*");
}

static struct co_mount_op ops[4];
static void open_source(struct world *w, struct job *j)
{
	(void)j;
	ops[0].src_fd = ops[1].src_fd = open(w->root, O_PATH | O_DIRECTORY);
	ops[0].src_fd = openat(ops[1].src_fd, "home", O_PATH | O_DIRECTORY);
	ops[1].src_fd = openat(ops[1].src_fd, "etc", O_PATH | O_DIRECTORY);
}

static void mounts(struct world *w, const struct kind *k, struct outcome *o)
{
	memset(ops, 0, sizeof(ops));
	ops[0] = (struct co_mount_op){.kind = CO_MOP_BIND, .target = "/new/cache"};
	ops[1] = (struct co_mount_op){.kind = CO_MOP_BIND, .target = "/ro", .readonly = true};
	ops[2] = (struct co_mount_op){.kind = CO_MOP_FILE,
				      .target = "/run/secrets/s",
				      .data = "secret",
				      .len = 6,
				      .mode = 0400,
				      .uid = 1000};
	ops[3] = (struct co_mount_op){.kind = CO_MOP_TMPFS, .target = "/scratch", .mode = 01777};
	struct job j = {
		.script =
			"cat /ro/passwd | head -n 1; touch /ro/x 2>/dev/null || echo ro; "
			"cd /ro; touch x 2>/dev/null || echo ro; rm passwd 2>/dev/null || echo ro; "
			"chmod 0 passwd 2>/dev/null || echo ro; cd /; touch /new/cache/kept; "
			"cat /run/secrets/s; echo; stat -c '%u %a' /run/secrets/s; "
			"echo x 2>/dev/null >/run/secrets/s || echo ro; touch /scratch/t; "
			"ls / | grep -c 'scratch\\|new\\|ro$'; rmdir /scratch 2>/dev/null || "
			"echo busy; mv /new/cache /new/c 2>/dev/null || echo busy",
		.run = {.mounts = ops, .n_mounts = 4},
		.before = open_source};
	finish(start(w, k, &j, o));
	expect(o,
	       "root:x:0:0::/root:/bin/sh\nro\nro\nro\nro\nsecret\n1000 400\nro\n3\nbusy\nbusy\n");
	sh(w, "test -e root/home/kept && test ! -e root/new && test ! -e root/ro && "
	      "test ! -e root/scratch && test ! -e root/run && test ! -e root/etc/resolv.conf");
}

/* A user namespace with one id: the names are the kernel's, the ids are virtual. */
static void single_id(const char *script, const char *text)
{
	struct outcome *o = outcome_new();
	struct world w;
	struct job j = {.script = script, .owners = true};
	world_open(&w, AS_SINGLE);
	step(&w, &j, o);
	expect(o, text);
	world_close(&w);
	munmap(o, sizeof(*o));
}

static void test_single_program(void **state)
{
	(void)state;
	single_id(
		"r='/bin/busybox readlink'; $r /proc/self/exe; sleep 9 & sleep 1; $r /proc/$!/exe; "
		"$r /proc/$!/task/$!/exe; kill $!; cd /proc/self; $r exe; $r cwd; cd /; $r "
		"/bin/sh; ln -s /proc/self/exe /tmp/exe; $r /tmp/exe; echo text >/tmp/f; ln -s f "
		"/tmp/l; $r /tmp/l; $r /tmp/f || echo no link; $r /proc/self/none || echo none; "
		"stat -L -c %i /bin/busybox /proc/self/exe | sort -u | wc -l; "
		"test \"$(head -c 500 /proc/self/exe)\" = \"$(head -c 500 /bin/busybox)\" && echo "
		"same; /proc/self/exe 2>&1; mkdir /tmp/bin; /bin/busybox --install -s /tmp/bin; "
		"$r /tmp/bin/ls",
		"/bin/busybox\n/bin/busybox\n/bin/busybox\n/bin/busybox\n/proc/2\nbusybox\n"
		"/proc/self/exe\nf\nno link\nnone\n1\nsame\nexe: applet not found\n/bin/busybox\n");
}

static void test_single_links(void **state)
{
	(void)state;
	single_id(
		"cd /tmp; mkdir d; ln -s d l; ln -s /tmp/l ll; set -C; umask 0777; echo a >l/1; "
		"echo a >ll/2; umask 022; stat -c %a d/1 d/2; (echo b >l/1) 2>/dev/null || echo "
		"exists; ln -s l/none dangling; (echo c >dangling) 2>/dev/null || echo link; "
		"set +C; chown 1000 d; chmod 700 d; echo d >dangling; cat d/none; ln -s ll/app a; "
		"ln -s a aa; ln -s loop loop; ln -s /etc/new out; "
		"su app -c 'cd /tmp; echo e >/tmp/aa; echo f >/tmp/loop; echo g >out; cat "
		"d/app /etc/passwd | head -n 1' 2>&1; "
		"stat -c '%u %a' d/app; ls -A d | tr '\\n' ' '; mkdir shut; chmod 700 shut; cd "
		"shut; "
		"su app -c 'cat /etc/group | head -n 1; cat x 2>&1'; :",
		"0\n0\nexists\nlink\nd\nsh: can't create /tmp/loop: Too many levels of symbolic "
		"links\nsh: can't create out: Permission denied\ne\n1000 644\n1 2 app none "
		"root:x:0:\ncat: can't open 'x': Permission denied\n");
}

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		each(name);                                                                        \
	}
TEST(looks_like_root)
TEST(basics)
TEST(attacks)
TEST(ends)
TEST(mounts)
TEST(many_files)
TEST(reopened)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks_like_root), cmocka_unit_test(test_basics),
		cmocka_unit_test(test_attacks),		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_mounts),		cmocka_unit_test(test_single_program),
		cmocka_unit_test(test_single_links),	cmocka_unit_test(test_many_files),
		cmocka_unit_test(test_reopened)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
