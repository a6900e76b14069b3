/* SPDX-License-Identifier: MIT
 *
 * Text from outside made safe to show: no escape sequence, no control character, no broken UTF-8.
 */
#include <cooper/buf.h>
#include <cooper/str.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
	if (s[0] < 0x80)
		return 1;
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
	if (!n || n > len || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool co_utf8_valid(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_len((const unsigned char *)s + i, len - i);
		if (!n)
			return false;
		i += n;
	}
	return true;
}

/* Bidirectional overrides reorder what a person reads (Trojan Source, CVE-2021-42574). */
static bool is_bidi(const unsigned char *s, size_t n)
{
	return n == 3 && s[0] == 0xe2 &&
	       ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
		(s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

void co_sanitize(struct co_buf *out, const char *text, size_t len, bool multi_line)
{
	const unsigned char *s = (const unsigned char *)text;
	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(s + i, len - i);
		bool c1 = n == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0;
		if (!n || c1 || is_bidi(s + i, n)) {
			co_buf_addf(out, "\\x%02x", s[i]);
			i++;
		} else if (n > 1 || (s[i] >= 0x20 && s[i] != 0x7f) ||
			   (multi_line && (s[i] == '\n' || s[i] == '\t'))) {
			co_buf_add(out, s + i, n);
			i += n;
		} else if (s[i] == '\r' && multi_line) {
			i++; /* a progress bar's return: the line buffer has dealt with it */
		} else {
			co_buf_addf(out, "^%c", s[i] ^ 0x40);
			i++;
		}
	}
}
