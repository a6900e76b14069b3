/* SPDX-License-Identifier: MIT
 *
 * Manual pages, reference page and the table of exit codes.
 */
#include "gen.h"
#include <string.h>

/* roff: a backslash, a dot or quote in front of a line, and "-" that must stay one. */
static void roff(struct co_buf *out, const char *s)
{
	bool start = true;
	for (; *s; s++) {
		if (start && (*s == '.' || *s == '\''))
			co_buf_adds(out, "\\&");
		start = *s == '\n';
		if (*s == '\\')
			co_buf_adds(out, "\\e");
		else if (*s == '-')
			co_buf_adds(out, "\\-");
		else
			co_buf_addc(out, *s);
	}
}

static void roff_upper(struct co_buf *out, const char *s)
{
	for (; *s; s++)
		co_buf_addc(out, *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s);
}

static void roff_opt(struct co_buf *out, const struct opt *o)
{
	co_buf_adds(out, ".TP\n");
	if (o->letter)
		co_buf_addf(out, "\\fB\\-%c\\fR, ", o->letter);
	co_buf_adds(out, "\\fB\\-\\-");
	roff(out, o->name);
	co_buf_adds(out, "\\fR");
	if (o->arg) {
		co_buf_adds(out, " \\fI");
		roff(out, o->arg);
		co_buf_adds(out, "\\fR");
	}
	co_buf_addc(out, '\n');
	roff(out, o->help);
	co_buf_addc(out, '\n');
}

static void roff_refusals(struct co_buf *out, const struct refusal *r)
{
	if (!r)
		return;
	co_buf_adds(out, ".SH NOT CARRIED OUT\nThese flags of other builders are refused by name, "
			 "with what to do instead.\n");
	for (; r->name; r++) {
		co_buf_adds(out, ".TP\n\\fB\\-\\-");
		roff(out, r->name);
		co_buf_adds(out, "\\fR\n");
		roff(out, r->reason);
		if (r->ok) {
			co_buf_adds(out, " (accepted: ");
			roff(out, r->ok);
			co_buf_addc(out, ')');
		}
		co_buf_adds(out, ".\nInstead: ");
		roff(out, r->cure);
		co_buf_adds(out, ".\n");
	}
}

static void roff_codes(struct co_buf *out)
{
	co_buf_adds(out, ".SH EXIT STATUS\n.TP\n0\nsuccess\n");
#define ROW(name, num, status, text) co_buf_addf(out, ".TP\n%d\n%s\n", status, text);
	CO_ERRORS(ROW)
#undef ROW
}

static void roff_commands(struct co_buf *out)
{
	co_buf_adds(out, ".SH COMMANDS\n");
	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		co_buf_addf(out, ".TP\n\\fBcooper\\-%s\\fR(1)\n", commands[i]->name);
		roff(out, commands[i]->summary);
		co_buf_addc(out, '\n');
	}
}

