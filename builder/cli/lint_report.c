/* SPDX-License-Identifier: MIT */
#include "lint_report.h"
#include "render-internal.h"
#include <cooper/json.h>
#include <string.h>

#define SYNTAX_RULE "SyntaxError"

/* One thing to report: a finding, or the error that ended the reading. */
struct item {
	const struct lint_file *file;
	const char *rule, *text, *url;
	struct co_pos pos;
	bool error;
};
typedef void item_fn(void *ctx, const struct item *it);

static void each_item(const struct lint_file *files, size_t n, item_fn *fn, void *ctx)
{
	for (size_t i = 0; i < n; i++) {
		const struct lint_file *f = &files[i];
		if (f->error)
			fn(ctx, &(struct item){.file = f,
					       .rule = SYNTAX_RULE,
					       .text = f->error->msg,
					       .url = "",
					       .pos = f->error->pos,
					       .error = true});
		for (size_t k = 0; f->findings && k < f->findings->n; k++) {
			const struct co_finding *x = &f->findings->items[k];
			fn(ctx, &(struct item){.file = f,
					       .rule = x->rule->name,
					       .text = x->text,
					       .url = x->rule->url ? x->rule->url : "",
					       .pos = x->pos,
					       .error = f->findings->error});
		}
	}
}

static void add_clean(struct co_buf *out, const char *text)
{
	co_sanitize(out, text, strlen(text), false);
}

/* ---- text ---- */
/* Findings come in line order: the search goes on where it ended. */
struct text_ctx {
	struct co_buf *out;
	const struct co_source *src;
	const char *at; /* start of line `line` of src */
	unsigned line;
};

static const char *find_line(struct text_ctx *t, const struct co_source *src, unsigned line)
{
	const char *end = src->text + src->len;
	if (t->src != src || line < t->line)
		*t = (struct text_ctx){t->out, src, src->text, 1};
	while (t->line < line) {
		const char *nl = memchr(t->at, '\n', (size_t)(end - t->at));
		if (!nl)
			return NULL;
		t->at = nl + 1;
		t->line++;
	}
	return t->at;
}

static void text_line(struct text_ctx *t, const struct co_source *src, unsigned line)
{
	struct co_buf *out = t->out;
	const char *end = src->text + src->len, *p = line ? find_line(t, src, line) : NULL;
	if (!p || p >= end || !line)
		return;
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	size_t n = (size_t)((nl ? nl : end) - p);
	co_buf_addf(out, "%5u | ", line);
	co_sanitize(out, p, n < 240 ? n : 240, true);
	co_buf_addc(out, '\n');
}

static void text_item(void *ctx, const struct item *it)
{
	struct text_ctx *t = ctx;
	struct co_buf *out = t->out;
	add_clean(out, it->file->source->name);
	if (it->pos.line)
		co_buf_addf(out, ":%u", it->pos.line);
	if (it->pos.line && it->pos.col)
		co_buf_addf(out, ":%u", it->pos.col);
	co_buf_addf(out, ": %s: %s: ", it->error ? "error" : "warning", it->rule);
	add_clean(out, it->text);
	co_buf_addc(out, '\n');
	text_line(t, it->file->source, it->pos.line);
}

static void write_text(struct co_buf *out, const struct lint_file *files, size_t n)
{
	struct text_ctx t = {.out = out};
	each_item(files, n, text_item, &t);
}

/* ---- json ---- */
static void json_item(void *ctx, const struct item *it)
{
	json_t *o = json_object();
	json_object_set_new(o, "file", co_json_string(it->file->source->name));
	json_object_set_new(o, "line", json_integer(it->pos.line));
	json_object_set_new(o, "column", json_integer(it->pos.col));
	json_object_set_new(o, "end_line",
			    json_integer(it->pos.end_line ? it->pos.end_line : it->pos.line));
	json_object_set_new(o, "level", json_string(it->error ? "error" : "warning"));
	json_object_set_new(o, "rule", co_json_string(it->rule));
	json_object_set_new(o, "message", co_json_string(it->text));
	json_object_set_new(o, "url", co_json_string(it->url));
	json_array_append_new(ctx, o);
}

static void put_pretty(struct co_buf *out, const json_t *j)
{
	co_json_write_pretty(out, j);
	co_buf_addc(out, '\n');
}

static void write_json(struct co_buf *out, const struct lint_file *files, size_t n)
{
	auto_json list = json_array();
	each_item(files, n, json_item, list);
	put_pretty(out, list);
}

/* ---- SARIF 2.1.0 ---- */
static json_t *region(struct co_pos pos)
{
	json_t *o = json_object();
	json_object_set_new(o, "startLine", json_integer(pos.line ? pos.line : 1));
	if (pos.line && pos.col)
		json_object_set_new(o, "startColumn", json_integer(pos.col));
	if (pos.end_line > pos.line)
		json_object_set_new(o, "endLine", json_integer(pos.end_line));
	return o;
}

