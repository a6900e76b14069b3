/* SPDX-License-Identifier: MIT
 *
 * `cooper build`, from the command line's plain data to a pushed image. Read this first.
 */
#include "flow-internal.h"
#include <cooper/clock.h>
#include <cooper/fetch.h>
#include <cooper/fs.h>
#include <stdlib.h>

#define DOCKERFILE_MAX (16u << 20)
#define MAX_LOSSES     8
#define WARNINGS_MAX   100 /* of the checks that a build shows */

static bool namespaced(enum co_place place)
{
	return place == CO_PLACE_ROOT || place == CO_PLACE_RANGE;
}

/* 1. Where we work: store, client, namespaces. */
static int open_place(struct build *b, struct co_err *err)
{
	int r = b->o->preview ? 0 : co_place_enter(&b->place, b->o->sandbox, b->bus, err);
	if (!r)
		r = co_store_open(&b->store, b->o->store_root, err);
	struct co_registry_opts ro = b->o->registry;
	ro.bus = b->bus;
	if (!r)
		r = co_registry_open(&b->registry, &ro, err);
	return r ? r : cache_open(b, err);
}

static int parse_tags(struct build *b, struct co_err *err)
{
	for (size_t i = 0; b->o->tags && b->o->tags[i]; i++) {
		struct co_ref ref;
		int r = co_ref_parse(&ref, b->o->tags[i], err);
		if (r < 0)
			return co_wrap(err, "-t %s", b->o->tags[i]);
		if (ref.digest.set)
			return co_fail(err, CO_E_USAGE, "-t %s: a tag can not contain a digest",
				       b->o->tags[i]);
		*co_arena_push(&b->arena, b->refs, b->n_refs) = ref;
	}
	if (b->o->push && !b->n_refs) {
		co_fail(err, CO_E_USAGE, "--push needs a name");
		return co_hint(err, "give one with -t REGISTRY/NAME:TAG");
	}
	return 0;
}

/* 2. The context and the Dockerfile in it. */
static int read_dockerfile(struct build *b, struct co_err *err)
{
	char *text = NULL;
	size_t len;
	int r;
	if (b->o->dockerfile && !strcmp(b->o->dockerfile, "-")) {
		auto_buf in = CO_BUF_INIT(DOCKERFILE_MAX);
		r = co_buf_read_fd(&in, 0, "Dockerfile from stdin", err);
		len = in.len;
		text = r ? NULL : co_buf_take(&in);
		if (!text)
			text = co_xstrdup("");
		b->source_name = co_xstrdup("Dockerfile from stdin");
	} else {
		r = co_context_dockerfile(&b->context, b->o->dockerfile, &text, &len,
					  &b->source_name, err);
	}
	if (r < 0) {
		free(text);
		return r;
	}
	b->source = (struct co_source){.name = b->source_name, .text = text, .len = len};
	return 0;
}

/* Secrets with the names that ADD uses serve the context too. */
int fetch_opts(struct build *b, const char *url, struct co_git_opts *out, struct co_err *err)
{
	*out = (struct co_git_opts){.keep_git_dir = special_keeps_git_dir(b)};
	if (co_url_is_git(url))
		return co_exec_git_auth(&out->auth_header, &b->arena, b->o->secrets,
					b->o->n_secrets, url, err);
	if (co_url_is_http(url))
		return co_exec_http_auth(&out->http_header, &b->arena, b->o->secrets,
					 b->o->n_secrets, url, err);
	return 0;
}

static int open_context(struct build *b, struct co_err *err)
{
	if (b->o->dockerfile && !strcmp(b->o->dockerfile, "-") && !strcmp(b->o->context, "-"))
		return co_fail(err, CO_E_USAGE, "context and Dockerfile can not both be stdin");
	struct co_git_opts fetch;
	int r = fetch_opts(b, b->o->context, &fetch, err);
	if (!r)
		r = co_fetch_context(&b->context, b->store, b->registry, b->o->context, &fetch,
				     err);
	if (r < 0)
		return r;
	b->has_context = true;
	r = read_dockerfile(b, err);
	if (!r)
		r = co_context_load_ignore(&b->context, b->o->dockerfile, err);
	if (!r)
		co_context_hide_store(&b->context, b->store, b->bus);
	return r;
}

/* 3. Text → tree, and what the checks say about it. */
static bool is_ignored(void *ctx, const char *path)
{
	struct build *b = ctx;
	return b->context.ignore && !co_ignore_has_negation(b->context.ignore) &&
	       co_ignore_match(b->context.ignore, path);
}

