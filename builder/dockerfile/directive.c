/* SPDX-License-Identifier: MIT
 *
 * Parser directives: `# escape=`, `# syntax=`, `# check=` in the first lines.
 */
#include <cooper/json.h>
#include "parse-internal.h"

enum directive { DIR_SYNTAX, DIR_ESCAPE, DIR_CHECK, DIR_COUNT };
static const char *const names[DIR_COUNT] = {"syntax", "escape", "check"};

/* White space of a directive line. */
static bool is_dir_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

/* Reads `mark name = value`; false when the line has another form or the name is not known. */
static bool match(const char *s, const char *end, const char *mark, enum directive *which,
		  const char **value, const char **value_end)
{
	size_t n = strlen(mark);
	if ((size_t)(end - s) < n || memcmp(s, mark, n))
		return false;
	s = skip_space(s + n, end);
	const char *name = s;
	while (s < end && (co_is_alpha(*s) || (s > name && co_is_digit(*s))))
		s++;
	n = (size_t)(s - name);
	while (s < end && is_dir_space(*s))
		s++;
	if (s == end || *s++ != '=' || s == end)
		return false;
	const char *from = s, *to = end;
	while (from < end && is_dir_space(*from))
		from++;
	while (to > from && is_dir_space(to[-1]))
		to--;
	if (from == end) /* nothing but blanks: the last one is the value */
		to = from--;
	for (int i = 0; i < DIR_COUNT; i++) {
		if (strlen(names[i]) != n || strncasecmp(names[i], name, n))
			continue;
		*which = (enum directive)i;
		*value = from;
		*value_end = to;
		return true;
	}
	return false;
}

int read_directive(struct parser *p, const char *s, size_t n, unsigned col, struct co_err *err)
{
	enum directive which;
	const char *value, *end;
	if (p->directives_done)
		return 0;
	if (!match(s, s + n, "#", &which, &value, &end)) {
		p->directives_done = true;
		return 0;
	}
	struct co_pos pos = {p->line, col, p->line};
	if (p->seen & 1u << which)
		return fail_pos(p, pos, CO_E_SYNTAX, err,
				"only one %s parser directive can be used", names[which]);
	p->seen |= 1u << which;
	if (which != DIR_ESCAPE)
		return 1;
	pos.col += (unsigned)(value - s);
	if (end - value != 1 || (*value != '\\' && *value != '`')) {
		fail_pos(p, pos, CO_E_SYNTAX, err,
			 "invalid escape token '%.*s' does not match ` or \\",
			 (int)(end - value > 80 ? 80 : end - value), value);
		return co_hint(err, "write # escape=` or # escape=\\");
	}
	p->escape = *value;
	return 1;
}

static struct co_pos place_of(const struct parser *p, const char *at)
{
	const char *line = p->src->text;
	unsigned n = 1;
	for (const char *s = line; s < at; s++)
		if (*s == '\n') {
			line = s + 1;
			n++;
		}
	return (struct co_pos){n, (unsigned)(at - line) + 1, n};
}

/* Steps through the leading lines that are directives with this mark. */
static bool find(struct parser *p, const char *s, const char *end, const char *mark,
		 struct co_dockerfile *d)
{
	unsigned seen = 0;
	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t)(end - s)), *stop = nl ? nl : end;
		const char *value, *value_end;
		enum directive which;
		if (stop > s && stop[-1] == '\r')
			stop--;
		if (!match(s, stop, mark, &which, &value, &value_end) || seen & 1u << which)
			break;
		seen |= 1u << which;
		size_t n = (size_t)(value_end - value);
		if (which == DIR_SYNTAX) {
			const char *blank = memchr(value, ' ', n);
			d->syntax = co_arena_dup(p->a, value, blank ? (size_t)(blank - value) : n);
			d->syntax_pos = place_of(p, value);
		} else if (which == DIR_CHECK) {
			d->check = co_arena_dup(p->a, value, n);
			d->check_pos = place_of(p, value);
		}
		s = nl ? nl + 1 : end;
	}
	return d->syntax != NULL;
}

/* A document of another language that names its frontend at the top level. */
static bool find_json(const char *s, const char *end, struct co_arena *a, struct co_dockerfile *d)
{
	struct co_err ignored = CO_ERR_INIT;
	auto_json j = NULL;
	s = skip_space(s, end);
	if (s == end || *s != '{' ||
	    co_json_parse(&j, s, (size_t)(end - s), "Dockerfile", &ignored) < 0)
		return false;
	d->syntax = co_arena_strdup(a, co_json_str(j, "syntax"));
	return d->syntax != NULL;
}

int find_directives(struct parser *p, struct co_dockerfile *d, struct co_err *err)
{
	const char *s = p->src->text, *end = s + p->src->len;
	if (end - s >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
		s += 3;
	if (end - s >= 2 && s[0] == '#' && s[1] == '!') {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		s = nl ? nl + 1 : end;
	}
	if (find(p, s, end, "#", d) || (!find(p, s, end, "//", d) && !find_json(s, end, p->a, d)))
		return 0;
	fail_pos(p, (struct co_pos){1, 1, 1}, CO_E_UNSUPPORTED, err,
		 "the file is written for the frontend \"%.200s\", not as a Dockerfile", d->syntax);
	return co_hint(err, "cooper reads Dockerfiles only and runs no other frontend");
}