static void sarif_item(void *ctx, const struct item *it)
{
	json_t *artifact = json_object(), *physical = json_object(), *location = json_object();
	json_object_set_new(artifact, "uri", co_json_string(it->file->source->name));
	json_object_set_new(physical, "artifactLocation", artifact);
	json_object_set_new(physical, "region", region(it->pos));
	json_object_set_new(location, "physicalLocation", physical);
	json_t *places = json_array(), *message = json_object(), *o = json_object();
	json_array_append_new(places, location);
	json_object_set_new(message, "text", co_json_string(it->text));
	json_object_set_new(o, "ruleId", co_json_string(it->rule));
	json_object_set_new(o, "level", json_string(it->error ? "error" : "warning"));
	json_object_set_new(o, "message", message);
	json_object_set_new(o, "locations", places);
	json_array_append_new(ctx, o);
}

static json_t *sarif_rule(const char *id, const char *text, const char *url)
{
	json_t *o = json_object(), *d = json_object();
	json_object_set_new(d, "text", co_json_string(text));
	json_object_set_new(o, "id", co_json_string(id));
	json_object_set_new(o, "shortDescription", d);
	if (url && *url)
		json_object_set_new(o, "helpUri", co_json_string(url));
	return o;
}

static json_t *sarif_tool(void)
{
	json_t *rules = json_array(), *driver = json_object(), *tool = json_object();
	for (const struct co_lint_rule *r = co_lint_rules; r->name; r++)
		json_array_append_new(rules, sarif_rule(r->name, r->description, r->url));
	json_array_append_new(rules,
			      sarif_rule(SYNTAX_RULE, "The Dockerfile can not be parsed", NULL));
	json_object_set_new(driver, "name", json_string("cooper"));
	json_object_set_new(driver, "version", json_string(COOPER_VERSION));
	json_object_set_new(driver, "rules", rules);
	json_object_set_new(tool, "driver", driver);
	return tool;
}

static void write_sarif(struct co_buf *out, const struct lint_file *files, size_t n)
{
	json_t *results = json_array(), *run = json_object(), *runs = json_array();
	auto_json doc = json_object();
	each_item(files, n, sarif_item, results);
	json_object_set_new(run, "tool", sarif_tool());
	json_object_set_new(run, "results", results);
	json_array_append_new(runs, run);
	json_object_set_new(doc, "$schema",
			    json_string("https://json.schemastore.org/sarif-2.1.0.json"));
	json_object_set_new(doc, "version", json_string("2.1.0"));
	json_object_set_new(doc, "runs", runs);
	put_pretty(out, doc);
}

/* ---- GitHub Actions annotations ---- */
static void github_item(void *ctx, const struct item *it)
{
	github_annotation(ctx, it->error ? "error" : "warning", it->file->source->name, it->pos,
			  it->rule, it->text, strlen(it->text));
}

static void write_github(struct co_buf *out, const struct lint_file *files, size_t n)
{
	each_item(files, n, github_item, out);
}

/* ---- GitLab code quality (a subset of Code Climate's format) ---- */
/* The line's number is left out: a finding that moves is the same finding. Equal ones are counted.
 */
static void fingerprint(char out[CO_DIGEST_TEXT], const struct item *it, json_t *seen)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_digest d;
	co_buf_addf(&b, "%s\n%s\n%s\n", it->file->source->name, it->rule, it->text);
	co_digest_of(&d, co_buf_str(&b), b.len);
	co_digest_hex(&d, out);
	json_int_t twins = json_integer_value(json_object_get(seen, out));
	json_object_set_new(seen, out, json_integer(twins + 1));
	co_buf_addf(&b, "%lld", (long long)twins);
	co_digest_of(&d, co_buf_str(&b), b.len);
	co_digest_hex(&d, out);
}

struct gitlab_ctx {
	json_t *list, *seen;
};

static void gitlab_item(void *ctx, const struct item *it)
{
	struct gitlab_ctx *g = ctx;
	char print[CO_DIGEST_TEXT];
	json_t *o = json_object(), *lines = json_object(), *location = json_object();
	fingerprint(print, it, g->seen);
	json_object_set_new(lines, "begin", json_integer(it->pos.line ? it->pos.line : 1));
	json_object_set_new(location, "path", co_json_string(it->file->source->name));
	json_object_set_new(location, "lines", lines);
	json_object_set_new(o, "description", co_json_string(it->text));
	json_object_set_new(o, "check_name", co_json_string(it->rule));
	json_object_set_new(o, "fingerprint", json_string(print));
	json_object_set_new(o, "severity", json_string(it->error ? "major" : "minor"));
	json_object_set_new(o, "location", location);
	json_array_append_new(g->list, o);
}

static void write_gitlab(struct co_buf *out, const struct lint_file *files, size_t n)
{
	auto_json list = json_array();
	auto_json seen = json_object();
	struct gitlab_ctx g = {list, seen};
	each_item(files, n, gitlab_item, &g);
	put_pretty(out, list);
}

const struct lint_report lint_reports[] = {{"text", write_text},     {"json", write_json},
					   {"sarif", write_sarif},   {"github", write_github},
					   {"gitlab", write_gitlab}, {NULL, NULL}};

const struct lint_report *lint_report_find(const char *name)
{
	for (const struct lint_report *r = lint_reports; r->name; r++)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}
