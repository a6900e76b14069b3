/* SPDX-License-Identifier: MIT
 *
 * --dry-run: the steps of a build, what the cache has of them, and why it has not the others.
 */
#include "build_call.h"
#include <string.h>

static const char *const states[] = {[CO_LOOK_BASE] = "base",
				     [CO_LOOK_CONFIG] = "config",
				     [CO_LOOK_CACHED] = "cached",
				     [CO_LOOK_RUN] = "run",
				     [CO_LOOK_AFTER] = "after"};

static const char *one_line(struct look *l, const char *text)
{
	return co_arena_strndup(l->c->arena, text, strcspn(text, "\n"));
}

static json_t *step_json(struct look *l, const struct co_preview *p, const struct co_step_look *s)
{
	json_t *o = json_object();
	json_object_set_new(o, "step", json_integer(s->step));
	json_object_set_new(o, "stage_index", json_integer(s->stage));
	call_put(o, "stage", p->plan->stages[s->stage].ast->name);
	call_put(o, "instruction", one_line(l, s->title));
	json_object_set_new(o, "line", json_integer(s->pos.line));
	call_put(o, "state", states[s->state]);
	call_put(o, "reason", s->reason);
	return o;
}

static int as_json(struct look *l, const struct co_preview *p)
{
	char text[128];
	json_t *doc = json_object(), *list = json_array(), *unused = json_array();
	call_put(doc, "platform", co_platform_str(p->platform, text, sizeof(text)));
	for (size_t i = 0; i < p->n_steps; i++)
		json_array_append_new(list, step_json(l, p, &p->steps[i]));
	for (size_t i = 0; i < p->plan->n_stages; i++)
		if (!p->plan->stages[i].needed)
			json_array_append_new(unused, json_integer((json_int_t)i));
	json_object_set_new(doc, "steps", list);
	json_object_set_new(doc, "unneeded_stages", unused);
	json_array_append_new(l->plans, doc);
	return 0;
}

static void unneeded(struct look *l, const struct co_preview *p)
{
	for (size_t i = 0; i < p->plan->n_stages; i++) {
		const struct co_plan_stage *s = &p->plan->stages[i];
		if (!s->needed)
			printf("     stage %s is not needed\n",
			       s->ast->name ? call_clean(l, s->ast->name)
					    : co_arena_printf(l->c->arena, "%zu", i));
	}
}

int call_plan(struct look *l, const struct co_preview *p)
{
	char text[128];
	if (l->call.json)
		return as_json(l, p);
	printf("%u steps for %s\n", p->plan->n_steps,
	       co_platform_str(p->platform, text, sizeof(text)));
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct co_step_look *s = &p->steps[i];
		const char *name = p->plan->stages[s->stage].ast->name;
		printf("%3u  %-6s  %s%s%s%s\n", s->step, states[s->state], name ? "[" : "",
		       name ? call_clean(l, name) : "", name ? "] " : "",
		       call_clean(l, one_line(l, s->title)));
		if (s->reason)
			printf("             %s\n", call_clean(l, s->reason));
	}
	unneeded(l, p);
	return 0;
}
