/* SPDX-License-Identifier: MIT
 *
 * test_uploads.c — pushes to registries with habits of their own.
 */
#include "world.h"

#define SIZE (9u << 20) /* more than two chunks of 4 MiB */

static struct co_descriptor stored(struct world *w, const void *data, size_t len)
{
	struct co_descriptor d = describe("x", data, len);

	OK(co_store_put(w->store, data, len, &d.digest, err));
	return d;
}

static struct co_descriptor big_blob(struct world *w)
{
	auto_free char *data = co_xcalloc(1, SIZE);

	for (size_t i = 0; i < SIZE; i += 512)
		data[i] = (char)(i >> 9);
	return stored(w, data, SIZE);
}

static void start(struct fake *f, const struct fake_answer *list)
{
	int fd;

	fake_listen(f, &fd);
	fake_run(f, fd, list);
}

static int push(struct world *w, int port, const struct co_descriptor *d, struct co_err *err)
{
	struct co_ref ref = ref_at(port, "a/b");

	return co_registry_push_blob(w->r, w->store, &ref, d, err);
}

/* What the session's POST and the HEAD before it say in most tests. */
struct common {
	char *absent, *opened, *created, *accepted;
};

static void common_init(struct common *c, const char *location)
{
	auto_free char *l = co_xasprintf("Location: %s\r\n", location);

	c->absent = answer("404 Not Found", "", "");
	c->opened = answer("202 Accepted", l, "");
	c->accepted = answer("202 Accepted", l, "");
	c->created = answer("201 Created", "", "");
}

static void common_free(struct common *c)
{
	free(c->absent), free(c->opened), free(c->created), free(c->accepted);
}

static void test_put(void **state)
{
	static const char *const forms[] = {"/v2/up/1?_state=a%2Fb%3D", "/v2/up/1?_state=a%2Fb%3D",
					    "?x=1"};
	struct world *w = *state;
	struct co_descriptor d = big_blob(w);

	for (size_t i = 0; i < 3; i++) {
		struct common c;
		struct fake f;

		common_init(&c, forms[i]);
		const struct fake_answer list[] = {{"HEAD /v2/a/b/blobs/", c.absent},
						   {"POST /v2/a/b/blobs/uploads/", c.opened},
						   {"PUT /v2/", c.created},
						   {0}};
		start(&f, list);
		OK(push(w, f.port, &d, err));
		assert_int_equal(fake_count(&f, i == 2 ? "uploads/?x=1&digest=sha256:"
						       : "PUT /v2/up/1?_state=a%2Fb%3D&digest="
							 "sha256:"),
				 1);
		assert_int_equal(fake_count(&f, "Content-Length: 9437184"), 1);
		assert_int_equal(fake_count(&f, "Content-Range"), 0);
		assert_int_equal(fake_count(&f, "Expect"), 0);
		assert_int_equal(fake_count(&f, "PATCH"), 0);
		fake_stop(&f);
		common_free(&c);
	}
}

static void test_is_there(void **state)
{
	struct world *w = *state;
	struct fake f;
	struct co_descriptor d = stored(w, "x", 1);
	auto_free char *go = answer("307 Go", "Location: http://storage.example/signed\r\n", "");
	const struct fake_answer list[] = {{"HEAD /v2/a/b/blobs/", go}, {0}};

	start(&f, list);
	OK(push(w, f.port, &d, err)); /* the signed address is not asked */
	assert_int_equal(fake_count(&f, "/v2/"), 1);
	fake_stop(&f);
}

static void test_other_host(void **state)
{
	struct world *w = *state;
	struct fake a, b;
	struct common c;
	struct co_descriptor d = big_blob(w);
	auto_free char *created = answer("201 Created", "", "");
	auto_free char *ask = answer("401 No", "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
	const struct fake_answer there[] = {{"PUT /store", created}, {0}};
	int fd;

	start(&b, there);
	auto_free char *url = co_xasprintf("http://127.0.0.1:%d/store", b.port);
	common_init(&c, url);
	const struct fake_answer here[] = {{"HEAD /v2/a/b/blobs/", ask, 0, 1},
					   {"HEAD /v2/a/b/blobs/", c.absent},
					   {"POST /v2/a/b/blobs/uploads/", c.opened},
					   {0}};
	fake_listen(&a, &fd);
	fake_run(&a, fd, here);
	world_credentials(w, a.port);
	OK(push(w, a.port, &d, err));
	assert_int_equal(fake_count(&a, "Authorization: Basic"), 2);
	assert_int_equal(fake_count(&b, "PUT /store?digest=sha256:"), 1);
	assert_int_equal(fake_count(&b, "Authorization"), 0);
	fake_stop(&a);
	fake_stop(&b);
	common_free(&c);
}

static void test_bad_locations(void **state)
{
	static const char *const bad[] = {"http://169.254.169.254/x", "http://[::]/x",
					  "http://10.0.0.7/x",	      "gopher://x/",
					  "http://u:p@x.example/",    "http://192.168.1.1:5000/v2/",
					  "http://0x0a000001/"};
	struct world *w = *state;
	struct co_descriptor d = stored(w, "x", 1);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct common c;
		struct fake f;

		common_init(&c, bad[i]);
		const struct fake_answer list[] = {{"HEAD /v2/a/b/blobs/", c.absent},
						   {"POST /v2/a/b/blobs/uploads/", c.opened},
						   {0}};
		start(&f, list);
		FAILS(CO_E_REGISTRY, push(w, f.port, &d, err));
		fake_stop(&f);
		common_free(&c);
	}
}

