/* SPDX-License-Identifier: MIT
 *
 * Path patterns. The language is that of Go's filepath.Match, and for ignore files that of moby's
 * patternmatcher on top of it. A pattern becomes a list of tokens, and a path is run through all
 * positions at once: no backtracking, so a hostile pattern costs its length times the path's.
 */
#include "context-internal.h"

enum kind {
	T_RUNE,	 /* this character */
	T_ONE,	 /* "?": any but the slash */
	T_CLASS, /* "[a-z]" */
	T_STAR,	 /* "*": any run without a slash */
	T_DEEP,	 /* directories: nothing, or anything that ends with a slash */
	T_ALL	 /* anything */
};
struct token {
	enum kind kind;
	uint32_t rune;
	uint32_t first, n; /* ranges of a class */
	bool negated;
};
struct range {
	uint32_t lo, hi;
};

/* One character; a byte that is no UTF-8 stands for itself, outside Unicode. */
static size_t rune_at(const char *s, size_t len, uint32_t *out)
{
	unsigned char c = (unsigned char)*s;
	if (c < 0x80) {
		*out = c;
		return 1;
	}
	size_t n = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
	uint32_t v = n == 4 ? c & 7 : n == 3 ? c & 15 : c & 31;
	*out = 0x200000u + c;
	if (n == 1 || c >= 0xf5 || n > len)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 1;
		v = v << 6 | ((unsigned char)s[i] & 63);
	}
	if ((n == 3 && v < 0x800) || (n == 4 && v < 0x10000) || v > 0x10ffff || v >> 11 == 27)
		return 1;
	*out = v;
	return n;
}

struct compiler {
	struct pattern *p;
	struct co_arena *a;
	const char *at, *end;
	bool deep;
	bool plain; /* only literal characters since the leading "**" */
};

static struct token *emit(struct compiler *c, enum kind kind)
{
	struct token *t = co_arena_push(c->a, c->p->tokens, c->p->n);
	t->kind = kind;
	if (kind != T_RUNE)
		c->plain = false;
	return t;
}

/* A bound of a range, maybe escaped; the grammar of Go's matcher. */
static bool class_rune(struct compiler *c, uint32_t *out)
{
	if (c->at == c->end || *c->at == '-' || *c->at == ']')
		return false;
	if (*c->at == '\\' && ++c->at == c->end)
		return false;
	c->at += rune_at(c->at, (size_t)(c->end - c->at), out);
	return c->at < c->end;
}

static bool compile_class(struct compiler *c)
{
	struct token *t = emit(c, T_CLASS);
	t->first = (uint32_t)c->p->n_ranges;
	c->at++;
	if (c->at < c->end && *c->at == '^') {
		t->negated = true;
		c->at++;
	}
	while (c->at == c->end || *c->at != ']' || !t->n) {
		struct range r;
		if (!class_rune(c, &r.lo))
			return false;
		r.hi = r.lo;
		if (*c->at == '-') {
			c->at++;
			if (!class_rune(c, &r.hi))
				return false;
		}
		*co_arena_push(c->a, c->p->ranges, c->p->n_ranges) = r;
		t->n++;
	}
	c->at++;
	return true;
}

/* "**" with the slash behind it; at the end it takes everything. */
static void compile_deep(struct compiler *c)
{
	bool first = !c->p->n, slash;
	c->at += 2;
	slash = c->at < c->end && *c->at == '/';
	c->at += slash;
	emit(c, c->at == c->end ? T_ALL : T_DEEP);
	/* "**name": moby compares the end of the path, if nothing but letters follow */
	c->plain = first && !slash;
}

static void compile_star(struct compiler *c)
{
	if (c->deep && c->at + 1 < c->end && c->at[1] == '*') {
		compile_deep(c);
		return;
	}
	if (c->deep || !c->p->n || c->p->tokens[c->p->n - 1].kind != T_STAR)
		emit(c, T_STAR);
	c->at++;
}

static bool compile_one(struct compiler *c)
{
	if (*c->at == '*') {
		compile_star(c);
		return true;
	}
	if (*c->at == '[')
		return compile_class(c);
	if (*c->at == '?') {
		emit(c, T_ONE);
		c->at++;
		return true;
	}
	if (*c->at == '\\') {
		if (++c->at == c->end)
			return false;
		c->plain = false;
	}
	struct token *t = emit(c, T_RUNE);
	c->at += rune_at(c->at, (size_t)(c->end - c->at), &t->rune);
	return true;
}

/* The literal beginning, for a quick no. */
static void find_literal(struct compiler *c, const char *text, size_t len)
{
	struct pattern *p = c->p;
	size_t n = 0;
	p->literal = co_arena_alloc(c->a, len + 1);
	for (const char *s = text; s < text + len && !strchr("*?[", *s); s++) {
		if (*s == '\\')
			s++;
		p->literal[n++] = *s;
	}
	/* a NUL matches no path: the tokens see to that */
	bool nul = memchr(text, 0, len) != NULL;
	p->literal_len = nul ? 0 : n;
	p->exact = p->literal_len > 0;
	for (size_t i = 0; i < p->n; i++)
		p->exact = p->exact && p->tokens[i].kind == T_RUNE;
}

