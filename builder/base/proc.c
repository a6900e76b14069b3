/* SPDX-License-Identifier: MIT */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/clock.h>
#include <cooper/proc.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

char *co_proc_find(const char *name)
{
	if (strchr(name, '/'))
		return *name == '/' && access(name, X_OK) == 0 ? co_xstrdup(name) : NULL;
	const char *path = getenv("PATH");
	if (!path)
		path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, ":");
		/* an entry that is not absolute would find programs in the build context */
		if (n && *p == '/') {
			char *full = co_xasprintf("%.*s/%s", (int)n, p, name);
			if (access(full, X_OK) == 0)
				return full;
			free(full);
		}
		p += n + (p[n] == ':');
	}
	return NULL;
}

struct pipes {
	int in[2], out[2], errs[2];
};

static void close_pair(int *p)
{
	co_close_fd(&p[0]);
	co_close_fd(&p[1]);
}

static int open_pipes(struct pipes *p)
{
	*p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(p->in, O_CLOEXEC) < 0 || pipe2(p->out, O_CLOEXEC) < 0 ||
	    pipe2(p->errs, O_CLOEXEC) < 0) {
		close_pair(p->in);
		close_pair(p->out);
		close_pair(p->errs);
		return -1;
	}
	return 0;
}

_Noreturn static void child(const struct co_proc *p, const char *program, struct pipes *pp,
			    const char *const *env)
{
	signal(SIGPIPE, SIG_DFL);
	if (p->cwd >= 0 && fchdir(p->cwd) < 0)
		_exit(126);
	if (dup2(pp->in[0], 0) < 0 || dup2(pp->out[1], 1) < 0 || dup2(pp->errs[1], 2) < 0)
		_exit(126);
	syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
	execve(program, (char *const *)p->argv, (char *const *)env);
	_exit(127);
}

/* Moves what is ready; false when all streams have ended. */
static bool pump(const struct co_proc *p, struct pipes *pp, size_t *sent, struct co_buf *out,
		 struct co_buf *errs)
{
	struct pollfd f[3] = {
		{pp->in[1], POLLOUT, 0}, {pp->out[0], POLLIN, 0}, {pp->errs[0], POLLIN, 0}};
	char chunk[8192];
	if (pp->out[0] < 0 && pp->errs[0] < 0)
		return false;
	poll(f, 3, 200);
	if (f[0].revents) {
		ssize_t n = *sent < p->input_len ? write(pp->in[1], (const char *)p->input + *sent,
							 p->input_len - *sent)
						 : 0;
		if (n > 0)
			*sent += (size_t)n;
		if (n < 0 || *sent >= p->input_len)
			co_close_fd(&pp->in[1]);
	}
	for (int i = 1; i < 3; i++) {
		int *fd = i == 1 ? &pp->out[0] : &pp->errs[0];
		struct co_buf *b = i == 1 ? out : errs;
		if (!f[i].revents)
			continue;
		ssize_t n = read(*fd, chunk, sizeof(chunk));
		if (n > 0 && b)
			co_buf_add(b, chunk, (size_t)n);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			co_close_fd(fd);
	}
	return true;
}

static const char *const *default_env(struct co_arena *a)
{
	const char **env = co_arena_alloc(a, 4 * sizeof(*env));
	const char *path = getenv("PATH"), *home = getenv("HOME");
	size_t n = 0;
	env[n++] = co_arena_printf(a, "PATH=%s", path ? path : "/usr/bin:/bin");
	if (home)
		env[n++] = co_arena_printf(a, "HOME=%s", home);
	env[n++] = "LC_ALL=C";
	return env;
}

int co_proc_run(const struct co_proc *p, struct co_buf *out, struct co_buf *errs, int *status,
		struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	auto_free char *program = co_proc_find(p->argv[0]);
	if (!program)
		return co_fail(err, CO_E_NOT_FOUND, "program %s is not installed", p->argv[0]);
	const char *const *env = p->env ? p->env : default_env(&a);
	struct pipes pp;
	if (open_pipes(&pp) < 0)
		return co_fail_sys(err, "start %s", p->argv[0]);
	pid_t pid = fork();
	if (pid == 0)
		child(p, program, &pp, env);
	co_close_fd(&pp.in[0]);
	co_close_fd(&pp.out[1]);
	co_close_fd(&pp.errs[1]);
	if (pid > 0 && pp.in[1] >= 0)
		fcntl(pp.in[1], F_SETFL, O_NONBLOCK);
	size_t sent = 0;
	int64_t end = co_mono_ns() + (int64_t)p->timeout_s * 1000000000;
	bool late = false;
	while (pid > 0 && pump(p, &pp, &sent, out, errs)) {
		late = p->timeout_s && co_mono_ns() > end;
		if (late || co_interrupted()) {
			kill(pid, SIGKILL);
			break;
		}
	}
	close_pair(pp.in);
	close_pair(pp.out);
	close_pair(pp.errs);
	if (pid < 0)
		return co_fail_sys(err, "start %s", p->argv[0]);
	int st;
	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	if (late)
		return co_fail(err, CO_E_TIMEOUT, "%s did not end within %u s", p->argv[0],
			       p->timeout_s);
	if (co_interrupted())
		return co_fail(err, CO_E_INTERRUPTED, "interrupted");
	*status = st;
	return 0;
}
