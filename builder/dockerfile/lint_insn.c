/* SPDX-License-Identifier: MIT
 *
 * lint_insn.c — checks of the instructions in a stage.
 */
#include "expose.h"
#include "lint-internal.h"
#include <strings.h>

#define report(l, step, rule, ...) lint_report((l), (rule), (step)->at, (step)->pos, __VA_ARGS__)

static void maintainer(struct lint *l, const struct lint_stage *st, const struct lint_step *step)
{
	(void)st;
	if (step->insn->op == CO_OP_MAINTAINER)
		report(l, step, RULE_MaintainerDeprecated,
		       "Maintainer instruction is deprecated in favor of using label");
}

static void undefined_var(struct lint *l, const struct lint_stage *st, const struct lint_step *step)
{
	(void)st;
	for (size_t i = 0; i < step->misses.n; i++) {
		const struct lint_miss *m = &step->misses.items[i];
		const char *hint =
			m->suggest ? co_arena_printf(l->a, " (did you mean $%s?)", m->suggest) : "";
		report(l, step, RULE_UndefinedVar, "Usage of undefined variable '$%s'%s", m->name,
		       hint);
	}
}

static void json_args(struct lint *l, const struct lint_stage *st, const struct lint_step *step)
{
	const struct co_insn *insn = step->insn;
	bool command = insn->op == CO_OP_CMD || insn->op == CO_OP_ENTRYPOINT;
	if (command && !insn->json && insn->n_args && !st->shell_set)
		report(l, step, RULE_JSONArgsRecommended,
		       "JSON arguments recommended for %s to prevent unintended behavior related "
		       "to OS signals",
		       insn->keyword);
}

static void relative_workdir(struct lint *l, const struct lint_stage *st,
			     const struct lint_step *step)
{
	if (step->insn->op != CO_OP_WORKDIR || st->workdir_set || step->opaque || !step->n_words)
		return;
	if (step->words[0][0] != '/')
		report(l, step, RULE_WorkdirRelativePath,
		       "Relative workdir %s can have unexpected results if the base image changes",
		       lint_quote(l->a, step->words[0]));
}

/* The earlier one is the one that will be ignored, so the finding stands there. */
static void used_once(struct lint *l, const struct lint_stage *st, const struct lint_step *step)
{
	enum co_op op = step->insn->op;
	if (op != CO_OP_CMD && op != CO_OP_ENTRYPOINT && op != CO_OP_HEALTHCHECK)
		return;
	(void)st;
	if (l->last[op])
		lint_report(l, RULE_MultipleInstructionsDisallowed, l->last[op], l->last_pos[op],
			    "Multiple %s instructions should not be used in the same stage because "
			    "only the last one will be used",
			    step->insn->keyword);
}

static void legacy_key_value(struct lint *l, const struct lint_stage *st,
			     const struct lint_step *step)
{
	const char *name = step->insn->keyword;
	(void)st;
	if (step->insn->legacy_kv)
		report(l, step, RULE_LegacyKeyValueFormat,
		       "\"%s key=value\" should be used instead of legacy \"%s key value\" format",
		       name, name);
}

/* Is one of the words in the name, at its borders or between underscores? */
static bool has_word(const char *name, const char *const *words)
{
	while (*name) {
		size_t n = strcspn(name, "_");
		for (size_t i = 0; words[i]; i++)
			if (strlen(words[i]) == n && !strncasecmp(words[i], name, n))
				return true;
		name += n;
		name += *name == '_';
	}
	return false;
}

static bool secret_name(const char *name)
{
	static const char *const secret[] = {"apikey", "auth",	   "credential", "credentials",
					     "key",    "password", "pword",	 "passwd",
					     "secret", "token",	   NULL};
	static const char *const harmless[] = {"public", "file", "version", NULL};
	return has_word(name, secret) && !has_word(name, harmless);
}

static void secrets(struct lint *l, const struct lint_stage *st, const struct lint_step *step)
{
	enum co_op op = step->insn->op;
	(void)st;
	if (op != CO_OP_ARG && op != CO_OP_ENV)
		return;
	for (size_t i = 0; i < step->n_keys; i++)
		if (secret_name(step->keys[i]))
			report(l, step, RULE_SecretsUsedInArgOrEnv,
			       "Do not use ARG or ENV instructions for sensitive data (%s %s)",
			       co_op_name(op), lint_quote(l->a, step->keys[i]));
}

static bool is_remote(const char *source)
{
	static const char *const starts[] = {"http://", "https://", "git://", "ssh://", "git@"};
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (co_starts(source, starts[i]))
			return true;
	return false;
}

static void ignored_file(struct lint *l, const struct lint_stage *st, const struct lint_step *step)
{
	const struct co_insn *insn = step->insn;
	(void)st;
	if ((insn->op != CO_OP_COPY && insn->op != CO_OP_ADD) || !l->opts->ignored ||
	    step->opaque || co_insn_flag(insn, "from"))
		return;
	for (size_t i = 0; i < step->n_words; i++) {
		const char *source = step->words[i];
		const char *path = co_path_clean_rel(l->a, source);
		/* the context itself is never ignored, whatever becomes of what is in it */
		if (is_remote(source) || !*path || !l->opts->ignored(l->opts->ctx, path))
			continue;
		report(l, step, RULE_CopyIgnoredFile,
		       "Attempting to %s file %s that is excluded by .dockerignore",
		       insn->op == CO_OP_ADD ? "Add" : "Copy", lint_quote(l->a, path));
	}
}

static void expose(struct lint *l, const struct lint_stage *st, const struct lint_step *step)
{
	(void)st;
	if (step->insn->op != CO_OP_EXPOSE)
		return;
	for (size_t i = 0; i < step->n_words; i++) {
		struct expose_parts p;
		struct co_err err = CO_ERR_INIT;
		char **ports;
		size_t n;
		/* a word that is wrong altogether fails the build, with its own message */
		if (co_expose_parse(&ports, &n, l->a, step->words[i], &err) < 0)
			continue;
		expose_split(&p, l->a, step->words[i]);
		if (p.proto[strcspn(p.proto, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
			report(l, step, RULE_ExposeProtoCasing,
			       "Defined protocol '%s' in EXPOSE instruction should be lowercase",
			       step->words[i]);
		if (*p.ip || *p.host)
			report(l, step, RULE_ExposeInvalidFormat,
			       "EXPOSE instruction should not define an IP address or host-port "
			       "mapping, found '%s'",
			       step->words[i]);
	}
}

lint_step_check *const lint_step_checks[] = {
	maintainer,	  undefined_var, json_args,    relative_workdir, used_once,
	legacy_key_value, secrets,	 ignored_file, expose,		 NULL};
