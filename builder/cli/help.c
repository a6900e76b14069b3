/* SPDX-License-Identifier: MIT
 *
 * --help from the tables.
 */
#include "cli.h"
#include <string.h>

static void print_opt(FILE *f, const struct opt *o)
{
	char left[80];
	int n = snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : "  ",
			 o->letter ? o->letter : ' ', o->letter ? ", " : " ", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");
	if (n > 30)
		fprintf(f, "  %s\n%34s%s\n", left, "", o->help);
	else
		fprintf(f, "  %-30s  %s\n", left, o->help);
}

void help_print(FILE *f, const struct command *cmd)
{
	fprintf(f, "Usage: cooper %s %s\n\n%s\n", cmd->name, cmd->usage, cmd->summary);
	if (cmd->detail)
		fprintf(f, "\n%s\n", cmd->detail);
	fprintf(f, "\nOptions:\n");
	for (const struct opt *o = cmd->opts; o->name; o++)
		print_opt(f, o);
	if (cmd->examples)
		fprintf(f, "\nExamples:\n%s\n", cmd->examples);
}

void help_all(FILE *f)
{
	fprintf(f, "Usage: cooper COMMAND [OPTIONS] …\n\n"
		   "Builds container images from a Dockerfile: no daemon, no root, no privileges.\n\n"
		   "Commands:\n");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			fprintf(f, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
	fprintf(f, "\ncooper COMMAND --help tells more about one.\n"
		   "\nExamples:\n"
		   "  cooper build -t registry.example/app:1 --push .\n"
		   "  cooper inspect registry.example/app:1\n"
		   "  cooper doctor\n");
}
