/* SPDX-License-Identifier: MIT
 *
 * What lies in the store: images, rmi, prune.
 */
#include "commands.h"
#include <cooper/clock.h>
#include <cooper/json.h>
#include <stdlib.h>
#include <string.h>

#define DOC_MAX	  (4u << 20)
#define MAX_DEPTH 4 /* of an index within an index */

struct images_opts {
	struct common_opts common;
	const char *format;
	bool quiet, no_trunc;
};
static const struct opt images_table[] = {
	{"format", 0, OPT_TEXT, "FORMAT", "table (default) or json: one object a line",
	 offsetof(struct images_opts, format)},
	{"no-trunc", 0, OPT_FLAG, NULL, "show digests in full",
	 offsetof(struct images_opts, no_trunc)},
	{"quiet", 'q', OPT_FLAG, NULL, "print digests only", offsetof(struct images_opts, quiet)},
	COMMON_OPTS(struct images_opts, common),
	OPT_END};

/* What the image's layers and config weigh, packed; of an index the manifests that are here. */
static uint64_t image_bytes(struct co_store *s, const struct co_descriptor *desc, unsigned depth)
{
	auto_arena a = CO_ARENA_INIT;
	auto_free char *text = NULL;
	struct co_err err = CO_ERR_INIT;
	size_t len;
	uint64_t sum = 0;
	if (depth > MAX_DEPTH || !co_store_has(s, &desc->digest, NULL) ||
	    co_store_blob_read(s, &desc->digest, DOC_MAX, &text, &len, &err) < 0)
		return 0;
	if (co_media_is_index(desc->media_type)) {
		struct co_index ix;
		if (co_index_parse(&ix, &a, text, len, desc->media_type, &err) < 0)
			return 0;
		for (size_t i = 0; i < ix.n; i++)
			sum += image_bytes(s, &ix.manifests[i], depth + 1);
		co_index_release(&ix);
		return sum;
	}
	struct co_manifest m;
	if (co_manifest_parse(&m, &a, text, len, desc->media_type, &err) < 0)
		return 0;
	sum = (uint64_t)m.config.size;
	for (size_t i = 0; i < m.n_layers; i++)
		sum += (uint64_t)m.layers[i].size;
	co_manifest_release(&m);
	return sum;
}

/* "docker.io/library/debian:12" → "debian" and "12". */
static void split_name(struct co_arena *a, const char *full, const char **repo, const char **tag)
{
	struct co_ref ref;
	struct co_err err = CO_ERR_INIT;
	char buf[1024];
	*repo = full;
	*tag = "<none>";
	if (co_ref_parse(&ref, full, &err) < 0)
		return;
	if (ref.tag[0])
		*tag = co_arena_strdup(a, ref.tag);
	ref.tag[0] = '\0';
	ref.digest.set = false;
	char *text = co_arena_strdup(a, co_ref_familiar(&ref, buf, sizeof(buf)));
	*repo = text;
}

static bool wanted(const struct cmd_ctx *c, const char *full, const char *repo, const char *tag)
{
	if (!c->argc)
		return true;
	for (int i = 0; i < c->argc; i++) {
		const char *w = c->argv[i];
		size_t n = strlen(repo);
		if (!strcmp(w, full) || !strcmp(w, repo) ||
		    (!strncmp(w, repo, n) && w[n] == ':' && !strcmp(w + n + 1, tag)))
			return true;
	}
	return false;
}

static void print_json_row(const struct co_store_image *img, const char *repo, const char *tag,
			   uint64_t size)
{
	char digest[CO_DIGEST_TEXT], when[40];
	auto_json j = json_object();
	json_object_set_new(j, "Repository", co_json_string(repo));
	json_object_set_new(j, "Tag", co_json_string(tag));
	json_object_set_new(j, "Digest", json_string(co_digest_str(&img->desc.digest, digest)));
	json_object_set_new(j, "MediaType", co_json_string(img->desc.media_type));
	json_object_set_new(j, "CreatedAt",
			    json_string(co_rfc3339(img->created, when, sizeof(when))));
	json_object_set_new(j, "Size", json_integer((json_int_t)size));
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_json_write(&b, j);
	printf("%s\n", co_buf_str(&b));
}

