/* SPDX-License-Identifier: MIT
 *
 * Cache keys. The only file that hashes keys. Every field is framed (tag, length, bytes), so two
 * different inputs never give the same byte stream; NULL differs from "". Bump KEY_DOMAIN when the
 * meaning of a layer changes.
 */
#include "plan-internal.h"
#include <endian.h>
#include <stdlib.h>

#define KEY_DOMAIN "cooper-cache/1"

/* Tags: stable numbers, never reused. */
enum tag {
	T_DOMAIN = 1,
	T_DIFF_ID = 2,
	T_ENV = 3,
	T_WORKDIR = 4,
	T_USER = 5,
	T_SHELL = 6,
	T_PLATFORM = 7,
	T_STATE = 20,
	T_OP = 21,
	T_ARGV = 22,
	T_SCRIPT = 23,
	T_KEY_ENV = 24,
	T_NETWORK = 25,
	T_SECURITY = 26,
	T_MOUNT = 27,
	T_CONTENT = 28,
	T_DEST = 29,
	T_CHOWN = 30,
	T_CHMOD = 31,
	T_FLAGS = 32,
	T_EXCLUDE = 33,
	T_CHECKSUM = 34,
	T_VALUE = 35,
	T_EPOCH = 36,
	T_DEVICE = 37,
	T_SOURCE = 38,
	T_HOSTNAME = 39,
	T_BODY = 40,
	T_SET_TIMES = 41,
};

static void add_str(struct co_hash *h, enum tag tag, const char *s)
{
	if (s)
		co_hash_field(h, tag, s, strlen(s));
}

static void add_u64(struct co_hash *h, enum tag tag, uint64_t v)
{
	uint64_t le = htole64(v);
	co_hash_field(h, tag, &le, sizeof(le));
}

static void add_digest(struct co_hash *h, enum tag tag, const struct co_digest *d)
{
	char text[CO_DIGEST_TEXT];
	if (d->set)
		add_str(h, tag, co_digest_str(d, text));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Order of the environment does not matter to a step. */
static void add_sorted(struct co_hash *h, enum tag tag, const char *const *items, size_t n)
{
	const char **copy = co_xcalloc(n + 1, sizeof(*copy));
	if (n)
		memcpy(copy, items, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), by_text);
	for (size_t i = 0; i < n; i++)
		add_str(h, tag, copy[i]);
	free(copy);
}

/* Of a name that is there twice the last value is in force. */
static void add_env(struct co_hash *h, const struct co_config *c)
{
	const char **last = co_xcalloc(c->env.n + 1, sizeof(*last));
	size_t n = 0;
	for (size_t i = 0; i < c->env.n; i++) {
		size_t len = strcspn(c->env.items[i], "="), k = i + 1;
		while (k < c->env.n && (strncmp(c->env.items[k], c->env.items[i], len) ||
					(c->env.items[k][len] != '=' && c->env.items[k][len])))
			k++;
		if (k == c->env.n)
			last[n++] = c->env.items[i];
	}
	add_sorted(h, T_ENV, last, n);
	free(last);
}

void co_key_tree(struct co_digest *out, const struct co_config *c)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	add_str(h, T_DOMAIN, KEY_DOMAIN " tree");
	for (size_t i = 0; i < c->n_diff_ids; i++)
		add_digest(h, T_DIFF_ID, &c->diff_ids[i]);
	co_hash_done(h, out);
}

void co_key_state(struct co_digest *out, const struct co_config *c)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	char platform[128];
	add_str(h, T_DOMAIN, KEY_DOMAIN " state");
	for (size_t i = 0; i < c->n_diff_ids; i++)
		add_digest(h, T_DIFF_ID, &c->diff_ids[i]);
	add_env(h, c);
	add_str(h, T_WORKDIR, c->workdir);
	add_str(h, T_USER, c->user);
	for (size_t i = 0; i < c->shell.n; i++)
		add_str(h, T_SHELL, c->shell.items[i]);
	add_str(h, T_PLATFORM, co_platform_str(&c->platform, platform, sizeof(platform)));
	co_hash_done(h, out);
}

