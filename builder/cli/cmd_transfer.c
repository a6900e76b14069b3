/* SPDX-License-Identifier: MIT
 *
 * Whole images on the move: pull, push, tag, save. (load: cmd_load.c)
 */
#include "commands.h"
#include "image_place.h"
#include <cooper/layout.h>
#include <string.h>

static void print_digest(const struct co_descriptor *desc)
{
	char text[CO_DIGEST_TEXT];
	printf("%s\n", co_digest_str(&desc->digest, text));
}

struct pull_opts {
	struct common_opts common;
	struct progress_opts progress;
	const char *platform;
	bool all_platforms;
};
static const struct opt pull_table[] = {
	{"platform", 0, OPT_TEXT, "OS/ARCH", "which image of an index (default: this machine's)",
	 offsetof(struct pull_opts, platform)},
	{"all-platforms", 0, OPT_FLAG, NULL, "the whole index with all its images",
	 offsetof(struct pull_opts, all_platforms)},
	PROGRESS_OPTS(struct pull_opts, progress),
	REGISTRY_OPTS(struct pull_opts, common),
	COMMON_OPTS(struct pull_opts, common),
	OPT_END};

static int run_pull(struct cmd_ctx *c, void *opts)
{
	const struct pull_opts *o = opts;
	struct image_place p;
	struct co_platform platform;
	struct co_descriptor desc;
	if (o->platform && o->all_platforms)
		return co_fail(c->err, CO_E_USAGE,
			       "cooper pull: --platform and --all-platforms exclude each other");
	int r = cli_platform(&platform, o->platform, c->err);
	if (r < 0)
		return r;
	r = image_place_open(&p, c, &o->common, &o->progress);
	for (int i = 0; r == 0 && i < c->argc; i++) {
		r = co_pull_image(p.store, p.registry, c->argv[i],
				  o->all_platforms ? NULL : &platform, &desc, c->err);
		if (!r)
			print_digest(&desc);
	}
	return image_place_close(&p, c, r);
}

const struct command cmd_pull = {
	.name = "pull",
	.usage = "[OPTIONS] NAME…",
	.summary = "Bring images from a registry into the store",
	.detail = "Prints the digest of each.",
	.examples = "  cooper pull debian:12\n"
		    "  cooper pull --platform linux/arm64 registry.example/app:1",
	.opts = pull_table,
	.size = sizeof(struct pull_opts),
	.min_args = 1,
	.max_args = -1,
	.run = run_pull};

struct push_opts {
	struct common_opts common;
	struct progress_opts progress;
	const char *digest_file;
};
static const struct opt push_table[] = {{"digest-file", 0, OPT_TEXT, "FILE",
					 "write the pushed digest to FILE",
					 offsetof(struct push_opts, digest_file)},
					PROGRESS_OPTS(struct push_opts, progress),
					REGISTRY_OPTS(struct push_opts, common),
					COMMON_OPTS(struct push_opts, common),
					OPT_END};

static int run_push(struct cmd_ctx *c, void *opts)
{
	const struct push_opts *o = opts;
	struct image_place p;
	struct co_descriptor desc;
	int r = image_place_open(&p, c, &o->common, &o->progress);
	if (!r)
		r = co_push_image(p.store, p.registry, c->argv[0], c->argc > 1 ? c->argv[1] : NULL,
				  &desc, c->err);
	if (!r && o->digest_file)
		r = cli_write_digest(o->digest_file, &desc.digest, c->err);
	if (!r)
		print_digest(&desc);
	return image_place_close(&p, c, r);
}

const struct command cmd_push = {
	.name = "push",
	.usage = "[OPTIONS] NAME [DESTINATION]",
	.summary = "Send an image to a registry",
	.detail = "NAME may also be oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE or\n"
		  "docker://REFERENCE; then DESTINATION says where to. Prints the digest.",
	.examples = "  cooper push registry.example/app:1\n"
		    "  cooper push app:1 registry.example/team/app:1\n"
		    "  cooper push oci-archive:app.tar registry.example/app:1",
	.opts = push_table,
	.size = sizeof(struct push_opts),
	.min_args = 1,
	.max_args = 2,
	.run = run_push};

struct tag_opts {
	struct common_opts common;
};
static const struct opt tag_table[] = {REGISTRY_OPTS(struct tag_opts, common),
				       COMMON_OPTS(struct tag_opts, common), OPT_END};

static int run_tag(struct cmd_ctx *c, void *opts)
{
	const struct tag_opts *o = opts;
	struct image_place p;
	struct co_descriptor desc;
	struct co_ref ref;
	char full[1024];
	int r = image_place_open(&p, c, &o->common, NULL);
	for (int i = 1; r == 0 && i < c->argc; i++) {
		r = co_ref_parse(&ref, c->argv[i], c->err);
		if (!r && ref.digest.set)
			r = co_fail(c->err, CO_E_USAGE, "%s: a name can not contain a digest",
				    c->argv[i]);
	}
	if (!r)
		r = co_find_image(p.store, p.registry, c->argv[0], NULL, true, &desc, c->err);
	for (int i = 1; r == 0 && i < c->argc; i++) {
		r = co_ref_parse(&ref, c->argv[i], c->err);
		if (!r)
			r = co_store_tag(p.store, co_ref_str(&ref, full, sizeof(full)), &desc,
					 c->err);
	}
	return image_place_close(&p, c, r);
}

const struct command cmd_tag = {.name = "tag",
				.usage = "[OPTIONS] NAME|ID NEW-NAME…",
				.summary = "Give an image more names",
				.examples = "  cooper tag app:1 registry.example/team/app:1\n"
					    "  cooper tag oci:./layout:v2 app:2",
				.opts = tag_table,
				.size = sizeof(struct tag_opts),
				.min_args = 2,
				.max_args = -1,
				.run = run_tag};

