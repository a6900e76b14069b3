/* SPDX-License-Identifier: MIT
 *
 * What speaks to the builder itself: the syntax directive and build arguments with names of their
 * own. Each is carried out (here or in plan and exec), told, or refused; none is passed over.
 */
#include "flow-internal.h"

static bool is_true(const char *text)
{
	return co_ieq(text, "true") || co_ieq(text, "t") || !strcmp(text, "1");
}

static const char *given(const struct build *b, const char *key)
{
	for (size_t i = b->o->n_build_args; i > 0; i--)
		if (!strcmp(b->o->build_args[i - 1].key, key))
			return b->o->build_args[i - 1].value;
	return NULL;
}

/* The Dockerfile frontend under its own names, or mirrored under any registry. */
static bool is_dockerfile_frontend(const char *ref)
{
	static const char *const names[] = {"docker/dockerfile", "docker/dockerfile-upstream"};
	const char *at = strchr(ref, '@');
	size_t len = at ? (size_t)(at - ref) : strlen(ref);
	for (size_t i = len; i > 0 && ref[i - 1] != '/'; i--)
		if (ref[i - 1] == ':')
			len = i - 1;
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(names[i]);
		if (len >= n && !strncmp(ref + len - n, names[i], n) &&
		    (len == n || ref[len - n - 1] == '/'))
			return true;
	}
	return false;
}

static int check_frontend(struct build *b, struct co_err *err)
{
	const char *arg = given(b, "BUILDKIT_SYNTAX");
	const char *ref = arg && *arg ? arg : b->ast->syntax;
	if (!ref || !*ref || is_dockerfile_frontend(ref))
		return 0;
	co_fail(err, CO_E_UNSUPPORTED, "the frontend \"%.200s\" is not run", ref);
	co_hint(err, "cooper reads the Dockerfile language itself; if the file is written in it, "
		     "take the directive out or pass --build-arg "
		     "BUILDKIT_SYNTAX=docker/dockerfile:1");
	return ref == arg ? err->code : co_locate(err, &b->source, b->ast->syntax_pos);
}

bool special_keeps_git_dir(const struct build *b)
{
	const char *value = given(b, "BUILDKIT_CONTEXT_KEEP_GIT_DIR");
	return value && is_true(value);
}

int special_check(struct build *b, struct co_err *err)
{
	static const char *const untrue[][2] = {
		{"BUILDKIT_INLINE_CACHE", "not taken as a wish; write --cache-to type=inline"},
		{"BUILDKIT_SBOM_SCAN_CONTEXT", "SBOM attestations are not made"},
		{"BUILDKIT_SBOM_SCAN_STAGE", "SBOM attestations are not made"},
	};
	int r = check_frontend(b, err);
	if (r < 0)
		return r;
	const char *value = given(b, "BUILDKIT_MULTI_PLATFORM");
	b->as_index = value && is_true(value);
	for (size_t i = 0; i < sizeof(untrue) / sizeof(untrue[0]); i++) {
		value = given(b, untrue[i][0]);
		if (value && *value && strcmp(value, "0") && !co_ieq(value, "false"))
			co_warn(b->bus, "UnusedBuildArg", "%s: %s", untrue[i][0], untrue[i][1]);
	}
	return 0;
}

/* ---- arguments that nothing declares ---- */

static bool predefined(const char *key)
{
	static const char *const names[] = {
		"HTTP_PROXY",	   "HTTPS_PROXY",    "FTP_PROXY",
		"NO_PROXY",	   "ALL_PROXY",	     "SOURCE_DATE_EPOCH",
		"TARGETSTAGE",	   "TARGETPLATFORM", "TARGETOS",
		"TARGETOSVERSION", "TARGETARCH",     "TARGETVARIANT",
		"BUILDPLATFORM",   "BUILDOS",	     "BUILDOSVERSION",
		"BUILDARCH",	   "BUILDVARIANT",   NULL};
	for (size_t i = 0; names[i]; i++)
		if (co_ieq(names[i], key))
			return true;
	return co_starts(key, "BUILDKIT_");
}

static bool declares(const struct co_insn *insn, const char *key)
{
	if (insn->op == CO_OP_ONBUILD && insn->inner)
		insn = insn->inner;
	for (size_t i = 0; insn->op == CO_OP_ARG && i < insn->n_kvs; i++)
		if (!strcmp(insn->kvs[i].key, key))
			return true;
	return false;
}

static bool declared(const struct co_plan *plan, const char *key)
{
	const struct co_dockerfile *d = plan->dockerfile;
	for (size_t i = 0; i < d->n_globals; i++)
		if (declares(d->globals[i], key))
			return true;
	for (size_t i = 0; i < plan->n_stages; i++) {
		const struct co_plan_stage *st = &plan->stages[i];
		for (size_t k = 0; k < st->ast->n_insns; k++)
			if (declares(st->ast->insns[k], key))
				return true;
		for (size_t k = 0; k < st->n_triggers; k++)
			if (declares(st->insns[k], key))
				return true;
	}
	return false;
}

void special_unused(struct build *b, const struct co_plan *plan)
{
	if (b->told_unused)
		return;
	b->told_unused = true;
	for (size_t i = 0; i < b->o->n_build_args; i++) {
		const char *key = b->o->build_args[i].key;
		if (!predefined(key) && !declared(plan, key))
			co_warn(b->bus, "UnusedBuildArg",
				"build argument %s was not consumed: no ARG %s in the Dockerfile",
				key, key);
	}
}
