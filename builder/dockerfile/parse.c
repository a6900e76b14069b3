/* SPDX-License-Identifier: MIT
 *
 * The document: instructions one after the other, put into stages.
 */
#include "parse-internal.h"

static void parser_init(struct parser *p, struct co_arena *a, const struct co_source *src)
{
	*p = (struct parser){.a = a,
			     .src = src,
			     .at = src->text,
			     .escape = '\\',
			     .joined = CO_BUF_INIT(MAX_INSN),
			     .scratch = CO_BUF_INIT(4 * MAX_INSN)};
}

static void parser_release(struct parser *p)
{
	co_buf_release(&p->joined);
	co_buf_release(&p->scratch);
	free(p->pieces);
	free(p->args);
	free(p->arg_pos);
	free(p->kvs);
}

static struct co_pos place(const struct co_source *src, const char *at)
{
	struct co_pos pos = {1, 1, 1};
	const char *s = src->text, *nl;
	while ((nl = memchr(s, '\n', (size_t)(at - s)))) {
		pos.line++;
		s = nl + 1;
	}
	pos.col = (unsigned)(at - s) + 1;
	pos.end_line = pos.line;
	return pos;
}

static int check_text(struct parser *p, struct co_err *err)
{
	const struct co_source *src = p->src;
	if (!src->len)
		return fail_pos(p, (struct co_pos){1, 1, 1}, CO_E_SYNTAX, err, "%s cannot be empty",
				src->name);
	if (src->len > MAX_TEXT)
		return fail_pos(p, (struct co_pos){1, 1, 1}, CO_E_LIMIT, err,
				"%s is larger than the %u bytes allowed", src->name, MAX_TEXT);
	const char *nul = memchr(src->text, 0, src->len);
	if (!nul)
		return 0;
	fail_pos(p, place(src, nul), CO_E_SYNTAX, err, "%s holds a NUL byte", src->name);
	return co_hint(err, "save it as UTF-8 text");
}

/* Reads the next instruction whole: 1, 0 at the end, or an error. */
static int read_insn(struct parser *p, struct co_insn *insn, struct co_err *err)
{
	const char *original;
	unsigned first = 0;
	int r = next_insn(p, &first, err);
	if (r <= 0)
		return r;
	r = parse_insn(p, insn, p->text, p->text + p->len, err);
	if (r < 0)
		return r;
	struct co_insn *last = insn->inner ? insn->inner : insn;
	r = read_heredocs(p, last, &original, err);
	if (!r)
		r = resolve_heredocs(p, last, err);
	if (r < 0)
		return r;
	if (insn->inner) /* the trigger's text, with its bodies */
		insn->inner->original = insn->args[0] = original + (insn->args[0] - p->text);
	insn->original = original;
	if (insn->pos.line != first) /* a line that only continues stands above the keyword */
		insn->pos = (struct co_pos){first, p->pieces[0].col, first};
	insn->pos.end_line = last->pos.end_line = p->line;
	insn->comments = p->comments;
	insn->n_comments = p->n_comments;
	p->comments = NULL;
	p->n_comments = 0;
	return 1;
}

static void add_stage(struct parser *p, struct co_dockerfile *d, struct co_insn *insn)
{
	struct co_stage_ast *st = co_arena_push(p->a, d->stages, d->n_stages);
	const struct co_flag *platform = co_insn_flag(insn, "platform");
	st->from = insn;
	st->base = insn->args[0];
	st->platform = platform ? platform->value : NULL;
	if (insn->n_args < 3)
		return;
	char *name = co_arena_strdup(p->a, insn->args[2]);
	st->name_raw = insn->args[2];
	st->name = name;
	for (; *name; name++)
		*name = co_lower(*name);
}

static int place_insn(struct parser *p, struct co_dockerfile *d, struct co_insn *insn,
		      struct co_err *err)
{
	if (insn->op == CO_OP_FROM) {
		add_stage(p, d, insn);
	} else if (d->n_stages) {
		struct co_stage_ast *st = &d->stages[d->n_stages - 1];
		*co_arena_push(p->a, st->insns, st->n_insns) = insn;
	} else if (insn->op == CO_OP_ARG) {
		*co_arena_push(p->a, d->globals, d->n_globals) = insn;
	} else {
		fail_pos(p, insn->pos, CO_E_SYNTAX, err, "no build stage in current context");
		return co_hint(err, "begin with FROM: only ARG may stand above it");
	}
	return 0;
}

static int parse_all(struct parser *p, struct co_dockerfile *d, struct co_err *err)
{
	size_t n = 0;
	int r = find_directives(p, d, err);
	while (!r) {
		struct co_insn *insn = co_arena_new(p->a, struct co_insn);
		r = read_insn(p, insn, err);
		if (r <= 0)
			break;
		if (++n > MAX_INSNS)
			return fail_pos(p, insn->pos, CO_E_LIMIT, err,
					"%s has more than %u instructions", p->src->name,
					MAX_INSNS);
		r = place_insn(p, d, insn, err);
	}
	if (r < 0)
		return r;
	struct co_pos last = {p->line, 1, p->line};
	if (!n)
		return fail_pos(p, last, CO_E_SYNTAX, err, "file with no instructions");
	if (!d->n_stages) {
		fail_pos(p, last, CO_E_SYNTAX, err, "the Dockerfile contains no stages to build");
		return co_hint(err, "add a FROM instruction");
	}
	d->escape = p->escape;
	d->warnings = p->warnings;
	d->n_warnings = p->n_warnings;
	return 0;
}

int co_dockerfile_parse(struct co_dockerfile **out, struct co_arena *a, const struct co_source *src,
			struct co_err *err)
{
	struct co_dockerfile *d = co_arena_new(a, struct co_dockerfile);
	struct parser p;
	d->source = *src;
	parser_init(&p, a, src);
	int r = check_text(&p, err);
	if (!r)
		r = parse_all(&p, d, err);
	parser_release(&p);
	if (!r)
		*out = d;
	return r;
}

static int parse_one(struct parser *p, struct co_insn *insn, struct co_err *err)
{
	struct co_insn more = {0};
	int r = check_text(p, err);
	if (r < 0)
		return r;
	r = read_insn(p, insn, err);
	if (r < 0)
		return r;
	if (!r)
		return fail_pos(p, (struct co_pos){1, 1, 1}, CO_E_SYNTAX, err, "no instruction");
	if (insn->op == CO_OP_FROM)
		return fail_pos(p, insn->pos, CO_E_SYNTAX, err, "FROM is not allowed here");
	r = read_insn(p, &more, err);
	if (r > 0)
		return fail_pos(p, more.pos, CO_E_SYNTAX, err, "more than one instruction");
	return r;
}

int co_dockerfile_parse_one(struct co_insn **out, struct co_arena *a, const struct co_source *src,
			    struct co_err *err)
{
	struct co_insn *insn = co_arena_new(a, struct co_insn);
	struct parser p;
	parser_init(&p, a, src);
	int r = parse_one(&p, insn, err);
	parser_release(&p);
	if (!r)
		*out = insn;
	return r;
}
