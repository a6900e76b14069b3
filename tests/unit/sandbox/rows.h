/* SPDX-License-Identifier: MIT
 *
 * rows.h — steps and what must come of them, for test_run.c (everything) and test_fallback.c (some,
 * with system calls refused).
 */
#pragma once
#include "world.h"

struct row {
	const char *name;
	enum who who;
	const char *script;
	int want;	    /* wait status, or a negative code */
	const char *output; /* all of it, or, from "~" on, a part */
	struct co_run run;
	void (*before)(struct world *w, struct job *j);
	const char *prepare, *after; /* shell, in DIR */
};
#define EXIT(n) ((n) << 8)

/* ---- mounts ---- */

static struct co_mount_op ops[8];

static int source_fd(struct world *w, const char *rel)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/root/%s", w->dir, rel);
	return open(path, O_PATH | O_CLOEXEC);
}

static void give(struct job *j, size_t n)
{
	j->run.mounts = ops;
	j->run.n_mounts = n;
}

static void nested(struct world *w, struct job *j)
{
	(void)w;
	/* a child before its parent */
	ops[0] = (struct co_mount_op){.kind = CO_MOP_FILE,
				      .target = "/a/b/c/file",
				      .data = "in",
				      .len = 2,
				      .mode = 0640,
				      .readonly = true};
	ops[1] = (struct co_mount_op){.kind = CO_MOP_TMPFS, .target = "/a/b/c", .mode = 01777};
	ops[2] = (struct co_mount_op){.kind = CO_MOP_FILE,
				      .target = "/run/secrets/key",
				      .data = "s3",
				      .len = 2,
				      .mode = 0400,
				      .readonly = true};
	give(j, 3);
}

static void bound(struct world *w, struct job *j)
{
	ops[0] = (struct co_mount_op){.kind = CO_MOP_BIND,
				      .target = "/ro",
				      .src_fd = source_fd(w, "home"),
				      .readonly = true};
	ops[1] = (struct co_mount_op){
		.kind = CO_MOP_BIND, .target = "/rw", .src_fd = source_fd(w, "home")};
	ops[2] = (struct co_mount_op){.kind = CO_MOP_BIND,
				      .target = "/one",
				      .src_fd = source_fd(w, "home/f"),
				      .readonly = true};
	give(j, 3);
}

static void owned(struct world *w, struct job *j)
{
	(void)w;
	ops[0] = (struct co_mount_op){.kind = CO_MOP_FILE,
				      .target = "/s",
				      .data = "x",
				      .len = 1,
				      .mode = 0640,
				      .uid = 1000,
				      .gid = 5,
				      .readonly = true};
	give(j, 1);
}

static void on_proc(struct world *w, struct job *j)
{
	(void)w;
	ops[0] = (struct co_mount_op){
		.kind = CO_MOP_TMPFS, .target = "/x/../proc/self/attr", .mode = 0755};
	give(j, 1);
}

static void on_file(struct world *w, struct job *j)
{
	(void)w;
	ops[0] = (struct co_mount_op){.kind = CO_MOP_TMPFS, .target = "/etc/passwd", .mode = 0755};
	give(j, 1);
}

static void sized(struct world *w, struct job *j)
{
	(void)w;
	ops[0] = (struct co_mount_op){
		.kind = CO_MOP_TMPFS, .target = "/t", .mode = 0700, .size = 1 << 20};
	give(j, 1);
}

static const uint32_t groups[] = {5, 27};

