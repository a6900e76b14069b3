/* SPDX-License-Identifier: MIT
 *
 * lint_from.c — checks of FROM: names of stages, base and platform.
 */
#include "lint-internal.h"

/* Sends a finding to the stage's FROM line. */
#define report(l, st, rule, ...)                                                                   \
	lint_report((l), (rule), (st)->ast->from, (st)->ast->from->pos, __VA_ARGS__)

static bool has_case(const char *s, char first, char last)
{
	for (; *s; s++)
		if (*s >= first && *s <= last)
			return true;
	return false;
}

static void stage_name_casing(struct lint *l, const struct lint_stage *st)
{
	const char *name = st->ast->name_raw;
	if (name && has_case(name, 'A', 'Z'))
		report(l, st, RULE_StageNameCasing, "Stage name '%s' should be lowercase", name);
}

static void from_as_casing(struct lint *l, const struct lint_stage *st)
{
	const char *from = st->ast->from->keyword;
	bool lower = has_case(from, 'a', 'z'), upper = has_case(from, 'A', 'Z');
	/* mixed: ConsistentInstructionCasing says it */
	if (st->ast->from->n_args < 3 || (lower && upper))
		return;
	const char *as = st->ast->from->args[1];
	if (lower ? has_case(as, 'A', 'Z') : has_case(as, 'a', 'z'))
		report(l, st, RULE_FromAsCasing, "'%s' and '%s' keywords' casing do not match", as,
		       from);
}

static void reserved_name(struct lint *l, const struct lint_stage *st)
{
	const char *name = st->ast->name;
	if (name && (!strcmp(name, "context") || !strcmp(name, "scratch")))
		report(l, st, RULE_ReservedStageName,
		       "Stage name should not use the same name as reserved stage %s",
		       lint_quote(l->a, name));
}

static void duplicate_name(struct lint *l, const struct lint_stage *st)
{
	const char *name = st->ast->name;
	if (name && lint_scope_find(&l->names, name))
		report(l, st, RULE_DuplicateStageName,
		       "Duplicate stage name %s, stage names should be unique",
		       lint_quote(l->a, name));
}

static void undefined_arg(struct lint *l, const struct lint_stage *st)
{
	for (size_t i = 0; i < st->from_misses.n; i++) {
		const struct lint_miss *m = &st->from_misses.items[i];
		const char *hint =
			m->suggest ? co_arena_printf(l->a, " (did you mean %s?)", m->suggest) : "";
		report(l, st, RULE_UndefinedArgInFrom, "FROM argument '%s' is not declared%s",
		       m->name, hint);
	}
}

static void invalid_default(struct lint *l, const struct lint_stage *st)
{
	if (l->globals_bad || !st->base || refname_valid(l->a, st->base))
		return;
	report(l, st, RULE_InvalidDefaultArgInFrom,
	       "Default value for ARG %s results in empty or invalid base image name",
	       st->ast->base);
}

static void redundant_platform(struct lint *l, const struct lint_stage *st)
{
	if (st->platform_target)
		report(l, st, RULE_RedundantTargetPlatform,
		       "Setting platform to predefined %s in FROM is redundant as this is the "
		       "default behavior",
		       st->ast->platform);
}

static const char *known_arch(const char *text)
{
	static const char *const names[][2] = {
		{"amd64", "amd64"},	{"x86_64", "amd64"},	{"x86-64", "amd64"},
		{"arm64", "arm64"},	{"aarch64", "arm64"},	{"arm", "arm"},
		{"armhf", "arm"},	{"armel", "arm"},	{"386", "386"},
		{"i386", "386"},	{"ppc64le", "ppc64le"}, {"s390x", "s390x"},
		{"riscv64", "riscv64"}, {"mips64", "mips64"},	{"mips64le", "mips64le"},
		{"loong64", "loong64"}, {"wasm", "wasm"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (co_ieq(text, names[i][0]))
			return names[i][1];
	return NULL;
}

static const char *known_os(const char *text)
{
	static const char *const names[] = {"linux",  "windows", "darwin", "freebsd",
					    "netbsd", "openbsd", "wasip1", "js"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (co_ieq(text, names[i]))
			return names[i];
	return NULL;
}

/* os[/arch[/variant]] or arch. False for what is no platform: the build will refuse it. */
static bool split_platform(struct co_arena *a, const char *text, const char **os, const char **arch)
{
	const char *slash = strchr(text, '/');
	if (!slash) {
		*arch = known_arch(text);
		*os = *arch ? "linux" : known_os(text);
		return *arch || *os;
	}
	size_t n = strcspn(slash + 1, "/");
	const char *first = co_arena_strndup(a, text, (size_t)(slash - text));
	const char *second = co_arena_strndup(a, slash + 1, n);
	*os = known_os(first) ? known_os(first) : first;
	*arch = known_arch(second) ? known_arch(second) : second;
	return **os && **arch;
}

static void constant_platform(struct lint *l, const struct lint_stage *st)
{
	const char *os = NULL, *arch = NULL, *name = st->ast->name;
	if (!st->platform_const || !split_platform(l->a, st->platform, &os, &arch))
		return;
	/* a name such as build-arm64 says that it is meant */
	if (name && ((os && strstr(name, os)) || (arch && strstr(name, arch))))
		return;
	report(l, st, RULE_FromPlatformFlagConstDisallowed,
	       "FROM --platform flag should not use constant value %s",
	       lint_quote(l->a, st->platform));
}

lint_stage_check *const lint_stage_checks[] = {stage_name_casing,  from_as_casing,    reserved_name,
					       duplicate_name,	   invalid_default,   undefined_arg,
					       redundant_platform, constant_platform, NULL};
