/* SPDX-License-Identifier: MIT
 *
 * test_faults.c — pulls from servers that misbehave.
 */
#include "world.h"

#define MANIFEST                                                                                   \
	"{\"schemaVersion\":2,\"mediaType\":\"" CO_MT_OCI_MANIFEST "\",\"config\":{"               \
	"\"mediaType\":\"" CO_MT_OCI_CONFIG "\",\"digest\":\"sha256:"                              \
	"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2},"          \
	"\"layers\":[]}"
#define TYPE "Content-Type: " CO_MT_OCI_MANIFEST "\r\n"

static int get(struct world *w, int port, struct co_buf *out, struct co_err *err)
{
	struct co_ref ref = ref_at(port, "a/b:1");
	struct co_descriptor d;

	co_buf_clear(out);
	return co_registry_manifest(w->r, &ref, out, &d, err);
}

static void start(struct fake *f, const struct fake_answer *list)
{
	int fd;

	fake_listen(f, &fd);
	fake_run(f, fd, list);
}

static void test_retry(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);
	auto_free char *busy = answer("429 Too Many Requests", "Retry-After: 1\r\n", "");
	auto_free char *sick = answer("500 Oops", "", "");
	auto_free char *good = answer("200 OK", TYPE, MANIFEST);
	const struct fake_answer list[] = {{"GET /v2/a/b/manifests/1 ", busy, 0, 1},
					   {"GET /v2/a/b/manifests/1 ", sick, 0, 2},
					   {"GET /v2/a/b/manifests/1 ", good},
					   {0}};
	int64_t t = co_mono_ns();

	start(&f, list);
	OK(get(w, f.port, &b, err));
	assert_true(co_mono_ns() - t >= INT64_C(1000000000));
	assert_int_equal(fake_count(&f, "GET /v2/"), 4);
	assert_string_equal(co_buf_str(&b), MANIFEST);
	fake_stop(&f);
}

static void test_retry_ends(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);
	auto_free char *sick = answer("503 Oops", "", "");
	auto_free char *far = answer("429 Slow", "Retry-After: 9999\r\n", "");
	auto_free char *hub = answer("429 Slow", "",
				     "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"You "
				     "have reached your pull rate limit.\"}]}");
	const struct fake_answer list[] = {
		{"GET /v2/a/b/", sick}, {"GET /v2/far/", far}, {"GET /v2/hub/", hub}, {0}};
	struct co_ref ref;
	struct co_descriptor d;

	start(&f, list);
	FAILS(CO_E_REGISTRY, get(w, f.port, &b, err));
	assert_int_equal(last_error.sys, 503);
	assert_int_equal(fake_count(&f, "GET /v2/a/b/"), 6);
	ref = ref_at(f.port, "far/away");
	FAILS(CO_E_REGISTRY, co_registry_manifest(w->r, &ref, &b, &d, err));
	assert_int_equal(fake_count(&f, "GET /v2/far/"), 1);
	/* waiting hours is no use in a build */
	ref = ref_at(f.port, "hub/x");
	FAILS(CO_E_REGISTRY, co_registry_manifest(w->r, &ref, &b, &d, err));
	assert_int_equal(fake_count(&f, "GET /v2/hub/"), 1);
	assert_non_null(strstr(last_error.hint, "log in"));
	fake_stop(&f);
}

