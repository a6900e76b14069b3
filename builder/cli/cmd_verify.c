/* SPDX-License-Identifier: MIT
 *
 * verify: build again and say where the published image differs.
 */
#include "build_args.h"
#include "commands.h"
#include <cooper/json.h>
#include <string.h>

struct verify_args {
	struct build_args build;
	const char *format;
};
#define AT(member) offsetof(struct verify_args, build.member)
static const struct opt verify_table[] = {
	{"file", 'f', OPT_TEXT, "FILE", "the Dockerfile (default: Dockerfile in CONTEXT)",
	 AT(file)},
	{"build-arg", 0, OPT_LIST, "NAME[=VALUE]",
	 "value of an ARG; without = from the environment", AT(build_args)},
	{"target", 0, OPT_TEXT, "STAGE", "build up to this stage", AT(target)},
	{"platform", 0, OPT_LIST, "OS/ARCH", "platform to compare (default: this machine's)",
	 AT(platforms)},
	{"label", 0, OPT_LIST, "KEY=VALUE", "label of the image", AT(labels)},
	{"annotation", 0, OPT_LIST, "KEY=VALUE", "annotation of the manifest", AT(annotations)},
	{"build-context", 0, OPT_LIST, "NAME=SOURCE", "more places to COPY from", AT(contexts)},
	{"secret", 0, OPT_LIST, "id=ID[,src=FILE|,env=VAR]", "secret for RUN --mount=type=secret",
	 AT(secrets)},
	{"ssh", 0, OPT_LIST, "default|ID[=SOCKET]", "agent for RUN --mount=type=ssh", AT(ssh)},
	{"pull", 0, OPT_FLAG, NULL, "ask the registry for base images even if the store has them",
	 AT(pull)},
	{"network", 0, OPT_TEXT, "MODE", "network of RUN: default, none or host", AT(network)},
	{"allow", 0, OPT_LIST, "WHAT", "allow network.host or security.insecure to the Dockerfile",
	 AT(allow)},
	{"jobs", 'j', OPT_COUNT, "NUMBER", "stages that run at a time (default: one a core)",
	 AT(jobs)},
	{"sandbox", 0, OPT_TEXT, "NAME", "auto, userns, chroot or emulated; see cooper doctor",
	 AT(sandbox)},
	{"timestamp", 0, OPT_TEXT, "SECONDS|git|created|none",
	 "the time in the image, as build has it (default: the published image's)", AT(timestamp)},
	{"compression", 0, OPT_TEXT, "NAME", "of the layers: gzip (default), zstd, uncompressed",
	 AT(compression)},
	{"compression-level", 0, OPT_TEXT, "LEVEL", "gzip 0 to 9, zstd 1 to 19",
	 AT(compression_level)},
	{"force-compression", 0, OPT_FLAG, NULL, "pack the base image's layers in the same way",
	 AT(force_compression)},
	{"squash", 0, OPT_FLAG, NULL, "the layers that lie on the base image's are one",
	 AT(squash)},
	{"single-layer", 0, OPT_FLAG, NULL, "all layers are one", AT(single_layer)},
	{"format", 0, OPT_TEXT, "FORMAT", "text (default) or json",
	 offsetof(struct verify_args, format)},
	PROGRESS_OPTS(struct verify_args, build.progress),
	REGISTRY_OPTS(struct verify_args, build.common),
	COMMON_OPTS(struct verify_args, build.common),
	OPT_END};

static void print_json(const struct co_verdict *v)
{
	char text[CO_DIGEST_TEXT];
	const struct co_difference *d = &v->difference;
	auto_json j = json_object();
	json_object_set_new(j, "same", json_boolean(!v->differs));
	json_object_set_new(j, "published", json_string(co_digest_str(&v->published, text)));
	json_object_set_new(j, "built", json_string(co_digest_str(&v->built, text)));
	if (v->differs) {
		json_t *o = json_object();
		json_object_set_new(o, "place", co_json_string(d->place));
		json_object_set_new(o, "step", co_json_string(d->step));
		json_object_set_new(o, "what", co_json_string(d->what));
		json_object_set_new(o, "attribute", co_json_string(d->attribute));
		json_object_set_new(o, "published", co_json_string(d->values[0]));
		json_object_set_new(o, "built", co_json_string(d->values[1]));
		json_object_set_new(o, "why", co_json_string(d->why));
		json_object_set_new(j, "difference", o);
	}
	auto_buf b = CO_BUF_INIT(8u << 20);
	co_json_write_pretty(&b, j);
	printf("%s\n", co_buf_str(&b));
}

static void line(const char *name, const char *value)
{
	if (!*value)
		return;
	printf("%s", name);
	print_clean(stdout, value);
	printf("\n");
}

static void print_text(const struct co_verdict *v)
{
	char text[CO_DIGEST_TEXT];
	const struct co_difference *d = &v->difference;
	if (!v->differs) {
		printf("same: %s\n", co_digest_str(&v->published, text));
		return;
	}
	printf("published  %s\n", co_digest_str(&v->published, text));
	printf("built      %s\n", co_digest_str(&v->built, text));
	line("first difference: ", d->place);
	line("  made by    ", d->step);
	line("  entry      ", d->what);
	line("  attribute  ", d->attribute);
	line("  published  ", d->values[0]);
	line("  built      ", d->values[1]);
	line("  likely     ", d->why);
}

static int run_verify(struct cmd_ctx *c, void *opts)
{
	static const char *const formats[] = {"text", "json", NULL};
	const struct verify_args *a = opts;
	struct co_build_opts o;
	struct build_call call;
	struct co_verdict v = {0};
	struct renderer *render;
	const char *name = c->argv[0];
	if (!cli_one_of(a->format, formats))
		return co_fail(c->err, CO_E_USAGE, "cooper verify: --format is text or json");
	c->argv++;
	c->argc--;
	int r = build_opts_make(&o, &call, c, &a->build);
	if (!r)
		r = render_open(&render, &a->build.progress, c->err);
	if (r < 0)
		return r;
	r = render_close(render, c, co_verify(&v, c->arena, name, &o, render_bus(render), c->err));
	if (r < 0)
		return r;
	if (a->format && !strcmp(a->format, "json"))
		print_json(&v);
	else
		print_text(&v);
	return v.differs ? 1 : 0;
}

const struct command cmd_verify = {
	.name = "verify",
	.usage = "[OPTIONS] NAME CONTEXT",
	.summary = "Build again and compare with a published image",
	.detail = "NAME is a published image: a reference, or the directory of an OCI layout. "
		  "CONTEXT is\n"
		  "built without cache, with the published image's time. When the digests differ, "
		  "the\n"
		  "first difference is named: layer, path, attribute, and why it is likely. Exit "
		  "code 0:\n"
		  "the same bytes; 1: they differ.",
	.examples = "  cooper verify registry.example/app:1 .\n"
		    "  cooper verify registry.example/app@sha256:… -f docker/Dockerfile .\n"
		    "  cooper verify --format json ./layout .",
	.opts = verify_table,
	.size = sizeof(struct verify_args),
	.min_args = 2,
	.max_args = 2,
	.run = run_verify};
