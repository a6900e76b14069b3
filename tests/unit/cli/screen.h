/* SPDX-License-Identifier: MIT
 *
 * As much of a terminal as the live view needs: text, newline, return, cursor up, erase below,
 * colours. Anything else fails the test.
 */
#pragma once
#include "golden.h"

#define SCREEN_ROWS 512
#define SCREEN_COLS 256
struct screen {
	char cells[SCREEN_ROWS][SCREEN_COLS * 4]; /* bytes of a row */
	unsigned row, cols;
	unsigned erases; /* frames that replaced another */
	bool wrapped;	 /* a line reached beyond the last column */
};

static inline size_t screen_escape(struct screen *s, const char *p, const char *end)
{
	const char *q = p + 2;
	unsigned n = 0;
	assert_true(p + 1 < end && p[1] == '[');
	for (; q < end && *q >= '0' && *q <= '9'; q++)
		n = n * 10 + (unsigned)(*q - '0');
	while (q < end && *q == ';')
		for (q++; q < end && *q >= '0' && *q <= '9'; q++)
			;
	assert_true(q < end);
	if (*q == 'A') {
		assert_true(n <= s->row); /* never above what was written */
		s->row -= n;
	} else if (*q == 'J') {
		assert_int_equal(n, 0);
		for (unsigned r = s->row; r < SCREEN_ROWS; r++)
			s->cells[r][0] = '\0';
		s->erases++;
	} else if (*q != 'm') {
		fail_msg("escape sequence ESC[%u%c", n, *q);
	}
	return (size_t)(q + 1 - p);
}

static inline void screen_write(struct screen *s, const char *text, size_t len)
{
	const char *end = text + len;
	for (const char *p = text; p < end;) {
		char *row = s->cells[s->row];
		size_t n = strlen(row);
		if (*p == '\033') {
			p += screen_escape(s, p, end);
			continue;
		}
		if (*p == '\n') {
			assert_true(s->row + 1 < SCREEN_ROWS);
			s->row++;
		} else if (*p == '\r') {
			assert_true(p[1] == '\033'); /* only on the way up */
		} else {
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
			assert_true(n + 1 < sizeof(s->cells[0]));
			row[n] = *p;
			row[n + 1] = '\0';
			if (text_width(row, n + 1) >= s->cols)
				s->wrapped = true;
		}
		p++;
	}
}

static inline void screen_text(const struct screen *s, struct co_buf *out)
{
	for (unsigned r = 0; r < s->row; r++)
		co_buf_addf(out, "%s\n", s->cells[r]);
}
