/* SPDX-License-Identifier: MIT
 *
 * proxy.c — which proxy, if any. Both spellings of the variables are read (curl ignores HTTP_PROXY,
 * Go does not); NO_PROXY understands what the Go tools understand: names with their subdomains,
 * leading dots, host:port, CIDR, "*"; loopback is never proxied.
 */
#include "registry-internal.h"
#include <arpa/inet.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

static const char *env2(const char *lower, const char *upper)
{
	const char *v = getenv(lower);

	if (!v || !*v)
		v = getenv(upper);
	return v && *v ? v : NULL;
}

static int parse_ip(const char *s, uint8_t out[16])
{
	memset(out, 0, 16);
	if (inet_pton(AF_INET, s, out) == 1)
		return 32;
	return inet_pton(AF_INET6, s, out) == 1 ? 128 : 0;
}

static bool in_network(const char *entry, const char *host)
{
	uint8_t net[16], ip[16];
	char base[64];
	uint64_t bits;
	const char *slash = strchr(entry, '/');

	if (!slash || slash - entry >= (int)sizeof(base) || !co_parse_u64(slash + 1, &bits))
		return false;
	snprintf(base, sizeof(base), "%.*s", (int)(slash - entry), entry);
	int width = parse_ip(base, net);
	if (!width || width != parse_ip(host, ip) || bits > (uint64_t)width)
		return false;
	size_t whole = bits / 8, rest = bits % 8;
	if (memcmp(net, ip, whole) != 0)
		return false;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));
	return !rest || (net[whole] & mask) == (ip[whole] & mask);
}

static bool entry_matches(const char *entry, const char *host, const char *port)
{
	char name[256];
	uint8_t ip[16];

	if (!strcmp(entry, "*") || in_network(entry, host))
		return true;
	snprintf(name, sizeof(name), "%s", entry);
	char *p = name;
	if (*p == '[') { /* [::1]:port */
		char *end = strchr(++p, ']');

		if (!end)
			return false;
		*end = '\0';
		if (end[1] == ':' && strcmp(end + 2, port) != 0)
			return false;
		return co_ieq(p, host);
	}
	char *colon = strchr(p, ':');
	if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		if (strcmp(colon + 1, port) != 0)
			return false;
	}
	if (parse_ip(p, ip) || parse_ip(host, ip)) /* numbers have no subdomains */
		return co_ieq(p, host);
	p += co_starts(p, "*.") ? 1 : 0;
	const char *bare = *p == '.' ? p + 1 : p;
	size_t n = strlen(bare), h = strlen(host);
	if (!n)
		return false;
	if (h == n)
		return *p != '.' && co_ieq(bare, host);
	return h > n && host[h - n - 1] == '.' && co_ieq(host + h - n, bare);
}

bool proxy_excluded(const char *no_proxy, const char *host, const char *port)
{
	char entry[256];

	while (*no_proxy) {
		size_t skip = strspn(no_proxy, ", \t"), n;

		no_proxy += skip;
		n = strcspn(no_proxy, ", \t");
		if (n && n < sizeof(entry)) {
			snprintf(entry, sizeof(entry), "%.*s", (int)n, no_proxy);
			if (entry_matches(entry, host, port))
				return true;
		}
		no_proxy += n;
	}
	return false;
}

const char *proxy_for(const struct url *u)
{
	bool tls = !strcmp(u->scheme, "https");
	const char *p = tls ? env2("https_proxy", "HTTPS_PROXY") : env2("http_proxy", "HTTP_PROXY");
	const char *no = env2("no_proxy", "NO_PROXY");

	/* httpoxy: in a CGI the upper-case one is a request header */
	if (!tls && p && getenv("REQUEST_METHOD") && !getenv("http_proxy"))
		p = NULL;
	if (!p)
		p = env2("all_proxy", "ALL_PROXY");
	if (!p || url_class(u->host) == ADDR_LOOPBACK)
		return "";
	return no && proxy_excluded(no, u->host, u->port) ? "" : p;
}