static void roff_environment(struct co_buf *out)
{
	static const char *const rows[][2] = {
		{"COOPER_ROOT", "directory of images and cache"},
		{"SOURCE_DATE_EPOCH", "the time in images, seconds since 1970"},
		{"DOCKER_CONFIG", "directory of config.json with registry credentials"},
		{"NO_COLOR", "no colours when set"},
		{"COOPER_TRAP_ONLY",
		 "when set, steps under the interposer are not patched for speed (to find faults)"},
		{"GITHUB_ACTIONS", "true: groups and annotations for the job's log"}};
	co_buf_adds(out, ".SH ENVIRONMENT\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		co_buf_addf(out, ".TP\n%s\n%s\n", rows[i][0], rows[i][1]);
}

static void roff_examples(struct co_buf *out, const char *examples)
{
	co_buf_adds(out, ".SH EXAMPLES\n.nf\n");
	roff(out, examples);
	co_buf_adds(out, "\n.fi\n");
}

static void man_all(struct co_buf *out)
{
	co_buf_adds(out,
		    ".TH COOPER 1 \"\" \"cooper " COOPER_VERSION "\" \"User Commands\"\n"
		    ".SH NAME\ncooper \\- build container images from a Dockerfile\n"
		    ".SH SYNOPSIS\n\\fBcooper\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
		    ".SH DESCRIPTION\nBuilds container images without a daemon, without root and "
		    "without privileges.\n");
	roff_commands(out);
	roff_environment(out);
	roff_codes(out);
}

void gen_man_page(struct co_buf *out, const struct command *cmd)
{
	if (!cmd) {
		man_all(out);
		return;
	}
	co_buf_adds(out, ".TH COOPER\\-");
	roff_upper(out, cmd->name);
	co_buf_adds(out,
		    " 1 \"\" \"cooper " COOPER_VERSION "\" \"User Commands\"\n.SH NAME\ncooper\\-");
	co_buf_addf(out, "%s \\- ", cmd->name);
	roff(out, cmd->summary);
	co_buf_addf(out, "\n.SH SYNOPSIS\n\\fBcooper %s\\fR ", cmd->name);
	roff(out, cmd->usage);
	co_buf_adds(out, "\n.SH DESCRIPTION\n");
	roff(out, cmd->detail ? cmd->detail : cmd->summary);
	co_buf_adds(out, "\n.SH OPTIONS\n");
	for (const struct opt *o = cmd->opts; o->name; o++)
		roff_opt(out, o);
	roff_refusals(out, cmd->refused);
	if (cmd->examples)
		roff_examples(out, cmd->examples);
	co_buf_adds(out, ".SH SEE ALSO\n\\fBcooper\\fR(1)\n");
}

/* ---- markdown ---- */
static void md_cell(struct co_buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			co_buf_addc(out, '\\');
		co_buf_addc(out, *s == '\n' ? ' ' : *s);
	}
}

static void md_command(struct co_buf *out, const struct command *cmd)
{
	char text[96];
	co_buf_addf(out, "\n## cooper %s\n\n%s.\n\n    cooper %s %s\n", cmd->name, cmd->summary,
		    cmd->name, cmd->usage);
	if (cmd->detail)
		co_buf_addf(out, "\n%s\n", cmd->detail);
	co_buf_adds(out, "\n| Option | Meaning |\n|---|---|\n");
	for (const struct opt *o = cmd->opts; o->name; o++) {
		co_buf_adds(out, "| `");
		md_cell(out, opt_text(o, text, sizeof(text)));
		co_buf_adds(out, "` | ");
		md_cell(out, o->help);
		co_buf_adds(out, " |\n");
	}
	if (cmd->refused)
		co_buf_adds(out, "\nRefused by name, because nothing a user asks for is ignored in "
				 "silence:\n\n| Flag | Why | Instead |\n|---|---|---|\n");
	for (const struct refusal *r = cmd->refused; r && r->name; r++) {
		co_buf_addf(out, "| `--%s` | ", r->name);
		md_cell(out, r->reason);
		if (r->ok)
			co_buf_addf(out, "; `%s` is accepted", r->ok);
		co_buf_adds(out, " | ");
		md_cell(out, r->cure);
		co_buf_adds(out, " |\n");
	}
	if (cmd->examples)
		co_buf_adds(out, "\nExamples:\n\n");
	for (const char *p = cmd->examples; p && *p;) {
		size_t n = strcspn(p, "\n");
		co_buf_addf(out, "  %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

void gen_reference(struct co_buf *out)
{
	co_buf_adds(out, "# Commands\n\nMade by `cooper __gen docs`; do not edit.\n");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			md_command(out, commands[i]);
}

void gen_exit_codes(struct co_buf *out)
{
	co_buf_adds(out, "# Exit status\n\nMade by `cooper __gen docs`; do not edit.\n\n"
			 "| Status | Code | Meaning |\n|---|---|---|\n| 0 | | success |\n");
#define ROW(name, num, status, text) co_buf_addf(out, "| %d | %s | %s |\n", status, #name, text);
	CO_ERRORS(ROW)
#undef ROW
	co_buf_adds(
		out,
		"\nThe code is what `--progress=json` gives in its `error` line.\n\n"
		"A RUN command that is killed by a signal gives 128 and the signal's number.\n"
		"`cooper lint` and `cooper build --check` exit with 1 when something was found.\n");
}
