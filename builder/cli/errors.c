/* SPDX-License-Identifier: MIT
 *
 * An error as a person reads it: what, where with the line and a caret, and the cure.
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool color_wanted(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fileno(f)) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

void print_clean(FILE *f, const char *text)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	co_sanitize(&b, text, strlen(text), true);
	fputs(co_buf_str(&b), f);
}

/* A caret under the column; tabs of the line are kept so that it stands right. */
static void print_caret(FILE *f, const char *line, size_t n, unsigned col, const char *on,
			const char *off)
{
	fprintf(f, "      | ");
	for (size_t i = 0; i + 1 < col && i < n; i++)
		if (((unsigned char)line[i] & 0xc0) != 0x80)
			fputc(line[i] == '\t' ? '\t' : ' ', f);
	fprintf(f, "%s^%s\n", on, off);
}

static void print_excerpt(FILE *f, const struct co_err *err, const char *on, const char *off)
{
	unsigned line = err->pos.line;
	for (const char *p = err->excerpt; *p || line == err->pos.line; line++) {
		size_t n = strcspn(p, "\n");
		auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
		co_sanitize(&b, p, n, true);
		fprintf(f, "%s%5u%s | %s\n", on, line, off, co_buf_str(&b));
		if (line == err->pos.line && err->pos.col)
			print_caret(f, p, n, err->pos.col, on, off);
		p += n;
		if (!*p)
			break;
		p++;
	}
}

void error_print(FILE *f, const struct co_err *err, bool color)
{
	const char *red = color ? "\033[1;31m" : "", *bold = color ? "\033[1m" : "";
	const char *off = color ? "\033[0m" : "";
	if (err->file[0] && err->pos.line) {
		fprintf(f, "%s%s:%u", bold, err->file, err->pos.line);
		if (err->pos.col)
			fprintf(f, ":%u", err->pos.col);
		fprintf(f, ":%s ", off);
	}
	fprintf(f, "%serror:%s ", red, off);
	print_clean(f, err->msg[0] ? err->msg : co_err_text(err->code));
	fputc('\n', f);
	if (err->excerpt[0])
		print_excerpt(f, err, color ? "\033[2m" : "", off);
	if (err->hint[0]) {
		fprintf(f, "%scure:%s ", bold, off);
		print_clean(f, err->hint);
		fputc('\n', f);
	}
}
