/* SPDX-License-Identifier: MIT
 *
 * rune.c — UTF-8 and the three character classes that the Dockerfile language asks for. Not the
 * C library's: those change with the locale.
 */
#include "values-internal.h"

struct range {
	uint32_t first, last;
};

static const struct range letters[] = {
#include "rune_letters.inc"
};
static const struct range digits[] = {
#include "rune_digits.inc"
};
static const struct range spaces[] = {{0x85, 0x85},	{0xa0, 0xa0},	  {0x1680, 0x1680},
				      {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
				      {0x205f, 0x205f}, {0x3000, 0x3000}};

#define NOT_UTF8 0x110000u

uint32_t rune_at(const char *s, size_t *len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
	uint32_t v = n <= 1 ? c : c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		unsigned char next = (unsigned char)s[i]; /* a NUL ends this too */
		if (next >> 6 != 2)
			n = 0;
		else
			v = v << 6 | (next & 0x3fu);
	}
	if (!n || v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)) {
		*len = 1;
		return NOT_UTF8 + c;
	}
	*len = n;
	return v;
}

static bool in(const struct range *table, size_t n, uint32_t c)
{
	size_t low = 0;
	while (low < n) {
		size_t mid = low + (n - low) / 2;
		if (c > table[mid].last)
			low = mid + 1;
		else if (c < table[mid].first)
			n = mid;
		else
			return true;
	}
	return false;
}

bool rune_is_letter(uint32_t c)
{
	if (c < 0x80)
		return co_is_alpha((char)c);
	return in(letters, sizeof(letters) / sizeof(letters[0]), c);
}

bool rune_is_digit(uint32_t c)
{
	if (c < 0x80)
		return co_is_digit((char)c);
	return in(digits, sizeof(digits) / sizeof(digits[0]), c);
}

bool rune_is_space(uint32_t c)
{
	if (c < 0x80)
		return co_is_space((char)c);
	return in(spaces, sizeof(spaces) / sizeof(spaces[0]), c);
}

bool value_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(text, yes[i]) && strcmp(text, no[i]))
			continue;
		*out = !strcmp(text, yes[i]);
		return true;
	}
	return false;
}
