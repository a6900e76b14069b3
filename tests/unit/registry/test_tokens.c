/* SPDX-License-Identifier: MIT
 *
 * test_tokens.c — bearer tokens: where credentials go, and where they never go.
 */
#include "world.h"

#define MANIFEST                                                                                   \
	"{\"schemaVersion\":2,\"mediaType\":\"" CO_MT_OCI_MANIFEST "\",\"config\":{},"             \
	"\"layers\":[]}"
#define TYPE "Content-Type: " CO_MT_OCI_MANIFEST "\r\n"

static void start(struct fake *f, const struct fake_answer *list)
{
	int fd;

	fake_listen(f, &fd);
	fake_run(f, fd, list);
}

static int get(struct world *w, int port, struct co_err *err)
{
	struct co_ref ref = ref_at(port, "a/b:1");
	struct co_descriptor d;
	auto_buf out = CO_BUF_INIT(REG_MAX_MANIFEST);

	return co_registry_manifest(w->r, &ref, &out, &d, err);
}

static char *challenge(int port, const char *more)
{
	auto_free char *h =
		co_xasprintf("WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d/token"
			     "?k=v\",service=\"reg.example\"%s\r\n",
			     port, more);

	return answer("401 No", h, "{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}");
}

static void test_flow_and_cache(void **state)
{
	struct world *w = *state;
	struct fake reg, tok;
	auto_free char *token = answer("200 OK", "", "{\"token\":\"t0k3n\",\"expires_in\":300}");
	auto_free char *good = answer("200 OK", TYPE, MANIFEST);
	const struct fake_answer there[] = {{"GET /token?", token}, {0}};
	int fd;

	start(&tok, there);
	auto_free char *ask = challenge(tok.port, ",scope=\"repository:a/b:pull\"");
	const struct fake_answer here[] = {
		{"GET /v2/a/b/manifests/1", ask, 0, 1}, {"GET /v2/", good}, {0}};
	fake_listen(&reg, &fd);
	fake_run(&reg, fd, here);
	world_credentials(w, reg.port);
	OK(get(w, reg.port, err));
	OK(get(w, reg.port, err));
	assert_int_equal(fake_count(&tok, "GET /token?k=v&service=reg.example&scope=repository:a/b:"
					  "pull HTTP"),
			 1);
	assert_int_equal(fake_count(&tok, "Authorization: Basic"), 1);
	assert_int_equal(fake_count(&reg, "Authorization: Basic"), 0);
	assert_int_equal(fake_count(&reg, "Authorization: Bearer t0k3n\r\n"), 2);
	assert_int_equal(fake_count(&reg, "GET /v2/"), 3); /* no ping */
	fake_stop(&reg);
	fake_stop(&tok);
}

static void test_anonymous_and_ping(void **state)
{
	struct world *w = *state;
	struct fake f;
	int fd;
	auto_free char *mute = answer("401 No", "", "");
	auto_free char *token = answer("200 OK", "", "{\"access_token\":\"anon\"}");
	auto_free char *good = answer("200 OK", TYPE, MANIFEST);

	fake_listen(&f, &fd);
	auto_free char *ask = challenge(f.port, "");
	/* the challenge comes from /v2/ only */
	const struct fake_answer list[] = {{"GET /token?", token},
					   {"GET /v2/ ", ask},
					   {"GET /v2/a/b/manifests/1", mute, 0, 1},
					   {"GET /v2/a/b/manifests/1", good},
					   {0}};
	fake_run(&f, fd, list);
	OK(get(w, f.port, err));
	assert_int_equal(fake_count(&f, "GET /v2/ HTTP"), 1);
	assert_int_equal(fake_count(&f, "Authorization: Basic"), 0);
	assert_int_equal(fake_count(&f, "Authorization: Bearer anon"), 1);
	fake_stop(&f);
}

static void test_always_401(void **state)
{
	struct world *w = *state;
	struct fake f;
	int fd;
	auto_free char *token = answer("200 OK", "", "{\"token\":\"t\"}");

	fake_listen(&f, &fd);
	auto_free char *ask = challenge(f.port, "");
	const struct fake_answer list[] = {{"GET /token?", token}, {"GET /v2/", ask}, {0}};
	fake_run(&f, fd, list);
	FAILS(CO_E_AUTH, get(w, f.port, err));
	assert_true(fake_count(&f, "GET /v2/") <= 3);
	assert_true(fake_count(&f, "GET /token") <= 2);
	assert_non_null(strstr(last_error.hint, "cooper login"));
	fake_stop(&f);
}

static void test_wrong_password(void **state)
{
	struct world *w = *state;
	struct fake f;
	int fd;
	auto_free char *no =
		answer("401 No", "", "{\"errors\":[{\"code\":\"x\",\"message\":\"bad\"}]}");
	auto_free char *basic = answer("401 No", "WWW-Authenticate: basic realm=x\r\n", "");

	fake_listen(&f, &fd);
	auto_free char *ask = challenge(f.port, "");
	const struct fake_answer list[] = {{"GET /token?", no},
					   {"GET /v2/a/b/manifests/1", ask, 0, 1},
					   {"GET /v2/a/b/manifests/1", basic},
					   {0}};
	fake_run(&f, fd, list);
	world_credentials(w, f.port);
	FAILS(CO_E_AUTH, get(w, f.port, err));
	assert_non_null(strstr(last_error.msg, ".docker/config.json"));
	world_client(w, NULL);
	FAILS(CO_E_AUTH, get(w, f.port, err)); /* Basic, tried once */
	assert_int_equal(fake_count(&f, "GET /v2/"), 3);
	fake_stop(&f);
}

