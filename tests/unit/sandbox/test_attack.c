/* SPDX-License-Identifier: MIT
 *
 * test_attack.c — a step tries to get out, and images lie in wait for the builder. Each row is one
 * attack; the machine around the image must be as it was.
 */
#include "world.h"
#include <sys/resource.h>
#include "attack.h"

/* ---- system calls ---- */

/* Puts this program and the libraries it needs into the image. */
static void arm(struct world *w)
{
	sh(w, "cp /proc/$PPID/exe root/attack && chmod 755 root/attack && "
	      "for l in $(ldd root/attack | grep -o '/[^ ]*'); do mkdir -p root/$(dirname $l) && "
	      "cp -L $l root/$l; done");
	if (w->who != AS_ROOT && getuid() == 0)
		sh(w, "chown -R 54321:54321 root");
}

static bool scopes_work(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 6;
}

static int listen_abstract(void)
{
	struct sockaddr_un a;
	socklen_t n = abstract_name(&a);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s, (void *)&a, n), 0);
	assert_int_equal(listen(s, 5), 0);
	return s;
}

static void attack_as(enum who who, uint32_t uid)
{
	if (!can_be(who))
		skip();
	struct outcome *o = outcome_new();
	struct world w;
	world_open(&w, who);
	arm(&w);
	setenv("COOPER_TEST_TOKEN", "CANARY", 1);
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		const char *argv[] = {"/attack", attacks[i].name, NULL};
		const char *env[] = {"PATH=/bin", "ASAN_OPTIONS=detect_leaks=0", NULL};
		struct job j = {.run = {.argv = argv, .env = env, .uid = uid, .gid = uid}};
		if (!strcmp(attacks[i].name, "abstract socket") && !scopes_work())
			continue;
		step(&w, &j, o);
		if (o->code || o->res.status)
			fail_msg("%s, as %s: works (%s%s, status %#x)", attacks[i].name,
				 who_text(who), o->err.msg, o->out, (unsigned)o->res.status);
	}
	world_close(&w);
	munmap(o, sizeof(*o));
}

static void from_root(void **state)
{
	(void)state;
	attack_as(AS_ROOT, 0);
}

static void from_root_as_app(void **state)
{
	(void)state;
	attack_as(AS_ROOT, 1000);
}

static void from_range(void **state)
{
	(void)state;
	attack_as(AS_RANGE, 0);
}

static void from_single(void **state)
{
	(void)state;
	attack_as(AS_SINGLE, 0);
}

/* Set-id programs of the image work, as sudo needs. */
static void set_id(void **state)
{
	(void)state;
	struct outcome *o = outcome_new();
	for (int who = AS_ROOT; who <= AS_RANGE; who <<= 1) {
		struct world w;
		if (!can_be(who))
			continue;
		world_open(&w, who);
		arm(&w);
		sh(&w, "chmod 4755 root/attack");
		const char *argv[] = {"/attack", "euid", NULL};
		const char *env[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
		struct job j = {.run = {.argv = argv, .env = env, .uid = 1000, .gid = 1000}};
		step(&w, &j, o);
		assert_int_equal(o->code, 0);
		assert_int_equal(o->res.status, 0);
		world_close(&w);
	}
	munmap(o, sizeof(*o));
}

static struct co_mount_op op;

/* An agent that says everything back. */
static pid_t echo_server(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s, (void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 50), 0);
	pid_t pid = fork();
	if (pid) {
		close(s);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int c; (c = accept(s, NULL, NULL)) >= 0; close(c)) {
		char buf[4096];
		if (fork())
			continue;
		for (ssize_t n; (n = read(c, buf, sizeof(buf))) > 0;)
			if (write(c, buf, (size_t)n) != n)
				break;
		_exit(0);
	}
	_exit(0);
}

static char agent_dir[64];

static void lend(struct world *w, struct job *j)
{
	char path[100];
	(void)w;
	snprintf(path, sizeof(path), "%s/s", agent_dir);
	op = (struct co_mount_op){.kind = CO_MOP_SOCKET, .target = "/run/agent", .mode = 0600};
	op.uid = op.gid = j->run.uid;
	op.src_fd = open(path, O_PATH | O_CLOEXEC);
	j->run.mounts = &op;
	j->run.n_mounts = 1;
}

