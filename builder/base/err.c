/* SPDX-License-Identifier: MIT */
#include <cooper/err.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct row {
	int code, status;
	const char *name, *text;
};
static const struct row rows[] = {
#define ROW(name, num, status, text) {-(num), status, #name, text},
	CO_ERRORS(ROW)
#undef ROW
};

static const struct row *find(int code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return &rows[i];
	return &rows[0];
}

int co_vfail(struct co_err *err, int code, const char *fmt, va_list ap)
{
	assert(code < 0);
	if (err->code) /* the first failure is the cause; what follows is its echo */
		return err->code;
	err->code = code;
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	return code;
}

int co_fail(struct co_err *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = co_vfail(err, code, fmt, ap);
	va_end(ap);
	return r;
}

static int code_of_errno(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
		return CO_E_NO_SPACE;
	case ENOENT:
		return CO_E_NOT_FOUND;
	default:
		return CO_E_SYSTEM;
	}
}

int co_fail_sys(struct co_err *err, const char *fmt, ...)
{
	int saved = errno;
	if (err->code)
		return err->code;
	va_list ap;
	va_start(ap, fmt);
	co_vfail(err, code_of_errno(saved), fmt, ap);
	va_end(ap);
	err->sys = saved;
	size_t n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", strerror(saved));
	if (err->code == CO_E_NO_SPACE && !err->hint[0])
		co_hint(err, "free some space, or point --root or TMPDIR at a larger disk");
	return err->code;
}

int co_wrap(struct co_err *err, const char *fmt, ...)
{
	char head[sizeof(err->msg)];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(head, sizeof(head) - 2, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err->code;
	size_t have = strlen(err->msg), len = strlen(head);
	/* the root cause stays whole; context that does not fit is cut */
	size_t room = sizeof(err->msg) - 1 - have;
	if (room < 3)
		return err->code;
	if (len > room - 2)
		len = room - 2;
	memmove(err->msg + len + 2, err->msg, have + 1);
	memcpy(err->msg, head, len);
	memcpy(err->msg + len, ": ", 2);
	return err->code;
}

int co_hint(struct co_err *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return err->code;
}

/* The start of line number `line` (from 1), or NULL. */
static const char *line_start(const struct co_source *src, unsigned line)
{
	const char *p = src->text, *end = src->text + src->len;
	for (unsigned i = 1; i < line; i++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			return NULL;
		p++;
	}
	return p;
}

static void copy_excerpt(struct co_err *err, const struct co_source *src, struct co_pos pos)
{
	const char *p = line_start(src, pos.line), *end = src->text + src->len;
	unsigned last = pos.end_line > pos.line ? pos.end_line : pos.line;
	size_t at = 0;
	for (unsigned i = pos.line; p && p < end && i <= last && i < pos.line + 8; i++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);
		if (n && p[n - 1] == '\r')
			n--;
		if (n > 240)
			n = 240;
		if (at + n + 2 > sizeof(err->excerpt))
			break;
		if (at)
			err->excerpt[at++] = '\n';
		for (size_t k = 0; k < n; k++) /* NUL and controls must not end or steer it */
			err->excerpt[at++] = (unsigned char)p[k] < ' ' && p[k] != '\t' ? '?' : p[k];
		if (!nl)
			break;
		p = nl + 1;
	}
	err->excerpt[at] = '\0';
}

int co_locate(struct co_err *err, const struct co_source *src, struct co_pos pos)
{
	if (err->file[0])
		return err->code;
	snprintf(err->file, sizeof(err->file), "%s", src->name);
	err->pos = pos;
	if (pos.line && src->text)
		copy_excerpt(err, src, pos);
	return err->code;
}

void co_err_clear(struct co_err *err)
{
	memset(err, 0, sizeof(*err));
}

const char *co_err_name(int code)
{
	return find(code)->name;
}

const char *co_err_text(int code)
{
	return find(code)->text;
}

int co_err_exit(const struct co_err *err)
{
	if (!err->code)
		return 0;
	return find(err->code)->status;
}

_Noreturn void co_oom(void)
{
	static const char text[] = "cooper: out of memory\n";
	ssize_t ignored = write(2, text, sizeof(text) - 1);
	(void)ignored;
	_exit(70);
}
