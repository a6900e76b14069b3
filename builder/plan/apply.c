/* SPDX-License-Identifier: MIT
 *
 * The effect of an evaluated step on config and scope.
 */
#include "plan-internal.h"

static void set_list(struct co_strs *s, struct co_arena *a, const char **items, size_t n)
{
	s->items = NULL;
	s->n = 0;
	for (size_t i = 0; i < n; i++)
		co_strs_add(s, a, items[i]);
}

static void apply_kvs(const struct co_step *s, struct co_arena *a, struct co_scope *scope,
		      struct co_config *c)
{
	for (size_t i = 0; i < s->n_kvs; i++) {
		const struct co_kv *kv = &s->kvs[i];
		if (s->op == CO_OP_LABEL) {
			co_config_set_label(c, a, kv->key, kv->value);
		} else if (s->op == CO_OP_ENV) {
			co_config_setenv(c, a, kv->key, kv->value);
			scope_set(scope, a, kv->key, kv->value, false);
		} else {
			/* an ARG without any value leaves an ENV of that name alone */
			const char *old = co_scope_get(scope, kv->key);
			scope_set(scope, a, kv->key, kv->value ? kv->value : old, true);
			*co_arena_push(a, scope->declared, scope->n_declared) = kv->key;
		}
	}
}

static void apply_words(const struct co_step *s, struct co_arena *a, struct co_config *c)
{
	for (size_t i = 0; i < s->n_words; i++)
		if (s->op == CO_OP_EXPOSE)
			co_config_add_port(c, a, s->words[i]);
		else
			co_config_add_volume(c, a, s->words[i]);
}

/* Setting ENTRYPOINT drops a CMD that came from the base, not one set in this stage. */
static void apply_entrypoint(const struct co_step *s, struct co_arena *a, struct co_config *c,
			     bool cmd_set_here)
{
	set_list(&c->entrypoint, a, s->argv, s->n_argv);
	c->has_entrypoint = true;
	if (!cmd_set_here) {
		set_list(&c->cmd, a, NULL, 0);
		c->has_cmd = false;
	}
}

int co_step_apply(const struct co_step *s, struct co_arena *a, struct co_scope *scope,
		  struct co_config *c, bool *cmd_set_here, struct co_err *err)
{
	switch (s->op) {
	case CO_OP_ENV:
	case CO_OP_LABEL:
	case CO_OP_ARG:
		apply_kvs(s, a, scope, c);
		return 0;
	case CO_OP_EXPOSE:
	case CO_OP_VOLUME:
		apply_words(s, a, c);
		return 0;
	case CO_OP_CMD:
		set_list(&c->cmd, a, s->argv, s->n_argv);
		c->has_cmd = true;
		*cmd_set_here = true;
		return 0;
	case CO_OP_ENTRYPOINT:
		apply_entrypoint(s, a, c, *cmd_set_here);
		return 0;
	case CO_OP_SHELL:
		set_list(&c->shell, a, s->argv, s->n_argv);
		return 0;
	case CO_OP_HEALTHCHECK:
		c->health = s->health;
		return 0;
	case CO_OP_WORKDIR:
		c->workdir = s->value;
		return 0;
	case CO_OP_USER:
		c->user = s->value;
		return 0;
	case CO_OP_STOPSIGNAL:
		c->stop_signal = s->value;
		return 0;
	case CO_OP_MAINTAINER:
		c->author = s->value;
		return 0;
	case CO_OP_ONBUILD:
		co_strs_add(&c->onbuild, a, s->value);
		return 0;
	case CO_OP_RUN:
	case CO_OP_COPY:
	case CO_OP_ADD:
		return 0;
	case CO_OP_FROM:
	case CO_OP_COUNT:
	default:
		return co_fail(err, CO_E_INTERNAL, "%s has no effect to apply", co_op_name(s->op));
	}
}

void co_history_add(struct co_config *c, struct co_arena *a, const char *created_by,
		    bool empty_layer, const char *created)
{
	struct co_history *h = co_arena_push(a, c->history, c->n_history);
	h->created = created;
	h->created_by = created_by;
	h->comment = "buildkit.dockerfile.v0";
	h->empty_layer = empty_layer;
}
