/* SPDX-License-Identifier: MIT
 *
 * What goes into a step's key, by names that its author knows. The words only: the key itself is
 * plan/key.c's.
 */
#include "exec-internal.h"

#define FILES_MAX   20000
#define COMMIT_TIME "the commit time"
#define SHARE_HINT  "--timestamp=created shares the cache across commits"

static struct co_cache_input *add(struct co_exec *x, struct pending_step *p, const char *name)
{
	struct co_cache_input *in = co_arena_push(x->a, p->inputs, p->n_inputs);
	in->name = name;
	return in;
}

static void add_hash(struct co_exec *x, struct pending_step *p, const char *name, const void *data,
		     size_t len)
{
	struct co_digest d;
	char hex[CO_DIGEST_TEXT];
	co_digest_of(&d, data, len);
	add(x, p, name)->value = co_arena_strndup(x->a, co_digest_hex(&d, hex), 16);
}

static void add_text(struct co_exec *x, struct pending_step *p, const char *name, const char *s)
{
	if (s && *s)
		add_hash(x, p, name, s, strlen(s));
}

static const char *named(struct co_exec *x, const char *kind, const char *kv)
{
	return co_arena_printf(x->a, "%s %.*s", kind, (int)strcspn(kv, "="), kv);
}

static void add_layers(struct co_exec *x, const struct stage_run *st, struct pending_step *p)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	size_t base = st->base ? st->base->n_layers : 0;
	for (size_t i = 0; i < st->config.n_diff_ids; i++) {
		if (i == base && base) {
			add_hash(x, p, "the base image", co_buf_str(&b), b.len);
			co_buf_clear(&b);
		}
		co_buf_add(&b, st->config.diff_ids[i].bytes, 32);
	}
	const char *rest = base && st->config.n_diff_ids <= base ? "the base image"
								 : "what earlier steps made";
	if (b.len)
		add_hash(x, p, rest, co_buf_str(&b), b.len);
}

static bool in_env(const struct co_config *c, const char *kv)
{
	return co_strs_has(&c->env, kv);
}

static void add_run(struct co_exec *x, const struct stage_run *st, struct pending_step *p)
{
	const struct co_step *s = &p->step;
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	for (size_t i = 0; i < s->n_argv; i++)
		co_buf_add(&b, s->argv[i], strlen(s->argv[i]) + 1);
	add_hash(x, p, "the command (or the SHELL for it)", co_buf_str(&b), b.len);
	add_text(x, p, "the script", s->script);
	for (size_t i = 0; s->key_env && s->key_env[i]; i++)
		if (!in_env(&st->config, s->key_env[i]))
			add_text(x, p, named(x, "argument", s->key_env[i]), s->key_env[i]);
	add_text(x, p, "--network", s->network);
	add_text(x, p, "--security", s->security);
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct co_mount *m = &s->mounts[i];
		const char *name =
			co_arena_printf(x->a, "--mount for %s", m->target ? m->target : m->id);
		char text[64];
		snprintf(text, sizeof(text), "%d %d %d", m->type, m->readonly, m->required);
		add_text(x, p, name, text);
	}
}

static void add_copy(struct co_exec *x, struct pending_step *p)
{
	const struct co_step *s = &p->step;
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	for (size_t i = 0; i < s->n_sources; i++)
		co_buf_add(&b, s->sources[i], strlen(s->sources[i]) + 1);
	add_hash(x, p, "the list of sources", co_buf_str(&b), b.len);
	add_text(x, p, "the destination", s->dest);
	add_text(x, p, "--chown", s->chown);
	add_text(x, p, "--chmod", s->chmod_text);
	add_text(x, p, "--checksum", s->checksum);
	for (size_t i = 0; i < s->n_excludes; i++)
		add_text(x, p, co_arena_printf(x->a, "--exclude=%s", s->excludes[i]), "given");
	if (p->n_files > FILES_MAX)
		add_text(x, p, "some files", "too many to be told apart");
}

