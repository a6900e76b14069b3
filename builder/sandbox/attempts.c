/* SPDX-License-Identifier: MIT
 *
 * What a step tried and a sandbox refused, as events at the step's end: equal ones once, with a
 * count, and a bound on all of it. In userns the kernel tells (listener.c); where an interposer
 * stands under the step, it notes what it sees in the session, which the step can write to: what is
 * read there is a report by the step about itself.
 */
#include "sandbox-internal.h"
#include <cooper/interpose.h>
#include <cooper/str.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define KEPT 64

struct kept {
	const char *what;
	char *call, *binary, *detail, *args; /* owned; NULL: nothing known */
	size_t args_len;
	bool args_cut, told;
	uint64_t count;
};
struct attempts {
	struct kept items[KEPT];
	size_t n;
	uint64_t more; /* for which there was no room */
};

/* linux/keyctl.h: what login programs do to have a keyring of their own. */
static bool own_keyring(uint64_t operation)
{
	enum { GET_ID = 0, JOIN = 1, REVOKE = 3 };
	return operation == GET_ID || operation == JOIN || operation == REVOKE;
}

static const char *const tried[][2] = {
	{"ptrace", "ptrace"}, {"process_vm_readv", "ptrace"}, {"process_vm_writev", "ptrace"},
	{"kill", "signal"},   {"ioctl", "terminal"},	      {"clone", "namespace"}};

const char *attempt_what(const char *call, const uint64_t *args)
{
	/* threads may share less than they do: that is no namespace */
	static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
					   CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
					   CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */;
	if (!strcmp(call, "socket"))
		return family_told(args[0])			   ? "socket"
		       : args[0] == AF_INET || args[0] == AF_INET6 ? "network"
								   : NULL;
	if ((!strcmp(call, "unshare") && !(args[0] & namespaces)) ||
	    (!strcmp(call, "keyctl") && own_keyring(args[0])))
		return NULL;
	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
		if (!strcmp(call, tried[i][0]))
			return tried[i][1];
	return refused_what(call);
}

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static bool same(const struct kept *k, const struct attempt *a)
{
	return !strcmp(k->what, a->what) && same_text(k->call, a->call) &&
	       same_text(k->binary, a->binary) && same_text(k->detail, a->detail) &&
	       k->args_len == a->args_len && k->args_cut == a->args_cut &&
	       (!k->args_len || !memcmp(k->args, a->args, k->args_len));
}

static struct attempts *list_of(struct step *st)
{
	if (!st->attempts)
		st->attempts = co_xcalloc(1, sizeof(*st->attempts));
	return st->attempts;
}

static char *copy(const char *s)
{
	return s && *s ? co_xstrdup(s) : NULL;
}

void attempt_add(struct step *st, const struct attempt *a)
{
	struct attempts *l = list_of(st);
	for (size_t i = 0; i < l->n; i++)
		if (same(&l->items[i], a)) {
			l->items[i].count += a->count;
			return;
		}
	if (l->n == KEPT) {
		l->more += a->count;
		return;
	}
	struct kept *k = &l->items[l->n++];
	*k = (struct kept){.what = a->what,
			   .call = copy(a->call),
			   .binary = copy(a->binary),
			   .detail = copy(a->detail),
			   .args_len = a->args_len,
			   .args_cut = a->args_cut,
			   .count = a->count};
	if (a->args_len) {
		k->args = co_xcalloc(a->args_len, 1);
		memcpy(k->args, a->args, a->args_len);
	}
}

void attempt_count(struct step *st, uint64_t n)
{
	list_of(st)->more += n;
}

/* ---- from the interposers ---- */

/* Of what was done to the kernel itself, only the place says more. */
static const char *what_of(const char *call, const struct co_ip_attempt *a)
{
	if (!strcmp(call, "connect"))
		return a->detail[0] == '@' ? "abstract-socket" : "network";
	if (!strcmp(call, "openat"))
		return co_starts(a->detail, "/proc/") && a->detail[6] >= '0' && a->detail[6] <= '9'
			       ? "ptrace"
			       : "kernel-file";
	return attempt_what(call, a->arg);
}

static void add_noted(struct step *st, struct co_ip_attempt *a)
{
	auto_free char *call = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), a->nr);
	a->binary[sizeof(a->binary) - 1] = '\0';
	a->detail[sizeof(a->detail) - 1] = '\0';
	bool cut = a->args_len > sizeof(a->args);
	size_t n = cut ? sizeof(a->args) : a->args_len;
	if (n)
		a->args[n - 1] = '\0';
	const char *what = call ? what_of(call, a) : NULL;
	if (what)
		attempt_add(st, &(struct attempt){.what = what,
						  .call = call,
						  .binary = a->binary,
						  .detail = a->detail,
						  .args = a->args,
						  .args_len = n,
						  .args_cut = cut,
						  .count = a->count ? a->count : 1});
}

void attempts_read(struct step *st, const void *session)
{
	const struct co_ip_attempts *l = (const void *)((const char *)session + CO_IP_ATTEMPTS_AT);
	uint32_t taken = __atomic_load_n(&l->next, __ATOMIC_ACQUIRE);
	auto_free struct co_ip_attempt *a = co_xcalloc(1, sizeof(*a));
	if (!taken)
		return;
	for (uint32_t i = 0; i < taken && i < CO_IP_ATTEMPTS; i++) {
		if (__atomic_load_n(&l->items[i].state, __ATOMIC_ACQUIRE) != CO_IPA_READY)
			continue;
		memcpy(a, &l->items[i], sizeof(*a));
		add_noted(st, a);
	}
	if (taken > CO_IP_ATTEMPTS)
		attempt_count(st, taken - CO_IP_ATTEMPTS);
}

/* ---- telling ---- */

static void tell(const struct step *st, const struct kept *k, uint64_t total)
{
	co_emit(st->s->bus, (struct co_event){.kind = CO_EV_ATTEMPT,
					      .step = st->run->step,
					      .name = k->what,
					      .rule = k->call,
					      .text = k->detail,
					      .binary = k->binary,
					      .args = k->args,
					      .args_len = k->args_len,
					      .args_cut = k->args_cut,
					      .done = k->count,
					      .total = total});
}

static bool same_group(const struct kept *a, const struct kept *b)
{
	return !strcmp(a->what, b->what) && same_text(a->binary, b->binary);
}

/* One program and one thing it tried: the first comes with the sum of all. */
static void tell_group(const struct step *st, struct attempts *l, size_t first)
{
	const struct kept *head = &l->items[first];
	uint64_t total = 0;
	for (size_t i = first; i < l->n; i++)
		if (same_group(&l->items[i], head))
			total += l->items[i].count;
	for (size_t i = first; i < l->n; i++) {
		struct kept *k = &l->items[i];
		if (k->told || !same_group(k, head))
			continue;
		tell(st, k, i == first ? total : 0);
		k->told = true;
	}
}

void attempts_tell(struct step *st)
{
	struct attempts *l = st->attempts;
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (!l->items[i].told)
			tell_group(st, l, i);
	if (l->more)
		tell(st, &(struct kept){.what = "more", .count = l->more}, l->more);
	for (size_t i = 0; i < l->n; i++) {
		struct kept *k = &l->items[i];
		free(k->call);
		free(k->binary);
		free(k->detail);
		free(k->args);
	}
	free(l);
	st->attempts = NULL;
}