static void test_redirect_drops_credentials(void **state)
{
	struct world *w = *state;
	struct fake a, b;
	const char blob[] = "blob content";
	struct co_descriptor d = describe("x", blob, strlen(blob));
	auto_free char *data = answer("200 OK", "", blob);
	const struct fake_answer there[] = {{"GET /signed?sig=%2Fx&y=1 ", data}, {0}};
	int fd;

	start(&b, there);
	auto_free char *to =
		co_xasprintf("Location: http://127.0.0.1:%d/signed?sig=%%2Fx&y=1\r\n", b.port);
	auto_free char *ask = answer("401 No", "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
	auto_free char *go = answer("307 Go", to, "");
	const struct fake_answer here[] = {
		{"GET /v2/a/b/blobs/", ask, 0, 1}, {"GET /v2/a/b/blobs/", go}, {0}};
	fake_listen(&a, &fd);
	fake_run(&a, fd, here);
	world_credentials(w, a.port);
	struct co_ref ref = ref_at(a.port, "a/b:1");
	struct co_blob_job job = {.desc = d};
	OK(co_registry_fetch(w->r, w->store, &ref, &job, 1, err));
	assert_true(co_store_has(w->store, &d.digest, NULL));
	assert_int_equal(fake_count(&a, "Authorization: Basic"), 1);
	assert_int_equal(fake_count(&b, "GET /signed"), 1);
	assert_int_equal(fake_count(&b, "Authorization"), 0);
	fake_stop(&a);
	fake_stop(&b);
}

static void test_redirects_that_are_refused(void **state)
{
	static const struct {
		const char *location, *why;
	} cases[] = {
		{"/v2/a/b/manifests/1", "too many"},
		{"ftp://127.0.0.1/x", "usable"},
		{"http://user:pw@127.0.0.1/x", "usable"},
		{"file:///etc/passwd", "usable"},
		{"http://169.254.169.254/latest/meta-data", "internal"},
		{"http://[fe80::1]/", "internal"},
		{"http://0.0.0.0:80/", "internal"},
		{"http://2852039166/", "internal"}, /* 169.254.169.254 */
		{"http://0xa9fea9fe/", "internal"},
		{"http://exa mple/", "usable"},
	};
	struct world *w = *state;
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *to = co_xasprintf("Location: %s\r\n", cases[i].location);
		auto_free char *go = answer("302 Go", to, "");
		const struct fake_answer list[] = {{"GET /v2/a/b/", go}, {0}};
		struct fake f;

		start(&f, list);
		FAILS(CO_E_REGISTRY, get(w, f.port, &b, err));
		if (!strstr(last_error.msg, cases[i].why))
			fail_msg("%s: %s", cases[i].location, last_error.msg);
		assert_null(strstr(last_error.msg, "pw"));
		fake_stop(&f);
	}
}

/* Two halves; the second as a part, or as a whole that has to be skipped over. */
static void resume(struct world *w, bool part)
{
	struct fake f;
	const char blob[] = "0123456789abcdefghij";
	struct co_descriptor d = describe("x", blob, 20);
	auto_free char *half = co_xasprintf("HTTP/1.1 200 OK\r\nConnection: close\r\n"
					    "Content-Length: 20\r\n\r\n%.8s",
					    blob);
	auto_free char *rest =
		part ? answer("206 Part", "Content-Range: bytes 8-19/20\r\n", blob + 8)
		     : answer("200 OK", "", blob);
	const struct fake_answer list[] = {
		{"GET /v2/a/b/blobs/", half, 0, 1}, {"GET /v2/a/b/blobs/", rest}, {0}};
	auto_buf got = CO_BUF_INIT(64);

	start(&f, list);
	struct co_ref ref = ref_at(f.port, "a/b:1");
	struct co_blob_job job = {.desc = d, .sink = co_sink_buf(&got)};
	OK(co_registry_fetch(w->r, w->store, &ref, &job, 1, err));
	assert_string_equal(co_buf_str(&got), blob);
	assert_int_equal(fake_count(&f, "Range: bytes=8-\r\n"), 1);
	fake_stop(&f);
}

static void test_resume(void **state)
{
	resume(*state, true);
	resume(*state, false);
}

/* A sink that tells how it ended. */
struct probe {
	int closed, aborted;
};
static int probe_write(void *self, const void *data, size_t len, struct co_err *err)
{
	(void)self, (void)data, (void)len, (void)err;
	return 0;
}
static int probe_close(void *self, struct co_err *err)
{
	(void)err;
	((struct probe *)self)->closed++;
	return 0;
}
static void probe_free(void *self, bool aborted)
{
	((struct probe *)self)->aborted += aborted;
}
static const struct co_sink_ops probe_ops = {"probe", probe_write, probe_close, probe_free};

