/* SPDX-License-Identifier: MIT
 *
 * flow.h — the order of the calls for each user-visible operation, and nothing else. Reading
 * builder/flow/build.c from top to bottom explains the program.
 */
#pragma once
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/exec.h>
#include <cooper/lint.h>
#include <cooper/plan.h>
#include <cooper/registry.h>
#include <cooper/report.h>
#include <cooper/store.h>

/* -o type=…,dest=… */
enum co_output_kind { CO_OUT_OCI, CO_OUT_DOCKER, CO_OUT_TAR, CO_OUT_LOCAL };
struct co_output {
	enum co_output_kind kind;
	const char *dest; /* path, or "-" for stdout */
	bool tar;	  /* oci: an archive (default) or, tar=false, a directory */
};
enum co_user_policy { CO_USER_ENFORCE, CO_USER_WARN, CO_USER_OFF };
enum co_cache_use { CO_CACHE_ON, CO_CACHE_OFF };

/* A build that stops before anything is executed (--check, --call, --dry-run) shows this instead.
 * Pointers are valid during the call. */
struct co_preview {
	const struct co_dockerfile *dockerfile;
	const struct co_findings *findings; /* never failing here, whatever check=error says */
	const struct co_plan *plan;	    /* of one platform; NULL unless preview_plan */
	const struct co_platform *platform;
	const struct co_step_look *steps; /* with preview_steps: what each step would do */
	size_t n_steps;
};

/* Plain data from the command line; strings are borrowed. */
struct co_build_opts {
	const char *context;	 /* CONTEXT argument; "-" is stdin */
	const char *dockerfile;	 /* -f; "-" is stdin; NULL: Dockerfile */
	const char *const *tags; /* NULL-ended */
	const struct co_kv *build_args;
	size_t n_build_args;
	const struct co_kv *labels;
	size_t n_labels;
	const struct co_kv *annotations;
	size_t n_annotations;
	const struct co_named_context *contexts;
	size_t n_contexts;
	const char *target;
	const struct co_platform *platforms; /* none: the host's */
	size_t n_platforms;
	const struct co_output *outputs;
	size_t n_outputs;
	bool push, pull, no_cache;
	bool late_push;		   /* no layer is uploaded before the whole build has succeeded */
	bool force_compression;	   /* the base's layers too */
	bool squash, single_layer; /* one layer of what lies on the base; of everything */
	/* Not NULL: called once, or with preview_plan once a platform, and nothing is built. A
	 * negative result ends the build with it. */
	int (*preview)(void *ctx, const struct co_preview *p, struct co_err *err);
	void *preview_ctx;
	bool preview_plan, preview_steps;
	const char *iidfile, *metadata_file, *digest_file;
	const char *store_root;
	const char *sandbox;
	enum co_user_policy user_policy;
	const char *epoch; /* --timestamp or SOURCE_DATE_EPOCH; NULL: from the context */
	enum co_compression compression;
	int compression_level; /* < 0: default */
	struct co_layer_limits layer_limits;
	bool docker_types;
	const struct co_secret *secrets;
	size_t n_secrets;
	const struct co_secret *ssh;
	size_t n_ssh;
	bool allow_host_network, allow_insecure;
	const char *const *allow_devices, *const *cdi_dirs; /* as in exec.h */
	const char *const *no_cache_stages;		    /* NULL-ended or NULL */
	const char *network;
	const char *const *add_hosts;
	uint64_t memory, pids, output_limit;
	double cpus;
	unsigned timeout_s, jobs;
	const char *check; /* lint settings; NULL: the directive's */
	const struct co_cache_place *cache_places;
	size_t n_cache_places;
	const char *cache_key;		 /* signs what is written */
	const char *const *cache_trust;	 /* NULL-ended; NULL: all is believed */
	const char *const *cache_scopes; /* NULL-ended or NULL */
	int64_t cache_ttl_s;		 /* 0: any age */
	bool explain_cache;
	struct co_registry_opts registry;
};
/* What came out. */
struct co_build_result {
	struct co_descriptor desc; /* manifest, or index of several platforms */
	struct co_digest config;   /* of the single platform */
	size_t warnings;
};
int co_build(const struct co_build_opts *o, struct co_bus *bus, struct co_build_result *out,
	     struct co_err *err) co_must_check;

/* An image named in any way: store reference or id prefix, "oci:DIR[:tag]", "oci-archive:FILE",
 * "docker-archive:FILE", "docker://REF"; without a prefix the store is asked first, then the
 * registry. Manifest, config and all layers are in the store afterwards. */
int co_find_image(struct co_store *s, struct co_registry *r, const char *name,
		  const struct co_platform *platform, bool with_layers, struct co_descriptor *out,
		  struct co_err *err) co_must_check;
int co_pull_image(struct co_store *s, struct co_registry *r, const char *name,
		  const struct co_platform *platform, struct co_descriptor *out,
		  struct co_err *err) co_must_check;
int co_push_image(struct co_store *s, struct co_registry *r, const char *name, const char *dest,
		  struct co_descriptor *out, struct co_err *err) co_must_check;

/* Builds o's sources again without cache and compares with the image `name` (as for co_find_image,
 * or the directory of an OCI layout). The time is the published image's unless o gives one. */
struct co_verdict {
	struct co_digest published, built; /* of the manifests */
	bool differs;
	struct co_difference difference; /* published first, built second */
};
int co_verify(struct co_verdict *out, struct co_arena *a, const char *name,
	      const struct co_build_opts *o, struct co_bus *bus, struct co_err *err) co_must_check;
