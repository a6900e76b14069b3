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
			return co_fail(c->err, CO_E_USAGE, "cooper %s: --%s takes a number, not \"%s\"",
				       cmd->name, o->name, value);
		*(unsigned *)at = (unsigned)n;
		return 0;
	case OPT_TEXT:
	default:
		*(const char **)at = value;
		return 0;
	}
}

/* One argument that starts with "-"; *used gets 1 when the next one was its value. */
static int one_option(struct cmd_ctx *c, const struct command *cmd, char **argv, int left,
		      int *used, void *out)
{
	const char *arg = argv[0];
	const struct opt *o;
	const char *value = NULL;
	*used = 0;
	if (arg[1] == '-') {
		size_t n = strcspn(arg + 2, "=");
		o = find_long(cmd, arg + 2, n);
		if (arg[2 + n] == '=')
			value = arg + 3 + n;
	} else {
		o = find_short(cmd, arg[1]);
		if (o && arg[2])
			value = arg[2] == '=' ? arg + 3 : arg + 2;
	}
	if (!o)
		return unknown(c, cmd, arg);
	if (!value && o->kind != OPT_FLAG) {
		if (left < 2)
			return co_fail(c->err, CO_E_USAGE, "cooper %s: %s needs a value (%s)",
				       cmd->name, arg, o->arg);
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
