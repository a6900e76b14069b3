/* SPDX-License-Identifier: MIT
 *
 * While the step runs: its output becomes events as it comes, and its time, its output limit and an
 * interruption of the builder are watched. Whatever ends it, the first process is what is killed;
 * the kernel kills the rest with it.
 */
#include "sandbox-internal.h"
#include <cooper/clock.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define CHUNK	(64u << 10)
#define TICK_MS 200

/* false: this stream has ended. */
static bool move_some(struct pump *p, int fd, int number, uint64_t *total)
{
	char buf[CHUNK];
	ssize_t n = read(fd, buf, sizeof(buf));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	const struct co_run *run = p->st->run;
	size_t keep = (size_t)n;
	if (run->output && *total + keep > run->output)
		keep = *total < run->output ? (size_t)(run->output - *total) : 0;
	*total += (size_t)n;
	if (keep)
		co_emit(p->st->s->bus, (struct co_event){.kind = CO_EV_STEP_OUTPUT,
							 .step = run->step,
							 .text = buf,
							 .len = keep,
							 .fd = number});
	if (run->output && *total > run->output && !p->res->output_cut) {
		p->res->output_cut = true;
		kill(p->pid, p->kill_with ? p->kill_with : SIGKILL);
	}
	return true;
}

static bool read_report(struct pump *p, int fd)
{
	struct init_report r;
	ssize_t n = read(fd, &r, sizeof(r));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n != sizeof(r))
		return false;
	if (r.kind == INIT_OVER_MEMORY)
		p->res->oom = true;
	else if (r.kind == INIT_OVER_PROCS)
		p->over_procs = true;
	else if (!p->reported) {
		p->report = r;
		p->reported = true;
	}
	return true;
}

static void watch_clock(struct pump *p, int64_t end)
{
	if (co_interrupted() && !p->interrupted) {
		p->interrupted = true;
		kill(p->pid, p->kill_with ? p->kill_with : SIGKILL);
	}
	/* what the step makes from here on is of no use */
	if (p->st->unmapped && !p->ended) {
		p->ended = true;
		kill(p->pid, p->kill_with ? p->kill_with : SIGKILL);
	}
	if (p->st->crowded && !p->over_procs) {
		p->over_procs = true;
		kill(p->pid, p->kill_with ? p->kill_with : SIGKILL);
	}
	if (end && co_mono_ns() >= end && !p->res->timed_out) {
		p->res->timed_out = true;
		kill(p->pid, p->kill_with ? p->kill_with : SIGKILL);
	}
}

static int tick(int64_t end)
{
	if (!end)
		return TICK_MS;
	int64_t left = (end - co_mono_ns()) / 1000000 + 1;
	return left < 0 ? 0 : left < TICK_MS ? (int)left : TICK_MS;
}

static void wait_for(struct pump *p)
{
	struct rusage u;
	int status = 0;
	while (wait4(p->pid, &status, 0, &u) < 0 && errno == EINTR)
		;
	p->res->user_us = (int64_t)u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec;
	p->res->system_us = (int64_t)u.ru_stime.tv_sec * 1000000 + u.ru_stime.tv_usec;
	p->res->max_rss_kb = (uint64_t)u.ru_maxrss;
	if (!p->reported)
		p->res->status = status;
	else if (p->report.kind == INIT_EXITED)
		p->res->status = p->report.value;
}

void pump_limits(const struct pump *p)
{
	const struct step *st = p->st;
	if (p->over_procs)
		co_warn(st->s->bus, NULL, "the step was stopped: more than %llu processes",
			(unsigned long long)st->run->pids);
	if (p->over_procs || p->res->oom)
		p->res->status = SIGKILL;
}

/* What is still in the pipes; nobody of the step can write any more, but someone outside may hold
 * an end that was passed to him. */
static void drain(struct pump *p, const int *fds, uint64_t *total)
{
	for (int i = 0; i < 2; i++) {
		struct pollfd f = {fds[i], POLLIN, 0};
		while (fds[i] >= 0 && poll(&f, 1, 0) > 0 && (f.revents & POLLIN))
			if (!move_some(p, fds[i], i + 1, total))
				break;
	}
}

int pump_run(struct pump *p, struct co_err *err)
{
	struct step *st = p->st;
	int fds[3] = {st->out[0], st->errs[0], st->status[0]};
	int64_t end =
		st->run->timeout_s ? co_mono_ns() + (int64_t)st->run->timeout_s * 1000000000 : 0;
	uint64_t total = 0;
	for (int i = 0; i < 3; i++)
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	/* the status pipe ends with the first process */
	while (fds[2] >= 0) {
		struct pollfd f[4 + AGENTS_POLL] = {
			{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}, {fds[2], POLLIN, 0}};
		watch_clock(p, end);
		size_t n = 3 + agents_poll(st, f + 3), calls = listener_poll(st, f + n);
		if (poll(f, n + calls, tick(end)) <= 0)
			continue;
		agents_move(st);
		if (calls)
			listener_move(st, f + n);
		for (int i = 0; i < 2; i++)
			if (f[i].revents && !move_some(p, fds[i], i + 1, &total))
				fds[i] = -1;
		if (f[2].revents && !read_report(p, fds[2]))
			fds[2] = -1;
	}
	wait_for(p);
	drain(p, fds, &total);
	if (p->interrupted)
		return co_fail(err, CO_E_INTERRUPTED, "interrupted");
	return 0;
}
