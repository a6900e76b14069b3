/* SPDX-License-Identifier: MIT
 *
 * cache ls, du, prune, gc: what the build cache keeps, here or in a shared place.
 */
#include "build_args.h"
#include "commands.h"
#include <cooper/cache.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct cache_opts {
	struct common_opts common;
	struct text_list repos;
	const char *max_age, *keep;
	bool mounts, dry_run;
};
#define AT(member) offsetof(struct cache_opts, member)
static const struct opt cache_table[] = {
	{"cache-repo", 0, OPT_LIST, "PLACE",
	 "a shared cache instead of the store: REPOSITORY or type=local,dest=DIR", AT(repos)},
	{"max-age", 0, OPT_TEXT, "DURATION", "prune, gc: remove what is older, for example 30d",
	 AT(max_age)},
	{"keep-bytes", 0, OPT_TEXT, "SIZE", "prune, gc: remove the oldest until no more is left",
	 AT(keep)},
	{"mounts", 0, OPT_FLAG, NULL, "prune, gc: cache mounts of the store too", AT(mounts)},
	{"dry-run", 0, OPT_FLAG, NULL, "prune, gc: only say how much would go", AT(dry_run)},
	REGISTRY_OPTS(struct cache_opts, common),
	COMMON_OPTS(struct cache_opts, common),
	OPT_END};

static int show_list(struct cmd_ctx *c, const struct co_cache_item *list, size_t n)
{
	const char **cells = NULL;
	size_t k = 0;
	static const char *const head[] = {"ENTRY", "CREATED", "SIZE", "WHAT"};
	char buf[64];
	for (size_t i = 0; i < 4; i++)
		*co_arena_push(c->arena, cells, k) = head[i];
	for (size_t i = 0; i < n; i++) {
		auto_buf what = CO_BUF_INIT(CO_BUF_SMALL);
		co_sanitize(&what, list[i].what, strlen(list[i].what), false);
		*co_arena_push(c->arena, cells, k) = co_arena_strndup(c->arena, list[i].name, 15);
		*co_arena_push(c->arena, cells, k) =
			list[i].created
				? co_arena_strdup(c->arena, ago(list[i].created, buf, sizeof(buf)))
				: "?";
		*co_arena_push(c->arena, cells, k) =
			co_arena_strdup(c->arena, co_human_size(list[i].size, buf, sizeof(buf)));
		*co_arena_push(c->arena, cells, k) =
			co_arena_strndup(c->arena, co_buf_str(&what), what.len);
	}
	print_table(stdout, cells, 4, n + 1);
	return 0;
}

static void show_use(const struct co_cache_item *list, size_t n)
{
	uint64_t steps = 0, mounts = 0;
	size_t n_steps = 0, n_mounts = 0;
	char buf[64];
	for (size_t i = 0; i < n; i++) {
		if (list[i].mount) {
			n_mounts++;
			mounts += list[i].size;
			printf("%-12.12s   %s   %s\n", list[i].name,
			       co_human_size(list[i].size, buf, sizeof(buf)), list[i].what);
		} else {
			n_steps++;
			steps += list[i].size;
		}
	}
	printf("Entries: %zu, %s\n", n_steps, co_human_size(steps, buf, sizeof(buf)));
	printf("Cache mounts: %zu, %s\n", n_mounts, co_human_size(mounts, buf, sizeof(buf)));
	printf("Total: %s\n", co_human_size(steps + mounts, buf, sizeof(buf)));
}

