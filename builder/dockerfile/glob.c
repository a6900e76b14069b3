/* SPDX-License-Identifier: MIT
 *
 * glob.c — matching of substitution patterns, by one table walk from the end of the value to its
 * start: for each place the end of the best match that starts there. No backtracking, so no input
 * makes it slow beyond value × pattern.
 */
#include "values-internal.h"
#include <cooper/buf.h>

#define NONE	  UINT32_MAX
#define MAX_VALUE (16u << 20)

enum token_kind { LITERAL, ANY, STAR };
struct token {
	enum token_kind kind;
	uint32_t rune;
};

struct pattern {
	struct token *tokens; /* owned */
	size_t n;
};

struct text {
	uint32_t *runes; /* owned */
	uint32_t *at;	 /* owned; byte offset of each rune and of the end */
	size_t n;
};

static void pattern_release(struct pattern *p)
{
	free(p->tokens);
}

static void text_release(struct text *t)
{
	free(t->runes);
	free(t->at);
}

static int bad_escape(const char *pattern, const char *at, struct co_err *err)
{
	size_t len = 0;
	if (*at)
		rune_at(at, &len);
	return co_fail(err, CO_E_SYNTAX,
		       "invalid pattern (%s) in substitution: invalid escape '\\%.*s'", pattern,
		       (int)len, at);
}

static int compile(struct pattern *p, const char *pattern, struct co_err *err)
{
	p->tokens = co_xcalloc(strlen(pattern), sizeof(*p->tokens));
	for (const char *s = pattern; *s;) {
		size_t len;
		struct token t = {LITERAL, rune_at(s, &len)};
		if (t.rune == '*')
			t.kind = STAR;
		else if (t.rune == '?')
			t.kind = ANY;
		s += len;
		if (t.rune == '\\') {
			/* needed to get them past the lexer, and no part of the pattern */
			if (*s == '}' || *s == '/')
				continue;
			if (*s != '*' && *s != '?' && *s != '\\')
				return bad_escape(pattern, s, err);
			t.rune = (unsigned char)*s++;
		}
		/* two stars are one star */
		if (t.kind == STAR && p->n && p->tokens[p->n - 1].kind == STAR)
			continue;
		p->tokens[p->n++] = t;
	}
	return 0;
}

static void decode(struct text *t, const char *value)
{
	size_t max = strlen(value) + 1, at = 0;
	t->runes = co_xcalloc(max, sizeof(*t->runes));
	t->at = co_xcalloc(max, sizeof(*t->at));
	while (value[at]) {
		size_t len;
		t->at[t->n] = (uint32_t)at;
		t->runes[t->n++] = rune_at(value + at, &len);
		at += len;
	}
	t->at[t->n] = (uint32_t)at;
}

static uint32_t better(uint32_t a, uint32_t b, bool longest)
{
	if (a == NONE || b == NONE)
		return a == NONE ? b : a;
	return (a > b) == longest ? a : b;
}

/* best[i]: end (in runes) of the longest or shortest match that starts at rune i, or NONE. With
 * at_end only matches that reach the end of the text count. `*` and `?` do not match a newline. */
static void match(uint32_t *best, const struct pattern *p, const struct text *t, bool longest,
		  bool at_end)
{
	uint32_t *row = co_xcalloc(p->n + 1, sizeof(*row));
	for (size_t i = t->n + 1; i-- > 0;) {
		bool end = i == t->n;
		uint32_t c = end ? '\n' : t->runes[i];
		uint32_t next = end ? NONE : row[p->n]; /* row[s + 1] of place i + 1 */
		row[p->n] = at_end && !end ? NONE : (uint32_t)i;
		for (size_t s = p->n; s-- > 0;) {
			const struct token *k = &p->tokens[s];
			uint32_t same = end ? NONE : row[s];
			bool fits = !end && (k->kind == LITERAL ? c == k->rune : c != '\n');
			if (k->kind == STAR)
				row[s] = better(row[s + 1], fits ? same : NONE, longest);
			else
				row[s] = fits ? next : NONE;
			next = same;
		}
		best[i] = row[0];
	}
	free(row);
}

static void cut_prefix(struct co_buf *out, const char *value, const struct text *t,
		       const uint32_t *best)
{
	co_buf_adds(out, value + (best[0] == NONE ? 0 : t->at[best[0]]));
}

static void cut_suffix(struct co_buf *out, const char *value, const struct text *t,
		       const uint32_t *best, bool longest)
{
	size_t cut = t->n;
	for (size_t i = 0; i <= t->n; i++) {
		size_t at = longest ? i : t->n - i;
		if (best[at] == NONE)
			continue;
		cut = at;
		break;
	}
	co_buf_add(out, value, t->at[cut]);
}

/* An empty match counts unless it touches the match before it. */
static void replace(struct co_buf *out, const char *value, const struct text *t,
		    const uint32_t *best, const struct glob_job *job)
{
	size_t kept = 0;
	for (size_t i = 0; i <= t->n && !out->overflow;) {
		uint32_t end = best[i];
		if (end == NONE) {
			i++;
			continue;
		}
		co_buf_add(out, value + t->at[kept], t->at[i] - t->at[kept]);
		if (end > kept || i == 0)
			co_buf_adds(out, job->replacement);
		kept = end;
		if (!job->all)
			break;
		i = end > i ? end : i + 1;
	}
	co_buf_adds(out, value + t->at[kept]);
}

int glob_apply(struct co_buf *out, const char *value, const char *pattern,
	       const struct glob_job *job, struct co_err *err)
{
	co_cleanup(pattern_release) struct pattern p = {0};
	co_cleanup(text_release) struct text t = {0};
	uint64_t cost = ((uint64_t)strlen(value) + 1) * (strlen(pattern) + 1);
	if (cost > *job->work || strlen(value) > MAX_VALUE)
		return co_fail(err, CO_E_LIMIT, "value and pattern are too long to be matched");
	*job->work -= cost;
	int r = compile(&p, pattern, err);
	if (r < 0)
		return r;
	decode(&t, value);
	auto_free uint32_t *best = co_xcalloc(t.n + 1, sizeof(*best));
	match(best, &p, &t, job->use == GLOB_REPLACE || job->longest, job->use == GLOB_SUFFIX);
	if (job->use == GLOB_PREFIX)
		cut_prefix(out, value, &t, best);
	else if (job->use == GLOB_SUFFIX)
		cut_suffix(out, value, &t, best, job->longest);
	else
		replace(out, value, &t, best, job);
	return 0;
}