static void blob_fails(struct world *w, const char *text, enum fake_how how, int code)
{
	struct fake f;
	struct probe p = {0};
	struct co_descriptor d = describe("x", "right content", 13);
	const struct fake_answer list[] = {{"GET /v2/a/b/blobs/", text, 0, 0, how}, {0}};

	start(&f, list);
	struct co_ref ref = ref_at(f.port, "a/b:1");
	struct co_blob_job jobs[2] = {{.desc = d, .sink = co_sink_new(&probe_ops, &p)},
				      {.desc = d}};
	FAILS(code, co_registry_fetch(w->r, w->store, &ref, jobs, 1, err));
	FAILS(code, co_registry_fetch(w->r, w->store, &ref, jobs + 1, 1, err));
	assert_int_equal(p.closed, 0);
	assert_int_equal(p.aborted, 1);
	assert_false(co_store_has(w->store, &d.digest, NULL));
	fake_stop(&f);
}

static void test_wrong_bodies(void **state)
{
	struct world *w = *state;
	static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
	auto_free char *wrong = answer("200 OK", "", "wrong content");
	auto_free char *longer = answer("200 OK", "", "right content and more");
	auto_free char *shorter = answer("200 OK", "", "right");
	auto_free char *endless = co_xasprintf("%s\r\nright content", head);
	auto_free char *cut = co_xasprintf("%s\r\nright", head);
	auto_free char *part =
		answer("206 Part", "Content-Range: bytes 0-12/13\r\n", "right content");
	auto_free char *gone = answer("404 Not Found", "",
				      "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"no "
				      "\\u001b[31mblob\"}]}");

	blob_fails(w, wrong, FAKE_PLAIN, CO_E_INTEGRITY);
	blob_fails(w, longer, FAKE_PLAIN, CO_E_INTEGRITY);
	blob_fails(w, shorter, FAKE_PLAIN, CO_E_INTEGRITY);
	blob_fails(w, endless, FAKE_ENDLESS, CO_E_INTEGRITY);
	blob_fails(w, cut, FAKE_PLAIN, CO_E_INTEGRITY);
	blob_fails(w, part, FAKE_PLAIN, CO_E_REGISTRY);
	blob_fails(w, gone, FAKE_PLAIN, CO_E_NOT_FOUND);
	assert_non_null(strstr(last_error.msg, "BLOB_UNKNOWN: no ^[[31mblob"));
}

static void test_endless_documents(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);
	auto_free char *good = co_xasprintf("HTTP/1.1 200 OK\r\n" TYPE "\r\n{");
	auto_free char *bad = co_xasprintf("HTTP/1.1 404 No\r\n\r\n{");
	auto_free char *head = co_xasprintf("HTTP/1.1 200 OK\r\n");
	const struct fake_answer list[] = {{"GET /v2/a/b/", good, 0, 1, FAKE_ENDLESS},
					   {"GET /v2/a/b/", bad, 0, 1, FAKE_ENDLESS},
					   {"GET /v2/a/b/", head, 0, 0, FAKE_ENDLESS},
					   {0}};

	start(&f, list);
	FAILS(CO_E_LIMIT, get(w, f.port, &b, err));
	FAILS(CO_E_NOT_FOUND, get(w, f.port, &b, err));
	/* headers without end */
	FAILS(CO_E_LIMIT, get(w, f.port, &b, err));
	fake_stop(&f);
}

static void test_slow_loris(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);
	auto_free char *good = answer("200 OK", TYPE, MANIFEST);
	const struct fake_answer list[] = {{"GET /v2/a/b/", good, 0, 0, FAKE_DRIP}, {0}};
	int64_t t = co_mono_ns();

	start(&f, list);
	world_client(w, &(struct co_registry_opts){.retries = 1});
	w->r->low_speed_s = 2;
	FAILS(CO_E_NETWORK, get(w, f.port, &b, err));
	assert_true(co_mono_ns() - t < INT64_C(15000000000));
	fake_stop(&f);
}