/* An ssh agent's socket, for a user of the image that the machine does not know. */
static void lent_socket(void **state)
{
	(void)state;
	struct outcome *o = outcome_new();
	for (int who = AS_ROOT; who <= AS_SINGLE; who <<= 1) {
		struct world w;
		char path[100];
		uint32_t uid = who == AS_SINGLE ? 0 : 1000;
		if (!can_be(who))
			continue;
		world_open(&w, who);
		arm(&w);
		strcpy(agent_dir, "/tmp/cooper-agent-XXXXXX");
		assert_non_null(mkdtemp(agent_dir));
		snprintf(path, sizeof(path), "%s/s", agent_dir);
		pid_t server = echo_server(path);
		if (who != AS_ROOT && getuid() == 0) {
			assert_int_equal(chown(path, TEST_UID, TEST_UID), 0);
			assert_int_equal(chown(agent_dir, TEST_UID, TEST_UID), 0);
		}
		const char *argv[] = {"/attack", "agent", NULL};
		const char *env[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
		struct job j = {
			.run = {.argv = argv, .env = env, .uid = uid, .gid = uid, .timeout_s = 60},
			.before = lend};
		step(&w, &j, o);
		if (o->code || o->res.status)
			fail_msg("as %s: %s %#x", who_text(who), o->err.msg,
				 (unsigned)o->res.status);
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		unlink(path);
		rmdir(agent_dir);
		sh(&w, "test ! -e root/run");
		world_close(&w);
	}
	munmap(o, sizeof(*o));
}

/* ---- images ---- */

static void secret(struct world *w, struct job *j)
{
	(void)w;
	op = (struct co_mount_op){.kind = CO_MOP_FILE,
				  .target = "/run/secrets/key",
				  .data = "s3cret",
				  .len = 6,
				  .mode = 0400};
	j->run.mounts = &op;
	j->run.n_mounts = 1;
}

static void tmpfs(struct world *w, struct job *j)
{
	(void)w;
	op = (struct co_mount_op){.kind = CO_MOP_TMPFS, .target = "/m/n", .mode = 0755};
	j->run.mounts = &op;
	j->run.n_mounts = 1;
}

struct image {
	const char *id;
	const char *prepare;
	const char *script;
	void (*before)(struct world *w, struct job *j);
	const char *cwd;
	int refused; /* the code it must end with; 0: it runs, and the script says 0 */
	const char *after;
};

/* OUT stands for the path of DIR/outside. */
static const struct image images[] = {
	{"CVE-2025-31133 /dev/null is a link", "ln -s OUT/sentinel root/dev/null",
	 "echo bad >/dev/null"},
	{"CVE-2025-31133 /dev/null is a file", "echo x >root/dev/null", "test -c /dev/null"},
	{"CVE-2026-41579 /dev is a link out", "rmdir root/dev && ln -s OUT/d root/dev",
	 "test -c /dev/null", .refused = 0},
	{"/dev is a relative link out", "rmdir root/dev && ln -s ../../../../../../OUT root/dev",
	 "true"},
	{"/dev is a file", "rmdir root/dev && touch root/dev", "true", .refused = CO_E_SANDBOX},
	{"/dev is a loop", "rmdir root/dev && ln -s dev root/dev", "true", .refused = CO_E_SYSTEM},
	{"CVE-2019-19921 /proc is a link", "rmdir root/proc && ln -s OUT/d root/proc", "true",
	 .refused = CO_E_SANDBOX},
	{"/proc is a file", "rmdir root/proc && touch root/proc", "true", .refused = CO_E_SANDBOX},
	{"/sys is a link", "rmdir root/sys && ln -s tmp root/sys", "true", .refused = CO_E_SANDBOX},
	{"/etc is a link out", "mv root/etc root/e && ln -s OUT root/etc", "test -s /etc/hosts",
	 .after = "test ! -e root/OUT"},
	{"/etc/resolv.conf is a link out", "ln -s OUT/sentinel root/etc/resolv.conf",
	 "echo bad >/etc/resolv.conf; true"},
	{"/etc/hosts is a directory", "mkdir root/etc/hosts", "true", .refused = CO_E_SANDBOX},
	{"/etc/hosts is a fifo", "mkfifo root/etc/hosts", "grep -q localhost /etc/hosts",
	 .after = "test -p root/etc/hosts"},
	{"/etc/hosts is a loop", "ln -s hosts root/etc/hosts", "true", .refused = CO_E_SYSTEM},
	{"/tmp is a link out", "rmdir root/tmp && ln -s OUT/d root/tmp", "true"},
	{"mount below a link out", "ln -s OUT root/run", "grep -q s3cret /run/secrets/key", secret,
	 .after = "test ! -e root/OUT"},
	{"mount below a relative link out", "ln -s ../../outside root/run",
	 "grep -q s3cret /run/secrets/key", secret, .after = "test ! -e root/outside"},
	{"mount on a link to nowhere",
	 "mkdir -p root/run/secrets && ln -s /x/y/z root/run/secrets/key", "grep -q s3cret /x/y/z",
	 secret, .after = "test ! -e root/x"},
	{"mount below a file", "touch root/run", "true", secret, .refused = CO_E_SYSTEM},
	{"CVE-2024-23652 stub's parent becomes a link", "true",
	 "mkdir /m/x 2>/dev/null; mv /m /old && ln -s OUT /m", tmpfs},
	{"CVE-2024-23652 stub's parent becomes a relative link", "true",
	 "mv /m /old && ln -s ../outside /m", tmpfs},
	{"stub replaced by another's directory", "true", "mv /m /old && mkdir -p /m/n", tmpfs,
	 .after = "test -d root/m/n"},
	{"CVE-2024-21626 directory /proc/self/fd/3", "true", "true", .cwd = "/proc/self/fd/3",
	 .refused = CO_E_SYSTEM},
	{"CVE-2024-21626 directory /proc/self/fd/7", "true", "true", .cwd = "/proc/self/fd/7",
	 .refused = CO_E_SYSTEM},
	{"directory /proc/self/cwd", "true", "true", .cwd = "/proc/self/cwd",
	 .refused = CO_E_SYSTEM},
	{"directory /proc/1/root", "true", "true", .cwd = "/proc/1/root", .refused = CO_E_SYSTEM},
	{"directory is a link out", "ln -s OUT root/wd", "true", .cwd = "/wd",
	 .refused = CO_E_NOT_FOUND},
	{"directory above the root", "true", "test $(pwd) = /", .cwd = "/../../../.."},
	{"CVE-2019-5736 shell is /proc/self/exe", "ln -sf /proc/self/exe root/bin/sh", "true",
	 .refused = CO_E_RUN_FAILED},
	{"shell is a link out", "ln -sf OUT/sentinel root/bin/sh", "true",
	 .refused = CO_E_RUN_FAILED},
	{"loader configuration of the image",
	 "echo /evil.so >root/etc/ld.so.preload && printf 'hosts: evil\\npasswd: evil\\n' "
	 ">root/etc/nsswitch.conf",
	 "true"},
	{"passwd is endless", "rm root/etc/passwd && ln -s /dev/zero root/etc/passwd", "true"},
};

static char *expand(const struct world *w, const char *text)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	for (const char *p = text; p && *p; p++) {
		if (!strncmp(p, "OUT", 3)) {
			co_buf_addf(&b, "%s/outside", w->dir);
			p += 2;
		} else {
			co_buf_addc(&b, *p);
		}
	}
	return co_buf_take(&b);
}

