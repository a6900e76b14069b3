/* SPDX-License-Identifier: MIT
 *
 * What a name after --from, from= or FROM means.
 */
#include "plan-internal.h"
#include <limits.h>
#include <stdlib.h>

/* A reference without what is understood anyway: "docker.io/library/alpine:latest" is "alpine". */
static size_t familiar(const char **name)
{
	static const char *const understood[] = {"docker.io/", "index.docker.io/", "library/"};
	for (size_t i = 0; i < sizeof(understood) / sizeof(understood[0]); i++)
		if (co_starts(*name, understood[i]))
			*name += strlen(understood[i]);
	size_t n = strlen(*name);
	return co_ends(*name, ":latest") ? n - strlen(":latest") : n;
}

static bool same_image(const char *a, const char *b)
{
	size_t n = familiar(&a), m = familiar(&b);
	return n == m && !memcmp(a, b, n);
}

const struct co_named_context *plan_context(const struct co_plan_opts *o, const char *name)
{
	for (size_t i = 0; i < o->n_contexts; i++)
		if (co_ieq(o->contexts[i].name, name))
			return &o->contexts[i];
	for (size_t i = 0; i < o->n_contexts; i++)
		if (same_image(o->contexts[i].name, name))
			return &o->contexts[i];
	return NULL;
}

static int later_stage(const struct co_plan *p, unsigned in_stage, unsigned index,
		       struct co_err *err)
{
	const struct co_stage_ast *st = &p->dockerfile->stages[index];
	co_fail(err, CO_E_SYNTAX, "stage %s%u%s%s needs to be defined before current stage \"%s\"",
		st->name ? "" : "number ", index, st->name ? ": " : "", st->name ? st->name : "",
		p->dockerfile->stages[in_stage].name ? p->dockerfile->stages[in_stage].name : "");
	return co_hint(err, "move the stage that starts at line %u above this one",
		       st->from->pos.line);
}

static int by_index(struct co_origin *out, const struct co_plan *p, unsigned in_stage,
		    const char *from, bool *found, struct co_err *err)
{
	uint64_t n;
	*found = false;
	if (!co_parse_u64(from, &n))
		return 0;
	if (n >= p->n_stages) {
		co_fail(err, CO_E_SYNTAX, "invalid stage index %s: the Dockerfile has %zu stages",
			from, p->n_stages);
		return co_hint(err, "stages count from 0; a name given with AS is safer");
	}
	if (n >= in_stage)
		return later_stage(p, in_stage, (unsigned)n, err);
	*found = true;
	out->kind = CO_FROM_STAGE;
	out->stage = (unsigned)n;
	return 0;
}

int co_plan_origin(struct co_origin *out, struct co_arena *a, const struct co_plan *p,
		   unsigned in_stage, const char *from, struct co_err *err)
{
	struct co_origin o = {0};
	const struct co_named_context *ctx = plan_context(p->opts, from);
	if (ctx) {
		o.kind = CO_FROM_CONTEXT;
		o.context = ctx;
		*out = o;
		return 0;
	}
	/* the last earlier definition of a name counts */
	unsigned stage;
	if (names_find(p, from, true, in_stage, &stage)) {
		o.kind = CO_FROM_STAGE;
		o.stage = stage;
		*out = o;
		return 0;
	}
	if (names_find(p, from, true, UINT_MAX, &stage))
		return later_stage(p, in_stage, stage, err);
	bool found;
	int r = by_index(&o, p, in_stage, from, &found, err);
	if (r < 0)
		return r;
	if (!found) {
		o.kind = strcmp(from, "scratch") ? CO_FROM_IMAGE : CO_FROM_SCRATCH;
		o.image = co_arena_strdup(a, from);
	}
	*out = o;
	return 0;
}
