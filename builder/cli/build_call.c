/* SPDX-License-Identifier: MIT
 *
 * Builds that only look: --check, --call=outline, --call=targets, --dry-run.
 */
#include "build_args.h"
#include "lint_report.h"
#include <string.h>

struct look {
	struct cmd_ctx *c;
	const struct co_build_opts *o;
	enum build_call call;
	bool findings;
};

static const char *clean(struct co_arena *a, const char *text)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_sanitize(&b, text ? text : "", text ? strlen(text) : 0, false);
	return co_arena_strdup(a, co_buf_str(&b));
}

static void add_cell(struct look *l, const char ***cells, size_t *n, const char *text)
{
	*co_arena_push(l->c->arena, *cells, *n) = clean(l->c->arena, text);
}

static int check(struct look *l, const struct co_preview *p)
{
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct lint_file f = {.source = &p->dockerfile->source, .findings = p->findings};
	lint_report_find("text")->write(&out, &f, 1);
	fwrite(co_buf_str(&out), 1, out.len, stdout);
	if (!p->findings->n)
		printf("Check complete, no warnings found.\n");
	l->findings = p->findings->n > 0;
	return 0;
}

/* "builder: compiles it" as docker's targets has it: the comment above a FROM describes a stage. */
static const char *described(const struct co_insn *insn, const char *name)
{
	size_t n = name ? strlen(name) : 0;
	for (size_t i = 0; n && i < insn->n_comments; i++)
		if (!strncmp(insn->comments[i], name, n) && insn->comments[i][n] == ' ')
			return insn->comments[i] + n + 1;
	return "";
}

static int targets(struct look *l, const struct co_preview *p)
{
	const struct co_dockerfile *d = p->dockerfile;
	const char **cells = NULL;
	size_t n = 0;
	add_cell(l, &cells, &n, "TARGET");
	add_cell(l, &cells, &n, "BASE");
	add_cell(l, &cells, &n, "DESCRIPTION");
	for (size_t i = 0; i < d->n_stages; i++) {
		const struct co_stage_ast *s = &d->stages[i];
		bool last = i + 1 == d->n_stages;
		const char *name = s->name ? s->name : co_arena_printf(l->c->arena, "%zu", i);
		add_cell(l, &cells, &n,
			 last ? co_arena_printf(l->c->arena, "%s (default)", name) : name);
		add_cell(l, &cells, &n, s->base);
		add_cell(l, &cells, &n, described(s->from, s->name));
	}
	print_table(stdout, cells, 3, n / 3);
	return 0;
}

static const char *given(const struct look *l, const char *key, const char *fallback)
{
	for (size_t i = l->o->n_build_args; i > 0; i--)
		if (!strcmp(l->o->build_args[i - 1].key, key))
			return l->o->build_args[i - 1].value;
	return fallback;
}

static void outline_args(struct look *l, const struct co_insn *insn, const char ***cells, size_t *n)
{
	for (size_t i = 0; insn->op == CO_OP_ARG && i < insn->n_kvs; i++) {
		const struct co_kv *kv = &insn->kvs[i];
		add_cell(l, cells, n, kv->key);
		add_cell(l, cells, n, given(l, kv->key, kv->value));
		add_cell(l, cells, n, described(insn, kv->key));
	}
}

/* One row for each id that RUN --mount=type=secret or ssh names. */
static void outline_mounts(struct look *l, const struct co_insn *insn, const char *type,
			   const char ***cells, size_t *n)
{
	for (size_t i = 0; i < insn->n_flags; i++) {
		struct co_kv *kvs;
		size_t count;
		struct co_err ignore = CO_ERR_INIT;
		struct cmd_ctx c = {.arena = l->c->arena, .err = &ignore};
		const char *id = "default", *required = "false", *t = "";
		if (strcmp(insn->flags[i].name, "mount") || !insn->flags[i].value ||
		    cli_csv(&c, insn->flags[i].value, "--mount", &kvs, &count) < 0)
			continue;
		for (size_t k = 0; k < count; k++) {
			const char *v = kvs[k].value ? kvs[k].value : "true";
			if (co_ieq(kvs[k].key, "type"))
				t = v;
			else if (co_ieq(kvs[k].key, "id"))
				id = v;
			else if (co_ieq(kvs[k].key, "required"))
				required = v;
		}
		if (strcmp(t, type))
			continue;
		add_cell(l, cells, n, id);
		add_cell(l, cells, n, required);
	}
}

