/* SPDX-License-Identifier: MIT
 *
 * build: the flags, and what is printed in the end.
 */
#include "build_args.h"
#include "commands.h"
#include "doctor.h"

#define AT(member) offsetof(struct build_args, member)
static const struct opt build_table[] = {
	{"tag", 't', OPT_LIST, "NAME", "name of the image, for example registry.example/app:1",
	 AT(tags)},
	{"file", 'f', OPT_TEXT, "FILE", "the Dockerfile (default: Dockerfile in CONTEXT; -: stdin)",
	 AT(file)},
	{"build-arg", 0, OPT_LIST, "NAME[=VALUE]",
	 "value of an ARG; without = from the environment", AT(build_args)},
	{"target", 0, OPT_TEXT, "STAGE", "build up to this stage", AT(target)},
	{"platform", 0, OPT_LIST, "OS/ARCH,…", "platforms to build for (default: this machine's)",
	 AT(platforms)},
	{"push", 0, OPT_FLAG, NULL, "push the image under all its names", AT(push)},
	{"late-push", 0, OPT_FLAG, NULL,
	 "upload no layer before the whole build has succeeded (default: while later steps run)",
	 AT(late_push)},
	{"output", 'o', OPT_LIST, "SPEC",
	 "type=oci|docker|tar|local,dest=PATH; DIR: its files; -: a tar on stdout", AT(outputs)},
	{"label", 0, OPT_LIST, "KEY=VALUE", "label of the image", AT(labels)},
	{"annotation", 0, OPT_LIST, "KEY=VALUE", "annotation of the manifest", AT(annotations)},
	{"iidfile", 0, OPT_TEXT, "FILE", "write the image id to FILE", AT(iidfile)},
	{"digest-file", 0, OPT_TEXT, "FILE", "write the manifest's digest to FILE",
	 AT(digest_file)},
	{"metadata-file", 0, OPT_TEXT, "FILE",
	 "write what was built, and what sandboxes refused, to FILE, as JSON", AT(metadata_file)},
	{"build-context", 0, OPT_LIST, "NAME=SOURCE",
	 "more places to COPY from: directory, docker-image://, oci-layout://, git or http URL",
	 AT(contexts)},
	{"secret", 0, OPT_LIST, "id=ID[,src=FILE|,env=VAR]", "secret for RUN --mount=type=secret",
	 AT(secrets)},
	{"ssh", 0, OPT_LIST, "default|ID[=SOCKET]", "agent for RUN --mount=type=ssh", AT(ssh)},
	{"no-cache", 0, OPT_FLAG, NULL, "carry every step out anew", AT(no_cache)},
	{"no-cache-filter", 0, OPT_LIST, "STAGE,…", "carry every step of these stages out anew",
	 AT(no_cache_filter)},
	{"cache-from", 0, OPT_LIST, "PLACE",
	 "look steps up there: REPOSITORY, type=registry,ref=REPOSITORY or type=local,src=DIR",
	 AT(cache_from)},
	{"cache-to", 0, OPT_LIST, "PLACE",
	 "write steps there: the same with dest=DIR, or type=inline; mode=min|max", AT(cache_to)},
	{"cache-repo", 0, OPT_LIST, "REPOSITORY", "look up and write all steps there",
	 AT(cache_repo)},
	{"cache-key", 0, OPT_TEXT, "FILE",
	 "sign cache entries with this secret or Ed25519 private key", AT(cache_key)},
	{"cache-trust", 0, OPT_LIST, "FILE,…",
	 "believe cache entries signed by these keys only (secrets or public keys)",
	 AT(cache_trust)},
	{"cache-scope", 0, OPT_LIST, "NAME,…", "write into the first scope, read from all",
	 AT(cache_scope)},
	{"cache-ttl", 0, OPT_TEXT, "DURATION", "steps cached longer ago run again, for example 7d",
	 AT(cache_ttl)},
	{"explain-cache", 0, OPT_FLAG, NULL, "say of each step that ran what had changed",
	 AT(explain_cache)},
	{"pull", 0, OPT_FLAG, NULL, "ask the registry for base images even if the store has them",
	 AT(pull)},
	{"network", 0, OPT_TEXT, "MODE", "network of RUN: default, none or host", AT(network)},
	{"add-host", 0, OPT_LIST, "NAME:IP", "line for /etc/hosts during RUN", AT(add_hosts)},
	{"allow", 0, OPT_LIST, "WHAT",
	 "allow network.host, security.insecure, device or device=NAME to the Dockerfile",
	 AT(allow)},
	{"cdi-spec-dir", 0, OPT_LIST, "DIR",
	 "more folders with device specs for RUN --device (besides /etc/cdi, /var/run/cdi)",
	 AT(cdi_dirs)},
	{"jobs", 'j', OPT_COUNT, "NUMBER", "stages that run at a time (default: one a core)",
	 AT(jobs)},
	{"memory", 'm', OPT_TEXT, "SIZE", "memory limit of a step, for example 2g", AT(memory)},
	{"cpus", 0, OPT_TEXT, "NUMBER", "CPU limit of a step, for example 1.5", AT(cpus)},
	{"pids", 0, OPT_COUNT, "NUMBER", "limit of processes in a step", AT(pids)},
	{"timeout", 0, OPT_TEXT, "DURATION", "time limit of a step, for example 20m", AT(timeout)},
	{"output-limit", 0, OPT_TEXT, "SIZE", "stop a step that writes more than this",
	 AT(output_limit)},
	{"max-layer-size", 0, OPT_TEXT, "SIZE",
	 "refuse a base layer whose files are larger together (default: 64g)", AT(max_layer_size)},
	{"max-layer-entries", 0, OPT_TEXT, "NUMBER",
	 "refuse a base layer of more entries (default: 2000000)", AT(max_layer_entries)},
	{"max-layer-name", 0, OPT_TEXT, "BYTES",
	 "refuse a base layer with a longer path (default and most: 4096)", AT(max_layer_name)},
	{"max-layer-ratio", 0, OPT_TEXT, "NUMBER",
	 "refuse a base layer of over 1 GiB that unpacks to more times its size (default: 2000)",
	 AT(max_layer_ratio)},
	{"sandbox", 0, OPT_TEXT, "NAME", "auto, userns, chroot or emulated; see cooper doctor",
	 AT(sandbox)},
	{"user-policy", 0, OPT_TEXT, "POLICY",
	 "images that run as root: enforce (refuse them, default), warn or off", AT(user_policy)},
	{"unsafe-environment", 0, OPT_TEXT, "POLICY",
	 "host's root, processes, privileges or an engine's socket in reach: warn (default), "
	 "refuse or off",
	 AT(unsafe)},
	{"timestamp", 0, OPT_TEXT, "SECONDS|git|created|none",
	 "the time in the image (default: $SOURCE_DATE_EPOCH, else the context's commit, else 0); "
	 "created: as its date only, so that commits share the cache",
	 AT(timestamp)},
	{"compression", 0, OPT_TEXT, "NAME", "of new layers: gzip (default), zstd, uncompressed",
	 AT(compression)},
	{"compression-level", 0, OPT_TEXT, "LEVEL", "gzip 0 to 9, zstd 1 to 19",
	 AT(compression_level)},
	{"force-compression", 0, OPT_FLAG, NULL, "pack the base image's layers in the same way",
	 AT(force_compression)},
	{"squash", 0, OPT_FLAG, NULL, "make one layer of all that lie on the base image's",
	 AT(squash)},
	{"single-layer", 0, OPT_FLAG, NULL, "make one layer of all, the base image's too",
	 AT(single_layer)},
	{"check", 0, OPT_FLAG, NULL, "check the Dockerfile and build nothing", AT(check)},
	{"check-rules", 0, OPT_TEXT, "RULES", "as # check= has them: skip=RULE,…;error=true",
	 AT(check_rules)},
	{"call", 0, OPT_TEXT, "METHOD[,format=json]",
	 "build, check, outline (arguments and secrets), targets, or plan (as --dry-run)",
	 AT(call)},
	{"dry-run", 0, OPT_FLAG, NULL, "show the steps and what is cached, build nothing",
	 AT(dry_run)},
	PROGRESS_OPTS(struct build_args, progress),
	REGISTRY_OPTS(struct build_args, common),
	COMMON_OPTS(struct build_args, common),
	OPT_END};