static int collect(struct cmd_ctx *c, const struct cache_opts *o, struct co_cache *cache,
		   struct co_store *s)
{
	struct co_cache_gc gc = {.max_age_s = -1,
				 .keep_bytes = UINT64_MAX,
				 .mounts = o->mounts,
				 .dry_run = o->dry_run};
	struct co_gc_stats st = {0};
	char gone[64], kept[64];
	bool places = o->repos.n > 0;
	if (!o->max_age && !o->keep)
		gc.max_age_s = 14 * 86400;
	int r = cli_age(&gc.max_age_s, c, o->max_age, "--max-age");
	if (!r && o->keep && !co_parse_size(o->keep, &gc.keep_bytes))
		r = co_fail(c->err, CO_E_USAGE, "--keep-bytes %s: not a size such as 512m or 20g",
			    o->keep);
	if (!r)
		r = co_cache_collect(cache, places, &gc, c->err);
	/* the blobs that the entries kept alive */
	if (!r && !places && !o->dry_run)
		r = co_store_gc(s, -1, &st, c->err);
	if (r < 0)
		return r;
	printf("%s %" PRIu64 " entries of %s; %" PRIu64 " of %s are left\n",
	       o->dry_run ? "Would remove" : "Removed", gc.removed,
	       co_human_size(gc.bytes, gone, sizeof(gone)), gc.kept,
	       co_human_size(gc.kept_bytes, kept, sizeof(kept)));
	if (places)
		printf("A registry frees the room of their layers when it cleans up itself.\n");
	return 0;
}

static int carry_out(struct cmd_ctx *c, const struct cache_opts *o, struct co_cache *cache,
		     struct co_store *s)
{
	const char *what = c->argv[0];
	struct co_cache_item *list = NULL;
	size_t n = 0;
	if (!strcmp(what, "prune") || !strcmp(what, "gc"))
		return collect(c, o, cache, s);
	if (strcmp(what, "ls") && strcmp(what, "du")) {
		co_fail(c->err, CO_E_USAGE, "cooper cache: there is no \"%s\"", what);
		return co_hint(c->err, "it is ls, du, prune or gc");
	}
	if (o->max_age || o->keep || o->mounts || o->dry_run)
		return co_fail(c->err, CO_E_USAGE,
			       "cooper cache %s removes nothing: flags of prune mean nothing",
			       what);
	int r = co_cache_list(cache, o->repos.n > 0, &list, &n, c->err);
	if (r < 0)
		return r;
	if (!strcmp(what, "ls"))
		show_list(c, list, n);
	else
		show_use(list, n);
	free(list);
	return 0;
}

static int run_cache(struct cmd_ctx *c, void *opts)
{
	const struct cache_opts *o = opts;
	struct co_cache_place *places = NULL;
	struct co_store *s = NULL;
	struct co_registry *reg = NULL;
	struct co_cache *cache = NULL;
	size_t n = 0;
	int r = cli_cache_places(&places, &n, c, &o->repos, "--cache-repo", true, true);
	if (!r)
		r = cli_store(&s, &o->common, c->err);
	if (!r)
		r = cli_registry(&reg, &o->common, NULL, c->err);
	struct co_cache_opts co = {.store = s, .registry = reg, .places = places, .n_places = n};
	if (!r)
		r = co_cache_open(&cache, &co, c->err);
	if (!r)
		r = carry_out(c, o, cache, s);
	co_cache_close(cache);
	co_registry_close(reg);
	if (s)
		co_store_close(s);
	return r;
}

const struct command cmd_cache = {
	.name = "cache",
	.usage = "[OPTIONS] ls|du|prune|gc",
	.summary = "Show or clean up the build cache",
	.detail =
		"ls lists the entries, oldest first; du tells what they and the cache mounts "
		"take;\n"
		"prune and gc (the same) remove those older than --max-age (14 days when no limit\n"
		"is given) and the oldest beyond --keep-bytes. With --cache-repo this happens in "
		"a\n"
		"shared cache instead of the store.",
	.examples = "  cooper cache du\n"
		    "  cooper cache prune --max-age 7d --keep-bytes 20g\n"
		    "  cooper cache gc --cache-repo registry.example/cache --max-age 30d",
	.opts = cache_table,
	.size = sizeof(struct cache_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_cache};
