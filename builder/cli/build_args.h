/* SPDX-License-Identifier: MIT
 *
 * build_args.h — `cooper build` as typed, and its way to the plain data that flow works with.
 */
#pragma once
#include "cli.h"

struct build_args {
	struct common_opts common;
	struct progress_opts progress;
	struct text_list tags, build_args, labels, annotations, contexts, platforms, outputs;
	struct text_list secrets, ssh, add_hosts, allow, cdi_dirs, no_cache_filter;
	const char *file, *target, *iidfile, *metadata_file, *digest_file;
	const char *network, *memory, *cpus, *timeout, *output_limit, *sandbox, *user_policy,
		*unsafe;
	const char *max_layer_size, *max_layer_entries, *max_layer_name, *max_layer_ratio;
	const char *timestamp, *compression, *compression_level, *call, *check_rules;
	unsigned pids, jobs;
	struct text_list cache_from, cache_to, cache_repo, cache_trust, cache_scope;
	const char *cache_key, *cache_ttl;
	bool explain_cache;
	bool push, late_push, pull, no_cache, dry_run, check, squash, single_layer,
		force_compression;
};
enum build_method { CALL_BUILD, CALL_CHECK, CALL_OUTLINE, CALL_TARGETS, CALL_PLAN };
struct build_call {
	enum build_method method;
	bool json;
};

/* Strings and lists live as long as the arena and argv. */
int build_opts_make(struct co_build_opts *out, struct build_call *call, struct cmd_ctx *c,
		    const struct build_args *a) co_must_check;
/* build_output.c: one -o value, added to out. */
int build_output_add(struct co_build_opts *out, struct cmd_ctx *c, const char *text) co_must_check;
/* --tag, also from -o type=image,name=…; the list stays NULL-ended. */
void build_tag_add(struct co_build_opts *out, struct cmd_ctx *c, const char *name);
int build_compression(struct co_build_opts *out, struct cmd_ctx *c, const char *name,
		      const char *level, const char *flag) co_must_check;
int build_bool(bool *out, struct cmd_ctx *c, const char *value, const char *what) co_must_check;
/* build_cache.c */
int build_cache(struct co_build_opts *out, struct cmd_ctx *c,
		const struct build_args *a) co_must_check;
/* The values of a flag that names cache places, added to list. */
int cli_cache_places(struct co_cache_place **list, size_t *n, struct cmd_ctx *c,
		     const struct text_list *texts, const char *flag, bool read,
		     bool write) co_must_check;
/* Values split at commas, NULL-ended; NULL when there is none. */
const char *const *cli_commas(struct cmd_ctx *c, const struct text_list *texts);
/* "7d", "36h" → seconds; text NULL leaves it alone. */
int cli_age(int64_t *seconds, struct cmd_ctx *c, const char *text, const char *flag) co_must_check;
/* build_refused.c */
extern const struct refusal build_refused[];
/* build_call.c: --check, --call and --dry-run. Returns an exit status or a negative code. */
int build_call(struct cmd_ctx *c, struct co_build_opts *o, struct build_call call);
