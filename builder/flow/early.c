/* SPDX-License-Identifier: MIT
 *
 * --push: a finished layer is uploaded while the next step runs. A process of its own does it,
 * forked before the first step: nothing of it, credentials least of all, is nearer to a step than
 * the builder is (docs/sandbox.md), and the threads of libraries stay out of a process that forks
 * and mounts. It is told of layers over a socket and uploads blobs only: an image appears in the
 * registry when manifest and tags are put, at the end, after the gate.
 *
 * It may fail without a word: the push proper asks for every blob again, uploads what is missing,
 * and tells what is wrong.
 */
#include "flow-internal.h"
#include <cooper/clock.h>
#include <cooper/gate.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the uploader says. */
enum word_kind { WORD_PROGRESS, WORD_DONE };
struct word {
	enum word_kind kind;
	struct co_digest digest;
	uint64_t done, total; /* bytes; of all layers with WORD_DONE */
	unsigned layers;
};

/* ---- may it be? ---- */

static bool names_root(const char *user)
{
	size_t n = strcspn(user, ":");
	return !n || (n == 4 && !strncmp(user, "root", 4)) || strspn(user, "0") == n;
}

/* What the last USER of the result says as it stands, else the base's user; NULL: nothing, or it
 * takes variables. */
static const char *final_user(const struct co_plan *plan)
{
	const struct co_plan_stage *st = &plan->stages[plan->target];
	for (;; st = &plan->stages[st->base.stage]) {
		for (size_t i = st->n_insns; i-- > 0;) {
			const struct co_insn *insn = st->insns[i];
			if (insn->op == CO_OP_USER)
				return insn->n_args && !strpbrk(insn->args[0], "$\\\"'")
					       ? insn->args[0]
					       : NULL;
		}
		if (st->base.kind != CO_FROM_STAGE)
			return st->image ? st->image->config.user : NULL;
	}
}

/* Layers of an image that the gate is going to refuse stay here, and so do those that are only
 * steps on the way to the layers of the result. */
void early_allow(struct build *b, const struct co_plan *plan)
{
	const struct co_build_opts *o = b->o;
	const char *user = final_user(plan);
	bool passes = o->user_policy != CO_USER_ENFORCE || (user && !names_root(user));
	b->early.allowed = o->push && !o->late_push && passes && !o->squash && !o->single_layer &&
			   !o->force_compression;
}

/* ---- in the uploader ---- */

struct uploader {
	struct build *b;
	int fd;
	struct co_bus bus;
	struct co_registry *registry;
	struct co_arena arena;
	struct co_ref *mounts; /* arena */
	size_t n_mounts;
	struct co_digest *known; /* arena: what was dealt with */
	size_t n_known;
	struct word sum;
};

static bool same_repo(const struct co_ref *a, const struct co_ref *b)
{
	return !strcmp(a->host, b->host) && !strcmp(a->path, b->path);
}

/* The builder listens only when it waits, and then it has said that nothing more comes. */
static bool builder_waits(const struct uploader *u)
{
	struct pollfd p = {.fd = u->fd, .events = POLLRDHUP};
	return poll(&p, 1, 0) == 1 && (p.revents & POLLRDHUP);
}

