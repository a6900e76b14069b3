/* SPDX-License-Identifier: MIT
 *
 * interpose-threads DIR
 *
 * Calls for files from threads with small stacks, from signal handlers and between signals, in
 * children made in every way, while C libraries come and go and their memory is changed; checks
 * every answer. Ends by itself after some seconds; exits 0 when all was right.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
extern char **environ;
static atomic_int failures, stop, handled;
static const char *dir;

static void check(const char *what, int ok)
{
	if (!ok && failures++ < 20)
		dprintf(1, "%s: errno %d\n", what, errno);
}

/* Some of everything; safe in handlers. */
static void use_files(void)
{
	struct stat st;
	char link[64];
	int e = errno;
	check("stat", stat(dir, &st) == 0 && S_ISDIR(st.st_mode));
	check("lstat", lstat("link", &st) == 0 && S_ISLNK(st.st_mode));
	check("missing", stat("none", &st) == -1 && errno == ENOENT);
	check("EFAULT", stat((const char *)8, &st) == -1 && errno == EFAULT);
	check("access", access("file", R_OK) == 0);
	ssize_t n = readlink("link", link, sizeof(link));
	check("readlink", n == 4 && !memcmp(link, "file", 4));
	int fd = open("file", O_RDONLY | O_CLOEXEC);
	check("open", fd >= 0);
	check("fstat", fstat(fd, &st) == 0 && st.st_size == 5);
	check("read", read(fd, link, 9) == 5);
	check("close", close(fd) == 0);
	check("chmod", chmod("file", 0644) == 0);
	errno = e;
}

static void many(int n)
{
	for (int i = 0; i < n; i++)
		use_files();
}

/* ---- threads and signals ---- */

static _Thread_local sigjmp_buf back;
static _Thread_local volatile sig_atomic_t jumps;

static void on_signal(int sig)
{
	handled++;
	use_files();
	if (sig == SIGUSR2 && jumps)
		siglongjmp(back, 1);
}

static void *worker(void *arg)
{
	(void)arg;
	while (!stop)
		use_files();
	return NULL;
}

/* Handlers leave calls for good: what a call takes must not stay taken. A call may be cut between
 * its effect and its answer, as it may without us, so descriptors are closed by a second thread's
 * look at them: here only calls without one are made. */
static void *jumper(void *arg)
{
	struct stat st;
	(void)arg;
	while (!stop) {
		if (sigsetjmp(back, 1) == 0) {
			jumps = 1;
			for (;;) {
				check("stat", stat("file", &st) == 0 && st.st_size == 5);
				check("access", access("none", F_OK) == -1 && errno == ENOENT);
				if (stop)
					break;
			}
		}
		jumps = 0;
	}
	return NULL;
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t t;
	pthread_attr_t a;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, PTHREAD_STACK_MIN + 16384);
	if (pthread_create(&t, &a, fn, arg))
		abort();
	pthread_attr_destroy(&a);
	return t;
}

static void handlers(int flags)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = flags};
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGUSR2, &a, NULL);
	sigaction(SIGALRM, &a, NULL);
}

static void children(void)
{
	char *argv[] = {"true", NULL};
	int status;
	pid_t p = fork();
	if (p == 0) {
		many(3);
		_exit(failures ? 1 : 0);
	}
	check("fork", waitpid(p, &status, 0) == p && status == 0);
	p = vfork();
	if (p == 0) {
		execve("/bin/true", argv, environ);
		_exit(9);
	}
	check("vfork", waitpid(p, &status, 0) == p && status == 0);
	check("spawn", posix_spawn(&p, "/bin/true", NULL, NULL, argv, environ) == 0 &&
			       waitpid(p, &status, 0) == p && status == 0);
}

static void threads_and_signals(void)
{
	pthread_t t[THREADS], j;
	many(50);
	for (int i = 0; i < THREADS; i++)
		t[i] = start(worker, NULL);
	usleep(20000);
	handlers(SA_RESTART); /* the first ones, while calls are under way */
	j = start(jumper, NULL);
	struct itimerval it = {{0, 3000}, {0, 3000}};
	setitimer(ITIMER_REAL, &it, NULL);
	/* on a busy machine several become one before a thread gets to run */
	for (int i = 0; i < 600 || (handled <= 300 && i < 60000); i++) {
		pthread_kill(t[i % THREADS], SIGUSR1);
		pthread_kill(j, SIGUSR2);
		if (i % 60 == 0)
			children();
		usleep(500);
	}
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	pthread_join(j, NULL);
	check("signals came", handled > 300);
	stop = 0;
}

