/* SPDX-License-Identifier: MIT
 *
 * tls.c — whom to believe: the system's bundle (SSL_CERT_FILE, SSL_CERT_DIR), and per host the
 * certs.d directories of docker and podman: *.crt are added to it, NAME.cert with NAME.key is our
 * own certificate.
 */
#include "registry-internal.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MAX_BUNDLE (8u << 20)
#define MAX_CERT   (1u << 20)

void tls_find_bundle(struct co_registry *r)
{
	static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt",
					    "/etc/pki/tls/certs/ca-bundle.crt",
					    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem", NULL};
	const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");

	if (file && *file)
		r->ca_file = co_xstrdup(file);
	for (size_t i = 0; !r->ca_file && usual[i]; i++)
		if (access(usual[i], R_OK) == 0)
			r->ca_file = co_xstrdup(usual[i]);
	if (dir && *dir)
		r->ca_path = co_xstrdup(dir);
}

static void add_file(int dirfd, const char *name, size_t max, struct co_buf *out)
{
	struct co_err quiet = CO_ERR_INIT;
	auto_free char *text = NULL;
	size_t len;

	if (co_read_file(dirfd, name, max, &text, &len, &quiet) < 0)
		return;
	co_buf_add(out, text, len);
	co_buf_addc(out, '\n');
}

static void client_pair(struct co_registry *r, struct host *h, const char *dir, const char *name)
{
	auto_free char *cert = co_xasprintf("%s/%s", dir, name);
	auto_free char *key = co_xasprintf("%s/%.*s.key", dir, (int)strlen(name) - 5, name);

	if (access(key, R_OK) != 0) {
		co_warn(r->bus, NULL, "%s has no readable key beside it (%s): not used", cert, key);
		return;
	}
	free(h->cert);
	free(h->key);
	h->cert = co_steal(&cert);
	h->key = co_steal(&key);
}

static void load_dir(struct co_registry *r, struct host *h, const char *root, struct co_buf *ca)
{
	auto_free char *path = co_xasprintf("%s/%s", root, h->name);
	auto_dir d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (co_ends(e->d_name, ".crt"))
			add_file(dirfd(d), e->d_name, MAX_CERT, ca);
		else if (co_ends(e->d_name, ".cert") && !h->cert)
			client_pair(r, h, path, e->d_name);
	}
}

void tls_load(struct co_registry *r, struct host *h)
{
	auto_buf ca = CO_BUF_INIT(MAX_BUNDLE);
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");

	if (h->tls_loaded)
		return;
	h->tls_loaded = true;
	/* a name becomes part of a path */
	if (strchr(h->name, '/') || h->name[0] == '.')
		return;
	load_dir(r, h, "/etc/docker/certs.d", &ca);
	load_dir(r, h, "/etc/containers/certs.d", &ca);
	if ((config && *config) || (home && *home)) {
		bool xdg = config && *config;
		auto_free char *base =
			co_xasprintf("%s%s", xdg ? config : home, xdg ? "" : "/.config");
		auto_free char *podman = co_xasprintf("%s/containers/certs.d", base);
		auto_free char *docker = co_xasprintf("%s/docker/certs.d", base);

		load_dir(r, h, podman, &ca);
		load_dir(r, h, docker, &ca);
	}
	if (!ca.len)
		return;
	/* curl takes either a file or a blob: the blob holds both */
	if (r->ca_file)
		add_file(AT_FDCWD, r->ca_file, MAX_BUNDLE / 2, &ca);
	h->ca_len = ca.len;
	h->ca_blob = co_buf_take(&ca);
}
