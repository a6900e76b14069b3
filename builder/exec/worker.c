/* SPDX-License-Identifier: MIT
 *
 * A worker: a forked process that walks one stage to its end, because sandboxes change state of
 * the whole process. It tells the parent its events, the layers it made and how it ended, in frames
 * on a pipe: both ends are this program, so plain structures travel as they are.
 */
#include "exec-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define FRAME_MAX (64u << 20)

enum frame_kind { FRAME_EVENT = 1, FRAME_LAYER, FRAME_FAILED, FRAME_DONE };
struct frame {
	uint32_t kind, len;
};
/* The strings of an event follow it, each with its length; UINT32_MAX stands for NULL. */

static void send_frame(int fd, enum frame_kind kind, const void *data, size_t len)
{
	struct frame f = {.kind = kind, .len = (uint32_t)len};
	/* a parent that is gone is no reason to report: PDEATHSIG ends us */
	if (co_write_all(fd, &f, sizeof(f)) == 0 && len) {
		int r = co_write_all(fd, data, len);
		(void)r;
	}
}

static void put_string(struct co_buf *b, const char *s, size_t len)
{
	uint32_t n = s ? (uint32_t)len : UINT32_MAX;
	co_buf_add(b, &n, sizeof(n));
	if (s)
		co_buf_add(b, s, len);
}

static void send_event(void *ctx, const struct co_event *ev)
{
	int fd = *(int *)ctx;
	auto_buf b = CO_BUF_INIT(FRAME_MAX);
	const char *strings[] = {ev->stage, ev->name, ev->rule, ev->file, ev->binary};
	co_buf_add(&b, ev, sizeof(*ev));
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		put_string(&b, strings[i], strings[i] ? strlen(strings[i]) : 0);
	put_string(&b, ev->text, ev->len ? ev->len : ev->text ? strlen(ev->text) : 0);
	put_string(&b, ev->args, ev->args_len);
	if (!b.overflow)
		send_frame(fd, FRAME_EVENT, b.data, b.len);
}

/* ---- in the worker ---- */

/* Trees of other stages belong to the parent: they are read here, and left alone at the end. */
static int borrow_trees(struct co_exec *x, struct co_err *err)
{
	for (size_t i = 0; i < x->plan->n_stages; i++) {
		struct stage_run *st = x->stages[i];
		struct co_rootfs *reader;
		if (!st || !st->fs)
			continue;
		int r = co_rootfs_reader(&reader, st->fs, err);
		if (r < 0)
			return r;
		st->fs = reader;
	}
	for (struct image_run *i = x->images; i; i = i->next) {
		struct co_rootfs *reader;
		if (!i->run.fs)
			continue;
		int r = co_rootfs_reader(&reader, i->run.fs, err);
		if (r < 0)
			return r;
		i->run.fs = reader;
	}
	return 0;
}

static _Noreturn void work(struct co_exec *x, struct stage_run *st, int fd)
{
	struct co_err err = CO_ERR_INIT;
	struct co_exec_opts o = *x->o;
	struct co_bus bus = {.emit = send_event, .ctx = &fd};
	size_t before = st->n_entries;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* everyone who has this bus (store, registry, cache) speaks through the pipe from now on */
	if (o.bus)
		*o.bus = bus;
	x->o = &o;
	x->sandbox = NULL;
	int r = borrow_trees(x, &err);
	if (!r)
		r = stage_walk(x, st, false, &err);
	for (size_t i = before; r == 0 && i < st->n_entries; i++) {
		struct co_cache_entry e = st->entries[i];
		e.layer.desc.annotations = NULL;
		send_frame(fd, FRAME_LAYER, &e, sizeof(e));
	}
	for (size_t i = 0; i < x->plan->n_stages; i++) {
		if (!x->stages[i])
			continue;
		step_drop_pending(x->stages[i]);
		stage_close(x->stages[i]);
	}
	for (struct image_run *i = x->images; i; i = i->next)
		stage_close(&i->run);
	co_sandbox_close(x->sandbox);
	if (r < 0)
		send_frame(fd, FRAME_FAILED, &err, sizeof(err));
	else
		send_frame(fd, FRAME_DONE, NULL, 0);
	_exit(r < 0);
}

