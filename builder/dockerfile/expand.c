/* SPDX-License-Identifier: MIT
 *
 * expand.c — quotes, escapes and variables of one word, and its splitting: what BuildKit's shell
 * lexer does, which is not what a shell does. The word after an operator is worked out before the
 * operator is looked at, so its errors count even where its text is not used.
 */
#include "values-internal.h"
#include <cooper/buf.h>

#define MAX_DEPTH 64
#define MAX_WORD  (1u << 20)
#define MAX_WORK  (1ull << 28)

struct expander {
	const char *p; /* what is left of the word */
	char escape;
	bool quotes; /* are they special */
	unsigned depth;
	uint64_t work;
	size_t max;
	const struct co_vars *vars;
	struct co_arena *a;
	struct co_err *err;
};

/* The words of a split word. `open` after a quote or an escape: blanks then no longer lead. */
struct words {
	bool on, open;
	struct co_buf cur;
	char **items;
	size_t n;
	struct co_arena *a;
};

static void words_release(struct words *w)
{
	co_buf_release(&w->cur);
}

static void words_close(struct words *w)
{
	if (!w->cur.len)
		return;
	*co_arena_push(w->a, w->items, w->n) = co_arena_strdup(w->a, co_buf_str(&w->cur));
	co_buf_clear(&w->cur);
	w->open = false;
}

/* Text that is never split. */
static void words_raw(struct words *w, const char *s, size_t n)
{
	if (!w->on)
		return;
	co_buf_add(&w->cur, s, n);
	w->open = true;
}

/* Text that is split at blanks. */
static void words_split(struct words *w, const char *s, size_t n)
{
	if (!w->on)
		return;
	for (size_t i = 0; i < n;) {
		size_t len;
		if (!rune_is_space(rune_at(s + i, &len)))
			words_raw(w, s + i, len);
		else if (w->open)
			words_close(w);
		i += len;
	}
}

static int syntax(struct expander *x, const char *text)
{
	return co_fail(x->err, CO_E_SYNTAX, "%s", text);
}

static int pay(struct expander *x, size_t n)
{
	if (n > x->work)
		return co_fail(x->err, CO_E_LIMIT, "expansion takes too much work");
	x->work -= n;
	return 0;
}

static size_t rune_len(const char *s)
{
	size_t len;
	rune_at(s, &len);
	return len;
}

static int until(struct expander *x, char stop, bool raw, struct co_buf *out, struct words *words);

/* Length of the variable name at s: digits, one special character, or a word. */
static size_t name_len(const char *s)
{
	size_t n = 0, len;
	bool digits = false;
	if (*s && strchr("@*#?-$!", *s))
		return 1;
	for (; s[n]; n += len) {
		uint32_t c = rune_at(s + n, &len);
		bool digit = rune_is_digit(c);
		if (n == 0)
			digits = digit;
		if (!digit && (digits || (!rune_is_letter(c) && c != '_')))
			break;
	}
	return n;
}

static const char *take_name(struct expander *x)
{
	size_t n = name_len(x->p);
	const char *name = co_arena_strndup(x->a, x->p, n);
	x->p += n;
	return name;
}

static const char *lookup(struct expander *x, const char *name)
{
	return x->vars && x->vars->get ? x->vars->get(x->vars->ctx, name) : NULL;
}

/* A variable whose value goes into the text as it is. */
static const char *used(struct expander *x, const char *name)
{
	const char *value = lookup(x, name);
	if (!value && x->vars && x->vars->undefined)
		x->vars->undefined(x->vars->ctx, name);
	return value ? value : "";
}

static int put(struct expander *x, struct co_buf *out, const char *text)
{
	int r = pay(x, strlen(text));
	if (!r)
		co_buf_adds(out, text);
	return r;
}

/* The text up to the stop, inside ${}. Where the word ends first, that is the error. */
static int part(struct expander *x, char stop, bool raw, struct co_buf *out, const char *missing)
{
	struct words none = {0};
	if (x->depth == MAX_DEPTH)
		return co_fail(x->err, CO_E_SYNTAX, "more than %d nested substitutions", MAX_DEPTH);
	x->depth++;
	int r = until(x, stop, raw, out, &none);
	x->depth--;
	if (r == CO_E_SYNTAX && !*x->p) {
		co_err_clear(x->err);
		return syntax(x, missing);
	}
	return r;
}

static int unsupported(struct expander *x, const char *modifier, size_t len)
{
	co_fail(x->err, CO_E_SYNTAX, "unsupported modifier (%.*s) in substitution", (int)len,
		modifier);
	return co_hint(x->err, "the operators are :- - :+ + :? ? # ## %% %%%% / //");
}