/* PUT of the whole is refused: one PATCH, then an empty PUT. */
static void test_patch_stream(void **state)
{
	struct world *w = *state;
	struct common c;
	struct fake f;
	struct co_descriptor d = big_blob(w);
	auto_free char *no = answer("405 No", "", "{\"errors\":[{\"code\":\"UNSUPPORTED\"}]}");

	common_init(&c, "/v2/up/7?s=1");
	const struct fake_answer list[] = {
		{"HEAD /v2/a/b/blobs/", c.absent}, {"POST /v2/a/b/blobs/uploads/", c.opened},
		{"PUT /v2/up/7?s=1", no, 0, 1},	   {"PATCH /v2/up/7?s=1", c.accepted},
		{"PUT /v2/up/7?s=1", c.created},   {0}};
	start(&f, list);
	OK(push(w, f.port, &d, err));
	assert_int_equal(fake_count(&f, "POST /v2/"), 2);
	assert_int_equal(fake_count(&f, "PATCH /v2/"), 1);
	assert_int_equal(fake_count(&f, "Content-Range"), 0);
	assert_int_equal(fake_count(&f, "Content-Length: 9437184"), 2);
	fake_stop(&f);
	common_free(&c);
}

/* 413: pieces of 4 MiB, then of 1 MiB; the last one closes. */
static void test_chunks(void **state)
{
	struct world *w = *state;
	struct common c;
	struct fake f;
	struct co_descriptor d = big_blob(w);
	auto_free char *no = answer("413 Too large", "", "<html>nginx</html>");

	common_init(&c, "/v2/up/7?s=1");
	const struct fake_answer list[] = {{"HEAD /v2/a/b/blobs/", c.absent},
					   {"POST /v2/a/b/blobs/uploads/", c.opened},
					   {"PUT /v2/up/7?s=1", no, 0, 1},
					   {"PATCH /v2/up/7?s=1", no, 0, 1},
					   {"PATCH /v2/up/7?s=1", c.accepted},
					   {"PUT /v2/up/7?s=1", c.created},
					   {0}};
	start(&f, list);
	OK(push(w, f.port, &d, err));
	assert_int_equal(fake_count(&f, "PATCH /v2/"), 1 + 8);
	assert_int_equal(fake_count(&f, "Content-Range: 0-4194303\r\n"), 1);
	assert_int_equal(fake_count(&f, "Content-Range: 0-1048575\r\n"), 1);
	assert_int_equal(fake_count(&f, "Content-Range: 8388608-9437183\r\n"), 1);
	fake_stop(&f);
	common_free(&c);
}

static void test_chunk_offset(void **state)
{
	struct world *w = *state;
	struct common c;
	struct fake f;
	struct co_descriptor d = big_blob(w);
	auto_free char *no = answer("413 Too large", "", "");
	auto_free char *off = answer("416 Offset", "", "");
	auto_free char *where = answer("204 Here", "Range: 0-1999999\r\n", "");

	common_init(&c, "/v2/up/7");
	const struct fake_answer list[] = {
		{"HEAD /v2/a/b/blobs/", c.absent}, {"POST /v2/a/b/blobs/uploads/", c.opened},
		{"PUT /v2/up/7", no, 0, 1},	   {"PATCH /v2/up/7", off, 0, 1},
		{"GET /v2/up/7", where},	   {"PATCH /v2/up/7", c.accepted},
		{"PUT /v2/up/7", c.created},	   {0}};
	start(&f, list);
	OK(push(w, f.port, &d, err));
	assert_int_equal(fake_count(&f, "Content-Range: 2000000-6194303\r\n"), 1);
	assert_int_equal(fake_count(&f, "Content-Range: 6194304-9437183\r\n"), 1);
	fake_stop(&f);
	common_free(&c);
}

