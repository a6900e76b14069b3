/* SPDX-License-Identifier: MIT
 *
 * test_download.c — plain downloads: names, dates, limits, headers, going on after a break.
 */
#include "world.h"

static void start(struct fake *f, const struct fake_answer *list)
{
	int fd;

	fake_listen(f, &fd);
	fake_run(f, fd, list);
}

static int get(struct world *w, int port, const char *path, struct co_download *d,
	       struct co_buf *out, struct co_err *err)
{
	char url[512];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
	d->url = url;
	co_buf_clear(out);
	int r = co_download(w->r, d, co_sink_buf(out), err);
	d->url = NULL;
	return r;
}

static void test_metadata(void **state)
{
	static const struct {
		const char *path, *name;
	} cases[] = {
		{"/a/b/file.tar.gz?x=1/2", "file.tar.gz"},
		{"/", ""},
		{"/a/", ""},
		{"/a%20b.txt", "a b.txt"},
		{"/a%2fb", ""},
		{"/%2e%2e", ""},
		{"/a%00b", ""},
		{"/a%0ab", ""},
		{"/%zz", "%zz"},
		{"/x#y", "x"},
		{"?q", ""},
	};
	struct world *w = *state;
	struct fake f;
	auto_buf b = CO_BUF_INIT(100);
	auto_free char *good = answer("200 OK",
				      "Last-Modified: Thu, 01 Jan 1970 00:01:00 GMT\r\n"
				      "ETag: \"e\"\r\n",
				      "hello");
	const struct fake_answer list[] = {{"GET /", good}, {0}};

	start(&f, list);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct co_download d = {0};

		OK(get(w, f.port, cases[i].path, &d, &b, err));
		assert_string_equal(co_buf_str(&b), "hello");
		assert_string_equal(d.filename, cases[i].name);
		assert_string_equal(d.etag, "\"e\"");
		assert_int_equal(d.last_modified, 60);
	}
	fake_stop(&f);
}

static void test_header_stays_home(void **state)
{
	struct world *w = *state;
	struct fake a, b;
	auto_buf out = CO_BUF_INIT(100);
	auto_free char *good = answer("200 OK", "", "hello");
	const struct fake_answer there[] = {{"GET /there", good}, {0}};
	struct co_download d = {.header = "X-Key: " CANARY};

	start(&b, there);
	auto_free char *to = co_xasprintf("Location: http://127.0.0.1:%d/there/f\r\n", b.port);
	auto_free char *go = answer("302 Go", to, "");
	const struct fake_answer here[] = {{"GET /", go}, {0}};
	start(&a, here);
	OK(get(w, a.port, "/x", &d, &out, err));
	assert_string_equal(d.filename, "f");
	assert_int_equal(fake_count(&a, "X-Key: " CANARY), 1);
	assert_int_equal(fake_count(&b, "X-Key"), 0);
	d.header = "X: a\r\nY: b";
	FAILS(CO_E_USAGE, get(w, a.port, "/x", &d, &out, err));
	d.header = "no colon";
	FAILS(CO_E_USAGE, get(w, a.port, "/x", &d, &out, err));
	fake_stop(&a);
	fake_stop(&b);
}

static void test_limits_and_errors(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_buf out = CO_BUF_INIT(1 << 20), tiny = CO_BUF_INIT(3);
	auto_free char *good = answer("200 OK", "", "hello");
	auto_free char *gone = answer("404 Gone", "", "<html>");
	const struct fake_answer list[] = {
		{"GET /endless", "HTTP/1.1 200 OK\r\n\r\n", 0, 0, FAKE_ENDLESS},
		{"GET /gone", gone},
		{"GET /", good},
		{0}};
	struct co_download d = {.max_bytes = 1000};

	start(&f, list);
	FAILS(CO_E_LIMIT, get(w, f.port, "/endless?secret=" CANARY, &d, &out, err));
	FAILS(CO_E_NOT_FOUND, get(w, f.port, "/gone", &d, &out, err));
	FAILS(CO_E_LIMIT, get(w, f.port, "/x", &d, &tiny, err)); /* the sink's own error */
	d.url = "ftp://127.0.0.1/x";
	FAILS(CO_E_USAGE, co_download(w->r, &d, co_sink_null(), err));
	fake_stop(&f);
}

static void resume(struct world *w, const char *etag, const char *second, bool works, int ranges)
{
	struct fake f;
	auto_buf out = CO_BUF_INIT(100);
	auto_free char *half = co_xasprintf("HTTP/1.1 200 OK\r\nConnection: close\r\n%s"
					    "Content-Length: 10\r\n\r\n01234",
					    etag);
	const struct fake_answer list[] = {{"GET /x", half, 0, 1}, {"GET /x", second}, {0}};
	struct co_download d = {0};

	start(&f, list);
	if (works) {
		OK(get(w, f.port, "/x", &d, &out, err));
		assert_string_equal(co_buf_str(&out), "0123456789");
	} else {
		FAILS(CO_E_NETWORK, get(w, f.port, "/x", &d, &out, err));
	}
	assert_int_equal(fake_count(&f, "Range: bytes=5-\r\n"), ranges);
	assert_int_equal(fake_count(&f, "If-Range: \"v1\"\r\n"), ranges);
	fake_stop(&f);
}

static void test_resume(void **state)
{
	struct world *w = *state;
	auto_free char *rest = answer("206 Part", "Content-Range: bytes 5-9/10\r\n", "56789");
	auto_free char *other = answer("200 OK", "ETag: \"v2\"\r\n", "abcdefghij");

	resume(w, "ETag: \"v1\"\r\n", rest, true, 1);
	resume(w, "ETag: \"v1\"\r\n", other, false, 1);
	resume(w, "ETag: W/\"v1\"\r\n", rest, false, 0);
	resume(w, "", rest, false, 0);
}

static void test_proxy(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_buf out = CO_BUF_INIT(100);
	auto_free char *good = answer("200 OK", "", "hello");
	const struct fake_answer list[] = {{"GET http://files.example/x ", good}, {0}};
	struct co_download d = {.url = "http://files.example/x"};

	start(&f, list);
	auto_free char *proxy = co_xasprintf("http://127.0.0.1:%d", f.port);
	setenv("HTTP_PROXY", proxy, 1); /* curl alone would not read it */
	OK(co_download(w->r, &d, co_sink_buf(&out), err));
	assert_string_equal(co_buf_str(&out), "hello");
	setenv("NO_PROXY", "files.example:80", 1);
	world_client(w, &(struct co_registry_opts){.retries = 1});
	FAILS(CO_E_NETWORK, co_download(w->r, &d, co_sink_null(), err));
	assert_int_equal(fake_count(&f, "GET http://"), 1);
	unsetenv("HTTP_PROXY");
	unsetenv("NO_PROXY");
	fake_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_metadata),
		TEST(test_header_stays_home),
		TEST(test_limits_and_errors),
		TEST(test_resume),
		TEST(test_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
