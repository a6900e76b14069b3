/* SPDX-License-Identifier: MIT
 *
 * ref.c — image references. Grammar and normalisation are docker's (distribution/reference).
 */
#include "registry-internal.h"
#include <arpa/inet.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

static int bad(struct co_err *err, const char *text, const char *why)
{
	char safe[200];
	auto_buf b = CO_BUF_INIT(sizeof(safe) * 4);

	co_sanitize(&b, text, strnlen(text, 120), false);
	return co_fail(err, CO_E_USAGE, "image reference \"%s%s\": %s", co_buf_str(&b),
		       strlen(text) > 120 ? "…" : "", why);
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || co_is_digit(c);
}

/* [a-z0-9]+ parts joined by ".", "_", "__" or any number of "-". */
static const char *check_component(const char *p, size_t n)
{
	size_t i = 0;

	if (!n)
		return "a path element is empty";
	for (size_t k = 0; k < n; k++)
		if (p[k] >= 'A' && p[k] <= 'Z')
			return "the repository name must be lower case";
	while (i < n) {
		size_t start = i;

		while (i < n && is_lower_alnum(p[i]))
			i++;
		if (i == start)
			return "a path element must begin and end with a letter or digit";
		if (i == n)
			return NULL;
		size_t sep = i;
		if (p[i] == '-')
			while (i < n && p[i] == '-')
				i++;
		else if (p[i] == '.' || p[i] == '_')
			i += 1 + (p[i] == '_' && i + 1 < n && p[i + 1] == '_');
		if (i == sep)
			return "a character is not allowed in a repository name";
		if (i == n)
			return "a path element must begin and end with a letter or digit";
	}
	return NULL;
}

static const char *check_path(const char *path)
{
	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");
		const char *why = check_component(p, n);

		if (why)
			return why;
		if (!p[n])
			return NULL;
		p += n + 1;
	}
}

static bool check_tag(const char *tag)
{
	size_t n = strlen(tag);

	if (!n || n > 128 || !(co_is_alnum(*tag) || *tag == '_'))
		return false;
	for (; *tag; tag++)
		if (!co_is_alnum(*tag) && !strchr("_.-", *tag))
			return false;
	return true;
}

static bool check_port(const char *p)
{
	uint64_t v;

	return strlen(p) <= 5 && co_parse_u64(p, &v) && v > 0 && v < 65536;
}

static bool check_name(const char *host, size_t n)
{
	for (size_t at = 0; at <= n;) {
		size_t end = at;

		while (end < n && host[end] != '.')
			end++;
		if (end == at || host[at] == '-' || host[end - 1] == '-')
			return false;
		for (size_t i = at; i < end; i++)
			if (!co_is_alnum(host[i]) && host[i] != '-')
				return false;
		at = end + 1;
	}
	return n > 0;
}

static bool check_host(const char *host)
{
	if (*host == '[') {
		const char *end = strchr(host, ']');
		char ip[64];
		struct in6_addr a;

		if (!end || end - host - 1 >= (int)sizeof(ip))
			return false;
		snprintf(ip, sizeof(ip), "%.*s", (int)(end - host - 1), host + 1);
		return inet_pton(AF_INET6, ip, &a) == 1 &&
		       (!end[1] || (end[1] == ':' && check_port(end + 2)));
	}
	const char *colon = strchr(host, ':');
	return check_name(host, colon ? (size_t)(colon - host) : strlen(host)) &&
	       (!colon || check_port(colon + 1));
}

/* The first element is a host when it looks like one; else it belongs to Docker Hub's path. */
static bool is_host(const char *s, size_t n)
{
	if (n == 9 && !memcmp(s, "localhost", 9))
		return true;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '.' || s[i] == ':' || (s[i] >= 'A' && s[i] <= 'Z'))
			return true;
	return n && s[0] == '[';
}

static bool is_image_id(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n == 64 && !s[n];
}