static void add_row(struct cmd_ctx *c, const struct images_opts *o,
		    const struct co_store_image *img, const char *repo, const char *tag,
		    uint64_t size, const char ***cells, size_t *n)
{
	char digest[CO_DIGEST_TEXT], when[64] = "", bytes[32];
	const char *shown = o->no_trunc ? co_digest_str(&img->desc.digest, digest)
					: co_digest_hex(&img->desc.digest, digest);
	*co_arena_push(c->arena, *cells, *n) = repo;
	*co_arena_push(c->arena, *cells, *n) = tag;
	*co_arena_push(c->arena, *cells, *n) =
		co_arena_strndup(c->arena, shown, o->no_trunc ? strlen(shown) : 12);
	*co_arena_push(c->arena, *cells, *n) =
		co_arena_strdup(c->arena, ago(img->created, when, sizeof(when)));
	*co_arena_push(c->arena, *cells, *n) =
		co_arena_strdup(c->arena, co_human_size(size, bytes, sizeof(bytes)));
}

static void show_images(struct cmd_ctx *c, const struct images_opts *o, struct co_store *s,
			const struct co_store_image *list, size_t count)
{
	static const char *const heads[] = {"REPOSITORY", "TAG", "DIGEST", "CREATED", "SIZE"};
	bool json = o->format && !strcmp(o->format, "json");
	const char **cells = NULL;
	size_t n = 0;
	for (size_t i = 0; i < 5; i++)
		*co_arena_push(c->arena, cells, n) = heads[i];
	for (size_t i = 0; i < count; i++) {
		const char *repo, *tag;
		char digest[CO_DIGEST_TEXT];
		split_name(c->arena, list[i].name, &repo, &tag);
		if (!wanted(c, list[i].name, repo, tag))
			continue;
		if (o->quiet) {
			printf("%s\n", co_digest_str(&list[i].desc.digest, digest));
			continue;
		}
		uint64_t size = image_bytes(s, &list[i].desc, 0);
		if (json)
			print_json_row(&list[i], repo, tag, size);
		else
			add_row(c, o, &list[i], repo, tag, size, &cells, &n);
	}
	if (!json && !o->quiet)
		print_table(stdout, cells, 5, n / 5);
}

static int run_images(struct cmd_ctx *c, void *opts)
{
	const struct images_opts *o = opts;
	struct co_store *s;
	struct co_store_image *list;
	size_t n;
	if (o->format && strcmp(o->format, "json") && strcmp(o->format, "table"))
		return co_fail(c->err, CO_E_USAGE, "cooper images: --format is table or json");
	int r = cli_store(&s, &o->common, c->err);
	if (r < 0)
		return r;
	r = co_store_list(s, &list, &n, c->err);
	if (!r) {
		show_images(c, o, s, list, n);
		free(list);
	}
	co_store_close(s);
	return r;
}

const struct command cmd_images = {
	.name = "images",
	.usage = "[OPTIONS] [NAME…]",
	.summary = "List the images in the store",
	.detail = "CREATED is when the image came into the store: times inside an image are fixed "
		  "so\n"
		  "that builds repeat. SIZE is what its layers and config weigh, packed.",
	.examples = "  cooper images\n"
		    "  cooper images --format json | jq -r .Repository",
	.opts = images_table,
	.size = sizeof(struct images_opts),
	.max_args = -1,
	.run = run_images};

struct rmi_opts {
	struct common_opts common;
};
static const struct opt rmi_table[] = {COMMON_OPTS(struct rmi_opts, common), OPT_END};

/* An id removes every name of that image. */
static int untag_id(struct co_store *s, const char *id, size_t *removed, struct co_err *err)
{
	const char *hex = co_starts(id, "sha256:") ? id + 7 : id;
	size_t n = strspn(hex, "0123456789abcdef"), count;
	struct co_store_image *list;
	if (n < 6 || n > 64 || hex[n])
		return 0;
	int r = co_store_list(s, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++) {
		char text[CO_DIGEST_TEXT];
		if (strncmp(co_digest_hex(&list[i].desc.digest, text), hex, n))
			continue;
		r = co_store_untag(s, list[i].name, err);
		if (!r && ++*removed)
			printf("Untagged: %s\n", list[i].name);
	}
	free(list);
	return r;
}

