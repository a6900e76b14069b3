/* SPDX-License-Identifier: MIT
 *
 * live.h — a real docker-registry on a free port, and images to play with.
 */
#pragma once
#include "world.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/random.h>
#include <sys/stat.h>

#define REGISTRY "/usr/bin/docker-registry"
/* robot with the password CANARY, bcrypt */
#define HTPASSWD "robot:$2y$05$jHs3oU7ztyFQ9ebrOhoJcu9JBAebn7CJ.eYSZbaL6XuoZw63uklUC\n"

struct live {
	pid_t pid;
	int port;
};

/* None of those that the kernel gives to connections: a client could get it before the server. */
static inline int free_port(void)
{
	for (int i = 0; i < 1000; i++) {
		uint16_t random;
		auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_int_equal(getrandom(&random, sizeof(random), 0), sizeof(random));
		int port = 10000 + random % 22768;
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return port;
	}
	fail_msg("no port is free");
	return -1;
}

static inline void wait_port(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	for (int i = 0; i < 200; i++) {
		auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return;
		usleep(50000);
	}
	fail_msg("the server on port %d does not answer", port);
}

static inline pid_t run_server(struct world *w, const char *const *argv)
{
	char log[300];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(log, sizeof(log), "%s/server.log", w->dir);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* name: its directory; more: YAML for http: (indented) and other sections. */
static inline void live_start(struct world *w, struct live *l, const char *name, const char *http,
			      const char *more)
{
	char config[300], path[600];

	if (access(REGISTRY, X_OK) != 0) {
		print_message("skipped: %s is not installed\n", REGISTRY);
		skip();
	}
	l->port = free_port();
	auto_free char *text = co_xasprintf(
		"version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n"
		"storage:\n  filesystem:\n    rootdirectory: %s/%s\n  delete:\n    enabled: true\n"
		"http:\n  addr: 127.0.0.1:%d\n%s%s",
		w->dir, name, l->port, http, more);
	snprintf(config, sizeof(config), "%s.yml", name);
	world_write(w, config, text);
	snprintf(path, sizeof(path), "%s/%s", w->dir, config);
	l->pid = run_server(w, (const char *const[]){REGISTRY, "serve", path, NULL});
	wait_port(l->port);
}

static inline void live_stop(struct live *l)
{
	kill(l->pid, SIGKILL);
	waitpid(l->pid, NULL, 0);
}

/* Bytes that do not compress, the same for the same seed. */
static inline struct co_descriptor make_blob(struct co_store *s, const char *type, uint64_t seed,
					     size_t len)
{
	struct co_descriptor d = {.size = (int64_t)len};
	auto_free uint64_t *data = co_xcalloc(len / 8 + 1, 8);

	for (size_t i = 0; i < len / 8 + 1; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		data[i] = seed ^ seed >> 29;
	}
	snprintf(d.media_type, sizeof(d.media_type), "%s", type);
	OK(co_store_put(s, data, len, &d.digest, err));
	return d;
}

static inline struct co_descriptor make_text(struct co_store *s, const char *type, const char *text)
{
	struct co_descriptor d = describe(type, text, strlen(text));

	OK(co_store_put(s, text, strlen(text), &d.digest, err));
	return d;
}

/* An image of n layers, each of `size` bytes. */
static inline struct co_descriptor make_image(struct co_store *s, const char *arch, uint64_t seed,
					      size_t n, size_t size)
{
	char digest[CO_DIGEST_TEXT];
	auto_buf c = CO_BUF_INIT(1 << 20), m = CO_BUF_INIT(1 << 20), l = CO_BUF_INIT(1 << 20);

	co_buf_addf(&c,
		    "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{},\"rootfs\":{"
		    "\"type\":\"layers\",\"diff_ids\":[",
		    arch);
	for (size_t i = 0; i < n; i++) {
		struct co_descriptor d = make_blob(s, CO_MT_OCI_LAYER, seed + i, size);

		co_digest_str(&d.digest, digest);
		co_buf_addf(&c, "%s\"%s\"", i ? "," : "", digest);
		co_buf_addf(&l, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%lld}",
			    i ? "," : "", d.media_type, digest, (long long)d.size);
	}
	co_buf_adds(&c, "]},\"history\":[]}");
	struct co_descriptor config = make_text(s, CO_MT_OCI_CONFIG, co_buf_str(&c));
	co_buf_addf(&m,
		    "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{\"mediaType\":\"%s\","
		    "\"digest\":\"%s\",\"size\":%lld},\"layers\":[%s]}",
		    CO_MT_OCI_MANIFEST, CO_MT_OCI_CONFIG, co_digest_str(&config.digest, digest),
		    (long long)config.size, co_buf_str(&l));
	return make_text(s, CO_MT_OCI_MANIFEST, co_buf_str(&m));
}

/* A second store, and the check that everything of an image is in it. */
static inline struct co_store *other_store(struct world *w, const char *name)
{
	struct co_store *s = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	OK(co_store_open(&s, path, err));
	return s;
}

static inline void assert_complete(struct co_store *s, const struct co_descriptor *d)
{
	auto_graph g = {0};

	OK(graph_load(&g, s, d, err));
	for (size_t i = 0; i < g.n_blobs; i++)
		assert_true(co_store_has(s, &g.blobs[i].digest, NULL));
}

static inline void write_pem(struct world *w, const char *name, EVP_PKEY *key, X509 *cert)
{
	char path[300];

	world_write(w, name, "");
	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	auto_file f = fopen(path, "w");
	assert_non_null(f);
	if (cert)
		PEM_write_X509(f, cert);
	else
		PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
}

/* A self-signed certificate for 127.0.0.1, which is its own CA. */
static inline void make_cert(struct world *w)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509V3_CTX ctx;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	static const struct {
		int nid;
		const char *value;
	} ext[] = {{NID_subject_alt_name, "IP:127.0.0.1"}, {NID_basic_constraints, "CA:TRUE"}};
	for (size_t i = 0; i < 2; i++) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, ext[i].nid, ext[i].value);

		X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	X509_sign(x, key, EVP_sha256());
	write_pem(w, "tls.crt", NULL, x);
	write_pem(w, "tls.key", key, NULL);
	X509_free(x);
	EVP_PKEY_free(key);
}
