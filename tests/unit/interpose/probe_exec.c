/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>

extern char **environ;

static void run(const char *path)
{
	int status;
	fflush(stdout);
	pid_t p = fork();
	if (p == 0) {
		execl(path, "zero", "show", "arg", NULL);
		say(path, -1);
		_exit(9);
	}
	waitpid(p, &status, 0);
	say("status", status);
}

static void run_as_user(void)
{
	run("/work-exec/suid");
	run("/work-exec/sgid-no-x");
	run("/work-exec/plain");
	run("/work-exec/caps");
}

static void copy_probe(const char *to, mode_t mode)
{
	char buf[65536];
	int in = open("/probe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
	for (ssize_t n; (n = read(in, buf, sizeof(buf))) > 0;)
		if (write(out, buf, (size_t)n) != n)
			say("copy", -1);
	close(in);
	close(out);
	TRY(chmod(to, mode));
}

static void scripts(void)
{
	make_file("s1", "#!/probe show\n", 0755);
	make_file("s2", "#! /probe   show with  spaces  \n", 0755);
	make_file("s3", "#!/work-exec/s1 outer\n", 0755);
	make_file("s4", "#!/none\n", 0755);
	make_file("s5", "#!\n", 0755);
	make_file("s6", "no script\n", 0755);
	make_file("s7", "", 0755);
	make_file("s8", "#!/work-exec/s8\n", 0755);
	make_file("s9", "#!/probe show", 0755);
	static const char *const all[] = {
		"s1", "./s2", "/work-exec/s3", "s4", "s5",  "s6",     "s7",
		"s8", "s9",   "none",	       ".",  "s1/", "none/x", ""};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		run(all[i]);
	TRY(chmod("s1", 0644));
	run("s1");
	TRY(symlink("s2", "ls"));
	run("ls");
	int fd = open("s2", O_RDONLY), status;
	fflush(stdout);
	pid_t p = fork();
	if (p == 0) {
		char *argv[] = {"zero", "show", NULL};
		fexecve(fd, argv, environ);
		_exit(9);
	}
	waitpid(p, &status, 0);
	say("fexecve of a script", status);
	close(fd);
}

static void spawns(void)
{
	char *argv[] = {"zero", "show", NULL};
	int status;
	pid_t p;
	for (int i = 0; i < 300; i++) {
		if (i < 2)
			fflush(stdout);
		posix_spawn_file_actions_t a;
		posix_spawn_file_actions_init(&a);
		posix_spawn_file_actions_addopen(&a, 1, "/work-exec/out", O_WRONLY | O_CREAT, 0644);
		if (posix_spawn(&p, "/probe", &a, NULL, argv, environ)) {
			say("spawn", -1);
			return;
		}
		waitpid(p, &status, 0);
		posix_spawn_file_actions_destroy(&a);
	}
	say("300 spawned", status);
	say("none", posix_spawn(&p, "/none", NULL, NULL, argv, environ));
	char **many = calloc(3002, sizeof(char *));
	for (int i = 0; i < 3000; i++)
		many[i] = "variable=value";
	int r = posix_spawn(&p, "/probe", NULL, NULL, argv, many);
	waitpid(p, &status, 0);
	say("long environment", r);
	free(many);
}

void probe_exec(void)
{
	static const unsigned char cap[20] = {1, 0, 0, 2, 1};
	copy_probe("plain", 0755);
	copy_probe("suid", 0755);
	copy_probe("sgid-no-x", 0755);
	copy_probe("caps", 0755);
	TRY(chown("suid", 33, 34));
	TRY(chmod("suid", 06755));
	TRY(chmod("sgid-no-x", 02745));
	TRY(setxattr("caps", "security.capability", cap, 20, 0));
	scripts();
	run("plain");
	run("suid");
	in_child(1000, 1000, run_as_user);
	umask(027);
	run("plain");
	umask(022);
	spawns();
	TRY(chmod("plain", 0));
	run("plain");
}

/* ---- unix sockets ---- */

static socklen_t address(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strncpy(a->sun_path, path, sizeof(a->sun_path) - 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static void name_of(const char *what, int fd, bool peer)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	memset(&a, 0, sizeof(a));
	if ((peer ? getpeername : getsockname)(fd, (void *)&a, &n) < 0) {
		say(what, -1);
		return;
	}
	printf("%s: %d %u \"%s\"\n", what, a.sun_family, n, n > 2 ? a.sun_path : "");
}

static void stream(const char *path, const char *other)
{
	struct sockaddr_un a;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
	say("bind", bind(s, (void *)&a, address(&a, path)));
	say("bind again", bind(c, (void *)&a, address(&a, path)));
	say("listen", listen(s, 4));
	say_stat(path, path);
	name_of("name", s, false);
	say("connect", connect(c, (void *)&a, address(&a, other)));
	name_of("peer", c, true);
	name_of("own", c, false);
	int k = accept(s, NULL, NULL);
	struct ucred u;
	socklen_t n = sizeof(u);
	say("peercred", getsockopt(k, SOL_SOCKET, SO_PEERCRED, &u, &n));
	printf("uid %u gid %u\n", u.uid, u.gid);
	name_of("accepted", k, false);
	close(k);
	close(c);
	close(s);
}

static void datagrams(void)
{
	struct sockaddr_un a;
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	say("bind", bind(s, (void *)&a, address(&a, "/work-sockets/dgram")));
	say("sendto", sendto(c, "hello", 5, 0, (void *)&a, address(&a, "/work-sockets/dgram")));
	struct iovec v = {"world", 5};
	struct msghdr m = {.msg_name = &a, .msg_iov = &v, .msg_iovlen = 1};
	m.msg_namelen = address(&a, "/work-sockets/dgram");
	say("sendmsg", sendmsg(c, &m, 0));
	char buf[10];
	say("recv", recv(s, buf, 10, 0));
	say("recv", recv(s, buf, 10, 0));
	/* how many are sent at once is the kernel's choice */
	struct mmsghdr many[3] = {{.msg_hdr = m}, {.msg_hdr = m}, {.msg_hdr = m}};
	int sent = 0;
	for (int k; sent < 3 && (k = sendmmsg(c, many + sent, (unsigned)(3 - sent), 0)) > 0;)
		sent += k;
	printf("sendmmsg: %d, %u %u %u\n", sent, many[0].msg_len, many[1].msg_len, many[2].msg_len);
	for (int i = 0; i < 3; i++)
		say("recv", recv(s, buf, 10, MSG_DONTWAIT));
	a.sun_path[14] = 'X';
	say("sendmmsg none", sendmmsg(c, many, 2, 0));
	say("sendmmsg bad", sendmmsg(c, (void *)8, 2, 0));
	say("sendto none", sendto(c, "x", 1, 0, (void *)&a, address(&a, "/work-sockets/none")));
	close(s);
	close(c);
}

static void as_other(void)
{
	struct sockaddr_un a;
	int c = socket(AF_UNIX, SOCK_STREAM, 0);
	say("connect without permission",
	    connect(c, (void *)&a, address(&a, "/work-sockets/private")));
	say("bind without permission", bind(c, (void *)&a, address(&a, "/work-sockets/x")));
}

void probe_sockets(void)
{
	char deep[120] = "/work-sockets/";
	struct sockaddr_un a;
	stream("/work-sockets/abs", "/work-sockets/abs");
	stream("rel", "/work-sockets/rel");
	TRY(mkdir("dir", 0755));
	TRY(symlink("/work-sockets/dir", "link"));
	stream("/work-sockets/dir/through", "link/through");
	TRY(symlink("/work-sockets/dir/through2", "to-socket"));
	stream("/work-sockets/dir/through2", "to-socket");
	memset(deep + 14, 'x', 60);
	stream(deep, deep);
	memset(deep + 14, 'y', 80);
	stream(deep, deep);
	datagrams();
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	say("bind", bind(s, (void *)&a, address(&a, "/work-sockets/private")));
	TRY(listen(s, 1));
	TRY(chmod("private", 0600));
	in_child(1000, 1000, as_other);
	int pair[2];
	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	name_of("unnamed", pair[0], false);
	say("abstract", bind(pair[1], (void *)&a, 0));
}

/* ---- signals ---- */

static volatile sig_atomic_t hits;
static void on_signal(int sig)
{
	(void)sig;
	hits++;
}

static void mask_text(const char *name)
{
	sigset_t s;
	sigprocmask(SIG_SETMASK, NULL, &s);
	printf("%s:", name);
	for (int i = 1; i < SIGSYS; i++)
		if (sigismember(&s, i))
			printf(" %d", i);
	printf("\n");
}

static void alarm_in(int us)
{
	struct itimerval t = {{0, 0}, {0, us}};
	setitimer(ITIMER_REAL, &t, NULL);
}

static void waiting(void)
{
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	alarm_in(20000);
	TRY(sigsuspend(&all));
	alarm_in(20000);
	TRY(ppoll(NULL, 0, &(struct timespec){2, 0}, &all));
	alarm_in(20000);
	TRY(pselect(0, NULL, NULL, NULL, &(struct timespec){2, 0}, &all));
	TRY(mkfifo("fifo", 0600));
	alarm_in(20000);
	say("a FIFO without another side", open("fifo", O_RDONLY));
	say("signals", hits);
	mask_text("mask");
}

static void on_masked(int sig)
{
	(void)sig;
	mask_text("in the handler");
	TRY(access("/", R_OK));
}

void probe_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal}, old;
	sigset_t s;
	TRY(sigaction(SIGALRM, &sa, NULL));
	mask_text("start");
	sigfillset(&s);
	TRY(sigprocmask(SIG_BLOCK, &s, NULL));
	mask_text("all");
	TRY(access("/", R_OK));
	TRY(sigprocmask(SIG_SETMASK, &(sigset_t){0}, &s));
	say("SIGSYS was blocked", sigismember(&s, SIGSYS));
	mask_text("none");
	TRY(sigaction(SIGSYS, NULL, &old));
	say("SIGSYS default", old.sa_handler == SIG_DFL);
	sa.sa_handler = SIG_IGN;
	TRY(sigaction(SIGSYS, &sa, NULL));
	TRY(sigaction(SIGSYS, NULL, &old));
	say("SIGSYS ignored", old.sa_handler == SIG_IGN);
	TRY(access("/", R_OK));
	struct sigaction masked = {.sa_handler = on_masked, .sa_flags = SA_RESTART};
	sigaddset(&masked.sa_mask, SIGUSR1);
	sigaddset(&masked.sa_mask, SIGSYS);
	TRY(sigaction(SIGUSR2, &masked, NULL));
	TRY(sigaction(SIGUSR2, NULL, &old));
	printf("masks USR1 %d, HUP %d, restarts %d\n", sigismember(&old.sa_mask, SIGUSR1),
	       sigismember(&old.sa_mask, SIGHUP), old.sa_flags & SA_RESTART);
	TRY(raise(SIGUSR2));
	mask_text("after");
	TRY(sigaction(99, &sa, NULL));
	TRY(sigprocmask(77, &s, NULL));
	waiting();
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	TRY(access("/work-signals", R_OK));
	TRY(syscall(SYS_close_range, 3, ~0u, 0));
	TRY(access("/work-signals", R_OK));
	run("/probe");
}

