/* SPDX-License-Identifier: MIT */
#include "guest.h"

void *memcpy(void *d, const void *s, size_t n)
{
	void *r = d;
#if defined(__x86_64__)
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
#else
	char *to = d;
	for (const char *from = s; n; n--)
		*to++ = *from++;
#endif
	return r;
}

void *memmove(void *d, const void *s, size_t n)
{
	char *to = d;
	const char *from = s;
	if (to <= from || to >= from + n)
		return memcpy(d, s, n);
	while (n--)
		to[n] = from[n];
	return d;
}

void *memset(void *d, int c, size_t n)
{
#if defined(__x86_64__)
	void *at = d;
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
#else
	for (char *at = d; n; n--)
		*at++ = (char)c;
#endif
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t text_len(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}

bool text_eq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

bool text_starts(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix)
		s++, prefix++;
	return !*prefix;
}

bool text_ends(const char *s, const char *suffix)
{
	size_t n = text_len(s), k = text_len(suffix);
	return n >= k && text_eq(s + n - k, suffix);
}

char *text_put(char *d, const char *end, const char *s)
{
	while (*s && d + 1 < end)
		*d++ = *s++;
	*d = '\0';
	return d;
}

char *text_num(char *d, const char *end, uint64_t v, unsigned base)
{
	char t[24];
	size_t i = sizeof(t) - 1;
	t[i] = '\0';
	do
		t[--i] = "0123456789abcdef"[v % base];
	while (v /= base);
	return text_put(d, end, t + i);
}

uint64_t text_get(const char **s, unsigned base)
{
	uint64_t v = 0;
	for (;; ++*s) {
		char c = **s;
		unsigned digit = c >= '0' && c <= '9'	? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
							: 99;
		if (digit >= base)
			break;
		v = v * base + digit;
	}
	if (**s == ' ')
		++*s;
	return v;
}

bool text_is_number(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return n > 0;
}

void die(const char *what, long err, int status)
{
	char b[600], *end = b + sizeof(b), *p = text_put(b, end, "cooper: ");
	p = text_put(p, end - 40, what);
	if (err < 0)
		p = text_num(text_put(p, end, ": error "), end, (uint64_t)-err, 10);
	p = text_put(p, end, "\n");
	sys3(SYS_write, 2, b, p - b);
	for (;;)
		sys1(SYS_exit_group, status);
}
