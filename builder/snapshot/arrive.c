/* SPDX-License-Identifier: MIT
 *
 * Layers that are not unpacked yet, several at a time, and while their blobs are still coming: what
 * the transfer has written to the store's temporary file is read behind it by a process that
 * inflates, hashes and unpacks. It works in a temporary directory, waits at the end for the word
 * that the blob was right, and only then publishes what it made; or it ends without a trace. What
 * is not made here is made by co_rootfs_add_layer, who tells why it cannot be. Where layers are put
 * into one tree, they are unpacked one after another while the later ones come; a step sees the
 * tree only when all were right, and else it is thrown away.
 *
 * The transfer never waits for a reader: the file is the buffer between them. A transfer that broke
 * off goes on in the same file, so that the reader notices nothing.
 */
#include "snapshot-internal.h"
#include <cooper/clock.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST	16
#define AT_ONCE 4	    /* as many as are transferred at a time */
#define TELL	(256 << 10) /* a reader is woken for that much */

enum feed_state { FEED_COMING, FEED_COMPLETE, FEED_FAILED };
/* In memory that both processes share. */
struct feed {
	sem_t more; /* something has changed */
	atomic_int state;
	sem_t ended; /* the reader has come to its end */
	atomic_int end;
};
enum reader_end { READER_AT_WORK, READER_MADE_IT, READER_FAILED };

struct arriving {
	const struct co_layer *layer;
	struct feed *feed;
	int fd; /* reads its blob while that is coming, else -1 */
	bool wanted, coming, here, started, done;
	pid_t pid; /* 0: nobody is at work */
	int64_t told;
};

struct co_arrival {
	struct co_rootfs *r; /* borrowed */
	struct co_store_watch watch;
	struct arriving *list; /* owned */
	size_t n, wanted, away;
	struct feed *feeds; /* mapped; MAP_FAILED: none */
	size_t feeds_size;
	unsigned limit, running;
	bool ordered; /* into one tree */
};

static unsigned cores(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	unsigned n = (unsigned)CPU_COUNT(&set);
	return n > MOST ? MOST : n;
}

/* ---- in the reader ---- */

struct blob_feed {
	int fd; /* owned by the arrival */
	struct feed *feed;
	uint64_t got, ratio; /* bytes so far; how many may become of each */
};

/* The end of the file is the end of the blob only when the blob is complete. */
static ssize_t feed_read(void *self, void *data, size_t len, struct co_err *err)
{
	struct blob_feed *f = self;
	for (;;) {
		int state = atomic_load(&f->feed->state);
		ssize_t n = read(f->fd, data, len);
		if (n < 0)
			return co_fail_sys(err, "read a layer that is coming");
		if (n > 0)
			f->got += (uint64_t)n;
		if (n > 0 || (n == 0 && state == FEED_COMPLETE))
			return n;
		if (state == FEED_FAILED)
			return co_fail(err, CO_E_INTEGRITY, "the layer did not come");
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		sem_wait(&f->feed->more);
		while (sem_trywait(&f->feed->more) == 0)
			;
	}
}

static void feed_free(void *self)
{
	(void)self;
}

static const struct co_source_ops feed_ops = {feed_read, feed_free};

/* Of what was announced nothing is believed: the ratio of unpacked to packed bytes is that of what
 * has come. */
struct ratio_source {
	struct co_source_stream *below; /* owned */
	const struct blob_feed *feed;
	uint64_t out;
};

static ssize_t ratio_read(void *self, void *data, size_t len, struct co_err *err)
{
	struct ratio_source *s = self;
	ssize_t n = co_stream_read(s->below, data, len, err);
	if (n <= 0)
		return n;
	s->out += (uint64_t)n;
	if (s->out > LAYER_RATIO_FREE && s->out / s->feed->ratio > s->feed->got)
		return co_fail(err, CO_E_LIMIT, "unpacks to too much so far");
	return n;
}

static void ratio_free(void *self)
{
	struct ratio_source *s = self;
	co_stream_close(s->below);
	free(s);
}

static const struct co_source_ops ratio_ops = {ratio_read, ratio_free};

