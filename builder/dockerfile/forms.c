/* SPDX-License-Identifier: MIT
 *
 * The arguments of an instruction, by the form its row in insn.def names.
 */
#include "parse-internal.h"

void add_arg(struct parser *p, const char *text, const char *at)
{
	if (p->n_args == p->cap_args) {
		p->cap_args = p->cap_args ? p->cap_args * 2 : 16;
		p->args = co_xrealloc(p->args, p->cap_args, sizeof(*p->args));
		p->arg_pos = co_xrealloc(p->arg_pos, p->cap_args, sizeof(*p->arg_pos));
	}
	p->args[p->n_args] = text;
	p->arg_pos[p->n_args++] = pos_of(p, at);
}

static void store(struct parser *p, struct co_insn *insn)
{
	insn->n_args = p->n_args;
	insn->n_kvs = p->n_kvs;
	if (p->n_args) {
		insn->args = co_arena_dup(p->a, p->args, p->n_args * sizeof(*p->args));
		insn->arg_pos = co_arena_dup(p->a, p->arg_pos, p->n_args * sizeof(*p->arg_pos));
	}
	if (p->n_kvs)
		insn->kvs = co_arena_dup(p->a, p->kvs, p->n_kvs * sizeof(*p->kvs));
	p->n_args = p->n_kvs = 0;
}

const char *slice(struct parser *p, const char *s, const char *end)
{
	return end == p->text + p->len ? s : co_arena_dup(p->a, s, (size_t)(end - s));
}

static void add_words(struct parser *p, const char *s, const char *end)
{
	while (s < end) {
		const char *stop = skip_word(s, end);
		add_arg(p, slice(p, s, stop), s);
		s = skip_blank(stop, end);
	}
}

/* A JSON array's elements as arguments; false: it is none, and err is unset. */
static int try_json(struct parser *p, struct co_insn *insn, const char *s, const char *end,
		    struct co_err *err)
{
	const char *at;
	switch (json_args(p, s, end, &at)) {
	case JSON_STRINGS:
		insn->json = true;
		return 1;
	case JSON_MIXED:
		return fail_at(p, at, err,
			       "when using JSON array syntax, arrays must be comprised of strings "
			       "only");
	case JSON_NUL:
		return fail_at(p, at, err, "a string of the JSON array holds a NUL character");
	case JSON_NOT_ARRAY:
	default:
		p->n_args = 0;
		return 0;
	}
}

static int form_command(struct parser *p, struct co_insn *insn, const char *s, const char *end,
			struct co_err *err)
{
	int r = try_json(p, insn, s, end, err);
	if (r < 0)
		return r;
	if (!r)
		add_arg(p, slice(p, s, end), s);
	if (insn->op != CO_OP_SHELL)
		return 0;
	if (s == end || !p->n_args)
		return fail_at(p, s, err, "SHELL requires at least one argument");
	if (insn->json)
		return 0;
	fail_at(p, s, err, "SHELL requires the arguments to be in JSON form");
	return co_hint(err, "write SHELL [\"/bin/sh\", \"-c\"]");
}

static int form_health(struct parser *p, struct co_insn *insn, const char *s, const char *end,
		       struct co_err *err)
{
	const char *stop = s;
	while (stop < end && !co_is_space(*stop))
		stop++;
	size_t n = (size_t)(stop - s);
	const char *rest = skip_space(stop, end);
	if (!n)
		return fail_at(p, s, err, "HEALTHCHECK requires at least one argument");
	insn->none = n == 4 && !strncasecmp(s, "NONE", 4);
	if (insn->none && rest < end)
		return fail_at(p, rest, err, "HEALTHCHECK NONE takes no arguments");
	if (insn->none && insn->n_flags)
		return fail_pos(p, insn->flags[0].pos, CO_E_SYNTAX, err,
				"HEALTHCHECK NONE takes no flags");
	if (insn->none)
		return 0;
	if (n != 3 || strncasecmp(s, "CMD", 3)) {
		fail_at(p, s, err, "unknown type \"%.*s\" in HEALTHCHECK", n > 80 ? 80 : (int)n, s);
		return co_hint(err, "write HEALTHCHECK CMD command, or HEALTHCHECK NONE");
	}
	int r = rest < end ? form_command(p, insn, rest, end, err) : 0;
	if (r < 0 || p->n_args)
		return r;
	return fail_at(p, s, err, "missing command after HEALTHCHECK CMD");
}

