/* SPDX-License-Identifier: MIT
 *
 * The tables of insn.def: instructions, and the flags each of them takes.
 */
#include "parse-internal.h"
#include <limits.h>

struct insn_row {
	const char *name;
	enum form form;
	bool heredocs;
};
static const struct insn_row insns[CO_OP_COUNT] = {
#define INSN(name, form, heredocs) [CO_OP_##name] = {#name, FORM_##form, heredocs},
#include "insn.def"
};
static const char *const keywords[] = {
#define INSN(name, form, heredocs) #name,
#include "insn.def"
	NULL};
_Static_assert(sizeof(keywords) / sizeof(keywords[0]) == CO_OP_COUNT + 1,
	       "a row of insn.def for every instruction of the header");

struct flag_row {
	enum co_op op;
	const char *name;
	enum flag_kind kind;
	const char *choices;
};
static const struct flag_row flags[] = {
#define FLAG(insn, name, kind, choices) {CO_OP_##insn, name, FLAG_##kind, choices},
#include "insn.def"
};
#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))
_Static_assert(N_FLAGS <= 64, "one bit each");

const char *co_op_name(enum co_op op)
{
	return (unsigned)op < CO_OP_COUNT ? insns[op].name : "?";
}

enum form insn_form(enum co_op op)
{
	return insns[op].form;
}

bool insn_heredocs(enum co_op op)
{
	return insns[op].heredocs;
}

enum co_op insn_find(const char *s, size_t n)
{
	for (unsigned i = 0; i < CO_OP_COUNT; i++)
		if (strlen(insns[i].name) == n && !strncasecmp(insns[i].name, s, n))
			return (enum co_op)i;
	return CO_OP_COUNT;
}

/* co_nearest, which counts two letters that changed places as two changes: FORM is far from FROM.
 */
static const char *nearest(struct co_arena *a, const char *word, const char *const *list)
{
	const char *near = co_nearest(word, list);
	size_t n = strlen(word);
	if (near || n > 20)
		return near;
	char *w = co_arena_strdup(a, word);
	for (size_t i = 1; i < n && !near; i++) {
		char c = w[i];
		w[i] = w[i - 1];
		w[i - 1] = c;
		for (size_t k = 0; list[k] && !near; k++)
			near = co_ieq(w, list[k]) ? list[k] : NULL;
		w[i - 1] = w[i];
		w[i] = c;
	}
	return near;
}

const char *insn_nearest(struct co_arena *a, const char *word)
{
	return nearest(a, word, keywords);
}

const struct co_flag *co_insn_flag(const struct co_insn *i, const char *name)
{
	for (size_t k = 0; k < i->n_flags; k++)
		if (!strcmp(i->flags[k].name, name))
			return &i->flags[k];
	return NULL;
}

static int flag_find(enum co_op op, const char *name)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags[i].op == op && !strcmp(flags[i].name, name))
			return (int)i;
	return -1;
}

static int unknown_flag(struct parser *p, const struct co_insn *insn, const struct co_flag *f,
			struct co_err *err)
{
	const char *list[N_FLAGS + 1];
	size_t n = 0;
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags[i].op == insn->op)
			list[n++] = flags[i].name;
	list[n] = NULL;
	fail_pos(p, f->pos, CO_E_SYNTAX, err, "unknown flag: --%.80s", f->name);
	const char *near = nearest(p->a, f->name, list);
	if (near)
		return co_hint(err, "did you mean --%s?", near);
	if (!n)
		return co_hint(err, "%s takes no flags", co_op_name(insn->op));
	return err->code;
}

/* Is value one of the blank-separated choices? If not, *near may name one. */
static bool is_choice(struct parser *p, const char *choices, const char *value, const char **near)
{
	const char **list = NULL;
	size_t n = 0;
	for (const char *s = choices; *s; s += strspn(s, " ")) {
		size_t len = strcspn(s, " ");
		if (strlen(value) == len && !memcmp(s, value, len))
			return true;
		*co_arena_push(p->a, list, n) = co_arena_dup(p->a, s, len);
		s += len;
	}
	*co_arena_push(p->a, list, n) = NULL;
	*near = nearest(p->a, value, list);
	return false;
}

/* Go's durations have no hexadecimal and no exponents. */
static bool is_duration(const char *s, int64_t *ns)
{
	for (const char *c = s; *c; c++)
		if (co_is_alpha(*c) && !strchr("nsumh", *c))
			return false;
	return co_parse_duration(s, ns);
}