static const struct row rows[] = {
	/* ---- ends ---- */
	{"ok", AS_ALL, "exit 0", 0, ""},
	{"code", AS_ALL, "exit 7", EXIT(7), ""},
	{"signal", AS_ALL, "kill -9 $$", 9, ""},
	{"term", AS_ALL, "kill -TERM $$", 15, ""},
	{"pipe signal is not ignored", AS_ALL, "kill -PIPE $$", 13, ""},
	{"streams", AS_ALL, "echo out; echo err >&2; printf 'a\\000b' | wc -c", 0, "~3"},
	{"no such program",
	 AS_ALL,
	 NULL,
	 CO_E_RUN_FAILED,
	 "/no/such: not found in the image",
	 {.argv = (const char *const[]){"/no/such", NULL}}},
	{"not in PATH",
	 AS_ALL,
	 NULL,
	 CO_E_RUN_FAILED,
	 "nosuch: not found in the image",
	 {.argv = (const char *const[]){"nosuch", NULL}}},
	{"found in PATH",
	 AS_ALL,
	 NULL,
	 0,
	 "hi\n",
	 {.argv = (const char *const[]){"echo", "hi", NULL}}},
	{"relative to the directory",
	 AS_ALL,
	 NULL,
	 0,
	 "hi\n",
	 {.cwd = "/bin", .argv = (const char *const[]){"./echo", "hi", NULL}}},
	{"no shell", AS_ALL, "x", CO_E_RUN_FAILED, "/bin/sh: not found in the image",
	 .prepare = "rm root/bin/sh"},
	{"directory",
	 AS_ALL,
	 NULL,
	 CO_E_RUN_FAILED,
	 "/bin: cannot be executed: Is a directory",
	 {.argv = (const char *const[]){"/bin", NULL}}},
	{"no x bit",
	 AS_ALL,
	 NULL,
	 CO_E_RUN_FAILED,
	 "/etc/passwd: cannot be executed: Permission denied",
	 {.argv = (const char *const[]){"/etc/passwd", NULL}}},
	{"no #!",
	 AS_ALL,
	 NULL,
	 CO_E_RUN_FAILED,
	 "/s: is neither a program nor a script (#!)",
	 {.argv = (const char *const[]){"/s", NULL}},
	 .prepare = "echo true >root/s && chmod 755 root/s"},
	{"interpreter missing",
	 AS_ALL,
	 NULL,
	 CO_E_RUN_FAILED,
	 "/s: its interpreter /no/sh is not in the image",
	 {.argv = (const char *const[]){"/s", NULL}},
	 .prepare = "printf '#! /no/sh -e\\n' >root/s && chmod 755 root/s"},
	{"other processor",
	 AS_ALL,
	 NULL,
	 CO_E_RUN_FAILED,
	 "~/s: is a program for s390x, this machine is",
	 {.argv = (const char *const[]){"/s", NULL}},
	 .prepare = "printf '\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\2\\0\\26\\0aaaa' "
		    ">root/s && chmod 755 root/s"},
	{"directory missing",
	 AS_ALL,
	 "x",
	 CO_E_NOT_FOUND,
	 "working directory /nope: No such file or directory",
	 {.cwd = "/nope"}},
	/* ---- what is seen ---- */
	{"root", AS_ALL, "id -u; id -g; pwd; cat /proc/sys/kernel/hostname; echo $HOME", 0,
	 "0\n0\n/\nbuildkitsandbox\n/root\n"},
	{"user",
	 AS_MAPPED,
	 "id -u; id -g; id -G",
	 0,
	 "1000\n1000\n1000 5 27\n",
	 {.uid = 1000, .gid = 1000, .groups = groups, .n_groups = 2}},
	{"user that is not mapped",
	 AS_SINGLE,
	 "id",
	 CO_E_UNMAPPED,
	 "user 1000:1000 does not exist in this user namespace",
	 {.uid = 1000, .gid = 1000}},
	{"user past the range",
	 AS_RANGE,
	 "id",
	 CO_E_UNMAPPED,
	 "user 70000:70000 does not exist in this user namespace",
	 {.uid = 70000, .gid = 70000}},
	{"owner past the range, with a kernel that tells it",
	 AS_RANGE,
	 "touch f; chown -h 1:65536 f; chown 65537 f; sleep 100",
	 CO_E_UNMAPPED,
	 "a file was given to owner 65537:65536, which does not exist in this user namespace",
	 {.timeout_s = 50}},
	{"owners within the range",
	 AS_RANGE,
	 "touch f; chown 0:0 f; chown -h 65535:65536 f; chown 1 f; stat -c %u:%g f",
	 0,
	 "1:65536\n",
	 {.timeout_s = 50}},
	{"user has no rights",
	 AS_MAPPED,
	 "grep -E 'Cap(Prm|Eff|Inh|Amb)' /proc/self/status | cut -f2 | sort -u",
	 0,
	 "0000000000000000\n",
	 {.uid = 1000, .gid = 1000}},
	{"root's capabilities are Docker's", AS_ALL, "grep Cap /proc/self/status", 0,
	 "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:"
	 "\t00000000a80425fb\nCapAmb:\t0000000000000000\n"},
	{"insecure",
	 AS_ROOT,
	 "grep -E 'CapBnd|Seccomp:' /proc/self/status; mkdir /m && mount -t tmpfs x /m && umount "
	 "/m && rmdir /m && echo mounted",
	 0,
	 "~Seccomp:\t0\nmounted\n",
	 {.insecure = true}},
	{"stdout can be opened again",
	 AS_MAPPED,
	 "echo hi >/dev/stdout",
	 0,
	 "hi\n",
	 {.uid = 1000, .gid = 1000}},
	{"stdin is empty", AS_ALL, "cat; echo end", 0, "end\n"},
	{"stdin", AS_ALL, "cat", 0, "some text", {.stdin_data = "some text", .stdin_len = 9}},
	{"umask", AS_ALL, "umask", 0, "0022\n"},
	{"session", AS_ALL, "[ $(cut -d' ' -f6 /proc/self/stat) = 2 ] && cat </dev/tty", EXIT(1),
	 "~No such device or address"},
	{"descriptors", AS_ALL, "ls /proc/$$/fd | tr '\\n' ' '", 0, "~0 1 2 "},
	{"pids", AS_ALL, "echo $$; ls -d /proc/[0-9]* | wc -l", 0, "~2\n"},
	{"devices", AS_ALL,
	 "echo x >/dev/null; head -c 2 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x "
	 ">/dev/full || ls /dev/shm /dev/pts",
	 0, "~2\n3\n"},
	{"tty", AS_ALL, "ls -l /dev/ptmx | grep -c pts/ptmx; (exec 3<>/dev/ptmx && ls /dev/pts)", 0,
	 "1\n0\nptmx\n"},
	{"nodes", AS_ROOT,
	 "mknod /n c 1 3 && mknod /b b 253 0 && stat -c '%F %t %T' /n /b; head -c1 /b", EXIT(1),
	 "~character special file 1 3\nblock special file fd 0\n"},
	{"nodes of a user's root", AS_RANGE,
	 "cd /tmp && mknod /n c 1 3 && mknod -m 604 b b 300 70000 && (umask 027; mknod /m c 5 6) "
	 "&& "
	 "ln -s /tmp /l && mknod /l/x c 9 9 && ! mknod /n c 1 3 2>&1 && ! mknod /none/x c 1 3 2>&1 "
	 "&& "
	 "! mknod /w c 0 0 2>&1; stat -c %a /n b /m /tmp/x",
	 0,
	 "mknod: /n: File exists\nmknod: /none/x: No such file or directory\nmknod: /w: Operation "
	 "not permitted\n644\n604\n640\n644\n",
	 .after = "getfattr --only-values -n user.cooper.node root/n root/tmp/b 2>/dev/null | grep "
		  "-q '^c 1 3b 300 70000$'"},
	{"nodes are root's to make",
	 AS_RANGE,
	 "mknod /tmp/n c 1 3",
	 EXIT(1),
	 "mknod: /tmp/n: Operation not permitted\n",
	 {.uid = 1000, .gid = 1000},
	 .after = "test ! -e root/tmp/n"},
	{"proc is read-only", AS_ALL,
	 "echo 1 >/proc/sys/vm/drop_caches || echo b >/proc/sysrq-trigger || mkdir /sys/x", EXIT(1),
	 "~Read-only file system"},
	{"network none",
	 AS_ALL,
	 "ls /sys/class/net 2>/dev/null | grep -v lo; grep -c : /proc/net/dev; cat "
	 "/proc/net/if_inet6 | wc -l",
	 0,
	 "~1\n",
	 {.net = CO_NET_NONE}},
	{"no network is no way out",
	 AS_ALL,
	 "ping -c1 127.0.0.1 >/dev/null && echo lo; nc 192.0.2.1 80 -w 1",
	 EXIT(1),
	 "~lo\n",
	 {.net = CO_NET_NONE}},
	/* ---- what is left ---- */
	{"writes stay", AS_ALL, "echo x >/new; mkdir /d", 0, "",
	 .after = "test -f root/new && test -d root/d"},
	{"own resolv.conf and hosts", AS_ALL,
	 "test -s /etc/hosts && grep -c buildkitsandbox /etc/hosts && ls /etc", 0, "~1\n",
	 .after = "test ! -e root/etc/hosts && test ! -e root/etc/resolv.conf && test $(stat -c %Y "
		  "root/etc) = 1000000000"},
	{"image's hosts is covered", AS_ALL, "grep -c mine /etc/hosts", EXIT(1), "0\n",
	 .prepare = "echo mine >root/etc/hosts", .after = "test \"$(cat root/etc/hosts)\" = mine"},
	{"changes beside a stub keep their time", AS_ALL, "echo x >/etc/more", 0, "",
	 .after = "test -f root/etc/more && test ! -e root/etc/hosts && test $(stat -c %Y "
		  "root/etc) != 1000000000"},
	{"kernel directories are not left", AS_ALL, "ls -d /proc/self /sys /dev/null", 0,
	 "/dev/null\n/proc/self\n/sys\n",
	 .prepare = "rmdir root/proc root/sys root/dev && touch -d @1000000000 root",
	 .after = "test ! -e root/proc && test ! -e root/sys && test ! -e root/dev && test $(stat "
		  "-c %Y root) = 1000000000"},
	{"nested mounts", AS_ALL,
	 "cat /a/b/c/file /run/secrets/key; stat -c %a /a/b/c/file /run/secrets/key; echo x "
	 ">/a/b/c/t; echo y >/a/b/c/file",
	 EXIT(1), "~ins3640\n400\n", .before = nested,
	 .after = "test ! -e root/a && test ! -e root/run && test $(stat -c %Y root) = 1000000000"},
	{"stub with something in it", AS_ALL, "echo x >/a/keep; rm -rf /run/secrets/x", 0, "",
	 .before = nested,
	 .after = "test -f root/a/keep && test ! -e root/a/b && test ! -e root/run"},
	{"binds", AS_ALL, "cat /ro/f /one; echo 2 >/rw/g; echo 3 >/ro/h; echo 4 >/one", EXIT(1),
	 "~f\nf\n", .before = bound, .prepare = "echo f >root/home/f",
	 .after = "test \"$(cat root/home/g)\" = 2 && test ! -e root/home/h && test \"$(cat "
		  "root/home/f)\" = f && test ! -e root/ro && test ! -e root/one"},
	{"secret's owner", AS_MAPPED, "stat -c '%u %g %a' /s", 0, "1000 5 640\n", .before = owned},
	{"secret's owner is not mapped", AS_SINGLE, "x", CO_E_UNMAPPED,
	 "mount /s: owner 1000:5 does not exist in this user namespace", .before = owned,
	 .after = "test ! -e root/s"},
	{"tmpfs size", AS_ALL, "stat -c %a /t; head -c 3000000 /dev/zero >/t/f", EXIT(1),
	 "~700\nhead: ", .before = sized},
	{"no mount on /proc", AS_ALL, "x", CO_E_SANDBOX,
	 "mount target /x/../proc/self/attr: nothing may be mounted there", .before = on_proc},
	{"no directory on a file", AS_ALL, "x", CO_E_SANDBOX,
	 "mount target /etc/passwd: is not a directory in the image", .before = on_file},
	/* ---- limits and the unruly ---- */
	{"timeout", AS_ALL, "sleep 100 & sleep 200", 9, "", {.timeout_s = 1}},
	{"output limit", AS_ALL, "yes", 9, NULL, {.output = 100000}},
	{"fork bomb",
	 AS_ALL,
	 "b() { b | b & }; b; sleep 20",
	 9,
	 NULL,
	 {.pids = 64, .timeout_s = 15}},
	{"processes within the limit",
	 AS_ALL,
	 "for i in 1 2 3 4 5; do sleep 0.2 & done; wait; echo ok",
	 0,
	 "ok\n",
	 {.pids = 64}},
	{"memory",
	 AS_ALL,
	 "head -c 400000000 /dev/zero | tail >/dev/null; exit 3",
	 -1,
	 NULL,
	 {.memory = 60u << 20, .timeout_s = 20}},
	/* a control group leaves all processors visible: there the time used tells */
	{"half a processor",
	 AS_ALL,
	 "b() { busybox timeout 2 sh -c 'while :; do :; done'; }; [ $(nproc) = 1 ] || { b & b & "
	 "wait; times | tail -n 1 | grep -q '^0m[01]\\.'; } && echo few",
	 0,
	 "few\n",
	 {.cpus = 0.5}},
	{"closes everything", AS_ALL, "exec <&- >&- 2>&-; sleep 0.1; exit 3", EXIT(3), ""},
	{"leaves daemons", AS_ALL,
	 "sleep 54321 & setsid sleep 54321 & (setsid sleep 54321 &) ; exit 4", EXIT(4), ""},
	{"ignores signals", AS_ALL, "trap '' TERM INT HUP; sleep 54321 & exit 5", EXIT(5), ""},
	{"orphans are reaped", AS_ALL,
	 "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.01 &); done; sleep 0.3; grep -l 'State:.Z' "
	 "/proc/[0-9]*/status | wc -l",
	 0, "0\n"},
	{"kills all it can", AS_ALL, "sleep 54321 & kill -9 1; kill -9 -1; echo still", 0,
	 "~still\n"},
};

