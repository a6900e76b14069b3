/* SPDX-License-Identifier: MIT
 *
 * config.c — making and changing image configs. Reading and writing: config_parse.c,
 * config_write.c.
 */
#include "oci-internal.h"
#include <cooper/lookup.h>
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
	to->index = NULL;
	COPY(a, to->env.items, to->env.n);
	COPY(a, to->volumes.items, to->volumes.n);
	COPY(a, to->ports.items, to->ports.n);
	COPY(a, to->labels.items, to->labels.n);
	COPY(a, to->entrypoint.items, to->entrypoint.n);
	COPY(a, to->cmd.items, to->cmd.n);
	COPY(a, to->shell.items, to->shell.n);
	COPY(a, to->onbuild.items, to->onbuild.n);
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

static const char *env_key(const void *items, size_t i, size_t *len)
{
	const char *entry = ((const char *const *)items)[i];
	*len = strcspn(entry, "=");
	return entry;
}

static const char *item_key(const void *items, size_t i, size_t *len)
{
	const char *item = ((const char *const *)items)[i];
	*len = strlen(item);
	return item;
}

static const char *label_key(const void *items, size_t i, size_t *len)
{
	const char *key = ((const struct co_kvpair *)items)[i].key;
	*len = strlen(key);
	return key;
}

/* Where in its lists a config has what: a file may set a hundred thousand variables. */
struct config_index {
	struct co_lookup env, labels, volumes, ports;
	bool env_once; /* no name is twice in env */
};

static struct config_index *index_of(struct co_config *c, struct co_arena *a)
{
	if (!c->index)
		c->index = co_arena_new(a, struct config_index);
	return c->index;
}

static void add_once(struct co_strs *s, struct co_lookup *x, struct co_arena *a, const char *item)
{
	if (co_lookup_find(x, a, s->items, s->n, item_key, item, strlen(item)) == s->n)
		co_strs_add(s, a, item);
}

void co_config_add_volume(struct co_config *c, struct co_arena *a, const char *path)
{
	add_once(&c->volumes, &index_of(c, a)->volumes, a, path);
}

void co_config_add_port(struct co_config *c, struct co_arena *a, const char *port)
{
	add_once(&c->ports, &index_of(c, a)->ports, a, port);
}

/* A base image may name a variable twice: the last value counts, at the first place. */
static void drop_doubles(struct co_strs *env, struct co_arena *a)
{
	struct co_strs once = {0};
	struct co_lookup index = {0};
	for (size_t i = 0; i < env->n; i++) {
		size_t len;
		const char *key = env_key(env->items, i, &len);
		size_t at = co_lookup_find(&index, a, once.items, once.n, env_key, key, len);
		if (at == once.n)
			*co_arena_push(a, once.items, once.n) = key;
		else
			once.items[at] = key;
	}
	*env = once;
}

void co_config_setenv(struct co_config *c, struct co_arena *a, const char *key, const char *value)
{
	struct co_strs *env = &c->env;
	const char *entry = co_arena_printf(a, "%s=%s", key, value);
	struct config_index *x = index_of(c, a);
	if (!x->env_once)
		drop_doubles(env, a);
	x->env_once = true;
	size_t at = co_lookup_find(&x->env, a, env->items, env->n, env_key, key, strlen(key));
	if (at == env->n)
		*co_arena_push(a, env->items, env->n) = entry;
	else
		env->items[at] = entry;
}

void co_config_set_label(struct co_config *c, struct co_arena *a, const char *k, const char *v)
{
	struct co_kvlist *l = &c->labels;
	size_t at =
		co_lookup_find(&index_of(c, a)->labels, a, l->items, l->n, label_key, k, strlen(k));
	if (at < l->n) {
		l->items[at].value = co_arena_strdup(a, v);
		return;
	}
	struct co_kvpair *kv = co_arena_push(a, l->items, l->n);
	kv->key = co_arena_strdup(a, k);
	kv->value = co_arena_strdup(a, v);
}