/* ${v#p} and its like; the operator's own character doubled means the longest match. */
static int trim(struct expander *x, const char *name, char op, const char *word, struct co_buf *out)
{
	struct glob_job job = {.use = op == '#' ? GLOB_PREFIX : GLOB_SUFFIX, .work = &x->work};
	job.longest = *word == op;
	const char *value = used(x, name);
	int r = pay(x, strlen(value));
	return r < 0 ? r : glob_apply(out, value, word + job.longest, &job, x->err);
}

static int refuse(struct expander *x, const char *name, const char *word, bool empty)
{
	if (!*word)
		word = empty ? "is not allowed to be empty" : "is not allowed to be unset";
	co_fail(x->err, CO_E_SYNTAX, "%s: %s", name, word);
	return co_hint(x->err, "give %s a value: ARG or ENV above, or --build-arg", name);
}

/* ${v-w} ${v+w} ${v?w}, with or without the colon that makes empty as good as unset. */
static int choose(struct expander *x, const char *name, char op, bool colon, const char *word,
		  struct co_buf *out)
{
	const char *value = lookup(x, name);
	bool missing = !value || (colon && !*value);
	if (op == '+')
		return put(x, out, missing ? "" : word);
	if (!missing)
		return put(x, out, value);
	if (op == '-')
		return put(x, out, word);
	return refuse(x, name, word, value != NULL);
}

static int operator(struct expander *x, const char *name, struct co_buf *out)
{
	const char *modifier = x->p;
	bool colon = *x->p == ':';
	x->p += colon;
	size_t len = *x->p ? rune_len(x->p) : 0;
	char op = len == 1 ? *x->p : '\0';
	bool raw = op == '#' || op == '%';
	x->p += len;
	if (colon && raw)
		return unsupported(x, modifier, 2);
	auto_buf word = CO_BUF_INIT(x->max);
	int r = part(x, '}', raw, &word, "syntax error: missing '}'");
	if (r < 0)
		return r;
	if (raw)
		return trim(x, name, op, co_buf_str(&word), out);
	if (op == '-' || op == '+' || op == '?')
		return choose(x, name, op, colon, co_buf_str(&word), out);
	return unsupported(x, modifier, colon + len);
}

static int substitute(struct expander *x, const char *name, struct co_buf *out)
{
	struct glob_job job = {.use = GLOB_REPLACE, .work = &x->work};
	job.all = *++x->p == '/';
	x->p += job.all;
	auto_buf pattern = CO_BUF_INIT(x->max);
	auto_buf replacement = CO_BUF_INIT(x->max);
	int r = part(x, '/', true, &pattern, "syntax error: missing '/' in ${}");
	if (!r)
		r = part(x, '}', true, &replacement, "syntax error: missing '}'");
	if (r < 0)
		return r;
	job.replacement = co_buf_str(&replacement);
	size_t before = out->len;
	r = glob_apply(out, used(x, name), co_buf_str(&pattern), &job, x->err);
	return r < 0 ? r : pay(x, out->len - before);
}

static int braces(struct expander *x, struct co_buf *out)
{
	x->p++;
	if (!*x->p)
		return syntax(x, "syntax error: missing '}'");
	if (strchr("{}:", *x->p))
		return syntax(x, "syntax error: bad substitution");
	const char *name = take_name(x);
	switch (*x->p) {
	case '\0':
		return syntax(x, "syntax error: missing '}'");
	case '}':
		x->p++;
		return put(x, out, used(x, name));
	case ':':
	case '+':
	case '-':
	case '?':
	case '#':
	case '%':
		return operator(x, name, out);
	case '/':
		return substitute(x, name, out);
	default:
		return unsupported(x, x->p, rune_len(x->p));
	}
}

static int dollar(struct expander *x, struct co_buf *out)
{
	x->p++;
	if (*x->p == '{')
		return braces(x, out);
	const char *name = take_name(x);
	return put(x, out, *name ? used(x, name) : "$");
}

static int single_quote(struct expander *x, struct co_buf *out)
{
	const char *end = strchr(x->p + 1, '\'');
	if (!end) {
		x->p += strlen(x->p);
		return syntax(x, "unexpected end of statement while looking for matching "
				 "single-quote");
	}
	co_buf_add(out, x->p + 1, (size_t)(end - x->p - 1));
	x->p = end + 1;
	return 0;
}