static int lint(struct build *b, struct co_err *err)
{
	const char **names = NULL;
	size_t n = 0;
	for (size_t i = 0; i < b->o->n_build_args; i++)
		*co_arena_push(&b->arena, names, n) = b->o->build_args[i].key;
	*co_arena_push(&b->arena, names, n) = NULL;
	struct co_lint_opts lo = {
		.check = b->o->check, .build_args = names, .ignored = is_ignored, .ctx = b};
	struct co_findings *found = &b->found;
	int r = co_lint(found, &b->arena, b->ast, &lo, err);
	if (r < 0 || b->o->preview)
		return r;
	size_t shown = found->n < WARNINGS_MAX ? found->n : WARNINGS_MAX;
	if (shown < found->n)
		co_warn(b->bus, NULL, "%zu findings, the first %zu are shown; see cooper lint",
			found->n, shown);
	for (size_t i = 0; i < shown; i++)
		co_emit(b->bus, (struct co_event){.kind = CO_EV_WARNING,
						  .rule = found->items[i].rule->name,
						  .text = found->items[i].text,
						  .file = b->source.name,
						  .pos = found->items[i].pos});
	if (!found->error || !found->n)
		return 0;
	const struct co_finding *first = &found->items[0];
	co_fail(err, CO_E_POLICY, "lint violation found for rule %s", first->rule->name);
	co_locate(err, &b->source, first->pos);
	return co_hint(err, "mend it, or skip the rule with # check=skip=%s", first->rule->name);
}

/* 4. One platform: plan, execute, finish. */
static void exec_opts(struct build *b, struct co_exec_opts *x)
{
	const struct co_build_opts *o = b->o;
	*x = (struct co_exec_opts){.store = b->store,
				   .registry = b->registry,
				   .cache = b->cache,
				   .context = &b->context,
				   .bus = b->bus,
				   .place = b->place,
				   .sandbox = b->sandbox,
				   .no_cache = o->no_cache,
				   .project = b->project[0] ? b->project : NULL,
				   .explain = o->explain_cache,
				   .secrets = o->secrets,
				   .n_secrets = o->n_secrets,
				   .ssh = o->ssh,
				   .n_ssh = o->n_ssh,
				   .allow_host_network = o->allow_host_network,
				   .allow_insecure = o->allow_insecure,
				   .allow_devices = o->allow_devices,
				   .cdi_dirs = o->cdi_dirs,
				   .network = o->network,
				   .add_hosts = o->add_hosts,
				   .memory = o->memory,
				   .pids = o->pids,
				   .cpus = o->cpus,
				   .output_limit = o->output_limit,
				   .timeout_s = o->timeout_s,
				   .jobs = o->jobs,
				   .taker = b->early.allowed ? &b->early.taker : NULL,
				   .layer_limits = o->layer_limits,
				   .date = b->epoch,
				   .epoch_of_commit = b->epoch_of_commit,
				   .layer = {.epoch = b->file_epoch,
					     .clamp = true,
					     .compression = o->compression,
					     .level = o->compression_level,
					     .docker_types = o->docker_types}};
}

static void plan_opts(struct build *b, const struct co_platform *platform, struct co_plan_opts *po)
{
	const struct co_build_opts *o = b->o;
	*po = (struct co_plan_opts){.target = *platform,
				    .platform_given = o->n_platforms > 0,
				    .target_stage = o->target,
				    .build_args = o->build_args,
				    .n_build_args = o->n_build_args,
				    .contexts = o->contexts,
				    .n_contexts = o->n_contexts,
				    .no_cache_stages = o->no_cache_stages,
				    .resolve = base_resolve,
				    .ctx = b,
				    .bus = b->bus};
	co_platform_host(&po->build);
}

static int preview_steps(struct build *b, const struct co_plan *plan, struct co_preview *p,
			 struct co_err *err)
{
	struct co_exec *x = NULL;
	struct co_exec_opts xo;
	struct co_step_look *list;
	int r = epoch_choose(b, plan, err);
	if (r < 0)
		return r;
	exec_opts(b, &xo);
	r = co_exec_open(&x, plan, &xo, &b->arena, err);
	if (!r)
		r = co_exec_look(x, &list, &p->n_steps, err);
	p->steps = r ? NULL : list;
	if (!r)
		r = b->o->preview(b->o->preview_ctx, p, err);
	co_exec_close(x);
	return r;
}

