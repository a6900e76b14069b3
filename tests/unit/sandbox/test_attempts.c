/* SPDX-License-Identifier: MIT
 *
 * test_attempts.c — which calls are worth telling, and the list that a hostile step can write to:
 * whatever is in it, what comes out is bounded and ended.
 */
#include "../../../builder/sandbox/sandbox-internal.h"
#include <cooper/interpose.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <cmocka.h>

static void test_what(void **state)
{
	(void)state;
	static const struct {
		const char *call;
		uint64_t first;
		const char *what;
	} rows[] = {
		{"mount", 0, "mount"},
		{"unshare", CLONE_NEWNS, "namespace"},
		{"unshare", CLONE_FILES, NULL},
		{"clone", CLONE_NEWUSER, "namespace"},
		{"bpf", 0, "bpf"},
		/* JOIN_SESSION_KEYRING is what logging in does; READ is not */
		{"keyctl", 1, NULL},
		{"keyctl", 11, "keyring"},
		{"socket", AF_ALG, "socket"},
		{"socket", AF_INET, "network"},
		{"socket", AF_BLUETOOTH, NULL},
		{"ptrace", 16, "ptrace"},
		{"kill", 1, "signal"},
		{"finit_module", 3, "module"},
		/* looked for by ordinary libraries */
		{"io_uring_setup", 8, NULL},
		{"clone3", 0, NULL},
		{"personality", 0, NULL},
		{"mbind", 0, NULL},
		{"process_madvise", 0, NULL},
		{"openat", 0, NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = attempt_what(rows[i].call, &rows[i].first);
		if (strcmp(got ? got : "-", rows[i].what ? rows[i].what : "-"))
			fail_msg("%s %#lx: %s", rows[i].call, (unsigned long)rows[i].first,
				 got ? got : "not told");
	}
}

struct heard {
	size_t n, totals;
	uint64_t more, count;
	char last[256];
};

static void hear(void *ctx, const struct co_event *ev)
{
	struct heard *h = ctx;
	assert_int_equal(ev->kind, CO_EV_ATTEMPT);
	assert_int_equal(ev->step, 7);
	h->n++;
	h->totals += ev->total != 0;
	h->count += ev->done;
	if (!strcmp(ev->name, "more"))
		h->more = ev->done;
	if (ev->args_len) {
		assert_int_equal(ev->args[ev->args_len - 1], 0);
		assert_true(ev->args_len <= ATTEMPT_ARGS);
	}
	snprintf(h->last, sizeof(h->last), "%s %.50s %.50s%s", ev->name,
		 ev->binary ? ev->binary : "-", ev->text ? ev->text : "-",
		 ev->args_cut ? " cut" : "");
}

struct session {
	struct heard heard;
	struct co_bus bus;
	struct co_sandbox s;
	struct co_run run;
	struct step st;
	char *memory;
	struct co_ip_attempts *list;
};

static void begin(struct session *t)
{
	memset(t, 0, sizeof(*t));
	t->bus = (struct co_bus){hear, &t->heard};
	t->s.bus = &t->bus;
	t->run.step = 7;
	t->st.s = &t->s;
	t->st.run = &t->run;
	t->memory = co_xcalloc(1, CO_IP_SESSION_SIZE);
	t->list = (void *)(t->memory + CO_IP_ATTEMPTS_AT);
}

static void end(struct session *t)
{
	attempts_read(&t->st, t->memory);
	attempts_tell(&t->st);
	assert_null(t->st.attempts);
	free(t->memory);
}

static struct co_ip_attempt *put(struct session *t, long nr, const char *binary, const char *args,
				 uint32_t len)
{
	struct co_ip_attempt *a = &t->list->items[t->list->next++];
	a->nr = (int32_t)nr;
	a->count = 1;
	a->state = CO_IPA_READY;
	strcpy(a->binary, binary);
	memcpy(a->args, args, len);
	a->args_len = len;
	return a;
}

static void test_groups(void **state)
{
	(void)state;
	struct session t;
	begin(&t);
	put(&t, SYS_mount, "/bin/a", "a\0x", 4);
	put(&t, SYS_mount, "/bin/b", "b", 2);
	put(&t, SYS_mount, "/bin/a", "a\0y", 4)->count = 5;
	put(&t, SYS_mount, "/bin/a", "a\0x", 4);
	put(&t, SYS_io_uring_setup, "/bin/a", "a", 2);
	put(&t, SYS_bpf, "/bin/a", "a", 2)->state = CO_IPA_WRITING;
	end(&t);
	/* (a, x) twice, (a, y) five times, (b) once: two programs */
	assert_int_equal(t.heard.n, 3);
	assert_int_equal(t.heard.totals, 2);
	assert_int_equal(t.heard.count, 8);
}

static void test_details(void **state)
{
	(void)state;
	static const struct {
		long nr;
		const char *detail, *said;
	} rows[] = {{SYS_openat, "/proc/1/mem", "ptrace /bin/a /proc/1/mem"},
		    {SYS_openat, "/proc/sys/x", "kernel-file /bin/a /proc/sys/x"},
		    {SYS_connect, "@bus", "abstract-socket /bin/a @bus"},
		    {SYS_connect, "", "network /bin/a -"},
		    {SYS_kill, "12", "signal /bin/a 12"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct session t;
		begin(&t);
		strcpy(put(&t, rows[i].nr, "/bin/a", "a", 2)->detail, rows[i].detail);
		end(&t);
		assert_string_equal(t.heard.last, rows[i].said);
	}
}

/* Every byte is the step's: no end anywhere, impossible lengths, calls and counts. */
static void test_rubbish(void **state)
{
	(void)state;
	for (int fill = 0; fill < 3; fill++) {
		struct session t;
		begin(&t);
		memset(t.list, fill == 0 ? 0xff : fill == 1 ? 'x' : 1, sizeof(*t.list));
		for (size_t i = 0; i < CO_IP_ATTEMPTS; i++) {
			t.list->items[i].state = CO_IPA_READY;
			t.list->items[i].nr = fill == 2 ? -1 : (int32_t)(i * 7);
		}
		t.list->next = 0xffffffffu;
		end(&t);
		assert_true(t.heard.n <= 65);
		assert_true(t.heard.more >= 0xffffffffu - CO_IP_ATTEMPTS);
	}
}

static void test_cut(void **state)
{
	(void)state;
	struct session t;
	static char args[1024];
	memset(args, 'x', sizeof(args));
	begin(&t);
	put(&t, SYS_mount, "/bin/a", args, sizeof(args))->args_len++;
	end(&t);
	assert_string_equal(t.heard.last, "mount /bin/a - cut");
}

/* A flood of different ones: the first are told, the others counted. */
static void test_flood(void **state)
{
	(void)state;
	struct session t;
	char binary[32];
	begin(&t);
	for (int i = 0; i < CO_IP_ATTEMPTS; i++) {
		snprintf(binary, sizeof(binary), "/bin/%d", i);
		put(&t, SYS_mount, binary, "a", 2);
	}
	t.list->next += 1000;
	end(&t);
	assert_int_equal(t.heard.n, 65);
	assert_int_equal(t.heard.count, CO_IP_ATTEMPTS + 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what),	cmocka_unit_test(test_groups),
		cmocka_unit_test(test_details), cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_cut),	cmocka_unit_test(test_flood)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
