/* SPDX-License-Identifier: MIT
 *
 * Here-documents: markers on the line, bodies below it, and sources of COPY and ADD.
 */
#include "parse-internal.h"
#include <limits.h>

struct marker {
	const char *name;
	unsigned fd;
	bool strip, expand;
};

/* What a lexer run over the word of a marker found. */
struct one_word {
	struct co_arena *a;
	const char *text;
	size_t words, quotes;
};

static int note_word(void *ctx, struct lexer *lx)
{
	struct one_word *w = ctx;
	for (size_t i = 0; i < lx->word.len; i++)
		w->quotes += lx->word.data[i] == '\'' || lx->word.data[i] == '"';
	if (!w->words++)
		w->text = co_arena_dup(w->a, lx->word.data, lx->word.len);
	return 0;
}

static int run_lexer(struct lexer *lx, const char *s, const char *end)
{
	lx->word.max = lx->stack.max = MAX_INSN;
	int r = lex_words(lx, s, end);
	co_buf_release(&lx->word);
	co_buf_release(&lx->stack);
	return r;
}

static int lex_one(struct one_word *w, bool raw_quotes, const char *s, const char *end)
{
	struct lexer lx = {.raw_quotes = raw_quotes, .done = note_word, .ctx = w};
	return run_lexer(&lx, s, end);
}

/* Reads `3<<-WORD`: 1 it is a marker, 0 it is none, < 0 its quotes are malformed. */
static int parse_marker(struct co_arena *a, const char *s, const char *end, struct marker *m)
{
	uint64_t fd = 0;
	for (; s < end && co_is_digit(*s); s++)
		if (fd <= UINT_MAX)
			fd = fd * 10 + (uint64_t)(*s - '0');
	if (end - s < 2 || s[0] != '<' || s[1] != '<')
		return 0;
	s += 2;
	m->fd = fd > UINT_MAX ? UINT_MAX : (unsigned)fd;
	m->strip = s < end && *s == '-';
	s += m->strip;
	while (s < end && is_blank(*s) && *s != '\v')
		s++;
	if (s == end || memchr(s, '<', (size_t)(end - s)))
		return 0;
	struct one_word plain = {.a = a}, raw = {.a = a};
	if (lex_one(&plain, false, s, end) < 0)
		return -1;
	if (plain.words != 1)
		return 0;
	if (lex_one(&raw, true, s, end) < 0 || raw.words != 1)
		return -1;
	m->name = plain.text;
	m->expand = plain.quotes == raw.quotes;
	return 1;
}

/* The markers of a line. */
struct markers {
	struct parser *p;
	struct co_insn *insn;
	const char *bad, *excess; /* where a malformed one, and one too many, stands */
};

static int note_marker(void *ctx, struct lexer *lx)
{
	struct markers *ms = ctx;
	struct marker m;
	int r = parse_marker(ms->p->a, lx->word.data, lx->word.data + lx->word.len, &m);
	if (r < 0 && !ms->bad)
		ms->bad = lx->start;
	if (r <= 0)
		return 0;
	if (ms->insn->n_heredocs == MAX_HEREDOCS) {
		ms->excess = lx->start;
		return 0;
	}
	struct co_heredoc *h = co_arena_push(ms->p->a, ms->insn->heredocs, ms->insn->n_heredocs);
	*h = (struct co_heredoc){m.name, m.fd, m.strip, m.expand, NULL, pos_of(ms->p, lx->start)};
	return 0;
}

static int find_markers(struct parser *p, struct co_insn *insn, struct co_err *err)
{
	struct markers ms = {.p = p, .insn = insn};
	struct lexer lx = {
		.raw_quotes = true, .raw_escapes = true, .done = note_marker, .ctx = &ms};
	if (run_lexer(&lx, p->text, p->text + p->len) < 0) {
		insn->n_heredocs = 0; /* a line that does not lex has none */
		return 0;
	}
	if (ms.bad)
		return fail_at(p, ms.bad, err, "malformed quotes in a here-document marker");
	if (ms.excess)
		return fail_pos(p, pos_of(p, ms.excess), CO_E_LIMIT, err,
				"more than %u here-documents in one instruction", MAX_HEREDOCS);
	return 0;
}

static bool ends_here(const struct co_heredoc *h, const char *s, size_t n)
{
	while (h->strip_tabs && n && *s == '\t') {
		s++;
		n--;
	}
	return strlen(h->name) == n && !memcmp(h->name, s, n);
}

