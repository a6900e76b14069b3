/* SPDX-License-Identifier: MIT
 *
 * Where COPY --from and bind mounts take their files: another stage, an image, a named context, the
 * build context.
 */
#include "exec-internal.h"
#include <cooper/fetch.h>
#include <stdlib.h>

struct named_tree {
	const struct co_named_context *context;
	struct co_context opened;
	struct named_tree *next;
};

static int open_image(struct co_exec *x, const char *name, const struct co_platform *platform,
		      struct stage_run **out, struct co_err *err)
{
	for (struct image_run *i = x->images; i; i = i->next)
		if (!strcmp(i->name, name) && co_platform_eq(i->platform, platform)) {
			*out = &i->run;
			return 0;
		}
	const struct co_base *base;
	const struct co_plan_opts *po = x->plan->opts;
	int r = po->resolve(po->ctx, name, platform, &base, err);
	if (r < 0)
		return co_wrap(err, "image %s", name);
	struct image_run *i = co_arena_new(x->a, struct image_run);
	i->name = name;
	i->platform = platform;
	stage_from_base(x, &i->run, base);
	i->next = x->images;
	x->images = i;
	*out = &i->run;
	return 0;
}

static bool context_is_image(const struct co_named_context *c)
{
	return c && (co_starts(c->spec, "docker-image://") || co_starts(c->spec, "oci-layout://"));
}

/* The stage-like thing behind an origin; NULL for trees of files. */
static int origin_stage(struct co_exec *x, const struct co_origin *from,
			const struct co_platform *platform, struct stage_run **out,
			struct co_err *err)
{
	*out = NULL;
	if (from->kind == CO_FROM_STAGE) {
		*out = x->stages[from->stage];
		return 0;
	}
	if (from->kind == CO_FROM_IMAGE)
		return open_image(x, from->image, platform, out, err);
	if (from->kind == CO_FROM_CONTEXT && context_is_image(from->context))
		return open_image(x, from->context->spec, platform, out, err);
	if (from->kind == CO_FROM_SCRATCH) {
		struct image_run *i = co_arena_new(x->a, struct image_run);
		i->name = "";
		i->platform = platform;
		co_config_init(&i->run.config, platform);
		i->next = x->images;
		x->images = i;
		*out = &i->run;
	}
	return 0;
}

static int open_named(struct co_exec *x, const struct co_named_context *c, struct co_context **out,
		      struct co_err *err)
{
	for (struct named_tree *t = x->named; t; t = t->next)
		if (t->context == c) {
			*out = &t->opened;
			return 0;
		}
	struct named_tree *t = co_arena_new(x->a, struct named_tree);
	struct co_git_opts opts = {0};
	int r = 0;
	if (co_url_is_git(c->spec))
		r = co_exec_git_auth(&opts.auth_header, x->a, x->o->secrets, x->o->n_secrets,
				     c->spec, err);
	else if (co_url_is_http(c->spec))
		r = co_exec_http_auth(&opts.http_header, x->a, x->o->secrets, x->o->n_secrets,
				      c->spec, err);
	if (!r)
		r = co_fetch_context(&t->opened, x->o->store, x->o->registry, c->spec, &opts, err);
	if (!r)
		r = co_context_load_ignore(&t->opened, NULL, err);
	if (r < 0)
		return co_wrap(err, "build context \"%s\"", c->name);
	co_context_hide_store(&t->opened, x->o->store, x->o->bus);
	t->context = c;
	t->next = x->named;
	x->named = t;
	*out = &t->opened;
	return 0;
}

int origin_open(struct co_exec *x, const struct co_origin *from, const struct co_platform *platform,
		struct origin_tree *out, struct co_err *err)
{
	struct stage_run *st;
	int r = origin_stage(x, from, platform, &st, err);
	if (r < 0)
		return r;
	memset(out, 0, sizeof(*out));
	if (st) {
		r = stage_materialise(x, st, err);
		out->keep_owner = true;
		return r ? r : co_rootfs_view(st->fs, &out->root, err);
	}
	struct co_context *c = x->o->context;
	if (from->context)
		r = open_named(x, from->context, &c, err);
	if (r < 0)
		return r;
	if (!c)
		return co_fail(err, CO_E_USAGE,
			       "this step needs a build context, and none was given");
	out->root = &c->root;
	out->ignore = c->ignore;
	return 0;
}

int origin_key(struct co_exec *x, const struct co_origin *from, const struct co_platform *platform,
	       struct co_digest *out, bool *known, struct co_err *err)
{
	struct stage_run *st;
	int r = origin_stage(x, from, platform, &st, err);
	if (r < 0)
		return r;
	*known = st != NULL;
	if (st)
		co_key_tree(out, &st->config);
	return 0;
}

void origin_close_all(struct co_exec *x)
{
	for (struct image_run *i = x->images; i; i = i->next)
		stage_close(&i->run);
	for (struct named_tree *t = x->named; t; t = t->next)
		co_context_release(&t->opened);
}
