/* SPDX-License-Identifier: MIT
 *
 * A small image and a machine around it, for tests that run real steps. Taking a place cannot be
 * undone, so each step is run in a child that plays the builder: as root, as a user with a range of
 * ids, or as a user with one. Those users need no account here: the child covers /etc/passwd,
 * /etc/subuid and /etc/subgid in a mount namespace of its own.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <cooper/proc.h>
#include <cooper/owntab.h>
#include <cooper/sandbox.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <grp.h>
#include <cmocka.h>

enum who { AS_ROOT = 1, AS_RANGE = 2, AS_SINGLE = 4, AS_MAPPED = 3, AS_ALL = 7 };
#define TEST_UID 54321

struct world {
	char dir[64];  /* DIR/root is the image, DIR/outside must never change */
	char root[80]; /* path of the image */
	enum who who;
};
/* What a child found out; shared with the test. */
struct outcome {
	int code; /* of co_sandbox_run */
	struct co_err err;
	struct co_result res;
	size_t len;
	char out[200000];
	enum co_place place;
};
struct job {
	struct co_run run;
	const char *script; /* for /bin/sh -c, unless run.argv is set */
	const int *denied;  /* system calls that answer `denial` to the builder, 0-ended */
	int denial;
	void (*before)(struct world *w, struct job *j); /* in the builder's place, before the run */
	int times;
	bool owners; /* with an ownership table: ids are virtual where there is only one */
};

static inline const char *who_text(enum who who)
{
	return who == AS_ROOT ? "root" : who == AS_RANGE ? "user with a range" : "user with one id";
}

static inline void sh(const struct world *w, const char *script)
{
	char cmd[4096];
	snprintf(cmd, sizeof(cmd), "cd %s && { %s; }", w->dir, script);
	if (system(cmd) != 0)
		fail_msg("set-up failed: %s", script);
}

static inline bool can_be(enum who who)
{
	if (getuid() != 0)
		return who == AS_SINGLE;
	auto_free char *tool = co_proc_find("newuidmap");
	return who != AS_RANGE || tool;
}

static inline void install_applets(const struct world *w)
{
	static const char *const names[] = {
		"sh",	 "cat",	 "chmod", "chown", "cut",  "echo",   "env",    "false", "grep",
		"head",	 "id",	 "kill",  "ln",	   "ls",   "mkdir",  "mknod",  "mount", "nc",
		"nproc", "ping", "ps",	  "pwd",   "rm",   "rmdir",  "setsid", "sleep", "sort",
		"stat",	 "tail", "test",  "touch", "tr",   "true",   "umount", "wc",	"yes",
		"mv",	 "su",	 "dd",	  "seq",   "find", "unshare"};
	char path[200];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/bin/%s", w->root, names[i]);
		assert_int_equal(symlink("busybox", path), 0);
	}
}

