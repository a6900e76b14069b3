/* SPDX-License-Identifier: MIT
 *
 * From physical lines to the text of one instruction: comments, continuation, byte-order mark.
 */
#include "parse-internal.h"

int fail_pos(struct parser *p, struct co_pos pos, int code, struct co_err *err, const char *fmt,
	     ...)
{
	va_list ap;
	va_start(ap, fmt);
	co_vfail(err, code, fmt, ap);
	va_end(ap);
	return co_locate(err, p->src, pos);
}

int fail_at(struct parser *p, const char *at, struct co_err *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	co_vfail(err, CO_E_SYNTAX, fmt, ap);
	va_end(ap);
	return co_locate(err, p->src, pos_of(p, at));
}

struct co_pos pos_of(const struct parser *p, const char *at)
{
	size_t off = (size_t)(at - p->text), lo = 0, hi = p->n_pieces;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;
		if (p->pieces[mid].at <= off)
			lo = mid;
		else
			hi = mid;
	}
	const struct piece *piece = &p->pieces[lo];
	return (struct co_pos){piece->line, piece->col + (unsigned)(off - piece->at), piece->line};
}

int next_line(struct parser *p, struct line *l, struct co_err *err)
{
	const char *end = p->src->text + p->src->len;
	if (p->at == end)
		return 0;
	const char *s = p->at, *nl = memchr(s, '\n', (size_t)(end - s));
	const char *stop = nl ? nl : end;
	p->line++;
	if ((size_t)(stop - s) > MAX_LINE)
		return fail_pos(p, (struct co_pos){p->line, 1, p->line}, CO_E_LIMIT, err,
				"Dockerfile line is longer than the %u bytes allowed", MAX_LINE);
	p->at = nl ? nl + 1 : end;
	if (p->line == 1 && stop - s >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
		s += 3;
	while (stop > s && stop[-1] == '\r')
		stop--;
	l->s = s;
	l->n = (size_t)(stop - s);
	return 1;
}

/* Cuts a continuation off the end: the escape character, not doubled, then blanks only. */
static bool cut_continuation(const struct parser *p, const char *s, size_t *n)
{
	size_t k = *n;
	while (k && (s[k - 1] == ' ' || s[k - 1] == '\t'))
		k--;
	if (!k || s[k - 1] != p->escape || (k > 1 && s[k - 2] == p->escape))
		return false;
	*n = k - 1;
	return true;
}

static int add_piece(struct parser *p, const char *s, size_t n, unsigned col, struct co_err *err)
{
	if (p->n_pieces == p->cap_pieces) {
		p->cap_pieces = p->cap_pieces ? p->cap_pieces * 2 : 16;
		p->pieces = co_xrealloc(p->pieces, p->cap_pieces, sizeof(*p->pieces));
	}
	p->pieces[p->n_pieces++] = (struct piece){p->joined.len, p->line, col};
	co_buf_add(&p->joined, s, n);
	if (!p->joined.overflow)
		return 0;
	return fail_pos(p, (struct co_pos){p->line, col, p->line}, CO_E_LIMIT, err,
			"an instruction is longer than the %u bytes allowed", MAX_INSN);
}

static void note_comment(struct parser *p, const char *s, const char *end)
{
	s = skip_space(s + 1, end);
	end = trim_right(s, end);
	if (s == end) { /* a bare # keeps what is above it away from what is below */
		p->comments = NULL;
		p->n_comments = 0;
		return;
	}
	*co_arena_push(p->a, p->comments, p->n_comments) = co_arena_dup(p->a, s, (size_t)(end - s));
}

/* Adds lines while they continue; *blank: an empty one was among them. */
static int join(struct parser *p, const char *s, size_t n, unsigned col, bool *blank,
		struct co_err *err)
{
	bool more = cut_continuation(p, s, &n);
	int r = add_piece(p, s, n, col, err);
	while (!r && more) {
		struct line l;
		r = next_line(p, &l, err);
		if (r <= 0)
			break;
		const char *first = skip_space(l.s, l.s + l.n);
		r = 0;
		if (first == l.s + l.n) {
			*blank = true;
		} else if (*first != '#') {
			n = l.n;
			more = cut_continuation(p, l.s, &n);
			r = add_piece(p, l.s, n, 1, err);
		}
	}
	return r;
}

static int take_insn(struct parser *p, const char *s, size_t n, unsigned col, struct co_err *err)
{
	bool blank = false;
	co_buf_clear(&p->joined);
	p->n_pieces = 0;
	int r = join(p, s, n, col, &blank, err);
	if (r < 0)
		return r;
	p->len = p->joined.len;
	p->text = co_arena_dup(p->a, co_buf_str(&p->joined), p->len);
	if (blank) {
		struct co_parse_warning *w = co_arena_push(p->a, p->warnings, p->n_warnings);
		w->rule = "NoEmptyContinuation";
		w->text = "Empty continuation line";
		w->pos = (struct co_pos){p->line, 1, p->line}; /* where the frontend reports it */
	}
	return 1;
}

int next_insn(struct parser *p, unsigned *first, struct co_err *err)
{
	struct line l;
	int r;
	while ((r = next_line(p, &l, err)) > 0) {
		const char *end = l.s + l.n, *s = skip_space(l.s, end);
		unsigned col = (unsigned)(s - l.s) + 1;
		r = read_directive(p, s, (size_t)(end - s), col, err);
		if (r < 0)
			return r;
		if (r)
			continue;
		if (s < end && *s == '#')
			note_comment(p, s, end);
		else if (s < end) {
			*first = p->line;
			return take_insn(p, s, (size_t)(end - s), col, err);
		}
	}
	return r;
}