static void test_expired_token(void **state)
{
	struct world *w = *state;
	struct fake f;
	int fd;
	auto_free char *one = answer("200 OK", "", "{\"token\":\"one\"}");
	auto_free char *two = answer("200 OK", "", "{\"token\":\"two\"}");
	auto_free char *good = answer("200 OK", TYPE, MANIFEST);

	fake_listen(&f, &fd);
	auto_free char *ask = challenge(f.port, ",error=\"invalid_token\"");
	const struct fake_answer list[] = {{"GET /token?", one, 0, 1},
					   {"GET /token?", two},
					   {"GET /v2/", ask, 0, 2},
					   {"GET /v2/", good},
					   {0}};
	fake_run(&f, fd, list);
	OK(get(w, f.port, err));
	assert_int_equal(fake_count(&f, "Bearer one"), 1);
	assert_int_equal(fake_count(&f, "Bearer two"), 1);
	fake_stop(&f);
}

static void test_realms_that_are_refused(void **state)
{
	static const char *const realms[] = {"http://169.254.169.254/token",
					     "https://169.254.169.254/token",
					     "https://[fe80::1]/token",
					     "https://10.1.2.3/token",
					     "https://0.0.0.0/token",
					     "https://2852039166/token",
					     "https://0xa9.0xfe.0xa9.0xfe/",
					     "http://auth.example/token",
					     "https://user:pw@auth.example/",
					     "ftp://auth.example/",
					     "/token",
					     "https://[::ffff:169.254.169.254]/",
					     "https://192.168.0.1/token",
					     "https://[fd00::1]/",
					     "javascript:alert(1)",
					     "https://auth.example\\@127.0.0.1/"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(realms) / sizeof(realms[0]); i++) {
		auto_free char *h = co_xasprintf(
			"WWW-Authenticate: Bearer realm=\"%s\",service=\"s\"\r\n", realms[i]);
		auto_free char *ask = answer("401 No", h, "");
		const struct fake_answer list[] = {{"GET /v2/", ask}, {0}};
		struct fake f;

		start(&f, list);
		world_credentials(w, f.port);
		FAILS(CO_E_REGISTRY, get(w, f.port, err));
		if (!strstr(last_error.msg, "realm"))
			fail_msg("%s: %s", realms[i], last_error.msg);
		fake_stop(&f);
	}
}

/* The token server sends us on: the password does not come along. */
static void test_realm_redirects(void **state)
{
	struct world *w = *state;
	struct fake f, other;
	int fd;
	auto_free char *token = answer("200 OK", "", "{\"token\":\"t\"}");
	auto_free char *meta = answer("302 Go", "Location: http://169.254.169.254/\r\n", "");
	const struct fake_answer there[] = {{"GET /other", token}, {0}};

	start(&other, there);
	auto_free char *to = co_xasprintf("Location: http://127.0.0.1:%d/other\r\n", other.port);
	auto_free char *go = answer("302 Go", to, "");
	auto_free char *good = answer("200 OK", TYPE, MANIFEST);
	fake_listen(&f, &fd);
	auto_free char *ask = challenge(f.port, "");
	const struct fake_answer list[] = {{"GET /token?", go, 0, 1},
					   {"GET /token?", meta},
					   {"GET /v2/a/b/manifests/1", ask, 0, 1},
					   {"GET /v2/a/b/manifests/1", good, 0, 1},
					   {"GET /v2/a/b/manifests/1", ask},
					   {0}};
	fake_run(&f, fd, list);
	world_credentials(w, f.port);
	OK(get(w, f.port, err));
	assert_int_equal(fake_count(&f, "Authorization: Basic"), 1);
	assert_int_equal(fake_count(&other, "Authorization"), 0);
	world_client(w, NULL);
	FAILS(CO_E_REGISTRY, get(w, f.port, err));
	fake_stop(&f);
	fake_stop(&other);
}

static void test_malformed_tokens(void **state)
{
	static const char *const bodies[] = {"",
					     "{",
					     "[]",
					     "{}",
					     "{\"token\":5}",
					     "{\"token\":\"\"}",
					     "{\"token\":\"a\\r\\nX: y\"}",
					     "{\"token\":\"a b\"}",
					     "<html>" CANARY "</html>"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		auto_free char *token = answer("200 OK", "", bodies[i]);
		struct fake f;
		int fd;

		fake_listen(&f, &fd);
		auto_free char *ask = challenge(f.port, "");
		const struct fake_answer list[] = {{"GET /token?", token}, {"GET /v2/", ask}, {0}};
		fake_run(&f, fd, list);
		FAILS(CO_E_REGISTRY, get(w, f.port, err));
		fake_stop(&f);
	}
}

