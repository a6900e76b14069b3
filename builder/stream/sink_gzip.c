/* SPDX-License-Identifier: MIT
 *
 * sink_gzip.c — gzip in fixed blocks by a few threads, a member each, bytes independent of the
 * number of threads. Blocks pass through a ring of slots in order; the caller's thread fills them
 * and writes the results, so that the sink below sees one thread only. Threads start when a second
 * block begins. RFC 1952; reproducibility: no time, no name, OS 255.
 */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include "stream-internal.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define GZIP_LEVEL   4 /* of libdeflate: as small as zlib's 6, three times as fast */
#define MAX_THREADS  6 /* 8 slots of 2 MiB and 6 coders: 24 MiB */
#define SPARE_SLOTS  2
#define MAX_SLOTS    (MAX_THREADS + SPARE_SLOTS)
#define THREAD_STACK (256u << 10)

enum slot_state { SLOT_FREE, SLOT_READY, SLOT_BUSY, SLOT_DONE };

struct slot {
	uint8_t *in, *out; /* owned; allocated at first use */
	size_t n_in, n_out;
	enum slot_state state;
};

struct gzip_sink {
	struct co_sink *below; /* owned */
	int level;
	unsigned n_threads, started;
	bool stop;
	/* Numbers of blocks since the start; a block's slot is its number modulo the slots. */
	uint64_t filling, taking, writing;
	struct slot slots[MAX_SLOTS];
	struct deflater *own; /* the caller's thread's coder; owned */
	pthread_t threads[MAX_THREADS];
	pthread_mutex_t lock; /* slots' states, taking, stop */
	pthread_cond_t ready, done;
};

static struct slot *slot_of(struct gzip_sink *g, uint64_t number)
{
	return &g->slots[number % (g->n_threads + SPARE_SLOTS)];
}

static void slot_alloc(struct slot *s)
{
	if (s->in)
		return;
	s->in = co_xrealloc(NULL, 1, GZIP_BLOCK);
	s->out = co_xrealloc(NULL, 1, deflater_bound(GZIP_BLOCK));
}

static void *worker(void *arg)
{
	struct gzip_sink *g = arg;
	struct deflater *d = deflater_new(g->level);

	pthread_mutex_lock(&g->lock);
	for (;;) {
		struct slot *s = slot_of(g, g->taking);

		if (g->stop)
			break;
		if (s->state != SLOT_READY) {
			pthread_cond_wait(&g->ready, &g->lock);
			continue;
		}
		g->taking++;
		s->state = SLOT_BUSY;
		pthread_mutex_unlock(&g->lock);
		s->n_out = deflater_run(d, s->in, s->n_in, s->out);
		pthread_mutex_lock(&g->lock);
		s->state = SLOT_DONE;
		pthread_cond_signal(&g->done);
	}
	pthread_mutex_unlock(&g->lock);
	deflater_free(d);
	return NULL;
}

/* One more thread; false when there are enough or none can be had. Signals stay with the caller. */
static bool start_thread(struct gzip_sink *g)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	if (g->n_threads < 2 || g->started == g->n_threads)
		return false;
	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = pthread_create(&g->threads[g->started], &attr, worker, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	g->started += r == 0;
	return r == 0;
}

static void stop_threads(struct gzip_sink *g)
{
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_broadcast(&g->ready);
	pthread_mutex_unlock(&g->lock);
	while (g->started)
		pthread_join(g->threads[--g->started], NULL);
}

static int put_slot(struct gzip_sink *g, struct slot *s, struct co_err *err)
{
	if (!s->n_out)
		return co_fail(err, CO_E_INTERNAL, "gzip: a block did not compress");
	return co_sink_pass(g->below, s->out, s->n_out, err);
}

/* Writes finished blocks in order; waits until at most `left` blocks are under way. */
static int drain(struct gzip_sink *g, uint64_t left, struct co_err *err)
{
	while (g->writing < g->filling) {
		struct slot *s = slot_of(g, g->writing);
		enum slot_state state;
		int r;

		pthread_mutex_lock(&g->lock);
		while (s->state != SLOT_DONE && g->filling - g->writing > left)
			pthread_cond_wait(&g->done, &g->lock);
		state = s->state;
		pthread_mutex_unlock(&g->lock);
		if (state != SLOT_DONE)
			return 0;
		if ((r = put_slot(g, s, err)) < 0)
			return r;
		s->state = SLOT_FREE;
		s->n_in = 0;
		g->writing++;
	}
	return 0;
}

static int run_here(struct gzip_sink *g, struct slot *s, struct co_err *err)
{
	int r;

	if (!g->own)
		g->own = deflater_new(g->level);
	s->n_out = deflater_run(g->own, s->in, s->n_in, s->out);
	r = put_slot(g, s, err);
	s->n_in = 0;
	return r;
}

/* The block being filled is full and another will follow. */
static int submit(struct gzip_sink *g, struct co_err *err)
{
	struct slot *s = slot_of(g, g->filling);

	start_thread(g);
	if (!g->started)
		return run_here(g, s, err);
	pthread_mutex_lock(&g->lock);
	s->state = SLOT_READY;
	g->filling++;
	pthread_cond_signal(&g->ready);
	pthread_mutex_unlock(&g->lock);
	return drain(g, g->n_threads + SPARE_SLOTS - 1, err);
}

static int gzip_write(void *self, const void *data, size_t len, struct co_err *err)
{
	struct gzip_sink *g = self;
	const uint8_t *p = data;

	while (len) {
		struct slot *s = slot_of(g, g->filling);
		size_t n;
		int r;

		if (s->n_in == GZIP_BLOCK) {
			if ((r = submit(g, err)) < 0)
				return r;
			continue;
		}
		slot_alloc(s);
		n = GZIP_BLOCK - s->n_in < len ? GZIP_BLOCK - s->n_in : len;
		memcpy(s->in + s->n_in, p, n);
		s->n_in += n;
		p += n;
		len -= n;
	}
	return 0;
}

static int gzip_close(void *self, struct co_err *err)
{
	struct gzip_sink *g = self;
	struct slot *s = slot_of(g, g->filling);
	int r;

	slot_alloc(s);
	if ((r = drain(g, 0, err)) < 0 || (r = run_here(g, s, err)) < 0)
		return r;
	return co_sink_close(co_steal(&g->below), err);
}

static void gzip_free(void *self, bool aborted)
{
	struct gzip_sink *g = self;

	(void)aborted;
	stop_threads(g);
	co_sink_abort(g->below);
	for (size_t i = 0; i < MAX_SLOTS; i++) {
		free(g->slots[i].in);
		free(g->slots[i].out);
	}
	deflater_free(g->own);
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->ready);
	pthread_cond_destroy(&g->done);
	free(g);
}

static const struct co_sink_ops gzip_ops = {"gzip", gzip_write, gzip_close, gzip_free};

struct co_sink *co_sink_gzip(struct co_sink *below, int level, unsigned threads)
{
	struct gzip_sink *g = co_xcalloc(1, sizeof(*g));

	g->below = below;
	g->level = level < 0 ? GZIP_LEVEL : level > 9 ? 9 : level;
	g->n_threads = threads ? threads : usable_cores();
	if (g->n_threads > MAX_THREADS)
		g->n_threads = MAX_THREADS;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->ready, NULL);
	pthread_cond_init(&g->done, NULL);
	return co_sink_new(&gzip_ops, g);
}
