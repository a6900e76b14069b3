/* SPDX-License-Identifier: MIT
 *
 * --call=outline: what a target can be given: arguments, secrets, agents, cache mounts.
 */
#include "build_call.h"
#include <string.h>

struct entry {
	const char *name, *value, *description;
	bool required;
	struct co_pos pos;
};
struct list {
	struct entry *items;
	size_t n;
};
struct outline {
	struct list args, secrets, ssh, caches;
};

static struct entry *find(const struct list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i].name, name))
			return &list->items[i];
	return NULL;
}

static struct entry *find_or_add(struct look *l, struct list *list, const char *name,
				 struct co_pos pos)
{
	struct entry *e = find(list, name);
	if (e)
		return e;
	e = co_arena_push(l->c->arena, list->items, list->n);
	e->name = name;
	e->pos = pos;
	return e;
}

static const char *given(const struct look *l, const char *key)
{
	for (size_t i = l->o->n_build_args; i > 0; i--)
		if (!strcmp(l->o->build_args[i - 1].key, key))
			return l->o->build_args[i - 1].value;
	return NULL;
}

/* A stage that takes over a global argument says nothing new about it. */
static void add_args(struct look *l, struct outline *o, const struct co_insn *insn)
{
	for (size_t i = 0; insn->op == CO_OP_ARG && i < insn->n_kvs; i++) {
		const struct co_kv *kv = &insn->kvs[i];
		const char *value = given(l, kv->key), *about = call_described(insn, kv->key);
		struct entry *e = find_or_add(l, &o->args, kv->key, kv->pos);
		if (!value)
			value = kv->value;
		if (value && (!e->value || kv->value))
			e->value = value;
		if (*about || !e->description)
			e->description = about;
	}
}

static const char *arg_value(void *ctx, const char *name)
{
	const struct entry *e = find(ctx, name);
	return e ? e->value : NULL;
}

static void add_mounts(struct look *l, struct outline *o, const struct co_insn *insn)
{
	for (size_t i = 0; i < insn->n_flags; i++) {
		const struct co_flag *f = &insn->flags[i];
		struct co_vars vars = {.get = arg_value, .ctx = &o->args};
		struct co_err ignored = CO_ERR_INIT;
		struct co_mount m;
		/* what a variable spoils here may be right with the values of a build */
		if (strcmp(f->name, "mount") || !f->value ||
		    co_mount_parse(&m, l->c->arena, f->value, '\\', &vars, &ignored) < 0)
			continue;
		struct list *list = m.type == CO_MOUNT_SECRET  ? &o->secrets
				    : m.type == CO_MOUNT_SSH   ? &o->ssh
				    : m.type == CO_MOUNT_CACHE ? &o->caches
							       : NULL;
		if (!list)
			continue;
		struct entry *e = find_or_add(l, list, m.id && *m.id ? m.id : m.target, f->pos);
		e->required |= m.required;
	}
}

static void print_part(const char **cells, size_t columns, size_t n)
{
	if (n <= columns)
		return;
	printf("\n");
	print_table(stdout, cells, columns, n / columns);
}

static void text_args(struct look *l, const struct list *list)
{
	const char **cells = NULL;
	size_t n = 0;
	call_cell(l, &cells, &n, "BUILD ARG");
	call_cell(l, &cells, &n, "VALUE");
	call_cell(l, &cells, &n, "DESCRIPTION");
	for (size_t i = 0; i < list->n; i++) {
		call_cell(l, &cells, &n, list->items[i].name);
		call_cell(l, &cells, &n, list->items[i].value);
		call_cell(l, &cells, &n, list->items[i].description);
	}
	print_part(cells, 3, n);
}

static void text_list(struct look *l, const struct list *list, const char *head)
{
	const char **cells = NULL;
	size_t n = 0;
	call_cell(l, &cells, &n, head);
	call_cell(l, &cells, &n, "REQUIRED");
	for (size_t i = 0; i < list->n; i++) {
		call_cell(l, &cells, &n, list->items[i].name);
		call_cell(l, &cells, &n, list->items[i].required ? "true" : "false");
	}
	print_part(cells, 2, n);
}

static void json_list(json_t *doc, const char *key, const char *name, const struct list *list)
{
	json_t *a = json_array();
	for (size_t i = 0; i < list->n; i++) {
		const struct entry *e = &list->items[i];
		json_t *o = json_object();
		call_put(o, name, e->name);
		call_put(o, "description", e->description);
		call_put(o, "value", e->value);
		if (e->required)
			json_object_set_new(o, "required", json_true());
		call_location(o, e->pos);
		json_array_append_new(a, o);
	}
	if (list->n)
		json_object_set_new(doc, key, a);
	else
		json_decref(a);
}

static void as_json(const struct co_stage_ast *target, const struct outline *o)
{
	json_t *doc = json_object();
	call_put(doc, "name", target->name);
	call_put(doc, "description", call_described(target->from, target->name));
	json_list(doc, "args", "name", &o->args);
	json_list(doc, "secrets", "name", &o->secrets);
	json_list(doc, "ssh", "name", &o->ssh);
	json_list(doc, "cache", "id", &o->caches);
	call_print(doc);
	json_decref(doc);
}

int call_outline(struct look *l, const struct co_preview *p)
{
	const struct co_plan *plan = p->plan;
	const struct co_stage_ast *target = plan->stages[plan->target].ast;
	struct outline o = {0};
	for (size_t i = 0; i < p->dockerfile->n_globals; i++)
		add_args(l, &o, p->dockerfile->globals[i]);
	for (size_t i = 0; i < plan->n_stages; i++)
		for (size_t k = 0; plan->stages[i].needed && k < plan->stages[i].n_insns; k++) {
			add_args(l, &o, plan->stages[i].insns[k]);
			add_mounts(l, &o, plan->stages[i].insns[k]);
		}
	if (l->call.json) {
		as_json(target, &o);
		return 0;
	}
	if (target->name)
		printf("TARGET:      %s\n", call_clean(l, target->name));
	const char *about = call_described(target->from, target->name);
	if (*about)
		printf("DESCRIPTION: %s\n", call_clean(l, about));
	text_args(l, &o.args);
	text_list(l, &o.secrets, "SECRET");
	text_list(l, &o.ssh, "SSH");
	text_list(l, &o.caches, "CACHE MOUNT");
	return 0;
}
