/* SPDX-License-Identifier: MIT
 *
 * Command line → option struct, by table.
 */
#include "cli.h"
#include <string.h>

static const struct opt *find_long(const struct command *cmd, const char *name, size_t n)
{
	for (const struct opt *o = cmd->opts; o->name; o++)
		if (strlen(o->name) == n && !strncmp(o->name, name, n))
			return o;
	return NULL;
}

static const struct opt *find_short(const struct command *cmd, char letter)
{
	for (const struct opt *o = cmd->opts; o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static int unknown(struct cmd_ctx *c, const struct command *cmd, const char *arg)
{
	const char *names[128];
	size_t n = 0;
	size_t len = strcspn(arg + 2, "=");
	const char *word = co_arena_strndup(c->arena, arg[1] == '-' ? arg + 2 : arg + 1, len);
	for (const struct opt *o = cmd->opts; o->name && n < 127; o++)
		names[n++] = o->name;
	names[n] = NULL;
	const char *near = arg[1] == '-' ? co_nearest(word, names) : NULL;
	co_fail(c->err, CO_E_USAGE, "cooper %s: unknown flag %s", cmd->name,
		co_arena_strndup(c->arena, arg, arg[1] == '-' ? len + 2 : 2));
	if (near)
		return co_hint(c->err, "did you mean --%s?", near);
	return co_hint(c->err, "see cooper %s --help", cmd->name);
}

static int set_value(struct cmd_ctx *c, const struct command *cmd, const struct opt *o,
		     const char *value, void *out)
{
	char *at = (char *)out + o->offset;
	uint64_t n;
	switch (o->kind) {
	case OPT_FLAG:
		if (value && !co_ieq(value, "true") && !co_ieq(value, "false") &&
		    strcmp(value, "1") && strcmp(value, "0"))
			return co_fail(c->err, CO_E_USAGE,
				       "cooper %s: --%s takes true or false, not \"%s\"", cmd->name,
				       o->name, value);
		*(bool *)at = !value || co_ieq(value, "true") || !strcmp(value, "1");
		return 0;
	case OPT_LIST: {
		struct text_list *l = (struct text_list *)at;
		size_t used = l->n ? l->n + 1 : 0;
		if (!used)
			*co_arena_push(c->arena, l->items, used) = NULL;
		l->items[used - 1] = value;
		*co_arena_push(c->arena, l->items, used) = NULL;
		l->n++;
		return 0;
	}
	case OPT_COUNT:
		if (!co_parse_u64(value, &n) || n > 1000000000)
			return co_fail(c->err, CO_E_USAGE,
				       "cooper %s: --%s takes a number, not \"%s\"", cmd->name,
				       o->name, value);
		*(unsigned *)at = (unsigned)n;
		return 0;
	case OPT_TEXT:
	default:
		*(const char **)at = value;
		return 0;
	}
}

static const struct refusal *find_refusal(const struct command *cmd, const char *arg)
{
	size_t n = strcspn(arg + 2, "=");
	for (const struct refusal *f = cmd->refused; f && f->name; f++)
		if (arg[1] == '-' ? strlen(f->name) == n && !strncmp(f->name, arg + 2, n)
				  : f->letter && f->letter == arg[1])
			return f;
	return NULL;
}

/* A flag of other builders: accepted only with the value that changes nothing. */
static int refuse(struct cmd_ctx *c, const struct command *cmd, const struct refusal *f,
		  char **argv, int left, int *used)
{
	const char *eq = argv[0][1] == '-' ? strchr(argv[0], '=') : NULL;
	const char *value = eq ? eq + 1 : "true";
	if (!eq && f->takes_value) {
		*used = left > 1;
		value = left > 1 ? argv[1] : "";
	}
	if (f->ok && co_ieq(value, f->ok))
		return 0;
	co_fail(c->err, CO_E_UNSUPPORTED, "cooper %s does not carry out --%s: %s", cmd->name,
		f->name, f->reason);
	return co_hint(c->err, "%s", f->cure);
}

static int missing_value(struct cmd_ctx *c, const struct command *cmd, const struct opt *o,
			 const char *arg)
{
	co_fail(c->err, CO_E_USAGE, "cooper %s: %s needs a value (%s)", cmd->name, arg, o->arg);
	return co_hint(c->err, "%s: %s", arg, o->help);
}

/* "-qtNAME": flags may be joined, the first letter that takes a value takes the rest. */
static int short_options(struct cmd_ctx *c, const struct command *cmd, char **argv, int left,
			 int *used, void *out)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		const char one[3] = {'-', *p, '\0'};
		const struct opt *o = find_short(cmd, *p);
		if (!o)
			return unknown(c, cmd, co_arena_strdup(c->arena, one));
		if (o->kind == OPT_FLAG && p[1] != '=') {
			int r = set_value(c, cmd, o, NULL, out);
			if (r < 0)
				return r;
			continue;
		}
		if (p[1])
			return set_value(c, cmd, o, p[1] == '=' ? p + 2 : p + 1, out);
		if (left < 2)
			return missing_value(c, cmd, o, co_arena_strdup(c->arena, one));
		*used = 1;
		return set_value(c, cmd, o, argv[1], out);
	}
	return 0;
}

/* One argument that starts with "-"; *used gets 1 when the next one was its value. */
static int one_option(struct cmd_ctx *c, const struct command *cmd, char **argv, int left,
		      int *used, void *out)
{
	const char *arg = argv[0];
	*used = 0;
	const struct refusal *f = find_refusal(cmd, arg);
	if (f)
		return refuse(c, cmd, f, argv, left, used);
	if (arg[1] != '-')
		return short_options(c, cmd, argv, left, used, out);
	size_t n = strcspn(arg + 2, "=");
	const struct opt *o = find_long(cmd, arg + 2, n);
	if (!o)
		return unknown(c, cmd, arg);
	const char *value = arg[2 + n] == '=' ? arg + 3 + n : NULL;
	if (!value && o->kind != OPT_FLAG) {
		if (left < 2)
			return missing_value(c, cmd, o, arg);
		value = argv[1];
		*used = 1;
	}
	return set_value(c, cmd, o, value, out);
}

int opts_parse(struct cmd_ctx *c, const struct command *cmd, int argc, char **argv, void *out)
{
	bool only_args = false;
	size_t n = 0;
	c->argv = NULL;
	for (int i = 0; i < argc; i++) {
		int used;
		if (only_args || argv[i][0] != '-' || !argv[i][1]) {
			*co_arena_push(c->arena, c->argv, n) = argv[i];
			continue;
		}
		if (!strcmp(argv[i], "--")) {
			only_args = true;
			continue;
		}
		int r = one_option(c, cmd, argv + i, argc - i, &used, out);
		if (r < 0)
			return r;
		i += used;
	}
	c->argc = (int)n;
	return 0;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}
