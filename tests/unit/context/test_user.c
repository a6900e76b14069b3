/* SPDX-License-Identifier: MIT
 *
 * test_user.c — users by table, and passwd files that attack (CVE-2024-9676, CVE-2026-47262).
 */
#include "world.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "#comment:x:9:9::/:\n"
			     "\n"
			     "toor:x:0:0::/toor:\n"
			     "zeros:x:000:0:::\n"
			     "app:x:1000:1001:App,,,:/home/app:/bin/sh\n"
			     "77:x:3:4::/seven:\n"
			     "twice:x:21:22::/first:\n"
			     "twice:x:23:24::/second:\n"
			     "  spaced:x:31:32::/sp:  \r\n"
			     "nohome:x:41:42\n"
			     "hex:x:0x0:0::/:\n"
			     "blank:x::0::/:\n"
			     "huge:x:4294967296:0::/:\n"
			     "minus:x:-1:0::/:\n"
			     "badgid:x:55:x::/:\n"
			     "short:x\n";
static const char group[] = "root:x:0:\n"
			    "audio:x:5:app,other\n"
			    "video:x:6:other,app\n"
			    "notme:x:7:apple,xapp\n"
			    "app:x:1000:app\n"
			    "appprimary:x:1001:app\n"
			    "badgroup:x:y:app\n";

struct user_row {
	const char *text;
	int code;
	uint32_t uid, gid;
	const char *groups, *name, *home;
};
static const struct user_row rows[] = {
#include "users.inc"
};

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct user_row *r = &rows[i];
		struct co_user u = {.uid = 4711};
		struct co_err err = CO_ERR_INIT;
		int code = co_user_resolve_text(&u, passwd, group, r->text, &err);
		auto_buf groups = CO_BUF_INIT(CO_BUF_SMALL);
		if (code != r->code)
			fail_msg("\"%s\": %d %s", r->text, code, err.msg);
		if (code < 0) {
			assert_int_equal(u.uid, 4711);
			continue;
		}
		for (size_t g = 0; g < u.n_groups; g++)
			co_buf_addf(&groups, "%s%u", g ? "," : "", u.groups[g]);
		if (u.uid != r->uid || u.gid != r->gid || strcmp(u.name, r->name) ||
		    strcmp(u.home, r->home) || strcmp(co_buf_str(&groups), r->groups))
			fail_msg("\"%s\": %u:%u %s %s [%s]", r->text, u.uid, u.gid, u.name, u.home,
				 co_buf_str(&groups));
		co_user_release(&u);
	}
}

static void without_files(void **state)
{
	(void)state;
	struct co_user u;
	struct co_err err = CO_ERR_INIT, err2 = CO_ERR_INIT;
	assert_int_equal(co_user_resolve_text(&u, NULL, NULL, "12:34", &err), 0);
	assert_int_equal(u.uid, 12);
	assert_int_equal(u.gid, 34);
	assert_string_equal(u.home, "/");
	co_user_release(&u);
	assert_int_equal(co_user_resolve_text(&u, NULL, NULL, "", &err), 0);
	assert_int_equal(u.uid, 0);
	co_user_release(&u);
	assert_int_equal(co_user_resolve_text(&u, NULL, NULL, "root", &err2), CO_E_NOT_FOUND);
}

/* What a root with this /etc/passwd says to USER app. */
static int resolve_in(const char *setup, uint32_t *uid)
{
	struct world w;
	struct co_user u = {0};
	struct co_err err = CO_ERR_INIT;
	world_open(&w, setup);
	int r = co_user_resolve(&u, &w.dst, "app", &err);
	*uid = u.uid;
	co_user_release(&u);
	world_close(&w);
	return r;
}