struct co_source_stream *feed_inflate(struct blob_feed *f, uint64_t ratio)
{
	struct ratio_source *s = co_xcalloc(1, sizeof(*s));
	f->ratio = ratio;
	s->feed = f;
	s->below = co_stream_inflate(co_stream_new(&feed_ops, f), 0);
	return co_stream_new(&ratio_ops, s);
}

static void hear(void *ctx, const struct co_event *ev)
{
	(void)ev;
	*(bool *)ctx = true;
}

static void settle(struct feed *f, bool ok)
{
	int expected = READER_AT_WORK;
	if (atomic_compare_exchange_strong(&f->end, &expected, ok ? READER_MADE_IT : READER_FAILED))
		sem_post(&f->ended);
}

/* Waits for the reader of the layer below. */
static bool made(struct feed *f)
{
	while (atomic_load(&f->end) == READER_AT_WORK && !co_interrupted())
		sem_wait(&f->ended);
	return atomic_load(&f->end) == READER_MADE_IT;
}

/* In the child. A warning has to be told by the caller: then nothing counts. */
static _Noreturn void unpack_one(struct co_arrival *a, const struct arriving *l)
{
	struct co_rootfs *r = a->r;
	int e;
	struct co_err err = CO_ERR_INIT;
	bool warned = false;
	struct co_bus bus = {hear, &warned};
	struct blob_feed feed = {.fd = l->fd, .feed = l->feed};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r->bus = &bus;
	r->feed = l->here ? NULL : &feed;
	if (a->ordered && l > a->list && !made(l[-1].feed))
		_exit(1);
	e = r->ops->prepare ? r->ops->prepare(r, l->layer, &warned, &err)
			    : r->ops->add_layer(r, l->layer, &err);
	settle(l->feed, e == 0 && !warned);
	_exit(e < 0 || warned);
}

/* ---- in the process that transfers ---- */

static bool reap(struct co_arrival *a, struct arriving *l, int how)
{
	pid_t got;
	int status = 1;
	while ((got = waitpid(l->pid, &status, how)) < 0 && errno == EINTR)
		;
	if (got == 0)
		return false;
	l->pid = 0;
	l->done = status == 0;
	settle(l->feed, l->done); /* should it have been killed */
	a->running--;
	return true;
}

static void start(struct co_arrival *a, struct arriving *l)
{
	l->started = true;
	pid_t pid = fork();
	if (pid == 0)
		unpack_one(a, l);
	if (pid < 0) {
		settle(l->feed, false);
		return;
	}
	l->pid = pid;
	a->running++;
}

/* Starts those that can be, as far as there is room. */
static void start_some(struct co_arrival *a)
{
	for (size_t i = 0; a->running == a->limit && i < a->n; i++)
		if (a->list[i].pid)
			reap(a, &a->list[i], WNOHANG);
	for (size_t i = 0; a->running < a->limit && i < a->n && !co_interrupted(); i++) {
		struct arriving *l = &a->list[i];
		if (l->wanted && !l->started && (l->here || l->coming))
			start(a, l);
		if (a->ordered && !l->started)
			break; /* a later one would wait for it */
	}
}

static struct arriving *find(struct co_arrival *a, const struct co_digest *d)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].wanted && co_digest_eq(&a->list[i].layer->desc.digest, d))
			return &a->list[i];
	return NULL;
}

static void wake(struct arriving *l, enum feed_state state)
{
	atomic_store(&l->feed->state, state);
	sem_post(&l->feed->more);
}

static void begins(void *ctx, const struct co_digest *d, int fd)
{
	struct arriving *l = find(ctx, d);
	if (!l || l->coming || l->here || l->started) {
		close(fd);
		return;
	}
	l->fd = fd;
	l->coming = true;
	l->told = 0;
	start_some(ctx);
}

static void grows(void *ctx, const struct co_digest *d, int64_t size)
{
	struct arriving *l = find(ctx, d);
	if (!l || !l->coming || size - l->told < TELL)
		return;
	l->told = size;
	wake(l, FEED_COMING);
	start_some(ctx);
}

