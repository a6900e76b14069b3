/* SPDX-License-Identifier: MIT
 *
 * Sockets lent to a step (ssh agents). The step gets a socket of its own, with the owner and mode
 * it was promised; the builder carries the bytes to and from the real one, for as long as the step
 * runs. Neither side may block the builder: each direction has one buffer, and is read only when
 * that is empty.
 */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CONNECTIONS 16
#define BUFFER	    (16u << 10)

struct flow {
	char data[BUFFER];
	size_t at, len;
	bool ended; /* nothing more to read */
};
struct connection {
	int fd[2]; /* the step's side, the agent's */
	struct flow flow[2];
};
struct agents {
	struct agent {
		int listener, source;
		size_t mount;
	} * items;
	size_t n;
	struct connection *connections[CONNECTIONS];
};

int agents_open(struct step *st, struct co_err *err)
{
	const struct co_run *run = st->run;
	for (size_t i = 0; i < run->n_mounts; i++) {
		const struct co_mount_op *op = &run->mounts[i];
		struct stat sb;
		if (op->kind != CO_MOP_SOCKET)
			continue;
		if (fstat(op->src_fd, &sb) < 0 || !S_ISSOCK(sb.st_mode))
			return co_fail(err, CO_E_SANDBOX, "mount %s: its source is not a socket",
				       op->target);
		if (!st->agents)
			st->agents = co_xcalloc(1, sizeof(*st->agents));
		struct agents *a = st->agents;
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return co_fail_sys(err, "mount %s: make a socket", op->target);
		a->items = co_xrealloc(a->items, a->n + 1, sizeof(*a->items));
		a->items[a->n++] = (struct agent){fd, op->src_fd, i};
	}
	return 0;
}

/* In the child. The socket is the builder's too, so naming it here is all. */
int agent_bind(struct step *st, const struct co_mount_op *op, unsigned number)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char name[16];
	int fd = -1;
	for (size_t i = 0; st->agents && i < st->agents->n; i++)
		if (&st->run->mounts[st->agents->items[i].mount] == op)
			fd = st->agents->items[i].listener;
	snprintf(name, sizeof(name), "%u", number);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", st->scratch, name);
	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, CONNECTIONS) < 0)
		return -1;
	struct co_owntab *claims = st->guest ? st->root->owners : NULL;
	if (guest_claim(claims, st->scratch, name, op->uid, op->gid, S_IFSOCK | (op->mode & 0777),
			0, 0) < 0 ||
	    fchmodat(st->scratch, name, (op->mode & 0777) | (claims ? 0600 : 0), 0) < 0)
		return -1;
	return openat(st->scratch, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int reach(int source)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", source);
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (void *)&a, sizeof(a)) < 0)
		return -1;
	return co_steal_fd(&fd);
}

static void welcome(struct agents *a, const struct agent *g)
{
	auto_fd in = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i = 0;
	while (i < CONNECTIONS && a->connections[i])
		i++;
	auto_fd out = in < 0 || i == CONNECTIONS ? -1 : reach(g->source);
	if (out < 0)
		return;
	struct connection *c = co_xcalloc(1, sizeof(*c));
	c->fd[0] = co_steal_fd(&in);
	c->fd[1] = co_steal_fd(&out);
	a->connections[i] = c;
}

static void hang_up(struct connection **c)
{
	close((*c)->fd[0]);
	close((*c)->fd[1]);
	free(co_steal(c));
}

/* From one side to the other as far as it goes; false: the connection is over. */
static bool carry(struct connection *c, int side)
{
	struct flow *f = &c->flow[side];
	if (f->len == 0 && !f->ended) {
		ssize_t n = read(c->fd[side], f->data, sizeof(f->data));
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		f->ended = n == 0;
		f->at = 0;
		f->len = n > 0 ? (size_t)n : 0;
		if (f->ended)
			shutdown(c->fd[!side], SHUT_WR);
	}
	if (f->len) {
		ssize_t n = send(c->fd[!side], f->data + f->at, f->len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		f->at += n > 0 ? (size_t)n : 0;
		f->len -= n > 0 ? (size_t)n : 0;
	}
	return !(c->flow[0].ended && c->flow[1].ended);
}

static short events(const struct connection *c, int side)
{
	const struct flow *in = &c->flow[side], *out = &c->flow[!side];
	return (short)((in->len == 0 && !in->ended ? POLLIN : 0) | (out->len ? POLLOUT : 0));
}

size_t agents_poll(struct step *st, struct pollfd *f)
{
	struct agents *a = st->agents;
	size_t n = 0;
	for (size_t i = 0; a && i < a->n && i < AGENTS_POLL - 2 * CONNECTIONS; i++)
		f[n++] = (struct pollfd){a->items[i].listener, POLLIN, 0};
	for (size_t i = 0; a && i < CONNECTIONS; i++)
		for (int side = 0; a->connections[i] && side < 2; side++) {
			short want = events(a->connections[i], side);
			/* a hang-up that nobody waits for would be reported for ever */
			f[n++] = (struct pollfd){want ? a->connections[i]->fd[side] : -1, want, 0};
		}
	return n;
}

void agents_move(struct step *st)
{
	struct agents *a = st->agents;
	for (size_t i = 0; a && i < CONNECTIONS; i++) {
		struct connection *c = a->connections[i];
		if (c && (!carry(c, 0) || !carry(c, 1)))
			hang_up(&a->connections[i]);
	}
	for (size_t i = 0; a && i < a->n; i++) {
		struct pollfd f = {a->items[i].listener, POLLIN, 0};
		if (poll(&f, 1, 0) > 0 && (f.revents & POLLIN))
			welcome(a, &a->items[i]);
	}
}

void agents_close(struct step *st)
{
	struct agents *a = st->agents;
	for (size_t i = 0; a && i < CONNECTIONS; i++)
		if (a->connections[i])
			hang_up(&a->connections[i]);
	for (size_t i = 0; a && i < a->n; i++)
		close(a->items[i].listener);
	if (a)
		free(a->items);
	free(co_steal(&st->agents));
}
