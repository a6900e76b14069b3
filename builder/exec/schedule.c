/* SPDX-License-Identifier: MIT
 *
 * Which stage when. First every stage goes as far as the cache reaches, in this process: a fully
 * cached build starts nothing. What is left runs in workers, side by side where stages do not wait
 * for one another; a single stage that is ready runs here.
 */
#include "exec-internal.h"
#include <cooper/clock.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_WORKERS 64

struct schedule {
	struct co_exec *x;
	struct worker workers[MAX_WORKERS];
	unsigned limit, running;
};

static bool deps_done(const struct schedule *s, const struct stage_run *st)
{
	for (size_t i = 0; i < st->plan->n_deps; i++)
		if (!s->x->stages[st->plan->deps[i]]->done)
			return false;
	return true;
}

static bool has_worker(const struct schedule *s, const struct stage_run *st)
{
	for (unsigned i = 0; i < s->limit; i++)
		if (s->workers[i].st == st)
			return true;
	return false;
}

/* Goes through the cache until nothing moves; gives the stages that have work left. */
static int advance(struct schedule *s, struct stage_run **ready, size_t *n, struct co_err *err)
{
	struct co_exec *x = s->x;
	*n = 0;
	for (size_t i = 0; i < x->plan->n_stages; i++) {
		struct stage_run *st = x->stages[i];
		if (!st || st->done || has_worker(s, st) || !deps_done(s, st))
			continue;
		int r = stage_walk(x, st, true, err);
		if (r < 0)
			return r;
		if (r > 0)
			ready[(*n)++] = st;
	}
	return 0;
}

static int start_worker(struct schedule *s, struct stage_run *st, struct co_err *err)
{
	for (unsigned i = 0; i < s->limit; i++) {
		if (s->workers[i].st)
			continue;
		int r = worker_start(&s->workers[i], s->x, st, err);
		if (!r)
			s->running++;
		return r;
	}
	return 0;
}

static int end_worker(struct schedule *s, struct worker *w, struct co_err *err)
{
	int r = 0;
	if (w->failed) {
		if (!err->code)
			*err = w->err;
		r = err->code;
	} else if (!err->code) {
		r = stage_replay(s->x, w->st, w->made, w->n_made, err);
	}
	worker_release(w);
	s->running--;
	return r;
}

/* Waits until one worker has ended. */
static int wait_worker(struct schedule *s, struct co_err *err)
{
	struct pollfd fds[MAX_WORKERS];
	struct worker *of[MAX_WORKERS];
	unsigned n = 0;
	for (unsigned i = 0; i < s->limit; i++)
		if (s->workers[i].st) {
			of[n] = &s->workers[i];
			fds[n++] = (struct pollfd){.fd = s->workers[i].fd, .events = POLLIN};
		}
	if (poll(fds, n, 200) < 0 && errno != EINTR)
		return co_fail_sys(err, "wait for stages");
	if (co_interrupted())
		for (unsigned i = 0; i < n; i++)
			worker_stop(of[i]);
	for (unsigned i = 0; i < n; i++)
		if (fds[i].revents && worker_read(of[i], s->x)) {
			int r = end_worker(s, of[i], err);
			if (r < 0)
				return r;
		}
	return 0;
}

static void stop_all(struct schedule *s, struct co_err *err)
{
	for (unsigned i = 0; i < s->limit; i++)
		if (s->workers[i].st)
			worker_stop(&s->workers[i]);
	while (s->running) {
		int r = wait_worker(s, err);
		(void)r; /* the first failure is the one to tell */
	}
}

static unsigned job_limit(const struct co_exec *x)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = x->o->jobs ? x->o->jobs : cores > 1 ? (unsigned)cores : 1;
	return n > MAX_WORKERS ? MAX_WORKERS : n;
}

/* Before the first step, and before the first worker is forked. */
static void begin_work(struct co_exec *x)
{
	if (!x->working && x->o->taker)
		x->o->taker->begin(x->o->taker->ctx);
	x->working = true;
}

static int run_all(struct schedule *s, struct stage_run **ready, struct co_err *err)
{
	for (;;) {
		size_t n;
		int r = advance(s, ready, &n, err);
		if (r < 0)
			return r;
		if (!n && !s->running)
			return 0;
		if (n)
			begin_work(s->x);
		/* alone: no need for another process */
		if (n && !s->running && (n == 1 || s->limit == 1)) {
			r = stage_walk(s->x, ready[0], false, err);
			if (r < 0)
				return r;
			continue;
		}
		for (size_t i = 0; i < n && s->running < s->limit; i++) {
			r = start_worker(s, ready[i], err);
			if (r < 0)
				return r;
		}
		r = wait_worker(s, err);
		if (r < 0)
			return r;
	}
}

int schedule_run(struct co_exec *x, struct co_err *err)
{
	struct schedule *s = co_xcalloc(1, sizeof(*s));
	s->x = x;
	s->limit = job_limit(x);
	struct stage_run **ready = co_xcalloc(x->plan->n_stages + 1, sizeof(struct stage_run *));
	int r = run_all(s, ready, err);
	if (r < 0)
		stop_all(s, err);
	free(ready);
	free(s);
	return r;
}
