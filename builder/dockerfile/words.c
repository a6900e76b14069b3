/* SPDX-License-Identifier: MIT
 *
 * The frontend's shell-word lexer in the one mode the parser needs: no variable is set and unset
 * ones stay as written. It decides which words of a line can be here-document markers, so its
 * corners matter: a `${…}` it does not know means that the line has no markers at all. Nesting is
 * kept in lx->stack, not on the C stack.
 */
#include "parse-internal.h"

/* What is open, a byte each. The escapes-stay flag of the construct around is kept in bit 7. */
enum { IN_DQUOTE = 1, IN_WORD, IN_PATTERN, IN_REPLACEMENT, KIND_MASK = 0x7f, WAS_RAW = 0x80 };

struct text {
	const char *s, *end;
};

static bool push(struct lexer *lx, unsigned kind, bool raw_escapes)
{
	co_buf_addc(&lx->stack, (char)(kind | (lx->raw_escapes ? WAS_RAW : 0)));
	lx->raw_escapes = raw_escapes;
	return !lx->stack.overflow;
}

static unsigned top(const struct lexer *lx)
{
	return lx->stack.len ? (unsigned char)lx->stack.data[lx->stack.len - 1] & KIND_MASK : 0;
}

static void pop(struct lexer *lx)
{
	lx->raw_escapes = lx->stack.data[lx->stack.len - 1] & WAS_RAW;
	co_buf_cut(&lx->stack, lx->stack.len - 1);
}

static int end_word(struct lexer *lx)
{
	int r = lx->word.len ? lx->done(lx->ctx, lx) : 0;
	if (lx->word.len)
		lx->in_word = false;
	co_buf_clear(&lx->word);
	return r;
}

/* Adds n bytes that belong to the word whatever they are. */
static int put_raw(struct lexer *lx, const char *s, size_t n)
{
	if (!lx->word.len)
		lx->start = s;
	lx->in_word = true;
	co_buf_add(&lx->word, s, n);
	return lx->word.overflow ? -1 : 0;
}

/* Adds a character that ends the word when it is white space. */
static int put_split(struct lexer *lx, const char *s, size_t n)
{
	if (!space_len(s, s + n))
		return put_raw(lx, s, n);
	return lx->in_word ? end_word(lx) : 0;
}

/* Adds a character of a construct: what a `$` at the top stands for is split, a quote is not. */
static int put(struct lexer *lx, const char *s, size_t n)
{
	if (lx->stack.len && ((unsigned char)lx->stack.data[0] & KIND_MASK) == IN_DQUOTE)
		return put_raw(lx, s, n);
	return put_split(lx, s, n);
}

static int put_each(struct lexer *lx, const char *s, const char *end)
{
	int r = 0;
	for (size_t n; r == 0 && s < end; s += n) {
		n = char_len(s, end);
		r = put(lx, s, n);
	}
	return r;
}

static void skip_name(struct text *t)
{
	if (t->s < t->end && co_is_digit(*t->s)) {
		while (t->s < t->end && co_is_digit(*t->s))
			t->s++;
		return;
	}
	if (t->s < t->end && strchr("@*#?-$!", *t->s)) {
		t->s++;
		return;
	}
	while (t->s < t->end && (co_is_alnum(*t->s) || *t->s == '_' || (*t->s & 0x80)))
		t->s++;
}

/* At a `$`. Copies what stands there and opens a construct when it has a modifier. */
static int dollar(struct lexer *lx, struct text *t)
{
	const char *from = t->s++;
	if (t->s == t->end || *t->s != '{') {
		skip_name(t);
		return put_each(lx, from, t->s);
	}
	t->s++;
	if (t->s == t->end || *t->s == '{' || *t->s == '}' || *t->s == ':')
		return -1;
	skip_name(t);
	if (t->s == t->end)
		return -1;
	char c = *t->s++;
	if (c == ':') {
		if (t->s == t->end)
			return -1;
		c = *t->s++;
		if (put_each(lx, from, t->s) < 0)
			return -1;
		return push(lx, IN_WORD, c == '#' || c == '%') ? 0 : -1;
	}
	if (c != '}' && !strchr("+-?#%/", c))
		return -1;
	if (put_each(lx, from, t->s) < 0)
		return -1;
	if (c == '}')
		return 0;
	if (c == '/' && t->s < t->end && *t->s == '/')
		t->s++;
	bool ok = c == '/' ? push(lx, IN_PATTERN, true) : push(lx, IN_WORD, c == '#' || c == '%');
	return ok ? 0 : -1;
}