static int unterminated(struct parser *p, const struct co_heredoc *h, unsigned almost,
			struct co_err *err)
{
	fail_pos(p, h->pos, CO_E_SYNTAX, err, "unterminated heredoc \"%.80s\"", h->name);
	if (almost)
		return co_hint(err, "line %u holds it with blanks around: the line must be %.80s",
			       almost, h->name);
	return co_hint(err, "add a line that is exactly %.80s", h->name);
}

/* Finds the end of the body that starts at p->at; *len: its length without the last line. */
static int read_body(struct parser *p, const struct co_heredoc *h, size_t *len, struct co_err *err)
{
	const char *from = p->at;
	unsigned almost = 0;
	struct line l;
	int r;
	while ((r = next_line(p, &l, err)) > 0) {
		if (ends_here(h, l.s, l.n)) {
			*len = (size_t)(l.s - from);
			return 0;
		}
		const char *s = skip_space(l.s, l.s + l.n), *end = trim_right(s, l.s + l.n);
		if (!almost && s < end && ends_here(h, s, (size_t)(end - s)))
			almost = p->line;
	}
	return r < 0 ? r : unterminated(p, h, almost, err);
}

/* The body without the tabs each line starts with. */
static const char *strip_tabs(struct co_arena *a, const char *s, size_t n)
{
	char *out = co_arena_alloc(a, n + 1), *to = out;
	const char *end = s + n;
	while (s < end) {
		while (s < end && *s == '\t')
			s++;
		const char *nl = memchr(s, '\n', (size_t)(end - s)), *stop = nl ? nl + 1 : end;
		memcpy(to, s, (size_t)(stop - s));
		to += stop - s;
		s = stop;
	}
	return out;
}

int read_heredocs(struct parser *p, struct co_insn *insn, const char **original, struct co_err *err)
{
	*original = p->text;
	if (!insn_heredocs(insn->op) || insn->json || !strstr(p->text, "<<"))
		return 0;
	int r = find_markers(p, insn, err);
	if (r < 0 || !insn->n_heredocs)
		return r;
	auto_buf all = CO_BUF_INIT(2 * MAX_TEXT);
	co_buf_add(&all, p->text, p->len);
	for (size_t i = 0; i < insn->n_heredocs; i++) {
		struct co_heredoc *h = &insn->heredocs[i];
		const char *from = p->at;
		size_t n = 0;
		r = read_body(p, h, &n, err);
		if (r < 0)
			return r;
		h->body = h->strip_tabs ? strip_tabs(p->a, from, n) : co_arena_dup(p->a, from, n);
		co_buf_addc(&all, '\n');
		co_buf_add(&all, from, n);
		co_buf_adds(&all, h->name);
	}
	*original = co_arena_dup(p->a, co_buf_str(&all), all.len);
	return 0;
}

/* The frontend looks bodies up by name: the last of a name wins, and a marker that was not one on
 * the line (it stood in quotes, or in a JSON array) has an empty body. */
static size_t source_index(struct parser *p, struct co_insn *insn, size_t n, const struct marker *m,
			   struct co_pos pos)
{
	const char *body = "";
	for (size_t i = n; i-- > 0;) {
		const struct co_heredoc *h = &insn->heredocs[i];
		if (strcmp(h->name, m->name))
			continue;
		if (h->strip_tabs == m->strip && h->expand == m->expand)
			return i;
		body = h->body;
		break;
	}
	struct co_heredoc *h = co_arena_push(p->a, insn->heredocs, insn->n_heredocs);
	*h = (struct co_heredoc){m->name, m->fd, m->strip, m->expand, body, pos};
	return insn->n_heredocs - 1;
}

int resolve_heredocs(struct parser *p, struct co_insn *insn, struct co_err *err)
{
	size_t n = insn->n_heredocs;
	if (insn_form(insn->op) != FORM_PATHS)
		return 0;
	for (size_t i = 0; i < insn->n_args; i++) {
		const char *arg = insn->args[i];
		struct marker m;
		if (!strstr(arg, "<<") || parse_marker(p->a, arg, arg + strlen(arg), &m) <= 0)
			continue;
		if (i + 1 == insn->n_args)
			return fail_pos(p, insn->arg_pos[i], CO_E_SYNTAX, err,
					"%s cannot accept a heredoc as a destination",
					co_op_name(insn->op));
		size_t k = source_index(p, insn, n, &m, insn->arg_pos[i]);
		insn->args[i] = co_arena_printf(p->a, "<<%zu", k);
	}
	return 0;
}