static void ends(void *ctx, const struct co_digest *d, bool ok)
{
	struct arriving *l = find(ctx, d);
	if (!l || !l->coming)
		return;
	l->coming = false;
	l->here = ok;
	co_close_fd(&l->fd);
	wake(l, ok ? FEED_COMPLETE : FEED_FAILED);
	start_some(ctx);
}

/* Is the same content on the list before? */
static bool seen(const struct co_layer *layers, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (co_digest_eq(&layers[k].diff_id, &layers[i].diff_id))
			return true;
	return false;
}

static void list_layers(struct co_arrival *a, const struct co_layer *layers)
{
	char path[4096];
	for (size_t i = 0; i < a->n; i++) {
		struct arriving *l = &a->list[i];
		*l = (struct arriving){.layer = &layers[i], .feed = &a->feeds[i], .fd = -1};
		bool made = seen(layers, i) || co_store_layer_path(a->r->store, &layers[i].diff_id,
								   path, sizeof(path));
		l->wanted = a->ordered || !made;
		l->here = co_store_has(a->r->store, &layers[i].desc.digest, NULL);
		a->wanted += l->wanted;
		a->away += l->wanted && !l->here;
	}
}

static bool make_feeds(struct co_arrival *a)
{
	a->feeds_size = (a->n + 1) * sizeof(*a->feeds);
	a->feeds = mmap(NULL, a->feeds_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			0);
	if (a->feeds == MAP_FAILED)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (sem_init(&a->feeds[i].more, 1, 0) < 0 || sem_init(&a->feeds[i].ended, 1, 0) < 0)
			return false;
	return true;
}

struct co_arrival *co_arrival_begin(struct co_rootfs *r, const struct co_layer *layers, size_t n)
{
	struct co_err ignore = CO_ERR_INIT;
	struct co_arrival *a = co_xcalloc(1, sizeof(*a));
	a->r = r;
	a->ordered = r->ops->empty && r->ops->empty(r);
	a->n = r->ops->prepare || a->ordered ? n : 0;
	a->list = co_xcalloc(n + 1, sizeof(*a->list));
	if (!make_feeds(a))
		a->n = 0;
	list_layers(a, layers);
	/* one alone that is here is the caller's, and so is what one core does; the store's
	 * temporary directory is to be this process's, not a child's */
	a->limit = a->ordered ? MOST : cores();
	if (a->away && a->limit < AT_ONCE)
		a->limit = AT_ONCE;
	if ((!a->away && (a->wanted < 2 || a->limit < 2 || a->ordered)) ||
	    co_store_tmp_fd(r->store, &ignore) < 0)
		a->n = 0;
	a->watch = (struct co_store_watch){begins, grows, ends, a};
	if (a->away && a->n)
		co_store_watch(r->store, &a->watch);
	start_some(a);
	return a;
}

/* False when nobody is at work. */
static bool wait_one(struct co_arrival *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].pid)
			return reap(a, &a->list[i], 0);
	return false;
}

/* How far the one tree has come; 0 when it is not what add_layer would have made. */
static int tell_taken(struct co_arrival *a, struct co_err *err)
{
	size_t n = 0;
	bool failed = false;
	for (size_t i = 0; i < a->n; i++) {
		failed |= a->list[i].started && !a->list[i].done;
		n += a->list[i].done;
	}
	if (!a->ordered || (!n && !failed))
		return 0;
	return a->r->ops->taken(a->r, failed ? 0 : n, err);
}

int co_arrival_end(struct co_arrival *a, bool all_here, struct co_err *err)
{
	co_store_watch(a->r->store, NULL);
	for (size_t i = 0; i < a->n; i++) {
		struct arriving *l = &a->list[i];
		if (l->coming) /* nobody will finish it */
			wake(l, FEED_FAILED);
		l->coming = false;
		co_close_fd(&l->fd);
	}
	do {
		if (all_here)
			start_some(a);
	} while (wait_one(a));
	int e = tell_taken(a, err);
	if (a->feeds != MAP_FAILED)
		munmap(a->feeds, a->feeds_size);
	free(a->list);
	free(a);
	return e;
}