static int single_quote(struct lexer *lx, struct text *t)
{
	const char *from = t->s++;
	const char *close = memchr(t->s, '\'', (size_t)(t->end - t->s));
	if (!close)
		return -1;
	t->s = close + 1;
	if (!lx->raw_quotes)
		from++;
	else
		close++;
	if (lx->stack.len)
		return put_each(lx, from, close);
	lx->in_word = true;
	return put_raw(lx, from, (size_t)(close - from));
}

/* "<<" takes the blanks behind it into the word. */
static int less(struct lexer *lx, struct text *t)
{
	const char *from = t->s++;
	if (t->s < t->end && *t->s == '<') {
		t->s++;
		while (t->s < t->end && (*t->s == ' ' || *t->s == '\t' || *t->s == '\r'))
			t->s++;
	}
	if (lx->stack.len)
		return put_each(lx, from, t->s);
	return put_raw(lx, from, (size_t)(t->s - from));
}

static int backslash(struct lexer *lx, struct text *t)
{
	const char *from = t->s++;
	int r = 0;
	if (lx->raw_escapes)
		r = lx->stack.len ? put(lx, from, 1) : put_raw(lx, from, 1);
	if (r < 0 || t->s == t->end)
		return r;
	size_t n = char_len(t->s, t->end);
	r = lx->stack.len ? put(lx, t->s, n) : put_raw(lx, t->s, n);
	t->s += n;
	return r;
}

static int in_dquote(struct lexer *lx, struct text *t)
{
	char c = *t->s;
	if (c == '$')
		return dollar(lx, t);
	if (c == '"') {
		int r = lx->raw_quotes ? put(lx, t->s, 1) : 0;
		t->s++;
		pop(lx);
		return r;
	}
	size_t n = char_len(t->s, t->end);
	if (c == '\\') {
		if (lx->raw_escapes && put(lx, t->s, 1) < 0)
			return -1;
		if (t->s + 1 < t->end && strchr("\"$\\", t->s[1]))
			t->s++;
	}
	int r = put(lx, t->s, n);
	t->s += n;
	return r;
}

static int outside(struct lexer *lx, struct text *t)
{
	char c = *t->s;
	unsigned in = top(lx);
	if ((c == '}' && in >= IN_WORD && in != IN_PATTERN) || (c == '/' && in == IN_PATTERN)) {
		int r = put(lx, t->s++, 1);
		pop(lx);
		if (r == 0 && in == IN_PATTERN && !push(lx, IN_REPLACEMENT, true))
			return -1;
		return r;
	}
	if (c == '$')
		return dollar(lx, t);
	if (c == '\'')
		return single_quote(lx, t);
	if (c == '<')
		return less(lx, t);
	if (c == '\\')
		return backslash(lx, t);
	if (c == '"') {
		if (!push(lx, IN_DQUOTE, lx->raw_escapes))
			return -1;
		lx->in_word |= lx->stack.len == 1;
		int r = lx->raw_quotes ? put(lx, t->s, 1) : 0;
		t->s++;
		return r;
	}
	size_t n = char_len(t->s, t->end);
	int r = put(lx, t->s, n);
	t->s += n;
	return r;
}

int lex_words(struct lexer *lx, const char *s, const char *end)
{
	struct text t = {s, end};
	int r = 0;
	lx->in_word = false;
	co_buf_clear(&lx->word);
	co_buf_clear(&lx->stack);
	while (r == 0 && t.s < t.end)
		r = top(lx) == IN_DQUOTE ? in_dquote(lx, &t) : outside(lx, &t);
	if (r == 0 && lx->stack.len)
		r = -1;
	return r < 0 ? r : end_word(lx);
}