/* What a mount means to the result: not a cache's content, not a secret's value. */
static void add_mount(struct co_hash *h, const struct co_mount *m)
{
	struct co_hash *one = co_hash_new(CO_SHA256);
	struct co_digest d;
	add_u64(one, T_FLAGS, m->type);
	add_str(one, T_DEST, m->target);
	if (m->type == CO_MOUNT_BIND || m->type == CO_MOUNT_CACHE)
		add_str(one, T_SOURCE, m->source);
	add_str(one, T_VALUE, m->id);
	add_str(one, T_ENV, m->env);
	add_u64(one, T_FLAGS, (uint64_t)m->readonly | (uint64_t)m->required << 1);
	if (m->type == CO_MOUNT_TMPFS)
		add_u64(one, T_FLAGS, m->size);
	co_hash_done(one, &d);
	add_digest(h, T_MOUNT, &d);
}

static void add_run(struct co_hash *h, const struct co_step *s, const struct co_key_inputs *in)
{
	for (size_t i = 0; i < s->n_argv; i++)
		add_str(h, T_ARGV, s->argv[i]);
	add_str(h, T_SCRIPT, s->script);
	size_t n = 0;
	while (s->key_env && s->key_env[n])
		n++;
	add_sorted(h, T_KEY_ENV, s->key_env, n);
	/* --network of the build is what "default" means */
	bool other = in->network && !strcmp(s->network, "default");
	add_str(h, T_NETWORK, other ? in->network : s->network);
	add_str(h, T_SECURITY, s->security);
	add_str(h, T_HOSTNAME, s->hostname);
	for (size_t i = 0; i < s->n_mounts; i++)
		add_mount(h, &s->mounts[i]);
	for (size_t i = 0; i < s->n_devices; i++) {
		add_str(h, T_DEVICE, s->devices[i].name);
		if (s->devices[i].required) /* it was there */
			add_u64(h, T_FLAGS, 1);
	}
}

static void add_copy(struct co_hash *h, const struct co_step *s)
{
	add_str(h, T_DEST, s->dest);
	add_str(h, T_CHOWN, s->chown);
	add_str(h, T_CHMOD, s->chmod_text);
	for (size_t i = 0; i < s->n_sources; i++)
		add_str(h, T_SOURCE, s->sources[i]);
	for (size_t i = 0; i < s->n_excludes; i++)
		add_str(h, T_EXCLUDE, s->excludes[i]);
	add_str(h, T_CHECKSUM, s->checksum);
	for (size_t i = 0; i < s->n_bodies; i++) {
		add_str(h, T_SOURCE, s->body_names[i]);
		add_str(h, T_BODY, s->bodies[i]);
	}
	uint64_t flags = (uint64_t)s->link | (uint64_t)s->parents << 1 |
			 (uint64_t)s->keep_git_dir << 2 | (uint64_t)s->has_unpack << 3 |
			 (uint64_t)s->unpack << 4;
	add_u64(h, T_FLAGS, flags);
}

void co_key_step(struct co_digest *out, const struct co_digest *state, const struct co_step *s,
		 const struct co_key_inputs *in)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	add_str(h, T_DOMAIN, KEY_DOMAIN " step");
	add_digest(h, T_STATE, state);
	add_str(h, T_OP, co_op_name(s->op));
	if (s->op == CO_OP_RUN)
		add_run(h, s, in);
	else if (s->op == CO_OP_COPY || s->op == CO_OP_ADD)
		add_copy(h, s);
	add_str(h, T_VALUE, s->value);
	for (size_t i = 0; i < in->n_content; i++)
		add_digest(h, T_CONTENT, &in->content[i]);
	if (in->clamp)
		add_u64(h, T_EPOCH, (uint64_t)in->epoch);
	if (in->set_times && (s->op == CO_OP_COPY || s->op == CO_OP_ADD))
		add_u64(h, T_SET_TIMES, 1);
	add_str(h, T_ENV, in->clock_env);
	co_hash_done(h, out);
}
