/* SPDX-License-Identifier: MIT
 *
 * config.c — making and changing image configs. Reading and writing: config_parse.c,
 * config_write.c.
 */
#include "oci-internal.h"
#include <string.h>

/* Shared by all that start from scratch; replaced by an own copy at the first change. */
static const char *const scratch_env[] = {"PATH=" CO_DEFAULT_PATH};

void co_config_init(struct co_config *c, const struct co_platform *p)
{
	memset(c, 0, sizeof(*c));
	c->platform = *p;
	c->workdir = "/";
	c->env.items = (const char **)scratch_env;
	c->env.n = 1;
}

/* A copy with the room that co_arena_push expects behind n elements. */
static void *copy_items(struct co_arena *a, const void *items, size_t n, size_t size)
{
	size_t room = 4;
	if (!n)
		return NULL;
	while (room < n)
		room *= 2;
	void *p = co_arena_alloc(a, room * size);
	memcpy(p, items, n * size);
	return p;
}

#define COPY(a, list, count) ((list) = copy_items((a), (list), (count), sizeof(*(list))))

void co_config_copy(struct co_config *to, struct co_arena *a, const struct co_config *from)
{
	*to = *from;
	COPY(a, to->env.items, to->env.n);
	COPY(a, to->entrypoint.items, to->entrypoint.n);
	COPY(a, to->cmd.items, to->cmd.n);
	COPY(a, to->shell.items, to->shell.n);
	COPY(a, to->onbuild.items, to->onbuild.n);
	COPY(a, to->volumes.items, to->volumes.n);
	COPY(a, to->ports.items, to->ports.n);
	COPY(a, to->labels.items, to->labels.n);
	COPY(a, to->diff_ids, to->n_diff_ids);
	COPY(a, to->history, to->n_history);
}

static void own(struct co_strs *s, struct co_arena *a)
{
	if (s->items == (const char **)scratch_env)
		COPY(a, s->items, s->n);
}

void co_strs_add(struct co_strs *s, struct co_arena *a, const char *item)
{
	own(s, a);
	*co_arena_push(a, s->items, s->n) = co_arena_strdup(a, item);
}

bool co_strs_has(const struct co_strs *s, const char *item)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->items[i], item))
			return true;
	return false;
}

/* The value when entry is "key=value" (or the bare key). */
static const char *value_of(const char *entry, const char *key)
{
	size_t n = strlen(key);
	if (strncmp(entry, key, n))
		return NULL;
	return entry[n] == '=' ? entry + n + 1 : !entry[n] ? entry + n : NULL;
}

const char *co_config_getenv(const struct co_config *c, const char *key)
{
	for (size_t i = c->env.n; i > 0; i--) {
		const char *value = value_of(c->env.items[i - 1], key);
		if (value)
			return value;
	}
	return NULL;
}

void co_config_setenv(struct co_config *c, struct co_arena *a, const char *key, const char *value)
{
	struct co_strs *env = &c->env;
	const char *entry = co_arena_printf(a, "%s=%s", key, value);
	size_t kept = 0;
	bool placed = false;
	own(env, a);
	for (size_t i = 0; i < env->n; i++) {
		bool same = value_of(env->items[i], key) != NULL;
		if (!same)
			env->items[kept++] = env->items[i];
		else if (!placed)
			env->items[kept++] = entry;
		placed |= same;
	}
	env->n = kept;
	if (!placed)
		co_strs_add(env, a, entry);
}

void co_config_set_label(struct co_config *c, struct co_arena *a, const char *k, const char *v)
{
	for (size_t i = 0; i < c->labels.n; i++) {
		if (strcmp(c->labels.items[i].key, k))
			continue;
		c->labels.items[i].value = co_arena_strdup(a, v);
		return;
	}
	struct co_kvpair *kv = co_arena_push(a, c->labels.items, c->labels.n);
	kv->key = co_arena_strdup(a, k);
	kv->value = co_arena_strdup(a, v);
}