static void check_row(const struct row *r, struct world *w, const struct outcome *o)
{
	const char *text = o->code < 0 ? o->err.msg : o->out;
	const char *as = who_text(w->who);
	int got = o->code < 0 ? o->code : o->res.status;
	/* memory is met by a refusal to the process or by the end of the step */
	bool any = r->want == -1 && got != 0 && o->code == 0;
	if (got != r->want && !any)
		fail_msg("%s, as %s: got %d (%s), wanted %d", r->name, as, got, text, r->want);
	if (r->output && r->output[0] == '~' ? !strstr(text, r->output + 1)
					     : r->output && strcmp(text, r->output) != 0)
		fail_msg("%s, as %s: said \"%s\"", r->name, as, text);
	if (r->run.timeout_s == 1)
		assert_true(o->res.timed_out);
	if (r->run.output) {
		assert_true(o->res.output_cut);
		assert_int_equal(o->len, r->run.output);
	}
	if (r->after)
		sh(w, r->after);
	assert_false(alive("54321"));
}

static inline void run_row(const struct row *r, enum who who, const int *denied, int denial,
			   struct outcome *o)
{
	struct world w;
	struct job j = {.run = r->run,
			.script = r->script,
			.before = r->before,
			.denied = denied,
			.denial = denial};
	world_open(&w, who);
	if (r->prepare)
		sh(&w, r->prepare);
	step(&w, &j, o);
	check_row(r, &w, o);
	world_close(&w);
}