/* --check, --call, --dry-run: look, and build nothing. */
static int preview(struct build *b, struct co_err *err)
{
	const struct co_build_opts *o = b->o;
	struct co_preview p = {.dockerfile = b->ast, .findings = &b->found};
	struct co_platform host;
	co_platform_host(&host);
	if (!o->preview_plan)
		return o->preview(o->preview_ctx, &p, err);
	size_t n = o->n_platforms ? o->n_platforms : 1;
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct co_plan_opts po;
		struct co_plan *plan;
		p.platform = o->n_platforms ? &o->platforms[i] : &host;
		plan_opts(b, p.platform, &po);
		r = co_plan_make(&plan, &b->arena, b->ast, &po, err);
		p.plan = plan;
		if (!r && o->preview_steps)
			r = preview_steps(b, plan, &p, err);
		else if (!r)
			r = o->preview(o->preview_ctx, &p, err);
	}
	return r;
}

/* A layer that the image has and the store has not: where is it? */
static int note_sources(struct build *b, struct co_exec *x, const struct co_built *built,
			struct co_err *err)
{
	struct co_ref base;
	int r = 0;
	for (size_t i = 0; r == 0 && i < built->n_layers; i++) {
		const struct co_layer *l = &built->layers[i];
		if (co_store_has(b->store, &l->desc.digest, NULL))
			continue;
		const struct co_ref *from = co_cache_repo(b->cache, l->place);
		if (!from && l->place) /* a directory: it may be gone tomorrow */
			return co_exec_fetch(x, err);
		if (!from && built->base && co_ref_parse(&base, built->base->name, err) == 0)
			from = &base;
		if (from)
			r = source_note(b->store, &l->desc.digest, from, err);
	}
	return r;
}

static int run_plan(struct build *b, const struct co_plan *plan, struct co_descriptor *desc,
		    struct co_digest *config, struct co_err *err)
{
	const struct co_build_opts *o = b->o;
	struct co_exec *x = NULL;
	struct co_exec_opts xo;
	struct co_built built = {0};
	size_t before = b->n_entries;
	b->n_facts = 0;
	exec_opts(b, &xo);
	int r = co_exec_open(&x, plan, &xo, &b->arena, err);
	if (!r)
		r = co_exec_run(x, &built, err);
	if (!r && (o->squash || o->single_layer))
		r = co_exec_merge(x, &built, o->single_layer, err);
	if (!r && o->force_compression)
		r = co_exec_repack(x, &built, err);
	if (!r)
		r = finish_image(b, x, &built, desc, config, err);
	bool files = false;
	for (size_t i = 0; i < o->n_outputs; i++)
		files |= o->outputs[i].kind != CO_OUT_LOCAL;
	if (!r && files)
		r = co_exec_fetch(x, err);
	if (!r && o->n_platforms <= 1 && !b->as_index)
		r = outputs_write(b, desc, x, err);
	if (!r)
		r = note_sources(b, x, &built, err);
	if (x) {
		b->n_entries = before;
		cache_collect(b, x);
	}
	co_exec_close(x);
	return r;
}

static int build_platform(struct build *b, const struct co_platform *platform,
			  struct co_descriptor *desc, struct co_digest *config, struct co_err *err)
{
	struct co_plan_opts po;
	struct co_plan *plan;
	plan_opts(b, platform, &po);
	int r = co_plan_make(&plan, &b->arena, b->ast, &po, err);
	if (!r)
		r = epoch_choose(b, plan, err);
	if (r < 0)
		return r;
	special_unused(b, plan);
	early_allow(b, plan);
	cache_expect(b, platform);
	co_emit(b->bus, (struct co_event){.kind = CO_EV_BUILD_START,
					  .name = b->source.name,
					  .count = (int)plan->n_steps});
	/* a layer that a cache promised and did not give is a miss, never a failure */
	for (unsigned i = 0;; i++) {
		r = run_plan(b, plan, desc, config, err);
		if (r == 0 || r == CO_E_INTERRUPTED || i == MAX_LOSSES || !co_cache_lost(b->cache))
			return r;
		if (i + 1 == MAX_LOSSES)
			co_cache_read_none(b->cache);
		co_err_clear(err);
	}
}

static int build_all(struct build *b, struct co_build_result *res, struct co_err *err)
{
	struct co_platform host;
	co_platform_host(&host);
	const struct co_platform *list = b->o->n_platforms ? b->o->platforms : &host;
	size_t n = b->o->n_platforms ? b->o->n_platforms : 1;
	struct co_descriptor *descs = co_arena_alloc(&b->arena, n * sizeof(*descs));
	for (size_t i = 0; i < n; i++) {
		int r = build_platform(b, &list[i], &descs[i], &res->config, err);
		if (r < 0)
			return r;
	}
	if (n == 1 && !b->as_index) {
		res->desc = descs[0];
		return 0;
	}
	memset(&res->config, 0, sizeof(res->config));
	int r = finish_index(b, descs, n, &res->desc, err);
	return r ? r : outputs_write(b, &res->desc, NULL, err);
}