static void test_malformed_manifests(void **state)
{
	static const struct {
		const char *type, *body;
		int code;
	} cases[] = {
		{CO_MT_OCI_MANIFEST, "{\"schemaVersion\":2,", CO_E_INVALID},
		{CO_MT_OCI_MANIFEST, "", CO_E_INVALID},
		{CO_MT_DOCKER_MANIFEST, MANIFEST, CO_E_INVALID},
		{"text/html", MANIFEST, CO_E_INVALID},
		{CO_MT_OCI_INDEX, "{\"manifests\":[],\"layers\":[]}", CO_E_INVALID},
		{"application/vnd.docker.distribution.manifest.v1+prettyjws",
		 "{\"schemaVersion\":1}", CO_E_UNSUPPORTED},
		{"application/json", "{\"schemaVersion\":2}", CO_E_INVALID},
		{"application/json", "[]", CO_E_INVALID},
	};
	struct world *w = *state;
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *type = co_xasprintf("Content-Type: %s\r\n", cases[i].type);
		auto_free char *text = answer("200 OK", type, cases[i].body);
		const struct fake_answer list[] = {{"GET /v2/a/b/", text}, {0}};
		struct fake f;

		start(&f, list);
		FAILS(cases[i].code, get(w, f.port, &b, err));
		fake_stop(&f);
	}
}

static void test_digest_header_and_reference(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);
	auto_free char *lie = answer("200 OK",
				     TYPE "Docker-Content-Digest: sha256:44136fa355b3678a1146ad16f7"
					  "e8649e94fb4fc21fe77e8310c060f61caaff8a\r\n",
				     MANIFEST);
	const struct fake_answer list[] = {{"GET /v2/a/b/", lie}, {0}};
	struct co_descriptor d;

	start(&f, list);
	FAILS(CO_E_INTEGRITY, get(w, f.port, &b, err));
	/* tag and digest: the digest decides */
	struct co_ref ref = ref_at(f.port, "a/b:tag@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc2"
					   "1fe77e8310c060f61caaff8a");
	FAILS(CO_E_INTEGRITY, co_registry_manifest(w->r, &ref, &b, &d, err));
	assert_int_equal(fake_count(&f, "GET /v2/a/b/manifests/sha256:44136f"), 1);
	fake_stop(&f);
}

static void test_warning_header(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);
	auto_free char *good = answer("200 OK",
				      TYPE "Warning: 299 - \"goes \x1b[2Jaway\"\r\n"
					   "Warning: 199 - \"other\"\r\n",
				      MANIFEST);
	const struct fake_answer list[] = {{"GET /v2/a/b/", good}, {0}};

	start(&f, list);
	OK(get(w, f.port, &b, err));
	OK(get(w, f.port, &b, err));
	const char *said = strstr(co_buf_str(&w->events), "goes ?[2Jaway");
	assert_non_null(said);
	assert_null(strstr(said + 1, "goes "));
	assert_null(strstr(co_buf_str(&w->events), "other"));
	fake_stop(&f);
}

static void test_interrupt(void **state)
{
	struct world *w = *state;
	struct fake f;
	auto_free char *good = answer("200 OK", TYPE, MANIFEST);
	const struct fake_answer list[] = {{"GET /v2/a/b/", good, 0, 0, FAKE_DRIP}, {0}};
	int status;

	start(&f, list);
	pid_t pid = fork(); /* the mark of the signal stays for the process's life */
	if (pid == 0) {
		auto_buf b = CO_BUF_INIT(REG_MAX_MANIFEST);
		struct co_err err = CO_ERR_INIT;

		co_interrupt_install();
		signal(SIGALRM, SIG_DFL);
		if (fork() == 0) {
			usleep(500000);
			kill(getppid(), SIGINT);
			_exit(0);
		}
		int64_t t = co_mono_ns();
		int r = get(w, f.port, &b, &err);
		_exit(r == CO_E_INTERRUPTED && co_mono_ns() - t < INT64_C(3000000000) ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	fake_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_retry),
		TEST(test_retry_ends),
		TEST(test_redirect_drops_credentials),
		TEST(test_redirects_that_are_refused),
		TEST(test_resume),
		TEST(test_wrong_bodies),
		TEST(test_endless_documents),
		TEST(test_slow_loris),
		TEST(test_malformed_manifests),
		TEST(test_digest_header_and_reference),
		TEST(test_warning_header),
		TEST(test_interrupt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