/* Cuts tag and digest off text (a copy). */
static int cut_ends(char *text, const char *whole, struct co_ref *r, struct co_err *err)
{
	char *at = strchr(text, '@');

	if (at) {
		*at = '\0';
		if (co_digest_parse(&r->digest, at + 1, err) < 0) {
			co_err_clear(err);
			return bad(err, whole,
				   "the digest must be sha256: and 64 (sha512: and 128) lower-case "
				   "hex digits");
		}
	}
	char *slash = strrchr(text, '/'), *colon = strrchr(text, ':');
	if (!colon || (slash && colon < slash) || (*text == '[' && !slash))
		return 0;
	*colon = '\0';
	if (!check_tag(colon + 1))
		return bad(err, whole,
			   "the tag must be 1 to 128 of letters, digits, \"_\", \".\", \"-\", and "
			   "not begin with \".\" or \"-\"");
	snprintf(r->tag, sizeof(r->tag), "%s", colon + 1);
	return 0;
}

static int split_host(const char *text, const char *whole, struct co_ref *r, struct co_err *err)
{
	const char *slash = strchr(text, '/'), *path = text;

	if (slash && is_host(text, (size_t)(slash - text))) {
		if ((size_t)(slash - text) >= sizeof(r->host))
			return bad(err, whole, "the host name is too long");
		snprintf(r->host, sizeof(r->host), "%.*s", (int)(slash - text), text);
		if (!check_host(r->host))
			return bad(err, whole, "the registry's host name or port is not valid");
		path = slash + 1;
	}
	if (!r->host[0] || !strcmp(r->host, "index.docker.io")) {
		memset(r->host, 0, sizeof(r->host)); /* equal references are equal bytes */
		snprintf(r->host, sizeof(r->host), "docker.io");
	}
	const char *why = *path ? check_path(path) : "the repository name is empty";
	if (why)
		return bad(err, whole, why);
	bool official = !strcmp(r->host, "docker.io") && !strchr(path, '/');
	int n = snprintf(r->path, sizeof(r->path), "%s%s", official ? "library/" : "", path);
	if (n < 0 || (size_t)n >= sizeof(r->path) || (size_t)n + strlen(r->host) + 1 > 255)
		return bad(err, whole, "the name is longer than 255 characters");
	return 0;
}

int co_ref_parse(struct co_ref *out, const char *text, struct co_err *err)
{
	struct co_ref r = {0};

	if (!*text)
		return bad(err, text, "it is empty");
	if (strlen(text) > 1024)
		return bad(err, text, "it is too long");
	if (strstr(text, "://"))
		return bad(err, text, "write it without \"scheme://\"");
	if (is_image_id(text))
		return bad(err, text, "64 hex digits are an image id, not a name");
	auto_free char *copy = co_xstrdup(text);
	int e = cut_ends(copy, text, &r, err);
	if (!e)
		e = split_host(copy, text, &r, err);
	if (e < 0)
		return e;
	if (!r.tag[0] && !r.digest.set)
		snprintf(r.tag, sizeof(r.tag), "latest");
	*out = r;
	return 0;
}

static const char *write_ref(const struct co_ref *r, const char *host, const char *path, char *buf,
			     size_t len)
{
	char d[CO_DIGEST_TEXT] = "";

	if (r->digest.set)
		co_digest_str(&r->digest, d);
	snprintf(buf, len, "%s%s%s%s%s%s%s", host, *host ? "/" : "", path, r->tag[0] ? ":" : "",
		 r->tag, d[0] ? "@" : "", d);
	return buf;
}

const char *co_ref_str(const struct co_ref *r, char *buf, size_t len)
{
	return write_ref(r, r->host, r->path, buf, len);
}

const char *co_ref_familiar(const struct co_ref *r, char *buf, size_t len)
{
	const char *host = r->host, *path = r->path;

	if (!strcmp(host, "docker.io")) {
		host = "";
		if (co_starts(path, "library/"))
			path += 8;
	}
	return write_ref(r, host, path, buf, len);
}

const char *ref_target(const struct co_ref *ref, char buf[CO_DIGEST_TEXT])
{
	if (ref->digest.set)
		return co_digest_str(&ref->digest, buf);
	snprintf(buf, CO_DIGEST_TEXT, "%s", ref->tag);
	return buf;
}

const char *ref_repo(const struct co_ref *ref, char *buf, size_t len)
{
	snprintf(buf, len, "%s/%s", ref->host, ref->path);
	return buf;
}
