/* SPDX-License-Identifier: MIT
 *
 * How wide text is on a terminal, without asking the locale: ranges of Unicode 15 that take two
 * columns or none.
 */
#include "cli.h"

struct range {
	uint32_t first, last;
};
static const struct range wide[] = {
	{0x1100, 0x115f},   {0x231a, 0x231b},	{0x2329, 0x232a},   {0x23e9, 0x23ec},
	{0x25fd, 0x25fe},   {0x2614, 0x2615},	{0x2648, 0x2653},   {0x26aa, 0x26ab},
	{0x26bd, 0x26be},   {0x26c4, 0x26c5},	{0x2705, 0x2705},   {0x270a, 0x270b},
	{0x2728, 0x2728},   {0x274c, 0x274c},	{0x274e, 0x274e},   {0x2753, 0x2755},
	{0x2757, 0x2757},   {0x2795, 0x2797},	{0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},
	{0x2e80, 0x303e},   {0x3041, 0x33ff},	{0x3400, 0x4dbf},   {0x4e00, 0x9fff},
	{0xa000, 0xa4cf},   {0xa960, 0xa97c},	{0xac00, 0xd7a3},   {0xf900, 0xfaff},
	{0xfe10, 0xfe19},   {0xfe30, 0xfe6f},	{0xff00, 0xff60},   {0xffe0, 0xffe6},
	{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff},
	{0x20000, 0x2fffd}, {0x30000, 0x3fffd}};
static const struct range none[] = {
	{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},	{0x0610, 0x061a},  {0x064b, 0x065f},
	{0x0900, 0x0902}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},	{0x1ab0, 0x1aff},  {0x1dc0, 0x1dff},
	{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x2064},	{0x20d0, 0x20ff},  {0xfe00, 0xfe0f},
	{0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef}, {0xe0020, 0xe007f}};

static bool in_ranges(const struct range *r, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].first && c <= r[i].last)
			return true;
	return false;
}

/* One character of valid UTF-8: its bytes, and its columns in *cols. */
static size_t one_char(const char *s, size_t len, size_t *cols)
{
	unsigned char b = (unsigned char)s[0];
	size_t n = b < 0x80 ? 1 : b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
	uint32_t c = n == 1 ? b : b & (0xffu >> (n + 1));
	if (n > len)
		n = len;
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	*cols = in_ranges(none, sizeof(none) / sizeof(none[0]), c)   ? 0
		: in_ranges(wide, sizeof(wide) / sizeof(wide[0]), c) ? 2
								     : 1;
	return n;
}

size_t text_width(const char *s, size_t len)
{
	size_t sum = 0, cols;
	for (size_t i = 0; i < len; sum += cols)
		i += one_char(s + i, len - i, &cols);
	return sum;
}

size_t text_fit(const char *s, size_t len, size_t cols)
{
	size_t sum = 0, w, i = 0;
	while (i < len) {
		size_t n = one_char(s + i, len - i, &w);
		if (sum + w > cols)
			break;
		sum += w;
		i += n;
	}
	return i;
}
