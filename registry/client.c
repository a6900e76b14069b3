/* SPDX-License-Identifier: MIT
 *
 * client.c — the handle: options, and what is known about each host.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CONNECTIONS 4
#define DEFAULT_RETRIES	    6

static char **copy_list(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	char **out = co_xcalloc(n + 1, sizeof(*out));
	for (size_t i = 0; i < n; i++)
		out[i] = co_xstrdup(list[i]);
	return out;
}

int co_registry_open(struct co_registry **out, const struct co_registry_opts *opts,
		     struct co_err *err)
{
	static const struct co_registry_opts none;
	const struct co_registry_opts *o = opts ? opts : &none;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return co_fail(err, CO_E_INTERNAL, "libcurl cannot be initialised");
	struct co_registry *r = co_xcalloc(1, sizeof(*r));
	r->bus = o->bus;
	r->auth_file = co_xstrdup(o->auth_file);
	r->insecure = copy_list(o->insecure_hosts);
	r->http1 = o->http1;
	r->max_conn = o->max_connections ? o->max_connections : DEFAULT_CONNECTIONS;
	r->retries = o->retries ? o->retries : DEFAULT_RETRIES;
	r->connect_s = 30;
	r->low_speed_s = 60;
	/* after the last byte a registry may be busy for minutes hashing and moving it */
	r->low_speed_upload_s = 300;
	r->base_delay_ms = 500;
	tls_find_bundle(r);
	*out = r;
	return 0;
}

static void free_host(struct host *h)
{
	free(h->ca_blob);
	free(h->cert);
	free(h->key);
	free(h);
}

void co_registry_close(struct co_registry *r)
{
	if (!r)
		return;
	http_engine_close(r);
	tokens_free(r);
	cred_forget(r);
	while (r->hosts) {
		struct host *h = r->hosts;

		r->hosts = h->next;
		free_host(h);
	}
	while (r->warnings) {
		struct warning *w = r->warnings;

		r->warnings = w->next;
		free(w->text);
		free(w);
	}
	for (size_t i = 0; r->insecure[i]; i++)
		free(r->insecure[i]);
	free(r->insecure);
	free(r->auth_file);
	free(r->ca_file);
	free(r->ca_path);
	free(r);
	curl_global_cleanup();
}

static bool is_insecure(const struct co_registry *r, const char *name)
{
	for (size_t i = 0; r->insecure[i]; i++) {
		const char *entry = r->insecure[i], *scheme = strstr(entry, "://");

		if (co_ieq(scheme ? scheme + 3 : entry, name))
			return true;
	}
	return false;
}

struct host *host_get(struct co_registry *r, const char *name)
{
	char bare[256];

	for (struct host *h = r->hosts; h; h = h->next)
		if (!strcmp(h->name, name))
			return h;
	struct host *h = co_xcalloc(1, sizeof(*h));
	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(h->api, sizeof(h->api), "%s",
		 strcmp(name, "docker.io") ? name : "registry-1.docker.io");
	url_host_only(name, bare, sizeof(bare));
	h->insecure = is_insecure(r, name);
	h->may_plain = h->insecure || url_class(bare) == ADDR_LOOPBACK;
	h->scheme = h->may_plain ? SCHEME_UNKNOWN : SCHEME_HTTPS;
	h->next = r->hosts;
	r->hosts = h;
	return h;
}

struct host *host_of_url(struct co_registry *r, const char *url)
{
	struct url u;
	char name[280];

	if (!url_parse(url, &u))
		return host_get(r, "invalid");
	bool standard = !strcmp(u.port, strcmp(u.scheme, "http") ? "443" : "80");
	bool v6 = strchr(u.host, ':') != NULL;
	snprintf(name, sizeof(name), "%s%s%s%s%s", v6 ? "[" : "", u.host, v6 ? "]" : "",
		 standard ? "" : ":", standard ? "" : u.port);
	for (struct host *h = r->hosts; h; h = h->next)
		if (!strcmp(h->api, name))
			return h;
	return host_get(r, name);
}

const char *host_base(const struct host *h, char *buf, size_t len)
{
	snprintf(buf, len, "%s://%s", h->scheme == SCHEME_HTTP ? "http" : "https", h->api);
	return buf;
}