struct save_opts {
	struct common_opts common;
	struct progress_opts progress;
	const char *output, *format, *platform;
};
static const struct opt save_table[] = {
	{"output", 'o', OPT_TEXT, "FILE", "where to (default: standard output)",
	 offsetof(struct save_opts, output)},
	{"format", 0, OPT_TEXT, "FORMAT",
	 "docker (default): for docker load; oci: archive; oci-dir: layout directory",
	 offsetof(struct save_opts, format)},
	{"platform", 0, OPT_TEXT, "OS/ARCH", "which image of an index that is fetched",
	 offsetof(struct save_opts, platform)},
	PROGRESS_OPTS(struct save_opts, progress),
	REGISTRY_OPTS(struct save_opts, common),
	COMMON_OPTS(struct save_opts, common),
	OPT_END};

static int save_dir(struct cmd_ctx *c, const struct save_opts *o, struct image_place *p,
		    const struct co_layout_image *images, size_t n)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = co_layout_write_dir(p->store, &images[i].desc, images[i].names, o->output,
					c->err);
	return r;
}

static int save_file(struct cmd_ctx *c, const struct save_opts *o, struct image_place *p,
		     const struct co_layout_image *images, size_t n)
{
	bool docker = !o->format || !strcmp(o->format, "docker");
	if (o->format && !strcmp(o->format, "oci-dir"))
		return save_dir(c, o, p, images, n);
	struct out_file f;
	int r = out_file_begin(&f, o->output, "cooper save", c->err);
	if (r < 0)
		return r;
	r = co_layout_write_tar_many(p->store, images, n, docker, co_sink_fd(f.fd, true, f.name),
				     c->err);
	return out_file_end(&f, r, c->err);
}

static int save_check(struct cmd_ctx *c, const struct save_opts *o)
{
	static const char *const formats[] = {"docker", "oci", "oci-dir", NULL};
	if (!cli_one_of(o->format, formats))
		return co_fail(c->err, CO_E_USAGE,
			       "cooper save: --format is docker, oci or oci-dir, not \"%s\"",
			       o->format);
	if (o->format && !strcmp(o->format, "oci-dir") && (!o->output || !strcmp(o->output, "-")))
		return co_fail(c->err, CO_E_USAGE,
			       "cooper save: --format oci-dir needs a directory: -o DIR");
	return 0;
}

/* The name to be saved under: archives and ids have none. */
static const char *saved_name(struct cmd_ctx *c, struct co_store *s, const char *name)
{
	static const char *const schemes[] = {"oci:", "oci-archive:", "docker-archive:"};
	struct co_ref ref;
	struct co_store_image img;
	struct co_err err = CO_ERR_INIT;
	char full[1024];
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (co_starts(name, schemes[i]))
			return NULL;
	bool remote = co_starts(name, "docker://");
	if (co_ref_parse(&ref, remote ? name + strlen("docker://") : name, &err) < 0)
		return NULL;
	co_ref_str(&ref, full, sizeof(full));
	if (!remote && co_store_lookup(s, full, &img, &err) < 0 &&
	    !name[strspn(name, "0123456789abcdef")])
		return NULL; /* an id */
	if (ref.digest.set)
		return NULL;
	return co_arena_strdup(c->arena, full);
}

/* One entry an image, whatever it is called by. */
static void add_saved(struct cmd_ctx *c, struct co_layout_image *images, size_t *n,
		      const struct co_descriptor *desc, const char *name)
{
	struct co_layout_image *image = images;
	while (image < images + *n && !co_digest_eq(&image->desc.digest, &desc->digest))
		image++;
	*n += image == images + *n;
	image->desc = *desc;
	const char **names = co_arena_alloc(c->arena, ((size_t)c->argc + 1) * sizeof(*names));
	size_t count = 0;
	for (; image->names && image->names[count]; count++) {
		names[count] = image->names[count];
		if (name && !strcmp(name, names[count]))
			name = NULL;
	}
	if (name)
		names[count++] = name;
	names[count] = NULL;
	image->names = names;
}

static int run_save(struct cmd_ctx *c, void *opts)
{
	const struct save_opts *o = opts;
	struct image_place p;
	struct co_platform platform;
	struct co_descriptor desc;
	struct co_layout_image *images =
		co_arena_alloc(c->arena, (size_t)c->argc * sizeof(*images));
	size_t n = 0;
	int r = save_check(c, o);
	if (!r)
		r = cli_platform(&platform, o->platform, c->err);
	if (r < 0)
		return r;
	r = image_place_open(&p, c, &o->common, &o->progress);
	for (int i = 0; r == 0 && i < c->argc; i++) {
		r = co_find_image(p.store, p.registry, c->argv[i], &platform, true, &desc, c->err);
		if (!r)
			add_saved(c, images, &n, &desc, saved_name(c, p.store, c->argv[i]));
	}
	if (!r)
		r = save_file(c, o, &p, images, n);
	return image_place_close(&p, c, r);
}

const struct command cmd_save = {.name = "save",
				 .usage = "[OPTIONS] NAME…",
				 .summary = "Write images to an archive or a layout directory",
				 .detail = "The archive is a docker archive and an OCI layout at "
					   "once, and the same images give\n"
					   "the same bytes.",
				 .examples = "  cooper save -o app.tar app:1\n"
					     "  cooper save app:1 | docker load\n"
					     "  cooper save -o both.tar app:1 db:1\n"
					     "  cooper save --format oci-dir -o ./layout app:1",
				 .opts = save_table,
				 .size = sizeof(struct save_opts),
				 .min_args = 1,
				 .max_args = -1,
				 .run = run_save};