static void attacks(void **state)
{
	(void)state;
	uint32_t uid;
	assert_int_equal(resolve_in("mkdir dst/etc; echo app:x:7:8::/: >dst/etc/passwd", &uid), 0);
	assert_int_equal(uid, 7);
	assert_int_equal(resolve_in("mkdir dst/etc dst/usr; echo app:x:7:8::/: >dst/usr/p;"
				    "ln -s /usr/p dst/etc/passwd",
				    &uid),
			 0);
	/* links that would lead out stay inside */
	assert_int_equal(resolve_in("mkdir dst/etc; ln -s ../../../../../../etc/passwd "
				    "dst/etc/passwd",
				    &uid),
			 CO_E_SYSTEM);
	assert_int_equal(
		resolve_in("mkdir other; echo app:x:7:8::/: >other/passwd; ln -s ../other dst/etc",
			   &uid),
		CO_E_NOT_FOUND);
	assert_int_equal(resolve_in("mkdir dst/etc; mkfifo dst/etc/passwd", &uid), CO_E_INVALID);
	assert_int_equal(resolve_in("mkdir -p dst/etc/passwd", &uid), CO_E_INVALID);
	assert_int_equal(resolve_in("mkdir dst/etc; truncate -s 10G dst/etc/passwd", &uid),
			 CO_E_LIMIT);
	assert_int_equal(resolve_in("mkdir dst/etc; echo app:x:7:8::/: >dst/etc/passwd; mkfifo "
				    "dst/etc/group",
				    &uid),
			 CO_E_INVALID);
	assert_int_equal(resolve_in("mkdir dst/etc; ln -s /dev/zero dst/etc/passwd", &uid),
			 CO_E_NOT_FOUND);
}

static void many_groups(void **state)
{
	(void)state;
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_user u;
	struct co_err err = CO_ERR_INIT, err2 = CO_ERR_INIT;
	for (int i = 0; i < 5000; i++)
		co_buf_addf(&text, "g%d:x:%d:app\ng%d:x:%d:app\n", i, i + 2, i, i + 2);
	assert_int_equal(co_user_resolve_text(&u, "app:x:1:1::/:", co_buf_str(&text), "app", &err),
			 0);
	assert_int_equal(u.n_groups, 5001);
	co_user_release(&u);
	co_buf_clear(&text);
	for (int i = 0; i < 70000; i++)
		co_buf_addf(&text, "g:x:%d:app\n", i + 2);
	int r = co_user_resolve_text(&u, "app:x:1:1::/:", co_buf_str(&text), "app", &err2);
	assert_int_equal(r, CO_E_LIMIT);
}

static void chown_forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int code;
		uint32_t uid, gid;
	} forms[] = {{"5", 0, 5, 5},
		     {"5:6", 0, 5, 6},
		     {"u", 0, 20, 21},
		     {"u:6", 0, 20, 6},
		     {"u:g", 0, 20, 30},
		     {"5:g", 0, 5, 30},
		     {"20", 0, 20, 20}, /* not the user's primary group */
		     {"4294967294", 0, 4294967294u, 4294967294u},
		     {"4294967295", CO_E_INVALID, 0, 0},
		     {"-1", CO_E_INVALID, 0, 0},
		     {"", CO_E_SYNTAX, 0, 0},
		     {":5", CO_E_SYNTAX, 0, 0},
		     {"5:", CO_E_SYNTAX, 0, 0},
		     {"nope", CO_E_NOT_FOUND, 0, 0},
		     {"u:nope", CO_E_NOT_FOUND, 0, 0}};
	struct world w;
	world_open(&w, "mkdir dst/etc; echo 'u:x:20:21::/:' >dst/etc/passwd;"
		       "echo 'g:x:30:' >dst/etc/group");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		uint32_t uid = 99, gid = 99;
		struct co_err err = CO_ERR_INIT;
		int r = co_chown_resolve(&uid, &gid, &w.dst, forms[i].text, &err);
		if (r != forms[i].code)
			fail_msg("%s: %d %s", forms[i].text, r, err.msg);
		assert_int_equal(uid, r ? 99 : forms[i].uid);
		assert_int_equal(gid, r ? 99 : forms[i].gid);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),       cmocka_unit_test(without_files),
		cmocka_unit_test(attacks),     cmocka_unit_test(many_groups),
		cmocka_unit_test(chown_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
