/* SPDX-License-Identifier: MIT
 *
 * expose.c — ports of EXPOSE and signals of STOPSIGNAL.
 */
#include "values-internal.h"
#include "expose.h"
#include <arpa/inet.h>
#include <strings.h>

void expose_split(struct expose_parts *out, struct co_arena *a, const char *word)
{
	const char *port = strrchr(word, ':');
	*out = (struct expose_parts){.ip = "", .host = "", .port = word, .proto = ""};
	if (port) {
		const char *host = port;
		while (host > word && host[-1] != ':')
			host--;
		out->host = co_arena_strndup(a, host, (size_t)(port - host));
		if (host > word)
			out->ip = co_arena_strndup(a, word, (size_t)(host - word - 1));
		out->port = port + 1;
	}
	const char *slash = strchr(out->port, '/');
	if (slash) {
		out->proto = slash + 1;
		out->port = co_arena_strndup(a, out->port, (size_t)(slash - out->port));
	}
}

static bool valid_ip(struct co_arena *a, const char *ip)
{
	unsigned char addr[16];
	size_t n = strlen(ip);
	if (ip[0] == '[' && ip[n - 1] == ']')
		ip = co_arena_strndup(a, ip + 1, n - 2);
	return inet_pton(AF_INET, ip, addr) == 1 || inet_pton(AF_INET6, ip, addr) == 1;
}

static bool valid_port(const char *s, uint64_t *out)
{
	return co_parse_u64(s + (*s == '+'), out) && *out <= 65535;
}

static bool valid_range(struct co_arena *a, const char *s, uint64_t *first, uint64_t *last)
{
	const char *dash = strchr(s, '-');
	if (!dash) {
		bool ok = valid_port(s, first);
		*last = *first;
		return ok;
	}
	return valid_port(co_arena_strndup(a, s, (size_t)(dash - s)), first) &&
	       valid_port(dash + 1, last) && *first <= *last;
}

static const char *proto_name(const char *text)
{
	static const char *const names[] = {"tcp", "udp", "sctp"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (co_ieq(text, names[i]))
			return names[i];
	return *text ? NULL : names[0];
}

static int check_host(const struct expose_parts *p, struct co_arena *a, uint64_t count,
		      struct co_err *err)
{
	uint64_t first = 0, last = 0;
	if (*p->ip && !valid_ip(a, p->ip))
		return co_fail(err, CO_E_SYNTAX, "invalid IP address: %s", p->ip);
	if (!*p->host)
		return 0;
	if (!valid_range(a, p->host, &first, &last))
		return co_fail(err, CO_E_SYNTAX, "invalid hostPort: %s", p->host);
	if (count > 1 && last - first + 1 != count)
		return co_fail(err, CO_E_SYNTAX,
			       "invalid ranges specified for container and host Ports: %s and %s",
			       p->port, p->host);
	return 0;
}

int co_expose_parse(char ***out, size_t *n, struct co_arena *a, const char *word,
		    struct co_err *err)
{
	struct expose_parts p;
	uint64_t first = 0, last = 0;
	char **list = NULL;
	size_t count = 0;
	expose_split(&p, a, word);
	const char *proto = proto_name(p.proto);
	if (!*p.port)
		return co_fail(err, CO_E_SYNTAX, "invalid port: \"%s\": no port specified", word);
	if (!proto) {
		co_fail(err, CO_E_SYNTAX, "invalid port: \"%s\": invalid proto: %s", word, p.proto);
		return co_hint(err, "the protocols are tcp, udp and sctp");
	}
	if (!valid_range(a, p.port, &first, &last)) {
		co_fail(err, CO_E_SYNTAX, "invalid containerPort: %s", p.port);
		return co_hint(err, "write a port from 0 to 65535, or a range such as 8000-8010");
	}
	int r = check_host(&p, a, last - first + 1, err);
	if (r < 0)
		return r;
	for (uint64_t port = first; port <= last; port++)
		*co_arena_push(a, list, count) = co_arena_printf(a, "%u/%s", (unsigned)port, proto);
	*out = list;
	*n = count;
	return 0;
}

static bool valid_realtime(const char *name)
{
	uint64_t n;
	if (co_ieq(name, "RTMIN") || co_ieq(name, "RTMAX"))
		return true;
	const char *tail = strlen(name) > 6 ? name + 6 : "";
	if (!co_parse_u64(tail, &n) || *tail == '0' || n < 1)
		return false;
	if (!strncasecmp(name, "RTMIN+", 6))
		return n <= 15;
	return !strncasecmp(name, "RTMAX-", 6) && n <= 14;
}

bool co_signal_valid(const char *text)
{
	static const char *const names[] = {
		"ABRT", "ALRM",	  "BUS",  "CHLD", "CLD",    "CONT", "FPE",  "HUP",  "ILL",
		"INT",	"IO",	  "IOT",  "KILL", "PIPE",   "POLL", "PROF", "PWR",  "QUIT",
		"SEGV", "STKFLT", "STOP", "SYS",  "TERM",   "TRAP", "TSTP", "TTIN", "TTOU",
		"URG",	"USR1",	  "USR2", "XCPU", "VTALRM", "XFSZ", "WINCH"};
	uint64_t number;
	if (co_parse_u64(text, &number))
		return number >= 1 && number <= 64;
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (co_ieq(text, names[i]))
			return true;
	return valid_realtime(text);
}
