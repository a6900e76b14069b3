/* SPDX-License-Identifier: MIT
 *
 * White space, and the flags between keyword and arguments.
 */
#include "parse-internal.h"

size_t space_len(const char *s, const char *end)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = (size_t)(end - s);
	if (!n)
		return 0;
	if (u[0] < 0x80)
		return u[0] == ' ' || (u[0] >= '\t' && u[0] <= '\r');
	if (n >= 2 && u[0] == 0xc2)
		return u[1] == 0x85 || u[1] == 0xa0 ? 2 : 0;
	if (n < 3)
		return 0;
	unsigned c = (unsigned)u[0] << 16 | (unsigned)u[1] << 8 | u[2];
	bool space = c == 0xe19a80 || (c >= 0xe28080 && c <= 0xe2808a) || c == 0xe280a8 ||
		     c == 0xe280a9 || c == 0xe280af || c == 0xe2819f || c == 0xe38080;
	return space ? 3 : 0;
}

size_t char_len(const char *s, const char *end)
{
	unsigned char c = (unsigned char)*s;
	size_t want = c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;
	if (want > (size_t)(end - s))
		return 1;
	return co_utf8_valid(s, want) ? want : 1;
}

const char *skip_space(const char *s, const char *end)
{
	for (size_t n; (n = space_len(s, end)) > 0; s += n)
		;
	return s;
}

const char *trim_right(const char *s, const char *end)
{
	for (;;) {
		size_t left = (size_t)(end - s);
		if (left >= 1 && space_len(end - 1, end) == 1)
			end -= 1;
		else if (left >= 2 && space_len(end - 2, end) == 2)
			end -= 2;
		else if (left >= 3 && space_len(end - 3, end) == 3)
			end -= 3;
		else
			return end;
	}
}

bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

const char *skip_blank(const char *s, const char *end)
{
	while (s < end && is_blank(*s))
		s++;
	return s;
}

const char *skip_word(const char *s, const char *end)
{
	while (s < end && !is_blank(*s))
		s++;
	return s;
}

/* Reads one word with quotes and backslashes taken off into p->scratch; returns its end. The
 * backslash escapes here whatever the escape directive says, as in the frontend. */
static const char *flag_word(struct parser *p, const char *s, const char *end)
{
	char quote = 0;
	co_buf_clear(&p->scratch);
	for (; s < end && (quote || !co_is_space(*s)); s++) {
		if (quote ? *s == quote : *s == '\'' || *s == '"') {
			quote = quote ? 0 : *s;
			continue;
		}
		if (*s == '\\') {
			if (s + 1 == end)
				continue;
			s++;
		}
		co_buf_addc(&p->scratch, *s);
	}
	return s;
}

static void add_flag(struct parser *p, struct co_insn *insn, const char *at)
{
	const char *word = co_buf_str(&p->scratch) + 2;
	const char *eq = strchr(word, '=');
	struct co_flag *f = co_arena_push(p->a, insn->flags, insn->n_flags);
	f->name = co_arena_dup(p->a, word, eq ? (size_t)(eq - word) : strlen(word));
	f->value = eq ? co_arena_strdup(p->a, eq + 1) : NULL;
	f->pos = pos_of(p, at);
}

const char *take_flags(struct parser *p, struct co_insn *insn, const char *s, const char *end)
{
	for (;;) {
		while (s < end && co_is_space(*s))
			s++;
		if (end - s < 2 || s[0] != '-' || s[1] != '-')
			return s;
		const char *at = s;
		s = flag_word(p, s, end);
		if (p->scratch.len == 2) /* a lone "--" */
			return s;
		add_flag(p, insn, at);
	}
}