static int double_quote(struct expander *x, bool raw, struct co_buf *out)
{
	x->p++;
	while (*x->p && *x->p != '"') {
		if (*x->p == '$') {
			int r = dollar(x, out);
			if (r < 0)
				return r;
			continue;
		}
		char c = *x->p++;
		if (c == x->escape) {
			if (raw)
				co_buf_addc(out, c);
			if (!*x->p)
				break;
			/* before anything else an escape stands for itself */
			if (*x->p == '"' || *x->p == '$' || *x->p == x->escape)
				c = *x->p++;
		}
		co_buf_addc(out, c);
	}
	if (!*x->p)
		return syntax(x, "unexpected end of statement while looking for matching "
				 "double-quote");
	x->p++;
	return 0;
}

static void escaped(struct expander *x, bool raw, struct co_buf *out, struct words *words)
{
	if (raw) {
		co_buf_addc(out, *x->p);
		words_raw(words, x->p, 1);
	}
	x->p++;
	size_t len = *x->p ? rune_len(x->p) : 0;
	if (len) {
		co_buf_add(out, x->p, len);
		words_raw(words, x->p, len);
	}
	x->p += len;
}

/* Plain text; "<<" keeps the blanks behind it, for they belong to a heredoc's marker. */
static void plain(struct expander *x, struct co_buf *out, struct words *words)
{
	size_t len = rune_len(x->p);
	bool marker = co_starts(x->p, "<<");
	if (marker)
		len = 2 + strspn(x->p + 2, " \t\r");
	co_buf_add(out, x->p, len);
	if (marker)
		words_raw(words, x->p, len);
	else
		words_split(words, x->p, len);
	x->p += len;
}

/* Processes up to the stop (consumed), or to the end when it is NUL. */
static int until(struct expander *x, char stop, bool raw, struct co_buf *out, struct words *words)
{
	while (*x->p && (!stop || *x->p != stop)) {
		size_t before = out->len;
		int r = 0;
		if (*x->p == '$') {
			r = dollar(x, out);
			if (!r)
				words_split(words, co_buf_str(out) + before, out->len - before);
		} else if (x->quotes && (*x->p == '\'' || *x->p == '"')) {
			r = *x->p == '"' ? double_quote(x, raw, out) : single_quote(x, out);
			if (!r)
				words_raw(words, co_buf_str(out) + before, out->len - before);
		} else if (*x->p == x->escape) {
			escaped(x, raw, out, words);
		} else {
			plain(x, out, words);
		}
		if (r < 0)
			return r;
		if (out->overflow)
			return co_fail(x->err, CO_E_LIMIT, "expands to more than %zu bytes",
				       x->max);
	}
	if (!stop)
		return 0;
	if (!*x->p)
		return co_fail(x->err, CO_E_SYNTAX,
			       "unexpected end of statement while looking for matching %c", stop);
	x->p++;
	return 0;
}

static int run(struct expander *x, const char *word, struct co_buf *out, struct words *words)
{
	x->p = word;
	x->work = MAX_WORK;
	x->max = out->max;
	int r = until(x, '\0', false, out, words);
	if (r < 0) {
		size_t n = strnlen(word, 80);
		while (n && word[n] && ((unsigned char)word[n] & 0xc0) == 0x80)
			n--;
		return co_wrap(x->err, "failed to process \"%.*s%s\"", (int)n, word,
			       word[n] ? "…" : "");
	}
	words_close(words);
	return 0;
}

int co_expand(char **out, struct co_arena *a, const char *word, char escape,
	      const struct co_vars *vars, struct co_err *err)
{
	struct expander x = {.escape = escape, .quotes = true, .vars = vars, .a = a, .err = err};
	struct words none = {0};
	auto_buf text = CO_BUF_INIT(MAX_WORD);
	int r = run(&x, word, &text, &none);
	if (!r)
		*out = co_arena_dup(a, co_buf_str(&text), text.len);
	return r;
}

int co_expand_words(char ***out, size_t *n, struct co_arena *a, const char *word, char escape,
		    const struct co_vars *vars, struct co_err *err)
{
	struct expander x = {.escape = escape, .quotes = true, .vars = vars, .a = a, .err = err};
	co_cleanup(words_release) struct words words = {
		.on = true, .cur = CO_BUF_INIT(MAX_WORD), .a = a};
	auto_buf text = CO_BUF_INIT(MAX_WORD);
	int r = run(&x, word, &text, &words);
	if (!r) {
		*out = words.items;
		*n = words.n;
	}
	return r;
}

int co_expand_heredoc(char **out, struct co_arena *a, const char *body, const struct co_vars *vars,
		      struct co_err *err)
{
	struct expander x = {.escape = '\\', .vars = vars, .a = a, .err = err};
	struct words none = {0};
	auto_buf text = CO_BUF_INIT(CO_BUF_TEXT);
	int r = run(&x, body, &text, &none);
	if (!r)
		*out = co_arena_dup(a, co_buf_str(&text), text.len);
	return r;
}