static void check_image(const struct image *m, enum who who, struct outcome *o)
{
	struct world w;
	world_open(&w, who);
	auto_free char *prepare = expand(&w, m->prepare), *script = expand(&w, m->script);
	auto_free char *after = m->after ? expand(&w, m->after) : NULL;
	struct job j = {.script = script, .before = m->before, .run = {.cwd = m->cwd}};
	sh(&w, prepare);
	step(&w, &j, o);
	if (o->code != m->refused || (!m->refused && o->res.status))
		fail_msg("%s, as %s: ended with %d, %#x: %s%s", m->id, who_text(who), o->code,
			 (unsigned)o->res.status, o->err.msg, o->out);
	if (after)
		sh(&w, after);
	world_close(&w);
}

static void hostile_images(void **state)
{
	(void)state;
	struct outcome *o = outcome_new();
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
		for (int who = AS_ROOT; who <= AS_SINGLE; who <<= 1)
			if (can_be(who))
				check_image(&images[i], who, o);
	munmap(o, sizeof(*o));
}

/* CVE-2019-5736: the step's first process is all that /proc/self/exe can be, and it takes no orders
 * from an image. */
static void own_program(void **state)
{
	(void)state;
	struct outcome *o = outcome_new();
	struct world w;
	world_open(&w, can_be(AS_ROOT) ? AS_ROOT : AS_SINGLE);
	sh(&w, "printf '#!/proc/self/exe\\n' >root/evil && chmod 755 root/evil");
	const char *argv[] = {"/evil", NULL};
	struct job j = {.run = {.argv = argv}};
	step(&w, &j, o);
	assert_int_equal(o->code, 0);
	assert_int_equal(o->res.status, 126 << 8);
	world_close(&w);
	munmap(o, sizeof(*o));
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[0], "/attack"))
		return attack_main(argv[1]);
	auto_fd listener = listen_abstract();
	(void)listener; /* open while the attacks run */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_root),	  cmocka_unit_test(from_root_as_app),
		cmocka_unit_test(from_range),	  cmocka_unit_test(from_single),
		cmocka_unit_test(set_id),	  cmocka_unit_test(lent_socket),
		cmocka_unit_test(hostile_images), cmocka_unit_test(own_program)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