static void test_endless_token(void **state)
{
	struct world *w = *state;
	struct fake f;
	int fd;

	fake_listen(&f, &fd);
	auto_free char *ask = challenge(f.port, "");
	const struct fake_answer list[] = {
		{"GET /token?", "HTTP/1.1 200 OK\r\n\r\n{", 0, 0, FAKE_ENDLESS},
		{"GET /v2/", ask},
		{0}};
	fake_run(&f, fd, list);
	FAILS(CO_E_LIMIT, get(w, f.port, err));
	fake_stop(&f);
}

static void test_identity_token(void **state)
{
	struct world *w = *state;
	struct fake f;
	int fd;
	char text[300];
	auto_free char *no = answer("404 No", "", "");
	auto_free char *token = answer("200 OK", "", "{\"access_token\":\"acc\"}");
	auto_free char *good = answer("200 OK", TYPE, MANIFEST);

	fake_listen(&f, &fd);
	auto_free char *ask = challenge(f.port, "");
	const struct fake_answer list[] = {{"POST /token?k=v ", token, 0, 1},
					   {"POST /token?k=v ", no},
					   {"GET /token?", token},
					   {"GET /v2/a/b/manifests/1", ask, 0, 1},
					   {"GET /v2/a/b/manifests/1", good, 0, 1},
					   {"GET /v2/a/b/manifests/1", ask, 0, 1},
					   {"GET /v2/a/b/manifests/1", good},
					   {0}};
	fake_run(&f, fd, list);
	snprintf(text, sizeof(text), "{\"auths\":{\"127.0.0.1:%d\":{\"identitytoken\":\"%s\"}}}",
		 f.port, CANARY);
	world_write(w, ".docker/config.json", text);
	OK(get(w, f.port, err));
	assert_int_equal(fake_count(&f, "grant_type=refresh_token&client_id=cooper&service=reg."
					"example&scope=repository:a/b:pull&refresh_token=" CANARY),
			 1);
	assert_int_equal(fake_count(&f, "Authorization: Bearer acc"), 1);
	world_client(w, NULL); /* a server without the POST form */
	OK(get(w, f.port, err));
	assert_int_equal(fake_count(&f, "GET /token?"), 1);
	fake_stop(&f);
}

/* The repositories to mount from are part of the push's token, and are left out when refused. */
static void test_mount_scopes(void **state)
{
	static const char config[] = "{}";
	struct world *w = *state;
	struct fake f;
	int fd;
	auto_free char *no = answer("403 No", "", "");
	auto_free char *token = answer("200 OK", "", "{\"token\":\"t\"}");
	auto_free char *absent = answer("404 No", "", "");
	auto_free char *created = answer("201 Created", "", "");
	struct co_descriptor d = describe(CO_MT_OCI_CONFIG, config, 2);
	char digest[CO_DIGEST_TEXT];

	OK(co_store_put(w->store, config, 2, &d.digest, err));
	auto_free char *m = co_xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" CO_MT_OCI_MANIFEST
					 "\",\"config\":{\"mediaType"
					 "\":\"" CO_MT_OCI_CONFIG
					 "\",\"digest\":\"%s\",\"size\":2},\"layers\":[]}",
					 co_digest_str(&d.digest, digest));
	struct co_descriptor root = describe(CO_MT_OCI_MANIFEST, m, strlen(m));
	OK(co_store_put(w->store, m, strlen(m), &root.digest, err));
	fake_listen(&f, &fd);
	auto_free char *ask = challenge(f.port, ",scope=\"repository:a/b:pull\"");
	const struct fake_answer list[] = {{"GET /token?", no, 0, 1},
					   {"GET /token?", token},
					   {"HEAD /v2/a/b/blobs/", ask, 0, 1},
					   {"HEAD /v2/a/b/blobs/", absent},
					   {"POST /v2/a/b/blobs/uploads/?mount=sha256:", created},
					   {"PUT /v2/a/b/manifests/1 ", created},
					   {0}};
	fake_run(&f, fd, list);
	struct co_ref to = ref_at(f.port, "a/b:1"), from = ref_at(f.port, "base/img");
	OK(co_registry_push(w->r, w->store, &root, &to, 1, &from, 1, err));
	assert_int_equal(fake_count(&f, "scope=repository:a/b:pull,push&scope=repository:base/img:"
					"pull HTTP"),
			 1);
	assert_int_equal(fake_count(&f, "scope=repository:a/b:pull,push HTTP"), 1);
	assert_int_equal(fake_count(&f, "GET /token"), 2);
	assert_int_equal(fake_count(&f, "&from=base/img"), 1);
	fake_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flow_and_cache),  TEST(test_anonymous_and_ping),
		TEST(test_always_401),	    TEST(test_wrong_password),
		TEST(test_expired_token),   TEST(test_realms_that_are_refused),
		TEST(test_realm_redirects), TEST(test_malformed_tokens),
		TEST(test_endless_token),   TEST(test_identity_token),
		TEST(test_mount_scopes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
