/* SPDX-License-Identifier: MIT
 *
 * lint_config.c — check=… of a directive, of a comment, or from the caller.
 */
#include "lint-internal.h"
#include <strings.h>

static const char *const rule_names[] = {
#define LINT_NAME(name, slug, experimental, description) #name,
	LINT_RULES(LINT_NAME)
#undef LINT_NAME
};

static char *trimmed(struct co_arena *a, const char *s, size_t n)
{
	while (n && co_is_space(*s)) {
		s++;
		n--;
	}
	while (n && co_is_space(s[n - 1]))
		n--;
	return co_arena_strndup(a, s, n);
}

/* Names that are no rule are let be: the file may be written for another version. */
static void parse_list(uint32_t *mask, bool *all, struct co_arena *a, const char *list)
{
	*mask = 0;
	*all = !strcmp(list, "all");
	while (*list) {
		size_t n = strcspn(list, ",");
		const char *name = trimmed(a, list, n);
		for (size_t i = 0; i < RULE_COUNT; i++)
			if (!strcmp(name, rule_names[i]))
				*mask |= 1u << i;
		list += n;
		list += *list == ',';
	}
}

static int parse_part(struct lint_config *c, struct co_arena *a, const char *part, size_t len,
		      struct co_err *err)
{
	const char *eq = memchr(part, '=', len);
	if (!eq)
		return co_fail(err, CO_E_SYNTAX, "invalid check option \"%.*s\"", (int)len, part);
	const char *key = trimmed(a, part, (size_t)(eq - part));
	const char *value = trimmed(a, eq + 1, len - (size_t)(eq - part) - 1);
	if (!strcmp(key, "skip")) {
		parse_list(&c->skip, &c->skip_all, a, value);
	} else if (!strcmp(key, "experimental")) {
		parse_list(&c->experimental, &c->experimental_all, a, value);
	} else if (!strcmp(key, "error")) {
		if (!value_bool(value, &c->error))
			return co_fail(err, CO_E_SYNTAX,
				       "failed to parse check option \"%.*s\": invalid boolean",
				       (int)len, part);
	} else {
		co_fail(err, CO_E_SYNTAX, "invalid check option \"%s\"", key);
		return co_hint(err, "the options are skip, error and experimental");
	}
	return 0;
}

int lint_config_parse(struct lint_config *out, struct co_arena *a, const char *text,
		      struct co_err *err)
{
	struct lint_config c = {0};
	const char *s = trimmed(a, text, strlen(text));
	/* three parts at most: a further ';' belongs to the third */
	for (int part = 0; *s; part++) {
		size_t len = part < 2 ? strcspn(s, ";") : strlen(s);
		int r = parse_part(&c, a, s, len, err);
		if (r < 0)
			return r;
		s += len;
		if (*s == ';' && !*++s)
			return parse_part(&c, a, s, 0, err);
	}
	*out = c;
	return 0;
}

const char *lint_config_comment(const char *comment)
{
	while (co_is_space(*comment))
		comment++;
	if (strncasecmp(comment, "check", 5))
		return NULL;
	comment += 5;
	while (co_is_space(*comment))
		comment++;
	if (*comment != '=')
		return NULL;
	comment++;
	while (co_is_space(*comment))
		comment++;
	return comment;
}
