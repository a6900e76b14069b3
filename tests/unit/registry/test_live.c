/* SPDX-License-Identifier: MIT
 *
 * test_live.c — against a real docker-registry: push, mount, pull, tags, delete, login, TLS.
 */
#include "live.h"

#define MIB (1u << 20)

static void test_round_trip(void **state)
{
	struct world *w = *state;
	struct live l;
	struct co_descriptor got, image = make_image(w->store, "amd64", 1, 3, 9 * MIB + 5);
	struct co_platform amd64 = {"linux", "amd64", ""};

	live_start(w, &l, "reg", "", "");
	struct co_ref one = ref_at(l.port, "one/app:1"), two = ref_at(l.port, "two:x");
	OK(co_registry_push(w->r, w->store, &image, &one, 1, NULL, 0, err));
	assert_int_equal(w->done, 4);
	assert_int_equal(w->cached, 0);
	OK(co_registry_push(w->r, w->store, &image, &one, 1, NULL, 0, err));
	assert_int_equal(w->done, 4); /* the tag stands for it: no blob was asked for */
	struct co_ref other = ref_at(l.port, "one/app:2");
	OK(co_registry_push(w->r, w->store, &image, &other, 1, NULL, 0, err));
	assert_int_equal(w->cached, 4); /* all there */
	OK(co_registry_push(w->r, w->store, &image, &two, 1, &one, 1, err));
	assert_int_equal(w->cached, 8); /* all mounted */
	struct co_store *s = other_store(w, "second");
	OK(co_registry_resolve(w->r, s, &two, &amd64, &got, err));
	assert_true(co_digest_eq(&got.digest, &image.digest));
	assert_int_equal(w->done, 13); /* the config only */
	OK(co_registry_pull(w->r, s, &two, NULL, &got, err));
	assert_complete(s, &image);
	unsigned done = w->done, cached = w->cached;
	OK(co_registry_pull(w->r, s, &one, NULL, &got, err));
	assert_int_equal(w->done - done, w->cached - cached); /* nothing moved again */
	co_store_close(s);
	live_stop(&l);
}

static void test_streams(void **state)
{
	struct world *w = *state;
	struct live l;
	struct co_descriptor d[5];
	struct co_blob_job jobs[5];
	struct co_buf out[5];
	auto_free char *text = NULL;
	size_t len;

	live_start(w, &l, "reg", "", "");
	struct co_ref ref = ref_at(l.port, "a/b");
	for (size_t i = 0; i < 5; i++) {
		d[i] = make_blob(w->store, CO_MT_OCI_LAYER, i + 7, i == 4 ? 0 : i * MIB + 3);
		OK(co_registry_push_blob(w->r, w->store, &ref, &d[i], err));
		out[i] = (struct co_buf)CO_BUF_INIT(8 * MIB);
		jobs[i] = (struct co_blob_job){.desc = d[i], .sink = co_sink_buf(&out[i])};
	}
	OK(co_registry_fetch(w->r, w->store, &ref, jobs, 5, err));
	for (size_t i = 0; i < 5; i++) {
		OK(co_store_blob_read(w->store, &d[i].digest, 8 * MIB, &text, &len, err));
		assert_int_equal(len, out[i].len);
		if (len)
			assert_memory_equal(text, out[i].data, len);
		free(co_steal(&text));
		co_buf_release(&out[i]);
	}
	live_stop(&l);
}

