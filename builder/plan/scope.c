/* SPDX-License-Identifier: MIT
 *
 * Variables: global ARGs, platform ARGs, and what is in force inside a stage.
 */
#include "plan-internal.h"

static const char *var_key(const void *items, size_t i, size_t *len)
{
	const char *key = ((const struct co_var *)items)[i].key;
	*len = strlen(key);
	return key;
}

static const char *kv_key(const void *items, size_t i, size_t *len)
{
	const char *key = ((const struct co_kv *)items)[i].key;
	*len = strlen(key);
	return key;
}

void scope_set(struct co_scope *s, struct co_arena *a, const char *key, const char *value,
	       bool is_arg)
{
	/* The later declaration wins whatever its kind, and moves nothing. */
	size_t at = co_lookup_find(&s->index, a, s->vars, s->n, var_key, key, strlen(key));
	struct co_var *v = at < s->n ? &s->vars[at] : co_arena_push(a, s->vars, s->n);
	v->key = key;
	v->value = value;
	v->is_arg = is_arg;
}

void co_scope_begin(struct co_scope *s, struct co_arena *a, const struct co_plan *p,
		    const struct co_scope *parent, const struct co_config *config)
{
	memset(s, 0, sizeof(*s));
	s->plan = p;
	if (parent) {
		for (size_t i = 0; i < parent->n; i++)
			*co_arena_push(a, s->vars, s->n) = parent->vars[i];
		for (size_t i = 0; i < parent->n_declared; i++)
			*co_arena_push(a, s->declared, s->n_declared) = parent->declared[i];
		return;
	}
	for (size_t i = 0; i < config->env.n; i++) {
		const char *kv = config->env.items[i];
		const char *eq = strchr(kv, '=');
		if (eq)
			scope_set(s, a, co_arena_strndup(a, kv, (size_t)(eq - kv)), eq + 1, false);
	}
}

const char *co_scope_get(const struct co_scope *s, const char *key)
{
	size_t at = co_lookup_peek(&s->index, s->vars, s->n, var_key, key, strlen(key));
	return at < s->n ? s->vars[at].value : NULL;
}

const char *plan_build_arg(const struct co_plan_opts *o, const char *key)
{
	/* the last one given counts, as in a shell */
	for (size_t i = o->n_build_args; i > 0; i--)
		if (!strcmp(o->build_args[i - 1].key, key))
			return o->build_args[i - 1].value;
	return NULL;
}

const char *plan_global(const struct co_plan *p, const char *key)
{
	size_t at = co_lookup_peek(&p->global_index, p->globals, p->n_globals, kv_key, key,
				   strlen(key));
	return at < p->n_globals ? p->globals[at].value : NULL;
}

static void global_set(struct co_plan *p, struct co_arena *a, const char *key, const char *value)
{
	size_t at = co_lookup_find(&p->global_index, a, p->globals, p->n_globals, kv_key, key,
				   strlen(key));
	struct co_kv *kv =
		at < p->n_globals ? &p->globals[at] : co_arena_push(a, p->globals, p->n_globals);
	kv->key = key;
	kv->value = value;
}

bool plan_is_proxy_arg(const char *key)
{
	static const char *const names[] = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY",
					    "NO_PROXY",	  "ALL_PROXY",	 NULL};
	for (size_t i = 0; names[i]; i++)
		if (co_ieq(names[i], key))
			return true;
	return false;
}

static void add_global(struct co_plan *p, struct co_arena *a, const char *key, const char *fallback)
{
	const char *given = plan_build_arg(p->opts, key);
	global_set(p, a, key, given ? given : fallback);
}

static void add_platform_args(struct co_plan *p, struct co_arena *a)
{
	const struct {
		const char *prefix;
		const struct co_platform *platform;
	} sides[] = {{"BUILD", &p->opts->build}, {"TARGET", &p->opts->target}};
	for (size_t i = 0; i < 2; i++) {
		const struct co_platform *pl = sides[i].platform;
		char text[128];
		co_platform_str(pl, text, sizeof(text));
		const char *pre = sides[i].prefix;
		add_global(p, a, co_arena_printf(a, "%sPLATFORM", pre), co_arena_strdup(a, text));
		add_global(p, a, co_arena_printf(a, "%sOS", pre), co_arena_strdup(a, pl->os));
		add_global(p, a, co_arena_printf(a, "%sOSVERSION", pre), "");
		add_global(p, a, co_arena_printf(a, "%sARCH", pre), co_arena_strdup(a, pl->arch));
		add_global(p, a, co_arena_printf(a, "%sVARIANT", pre),
			   co_arena_strdup(a, pl->variant));
	}
	const struct co_dockerfile *d = p->dockerfile;
	const char *stage = p->opts->target_stage;
	if (!stage && d->n_stages)
		stage = d->stages[d->n_stages - 1].name;
	add_global(p, a, "TARGETSTAGE", stage && *stage ? stage : "default");
}

static const char *get_global(void *ctx, const char *name)
{
	return plan_global(ctx, name);
}

int plan_globals(struct co_plan *p, struct co_arena *a, struct co_err *err)
{
	add_platform_args(p, a);
	struct co_vars vars = {.get = get_global, .ctx = p};
	for (size_t i = 0; i < p->dockerfile->n_globals; i++) {
		const struct co_insn *insn = p->dockerfile->globals[i];
		for (size_t k = 0; k < insn->n_kvs; k++) {
			const struct co_kv *kv = &insn->kvs[k];
			const char *given = plan_build_arg(p->opts, kv->key);
			char *value = NULL;
			/* a default is expanded only when it is used */
			if (!given && kv->value &&
			    co_expand(&value, a, kv->value, p->dockerfile->escape, &vars, err) < 0)
				return co_locate(err, &p->dockerfile->source, kv->pos);
			if (!given && !value)
				value = (char *)plan_global(p, kv->key);
			global_set(p, a, kv->key, given ? given : value);
		}
	}
	return 0;
}
