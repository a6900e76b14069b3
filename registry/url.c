/* SPDX-License-Identifier: MIT
 *
 * url.c — addresses: origins, relative locations, and where a server may not send us.
 */
#include "registry-internal.h"
#include <arpa/inet.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

static void free_curlu(CURLU **u)
{
	curl_url_cleanup(*u);
}
#define auto_curlu co_cleanup(free_curlu) CURLU *

static bool part(CURLU *u, CURLUPart what, unsigned flags, char *out, size_t len)
{
	char *text = NULL;
	bool ok = curl_url_get(u, what, &text, flags) == CURLUE_OK && strlen(text) < len;

	if (ok)
		snprintf(out, len, "%s", text);
	curl_free(text);
	return ok;
}

static CURLU *parse(const char *text)
{
	CURLU *u = curl_url();

	if (!u)
		co_oom();
	if (curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK)
		return u;
	curl_url_cleanup(u);
	return NULL;
}

bool url_parse(const char *text, struct url *out)
{
	struct url r = {0};
	char host[256];

	/* no guessed schemes, no odd bytes that parsers disagree about */
	if (!co_starts(text, "http://") && !co_starts(text, "https://"))
		return false;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '\\')
			return false;
	auto_curlu u = parse(text);
	if (!u || !part(u, CURLUPART_SCHEME, 0, r.scheme, sizeof(r.scheme)) ||
	    !part(u, CURLUPART_HOST, 0, host, sizeof(host)) ||
	    !part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, r.port, sizeof(r.port)))
		return false;
	char *text_user = NULL;
	r.has_user = curl_url_get(u, CURLUPART_USER, &text_user, 0) == CURLUE_OK;
	curl_free(text_user);
	size_t n = 0;
	for (const char *p = host; *p; p++)
		if (*p != '[' && *p != ']')
			r.host[n++] = co_lower(*p);
	while (n > 1 && r.host[n - 1] == '.')
		r.host[--n] = '\0';
	*out = r;
	return n > 0;
}

bool url_same_origin(const char *a, const char *b)
{
	struct url x, y;

	return url_parse(a, &x) && url_parse(b, &y) && !strcmp(x.scheme, y.scheme) &&
	       !strcmp(x.host, y.host) && !strcmp(x.port, y.port);
}

char *url_resolve(const char *base, const char *location)
{
	struct url u;

	if (url_parse(location, &u)) /* kept byte for byte: signed queries */
		return u.has_user ? NULL : co_xstrdup(location);
	for (const char *p = location; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '\\')
			return NULL;
	auto_curlu c = parse(base);
	char *text = NULL, *out = NULL;
	/* a base with a user name would hand it on to the relative address */
	if (c && curl_url_set(c, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
	    curl_url_set(c, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
	    curl_url_set(c, CURLUPART_URL, location, 0) == CURLUE_OK &&
	    curl_url_get(c, CURLUPART_URL, &text, 0) == CURLUE_OK)
		out = url_parse(text, &u) && !u.has_user ? co_xstrdup(text) : NULL;
	curl_free(text);
	return out;
}

char *url_keep_tls(const char *from, const char *to)
{
	struct url a, b;

	if (!url_parse(from, &a) || !url_parse(to, &b) || strcmp(a.scheme, "https") != 0 ||
	    strcmp(b.scheme, "http") != 0 || strcmp(a.host, b.host) != 0 ||
	    (strcmp(b.port, "80") != 0 && strcmp(b.port, a.port) != 0))
		return co_xstrdup(to);
	bool standard = !strcmp(a.port, "443"), v6 = strchr(a.host, ':') != NULL;
	const char *rest = to + 7 + strcspn(to + 7, "/?#");

	return co_xasprintf("https://%s%s%s%s%s%s", v6 ? "[" : "", a.host, v6 ? "]" : "",
			    standard ? "" : ":", standard ? "" : a.port, rest);
}

const char *url_shown(const char *text, char *buf, size_t len)
{
	const char *host = strstr(text, "://");
	auto_buf b = CO_BUF_INIT(2048);

	host = host ? host + 3 : text;
	size_t end = strcspn(host, "?#");
	size_t authority = strcspn(host, "/?#");
	for (size_t i = authority; i > 0; i--)
		if (host[i - 1] == '@') {
			host += i;
			end -= i;
			break;
		}
	co_sanitize(&b, host, end > 300 ? 300 : end, false);
	snprintf(buf, len, "%s", co_buf_str(&b));
	return buf;
}

static enum addr_class class_v4(uint32_t a)
{
	if (a >> 24 == 0 || a == 0xffffffff)
		return ADDR_ANY;
	if (a >> 24 == 127)
		return ADDR_LOOPBACK;
	if (a >> 16 == 0xa9fe)
		return ADDR_LINK_LOCAL;
	if (a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 22 == 0x191)
		return ADDR_PRIVATE;
	return a >> 28 == 0xe ? ADDR_ANY : ADDR_PUBLIC;
}

enum addr_class url_class(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	char bare[256];

	snprintf(bare, sizeof(bare), "%s", host);
	bare[strcspn(bare, "%")] = '\0'; /* zone */
	if (co_ieq(host, "localhost") ||
	    (strlen(host) > 10 && co_ieq(host + strlen(host) - 10, ".localhost")))
		return ADDR_LOOPBACK;
	/* inet_aton takes what the resolver takes: 2130706433, 0x7f.1 */
	if (inet_aton(bare, &v4))
		return class_v4(ntohl(v4.s_addr));
	if (inet_pton(AF_INET6, bare, &v6) != 1)
		return ADDR_PUBLIC;
	if (IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6) ||
	    !memcmp(&v6, "\x00\x64\xff\x9b\0\0\0\0\0\0\0\0", 12)) {
		uint32_t a;

		if (IN6_IS_ADDR_LOOPBACK(&v6))
			return ADDR_LOOPBACK;
		memcpy(&a, (const char *)&v6 + 12, 4);
		return class_v4(ntohl(a));
	}
	if (IN6_IS_ADDR_LOOPBACK(&v6))
		return ADDR_LOOPBACK;
	if (IN6_IS_ADDR_LINKLOCAL(&v6))
		return ADDR_LINK_LOCAL;
	if ((v6.s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_SITELOCAL(&v6))
		return ADDR_PRIVATE;
	return IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_MULTICAST(&v6) ? ADDR_ANY : ADDR_PUBLIC;
}

bool url_may_go(const char *from, const char *to, bool strict)
{
	struct url a, b;

	if (!url_parse(from, &a) || !url_parse(to, &b))
		return false;
	if (!strcmp(a.host, b.host) && !strcmp(a.port, b.port))
		return true;
	enum addr_class c = url_class(b.host);
	if (c == ADDR_PUBLIC || c == url_class(a.host))
		return true;
	return c == ADDR_PRIVATE && !strict;
}

void url_host_only(const char *hostport, char *out, size_t len)
{
	if (*hostport == '[') {
		size_t n = strcspn(hostport + 1, "]");

		snprintf(out, len, "%.*s", (int)n, hostport + 1);
		return;
	}
	snprintf(out, len, "%.*s", (int)strcspn(hostport, ":"), hostport);
}
