/* SPDX-License-Identifier: MIT
 *
 * An ssh agent for a step. The agent's own socket belongs to the user who started the build, and
 * its mode is his; a step may run as anyone. So the step gets another socket, and a process carries
 * what is said to the agent and back until the step ends.
 */
#include "mounts-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define MAX_TALKS 16

struct talk {
	int step, agent; /* -1: none */
};

static int talk_to(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(at.sun_path))
		return -1;
	memcpy(at.sun_path, path, strlen(path));
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	return co_steal_fd(&fd);
}

static void end_talk(struct talk *t)
{
	co_close_fd(&t->step);
	co_close_fd(&t->agent);
}

/* False at the end of either side. Messages of agents are small and alternate, so that writing can
 * not block for long. */
static bool carry(int from, int to)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));
	return n > 0 && co_write_all(to, buf, (size_t)n) == 0;
}

static void accept_one(int listener, const char *path, struct talk *talks)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	for (int i = 0; fd >= 0 && i < MAX_TALKS; i++) {
		if (talks[i].step >= 0)
			continue;
		int agent = talk_to(path);
		if (agent < 0)
			break;
		talks[i] = (struct talk){fd, agent};
		return;
	}
	co_close_fd(&fd);
}

_Noreturn static void serve(int listener, const char *path)
{
	struct talk talks[MAX_TALKS];
	struct pollfd p[1 + 2 * MAX_TALKS];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < MAX_TALKS; i++)
		talks[i] = (struct talk){-1, -1};
	for (;;) {
		p[0] = (struct pollfd){.fd = listener, .events = POLLIN};
		for (int i = 0; i < MAX_TALKS; i++) {
			p[1 + 2 * i] = (struct pollfd){.fd = talks[i].step, .events = POLLIN};
			p[2 + 2 * i] = (struct pollfd){.fd = talks[i].agent, .events = POLLIN};
		}
		if (poll(p, 1 + 2 * MAX_TALKS, -1) < 0 && errno != EINTR)
			_exit(1);
		for (int i = 0; i < MAX_TALKS; i++) {
			struct talk *t = &talks[i];
			if ((p[1 + 2 * i].revents && !carry(t->step, t->agent)) ||
			    (p[2 + 2 * i].revents && !carry(t->agent, t->step)))
				end_talk(t);
		}
		if (p[0].revents)
			accept_one(listener, path, talks);
	}
}

/* The socket is bound by the descriptor of its directory: a store's path can be too long for it. */
static int listen_in(int dir)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/agent", dir);
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 8) < 0)
		return -1;
	return co_steal_fd(&fd);
}

int agent_open(struct agent *out, struct co_exec *x, const char *path, uint32_t uid, uint32_t gid,
	       uint32_t mode, struct co_err *err)
{
	struct agent g = {.dir = -1, .socket = -1, .pid = -1};
	int tmp = co_store_tmp_fd(x->o->store, err);
	if (tmp < 0)
		return tmp;
	g.dir = co_mkdtemp_at(tmp, "agent", g.name, sizeof(g.name), err);
	if (g.dir < 0)
		return err->code;
	struct co_root root = {.fd = g.dir, .owners = x->owners};
	auto_fd listener = listen_in(g.dir);
	if (listener < 0 || co_root_set_owner_mode(&root, g.dir, "agent", uid, gid, mode) < 0 ||
	    (g.socket = openat(g.dir, "agent", O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0) {
		co_fail_sys(err, "make a socket for the ssh agent");
	} else {
		g.pid = fork();
		if (g.pid < 0)
			co_fail_sys(err, "start a process for the ssh agent");
		if (g.pid == 0)
			serve(listener, path);
	}
	if (err->code) {
		agent_close(&g, tmp);
		return err->code;
	}
	*out = g;
	return 0;
}

void agent_close(struct agent *g, int tmp)
{
	struct co_err ignored = CO_ERR_INIT;
	if (g->pid > 0) {
		kill(g->pid, SIGKILL);
		while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	co_close_fd(&g->socket);
	co_close_fd(&g->dir);
	int r = co_remove_tree(tmp, g->name, &ignored);
	(void)r; /* what stays is swept when this process is gone */
}