/* -q: the image id alone, as docker has it. */
static void print_id(const struct co_build_result *res)
{
	char text[CO_DIGEST_TEXT];
	const struct co_digest *id = res->config.set ? &res->config : &res->desc.digest;
	printf("%s\n", co_digest_str(id, text));
}

static bool writes_stdout(const struct co_build_opts *o)
{
	for (size_t i = 0; i < o->n_outputs; i++)
		if (o->outputs[i].dest[0] == '-' && !o->outputs[i].dest[1])
			return true;
	return false;
}

static int run_build(struct cmd_ctx *c, void *opts)
{
	const struct build_args *a = opts;
	struct co_build_opts o;
	struct co_build_result res;
	struct renderer *render;
	struct build_call call;
	int r = build_opts_make(&o, &call, c, a);
	if (r < 0)
		return r;
	if (call.method != CALL_BUILD)
		return build_call(c, &o, call);
	r = dangers_check(c, a->unsafe);
	if (!r)
		r = render_open(&render, &a->progress, c->err);
	if (r < 0)
		return r;
	r = render_close(render, c, co_build(&o, render_bus(render), &res, c->err));
	if (!r && a->progress.quiet && !writes_stdout(&o))
		print_id(&res);
	return r;
}

const struct command cmd_build = {
	.name = "build",
	.usage = "[OPTIONS] CONTEXT",
	.summary = "Build an image from a Dockerfile",
	.detail = "CONTEXT is a directory, a tar archive, - (a tar on standard input), or a git or "
		  "http\n"
		  "URL. The flags are those of docker buildx build. The image goes into cooper's "
		  "store\n"
		  "under the names given with -t, to the registry with --push, and to files with "
		  "-o.\n"
		  "An image whose user is root is refused unless --user-policy says otherwise.\n"
		  "\n"
		  "--timestamp is a number of seconds since 1970, or: git, the time of the commit "
		  "that\n"
		  "the context shows (the default where there is one); created, that time as the "
		  "date of\n"
		  "the image, and 0 for files, so that commits share cached layers; none, 0 for "
		  "both.",
	.examples =
		"  cooper build -t registry.example/app:1 --push .\n"
		"  cooper build -f docker/Dockerfile --build-arg VERSION=2 --target test .\n"
		"  cooper build --timestamp=created --cache-repo registry.example/cache -t app:1 "
		".\n"
		"  cooper build --platform linux/amd64,linux/arm64 -t registry.example/app:1 "
		"--push .\n"
		"  cooper build -o type=docker,dest=app.tar -t app:1 .\n"
		"  cooper build -o ./rootfs .\n"
		"  cooper build --secret id=token,env=TOKEN --ssh default .\n"
		"  git archive HEAD | cooper build -t app:1 -\n"
		"  cooper build --check .",
	.opts = build_table,
	.refused = build_refused,
	.size = sizeof(struct build_args),
	.min_args = 1,
	.max_args = 1,
	.run = run_build};
