/* SPDX-License-Identifier: MIT
 *
 * --help from the tables.
 */
#include "cli.h"
#include <string.h>

const char *opt_text(const struct opt *o, char *buf, size_t len)
{
	char letter[8] = "";
	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(buf, len, "%s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	return buf;
}

static void print_opt(FILE *f, const struct opt *o)
{
	char left[96] = "    ";
	size_t at = o->letter ? 0 : 4; /* long names stand below each other */
	opt_text(o, left + at, sizeof(left) - at);
	size_t width = text_width(left, strlen(left));
	if (width > 30)
		fprintf(f, "  %s\n%34s%s\n", left, "", o->help);
	else
		fprintf(f, "  %s%*s  %s\n", left, (int)(30 - width), "", o->help);
}

void help_print(FILE *f, const struct command *cmd)
{
	fprintf(f, "Usage: cooper %s %s\n\n%s\n", cmd->name, cmd->usage, cmd->summary);
	if (cmd->detail)
		fprintf(f, "\n%s\n", cmd->detail);
	fprintf(f, "\nOptions:\n");
	for (const struct opt *o = cmd->opts; o->name; o++)
		print_opt(f, o);
	if (cmd->refused)
		fprintf(f, "\nNot carried out, and refused by name:\n");
	for (const struct refusal *r = cmd->refused; r && r->name; r++)
		fprintf(f, "      --%-24s  %s\n", r->name, r->reason);
	if (cmd->examples)
		fprintf(f, "\nExamples:\n%s\n", cmd->examples);
}

void help_all(FILE *f)
{
	fprintf(f,
		"Usage: cooper COMMAND [OPTIONS] …\n\n"
		"Builds container images from a Dockerfile: no daemon, no root, no privileges.\n\n"
		"Commands:\n");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			fprintf(f, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
	fprintf(f, "\ncooper COMMAND --help tells more about one.\n"
		   "\nExamples:\n"
		   "  cooper build -t registry.example/app:1 --push .\n"
		   "  cooper inspect registry.example/app:1\n"
		   "  cooper lint Dockerfile\n"
		   "  cooper doctor\n");
}