bool pattern_compile(struct pattern *out, struct co_arena *a, const char *text, size_t len,
		     bool deep)
{
	struct compiler c = {.p = out, .a = a, .at = text, .end = text + len, .deep = deep};
	*out = (struct pattern){0};
	while (c.at < c.end)
		if (!compile_one(&c))
			return false;
	if (c.plain && out->n && out->tokens[0].kind == T_DEEP)
		out->tokens[0].kind = T_ALL;
	find_literal(&c, text, len);
	return true;
}

bool has_wildcard(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '*' || text[i] == '?' || text[i] == '[')
			return true;
	}
	return false;
}

/* ---- running ---- */

struct set {
	uint64_t *words;
	size_t n;
};

/* Stands before token i: also behind everything there that may be empty. */
static void enter(const struct pattern *p, struct set *s, size_t i)
{
	for (;; i++) {
		s->words[i / 64] |= 1ull << (i % 64);
		if (i == p->n || p->tokens[i].kind < T_STAR)
			return;
	}
}

static bool in_class(const struct pattern *p, const struct token *t, uint32_t c)
{
	bool in = false;
	for (size_t i = t->first; i < t->first + t->n && !in; i++)
		in = p->ranges[i].lo <= c && c <= p->ranges[i].hi;
	return in != t->negated;
}

static void advance(const struct pattern *p, struct set *to, size_t i, uint32_t c)
{
	const struct token *t = &p->tokens[i];
	switch (t->kind) {
	case T_RUNE:
		if (c == t->rune)
			enter(p, to, i + 1);
		break;
	case T_ONE:
		if (c != '/')
			enter(p, to, i + 1);
		break;
	case T_CLASS:
		if (c != '/' && in_class(p, t, c))
			enter(p, to, i + 1);
		break;
	case T_STAR:
		if (c != '/')
			enter(p, to, i);
		break;
	case T_DEEP:
		to->words[i / 64] |= 1ull << (i % 64);
		if (c == '/')
			enter(p, to, i + 1);
		break;
	case T_ALL:
		enter(p, to, i);
		break;
	default:
		break;
	}
}

/* True while any position is left. */
static bool step(const struct pattern *p, const struct set *from, struct set *to, uint32_t c)
{
	memset(to->words, 0, to->n * sizeof(*to->words));
	for (size_t w = 0; w < from->n; w++)
		for (uint64_t bits = from->words[w]; bits; bits &= bits - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(bits);
			if (i < p->n)
				advance(p, to, i, c);
		}
	for (size_t w = 0; w < to->n; w++)
		if (to->words[w])
			return true;
	return false;
}

static unsigned run_exact(const struct pattern *p, const char *path)
{
	size_t n = strlen(path);
	if (n < p->literal_len)
		return !memcmp(path, p->literal, n) && p->literal[n] == '/' ? HIT_BELOW : 0;
	if (memcmp(path, p->literal, p->literal_len))
		return 0;
	if (n == p->literal_len)
		return HIT_SELF;
	return path[p->literal_len] == '/' ? HIT_PARENT : 0;
}

static bool accepts(const struct pattern *p, const struct set *s)
{
	return s->words[p->n / 64] >> (p->n % 64) & 1;
}

static unsigned run_sets(const struct pattern *p, const char *path, struct set *now,
			 struct set *next)
{
	unsigned hits = 0;
	size_t left = strlen(path);
	memset(now->words, 0, now->n * sizeof(*now->words));
	enter(p, now, 0);
	while (left) {
		uint32_t c;
		size_t n = rune_at(path, left, &c);
		if (c == '/' && accepts(p, now))
			hits |= HIT_PARENT;
		if (!step(p, now, next, c))
			return hits;
		struct set swap = *now;
		*now = *next;
		*next = swap;
		path += n;
		left -= n;
	}
	if (accepts(p, now))
		hits |= HIT_SELF;
	return step(p, now, next, '/') ? hits | HIT_BELOW : hits;
}

unsigned pattern_run(const struct pattern *p, const char *path)
{
	if (p->exact)
		return run_exact(p, path);
	size_t n = strnlen(path, p->literal_len);
	if (memcmp(path, p->literal, n))
		return 0;
	uint64_t small[2][4];
	size_t words = p->n / 64 + 1;
	auto_free uint64_t *big = words > 4 ? co_xcalloc(2 * words, sizeof(*big)) : NULL;
	struct set now = {big ? big : small[0], words};
	struct set next = {big ? big + words : small[1], words};
	return run_sets(p, path, &now, &next);
}

bool co_glob_match(const char *pattern, const char *path, bool globstar)
{
	auto_arena a = CO_ARENA_INIT;
	struct pattern p;
	if (!pattern_compile(&p, &a, pattern, strlen(pattern), globstar))
		return false;
	return pattern_run(&p, path) & HIT_SELF;
}
