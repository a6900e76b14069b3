/* SPDX-License-Identifier: MIT
 *
 * Ignore files, read as moby's ignorefile and patternmatcher do: the last line that matches a path
 * or a directory above it decides.
 */
#include "context-internal.h"
#include <cooper/str.h>

#define MAX_LINE 65535 /* as the reader of the other builders */

struct co_ignore {
	struct co_arena arena;
	struct pattern *items; /* arena */
	size_t n;
	bool negation;
};

struct span {
	const char *p;
	size_t n;
};

/* Bytes of a blank at the start of s: the characters Go counts as space. */
static size_t blank_at(const char *s, size_t n)
{
	static const char *const wide[] = {"\xc2\x85",	   "\xc2\xa0",	   "\xe1\x9a\x80",
					   "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
					   "\xe2\x81\x9f", "\xe3\x80\x80", NULL};
	if (n && co_is_space(*s))
		return 1;
	for (size_t i = 0; wide[i]; i++)
		if (n >= strlen(wide[i]) && !memcmp(s, wide[i], strlen(wide[i])))
			return strlen(wide[i]);
	/* U+2000 to U+200A */
	if (n >= 3 && !memcmp(s, "\xe2\x80", 2) && (unsigned char)s[2] >= 0x80 &&
	    (unsigned char)s[2] <= 0x8a)
		return 3;
	return 0;
}

static struct span trim(struct span s)
{
	for (size_t k; (k = blank_at(s.p, s.n));) {
		s.p += k;
		s.n -= k;
	}
	for (size_t k = 1; k <= 3 && k <= s.n;) {
		if (blank_at(s.p + s.n - k, k) == k) {
			s.n -= k;
			k = 1;
		} else {
			k++;
		}
	}
	return s;
}

/* Lexical clean that keeps a leading ".." (such a pattern matches nothing) and drops the slash at
 * the front. Works on bytes, in the arena. */
static struct span clean(struct co_arena *a, struct span s)
{
	char *out = co_arena_alloc(a, s.n + 1);
	size_t n = 0, floor = 0;
	bool rooted = s.n && *s.p == '/';
	for (size_t i = 0; i < s.n;) {
		const char *slash = memchr(s.p + i, '/', s.n - i);
		size_t len = slash ? (size_t)(slash - s.p) - i : s.n - i;
		bool up = len == 2 && !memcmp(s.p + i, "..", 2);
		if (up && n > floor) {
			while (n > floor && out[n - 1] != '/')
				n--;
			n -= n > floor;
		} else if (len && !(len == 1 && s.p[i] == '.') && !(up && rooted)) {
			if (n)
				out[n++] = '/';
			memcpy(out + n, s.p + i, len);
			n += len;
			if (up)
				floor = n;
		}
		i += len + 1;
	}
	return (struct span){out, n};
}

static int add(struct co_ignore *ig, struct span s, struct co_err *err)
{
	bool negated = *s.p == '!';
	struct span text = negated ? trim((struct span){s.p + 1, s.n - 1}) : s;
	bool rooted = text.n && *text.p == '/';
	text = clean(&ig->arena, text);
	if (negated && !text.n && (rooted || s.n == 1))
		return co_fail(err, CO_E_SYNTAX, "illegal exclusion pattern: \"!\"");
	if (!text.n)
		return 0; /* the tree itself can not be excluded */
	struct pattern p;
	if (!pattern_compile(&p, &ig->arena, text.p, text.n, true))
		return co_fail(err, CO_E_SYNTAX, "malformed pattern \"%.*s\"",
			       text.n > 200 ? 200 : (int)text.n, text.p);
	p.negated = negated;
	ig->negation = ig->negation || negated;
	*co_arena_push(&ig->arena, ig->items, ig->n) = p;
	return 0;
}

static int parse_lines(struct co_ignore *ig, const char *text, size_t len, const char *what,
		       struct co_err *err)
{
	struct co_source src = {.name = what, .text = text, .len = len};
	const char *end = text + len;
	unsigned line = 1;
	for (const char *p = text; p < end; line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct span s = {p, (size_t)((nl ? nl : end) - p)};
		int r = 0;
		if (line == 1 && s.n >= 3 && !memcmp(s.p, "\xef\xbb\xbf", 3))
			s = (struct span){s.p + 3, s.n - 3};
		if (s.n > MAX_LINE)
			r = co_fail(err, CO_E_LIMIT, "a line of more than %d bytes", MAX_LINE);
		else if (s.n && *s.p != '#' && (s = trim(s)).n)
			r = add(ig, s, err);
		if (r < 0) {
			co_locate(err, &src, (struct co_pos){.line = line, .col = 1});
			return co_wrap(err, "%s:%u", what, line);
		}
		p = nl ? nl + 1 : end;
	}
	return 0;
}

int co_ignore_parse(struct co_ignore **out, const char *text, size_t len, const char *what,
		    struct co_err *err)
{
	struct co_ignore *ig = co_xcalloc(1, sizeof(*ig));
	int r = parse_lines(ig, text, len, what, err);
	if (r < 0) {
		co_ignore_free(ig);
		return r;
	}
	*out = ig;
	return 0;
}

int ignore_from_list(struct co_ignore **out, const char *const *list, size_t n, struct co_err *err)
{
	struct co_ignore *ig = n ? co_xcalloc(1, sizeof(*ig)) : NULL;
	for (size_t i = 0; i < n; i++) {
		struct span s = trim((struct span){list[i], strlen(list[i])});
		if (s.n && add(ig, s, err) < 0) {
			co_ignore_free(ig);
			return co_wrap(err, "--exclude=%s", list[i]);
		}
	}
	*out = ig;
	return 0;
}

void ignore_add_path(struct co_ignore **ig, const char *path)
{
	struct pattern p;
	if (!*ig)
		*ig = co_xcalloc(1, sizeof(**ig));
	char *text = co_arena_alloc(&(*ig)->arena, 2 * strlen(path) + 1);
	size_t n = 0;
	for (; *path; path++) {
		if (strchr("*?[]\\", *path))
			text[n++] = '\\';
		text[n++] = *path;
	}
	if (!pattern_compile(&p, &(*ig)->arena, text, n, true))
		return;
	p.negated = false;
	*co_arena_push(&(*ig)->arena, (*ig)->items, (*ig)->n) = p;
}

void co_ignore_free(struct co_ignore *ig)
{
	if (!ig)
		return;
	co_arena_release(&ig->arena);
	free(ig);
}

bool co_ignore_match(const struct co_ignore *ig, const char *path)
{
	bool matched = false;
	if (!*path || !strcmp(path, "."))
		return false;
	for (size_t i = 0; i < ig->n; i++) {
		/* a line can only change what the lines before it said */
		if (ig->items[i].negated == matched &&
		    pattern_run(&ig->items[i], path) & (HIT_SELF | HIT_PARENT))
			matched = !matched;
	}
	return matched;
}

bool co_ignore_has_negation(const struct co_ignore *ig)
{
	return ig->negation;
}

bool ignore_below(const struct co_ignore *ig, const char *dir)
{
	for (size_t i = 0; ig->negation && i < ig->n; i++)
		if (ig->items[i].negated && pattern_run(&ig->items[i], dir))
			return true;
	return false;
}