static void print_part(const char **cells, size_t columns, size_t n)
{
	if (n <= columns)
		return;
	printf("\n");
	print_table(stdout, cells, columns, n / columns);
}

static void outline_part(struct look *l, const struct co_plan *plan, const char *head,
			 const char *type)
{
	const char **cells = NULL;
	size_t n = 0;
	add_cell(l, &cells, &n, head);
	add_cell(l, &cells, &n, "REQUIRED");
	for (size_t i = 0; i < plan->n_stages; i++)
		for (size_t k = 0; plan->stages[i].needed && k < plan->stages[i].n_insns; k++)
			outline_mounts(l, plan->stages[i].insns[k], type, &cells, &n);
	print_part(cells, 2, n);
}

static int outline(struct look *l, const struct co_preview *p)
{
	const struct co_plan *plan = p->plan;
	const struct co_stage_ast *target = plan->stages[plan->target].ast;
	const char **cells = NULL;
	size_t n = 0;
	if (target->name)
		printf("TARGET: %s\n", clean(l->c->arena, target->name));
	add_cell(l, &cells, &n, "BUILD ARG");
	add_cell(l, &cells, &n, "VALUE");
	add_cell(l, &cells, &n, "DESCRIPTION");
	for (size_t i = 0; i < p->dockerfile->n_globals; i++)
		outline_args(l, p->dockerfile->globals[i], &cells, &n);
	for (size_t i = 0; i < plan->n_stages; i++)
		for (size_t k = 0; plan->stages[i].needed && k < plan->stages[i].n_insns; k++)
			outline_args(l, plan->stages[i].insns[k], &cells, &n);
	print_part(cells, 3, n);
	outline_part(l, plan, "SECRET", "secret");
	outline_part(l, plan, "SSH", "ssh");
	return 0;
}

static int dry_run(struct look *l, const struct co_preview *p)
{
	const struct co_plan *plan = p->plan;
	char text[128];
	int step = 0;
	printf("%u steps for %s\n", plan->n_steps,
	       co_platform_str(p->platform, text, sizeof(text)));
	for (size_t i = 0; i < plan->n_stages; i++) {
		const struct co_plan_stage *s = &plan->stages[i];
		const char *name = s->ast->name ? clean(l->c->arena, s->ast->name) : "";
		if (!s->needed) {
			printf("     stage %s is not needed\n",
			       *name ? name : co_arena_printf(l->c->arena, "%zu", i));
			continue;
		}
		printf("%3d  [%s] FROM %s\n", ++step, name, clean(l->c->arena, s->ast->base));
		for (size_t k = 0; k < s->n_insns; k++) {
			const char *original = s->insns[k]->original;
			const char *line =
				co_arena_strndup(l->c->arena, original, strcspn(original, "\n"));
			printf("%3d  [%s] %s\n", ++step, name, clean(l->c->arena, line));
		}
	}
	return 0;
}

static int show(void *ctx, const struct co_preview *p, struct co_err *err)
{
	struct look *l = ctx;
	(void)err;
	switch (l->call) {
	case CALL_CHECK:
		return check(l, p);
	case CALL_TARGETS:
		return targets(l, p);
	case CALL_OUTLINE:
		return outline(l, p);
	case CALL_PLAN:
	case CALL_BUILD:
	default:
		return dry_run(l, p);
	}
}

int build_call(struct cmd_ctx *c, struct co_build_opts *o, enum build_call call)
{
	struct look l = {.c = c, .o = o, .call = call};
	struct co_build_result res;
	o->preview = show;
	o->preview_ctx = &l;
	o->preview_plan = call == CALL_OUTLINE || call == CALL_PLAN;
	int r = co_build(o, NULL, &res, c->err);
	return r < 0 ? r : l.findings ? 1 : 0;
}
