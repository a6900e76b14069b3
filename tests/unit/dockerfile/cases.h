/* SPDX-License-Identifier: MIT
 *
 * cases.h — reading of tab-separated case files. A line is a row; empty lines and lines that start
 * with "# " are left out. In a field ␤ stands for a newline and ␉ for a tab.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/buf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define MAX_FIELDS 6

struct row {
	const char *fields[MAX_FIELDS]; /* "" behind the last */
	unsigned line;
};

static inline const char *case_text(struct co_arena *a, const char *path)
{
	struct co_err err = CO_ERR_INIT;
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || co_buf_read_fd(&b, fd, path, &err) < 0)
		fail_msg("cannot read %s", path);
	return co_arena_strdup(a, co_buf_str(&b));
}

static inline const char *case_field(struct co_arena *a, const char *s, size_t n)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	for (size_t i = 0; i < n;) {
		bool newline = n - i >= 3 && !memcmp(s + i, "␤", 3);
		bool tab = n - i >= 3 && !memcmp(s + i, "␉", 3);
		co_buf_addc(&b, newline ? '\n' : tab ? '\t' : s[i]);
		i += newline || tab ? 3 : 1;
	}
	return co_arena_strdup(a, co_buf_str(&b));
}

/* All rows of the file; the count in *n. */
static inline struct row *case_rows(struct co_arena *a, const char *path, size_t *n)
{
	struct row *rows = NULL;
	const char *s = case_text(a, path);
	*n = 0;
	for (unsigned line = 1; *s; line++) {
		size_t len = strcspn(s, "\n");
		const char *end = s + len;
		if (len && strncmp(s, "# ", 2)) {
			struct row *r = co_arena_push(a, rows, *n);
			r->line = line;
			for (size_t f = 0; f < MAX_FIELDS; f++) {
				const char *tab = memchr(s, '\t', (size_t)(end - s));
				const char *stop = tab ? tab : end;
				r->fields[f] = case_field(a, s, (size_t)(stop - s));
				s = tab ? tab + 1 : end;
			}
		}
		s = end + (*end == '\n');
	}
	return rows;
}

/* Fails the test with the row's place when the texts differ. */
static inline void case_equal(const char *file, const struct row *r, const char *got,
			      const char *expected)
{
	if (strcmp(got, expected))
		fail_msg("%s:%u: got \"%s\", expected \"%s\"", file, r->line, got, expected);
}
