/* SPDX-License-Identifier: MIT
 *
 * The list of refused calls in the session (cooper/interpose.h). Nothing waits for anything: a slot
 * is taken by an addition, and whoever dies on the way leaves one that is never ready.
 */
#include "attempts.h"

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h;
}

/* The arguments as the kernel keeps them: how many bytes there are, which may be more than room. */
static uint32_t read_args(char *out, size_t room)
{
	char rest[256];
	size_t n = 0;
	long got = 0;
	long fd = sys4(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	do {
		n += (size_t)got;
		got = sys3(SYS_read, fd, out + n, room - n);
	} while (got > 0);
	bool more = n == room && sys3(SYS_read, fd, rest, sizeof(rest)) > 0;
	sys1(SYS_close, fd);
	return (uint32_t)n + more;
}

static uint64_t hash_of(const struct co_ip_attempt *a)
{
	size_t n = a->args_len < sizeof(a->args) ? a->args_len : sizeof(a->args);
	uint64_t h = mix(0xcbf29ce484222325ull, &a->nr, sizeof(a->nr));
	h = mix(h, a->arg, sizeof(a->arg));
	h = mix(h, a->binary, text_len(a->binary));
	h = mix(h, a->detail, text_len(a->detail));
	return mix(h, a->args, n) | 1;
}

/* Has this been noted before? Then it is counted. */
static bool counted(struct co_ip_attempts *l, uint64_t hash)
{
	uint32_t n = __atomic_load_n(&l->next, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < n && i < CO_IP_ATTEMPTS; i++) {
		struct co_ip_attempt *a = &l->items[i];
		if (__atomic_load_n(&a->state, __ATOMIC_ACQUIRE) == CO_IPA_READY &&
		    a->hash == hash) {
			__atomic_fetch_add(&a->count, 1, __ATOMIC_RELAXED);
			return true;
		}
	}
	return false;
}

void attempt_note(long nr, const long *args, const char *detail)
{
	struct co_ip_attempts *l = (void *)((char *)(uintptr_t)g.ses + CO_IP_ATTEMPTS_AT);
	struct co_ip_attempt a;
	memset(&a, 0, sizeof(a) - sizeof(a.args));
	a.state = CO_IPA_WRITING;
	a.count = 1;
	a.nr = (int32_t)nr;
	/* numbers tell more of the call; pointers would only make equal calls differ */
	for (int i = 0; i < 2; i++)
		a.arg[i] = (uint64_t)args[i] >> 32 ? 0 : (uint64_t)args[i];
	text_put(a.binary, a.binary + sizeof(a.binary), g.exe);
	text_put(a.detail, a.detail + sizeof(a.detail), detail);
	a.args_len = read_args(a.args, sizeof(a.args));
	a.hash = hash_of(&a);
	if (counted(l, a.hash))
		return;
	/* the counter never wraps round to a slot that is in use */
	if (__atomic_load_n(&l->next, __ATOMIC_RELAXED) > 1u << 30)
		return;
	uint32_t at = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQ_REL);
	if (at >= CO_IP_ATTEMPTS)
		return;
	size_t n = a.args_len < sizeof(a.args) ? a.args_len : sizeof(a.args);
	memcpy(&l->items[at], &a, offsetof(struct co_ip_attempt, args) + n);
	__atomic_store_n(&l->items[at].state, CO_IPA_READY, __ATOMIC_RELEASE);
}

long h_refused(struct call *c)
{
	attempt_note(c->nr, c->a, "");
	return -(long)c->row->argument;
}

/* The process that a call is about. */
static long target(const struct call *c)
{
	return c->nr == SYS_ptrace ? c->a[1] : c->a[0];
}

long h_tried(struct call *c)
{
	char pid[24] = "";
	long r = sys6(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
	bool socket = c->nr == SYS_socket;
	if (r != -EPERM && !(socket && r == -EAFNOSUPPORT))
		return r;
	if (!socket && (int)target(c) > 0)
		text_num(pid, pid + sizeof(pid), (uint64_t)target(c), 10);
	attempt_note(c->nr, c->a, pid);
	return r;
}