/* 5. Names, registry, files. */
static int publish(struct build *b, struct co_build_result *res, struct co_err *err)
{
	char name[1024], digest[CO_DIGEST_TEXT];
	int r = 0;
	for (size_t i = 0; r == 0 && i < b->n_refs; i++)
		r = co_store_tag(b->store, co_ref_str(&b->refs[i], name, sizeof(name)), &res->desc,
				 err);
	if (!r)
		r = early_finish(b, err);
	if (!r && b->o->push)
		r = co_registry_push(b->registry, b->store, &res->desc, b->refs, b->n_refs,
				     b->mounts, b->n_mounts, err);
	b->pushed = b->o->push && !r;
	if (!r)
		r = outputs_files(b, res, err);
	if (r < 0)
		return r;
	co_emit(b->bus, (struct co_event){.kind = CO_EV_RESULT,
					  .name = "manifest",
					  .text = co_digest_str(&res->desc.digest, digest)});
	for (size_t i = 0; i < b->n_refs; i++)
		co_emit(b->bus, (struct co_event){
					.kind = CO_EV_RESULT,
					.name = b->o->push ? "pushed" : "tag",
					.text = co_ref_familiar(&b->refs[i], name, sizeof(name))});
	return 0;
}

/* Where there are no namespaces that is another sandbox, which was not asked for by name. */
static bool emulate_owners(struct build *b)
{
	if (namespaced(b->place))
		b->place = CO_PLACE_SINGLE;
	else if (b->place == CO_PLACE_NONE && (!b->sandbox || !strcmp(b->sandbox, "auto")))
		b->sandbox = "emulated";
	else
		return false;
	return true;
}

/* Is there another way to the same image? Then it is taken from here on. */
static bool other_way(struct build *b, const struct co_err *err)
{
	/* a cached layer went away before it could be mounted: everything is made here then */
	if (err->code == CO_E_NOT_FOUND && b->from_places && !b->pushed && b->o->push) {
		co_warn(b->bus, "CacheLost", "cached layers are gone (%s); building without them",
			err->msg);
		co_cache_read_none(b->cache);
		b->n_entries = 0;
		return true;
	}
	/* the table of owners holds any id; the steps that are done are in the cache by then */
	if (err->code == CO_E_UNMAPPED && emulate_owners(b)) {
		co_warn(b->bus, "OwnersEmulated",
			"%s: building on with one user id and a table of owners", err->msg);
		cache_write(b);
		b->n_entries = 0;
		return true;
	}
	return false;
}

static int build_and_publish(struct build *b, struct co_build_result *res, struct co_err *err)
{
	int r = build_all(b, res, err);
	if (!r)
		r = publish(b, res, err);
	if (r < 0)
		early_stop(b);
	return r;
}

static int run(struct build *b, struct co_build_result *res, struct co_err *err)
{
	int r = parse_tags(b, err);
	if (!r)
		r = open_place(b, err);
	if (!r)
		r = open_context(b, err);
	if (!r)
		r = co_dockerfile_parse(&b->ast, &b->arena, &b->source, err);
	if (!r)
		r = special_check(b, err);
	if (!r)
		r = lint(b, err);
	if (!r && b->o->preview)
		return preview(b, err);
	if (!r)
		r = build_and_publish(b, res, err);
	if (r < 0 && other_way(b, err)) {
		co_err_clear(err);
		r = build_and_publish(b, res, err);
	}
	/* steps that were done before a failure are worth keeping */
	if (b->n_entries && r != CO_E_INTERRUPTED)
		cache_write(b);
	return r;
}

static void release(struct build *b)
{
	early_stop(b);
	if (b->has_context)
		co_context_release(&b->context);
	free((void *)b->source.text);
	free(b->source_name);
	if (b->cache)
		co_cache_close(b->cache);
	co_registry_close(b->cache_registry);
	if (b->registry)
		co_registry_close(b->registry);
	if (b->store)
		co_store_close(b->store);
	json_decref(b->attempts);
	co_arena_release(&b->arena);
}

int co_build(const struct co_build_opts *o, struct co_bus *bus, struct co_build_result *out,
	     struct co_err *err)
{
	struct build b = {.o = o, .sandbox = o->sandbox};
	struct co_build_result res = {0};
	int64_t start = co_mono_ns();
	outputs_listen(&b, bus);
	early_init(&b);
	int r = run(&b, &res, err);
	release(&b);
	co_emit(bus, (struct co_event){.kind = CO_EV_BUILD_DONE,
				       .ok = r == 0,
				       .elapsed_ns = co_mono_ns() - start});
	if (!r)
		*out = res;
	return r;
}
