/* SPDX-License-Identifier: MIT
 *
 * test_parts.c — the pure parts: challenges, scopes, addresses, proxies, ranges, delays.
 */
#include "world.h"

static void test_challenges(void **state)
{
	static const struct {
		const char *text;
		enum auth_kind kind;
		const char *realm, *service, *scope;
	} cases[] = {
		{"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"",
		 AUTH_BEARER, "https://a/t", "s", "repository:x:pull,push"},
		{"bearer realm=https://a/t, service = s", AUTH_BEARER, "https://a/t", "s", ""},
		{"BEARER  realm=\"a,b\\\"c\" , scope=\"x y\"", AUTH_BEARER, "a,b\"c", "", "x y"},
		{"Basic realm=\"R\"", AUTH_BASIC, "R", "", ""},
		{"Basic", AUTH_BASIC, "", "", ""},
		{"basic realm=x,charset=\"UTF-8\"", AUTH_BASIC, "x", "", ""},
		{"Negotiate, Basic realm=\"R\"", AUTH_BASIC, "R", "", ""},
		{"Negotiate abcd==, Bearer realm=\"r\"", AUTH_BEARER, "r", "", ""},
		{"Negotiate abcd, Basic realm=\"r\"", AUTH_BASIC, "r", "", ""},
		{"Digest realm=\"d\", nonce=\"n\", Basic realm=\"b\"", AUTH_BASIC, "b", "", ""},
		{"Negotiate\nBearer realm=\"r\",service=\"s\"\n", AUTH_BEARER, "r", "s", ""},
		{"Basic realm=\"a\"\nBearer realm=\"r\"", AUTH_BASIC, "a", "", ""},
		{"\"broken\nBasic realm=\"b\"", AUTH_BASIC, "b", "", ""},
		{"Bearer realm=\"r\" error=\"x\"", AUTH_BEARER, "r", "", ""},
		{"Bearer realm=\"r\",error=\"invalid_token\",,service=\"s\"", AUTH_BEARER, "r", "s",
		 ""},
		{"Bearer", AUTH_NONE, "", "", ""},
		{"Bearer realm=\"", AUTH_NONE, "", "", ""},
		{"Bearer realm=\"x\\", AUTH_NONE, "", "", ""},
		{"Bearer service=\"s\"", AUTH_NONE, "", "", ""},
		{"", AUTH_NONE, "", "", ""},
		{",,,,", AUTH_NONE, "", "", ""},
		{"=", AUTH_NONE, "", "", ""},
		{"Basic realm=\"a\nBasic realm=\"b\"", AUTH_BASIC, "b", "", ""},
		{"\x01\x02\xff", AUTH_NONE, "", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct challenge c = {0};
		bool found = challenge_parse(cases[i].text, &c);

		if (found != (cases[i].kind != AUTH_NONE) || c.kind != cases[i].kind ||
		    strcmp(c.realm, cases[i].realm) || strcmp(c.service, cases[i].service) ||
		    strcmp(c.scope, cases[i].scope))
			fail_msg("%s: kind %d realm %s service %s scope %s", cases[i].text, c.kind,
				 c.realm, c.service, c.scope);
	}
	/* too long a realm is no realm, and nothing overflows */
	auto_buf b = CO_BUF_INIT(100000);
	struct challenge c;
	co_buf_adds(&b, "Bearer realm=\"");
	for (int i = 0; i < 5000; i++)
		co_buf_addc(&b, 'x');
	co_buf_adds(&b, "\"");
	assert_false(challenge_parse(co_buf_str(&b), &c));
}

static void test_scopes(void **state)
{
	static const struct {
		const char *list, *add, *result;
		bool changed;
	} cases[] = {
		{"", "repository:a:pull", "repository:a:pull", true},
		{"repository:a:pull", "repository:a:pull", "repository:a:pull", false},
		{"repository:a:pull", "repository:a:push", "repository:a:pull,push", true},
		{"repository:a:pull,push", "repository:a:push,pull", "repository:a:pull,push",
		 false},
		{"repository:a:pull", "repository:ab:pull", "repository:a:pull repository:ab:pull",
		 true},
		{"repository:a:pull repository:b:pull", "repository:a:push",
		 "repository:a:pull,push repository:b:pull", true},
		{"repository:a:*", "repository:a:delete", "repository:a:*", false},
		{"repository:h:5/a:pull", "repository:h:5/a:pull", "repository:h:5/a:pull", false},
		{"", "registry:catalog:* repository:a:pull", "registry:catalog:* repository:a:pull",
		 true},
		{"", "rubbish", "", false},
		{"", "a:b", "", false},
		{"repository:a:pull", "  ", "repository:a:pull", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_buf b = CO_BUF_INIT(1000);

		co_buf_adds(&b, cases[i].list);
		assert_int_equal(scope_add(&b, cases[i].add), cases[i].changed);
		assert_string_equal(co_buf_str(&b), cases[i].result);
		assert_true(scope_covers(co_buf_str(&b), cases[i].add));
	}
	assert_false(scope_covers("repository:a:pull", "repository:a:pull,push"));
}

static void test_origins(void **state)
{
	(void)state;
	assert_true(url_same_origin("https://a/x", "https://A:443/y?z"));
	assert_true(url_same_origin("http://a:80", "http://a/"));
	assert_true(url_same_origin("http://[::1]:5/", "http://[::1]:5/x"));
	assert_false(url_same_origin("https://a/", "http://a/"));
	assert_false(url_same_origin("https://a/", "https://a:444/"));
	assert_false(url_same_origin("https://a/", "https://b/"));
	assert_false(url_same_origin("https://a/", "https://a.evil/"));
	assert_false(url_same_origin("https://a/", "https://evil@b/"));
	assert_false(url_same_origin("https://a/", "https://a\\@b/"));
	assert_false(url_same_origin("https://a/", "rubbish"));
}

static void test_resolve(void **state)
{
	static const struct {
		const char *base, *location, *result;
	} cases[] = {
		{"https://h/v2/a/", "/up?x=%2f", "https://h/up?x=%2f"},
		{"https://h/v2/a/", "https://o:1/%7e?s=a+b&c", "https://o:1/%7e?s=a+b&c"},
		{"https://h/v2/a/b", "c?d", "https://h/v2/a/c?d"},
		{"https://h/v2/a/b?q", "?d", "https://h/v2/a/b?d"},
		{"https://h/v2", "//o/x", "https://o/x"},
		{"https://u:p@h/v2", "/x", "https://h/x"},
		{"https://h/", "ftp://o/", NULL},
		{"https://h/", "https://u@o/", NULL},
		{"https://h/", "file:///etc/passwd", NULL},
		{"https://h/", "/a b", NULL},
		{"https://h/", "/a\r\nX: y", NULL},
		{"https://h/", "https://", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *r = url_resolve(cases[i].base, cases[i].location);

		if (!r || !cases[i].result ? r != cases[i].result : strcmp(r, cases[i].result) != 0)
			fail_msg("%s + %s = %s", cases[i].base, cases[i].location, r ? r : "NULL");
	}
	char buf[100];
	assert_string_equal(url_shown("https://u:pw@h:1/p?sig=1#f", buf, sizeof(buf)), "h:1/p");
	assert_string_equal(url_shown("https://h/p@q?x", buf, sizeof(buf)), "h/p@q");
}

static void test_keep_tls(void **state)
{
	static const struct {
		const char *from, *to, *result;
	} cases[] = {
		{"https://h/a", "http://h/b?c", "https://h/b?c"},
		{"https://h:5/a", "http://h/b", "https://h:5/b"},
		{"https://h:5/a", "http://h:5/b", "https://h:5/b"},
		{"https://[::1]:5/a", "http://[::1]:5?b", "https://[::1]:5?b"},
		{"https://h/a", "http://h:81/b", "http://h:81/b"},
		{"https://h/a", "http://o/b", "http://o/b"},
		{"http://h/a", "http://h/b", "http://h/b"},
		{"https://h/a", "https://o/b", "https://o/b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *r = url_keep_tls(cases[i].from, cases[i].to);

		assert_string_equal(r, cases[i].result);
	}
}

static void test_classes(void **state)
{
	static const struct {
		const char *host;
		enum addr_class c;
	} cases[] = {
		{"localhost", ADDR_LOOPBACK},
		{"x.localhost", ADDR_LOOPBACK},
		{"127.0.0.1", ADDR_LOOPBACK},
		{"127.8.9.1", ADDR_LOOPBACK},
		{"2130706433", ADDR_LOOPBACK},
		{"0x7f.1", ADDR_LOOPBACK},
		{"::1", ADDR_LOOPBACK},
		{"::ffff:127.0.0.1", ADDR_LOOPBACK},
		{"169.254.1.1", ADDR_LINK_LOCAL},
		{"fe80::1", ADDR_LINK_LOCAL},
		{"fe80::1%eth0", ADDR_LINK_LOCAL},
		{"64:ff9b::a9fe:a9fe", ADDR_LINK_LOCAL},
		{"10.9.8.7", ADDR_PRIVATE},
		{"172.16.0.1", ADDR_PRIVATE},
		{"172.31.9.9", ADDR_PRIVATE},
		{"172.32.0.1", ADDR_PUBLIC},
		{"192.168.1.1", ADDR_PRIVATE},
		{"100.64.0.1", ADDR_PRIVATE},
		{"fd00::1", ADDR_PRIVATE},
		{"0.0.0.0", ADDR_ANY},
		{"::", ADDR_ANY},
		{"224.0.0.1", ADDR_ANY},
		{"ff02::1", ADDR_ANY},
		{"255.255.255.255", ADDR_ANY},
		{"8.8.8.8", ADDR_PUBLIC},
		{"2001:db8::1", ADDR_PUBLIC},
		{"example.org", ADDR_PUBLIC},
		{"notlocalhost", ADDR_PUBLIC},
		{"localhost.evil", ADDR_PUBLIC},
		{"127.0.0.1.nip.io", ADDR_PUBLIC},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (url_class(cases[i].host) != cases[i].c)
			fail_msg("%s is class %d", cases[i].host, url_class(cases[i].host));
	assert_true(url_may_go("https://a/", "https://10.0.0.1/", false));
	assert_false(url_may_go("https://a/", "https://10.0.0.1/", true));
	assert_true(url_may_go("https://10.0.0.1:5000/", "https://10.0.0.1:5000/t", true));
	assert_true(url_may_go("https://10.0.0.1:5000/", "https://10.0.0.2/t", true));
	assert_false(url_may_go("https://10.0.0.1:5000/", "https://127.0.0.1/t", false));
	assert_true(url_may_go("http://127.0.0.1:1/", "http://127.0.0.1:2/", true));
}

static void test_no_proxy(void **state)
{
	static const struct {
		const char *list, *host, *port;
		bool excluded;
	} cases[] = {
		{"*", "h", "443", true},
		{"example.com", "example.com", "443", true},
		{"example.com", "a.example.com", "443", true},
		{"example.com", "notexample.com", "443", false},
		{".example.com", "a.example.com", "443", true},
		{".example.com", "example.com", "443", false},
		{"*.example.com", "a.example.com", "443", true},
		{"a, EXAMPLE.com ,b", "example.COM", "443", true},
		{"example.com:5000", "example.com", "5000", true},
		{"example.com:5000", "example.com", "443", false},
		{"10.0.0.0/8", "10.2.3.4", "443", true},
		{"10.0.0.0/8", "11.2.3.4", "443", false},
		{"10.0.0.0/9", "10.200.3.4", "443", false},
		{"fd00::/8", "fd12::1", "443", true},
		{"10.2.3.4", "10.2.3.4", "443", true},
		{"2.3.4", "10.2.3.4", "443", false},
		{"::1", "::1", "443", true},
		{"[::1]:5", "::1", "5", true},
		{"10.0.0.0/999", "10.0.0.1", "1", false},
		{"", "h", "1", false},
		{" , ,", "h", "1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (proxy_excluded(cases[i].list, cases[i].host, cases[i].port) !=
		    cases[i].excluded)
			fail_msg("%s / %s:%s", cases[i].list, cases[i].host, cases[i].port);
	struct url u;
	setenv("HTTP_PROXY", "http://p:1", 1);
	setenv("https_proxy", "http://q:1", 1);
	setenv("NO_PROXY", "in.example", 1);
	assert_true(url_parse("http://a/", &u));
	assert_string_equal(proxy_for(&u), "http://p:1");
	assert_true(url_parse("https://a/", &u));
	assert_string_equal(proxy_for(&u), "http://q:1");
	assert_true(url_parse("https://x.in.example/", &u));
	assert_string_equal(proxy_for(&u), "");
	assert_true(url_parse("http://127.0.0.1:5000/", &u));
	assert_string_equal(proxy_for(&u), "");
	setenv("REQUEST_METHOD", "GET", 1);
	assert_true(url_parse("http://a/", &u));
	assert_string_equal(proxy_for(&u), "");
	unsetenv("REQUEST_METHOD");
	unsetenv("HTTP_PROXY");
	unsetenv("https_proxy");
	unsetenv("NO_PROXY");
}

static void test_ranges(void **state)
{
	(void)state;
	assert_true(head_range_ok("bytes 5-9/10", 5, 10));
	assert_true(head_range_ok("bytes 5-9/*", 5, 10));
	assert_true(head_range_ok("bytes 5-9/10", 5, -1));
	assert_false(head_range_ok("bytes 4-9/10", 5, 10));
	assert_false(head_range_ok("bytes 5-9/11", 5, 10));
	assert_false(head_range_ok("bytes 5-10/10", 5, 10));
	assert_false(head_range_ok("bytes 5-4/10", 5, 10));
	assert_false(head_range_ok("5-9/10", 5, 10));
	assert_false(head_range_ok("bytes 5-9", 5, 10));
	assert_false(head_range_ok("bytes */10", 5, 10));
	assert_false(head_range_ok("", 0, 10));
	assert_false(head_range_ok("bytes 99999999999999999999999-9/10", 5, 10));
}

static void test_delays(void **state)
{
	const struct co_registry r = {.base_delay_ms = 500};
	char date[] = "Thu, 01 Jan 1970 00:00:00 GMT";

	(void)state;
	for (unsigned n = 0; n < 40; n++) {
		int64_t ms = retry_delay(&r, n, "");

		assert_true(ms >= 125 && ms <= 30000);
	}
	int64_t ms = retry_delay(&r, 0, "7");
	assert_true(ms >= 7000 && ms < 7300);
	assert_int_equal(retry_delay(&r, 0, "121"), -1);
	assert_int_equal(retry_delay(&r, 0, "99999999999999"), -1);
	assert_true(retry_delay(&r, 0, date) <= 500);
	assert_true(retry_delay(&r, 0, "soon") <= 500);
	assert_true(retry_delay(&r, 0, "-5") <= 500);
}

/* Whatever comes from outside: nothing may crash (the sanitizers look on). */
static void test_rubbish(void **state)
{
	static const char seed[] =
		"Bearer realm=\"https://[::1]:5/a?b\",scope=\"repository:a/b:pull"
		",push\" Basic {\"token\":\"x\",\"errors\":[{}]} bytes 1-2/3 %2f@:/";
	uint64_t x = 88172645463325252u;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[160], *value = NULL, *refresh = NULL, shown[64], type[128];
		struct co_err err = CO_ERR_INIT;
		struct challenge c;
		struct co_ref ref;
		struct url u;
		int64_t life;
		size_t n = (size_t)(i % 150);

		for (size_t k = 0; k < n; k++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			text[k] = x % 5 ? seed[(k + x % 3 + (size_t)i) % (sizeof(seed) - 1)]
					: (char)(x >> 32);
			if (!text[k])
				text[k] = '"';
		}
		text[n] = '\0';
		challenge_parse(text, &c);
		auto_buf list = CO_BUF_INIT(300);
		scope_add(&list, text);
		scope_add(&list, text + n / 2);
		if (url_parse(text, &u))
			url_class(u.host);
		free(url_resolve("https://h/v2/", text));
		url_shown(text, shown, sizeof(shown));
		head_range_ok(text, 1, 3);
		if (co_ref_parse(&ref, text, &err) == 0)
			assert_true(ref.path[0]);
		co_err_clear(&err);
		if (token_parse(text, n, &value, &refresh, &life, &err) == 0)
			free(value), free(refresh);
		co_err_clear(&err);
		(void)!manifest_type(text, text, n, type, sizeof(type), &err);
		cred_key_matches(text, "docker.io");
		proxy_excluded(text, "h", "1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenges), cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_origins),	   cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_keep_tls),   cmocka_unit_test(test_classes),
		cmocka_unit_test(test_no_proxy),   cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_delays),	   cmocka_unit_test(test_rubbish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
