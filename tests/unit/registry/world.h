/* SPDX-License-Identifier: MIT
 *
 * world.h — what the tests with a server share: a temporary directory with HOME in it, a store, a
 * client that waits little, answers as text, and events that are remembered.
 */
#pragma once
#include "../../../registry/registry-internal.h"
#include "fake.h"
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <cooper/json.h>
#include <cooper/str.h>
#include <cooper/registry.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define CANARY "s3cr3t-canary"

struct world {
	char dir[64];
	struct co_store *store;
	struct co_registry *r;
	struct co_buf events; /* everything that was said */
	struct co_bus bus;
	unsigned cached, done;
};

static inline void world_hear(void *ctx, const struct co_event *ev)
{
	struct world *w = ctx;

	co_buf_addf(&w->events, "%s %s %s\n", co_event_name(ev->kind), ev->name ? ev->name : "",
		    ev->text ? ev->text : "");
	w->done += ev->kind == CO_EV_TRANSFER && ev->finished;
	w->cached += ev->kind == CO_EV_TRANSFER && ev->finished && ev->cached;
}

static inline void world_client(struct world *w, const struct co_registry_opts *opts)
{
	struct co_registry_opts o = opts ? *opts : (struct co_registry_opts){0};
	struct co_err err = CO_ERR_INIT;

	co_registry_close(w->r);
	o.bus = &w->bus;
	assert_int_equal(co_registry_open(&w->r, &o, &err), 0);
	w->r->base_delay_ms = 10;
}

static inline void world_open(struct world *w)
{
	struct co_err err = CO_ERR_INIT;
	char store[128];
	static const char *const vars[] = {
		"DOCKER_CONFIG",   "REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "XDG_RUNTIME_DIR",
		"XDG_CONFIG_HOME", "http_proxy",	 "https_proxy",	       "HTTP_PROXY",
		"HTTPS_PROXY",	   "all_proxy",		 "ALL_PROXY",	       "SSL_CERT_FILE",
		"SSL_CERT_DIR"};

	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++)
		unsetenv(vars[i]);
	const char *tmp = getenv("TMPDIR");
	snprintf(w->dir, sizeof(w->dir), "%s/cooper-reg-XXXXXX",
		 tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	setenv("HOME", w->dir, 1);
	setenv("XDG_RUNTIME_DIR", w->dir, 1);
	snprintf(store, sizeof(store), "%s/store", w->dir);
	assert_int_equal(co_store_open(&w->store, store, &err), 0);
	w->events.max = 4u << 20;
	w->bus = (struct co_bus){world_hear, w};
	world_client(w, NULL);
}

static inline void world_close(struct world *w)
{
	struct co_err err = CO_ERR_INIT;

	/* whatever went on, the password was never said */
	assert_null(strstr(co_buf_str(&w->events), CANARY));
	co_registry_close(w->r);
	co_store_close(w->store);
	co_buf_release(&w->events);
	assert_int_equal(co_remove_tree(AT_FDCWD, w->dir, &err), 0);
}

static inline void world_write(struct world *w, const char *name, const char *text)
{
	struct co_err err = CO_ERR_INIT;
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	char *slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(co_mkdir_p(path, 0700, &err), 0);
	*slash = '/';
	assert_int_equal(co_write_file(AT_FDCWD, path, text, strlen(text), 0600, &err), 0);
}

/* Credentials user "robot", password CANARY for a fake server. */
static inline void world_credentials(struct world *w, int port)
{
	char text[512];
	auto_buf b64 = CO_BUF_INIT(256);

	co_base64_encode(&b64, "robot:" CANARY, strlen("robot:" CANARY));
	snprintf(text, sizeof(text), "{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"%s\"}}}", port,
		 co_buf_str(&b64));
	world_write(w, ".docker/config.json", text);
}

/* An answer with its length; the connection ends behind it. To be freed. */
static inline char *answer(const char *status, const char *headers, const char *body)
{
	return co_xasprintf("HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
			    status, strlen(body), headers, body);
}

static inline struct co_ref ref_at(int port, const char *rest)
{
	struct co_ref ref;
	struct co_err err = CO_ERR_INIT;
	char text[300];

	snprintf(text, sizeof(text), "127.0.0.1:%d/%s", port, rest);
	if (co_ref_parse(&ref, text, &err) < 0)
		fail_msg("%s", err.msg);
	return ref;
}

static inline struct co_descriptor describe(const char *type, const void *data, size_t len)
{
	struct co_descriptor d = {.size = (int64_t)len};

	snprintf(d.media_type, sizeof(d.media_type), "%s", type);
	co_digest_of(&d.digest, data, len);
	return d;
}

/* No secret in what people see. */
static inline void assert_silent(const struct co_err *err)
{
	assert_null(strstr(err->msg, CANARY));
	assert_null(strstr(err->hint, CANARY));
	assert_null(strstr(err->msg, "cm9ib3Q6")); /* base64 of "robot:" */
}

#define OK(call)                                                                                   \
	do {                                                                                       \
		struct co_err err_ = CO_ERR_INIT, *err = &err_;                                    \
		int r_ = (call);                                                                   \
		if (r_ < 0)                                                                        \
			fail_msg("%s: %s (%s)", #call, err->msg, err->hint);                       \
	} while (0)
#define FAILS(code_, call)                                                                         \
	do {                                                                                       \
		co_err_clear(&last_error);                                                         \
		struct co_err *err = &last_error;                                                  \
		int r_ = (call);                                                                   \
		if (r_ != (code_))                                                                 \
			fail_msg("%s gave %d, not %d: %s", #call, r_, code_, err->msg);            \
		assert_silent(err);                                                                \
	} while (0)
static struct co_err last_error __attribute__((unused));

static inline int setup(void **state)
{
	*state = co_xcalloc(1, sizeof(struct world));
	world_open(*state);
	return 0;
}

static inline int teardown(void **state)
{
	world_close(*state);
	free(*state);
	return 0;
}
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
