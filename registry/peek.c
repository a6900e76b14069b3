/* SPDX-License-Identifier: MIT
 *
 * peek.c — does a registry of this machine speak plain http? Trying TLS first, as everywhere else,
 * means loading every root certificate of the system for nothing: half the time of a build that
 * finds all in its cache. One question without credentials is answered in no time on loopback. Only
 * a clear answer counts; a TLS server that says 400, silence or anything odd leaves the matter to
 * the usual way.
 */
#include "registry-internal.h"
#include <arpa/inet.h>
#include <cooper/clock.h>
#include <cooper/str.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 300

enum answer { NOBODY, PLAIN, UNCLEAR };

static bool ready(int fd, short what, int64_t end)
{
	struct pollfd p = {.fd = fd, .events = what};
	int64_t left = (end - co_mono_ns()) / 1000000;

	return left > 0 && poll(&p, 1, (int)left) == 1;
}

/* "HTTP/1.1 200": any status but 400, which is what TLS servers say to http. */
static bool is_plain(const char *text, size_t len)
{
	return len >= 12 && co_starts(text, "HTTP/1.") && text[8] == ' ' && co_is_digit(text[9]) &&
	       co_is_digit(text[10]) && co_is_digit(text[11]) && strncmp(text + 9, "400", 3) != 0;
}

static enum answer ask(const struct sockaddr *to, socklen_t size, const char *host)
{
	int64_t end = co_mono_ns() + PATIENCE_MS * INT64_C(1000000);
	auto_fd fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[512] = "";
	int error = 0;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return NOBODY;
	if (connect(fd, to, size) < 0) {
		if (errno != EINPROGRESS)
			return NOBODY;
		if (!ready(fd, POLLOUT, end) ||
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
			return error == ECONNREFUSED ? NOBODY : UNCLEAR;
	}
	int n = snprintf(text, sizeof(text),
			 "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
	if (n >= (int)sizeof(text) || send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return UNCLEAR;
	size_t got = 0;
	while (got < 12 && ready(fd, POLLIN, end)) {
		ssize_t more = recv(fd, text + got, sizeof(text) - 1 - got, 0);

		if (more <= 0)
			return UNCLEAR;
		got += (size_t)more;
	}
	text[got] = '\0';
	return is_plain(text, got) ? PLAIN : UNCLEAR;
}

static enum answer ask_v4(uint32_t ip, uint16_t port, const char *host)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	a.sin_addr.s_addr = htonl(ip);
	return ask((struct sockaddr *)&a, sizeof(a), host);
}

static enum answer ask_v6(uint16_t port, const char *host)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};

	return ask((struct sockaddr *)&a, sizeof(a), host);
}

bool peek_plain(const struct host *h)
{
	char bare[256];
	uint64_t port = 0;
	struct in_addr v4;
	const char *colon = strrchr(h->api, ':');

	url_host_only(h->api, bare, sizeof(bare));
	/* without a port, https and http knock at different doors */
	if (!colon || strchr(colon, ']') || !co_parse_u64(colon + 1, &port) || !port ||
	    port > UINT16_MAX)
		return false;
	uint16_t p = (uint16_t)port;
	if (inet_pton(AF_INET, bare, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127)
		return ask_v4(ntohl(v4.s_addr), p, h->api) == PLAIN;
	if (!strcmp(bare, "::1"))
		return ask_v6(p, h->api) == PLAIN;
	if (!co_ieq(bare, "localhost"))
		return false;
	/* whichever of the two will be used */
	enum answer a = ask_v4(INADDR_LOOPBACK, p, h->api), b = ask_v6(p, h->api);
	return (a == PLAIN && b != UNCLEAR) || (a == NOBODY && b == PLAIN);
}
