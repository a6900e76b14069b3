/* SPDX-License-Identifier: MIT
 *
 * JSON arrays of strings as arguments. Not json.h: what is no JSON must fall back to another form
 * exactly where Go's decoder gives up, bad UTF-8 is repaired, and keys may repeat.
 */
#include "parse-internal.h"
#include <math.h>

#define MAX_DEPTH 10000 /* as Go's */

enum state { VALUE, VALUE_OR_END, KEY, KEY_OR_END, AFTER };
struct scan {
	struct parser *p;
	const char *s, *end;
	struct co_buf stack; /* '[' and '{' */
	enum state state;
	enum json_args kind;
	const char *bad;
};

static void skip_json_space(struct scan *j)
{
	while (j->s < j->end && (*j->s == ' ' || *j->s == '\t' || *j->s == '\r' || *j->s == '\n'))
		j->s++;
}

static void mark(struct scan *j, enum json_args kind, const char *at)
{
	if (j->kind != JSON_STRINGS)
		return;
	j->kind = kind;
	j->bad = at;
}

static bool hex4(const char *s, const char *end, unsigned *out)
{
	*out = 0;
	if (end - s < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = co_lower(s[i]);
		if (!co_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
		*out = *out << 4 | (unsigned)(co_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	return true;
}

static void put_rune(struct co_buf *b, unsigned c)
{
	if (c >= 0xd800 && c < 0xe000)
		c = 0xfffd;
	if (c < 0x80) {
		co_buf_addc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		co_buf_addc(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			co_buf_addc(b, (char)(0xe0 | c >> 12));
		} else {
			co_buf_addc(b, (char)(0xf0 | c >> 18));
			co_buf_addc(b, (char)(0x80 | (c >> 12 & 63)));
		}
		co_buf_addc(b, (char)(0x80 | (c >> 6 & 63)));
	}
	co_buf_addc(b, (char)(0x80 | (c & 63)));
}

/* Behind "\u": a code unit, or two that make a pair. */
static bool unicode_escape(struct scan *j, const char *at)
{
	unsigned c, low;
	if (!hex4(j->s, j->end, &c))
		return false;
	j->s += 4;
	if (c >= 0xd800 && c < 0xdc00 && j->end - j->s >= 6 && j->s[0] == '\\' && j->s[1] == 'u' &&
	    hex4(j->s + 2, j->end, &low) && low >= 0xdc00 && low < 0xe000) {
		j->s += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (!c && j->stack.len == 1)
		mark(j, JSON_NUL, at);
	put_rune(&j->p->scratch, c);
	return true;
}

static bool escape(struct scan *j, const char *at)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	if (j->s == j->end)
		return false;
	char c = *j->s++;
	if (c == 'u')
		return unicode_escape(j, at);
	const char *found = strchr(from, c);
	if (!c || !found)
		return false;
	co_buf_addc(&j->p->scratch, to[found - from]);
	return true;
}

/* At a quote: reads the string into p->scratch. */
static bool read_string(struct scan *j)
{
	const char *at = j->s++;
	struct co_buf *b = &j->p->scratch;
	co_buf_clear(b);
	while (j->s < j->end && *j->s != '"') {
		unsigned char c = (unsigned char)*j->s;
		size_t n = char_len(j->s, j->end);
		if (c < ' ')
			return false;
		if (c == '\\') {
			j->s++;
			if (!escape(j, at))
				return false;
			continue;
		}
		if (c >= 0x80 && n == 1)
			put_rune(b, 0xfffd);
		else
			co_buf_add(b, j->s, n);
		j->s += n;
	}
	return j->s++ < j->end;
}

static bool read_digits(struct scan *j)
{
	const char *from = j->s;
	while (j->s < j->end && co_is_digit(*j->s))
		j->s++;
	return j->s > from;
}

static bool read_number(struct scan *j)
{
	const char *from = j->s;
	j->s += *j->s == '-';
	if (j->s < j->end && *j->s == '0')
		j->s++;
	else if (!read_digits(j))
		return false;
	if (j->s < j->end && *j->s == '.') {
		j->s++;
		if (!read_digits(j))
			return false;
	}
	if (j->s < j->end && (*j->s == 'e' || *j->s == 'E')) {
		j->s++;
		if (j->s < j->end && (*j->s == '+' || *j->s == '-'))
			j->s++;
		if (!read_digits(j))
			return false;
	}
	/* a number that no double holds makes Go refuse the whole text; the text ends in NUL */
	return isfinite(strtod(from, NULL));
}

static bool read_literal(struct scan *j)
{
	static const char *const words[] = {"true", "false", "null"};
	for (int i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);
		if ((size_t)(j->end - j->s) < n || memcmp(j->s, words[i], n))
			continue;
		j->s += n;
		return true;
	}
	return false;
}

static bool open_nest(struct scan *j)
{
	char c = *j->s++;
	co_buf_addc(&j->stack, c);
	j->state = c == '[' ? VALUE_OR_END : KEY_OR_END;
	return !j->stack.overflow;
}

static bool read_value(struct scan *j)
{
	const char *at = j->s;
	bool top = j->stack.len == 1;
	j->state = AFTER;
	if (*at == '"') {
		if (!read_string(j))
			return false;
		if (top)
			add_arg(j->p,
				co_arena_dup(j->p->a, co_buf_str(&j->p->scratch),
					     strlen(co_buf_str(&j->p->scratch))),
				at);
		return true;
	}
	if (top)
		mark(j, JSON_MIXED, at);
	if (*at == '[' || *at == '{')
		return open_nest(j);
	return *at == '-' || co_is_digit(*at) ? read_number(j) : read_literal(j);
}

static bool read_key(struct scan *j)
{
	if (*j->s != '"' || !read_string(j))
		return false;
	skip_json_space(j);
	j->state = VALUE;
	return j->s < j->end && *j->s++ == ':';
}

/* One token at j->s; false when the text is not JSON. */
static bool step(struct scan *j)
{
	char top = j->stack.data[j->stack.len - 1], c = *j->s;
	bool may_end = j->state == VALUE_OR_END || j->state == KEY_OR_END || j->state == AFTER;
	if (may_end && c == (top == '[' ? ']' : '}')) {
		co_buf_cut(&j->stack, j->stack.len - 1);
		j->state = AFTER;
		j->s++;
		return true;
	}
	if (j->state == AFTER) {
		j->state = top == '[' ? VALUE : KEY;
		j->s++;
		return c == ',';
	}
	return j->state == KEY || j->state == KEY_OR_END ? read_key(j) : read_value(j);
}

enum json_args json_args(struct parser *p, const char *s, const char *end, const char **at)
{
	struct scan j = {p,	skip_space(s, end), end, CO_BUF_INIT(MAX_DEPTH),
			 VALUE, JSON_STRINGS,	    s};
	bool ok = j.s < end && *j.s == '[' && open_nest(&j);
	while (ok && j.stack.len) {
		skip_json_space(&j);
		ok = j.s < end && step(&j);
	}
	skip_json_space(&j);
	co_buf_release(&j.stack);
	*at = j.bad;
	return ok && j.s == end ? j.kind : JSON_NOT_ARRAY;
}