static void test_too_large(void **state)
{
	struct world *w = *state;
	struct common c;
	struct fake f;
	struct co_descriptor d = big_blob(w);
	auto_free char *no = answer("413 Too large", "", "<html>nginx</html>");

	common_init(&c, "/v2/up/7");
	const struct fake_answer list[] = {{"HEAD /v2/a/b/blobs/", c.absent},
					   {"POST /v2/a/b/blobs/uploads/", c.opened},
					   {"PUT /v2/up/7", no},
					   {"PATCH /v2/up/7", no},
					   {0}};
	start(&f, list);
	FAILS(CO_E_REGISTRY, push(w, f.port, &d, err));
	assert_int_equal(last_error.sys, 413);
	assert_non_null(strstr(last_error.hint, "limit"));
	fake_stop(&f);
	common_free(&c);
}

/* The PUT dies: a new try begins with HEAD, which may say that all is well. */
static void test_lost_answer(void **state)
{
	struct world *w = *state;
	struct common c;
	struct fake f;
	struct co_descriptor d = big_blob(w);
	auto_free char *good = answer("200 OK", "", "");

	common_init(&c, "/v2/up/7");
	const struct fake_answer list[] = {{"HEAD /v2/a/b/blobs/", c.absent, 0, 1},
					   {"HEAD /v2/a/b/blobs/", good},
					   {"POST /v2/a/b/blobs/uploads/", c.opened},
					   {"PUT /v2/up/7", "HTTP/1.1", 0, 1},
					   {0}};
	start(&f, list);
	OK(push(w, f.port, &d, err));
	assert_int_equal(fake_count(&f, "HEAD /v2/"), 2);
	assert_int_equal(fake_count(&f, "PUT /v2/"), 1);
	fake_stop(&f);
	common_free(&c);
}

static void test_denied(void **state)
{
	struct world *w = *state;
	struct common c;
	struct fake f;
	struct co_descriptor d = stored(w, "x", 1);
	auto_free char *no = answer("403 No", "",
				    "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"not "
				    "yours\"}]}");
	auto_free char *unknown = answer("404 No", "",
					 "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"x"
					 "\"}]}");

	common_init(&c, "/v2/up/7");
	const struct fake_answer list[] = {{"HEAD /v2/a/b/blobs/", c.absent},
					   {"POST /v2/a/b/blobs/uploads/", no, 0, 1},
					   {"POST /v2/a/b/blobs/uploads/", unknown},
					   {0}};
	start(&f, list);
	FAILS(CO_E_AUTH, push(w, f.port, &d, err));
	assert_non_null(strstr(last_error.msg, "DENIED: not yours"));
	assert_non_null(strstr(last_error.hint, "cooper login"));
	FAILS(CO_E_NOT_FOUND, push(w, f.port, &d, err));
	assert_non_null(strstr(last_error.hint, "created first"));
	fake_stop(&f);
	common_free(&c);
}

/* A manifest with a subject, at a registry that does not say OCI-Subject. */
static void test_referrers_tag(void **state)
{
	static const char body[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" CO_MT_OCI_MANIFEST "\",\"artifactType\":"
		"\"application/"
		"x\",\"config\":{},\"layers\":[],\"subject\":{\"mediaType\":\"" CO_MT_OCI_MANIFEST
		"\",\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21f"
		"e77e8310c060f61caaff8a\",\"size\":2}}";
	struct world *w = *state;
	struct fake f;
	struct co_digest digest;
	char text[CO_DIGEST_TEXT];
	auto_free char *created = answer("201 Created", "", "");
	auto_free char *absent = answer("404 No", "", "");

	co_digest_of(&digest, body, strlen(body));
	auto_free char *index = co_xasprintf(
		"{\"schemaVersion\":2,\"mediaType\":\"" CO_MT_OCI_INDEX "\",\"manifests\":[{"
		"\"mediaType\":\"" CO_MT_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu}]}",
		co_digest_str(&digest, text), strlen(body));
	auto_free char *listed = answer("200 OK", "Content-Type: " CO_MT_OCI_INDEX "\r\n", index);
	const struct fake_answer list[] = {
		{"PUT /v2/a/b/manifests/1 ", created},
		{"GET "
		 "/v2/a/b/manifests/sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060"
		 "f61caaff8a ",
		 absent, 0, 1},
		{"GET /v2/a/b/manifests/sha256-44136fa", listed},
		{"PUT /v2/a/b/manifests/sha256-44136fa", created},
		{0}};
	start(&f, list);
	struct co_ref ref = ref_at(f.port, "a/b:1");
	OK(co_registry_put_manifest(w->r, &ref, body, strlen(body), CO_MT_OCI_MANIFEST, err));
	assert_int_equal(fake_count(&f, "PUT /v2/a/b/manifests/sha256-44136"), 1);
	assert_int_equal(fake_count(&f, "\"artifactType\": \"application/x\""), 1);
	fake_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put),		  TEST(test_is_there),	    TEST(test_other_host),
		TEST(test_bad_locations), TEST(test_patch_stream),  TEST(test_chunks),
		TEST(test_chunk_offset),  TEST(test_too_large),	    TEST(test_lost_answer),
		TEST(test_denied),	  TEST(test_referrers_tag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
