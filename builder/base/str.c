/* SPDX-License-Identifier: MIT */
#include <cooper/arena.h>
#include <cooper/buf.h>
#include <cooper/str.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool co_starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool co_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && !memcmp(s + n - m, suffix, m);
}

bool co_ieq(const char *a, const char *b)
{
	for (; *a && co_lower(*a) == co_lower(*b); a++, b++)
		;
	return co_lower(*a) == co_lower(*b);
}

bool co_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool co_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool co_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool co_is_alnum(char c)
{
	return co_is_digit(c) || co_is_alpha(c);
}

char co_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool co_parse_u64(const char *s, uint64_t *out)
{
	uint64_t v = 0;
	if (!*s)
		return false;
	for (; *s; s++)
		if (!co_is_digit(*s) || __builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	*out = v;
	return true;
}

bool co_parse_i64(const char *s, int64_t *out)
{
	uint64_t v;
	bool neg = *s == '-';
	if (!co_parse_u64(s + neg, &v) || v > (uint64_t)INT64_MAX)
		return false;
	*out = neg ? -(int64_t)v : (int64_t)v;
	return true;
}

bool co_parse_octal(const char *s, uint32_t *out)
{
	uint32_t v = 0;
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '7' || v >> 29)
			return false;
		v = v << 3 | (uint32_t)(*s - '0');
	}
	*out = v;
	return true;
}

bool co_parse_size(const char *s, uint64_t *out)
{
	char *end;
	if (!co_is_digit(*s) && *s != '.')
		return false;
	double v = strtod(s, &end);
	static const char units[] = "bkmgtp";
	char u = co_lower(*end);
	const char *at = u ? strchr(units, u) : units;
	if (!at || v < 0)
		return false;
	for (long i = at - units; i > 0; i--)
		v *= 1024;
	if (*end)
		end++;
	if (co_ieq(end, "ib") || co_ieq(end, "b"))
		end = "";
	if (*end || v > 9e18)
		return false;
	*out = (uint64_t)v;
	return true;
}

static bool duration_unit(const char **p, double *unit)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1},	 {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
		     {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!co_starts(*p, units[i].name))
			continue;
		*p += strlen(units[i].name);
		*unit = units[i].ns;
		return true;
	}
	return false;
}

bool co_parse_duration(const char *s, int64_t *ns)
{
	bool neg = *s == '-';
	double total = 0;
	s += *s == '-' || *s == '+';
	if (!strcmp(s, "0")) {
		*ns = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s) {
		char *end;
		double unit;
		if (!co_is_digit(*s) && *s != '.')
			return false;
		double v = strtod(s, &end);
		const char *p = end;
		if (end == s || !duration_unit(&p, &unit))
			return false;
		total += v * unit;
		s = p;
	}
	if (total > 9.2e18)
		return false;
	*ns = (int64_t)(neg ? -total : total);
	return true;
}

static bool same_letter(char a, char b)
{
	return co_lower(a) == co_lower(b);
}

/* With swapped neighbours as one step: the commonest slip of a hand. */
unsigned co_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	if (n > 63 || m > 63)
		return 64;
	unsigned rows[3][64];
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = up[j - 1] + !same_letter(a[i - 1], b[j - 1]);
			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]) && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n % 3][m];
}

const char *co_nearest(const char *word, const char *const *list)
{
	unsigned limit = (unsigned)strlen(word) / 3;
	limit = limit < 1 ? 1 : limit > 3 ? 3 : limit;
	const char *best = NULL;
	for (size_t i = 0; list[i]; i++) {
		unsigned d = co_distance(word, list[i]);
		if (d > limit || (best && d == limit))
			continue;
		best = list[i];
		limit = d;
	}
	return best;
}

const char *co_human_size(uint64_t bytes, char *buf, size_t len)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double v = (double)bytes;
	size_t u = 0;
	while (v >= 999.5 && u < 5) {
		v /= 1000;
		u++;
	}
	snprintf(buf, len, u && v < 99.95 ? "%.1f%s" : "%.0f%s", v, units[u]);
	return buf;
}

char *co_path_clean_rel(struct co_arena *a, const char *path)
{
	char *out = co_arena_alloc(a, strlen(path) + 1);
	size_t n = 0;
	while (*path) {
		size_t len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n && out[n - 1] != '/')
				n--;
			n -= n > 0;
		} else if (len && !(len == 1 && path[0] == '.')) {
			if (n)
				out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
		path += *path == '/';
	}
	out[n] = '\0';
	return out;
}

void co_put_text(char *out, size_t size, const char *text)
{
	size_t n = strlen(text) + 1;
	if (n > size)
		abort();
	memcpy(out, text, n);
}

const char *co_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

void co_hex(const uint8_t *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void co_base64_encode(struct co_buf *out, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (left > 2 ? p[i + 2] : 0);
		char q[4] = {base64[v >> 18], base64[v >> 12 & 63],
			     left > 1 ? base64[v >> 6 & 63] : '=', left > 2 ? base64[v & 63] : '='};
		co_buf_add(out, q, 4);
	}
}

bool co_base64_decode(struct co_buf *out, const char *s, size_t len)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t i = 0;
	for (; i < len && s[i] != '='; i++) {
		if (co_is_space(s[i]))
			continue;
		const char *at = s[i] ? strchr(base64, s[i]) : NULL;
		if (!at)
			return false;
		acc = acc << 6 | (uint32_t)(at - base64);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			co_buf_addc(out, (char)(acc >> bits));
		}
	}
	for (; i < len; i++)
		if (s[i] != '=' && !co_is_space(s[i]))
			return false;
	return bits < 6 && !out->overflow;
}