static void hear(void *ctx, const struct co_event *ev)
{
	struct uploader *u = ctx;
	struct word w = {.kind = WORD_PROGRESS, .done = ev->done, .total = ev->total};
	struct co_err ignore = CO_ERR_INIT;
	if (ev->kind != CO_EV_TRANSFER)
		return;
	if (ev->finished && !ev->cached) {
		u->sum.layers++;
		u->sum.total += ev->total;
	}
	if (!ev->finished && builder_waits(u) && co_digest_parse(&w.digest, ev->name, &ignore) == 0)
		send(u->fd, &w, sizeof(w), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int upload(struct uploader *u, const struct co_descriptor *list, size_t n)
{
	const struct build *b = u->b;
	struct co_err err = CO_ERR_INIT;
	for (size_t i = 0; i < b->n_refs; i++) {
		bool done = false;
		for (size_t k = 0; k < i; k++)
			done |= same_repo(&b->refs[k], &b->refs[i]);
		if (done)
			continue;
		int r = co_registry_push_blobs(u->registry, b->store, &b->refs[i], list, n,
					       u->mounts, u->n_mounts, &err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_new(struct uploader *u, const struct co_digest *d)
{
	for (size_t i = 0; i < u->n_known; i++)
		if (co_digest_eq(&u->known[i], d))
			return false;
	*co_arena_push(&u->arena, u->known, u->n_known) = *d;
	return true;
}

/* Waits for one layer, then takes what else has come. 0 when nothing more comes. */
static size_t next_layers(struct uploader *u, struct co_descriptor *list, size_t most)
{
	size_t n = 0;
	while (n < most) {
		struct co_descriptor d;
		ssize_t got = recv(u->fd, &d, sizeof(d), n ? MSG_DONTWAIT : 0);
		if (got < 0 && errno == EINTR && !co_interrupted())
			continue;
		if (got != (ssize_t)sizeof(d))
			break;
		if (is_new(u, &d.digest))
			list[n++] = d;
	}
	return n;
}

static _Noreturn void work(struct build *b, int fd)
{
	struct uploader u = {.b = b, .fd = fd, .bus = {hear, &u}, .sum = {.kind = WORD_DONE}};
	struct co_registry_opts ro = b->o->registry;
	struct co_descriptor list[64];
	struct co_err err = CO_ERR_INIT;
	size_t n;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	ro.bus = &u.bus;
	ro.retries = 1; /* what does not work at once is the push's */
	if (co_registry_open(&u.registry, &ro, &err) < 0)
		_exit(1);
	for (size_t i = 0; i < b->n_mounts; i++)
		*co_arena_push(&u.arena, u.mounts, u.n_mounts) = b->mounts[i];
	for (size_t i = 0; i < b->n_refs; i++) /* the first one gives to the others */
		*co_arena_push(&u.arena, u.mounts, u.n_mounts) = b->refs[i];
	while ((n = next_layers(&u, list, sizeof(list) / sizeof(list[0]))) > 0)
		if (upload(&u, list, n) < 0)
			break;
	send(fd, &u.sum, sizeof(u.sum), MSG_DONTWAIT | MSG_NOSIGNAL);
	_exit(0);
}

/* ---- in the builder ---- */

static void begin(void *ctx)
{
	struct build *b = ctx;
	int fds[2];
	if (b->early.tried)
		return;
	b->early.tried = true;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		work(b, fds[1]);
	}
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return;
	}
	b->early.pid = pid;
	b->early.fd = fds[0];
}

/* A message that finds no room is not sent: the push will see to that layer. */
static void take(void *ctx, const struct co_layer *l)
{
	struct build *b = ctx;
	struct co_descriptor d = l->desc;
	d.annotations = NULL;
	if (b->early.pid)
		send(b->early.fd, &d, sizeof(d), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void early_init(struct build *b)
{
	b->early.taker = (struct co_layer_taker){begin, take, b};
}

static void hear_word(struct build *b, const struct word *w)
{
	char name[CO_DIGEST_TEXT];
	if (w->kind == WORD_PROGRESS)
		co_emit(b->bus, (struct co_event){.kind = CO_EV_TRANSFER,
						  .name = co_digest_str(&w->digest, name),
						  .dir = CO_DIR_PUSH,
						  .done = w->done,
						  .total = w->total});
	else if (w->layers)
		co_note(b->bus, "uploaded %u layer%s, %.1f MB, while later steps ran", w->layers,
			w->layers > 1 ? "s" : "", (double)w->total / 1e6);
}

static void reap(struct build *b)
{
	while (waitpid(b->early.pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(b->early.fd);
	b->early.pid = 0;
}

void early_stop(struct build *b)
{
	if (!b->early.pid)
		return;
	kill(b->early.pid, SIGKILL);
	reap(b);
}

int early_finish(struct build *b, struct co_err *err)
{
	struct word w;
	ssize_t n = -1;
	if (!b->early.pid)
		return 0;
	struct pollfd p = {.fd = b->early.fd, .events = POLLIN};
	shutdown(b->early.fd, SHUT_WR);
	while (n != 0) {
		if (co_interrupted()) {
			early_stop(b);
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		}
		if (poll(&p, 1, 200) <= 0)
			continue;
		n = recv(b->early.fd, &w, sizeof(w), MSG_DONTWAIT);
		if (n == (ssize_t)sizeof(w))
			hear_word(b, &w);
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			break;
	}
	reap(b);
	return 0;
}