static int form_list(struct parser *p, struct co_insn *insn, const char *s, const char *end,
		     struct co_err *err)
{
	const char *name = co_op_name(insn->op);
	int r = try_json(p, insn, s, end, err);
	if (r < 0)
		return r;
	if (!r)
		add_words(p, s, end);
	if (insn_form(insn->op) == FORM_PATHS && p->n_args < 2)
		return fail_at(p, s, err,
			       "%s requires at least two arguments%s; destination could not be "
			       "determined",
			       name, p->n_args ? ", but only one was provided" : "");
	if (!p->n_args)
		return fail_at(p, s, err, "%s requires at least one argument", name);
	for (size_t i = 0; insn->op == CO_OP_VOLUME && i < p->n_args; i++) {
		const char *v = p->args[i], *stop = v + strlen(v);
		v = skip_space(v, stop);
		stop = trim_right(v, stop);
		if (v == stop)
			return fail_pos(p, p->arg_pos[i], CO_E_SYNTAX, err,
					"VOLUME specified can not be an empty string");
		p->args[i] = co_arena_dup(p->a, v, (size_t)(stop - v));
	}
	return 0;
}

static bool stage_name_ok(const char *s)
{
	if (!co_is_alpha(*s))
		return false;
	while (co_is_alnum(*s) || *s == '-' || *s == '_' || *s == '.')
		s++;
	return !*s;
}

static int form_base(struct parser *p, const char *s, const char *end, struct co_err *err)
{
	add_words(p, s, end);
	if (p->n_args == 1)
		return 0;
	if (p->n_args != 3 || !co_ieq(p->args[1], "as")) {
		fail_at(p, s, err, "FROM requires either one or three arguments");
		return co_hint(err, "write FROM image, or FROM image AS name");
	}
	if (stage_name_ok(p->args[2]))
		return 0;
	return fail_pos(
		p, p->arg_pos[2], CO_E_SYNTAX, err,
		"invalid name for build stage: \"%.80s\", name can't start with a number or "
		"contain symbols",
		p->args[2]);
}

static int form_trigger(struct parser *p, struct co_insn *insn, const char *s, const char *end,
			struct co_err *err)
{
	size_t n = (size_t)(skip_word(s, end) - s);
	if (!n)
		return fail_at(p, s, err, "ONBUILD requires at least one argument");
	enum co_op op = insn_find(s, n);
	if (op == CO_OP_ONBUILD)
		return fail_at(p, s, err, "chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (op == CO_OP_FROM || op == CO_OP_MAINTAINER)
		return fail_at(p, s, err, "%s isn't allowed as an ONBUILD trigger", co_op_name(op));
	insn->inner = co_arena_new(p->a, struct co_insn);
	int r = parse_insn(p, insn->inner, s, end, err);
	if (!r)
		add_arg(p, s, s);
	return r;
}

static int form_text(struct parser *p, struct co_insn *insn, const char *s, const char *end,
		     struct co_err *err)
{
	if (s == end)
		return fail_at(p, s, err, "%s requires exactly one argument", co_op_name(insn->op));
	add_arg(p, slice(p, s, end), s);
	return 0;
}

static int read_form(struct parser *p, struct co_insn *insn, const char *s, const char *end,
		     struct co_err *err)
{
	switch (insn_form(insn->op)) {
	case FORM_BASE:
		return form_base(p, s, end, err);
	case FORM_COMMAND:
		return form_command(p, insn, s, end, err);
	case FORM_PATHS:
	case FORM_LIST:
		return form_list(p, insn, s, end, err);
	case FORM_WORDS:
		add_words(p, s, end);
		return p->n_args ? 0
				 : fail_at(p, s, err, "%s requires at least one argument",
					   co_op_name(insn->op));
	case FORM_PAIRS:
		return form_pairs(p, insn, s, end, err);
	case FORM_NAMES:
		return form_names(p, s, end, err);
	case FORM_HEALTH:
		return form_health(p, insn, s, end, err);
	case FORM_TRIGGER:
		return form_trigger(p, insn, s, end, err);
	case FORM_TEXT:
	default:
		return form_text(p, insn, s, end, err);
	}
}

static int unknown_insn(struct parser *p, const char *s, const char *word, struct co_err *err)
{
	fail_at(p, s, err, "unknown instruction: %.80s", *word ? word : "\"\"");
	const char *near = insn_nearest(p->a, word);
	if (near)
		return co_hint(err, "did you mean %s?", near);
	const char *stop = word + strlen(word);
	for (const char *c = word; c < stop; c++)
		if (space_len(c, stop) > 1)
			return co_hint(err, "the line holds a no-break or other special space "
					    "where a plain one is needed");
	return err->code;
}

int parse_insn(struct parser *p, struct co_insn *insn, const char *s, const char *end,
	       struct co_err *err)
{
	s = skip_space(s, end);
	end = trim_right(s, end);
	const char *stop = skip_word(s, end);
	insn->keyword = co_arena_dup(p->a, s, (size_t)(stop - s));
	insn->pos = pos_of(p, s);
	insn->op = insn_find(s, (size_t)(stop - s));
	if (insn->op == CO_OP_COUNT)
		return unknown_insn(p, s, insn->keyword, err);
	const char *rest = skip_space(take_flags(p, insn, stop, end), end);
	int r = insn_check_flags(p, insn, err);
	if (r < 0)
		return r;
	p->n_args = p->n_kvs = 0;
	r = read_form(p, insn, rest, end, err);
	if (!r)
		store(p, insn);
	return r;
}
