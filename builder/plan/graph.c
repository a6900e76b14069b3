/* SPDX-License-Identifier: MIT
 *
 * Which stages does the target need, and on what do they rest. Unused stages are parsed but never
 * resolved; ONBUILD triggers of a base may add dependencies, so bases are resolved on the way.
 */
#include "plan-internal.h"
#include <limits.h>
#include <strings.h>

static const char *global_get(void *ctx, const char *name)
{
	return plan_global(ctx, name);
}

static int expand_global(struct co_plan *p, struct co_arena *a, const char *word, struct co_pos pos,
			 const char **out, struct co_err *err)
{
	struct co_vars vars = {.get = global_get, .ctx = p};
	char *text;
	if (co_expand(&text, a, word, p->dockerfile->escape, &vars, err) < 0)
		return co_locate(err, &p->dockerfile->source, pos);
	*out = text;
	return 0;
}

/* What is wrong with a value of FROM is the Dockerfile's fault, not the command line's. */
static int at_from(const struct co_plan *p, struct co_pos pos, struct co_err *err)
{
	if (err->code == CO_E_USAGE)
		err->code = CO_E_SYNTAX;
	return co_locate(err, &p->dockerfile->source, pos);
}

static int stage_platform(struct co_plan *p, struct co_arena *a, struct co_plan_stage *st,
			  struct co_err *err)
{
	st->platform = p->opts->target;
	if (!st->ast->platform)
		return 0;
	const struct co_flag *flag = co_insn_flag(st->ast->from, "platform");
	struct co_pos pos = flag ? flag->pos : st->ast->from->pos;
	const char *text = NULL;
	int r = expand_global(p, a, st->ast->platform, pos, &text, err);
	if (r < 0)
		return r;
	if (!*text) {
		co_fail(err, CO_E_SYNTAX, "empty platform value from expression %s",
			st->ast->platform);
		co_hint(err, "declare the ARG before the first FROM, or pass it with --build-arg");
		return co_locate(err, &p->dockerfile->source, pos);
	}
	if (co_platform_parse(&st->platform, text, err) < 0)
		return at_from(p, pos, err);
	/* an empty image is for the target, whatever the flag says (the frontend does so) */
	if (st->base.kind == CO_FROM_SCRATCH)
		st->platform = p->opts->target;
	return 0;
}

static struct co_pos base_pos(const struct co_plan_stage *st)
{
	const struct co_insn *from = st->ast->from;
	return from->n_args ? from->arg_pos[0] : from->pos;
}

static int stage_base(struct co_plan *p, struct co_arena *a, struct co_plan_stage *st,
		      struct co_err *err)
{
	struct co_pos pos = base_pos(st);
	const char *name = NULL;
	int r = expand_global(p, a, st->ast->base, pos, &name, err);
	if (r < 0)
		return r;
	if (!*name) {
		co_fail(err, CO_E_SYNTAX, "base name (%s) should not be blank", st->ast->base);
		co_hint(err, "give the ARG a default: ARG NAME=value before the first FROM");
		return co_locate(err, &p->dockerfile->source, pos);
	}
	if (!strcmp(name, "scratch")) {
		st->base.kind = CO_FROM_SCRATCH;
		return 0;
	}
	/* a named context takes the place of a stage or image of its name */
	const struct co_named_context *context = plan_context(p->opts, name);
	if (context) {
		st->base.kind = CO_FROM_CONTEXT;
		st->base.context = context;
		return 0;
	}
	/* FROM compares stage names as written (fact sheet 5) and takes only earlier ones */
	unsigned other;
	if (names_find(p, name, false, st->index, &other)) {
		st->base.kind = CO_FROM_STAGE;
		st->base.stage = other;
		return 0;
	}
	st->base.kind = CO_FROM_IMAGE;
	st->base.image = name;
	return 0;
}

/* seen[i] is the stage that depended on i last: one look, however many there are. */
static void add_dep(struct co_plan *p, struct co_plan_stage *st, struct co_arena *a, unsigned dep)
{
	if (p->seen[dep] == st->index + 1)
		return;
	p->seen[dep] = st->index + 1;
	*co_arena_push(a, st->deps, st->n_deps) = dep;
}

/* Triggers of the base are parsed and put in front; their errors are shown at the FROM line. */
static int add_triggers(struct co_plan *p, struct co_arena *a, struct co_plan_stage *st,
			const struct co_strs *onbuild, struct co_err *err)
{
	for (size_t i = 0; i < onbuild->n; i++) {
		struct co_source src = {"ONBUILD trigger", onbuild->items[i],
					strlen(onbuild->items[i])};
		struct co_insn *insn;
		struct co_err inner = CO_ERR_INIT;
		if (co_dockerfile_parse_one(&insn, a, &src, &inner) < 0) {
			co_fail(err, CO_E_SYNTAX, "ONBUILD trigger of the base image, \"%s\": %s",
				onbuild->items[i], inner.msg);
			return co_locate(err, &p->dockerfile->source, st->ast->from->pos);
		}
		insn->pos = st->ast->from->pos;
		for (size_t k = 0; k < insn->n_args && insn->arg_pos; k++)
			insn->arg_pos[k] = st->ast->from->pos;
		for (size_t k = 0; k < insn->n_flags; k++)
			insn->flags[k].pos = st->ast->from->pos;
		for (size_t k = 0; k < insn->n_kvs; k++)
			insn->kvs[k].pos = st->ast->from->pos;
		*co_arena_push(a, st->insns, st->n_insns) = insn;
	}
	st->n_triggers = st->n_insns;
	return 0;
}

