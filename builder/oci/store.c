/* SPDX-License-Identifier: MIT
 *
 * store.c — opening, closing and locking the store.
 */
#include "store-internal.h"
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/clock.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_WAIT_S  600
#define LOCK_POLL_MS 50

static int try_lock(struct co_store *s, int how, bool *got, struct co_err *err)
{
	*got = flock(s->lock, how | LOCK_NB) == 0;
	if (*got || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	co_fail_sys(err, "store: lock %s/lock", s->path);
	return co_hint(err, "the file system must support flock; choose another place with --root");
}

int store_lock_shared(struct co_store *s, struct co_err *err)
{
	int64_t end = co_mono_ns() + LOCK_WAIT_S * 1000000000ll;
	for (;;) {
		bool got;
		int r = try_lock(s, LOCK_SH, &got, err);
		if (r < 0 || got)
			return r;
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		if (co_mono_ns() > end)
			break;
		co_sleep_ms(LOCK_POLL_MS);
	}
	co_fail(err, CO_E_TIMEOUT, "store: %s is locked by a clean-up for more than %d seconds",
		s->path, LOCK_WAIT_S);
	return co_hint(err, "see which process holds it: fuser %s/lock", s->path);
}

int store_lock_exclusive(struct co_store *s, struct co_err *err)
{
	bool got;
	int r = try_lock(s, LOCK_EX, &got, err);
	if (r < 0 || got)
		return r;
	/* a refused conversion loses the shared lock */
	r = store_lock_shared(s, err);
	if (r < 0)
		return r;
	co_fail(err, CO_E_SYSTEM, "store: %s is in use by another build", s->path);
	return co_hint(err, "try again when it has ended");
}

int store_subdir(struct co_store *s, const char *name, struct co_err *err)
{
	if (mkdirat(s->fd, name, 0700) < 0 && errno != EEXIST)
		return co_fail_sys(err, "store: make %s/%s", s->path, name);
	return 0;
}

static int prepare(struct co_store *s, struct co_err *err)
{
	static const char *const dirs[] = {"blobs", "blobs/sha256", "images", "layers", "tmp"};
	s->lock = openat(s->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return co_fail_sys(err, "store: open %s/lock", s->path);
	int r = store_lock_shared(s, err);
	for (size_t i = 0; r == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		r = store_subdir(s, dirs[i], err);
	return r;
}

int co_store_open(struct co_store **out, const char *root, struct co_err *err)
{
	struct co_store *s = co_xcalloc(1, sizeof(*s));
	s->fd = s->lock = s->tmp = -1;
	int r = store_root_open(root, &s->path, &s->fd, err);
	if (!r)
		r = prepare(s, err);
	if (r < 0) {
		co_store_close(s);
		return r;
	}
	store_tmp_sweep(s);
	*out = s;
	return 0;
}

void co_store_close(struct co_store *s)
{
	if (!s)
		return;
	store_tmp_close(s);
	co_close_fd(&s->lock);
	co_close_fd(&s->fd);
	free(s->path);
	free(s);
}

const char *co_store_path(const struct co_store *s)
{
	return s->path;
}

int co_store_fd(const struct co_store *s)
{
	return s->fd;
}