static int check_duration(struct parser *p, const struct co_flag *f, struct co_err *err)
{
	int64_t ns;
	if (!is_duration(f->value, &ns)) {
		fail_pos(p, f->pos, CO_E_SYNTAX, err, "invalid duration \"%.80s\" for --%s",
			 f->value, f->name);
		return co_hint(err, "write a duration such as 30s or 1m30s");
	}
	if (ns && ns < 1000000)
		return fail_pos(p, f->pos, CO_E_SYNTAX, err, "--%s=%.80s cannot be less than 1ms",
				f->name, f->value);
	return 0;
}

static int check_count(struct parser *p, struct co_flag *f, struct co_err *err)
{
	int64_t n;
	if (*f->value == '+')
		f->value++;
	if (!co_parse_i64(f->value, &n) || n > INT32_MAX || n < INT32_MIN)
		return fail_pos(p, f->pos, CO_E_SYNTAX, err, "invalid number \"%.80s\" for --%s",
				f->value, f->name);
	if (n < 0)
		return fail_pos(p, f->pos, CO_E_SYNTAX, err, "--%s cannot be negative (%.80s)",
				f->name, f->value);
	return 0;
}

static int check_bool(struct parser *p, struct co_flag *f, struct co_err *err)
{
	if (!f->value)
		return 0;
	if (!*f->value)
		return fail_pos(p, f->pos, CO_E_SYNTAX, err, "missing a value on flag: --%s",
				f->name);
	if (co_ieq(f->value, "true"))
		f->value = "true";
	else if (co_ieq(f->value, "false"))
		f->value = "false";
	else
		return fail_pos(p, f->pos, CO_E_SYNTAX, err,
				"expecting boolean value for flag --%s, not: %.80s", f->name,
				f->value);
	return 0;
}

static int check_flag(struct parser *p, const struct flag_row *row, struct co_flag *f,
		      struct co_err *err)
{
	const char *near = NULL;
	if (row->kind == FLAG_BOOL)
		return check_bool(p, f, err);
	if (!f->value) {
		fail_pos(p, f->pos, CO_E_SYNTAX, err, "missing a value on flag: --%s", f->name);
		return co_hint(err, "write --%s=VALUE, without blanks", f->name);
	}
	if (row->choices && !is_choice(p, row->choices, f->value, &near)) {
		fail_pos(p, f->pos, CO_E_SYNTAX, err, "invalid value \"%.80s\" for --%s", f->value,
			 f->name);
		return near ? co_hint(err, "did you mean --%s=%s?", f->name, near)
			    : co_hint(err, "allowed are: %s", row->choices);
	}
	if (row->op == CO_OP_COPY && !strcmp(row->name, "from") && strchr(f->value, '$')) {
		fail_pos(p, f->pos, CO_E_SYNTAX, err,
			 "variable expansion is not supported for --from");
		return co_hint(err, "give the image a stage name: FROM image:$VERSION AS name");
	}
	if (row->op == CO_OP_RUN && !strcmp(row->name, "mount") &&
	    co_mount_check(p->a, f->value, p->escape, err) < 0)
		return co_locate(err, p->src, f->pos);
	if (row->kind == FLAG_DURATION && *f->value)
		return check_duration(p, f, err);
	if (row->kind == FLAG_COUNT && *f->value)
		return check_count(p, f, err);
	return 0;
}

int insn_check_flags(struct parser *p, struct co_insn *insn, struct co_err *err)
{
	uint64_t seen = 0;
	size_t kept = 0;
	for (size_t i = 0; i < insn->n_flags; i++) {
		struct co_flag *f = &insn->flags[i];
		int k = flag_find(insn->op, f->name);
		if (k < 0)
			return unknown_flag(p, insn, f, err);
		if (seen >> k & 1 && flags[k].kind != FLAG_LIST)
			return fail_pos(p, f->pos, CO_E_SYNTAX, err,
					"duplicate flag specified: --%s", f->name);
		seen |= 1ull << k;
		int r = check_flag(p, &flags[k], f, err);
		if (r < 0)
			return r;
		/* an empty number or duration counts as not given */
		if (flags[k].kind >= FLAG_DURATION && !*f->value)
			continue;
		insn->flags[kept++] = *f;
	}
	insn->n_flags = kept;
	return 0;
}
