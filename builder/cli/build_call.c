/* SPDX-License-Identifier: MIT
 *
 * Builds that only look: --check, --call=outline, --call=targets, --dry-run. Each as text or, with
 * ,format=json, as a document with the member names of the frontend's own.
 */
#include "build_call.h"
#include "lint_report.h"
#include <cooper/json.h>
#include <string.h>

const char *call_clean(struct look *l, const char *text)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_sanitize(&b, text ? text : "", text ? strlen(text) : 0, false);
	return co_arena_strdup(l->c->arena, co_buf_str(&b));
}

void call_cell(struct look *l, const char ***cells, size_t *n, const char *text)
{
	*co_arena_push(l->c->arena, *cells, *n) = call_clean(l, text);
}

const char *call_described(const struct co_insn *insn, const char *name)
{
	size_t n = name ? strlen(name) : 0;
	for (size_t i = 0; n && i < insn->n_comments; i++)
		if (!strncmp(insn->comments[i], name, n) && insn->comments[i][n] == ' ')
			return insn->comments[i] + n + 1;
	return "";
}

void call_put(json_t *o, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(o, key, co_json_string(text));
}

static json_t *point(unsigned line, unsigned col)
{
	json_t *o = json_object();
	json_object_set_new(o, "line", json_integer(line));
	if (col > 1)
		json_object_set_new(o, "character", json_integer(col - 1));
	return o;
}

void call_location(json_t *o, struct co_pos pos)
{
	if (!pos.line)
		return;
	json_t *range = json_object(), *ranges = json_array(), *location = json_object();
	json_object_set_new(range, "start", point(pos.line, pos.col));
	json_object_set_new(range, "end",
			    point(pos.end_line > pos.line ? pos.end_line : pos.line, 0));
	json_array_append_new(ranges, range);
	json_object_set_new(location, "ranges", ranges);
	json_object_set_new(o, "location", location);
}

void call_print(const json_t *doc)
{
	auto_buf out = CO_BUF_INIT(16 * CO_BUF_TEXT);
	co_json_write_pretty(&out, doc);
	fwrite(co_buf_str(&out), 1, out.len, stdout);
	fputc('\n', stdout);
}

/* ---- check ---- */

static json_t *warning(const struct co_finding *f)
{
	json_t *o = json_object();
	call_put(o, "ruleName", f->rule->name);
	call_put(o, "description", f->rule->description);
	call_put(o, "url", f->rule->url);
	call_put(o, "detail", f->text);
	call_location(o, f->pos);
	return o;
}

static void check_json(const struct co_findings *found, const struct co_err *err)
{
	auto_json doc = json_object();
	json_t *list = json_array();
	for (size_t i = 0; found && i < found->n; i++)
		json_array_append_new(list, warning(&found->items[i]));
	json_object_set_new(doc, "warnings", list);
	if (err) {
		json_t *o = json_object();
		call_put(o, "message", err->msg);
		call_location(o, err->pos);
		json_object_set_new(doc, "buildError", o);
	}
	call_print(doc);
}

static int check(struct look *l, const struct co_preview *p)
{
	l->findings = p->findings->n > 0;
	if (l->call.json) {
		check_json(p->findings, NULL);
		return 0;
	}
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct lint_file f = {.source = &p->dockerfile->source, .findings = p->findings};
	lint_report_find("text")->write(&out, &f, 1);
	fwrite(co_buf_str(&out), 1, out.len, stdout);
	if (!p->findings->n)
		printf("Check complete, no warnings found.\n");
	return 0;
}

/* ---- targets ---- */

static int targets_json(const struct co_dockerfile *d)
{
	auto_json doc = json_object();
	json_t *list = json_array();
	for (size_t i = 0; i < d->n_stages; i++) {
		const struct co_stage_ast *s = &d->stages[i];
		json_t *o = json_object();
		call_put(o, "name", s->name);
		if (i + 1 == d->n_stages)
			json_object_set_new(o, "default", json_true());
		call_put(o, "description", call_described(s->from, s->name));
		call_put(o, "base", s->base);
		call_put(o, "platform", s->platform);
		call_location(o, s->from->pos);
		json_array_append_new(list, o);
	}
	json_object_set_new(doc, "targets", list);
	call_print(doc);
	return 0;
}

static int targets(struct look *l, const struct co_preview *p)
{
	const struct co_dockerfile *d = p->dockerfile;
	const char **cells = NULL;
	size_t n = 0;
	if (l->call.json)
		return targets_json(d);
	call_cell(l, &cells, &n, "TARGET");
	call_cell(l, &cells, &n, "BASE");
	call_cell(l, &cells, &n, "DESCRIPTION");
	for (size_t i = 0; i < d->n_stages; i++) {
		const struct co_stage_ast *s = &d->stages[i];
		bool last = i + 1 == d->n_stages;
		const char *name = s->name ? s->name : co_arena_printf(l->c->arena, "%zu", i);
		call_cell(l, &cells, &n,
			  last ? co_arena_printf(l->c->arena, "%s (default)", name) : name);
		call_cell(l, &cells, &n, s->base);
		call_cell(l, &cells, &n, call_described(s->from, s->name));
	}
	print_table(stdout, cells, 3, n / 3);
	return 0;
}

static int show(void *ctx, const struct co_preview *p, struct co_err *err)
{
	struct look *l = ctx;
	(void)err;
	switch (l->call.method) {
	case CALL_CHECK:
		return check(l, p);
	case CALL_TARGETS:
		return targets(l, p);
	case CALL_OUTLINE:
		return call_outline(l, p);
	case CALL_PLAN:
	case CALL_BUILD:
	default:
		return call_plan(l, p);
	}
}

int build_call(struct cmd_ctx *c, struct co_build_opts *o, struct build_call call)
{
	struct look l = {.c = c, .o = o, .call = call};
	struct co_build_result res;
	o->preview = show;
	o->preview_ctx = &l;
	o->preview_plan = call.method == CALL_OUTLINE || call.method == CALL_PLAN;
	o->preview_steps = call.method == CALL_PLAN;
	auto_json plans = call.json && call.method == CALL_PLAN ? json_array() : NULL;
	l.plans = plans;
	int r = co_build(o, NULL, &res, c->err);
	if (r < 0 && call.json && call.method == CALL_CHECK)
		check_json(NULL, c->err);
	if (r == 0 && plans) {
		auto_json doc = json_object();
		json_object_set(doc, "plans", plans);
		call_print(doc);
	}
	return r < 0 ? r : l.findings ? 1 : 0;
}
