/* SPDX-License-Identifier: MIT
 *
 * platform.c — names of systems, and which image serves which machine.
 * Names and order of preference: as containerd has them.
 */
#include "oci-internal.h"
#include <cooper/str.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static const struct {
	const char *from, *arch, *variant; /* variant NULL: stays as written */
} aliases[] = {
	{"x86_64", "amd64", NULL},
	{"x86-64", "amd64", NULL},
	{"aarch64", "arm64", NULL},
	{"armhf", "arm", "v7"},
	{"armel", "arm", "v6"},
	{"i386", "386", NULL},
	{"i486", "386", NULL},
	{"i586", "386", NULL},
	{"i686", "386", NULL},
	{"armv5l", "arm", "v5"},
	{"armv5tel", "arm", "v5"},
	{"armv5tejl", "arm", "v5"},
	{"armv6l", "arm", "v6"},
	{"armv7l", "arm", "v7"},
	{"armv7hl", "arm", "v7"},
	{"armv8l", "arm", "v8"},
	{"loongarch64", "loong64", NULL},
	{"ppc64el", "ppc64le", NULL},
	{"mips64el", "mips64le", NULL},
	{"mipsel", "mipsle", NULL},
};

/* Cuts, and fills the rest with zeros: equal platforms are equal bytes. text is not inside out. */
static void set(char *out, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);
	memset(out, 0, size);
	memcpy(out, text, n);
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = co_lower(*s);
}

static void normalise_arch(struct co_platform *p)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(p->arch, aliases[i].from))
			continue;
		set(p->arch, sizeof(p->arch), aliases[i].arch);
		if (aliases[i].variant && !p->variant[0])
			set(p->variant, sizeof(p->variant), aliases[i].variant);
		return;
	}
}

static void normalise_variant(struct co_platform *p)
{
	char digits[sizeof(p->variant)];
	if (!strcmp(p->arch, "arm") || !strcmp(p->arch, "arm64")) {
		if (co_is_digit(p->variant[0]) && strlen(p->variant) < sizeof(digits) - 1) {
			set(digits, sizeof(digits), p->variant);
			p->variant[0] = 'v';
			memcpy(p->variant + 1, digits, strlen(digits) + 1);
		}
	}
	if (!strcmp(p->arch, "arm") && !p->variant[0])
		set(p->variant, sizeof(p->variant), "v7");
	if ((!strcmp(p->arch, "arm64") &&
	     (!strcmp(p->variant, "v8") || !strcmp(p->variant, "v8.0"))) ||
	    (!strcmp(p->arch, "amd64") && !strcmp(p->variant, "v1")))
		set(p->variant, sizeof(p->variant), "");
}

void oci_platform_normalise(struct co_platform *p)
{
	lower(p->os);
	lower(p->arch);
	lower(p->variant);
	if (!strcmp(p->os, "macos"))
		set(p->os, sizeof(p->os), "darwin");
	normalise_arch(p);
	normalise_variant(p);
}

static bool known(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (co_ieq(word, *list))
			return true;
	return false;
}

static bool is_os(const char *s)
{
	static const char *const list[] = {"linux",   "windows", "darwin",  "macos",
					   "freebsd", "netbsd",	 "openbsd", "solaris",
					   "aix",     "wasip1",	 NULL};
	return known(s, list);
}

static bool is_arch(const char *s)
{
	static const char *const list[] = {"amd64",   "386",	 "arm",	   "arm64",   "ppc64",
					   "ppc64le", "mips",	 "mipsle", "mips64",  "mips64le",
					   "s390x",   "riscv64", "wasm",   "loong64", NULL};
	struct co_platform p = {0};
	set(p.arch, sizeof(p.arch), s);
	oci_platform_normalise(&p);
	return known(p.arch, list);
}

static bool plain_word(const char *s)
{
	if (!co_is_alnum(*s))
		return false;
	for (; *s; s++)
		if (!co_is_alnum(*s) && *s != '_' && *s != '.' && *s != '-')
			return false;
	return true;
}

static int bad(const char *text, struct co_err *err)
{
	co_fail(err, CO_E_USAGE, "\"%.80s\" is not a platform", text);
	return co_hint(err,
		       "write OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64 or linux/arm/v7");
}