static int remove_one(struct co_store *s, const char *name, struct co_err *err)
{
	struct co_ref ref;
	struct co_store_image img;
	struct co_err none = CO_ERR_INIT;
	char full[1024];
	size_t removed = 0;
	if (co_ref_parse(&ref, name, &none) == 0 &&
	    co_store_lookup(s, co_ref_str(&ref, full, sizeof(full)), &img, &none) == 0) {
		int r = co_store_untag(s, full, err);
		if (!r)
			printf("Untagged: %s\n", full);
		return r;
	}
	int r = untag_id(s, name, &removed, err);
	if (r < 0 || removed)
		return r;
	co_fail(err, CO_E_NOT_FOUND, "no such image: %s", name);
	return co_hint(err, "cooper images lists what is there");
}

static int run_rmi(struct cmd_ctx *c, void *opts)
{
	const struct rmi_opts *o = opts;
	struct co_store *s;
	int r = cli_store(&s, &o->common, c->err);
	if (r < 0)
		return r;
	for (int i = 0; r == 0 && i < c->argc; i++)
		r = remove_one(s, c->argv[i], c->err);
	co_store_close(s);
	return r;
}

const struct command cmd_rmi = {.name = "rmi",
				.usage = "[OPTIONS] NAME|ID…",
				.summary = "Remove names of images from the store",
				.detail = "An id, or at least six digits of one, removes every "
					  "name of that image. The space\n"
					  "is given back by cooper prune.",
				.examples = "  cooper rmi app:1\n"
					    "  cooper rmi 3f8a2c && cooper prune",
				.opts = rmi_table,
				.size = sizeof(struct rmi_opts),
				.min_args = 1,
				.max_args = -1,
				.run = run_rmi};

struct prune_opts {
	struct common_opts common;
	const char *cache_age;
	bool all, keep_cache;
};
static const struct opt prune_table[] = {
	{"all", 'a', OPT_FLAG, NULL, "remove the whole step cache too",
	 offsetof(struct prune_opts, all)},
	{"cache-age", 0, OPT_TEXT, "DURATION",
	 "remove cache records older than this (default 336h)",
	 offsetof(struct prune_opts, cache_age)},
	{"keep-cache", 0, OPT_FLAG, NULL, "leave the step cache and what it needs alone",
	 offsetof(struct prune_opts, keep_cache)},
	COMMON_OPTS(struct prune_opts, common),
	OPT_END};

static int prune_age(struct cmd_ctx *c, const struct prune_opts *o, int64_t *out)
{
	int64_t ns;
	if (o->all + o->keep_cache + (o->cache_age != NULL) > 1)
		return co_fail(
			c->err, CO_E_USAGE,
			"cooper prune: --all, --keep-cache and --cache-age exclude each other");
	*out = o->all ? 0 : o->keep_cache ? -1 : 14 * 24 * 3600;
	if (!o->cache_age)
		return 0;
	if (!co_parse_duration(o->cache_age, &ns) || ns < 0)
		return co_fail(c->err, CO_E_USAGE,
			       "cooper prune: --cache-age %s is not a duration such as 72h or 30m",
			       o->cache_age);
	*out = ns / 1000000000;
	return 0;
}

static int run_prune(struct cmd_ctx *c, void *opts)
{
	const struct prune_opts *o = opts;
	struct co_store *s;
	struct co_gc_stats st = {0};
	int64_t age = 0;
	char bytes[32];
	int r = prune_age(c, o, &age);
	if (!r)
		r = cli_store(&s, &o->common, c->err);
	if (r < 0)
		return r;
	r = co_store_gc(s, age, &st, c->err);
	co_store_close(s);
	if (!r)
		printf("Removed %llu blobs and %llu unpacked layers: %s\n",
		       (unsigned long long)st.blobs, (unsigned long long)st.layers,
		       co_human_size(st.bytes, bytes, sizeof(bytes)));
	return r;
}

const struct command cmd_prune = {.name = "prune",
				  .usage = "[OPTIONS]",
				  .summary =
					  "Delete what no image and no recent cache record needs",
				  .detail = "Waits for nothing: while another build uses the store "
					    "it fails and deletes nothing.",
				  .examples = "  cooper prune\n"
					      "  cooper prune --cache-age 24h\n"
					      "  cooper prune --all",
				  .opts = prune_table,
				  .size = sizeof(struct prune_opts),
				  .run = run_prune};