static void stage_onbuild(const struct co_plan_stage *st, struct co_arena *a, struct co_strs *out)
{
	for (size_t i = 0; i < st->ast->n_insns; i++)
		if (st->ast->insns[i]->op == CO_OP_ONBUILD)
			co_strs_add(out, a, st->ast->insns[i]->args[0]);
}

static int base_triggers(struct co_plan *p, struct co_arena *a, struct co_plan_stage *st,
			 struct co_err *err)
{
	struct co_strs list = {0};
	if (st->base.kind == CO_FROM_STAGE)
		stage_onbuild(&p->stages[st->base.stage], a, &list);
	else if (st->image)
		list = st->image->config.onbuild;
	return add_triggers(p, a, st, &list, err);
}

static int resolve_base(struct co_plan *p, struct co_plan_stage *st, struct co_err *err)
{
	if (st->base.kind == CO_FROM_CONTEXT &&
	    !co_starts(st->base.context->spec, "docker-image://") &&
	    !co_starts(st->base.context->spec, "oci-layout://"))
		return 0; /* a directory, archive or git tree: the executor brings it in */
	if (st->base.kind != CO_FROM_IMAGE && st->base.kind != CO_FROM_CONTEXT)
		return 0;
	const char *name = st->base.kind == CO_FROM_IMAGE ? st->base.image : st->base.context->spec;
	if (p->opts->resolve(p->opts->ctx, name, &st->platform, &st->image, err) < 0) {
		unsigned other;
		co_wrap(err, "FROM %s", name);
		if (names_find(p, name, true, UINT_MAX, &other) && other >= st->index)
			co_hint(err, "FROM takes earlier stages only; stage %s begins at line %u",
				p->dockerfile->stages[other].name,
				p->dockerfile->stages[other].from->pos.line);
		else if (names_find(p, name, true, st->index, &other))
			co_hint(err, "stage names are lower case: write FROM %s",
				p->dockerfile->stages[other].name);
		return at_from(p, base_pos(st), err);
	}
	/* a single-platform base is adopted as it is when the user asked for no platform */
	const struct co_platform *got = &st->image->config.platform;
	if (!co_platform_eq(got, &st->platform) && got->arch[0]) {
		char want[128], have[128];
		co_platform_str(&st->platform, want, sizeof(want));
		co_platform_str(got, have, sizeof(have));
		if (p->opts->platform_given || st->ast->platform)
			co_warn(p->opts->bus, "InvalidBaseImagePlatform",
				"base image %s was pulled with platform \"%s\", expected \"%s\"",
				name, have, want);
		else
			st->platform = *got;
	}
	return 0;
}

static int dep_of(struct co_plan *p, struct co_arena *a, struct co_plan_stage *st, const char *from,
		  struct co_pos pos, struct co_err *err)
{
	struct co_origin o;
	if (co_plan_origin(&o, a, p, st->index, from, err) < 0)
		return co_locate(err, &p->dockerfile->source, pos);
	if (o.kind == CO_FROM_STAGE)
		add_dep(p, st, a, o.stage);
	return 0;
}

/* from= inside a --mount value, without expanding the rest (variables are not allowed there). */
static const char *mount_from(struct co_arena *a, const char *csv)
{
	for (const char *p = csv; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncasecmp(p, "from=", 5))
			return co_arena_strndup(a, p + 5, strcspn(p + 5, ",\""));
	return NULL;
}

