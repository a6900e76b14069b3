/* SPDX-License-Identifier: MIT
 *
 * chmod.c — modes of --chmod: octal, or clauses as in chmod(1) with a umask of 0.
 */
#include "values-internal.h"

#define ALL_RWX	 0777u
#define SET_ID	 06000u
#define STICKY	 01000u
#define MAX_TEXT 4096

struct action {
	char op;      /* + - = */
	uint32_t who; /* the bits this action may touch */
	uint32_t perm;
	bool x_if;    /* X: x for directories and for what has an x already */
	char copy[4]; /* classes whose bits are copied, "" if none */
};

struct co_chmod {
	bool octal;
	uint32_t mode;
	struct action *actions;
	size_t n;
};

static int bad(const char *text, struct co_err *err)
{
	co_fail(err, CO_E_SYNTAX, "invalid chmod parameter: '%.200s'", text);
	return co_hint(err, "write an octal mode such as 0644, or clauses such as u=rwX,go=rX");
}

static int parse_octal(uint32_t *mode, const char *text, struct co_err *err)
{
	if (co_parse_octal(text, mode) && *mode <= 07777)
		return 0;
	return co_fail(err, CO_E_SYNTAX,
		       "invalid chmod parameter: '%.200s'. it should be octal string and between 0 "
		       "and 07777",
		       text);
}

static uint32_t class_bits(char c)
{
	switch (c) {
	case 'u':
		return 04700;
	case 'g':
		return 02070;
	case 'o':
		return 00007;
	case 'a':
		return SET_ID | ALL_RWX;
	default:
		return 0;
	}
}

/* Adds one permission letter; false when it is none. s and t mean nothing to "others" alone. */
static bool add_perm(struct action *a, char c)
{
	bool only_others = a->who && !(a->who & ~07u);
	switch (c) {
	case 'r':
		a->perm |= 0444;
		return true;
	case 'w':
		a->perm |= 0222;
		return true;
	case 'x':
		a->perm |= 0111;
		return true;
	case 'X':
		a->x_if = true;
		return true;
	case 's':
		a->perm |= only_others ? 0 : SET_ID;
		return true;
	case 't':
		a->perm |= only_others ? 0 : STICKY;
		return true;
	case 'u':
	case 'g':
	case 'o':
		if (!strchr(a->copy, c))
			a->copy[strlen(a->copy)] = c;
		return true;
	default:
		return false;
	}
}

/* One clause: who, then one or more of an operator with its permissions. */
static const char *parse_clause(struct co_chmod *c, struct co_arena *arena, const char *s)
{
	uint32_t who = 0;
	for (; class_bits(*s); s++)
		who |= class_bits(*s);
	if (!*s || !strchr("+-=", *s))
		return NULL;
	while (*s && strchr("+-=", *s)) {
		struct action a = {.op = *s++, .who = who};
		while (add_perm(&a, *s))
			s++;
		if (!who)
			a.who = SET_ID | ALL_RWX;
		a.who |= a.perm & STICKY;
		*co_arena_push(arena, c->actions, c->n) = a;
	}
	return s;
}

int co_chmod_parse(const struct co_chmod **out, struct co_arena *a, const char *text,
		   struct co_err *err)
{
	struct co_chmod *c = co_arena_new(a, struct co_chmod);
	if (co_is_digit(*text)) {
		int r = parse_octal(&c->mode, text, err);
		c->octal = true;
		if (!r)
			*out = c;
		return r;
	}
	if (strlen(text) > MAX_TEXT)
		return co_fail(err, CO_E_LIMIT, "chmod parameter is longer than %d bytes",
			       MAX_TEXT);
	const char *s = text;
	for (;;) {
		s = parse_clause(c, a, s);
		if (!s || (*s && *s != ','))
			return bad(text, err);
		if (!*s)
			break;
		s++;
	}
	*out = c;
	return 0;
}

/* The permissions an action speaks of, in every class. `before`: the mode as it was found. */
static uint32_t action_bits(const struct action *a, uint32_t mode, uint32_t before, bool is_dir)
{
	uint32_t bits = a->perm;
	if (a->x_if && (is_dir || (before & 0111)))
		bits |= 0111;
	for (const char *c = a->copy; *c; c++) {
		uint32_t from = mode >> (*c == 'u' ? 6 : *c == 'g' ? 3 : 0) & 7;
		bits |= from << 6 | from << 3 | from;
	}
	return bits & a->who;
}

uint32_t co_chmod_apply(const struct co_chmod *c, uint32_t mode, bool is_dir)
{
	uint32_t before = mode & 07777;
	if (c->octal)
		return c->mode;
	mode = before;
	for (size_t i = 0; i < c->n; i++) {
		const struct action *a = &c->actions[i];
		uint32_t bits = action_bits(a, mode, before, is_dir);
		if (a->op == '-') {
			mode &= ~bits;
			continue;
		}
		if (a->op == '=')
			mode &= ~a->who;
		mode |= bits;
	}
	return mode;
}

bool co_chmod_octal(const struct co_chmod *c, uint32_t *mode)
{
	if (c->octal)
		*mode = c->mode;
	return c->octal;
}