/* ---- in the parent ---- */

int worker_start(struct worker *w, struct co_exec *x, struct stage_run *st, struct co_err *err)
{
	int fds[2];
	memset(w, 0, sizeof(*w));
	/* a tree that the worker goes on with is no longer what this process remembers */
	stage_close(st);
	st->fs_layers = 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return co_fail_sys(err, "make a pipe for a stage");
	pid_t pid = fork();
	if (pid < 0) {
		co_fail_sys(err, "start a process for a stage");
		close(fds[0]);
		close(fds[1]);
		return err->code;
	}
	if (pid == 0) {
		close(fds[0]);
		work(x, st, fds[1]);
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*w = (struct worker){.st = st, .pid = pid, .fd = fds[0], .in = CO_BUF_INIT(FRAME_MAX + 64)};
	return 0;
}

static const char *get_string(const char **p, const char *end, struct co_arena *a, size_t *len)
{
	uint32_t n;
	*len = 0;
	if ((size_t)(end - *p) < sizeof(n))
		return NULL;
	memcpy(&n, *p, sizeof(n));
	*p += sizeof(n);
	if (n == UINT32_MAX || n > (size_t)(end - *p))
		return NULL;
	const char *s = co_arena_strndup(a, *p, n);
	*p += n;
	*len = n;
	return s;
}

static void take_event(struct co_exec *x, const char *data, size_t size)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_event ev;
	size_t len;
	if (size < sizeof(ev))
		return;
	memcpy(&ev, data, sizeof(ev));
	const char *p = data + sizeof(ev), *end = data + size;
	ev.stage = get_string(&p, end, &a, &len);
	ev.name = get_string(&p, end, &a, &len);
	ev.rule = get_string(&p, end, &a, &len);
	ev.file = get_string(&p, end, &a, &len);
	ev.binary = get_string(&p, end, &a, &len);
	ev.text = get_string(&p, end, &a, &ev.len);
	ev.args = get_string(&p, end, &a, &ev.args_len);
	co_emit(x->o->bus, ev);
}

static void take_frame(struct worker *w, struct co_exec *x, const struct frame *f, const char *data)
{
	switch ((enum frame_kind)f->kind) {
	case FRAME_EVENT:
		take_event(x, data, f->len);
		break;
	case FRAME_LAYER:
		w->made = co_xrealloc(w->made, w->n_made + 1, sizeof(*w->made));
		memcpy(&w->made[w->n_made++], data, sizeof(*w->made));
		break;
	case FRAME_FAILED:
		memcpy(&w->err, data, sizeof(w->err));
		w->failed = true;
		break;
	case FRAME_DONE:
	default:
		w->finished = true;
		break;
	}
}

/* Takes whole frames off the front of what came. */
static void take_frames(struct worker *w, struct co_exec *x)
{
	size_t at = 0;
	struct frame f;
	while (w->in.len - at >= sizeof(f)) {
		memcpy(&f, w->in.data + at, sizeof(f));
		if (w->in.len - at - sizeof(f) < f.len)
			break;
		take_frame(w, x, &f, w->in.data + at + sizeof(f));
		at += sizeof(f) + f.len;
	}
	if (at) {
		memmove(w->in.data, w->in.data + at, w->in.len - at);
		co_buf_cut(&w->in, w->in.len - at);
	}
}

bool worker_read(struct worker *w, struct co_exec *x)
{
	char buf[65536];
	ssize_t n;
	while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
		co_buf_add(&w->in, buf, (size_t)n);
		take_frames(w, x);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	int status = 0;
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!w->finished && !w->failed) {
		w->failed = true;
		co_fail(&w->err, CO_E_INTERNAL, "the process of stage %s ended early (status %x)",
			w->st->plan->ast->name ? w->st->plan->ast->name : "", (unsigned)status);
	}
	return true;
}

void worker_stop(struct worker *w)
{
	kill(w->pid, SIGTERM);
}

void worker_release(struct worker *w)
{
	close(w->fd);
	free(w->made);
	co_buf_release(&w->in);
	memset(w, 0, sizeof(*w));
}