static int insn_deps(struct co_plan *p, struct co_arena *a, struct co_plan_stage *st,
		     const struct co_insn *insn, struct co_err *err)
{
	for (size_t i = 0; i < insn->n_flags; i++) {
		const struct co_flag *f = &insn->flags[i];
		const char *from = NULL;
		if (insn->op == CO_OP_COPY && !strcmp(f->name, "from"))
			from = f->value;
		else if (insn->op == CO_OP_RUN && !strcmp(f->name, "mount") && f->value)
			from = mount_from(a, f->value);
		if (!from || !*from)
			continue;
		int r = dep_of(p, a, st, from, f->pos, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What the text alone says: platform, and the stages that it names. */
static int visit_text(struct co_plan *p, struct co_arena *a, unsigned index, struct co_err *err)
{
	struct co_plan_stage *st = &p->stages[index];
	if (st->needed)
		return 0;
	st->needed = true;
	int r = stage_platform(p, a, st, err);
	if (st->base.kind == CO_FROM_STAGE)
		add_dep(p, st, a, st->base.stage);
	for (size_t i = 0; r == 0 && i < st->ast->n_insns; i++)
		r = insn_deps(p, a, st, st->ast->insns[i], err);
	return r;
}

/* What the base image adds: triggers, and the stages that they name. */
static int visit_base(struct co_plan *p, struct co_arena *a, unsigned index, struct co_err *err)
{
	struct co_plan_stage *st = &p->stages[index];
	int r = resolve_base(p, st, err);
	if (!r)
		r = base_triggers(p, a, st, err);
	for (size_t i = 0; r == 0 && i < st->n_triggers; i++)
		r = insn_deps(p, a, st, st->insns[i], err);
	for (size_t i = 0; r == 0 && i < st->ast->n_insns; i++)
		*co_arena_push(a, st->insns, st->n_insns) = st->ast->insns[i];
	return r;
}

static int find_target(struct co_plan *p, struct co_arena *a, struct co_err *err)
{
	const char *want = p->opts->target_stage;
	p->target = (unsigned)p->n_stages - 1;
	if (!want || !*want)
		return 0;
	if (names_find(p, want, true, UINT_MAX, &p->target))
		return 0;
	uint64_t n;
	if (co_parse_u64(want, &n) && n < p->n_stages) {
		p->target = (unsigned)n;
		return 0;
	}
	const char **names = NULL;
	size_t n_names = 0;
	for (size_t i = 0; i < p->n_stages; i++)
		if (p->dockerfile->stages[i].name)
			*co_arena_push(a, names, n_names) = p->dockerfile->stages[i].name;
	*co_arena_push(a, names, n_names) = NULL;
	const char *near = co_nearest(want, names);
	co_fail(err, CO_E_USAGE, "target stage \"%s\" could not be found", want);
	if (near)
		co_hint(err, "did you mean %s?", near);
	return err->code;
}

static void want_deps(const struct co_plan_stage *st, bool *want)
{
	for (size_t k = 0; k < st->n_deps; k++)
		want[st->deps[k]] = true;
}

/* Dependencies always point to earlier stages, so one pass from the target down finds them all. The
 * text comes first: no registry is asked for the sake of a file that is wrong. */
static int mark_needed(struct co_plan *p, struct co_arena *a, struct co_err *err)
{
	bool *want = co_arena_alloc(a, p->n_stages * sizeof(bool));
	want[p->target] = true;
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = p->target + 1; i > 0; i--) {
			if (!want[i - 1])
				continue;
			int r = visit_text(p, a, i - 1, err);
			if (!r && pass == 1)
				r = visit_base(p, a, i - 1, err);
			if (r < 0)
				return r;
			want_deps(&p->stages[i - 1], want);
		}
	return 0;
}

/* A filter for a stage that is not there would do nothing, unseen. */
static int mark_uncached(struct co_plan *p, struct co_arena *a, struct co_err *err)
{
	for (const char *const *w = p->opts->no_cache_stages; w && *w; w++) {
		const char **names = NULL;
		size_t n = 0;
		bool found = false;
		for (size_t i = 0; i < p->n_stages; i++) {
			const char *name = p->dockerfile->stages[i].name;
			if (!name)
				continue;
			bool same = co_ieq(name, *w);
			p->stages[i].no_cache |= same;
			found |= same;
			*co_arena_push(a, names, n) = name;
		}
		*co_arena_push(a, names, n) = NULL;
		if (found)
			continue;
		const char *near = co_nearest(*w, names);
		co_fail(err, CO_E_USAGE, "--no-cache-filter: there is no stage \"%s\"", *w);
		return near ? co_hint(err, "did you mean %s?", near) : err->code;
	}
	return 0;
}

int co_plan_make(struct co_plan **out, struct co_arena *a, const struct co_dockerfile *d,
		 const struct co_plan_opts *opts, struct co_err *err)
{
	struct co_plan *p = co_arena_new(a, struct co_plan);
	p->dockerfile = d;
	p->opts = opts;
	p->n_stages = d->n_stages;
	p->stages = co_arena_alloc(a, d->n_stages * sizeof(*p->stages));
	p->seen = co_arena_alloc(a, d->n_stages * sizeof(*p->seen));
	names_make(p, a);
	int r = plan_globals(p, a, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < p->n_stages; i++) {
		p->stages[i].ast = &d->stages[i];
		p->stages[i].index = i;
	}
	r = mark_uncached(p, a, err);
	if (!r)
		r = find_target(p, a, err);
	/* names are expanded for every stage up to the target: an error there is an error */
	for (unsigned i = 0; r == 0 && i <= p->target; i++)
		r = stage_base(p, a, &p->stages[i], err);
	if (r == 0)
		r = mark_needed(p, a, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < p->n_stages; i++)
		if (p->stages[i].needed)
			p->n_steps += 1 + (unsigned)p->stages[i].n_insns;
	*out = p;
	return 0;
}
