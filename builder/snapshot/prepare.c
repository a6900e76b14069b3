/* SPDX-License-Identifier: MIT
 *
 * Layers that are not unpacked yet, several at a time: for overlay each is a directory of its own,
 * so none waits for another. Every one gets a process, which publishes what it made in the store or
 * ends without a word; what it did not make is made again by the caller, who tells why it cannot
 * be.
 */
#include "snapshot-internal.h"
#include <cooper/clock.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 16

static unsigned cores(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	unsigned n = (unsigned)CPU_COUNT(&set);
	return n > MOST ? MOST : n;
}

static void hear(void *ctx, const struct co_event *ev)
{
	(void)ev;
	*(bool *)ctx = true;
}

/* In the child. A warning has to be told by the caller: then nothing is published. */
static _Noreturn void unpack_one(struct co_rootfs *r, const struct co_layer *layer)
{
	struct co_err err = CO_ERR_INIT;
	bool warned = false;
	struct co_bus bus = {hear, &warned};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r->bus = &bus;
	_exit(r->ops->prepare(r, layer, &warned, &err) < 0 ? 1 : 0);
}

static void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Is the same content on the list before? */
static bool seen(const struct co_layer *layers, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (co_digest_eq(&layers[k].diff_id, &layers[i].diff_id))
			return true;
	return false;
}

void co_rootfs_prepare(struct co_rootfs *r, const struct co_layer *layers, size_t n)
{
	pid_t pids[MOST];
	unsigned limit = cores();
	size_t started = 0, ended = 0, missing = 0;
	char path[4096];
	struct co_err ignore = CO_ERR_INIT;
	bool *todo = co_xcalloc(n + 1, sizeof(*todo));
	for (size_t i = 0; r->ops->prepare && i < n; i++) {
		todo[i] = !seen(layers, i) &&
			  !co_store_layer_path(r->store, &layers[i].diff_id, path, sizeof(path));
		missing += todo[i];
	}
	/* one alone is the caller's, and so is what one core does; the store's temporary directory
	 * is to be this process's, not a child's */
	if (missing < 2 || limit < 2 || co_store_tmp_fd(r->store, &ignore) < 0)
		n = 0;
	for (size_t i = 0; i < n && !co_interrupted(); i++) {
		if (!todo[i])
			continue;
		if (started - ended == limit)
			wait_for(pids[ended++ % MOST]);
		pid_t pid = fork();
		if (pid == 0)
			unpack_one(r, &layers[i]);
		if (pid < 0)
			break;
		pids[started++ % MOST] = pid;
	}
	while (ended < started)
		wait_for(pids[ended++ % MOST]);
	free(todo);
}
