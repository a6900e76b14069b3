/* SPDX-License-Identifier: MIT
 *
 * lint_file.c — checks that look at the file as a whole.
 */
#include "lint-internal.h"

static bool is_lower(const char *s)
{
	while (*s && !(*s >= 'A' && *s <= 'Z'))
		s++;
	return !*s;
}

static bool is_upper(const char *s)
{
	while (*s && !(*s >= 'a' && *s <= 'z'))
		s++;
	return !*s;
}

static void count_case(const char *keyword, size_t *lower, size_t *upper)
{
	if (is_lower(keyword))
		++*lower;
	else if (is_upper(keyword))
		++*upper;
}

static void check_case(struct lint *l, const struct co_insn *insn, bool lower)
{
	if (lower ? !is_lower(insn->keyword) : !is_upper(insn->keyword))
		lint_report(l, RULE_ConsistentInstructionCasing, insn, insn->pos,
			    "Command '%s' should match the case of the command majority (%s)",
			    insn->keyword, lower ? "lowercase" : "uppercase");
}

/* ARGs before the first FROM have no vote and are not judged. */
static void instruction_casing(struct lint *l)
{
	size_t lower = 0, upper = 0;
	for (size_t s = 0; s < l->d->n_stages; s++) {
		const struct co_stage_ast *st = &l->d->stages[s];
		count_case(st->from->keyword, &lower, &upper);
		for (size_t i = 0; i < st->n_insns; i++)
			count_case(st->insns[i]->keyword, &lower, &upper);
	}
	for (size_t s = 0; s < l->d->n_stages; s++) {
		const struct co_stage_ast *st = &l->d->stages[s];
		check_case(l, st->from, lower > upper);
		for (size_t i = 0; i < st->n_insns; i++)
			check_case(l, st->insns[i], lower > upper);
	}
}

static bool covers(const struct co_insn *insn, unsigned line)
{
	unsigned end = insn->pos.end_line > insn->pos.line ? insn->pos.end_line : insn->pos.line;
	return line >= insn->pos.line && line <= end;
}

/* The instruction of a list (in line order) that covers the line. */
static const struct co_insn *at_line(struct co_insn *const *list, size_t n, unsigned line)
{
	size_t low = 0;
	while (low < n) {
		size_t mid = low + (n - low) / 2;
		if (covers(list[mid], line))
			return list[mid];
		if (line < list[mid]->pos.line)
			n = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static const struct co_insn *find_line(const struct co_dockerfile *d, unsigned line)
{
	const struct co_insn *insn = at_line(d->globals, d->n_globals, line);
	size_t low = 0, n = d->n_stages;
	while (low < n) { /* the last stage that starts at or before the line */
		size_t mid = low + (n - low) / 2;
		if (d->stages[mid].from->pos.line <= line)
			low = mid + 1;
		else
			n = mid;
	}
	if (insn || !low)
		return insn;
	const struct co_stage_ast *st = &d->stages[low - 1];
	return covers(st->from, line) ? st->from : at_line(st->insns, st->n_insns, line);
}

static void empty_continuation(struct lint *l)
{
	for (size_t i = 0; i < l->d->n_warnings; i++) {
		const struct co_parse_warning *w = &l->d->warnings[i];
		if (!strcmp(w->rule, "NoEmptyContinuation"))
			lint_report(l, RULE_NoEmptyContinuation, find_line(l->d, w->pos.line),
				    w->pos, "Empty continuation line");
	}
}

/* A place in the text that only moves forward. */
struct cursor {
	const char *s, *end;
	unsigned line;
};

/* Is the line above this one a comment? An empty line takes a comment off its instruction. */
static bool comment_above(struct cursor *c, unsigned line)
{
	while (c->line + 1 < line && c->s < c->end) {
		const char *newline = memchr(c->s, '\n', (size_t)(c->end - c->s));
		c->s = newline ? newline + 1 : c->end;
		c->line++;
	}
	const char *s = c->s;
	while (s < c->end && *s != '\n' && co_is_space(*s))
		s++;
	return s < c->end && *s == '#';
}

/* The last comment line above must start with the name of what it describes. */
static void description(struct lint *l, struct cursor *c, const struct co_insn *insn,
			const char *what, const char *const *names, size_t n)
{
	const char *comment = insn->n_comments ? insn->comments[insn->n_comments - 1] : NULL;
	if (!comment || !n || lint_config_comment(comment) || !comment_above(c, insn->pos.line))
		return;
	size_t len = strcspn(comment, " ");
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], comment, len))
			return;
	lint_report(l, RULE_InvalidDefinitionDescription, insn, insn->pos,
		    "Comment for %s should follow the format: `# %s <description>`", what,
		    n > 1 ? "<arg_key>" : names[0]);
}

static void arg_description(struct lint *l, struct cursor *c, const struct co_insn *insn)
{
	const char **names = NULL;
	size_t n = 0;
	if (insn->op != CO_OP_ARG || !insn->n_comments)
		return;
	for (size_t i = 0; i < insn->n_kvs; i++)
		*co_arena_push(l->a, names, n) = insn->kvs[i].key;
	description(l, c, insn, "ARG", names, n);
}

static void definition_description(struct lint *l)
{
	const struct co_source *src = &l->d->source;
	struct cursor c = {src->text, src->text + src->len, 1};
	for (size_t i = 0; i < l->d->n_globals; i++)
		arg_description(l, &c, l->d->globals[i]);
	for (size_t s = 0; s < l->d->n_stages; s++) {
		const struct co_stage_ast *st = &l->d->stages[s];
		if (st->name)
			description(l, &c, st->from, "FROM", &st->name, 1);
		for (size_t i = 0; i < st->n_insns; i++)
			arg_description(l, &c, st->insns[i]);
	}
}

lint_file_check *const lint_file_checks[] = {empty_continuation, instruction_casing,
					     definition_description, NULL};
