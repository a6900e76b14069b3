/* SPDX-License-Identifier: MIT
 *
 * Completions for bash, zsh and fish.
 */
#include "gen.h"
#include <string.h>

static void each_name(struct co_buf *out, const char *sep)
{
	bool first = true;
	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		co_buf_addf(out, "%s%s", first ? "" : sep, commands[i]->name);
		first = false;
	}
}

/* Inside single quotes. */
static void quoted(struct co_buf *out, const char *s, const char *also)
{
	for (; *s; s++) {
		if (*s == '\'')
			co_buf_adds(out, "'\\''");
		else if (strchr(also, *s))
			co_buf_addf(out, "\\%c", *s);
		else
			co_buf_addc(out, *s);
	}
}

static bool takes_path(const struct opt *o)
{
	static const char *const paths[] = {"FILE", "DIR", "SPEC"};
	for (size_t i = 0; o->arg && i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!strcmp(o->arg, paths[i]))
			return true;
	return false;
}

static void bash_case(struct co_buf *out, const struct command *cmd)
{
	co_buf_addf(out, "\t%s)\n\t\topts='", cmd->name);
	for (const struct opt *o = cmd->opts; o->name; o++)
		co_buf_addf(out, "%s--%s", o == cmd->opts ? "" : " ", o->name);
	co_buf_adds(out, "'\n\t\tvalues='");
	for (const struct opt *o = cmd->opts; o->name; o++) {
		if (o->kind == OPT_FLAG || takes_path(o))
			continue;
		co_buf_addf(out, " --%s", o->name);
		if (o->letter)
			co_buf_addf(out, " -%c", o->letter);
	}
	co_buf_adds(out, " '\n\t\t;;\n");
}

void gen_bash(struct co_buf *out)
{
	co_buf_adds(out,
		    "# bash completion for cooper; made by cooper __gen\n"
		    "# shellcheck shell=bash\n"
		    "_cooper() {\n"
		    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		    "\tlocal opts='' values=''\n"
		    "\tCOMPREPLY=()\n"
		    "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	each_name(out, " ");
	co_buf_adds(out, "' -- \"$cur\")\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			bash_case(out, commands[i]);
	co_buf_adds(out, "\tesac\n"
			 "\tif [[ $values == *\" $prev \"* ]]; then\n\t\treturn\n\tfi\n"
			 "\tif [[ $cur == -* ]]; then\n"
			 "\t\tmapfile -t COMPREPLY < <(compgen -W \"$opts\" -- \"$cur\")\n"
			 "\telse\n"
			 "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
			 "\tfi\n"
			 "}\n"
			 "complete -o filenames -F _cooper cooper\n");
}

static void zsh_spec(struct co_buf *out, const struct opt *o, bool letter)
{
	co_buf_adds(out, " \\\n\t\t\t'");
	if (o->kind == OPT_LIST)
		co_buf_addc(out, '*');
	if (letter)
		co_buf_addf(out, "-%c%s", o->letter, o->arg ? "+" : "");
	else
		co_buf_addf(out, "--%s%s", o->name, o->arg ? "=" : "");
	co_buf_addc(out, '[');
	quoted(out, o->help, "[]:\\");
	co_buf_addc(out, ']');
	if (o->arg) {
		co_buf_addc(out, ':');
		quoted(out, o->arg, "[]:\\");
		co_buf_adds(out, takes_path(o) ? ":_files" : ": ");
	}
	co_buf_addc(out, '\'');
}

void gen_zsh(struct co_buf *out)
{
	co_buf_adds(out, "#compdef cooper\n# made by cooper __gen\n_cooper() {\n"
			 "\tlocal -a names\n\tnames=(\n");
	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		co_buf_addf(out, "\t\t'%s:", commands[i]->name);
		quoted(out, commands[i]->summary, ":\\");
		co_buf_adds(out, "'\n");
	}
	co_buf_adds(out, "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command names\n"
			 "\t\treturn\n\tfi\n\tlocal command=$words[2]\n\tshift words\n"
			 "\t(( CURRENT-- ))\n\tcase $command in\n");
	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		co_buf_addf(out, "\t%s)\n\t\t_arguments -s -S", commands[i]->name);
		for (const struct opt *o = commands[i]->opts; o->name; o++) {
			zsh_spec(out, o, false);
			if (o->letter)
				zsh_spec(out, o, true);
		}
		co_buf_adds(out, " \\\n\t\t\t'*:argument:_files'\n\t\t;;\n");
	}
	co_buf_adds(out, "\tesac\n}\n_cooper \"$@\"\n");
}

void gen_fish(struct co_buf *out)
{
	co_buf_adds(out, "# fish completion for cooper; made by cooper __gen\n"
			 "complete -c cooper -n __fish_use_subcommand -f\n");
	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		co_buf_addf(out, "complete -c cooper -n __fish_use_subcommand -a %s -d '",
			    commands[i]->name);
		quoted(out, commands[i]->summary, "\\");
		co_buf_adds(out, "'\n");
	}
	for (size_t i = 0; commands[i]; i++)
		for (const struct opt *o = commands[i]->opts; !commands[i]->hidden && o->name;
		     o++) {
			co_buf_addf(out,
				    "complete -c cooper -n '__fish_seen_subcommand_from %s' -l %s",
				    commands[i]->name, o->name);
			if (o->letter)
				co_buf_addf(out, " -s %c", o->letter);
			if (o->arg)
				co_buf_adds(out, takes_path(o) ? " -r" : " -x");
			co_buf_adds(out, " -d '");
			quoted(out, o->help, "\\");
			co_buf_adds(out, "'\n");
		}
}