static void add_content(struct co_exec *x, struct pending_step *p)
{
	const struct co_step *s = &p->step;
	size_t k = 0;
	if (p->by_tree && !p->content_key.set && p->n_content)
		add_hash(x, p, CO_CACHE_FILES_UNSEEN, p->content[0].bytes, 32);
	else if (p->n_files > FILES_MAX && p->n_content)
		add_hash(x, p, "the files together", p->content[0].bytes, 32);
	for (size_t i = 0; s->op == CO_OP_RUN && i < s->n_mounts; i++)
		if (s->mounts[i].type == CO_MOUNT_BIND && k < p->n_content)
			add_hash(x, p,
				 co_arena_printf(x->a, "the content mounted at %s",
						 s->mounts[i].target),
				 p->content[k++].bytes, 32);
}

/* co_copy.seen: one file of a copy. */
void explain_file(void *ctx, const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
		  const struct co_digest *content)
{
	struct explain_files *f = ctx;
	char hex[CO_DIGEST_TEXT];
	if (f->p->n_files++ >= FILES_MAX)
		return;
	struct co_cache_input *in = add(f->x, f->p, co_arena_printf(f->x->a, "file %s", path));
	in->value = co_arena_printf(f->x->a, "%o %u:%u %.16s", mode, uid, gid,
				    content->set ? co_digest_hex(content, hex) : "-");
}

static const char *stage_name(struct co_exec *x, const struct stage_run *st)
{
	return st->plan->ast->name ? st->plan->ast->name
				   : co_arena_printf(x->a, "%u", st->plan->index);
}

/* Every commit makes every step run: who wonders has to be told how it can be otherwise. */
static void explain_commit(struct co_exec *x, const struct co_cache_input *only, struct co_buf *why)
{
	if (!only || strcmp(only->name, COMMIT_TIME) != 0 || x->o->no_cache)
		return;
	if (!x->told_commit)
		co_note(x->o->bus, "%s, so no step is cached; " SHARE_HINT, co_buf_str(why));
	x->told_commit = true;
	co_buf_adds(why, "; " SHARE_HINT);
}

void explain_step(struct co_exec *x, struct stage_run *st, struct pending_step *p, bool hit)
{
	char platform[128], epoch[40];
	auto_buf why = CO_BUF_INIT(CO_BUF_SMALL);
	if (!x->o->project)
		return;
	add_layers(x, st, p);
	for (size_t i = 0; i < st->config.env.n; i++)
		add_text(x, p, named(x, "variable", st->config.env.items[i]),
			 st->config.env.items[i]);
	add_text(x, p, "WORKDIR", st->config.workdir);
	add_text(x, p, "USER", st->config.user);
	add_text(x, p, "the platform",
		 co_platform_str(&st->config.platform, platform, sizeof(platform)));
	add(x, p,
	    x->o->epoch_of_commit ? COMMIT_TIME
				  : "the time for files (--timestamp or SOURCE_DATE_EPOCH)")
		->value = co_arena_printf(x->a, "=%lld", (long long)x->o->layer.epoch);
	snprintf(epoch, sizeof(epoch), "%d %d", (int)x->o->layer.compression, x->o->layer.level);
	add_text(x, p, "--compression", epoch);
	if (p->step.op == CO_OP_RUN)
		add_run(x, st, p);
	else if (p->step.op == CO_OP_COPY || p->step.op == CO_OP_ADD)
		add_copy(x, p);
	add_content(x, p);
	struct co_cache_step s = {.project = x->o->project,
				  .stage = stage_name(x, st),
				  .position = (unsigned)st->next,
				  .text = p->step.insn->original,
				  .inputs = p->inputs,
				  .n = p->n_inputs,
				  .key = p->key};
	for (size_t i = 0; i < st->next; i++)
		s.nth += !strcmp(st->plan->insns[i]->original, s.text);
	const struct co_cache_input *only = co_cache_explain(x->o->cache, &s, hit, &why);
	if (hit)
		return;
	if (!st->plan->no_cache)
		explain_commit(x, only, &why);
	co_emit(x->o->bus,
		(struct co_event){.kind = CO_EV_CACHE,
				  .step = (int)x->step,
				  .count = (int)x->plan->n_steps,
				  .stage = st->plan->ast->name,
				  .name = p->step.title,
				  .rule = "CacheMiss",
				  .text = x->o->no_cache       ? "--no-cache was given"
					  : st->plan->no_cache ? "--no-cache-filter names its stage"
							       : co_buf_str(&why),
				  .file = x->plan->dockerfile->source.name,
				  .pos = p->step.pos,
				  .ok = x->o->explain});
}