int co_platform_parse(struct co_platform *out, const char *text, struct co_err *err)
{
	struct co_platform p = {0};
	char *parts[3] = {p.os, p.arch, p.variant};
	size_t n = 0;
	for (const char *at = text;;) {
		size_t len = strcspn(at, "/");
		if (n == 3 || !len || len >= sizeof(p.os))
			return bad(text, err);
		memcpy(parts[n], at, len);
		if (!plain_word(parts[n++]))
			return bad(text, err);
		at += len;
		if (!*at++)
			break;
	}
	if (n == 1 && is_os(p.os)) {
		struct co_platform host;
		co_platform_host(&host);
		memcpy(p.arch, host.arch, sizeof(p.arch));
		memcpy(p.variant, host.variant, sizeof(p.variant));
	} else if (n == 1 && is_arch(p.os)) {
		memcpy(p.arch, p.os, sizeof(p.arch));
		set(p.os, sizeof(p.os), "linux");
	} else if (n == 1) {
		return bad(text, err);
	}
	oci_platform_normalise(&p);
	*out = p;
	return 0;
}

void co_platform_host(struct co_platform *out)
{
	struct co_platform p = {.os = "linux"};
	struct utsname u;
	if (uname(&u) < 0)
		set(u.machine, sizeof(u.machine), "unknown");
	set(p.arch, sizeof(p.arch), u.machine);
	/* the kernel calls both byte orders the same */
	if (!strcmp(p.arch, "mips64") && __BYTE_ORDER == __LITTLE_ENDIAN)
		set(p.arch, sizeof(p.arch), "mips64le");
	oci_platform_normalise(&p);
	*out = p;
}

const char *co_platform_str(const struct co_platform *p, char *buf, size_t len)
{
	snprintf(buf, len, "%s/%s%s%s", p->os, p->arch, p->variant[0] ? "/" : "", p->variant);
	return buf;
}

bool co_platform_eq(const struct co_platform *a, const struct co_platform *b)
{
	struct co_platform x = *a, y = *b;
	oci_platform_normalise(&x);
	oci_platform_normalise(&y);
	return !strcmp(x.os, y.os) && !strcmp(x.arch, y.arch) && !strcmp(x.variant, y.variant);
}

/* "v8.2" → major and minor; false when it is no version. */
static bool version(const char *s, unsigned *major, unsigned *minor)
{
	char *end;
	if (s[0] != 'v' || !co_is_digit(s[1]))
		return false;
	*major = (unsigned)strtoul(s + 1, &end, 10);
	*minor = 0;
	if (*end == '.' && co_is_digit(end[1]))
		*minor = (unsigned)strtoul(end + 1, &end, 10);
	return !*end && *major < 100 && *minor < 100;
}

/* Place of a variant on its architecture's ladder, 0 when it is not on it. Version 9.n of the ARM
 * architecture includes 8.(n+5), and is preferred over it. */
static unsigned rung(const char *arch, const char *variant)
{
	unsigned major, minor;
	if (!strcmp(arch, "amd64"))
		variant = *variant ? variant : "v1";
	else if (!strcmp(arch, "arm64"))
		variant = *variant ? variant : "v8";
	else if (strcmp(arch, "arm"))
		return 0;
	if (!version(variant, &major, &minor))
		return 0;
	if (strcmp(arch, "arm64"))
		return minor ? 0 : major;
	return major == 8 ? 1 + 2 * minor : major == 9 ? 2 + 2 * (minor + 5) : 0;
}

#define EXACT  1000000u
#define WEAKER 10000u /* same architecture, an older variant */
#define OTHER  100u   /* an older architecture that the machine runs as well */

unsigned oci_platform_rank(const struct co_platform *have, const struct co_platform *want)
{
	struct co_platform h = *have, w = *want;
	oci_platform_normalise(&h);
	oci_platform_normalise(&w);
	if (strcmp(h.os, w.os))
		return 0;
	unsigned h_rung = rung(h.arch, h.variant), w_rung = rung(w.arch, w.variant);
	if (!strcmp(h.arch, w.arch)) {
		if (!strcmp(h.variant, w.variant))
			return EXACT;
		return h_rung && w_rung && h_rung < w_rung ? WEAKER + h_rung : 0;
	}
	if (!strcmp(w.arch, "amd64") && !strcmp(h.arch, "386"))
		return OTHER;
	if (!strcmp(w.arch, "arm64") && !strcmp(h.arch, "arm") && h_rung >= 5 && h_rung <= 8)
		return OTHER + h_rung;
	return 0;
}