/* ---- a second C library comes and goes ---- */

static void libraries(void)
{
	for (int i = 0; i < 6; i++) {
		struct stat st;
		void *h = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW | RTLD_LOCAL);
		if (!h)
			return;
		int (*other)(const char *, struct stat *) =
			(int (*)(const char *, struct stat *))dlsym(h, "stat");
		for (int k = 0; other && k < 40; k++)
			check("other stat", other("file", &st) == 0 && st.st_size == 5);
		dlclose(h);
		many(5);
	}
}

/* ---- the library's text is changed under us ---- */

static void text(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *at = dlsym(RTLD_DEFAULT, "access");
	char *text = (char *)((uintptr_t)at & ~(page - 1));
	many(30);
	check("throw away", madvise(text, page, MADV_DONTNEED) == 0);
	many(30);
	check("writable", mprotect(text, page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	many(30);
	check("as before", mprotect(text, page, PROT_READ | PROT_EXEC) == 0);
	many(30);
	/* nothing is writable and executable but what the program made so */
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");
	while (f && fgets(line, sizeof(line), f))
		check(line, !strstr(line, "rwxp") && !strstr(line, "cooper"));
	if (f)
		fclose(f);
}

/* ---- names that mean something else to each process ---- */

static void own_names(void)
{
	struct stat st;
	int status;
	for (int i = 0; i < 3; i++)
		check("own directory", stat("/proc/self/cwd/file", &st) == 0 && st.st_size == 5);
	pid_t p = fork();
	if (p == 0) {
		check("chdir", chdir("/") == 0);
		check("other directory", stat("/proc/self/cwd/file", &st) == -1);
		check("its own", stat("/proc/self/cwd/proc", &st) == 0);
		_exit(failures != 0);
	}
	check("another's directory", waitpid(p, &status, 0) == p && status == 0);
	check("mkdir", mkdir("d", 0700) == 0);
	for (int i = 0; i < 3; i++)
		check("up", stat("d/../file", &st) == 0);
	check("rmdir", rmdir("d") == 0);
	check("up from nowhere", stat("d/../file", &st) == -1 && errno == ENOENT);
	check("symlink", symlink("/proc", "d") == 0);
	check("up from a link", stat("d/../file", &st) == -1 && errno == ENOENT);
	unlink("d");
}

/* ---- a call that waits ---- */

static void waiting(void)
{
	handlers(0);
	check("fifo", mkfifo("fifo", 0600) == 0);
	many(20);
	/* again and again: on a busy machine one alarm may come before the call it should cut */
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 3000}, {0, 3000}}, NULL);
	for (int i = 0; i < 20; i++)
		check("interrupted", open("fifo", O_RDONLY) == -1 && errno == EINTR);
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	unlink("fifo");
}

/* ---- cancelled threads clean up ---- */

static atomic_int cleaned;

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *cancelled(void *arg)
{
	(void)arg;
	pthread_cleanup_push(clean, NULL);
	for (;;) {
		int fd = open("file", O_RDONLY);
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		close(fd);
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	}
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelling(void)
{
	void *result;
	for (int i = 0; i < 100; i++) {
		pthread_t t = start(cancelled, NULL);
		usleep(i % 10 * 30);
		pthread_cancel(t);
		check("cancelled", pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED);
	}
	check("cleaned up", cleaned == 100);
}

/* ---- on a signal stack ---- */

static void other_stack(void)
{
	stack_t s = {.ss_size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 16384};
	s.ss_sp = malloc(s.ss_size);
	check("sigaltstack", sigaltstack(&s, NULL) == 0);
	handlers(SA_ONSTACK);
	int before = handled;
	for (int i = 0; i < 50; i++)
		raise(SIGUSR1);
	check("on its stack", handled == before + 50);
	s.ss_flags = SS_DISABLE;
	sigaltstack(&s, NULL);
	free(s.ss_sp);
}

int main(int argc, char **argv)
{
	dir = argc > 1 ? argv[1] : ".";
	check("chdir", chdir(dir) == 0 && mkdir("work", 0700) == 0 && chdir("work") == 0);
	int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	check("write", write(fd, "hello", 5) == 5);
	close(fd);
	unlink("link");
	check("symlink", symlink("file", "link") == 0);
	threads_and_signals();
	libraries();
	text();
	own_names();
	waiting();
	other_stack();
	cancelling();
	threads_and_signals();
	unlink("link");
	unlink("file");
	rmdir("../work");
	if (!failures)
		puts("ok");
	return failures != 0;
}