static inline void world_open(struct world *w, enum who who)
{
	memset(w, 0, sizeof(*w));
	w->who = who;
	strcpy(w->dir, "/tmp/cooper-sandbox-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0755), 0);
	snprintf(w->root, sizeof(w->root), "%s/root", w->dir);
	sh(w, "mkdir -p root/bin root/etc root/proc root/sys root/dev root/tmp root/home outside/d "
	      "&& cp /bin/busybox root/bin && chmod 1777 root/tmp && "
	      "printf 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home:/bin/sh\n' "
	      ">root/etc/passwd && printf 'root:x:0:\napp:x:1000:\n' >root/etc/group && "
	      "echo safe >outside/sentinel && touch -d @1 outside/d outside/sentinel outside");
	install_applets(w);
	sh(w, "touch -d @1000000000 root/etc root");
	if (who != AS_ROOT && getuid() == 0) {
		char own[160];
		snprintf(own, sizeof(own), "chown -R %d:%d root outside .", TEST_UID, TEST_UID);
		sh(w, own);
	}
}

/* Nothing outside the image has changed. */
static inline void world_check(const struct world *w)
{
	sh(w,
	   "test \"$(ls -A outside outside/d | tr '\\n' ' ')\" = 'outside: d sentinel  outside/d: "
	   "' "
	   "&& test \"$(cat outside/sentinel)\" = safe && test \"$(ls -A . | tr '\\n' ' ')\" = "
	   "'outside root ' && test \"$(stat -c %Y outside outside/d outside/sentinel | sort -u)\" "
	   "= 1 && test \"$(stat -c %a outside/sentinel)\" = 644");
}

static inline void world_close(struct world *w)
{
	world_check(w);
	sh(w, "chmod -R u+rwx . && rm -rf ../$(basename $PWD)");
}

static inline void collect(void *ctx, const struct co_event *e)
{
	struct outcome *o = ctx;
	if (e->kind != CO_EV_STEP_OUTPUT)
		return;
	size_t n = e->len, room = sizeof(o->out) - 1 - o->len;
	memcpy(o->out + o->len, e->text, n < room ? n : room);
	o->len += n < room ? n : room;
}

static inline void cover(const char *path, const char *text)
{
	char tmp[] = "/tmp/cooper-cover-XXXXXX";
	auto_fd fd = mkstemp(tmp);
	if (fd < 0 || co_write_all(fd, text, strlen(text)) < 0 || fchmod(fd, 0644) < 0 ||
	    mount(tmp, path, NULL, MS_BIND, NULL) < 0)
		_exit(99);
	unlink(tmp);
}

static inline void become(enum who who)
{
	if (who == AS_ROOT || getuid() != 0)
		return;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(99);
	cover("/etc/passwd", "root:x:0:0::/root:/bin/sh\nsteptest:x:54321:54321::/:/bin/sh\n");
	if (access("/etc/subuid", F_OK) == 0 && access("/etc/subgid", F_OK) == 0) {
		const char *text = who == AS_RANGE ? "steptest:300000:65536\n" : "";
		cover("/etc/subuid", text);
		cover("/etc/subgid", text);
	}
	if (setgroups(0, NULL) < 0 || setresgid(TEST_UID, TEST_UID, TEST_UID) < 0 ||
	    setresuid(TEST_UID, TEST_UID, TEST_UID) < 0)
		_exit(99);
	/* changing ids makes a process undumpable, and its map files root's */
	prctl(PR_SET_DUMPABLE, 1);
}

static inline void deny(const struct job *j)
{
	if (!j->denied)
		return;
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);
	/* newuidmap has to gain rights */
	if (getuid() == 0)
		seccomp_attr_set(c, SCMP_FLTATR_CTL_NNP, 0);
	for (const int *nr = j->denied; *nr; nr++)
		if (seccomp_rule_add(c, SCMP_ACT_ERRNO((uint32_t)j->denial), *nr, 0) < 0)
			_exit(98);
	if (seccomp_load(c) < 0)
		_exit(98);
	seccomp_release(c);
}

static inline int builder_run(struct world *w, struct job *j, struct outcome *o)
{
	struct co_bus bus = {collect, o};
	struct co_sandbox *s;
	const char *env[] = {"PATH=/bin", "HOME=/root", NULL};
	const char *argv[] = {"/bin/sh", "-c", j->script, NULL};
	int r = co_place_enter(&o->place, NULL, &bus, &o->err);
	if (!r)
		r = co_sandbox_open(&s, "userns", o->place, &bus, &o->err);
	if (r < 0)
		return r;
	if (j->before)
		j->before(w, j);
	struct co_root root = {.fd = open(w->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	if (j->owners && (r = co_owntab_create(&root.owners, NULL, &o->err)) < 0)
		return r;
	if (!j->run.argv)
		j->run.argv = argv;
	if (!j->run.env)
		j->run.env = env;
	if (!j->run.cwd)
		j->run.cwd = "/";
	j->run.hostname = "buildkitsandbox";
	for (int i = 0; r == 0 && i < (j->times ? j->times : 1); i++)
		r = co_sandbox_run(s, &root, &j->run, &o->res, &o->err);
	co_sandbox_close(s);
	close(root.fd);
	return r;
}

static inline pid_t builder_start(struct world *w, struct job *j, struct outcome *o)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	/* privileges go first: as a user a filter would take newuidmap's rights */
	if (w->who == AS_ROOT) {
		deny(j);
	} else {
		if (j->denied && getuid() == 0) {
			deny(j);
			j->denied = NULL;
		}
		become(w->who);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	o->code = builder_run(w, j, o);
	_exit(0);
}

/* Runs one step; *o is shared memory of the test. */
static inline void step(struct world *w, struct job *j, struct outcome *o)
{
	int status;
	memset(o, 0, sizeof(*o));
	o->code = 1;
	pid_t pid = builder_start(w, j, o);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("the builder of a test died: %#x", (unsigned)status);
	enum co_place want = w->who == AS_ROOT	  ? CO_PLACE_ROOT
			     : w->who == AS_RANGE ? CO_PLACE_RANGE
						  : CO_PLACE_SINGLE;
	if (o->place != want)
		fail_msg("place %d instead of %d: %s", o->place, want, o->err.msg);
}

static inline struct outcome *outcome_new(void)
{
	struct outcome *o =
		mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(o != MAP_FAILED);
	return o;
}

/* Is there a process with this word in its command line? */
static inline bool alive(const char *word)
{
	char path[64], text[4096];
	auto_dir d = opendir("/proc");
	struct dirent *e;
	while (d && (e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/cmdline", e->d_name);
		auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		text[n < 0 ? 0 : n] = '\0';
		for (char *p = text; p < text + n; p += strlen(p) + 1)
			if (!strcmp(p, word))
				return true;
	}
	return false;
}