static void test_index(void **state)
{
	struct world *w = *state;
	struct live l;
	char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
	struct co_descriptor one = make_image(w->store, "amd64", 1, 2, 1000);
	struct co_descriptor two = make_image(w->store, "arm64", 2, 3, 1000), got;
	struct co_platform arm = {"linux", "arm64", "v8"}, s390 = {"linux", "s390x", ""};

	auto_free char *text = co_xasprintf(
		"{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":["
		"{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%lld,\"platform\":{\"os\":"
		"\"linux\",\"architecture\":\"amd64\"}},{\"mediaType\":\"%s\",\"digest\":\"%s\","
		"\"size\":%lld,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}}]}",
		CO_MT_OCI_INDEX, CO_MT_OCI_MANIFEST, co_digest_str(&one.digest, a),
		(long long)one.size, CO_MT_OCI_MANIFEST, co_digest_str(&two.digest, b),
		(long long)two.size);
	struct co_descriptor index = make_text(w->store, CO_MT_OCI_INDEX, text);
	live_start(w, &l, "reg", "", "");
	struct co_ref refs[3] = {ref_at(l.port, "m:1"), ref_at(l.port, "m:2"),
				 ref_at(l.port, "other:1")};
	OK(co_registry_push(w->r, w->store, &index, refs, 3, NULL, 0, err));
	struct co_store *s = other_store(w, "second"), *t = other_store(w, "third");
	OK(co_registry_pull(w->r, s, &refs[2], &arm, &got, err));
	assert_true(co_digest_eq(&got.digest, &two.digest));
	assert_complete(s, &two);
	assert_false(co_store_has(s, &one.digest, NULL));
	OK(co_registry_pull(w->r, t, &refs[1], NULL, &got, err));
	assert_true(co_digest_eq(&got.digest, &index.digest));
	assert_complete(t, &index);
	FAILS(CO_E_NOT_FOUND, co_registry_pull(w->r, s, &refs[0], &s390, &got, err));
	assert_non_null(strstr(last_error.hint, "linux/amd64, linux/arm64"));
	co_store_close(s);
	co_store_close(t);
	live_stop(&l);
}

static void test_tags_and_delete(void **state)
{
	struct world *w = *state;
	struct live l;
	struct co_descriptor image = make_image(w->store, "amd64", 1, 1, 100), head;
	char **tags = NULL;
	size_t n = 0;
	bool there;

	live_start(w, &l, "reg", "", "");
	struct co_ref refs[3] = {ref_at(l.port, "a/b:z"), ref_at(l.port, "a/b:1"),
				 ref_at(l.port, "a/b:m")};
	FAILS(CO_E_NOT_FOUND, co_registry_tags(w->r, refs, &tags, &n, err));
	FAILS(CO_E_NOT_FOUND, co_registry_head(w->r, refs, &head, err));
	OK(co_registry_push(w->r, w->store, &image, refs, 3, NULL, 0, err));
	OK(co_registry_tags(w->r, refs, &tags, &n, err));
	assert_int_equal(n, 3);
	assert_string_equal(tags[0], "1");
	assert_string_equal(tags[2], "z");
	for (size_t i = 0; i < n; i++)
		free(tags[i]);
	free(tags);
	OK(co_registry_head(w->r, refs, &head, err));
	assert_true(co_digest_eq(&head.digest, &image.digest));
	assert_int_equal(head.size, image.size);
	OK(co_registry_blob_exists(w->r, refs, &image.digest, &there, err));
	OK(co_registry_delete(w->r, refs, err));
	FAILS(CO_E_NOT_FOUND, co_registry_head(w->r, &refs[1], &head, err));
	FAILS(CO_E_NOT_FOUND, co_registry_delete(w->r, &refs[1], err));
	struct co_ref wrong = refs[0];
	co_digest_of(&wrong.digest, "x", 1);
	FAILS(CO_E_USAGE, co_registry_push(w->r, w->store, &image, &wrong, 1, NULL, 0, err));
	live_stop(&l);
}

/* A base layer that is only at another registry: it comes through the store. */
static void test_blob_from_elsewhere(void **state)
{
	struct world *w = *state;
	struct live a, b;
	struct co_descriptor image = make_image(w->store, "amd64", 5, 2, 3 * MIB), got;
	auto_buf json = CO_BUF_INIT(1 << 20);

	live_start(w, &a, "rega", "", "");
	live_start(w, &b, "regb", "", "");
	struct co_ref from = ref_at(a.port, "base:1"), to = ref_at(b.port, "app:1");
	struct co_ref near = ref_at(a.port, "near:1");
	OK(co_registry_push(w->r, w->store, &image, &from, 1, NULL, 0, err));
	/* a store that knows manifest and config only */
	struct co_store *s = other_store(w, "second");
	OK(co_registry_resolve(w->r, s, &from, NULL, &got, err));
	unsigned cached = w->cached;
	OK(co_registry_push(w->r, s, &got, &near, 1, &from, 1, err));
	assert_int_equal(w->cached - cached, 3); /* mounted without having it */
	struct co_descriptor first = make_blob(w->store, "x", 5, 3 * MIB);
	assert_false(co_store_has(s, &first.digest, NULL));
	FAILS(CO_E_NOT_FOUND, co_registry_push(w->r, s, &got, &to, 1, NULL, 0, err));
	OK(co_registry_push(w->r, s, &got, &to, 1, &from, 1, err));
	OK(co_registry_manifest(w->r, &to, &json, &got, err));
	assert_true(co_digest_eq(&got.digest, &image.digest));
	co_store_close(s);
	live_stop(&a);
	live_stop(&b);
}

static void test_login(void **state)
{
	struct world *w = *state;
	struct live l;
	struct co_descriptor image = make_image(w->store, "amd64", 1, 2, MIB), got;
	char host[64];
	bool there = false;

	world_write(w, "htpasswd", HTPASSWD);
	auto_free char *auth = co_xasprintf(
		"auth:\n  htpasswd:\n    realm: test\n    path: %s/htpasswd\n", w->dir);
	live_start(w, &l, "reg", "", auth);
	struct co_ref ref = ref_at(l.port, "a/b:1");
	snprintf(host, sizeof(host), "127.0.0.1:%d", l.port);
	FAILS(CO_E_AUTH, co_registry_push(w->r, w->store, &image, &ref, 1, NULL, 0, err));
	assert_non_null(strstr(last_error.hint, "cooper login"));
	FAILS(CO_E_AUTH, co_login(w->r, host, "robot", CANARY "!", err));
	OK(co_login(w->r, host, "robot", CANARY, err));
	OK(co_registry_push(w->r, w->store, &image, &ref, 1, NULL, 0, err));
	world_client(w, NULL);
	struct co_store *s = other_store(w, "second");
	OK(co_registry_pull(w->r, s, &ref, NULL, &got, err));
	assert_complete(s, &image);
	OK(co_logout(w->r, host, &there, err));
	assert_true(there);
	FAILS(CO_E_AUTH, co_registry_pull(w->r, s, &ref, NULL, &got, err));
	co_store_close(s);
	live_stop(&l);
}

static void test_tls(void **state)
{
	struct world *w = *state;
	struct live l;
	struct co_descriptor image = make_image(w->store, "amd64", 1, 6, 2 * MIB), got;
	char dir[300], host[64], text[400];

	make_cert(w);
	auto_free char *tls =
		co_xasprintf("  tls:\n    certificate: %s/tls.crt\n    key: %s/tls.key\n"
			     "    clientcas:\n      - %s/tls.crt\n",
			     w->dir, w->dir, w->dir);
	live_start(w, &l, "reg", tls, "");
	struct co_ref ref = ref_at(l.port, "a/b:1");
	snprintf(host, sizeof(host), "127.0.0.1:%d", l.port);
	/* loopback allows plain http, but not a certificate nobody knows */
	FAILS(CO_E_NETWORK, co_registry_push(w->r, w->store, &image, &ref, 1, NULL, 0, err));
	assert_non_null(strstr(last_error.hint, "certs.d"));
	snprintf(dir, sizeof(dir), "%s/.config/containers/certs.d/%s", w->dir, host);
	OK(co_mkdir_p(dir, 0700, err));
	static const char *const names[][2] = {
		{"tls.crt", "ca.crt"}, {"tls.crt", "client.cert"}, {"tls.key", "client.key"}};
	for (size_t i = 0; i < 3; i++) {
		char from[300], to[400];

		snprintf(from, sizeof(from), "%s/%s", w->dir, names[i][0]);
		snprintf(to, sizeof(to), "%s/%s", dir, names[i][1]);
		assert_int_equal(symlink(from, to), 0);
		world_client(w, &(struct co_registry_opts){.http1 = i == 1});
		if (i < 2) /* the server wants a certificate of ours */
			FAILS(CO_E_NETWORK,
			      co_registry_push(w->r, w->store, &image, &ref, 1, NULL, 0, err));
	}
	OK(co_registry_push(w->r, w->store, &image, &ref, 1, NULL, 0, err));
	struct co_store *s = other_store(w, "second"), *t = other_store(w, "third");
	OK(co_registry_pull(w->r, s, &ref, NULL, &got, err));
	/* without the CA, for a host that is named insecure; HTTP/1.1 */
	snprintf(text, sizeof(text), "%s/ca.crt", dir);
	assert_int_equal(unlink(text), 0);
	const char *insecure[] = {host, NULL};
	world_client(w, &(struct co_registry_opts){.insecure_hosts = insecure, .http1 = true});
	OK(co_registry_pull(w->r, t, &ref, NULL, &got, err));
	co_store_close(s);
	co_store_close(t);
	live_stop(&l);
}

static void test_many_layers(void **state)
{
	struct world *w = *state;
	struct live l;
	struct co_descriptor image = make_image(w->store, "amd64", 100, 60, 5000), got;

	live_start(w, &l, "reg", "", "");
	struct co_ref ref = ref_at(l.port, "a/b:1");
	OK(co_registry_push(w->r, w->store, &image, &ref, 1, NULL, 0, err));
	struct co_store *s = other_store(w, "second");
	OK(co_registry_pull(w->r, s, &ref, NULL, &got, err));
	assert_complete(s, &image);
	co_store_close(s);
	live_stop(&l);
}

/* A worker process may go on with its parent's client. */
static void test_fork(void **state)
{
	struct world *w = *state;
	struct live l;
	struct co_descriptor image = make_image(w->store, "amd64", 1, 1, 100), got;
	int status;

	live_start(w, &l, "reg", "", "");
	struct co_ref ref = ref_at(l.port, "a/b:1");
	OK(co_registry_push(w->r, w->store, &image, &ref, 1, NULL, 0, err));
	pid_t pid = fork();
	if (pid == 0) {
		struct co_err err = CO_ERR_INIT;

		for (int i = 0; i < 20; i++)
			if (co_registry_head(w->r, &ref, &got, &err) < 0)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 20; i++)
		OK(co_registry_head(w->r, &ref, &got, err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	OK(co_registry_head(w->r, &ref, &got, err));
	live_stop(&l);
}

/* A proxy with a small limit before the registry: the layer goes up in pieces. */
static void test_small_proxy(void **state)
{
	struct world *w = *state;
	struct live l, p = {.port = free_port()};
	struct co_descriptor image = make_image(w->store, "amd64", 1, 2, 9 * MIB), got;
	char path[300];

	if (access("/usr/sbin/nginx", X_OK) != 0) {
		print_message("skipped: nginx is not installed\n");
		skip();
	}
	live_start(w, &l, "reg", "", "");
	auto_free char *conf = co_xasprintf(
		"daemon off; master_process off; pid %s/nginx.pid; error_log %s/nginx.log;\n"
		"events {}\nhttp { access_log off; client_body_temp_path %s/nb; proxy_temp_path "
		"%s/np; fastcgi_temp_path %s/nf; uwsgi_temp_path %s/nu; scgi_temp_path %s/ns;\n"
		"server { listen 127.0.0.1:%d; client_max_body_size 2m; location / { "
		"proxy_set_header "
		"Host $http_host; proxy_pass http://127.0.0.1:%d; } } }\n",
		w->dir, w->dir, w->dir, w->dir, w->dir, w->dir, w->dir, p.port, l.port);
	world_write(w, "nginx.conf", conf);
	snprintf(path, sizeof(path), "%s/nginx.conf", w->dir);
	p.pid = run_server(w, (const char *const[]){"/usr/sbin/nginx", "-c", path, NULL});
	wait_port(p.port);
	struct co_ref ref = ref_at(p.port, "a/b:1");
	OK(co_registry_push(w->r, w->store, &image, &ref, 1, NULL, 0, err));
	struct co_store *s = other_store(w, "second");
	OK(co_registry_pull(w->r, s, &ref, NULL, &got, err));
	assert_complete(s, &image);
	co_store_close(s);
	live_stop(&p);
	live_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_streams),
		TEST(test_index),
		TEST(test_tags_and_delete),
		TEST(test_blob_from_elsewhere),
		TEST(test_login),
		TEST(test_tls),
		TEST(test_many_layers),
		TEST(test_fork),
		TEST(test_small_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