/* ---- what /proc says; skipped where there is none ---- */

void probe_proc(void)
{
	char buf[300];
	struct stat st;
	if (access("/proc/self/exe", F_OK) < 0)
		return;
	ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);
	buf[n < 0 ? 0 : n] = 0;
	say_text("exe", buf);
	n = readlink("/proc/self/cwd", buf, sizeof(buf) - 1);
	buf[n < 0 ? 0 : n] = 0;
	say_text("cwd", buf);
	n = readlink("/proc/self/root", buf, sizeof(buf) - 1);
	buf[n < 0 ? 0 : n] = 0;
	say_text("root", buf);
	make_file("f", "x", 0644);
	int fd = open("f", O_RDONLY);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, sizeof(buf) - 1);
	buf[n < 0 ? 0 : n] = 0;
	say_text("fd", buf);
	TRY(stat(path, &st));
	TRY(open(path, O_RDONLY) >= 0);
	TRY(access("/proc/self/cwd/f", R_OK));
	TRY(access("/proc/self/root/probe", R_OK));
	TRY(access("/proc/self/cwd/../probe", R_OK));
	TRY(unlink("f"));
	TRY(open(path, O_RDONLY) >= 0);
	TRY(access("/proc/1/root/etc/passwd", R_OK) == 0 || 1);
	FILE *maps = fopen("/proc/self/maps", "re");
	bool mine = false, host = false;
	char line[600];
	while (maps && fgets(line, sizeof(line), maps)) {
		mine |= strstr(line, " /probe\n") != NULL;
		host |= strstr(line, "interposer") != NULL || strstr(line, "/root-") != NULL;
	}
	say("maps name the program", mine);
	say("maps name the host", host);
}
