/* SPDX-License-Identifier: MIT
 *
 * What was typed behind `cooper build` → struct co_build_opts.
 */
#include "build_args.h"
#include <arpa/inet.h>
#include <cooper/image.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int build_bool(bool *out, struct cmd_ctx *c, const char *value, const char *what)
{
	bool yes = co_ieq(value, "true") || !strcmp(value, "1");
	if (!yes && !co_ieq(value, "false") && strcmp(value, "0"))
		return co_fail(c->err, CO_E_USAGE, "%s%s: true or false is wanted", what, value);
	*out = yes;
	return 0;
}

void build_tag_add(struct co_build_opts *out, struct cmd_ctx *c, const char *name)
{
	size_t n = 0;
	const char **list = (const char **)out->tags;
	for (; list && list[n]; n++)
		if (!strcmp(list[n], name))
			return;
	const char **longer = co_arena_alloc(c->arena, (n + 2) * sizeof(*longer));
	if (n)
		memcpy(longer, list, n * sizeof(*longer));
	longer[n] = name;
	out->tags = longer;
}

int build_compression(struct co_build_opts *out, struct cmd_ctx *c, const char *name,
		      const char *level, const char *flag)
{
	static const char *const names[] = {"gzip", "zstd", "uncompressed", "none", NULL};
	static const int max[] = {[CO_COMP_GZIP] = 9, [CO_COMP_ZSTD] = 19, [CO_COMP_NONE] = 0};
	uint64_t n;
	if (!cli_one_of(name, names)) {
		co_fail(c->err, CO_E_UNSUPPORTED, "%s: compression \"%s\" is not known", flag,
			name);
		return co_hint(c->err, "use gzip, zstd or uncompressed");
	}
	if (name)
		out->compression = !strcmp(name, "gzip")   ? CO_COMP_GZIP
				   : !strcmp(name, "zstd") ? CO_COMP_ZSTD
							   : CO_COMP_NONE;
	if (!level)
		return 0;
	if (!co_parse_u64(level, &n) || n > (uint64_t)max[out->compression])
		return co_fail(c->err, CO_E_USAGE, "%s: level \"%s\" is not one of %s (0 to %d)",
			       flag, level, co_compression_name(out->compression),
			       max[out->compression]);
	out->compression_level = (int)n;
	return 0;
}

static int size_value(uint64_t *out, struct cmd_ctx *c, const char *text, const char *flag)
{
	if (text && !co_parse_size(text, out))
		return co_fail(c->err, CO_E_USAGE, "%s %s: not a size such as 512m or 2g", flag,
			       text);
	return 0;
}

static int limits(struct co_build_opts *out, struct cmd_ctx *c, const struct build_args *a)
{
	int r = size_value(&out->memory, c, a->memory, "--memory");
	if (!r)
		r = size_value(&out->output_limit, c, a->output_limit, "--output-limit");
	if (r < 0)
		return r;
	out->pids = a->pids;
	out->jobs = a->jobs;
	if (a->cpus) {
		char *end;
		out->cpus = strtod(a->cpus, &end);
		if (end == a->cpus || *end || !(out->cpus > 0) || out->cpus > 4096)
			return co_fail(c->err, CO_E_USAGE, "--cpus %s: not a number such as 1.5",
				       a->cpus);
	}
	uint64_t s;
	int64_t ns;
	if (!a->timeout)
		return 0;
	if (co_parse_u64(a->timeout, &s) && s < 1000000000) {
		out->timeout_s = (unsigned)s;
	} else if (co_parse_duration(a->timeout, &ns) && ns >= 0 && ns / 1000000000 < 1000000000) {
		out->timeout_s = (unsigned)((ns + 999999999) / 1000000000);
	} else {
		return co_fail(c->err, CO_E_USAGE,
			       "--timeout %s: not a duration such as 90s or 20m", a->timeout);
	}
	return 0;
}

static int count_value(uint64_t *out, struct cmd_ctx *c, const char *text, const char *flag,
		       uint64_t most)
{
	if (text && (!co_parse_u64(text, out) || !*out || *out > most))
		return co_fail(c->err, CO_E_USAGE, "%s %s: not a number from 1 to %llu", flag, text,
			       (unsigned long long)most);
	return 0;
}

static int layer_limits(struct co_build_opts *out, struct cmd_ctx *c, const struct build_args *a)
{
	struct co_layer_limits *l = &out->layer_limits;
	uint64_t name = 0;
	int r = size_value(&l->tar.max_bytes, c, a->max_layer_size, "--max-layer-size");
	if (!r)
		r = count_value(&l->tar.max_entries, c, a->max_layer_entries, "--max-layer-entries",
				UINT32_MAX);
	if (!r)
		r = count_value(&name, c, a->max_layer_name, "--max-layer-name", 4096);
	if (!r)
		r = count_value(&l->ratio, c, a->max_layer_ratio, "--max-layer-ratio", UINT32_MAX);
	l->tar.max_name = (uint32_t)name;
	return r;
}

static int platforms(struct co_build_opts *out, struct cmd_ctx *c, const struct build_args *a)
{
	struct co_platform *list = NULL;
	for (size_t i = 0; i < a->platforms.n; i++)
		for (const char *p = a->platforms.items[i];; p++) {
			size_t n = strcspn(p, ",");
			const char *one = co_arena_strndup(c->arena, p, n);
			struct co_platform pl;
			int r = cli_platform(&pl, !strcmp(one, "local") ? NULL : one, c->err);
			if (r < 0)
				return r;
			for (size_t k = 0; k < out->n_platforms; k++)
				if (co_platform_eq(&list[k], &pl))
					return co_fail(c->err, CO_E_USAGE,
						       "--platform %s is given twice", one);
			*co_arena_push(c->arena, list, out->n_platforms) = pl;
			p += n;
			if (!*p)
				break;
		}
	out->platforms = list;
	return 0;
}

/* "manifest:KEY=VALUE" says what is done anyway; the other kinds of annotation are refused. */
static int annotations(struct co_build_opts *out, struct cmd_ctx *c, const struct build_args *a)
{
	static const char *const others[] = {"index", "index-descriptor", "manifest-descriptor"};
	struct co_kv *kvs;
	size_t n;
	int r = cli_kvs(&kvs, &n, c, &a->annotations, "--annotation", false);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *colon = strchr(kvs[i].key, ':');
		if (!strchr(a->annotations.items[i], '='))
			return co_fail(c->err, CO_E_USAGE, "--annotation %s: KEY=VALUE is wanted",
				       a->annotations.items[i]);
		if (co_starts(kvs[i].key, "manifest:"))
			kvs[i].key = colon + 1;
		for (size_t k = 0; colon && k < sizeof(others) / sizeof(others[0]); k++) {
			size_t len = strlen(others[k]);
			if (strncmp(kvs[i].key, others[k], len) || !strchr(":[", kvs[i].key[len]))
				continue;
			co_fail(c->err, CO_E_UNSUPPORTED,
				"--annotation %s: only manifests are annotated",
				a->annotations.items[i]);
			return co_hint(c->err, "write KEY=VALUE or manifest:KEY=VALUE");
		}
		if (!*kvs[i].key)
			return co_fail(c->err, CO_E_USAGE, "--annotation %s: the key is empty",
				       a->annotations.items[i]);
	}
	out->annotations = kvs;
	out->n_annotations = n;
	return r;
}

static int contexts(struct co_build_opts *out, struct cmd_ctx *c, const struct build_args *a)
{
	struct co_named_context *list = NULL;
	for (size_t i = 0; i < a->contexts.n; i++) {
		const char *text = a->contexts.items[i];
		const char *eq = strchr(text, '=');
		if (!eq || eq == text || !eq[1]) {
			co_fail(c->err, CO_E_USAGE, "--build-context %s: NAME=SOURCE is wanted",
				text);
			return co_hint(c->err, "for example base=docker-image://debian:12 or "
					       "src=./src");
		}
		*co_arena_push(c->arena, list, out->n_contexts) = (struct co_named_context){
			.name = co_arena_strndup(c->arena, text, (size_t)(eq - text)),
			.spec = eq + 1};
	}
	out->contexts = list;
	return 0;
}

static int one_secret(struct co_secret *out, struct cmd_ctx *c, const char *text)
{
	struct co_kv *kvs;
	size_t n;
	const char *type = NULL;
	int r = cli_csv(c, text, "--secret", &kvs, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		const char *k = kvs[i].key, *v = kvs[i].value;
		if (!v || !*v)
			return co_fail(c->err, CO_E_USAGE, "--secret %s: \"%s\" has no value", text,
				       k);
		if (!strcmp(k, "id"))
			out->id = v;
		else if (!strcmp(k, "src") || !strcmp(k, "source"))
			out->file = v;
		else if (!strcmp(k, "env"))
			out->env = v;
		else if (!strcmp(k, "type") && (!strcmp(v, "file") || !strcmp(v, "env")))
			type = v;
		else
			return co_fail(c->err, CO_E_USAGE, "--secret %s: unknown %s=%s", text, k,
				       v);
	}
	if (!out->id)
		return co_fail(c->err, CO_E_USAGE, "--secret %s: id= is missing", text);
	if (type && !strcmp(type, "env") && !out->env) {
		out->env = out->file ? out->file : out->id;
		out->file = NULL;
	}
	if (out->file && out->env)
		return co_fail(c->err, CO_E_USAGE, "--secret %s: src= and env= exclude each other",
			       text);
	if (!out->file && !out->env && !type && getenv(out->id))
		out->env = out->id;
	else if (!out->file && !out->env)
		out->file = out->id;
	if (out->env && !getenv(out->env))
		return co_fail(c->err, CO_E_NOT_FOUND, "--secret %s: the variable %s is not set",
			       text, out->env);
	if (out->file && access(out->file, R_OK) < 0)
		return co_fail_sys(c->err, "--secret %s: %s", text, out->file);
	return 0;
}

static int one_ssh(struct co_secret *out, struct cmd_ctx *c, const char *text)
{
	const char *eq = strchr(text, '=');
	struct stat st;
	out->id = eq ? co_arena_strndup(c->arena, text, (size_t)(eq - text)) : text;
	out->file = eq && eq[1] ? eq + 1 : getenv("SSH_AUTH_SOCK");
	if (!*out->id)
		return co_fail(c->err, CO_E_USAGE, "--ssh %s: the name is empty", text);
	if (!out->file || !*out->file) {
		co_fail(c->err, CO_E_NOT_FOUND, "--ssh %s: no agent: SSH_AUTH_SOCK is not set",
			text);
		return co_hint(c->err, "start one: eval \"$(ssh-agent)\" && ssh-add");
	}
	if (stat(out->file, &st) < 0)
		return co_fail_sys(c->err, "--ssh %s: %s", text, out->file);
	if (S_ISSOCK(st.st_mode))
		return 0;
	co_fail(c->err, CO_E_UNSUPPORTED, "--ssh %s: not a socket, and key files are not loaded",
		text);
	return co_hint(c->err, "load the key into an agent: ssh-add %s; then --ssh %s", out->file,
		       out->id);
}

static int secrets(struct cmd_ctx *c, const struct text_list *list,
		   int (*one)(struct co_secret *, struct cmd_ctx *, const char *),
		   const struct co_secret **items, size_t *count)
{
	struct co_secret *got = NULL;
	for (size_t i = 0; i < list->n; i++) {
		struct co_secret s = {0};
		int r = one(&s, c, list->items[i]);
		if (r < 0)
			return r;
		*co_arena_push(c->arena, got, *count) = s;
	}
	*items = got;
	return 0;
}

static bool is_address(const char *s)
{
	unsigned char to[16];
	return inet_pton(AF_INET, s, to) == 1 || inet_pton(AF_INET6, s, to) == 1;
}

/* "name:ip" or "name=ip"; an IPv6 address may stand in brackets. */
static int add_hosts(struct co_build_opts *out, struct cmd_ctx *c, const struct build_args *a)
{
	const char **list = NULL;
	size_t n = 0;
	for (size_t i = 0; i < a->add_hosts.n; i++) {
		const char *text = a->add_hosts.items[i];
		size_t at = strcspn(text, "=:");
		char *ip = co_arena_strdup(c->arena, text[at] ? text + at + 1 : "");
		size_t len = strlen(ip);
		if (!strcmp(ip, "host-gateway")) {
			co_fail(c->err, CO_E_UNSUPPORTED,
				"--add-host %s: there is no bridge, so "
				"there is no gateway to the host",
				text);
			return co_hint(c->err, "name the address of this machine");
		}
		if (len > 1 && *ip == '[' && ip[len - 1] == ']') {
			ip[len - 1] = '\0';
			ip++;
		}
		if (!at || !is_address(ip))
			return co_fail(c->err, CO_E_USAGE, "--add-host %s: NAME:IP is wanted",
				       text);
		*co_arena_push(c->arena, list, n) =
			co_arena_printf(c->arena, "%.*s:%s", (int)at, text, ip);
	}
	if (n)
		*co_arena_push(c->arena, list, n) = NULL;
	out->add_hosts = list;
	return 0;
}

static int allowed(struct co_build_opts *out, struct cmd_ctx *c, const char *word)
{
	if (!strcmp(word, "network.host"))
		out->allow_host_network = true;
	else if (!strcmp(word, "security.insecure"))
		out->allow_insecure = true;
	else {
		co_fail(c->err, CO_E_USAGE, "--allow %s: nothing of this name can be allowed",
			word);
		return co_hint(c->err,
			       "it takes network.host, security.insecure, device and device=NAME");
	}
	return 0;
}

/* "device" is all of them. */
static bool allowed_device(struct co_build_opts *out, struct cmd_ctx *c, const char *word,
			   size_t *n)
{
	const char **list = (const char **)out->allow_devices;
	if (strncmp(word, "device", 6) || (word[6] && (word[6] != '=' || !word[7])))
		return false;
	*co_arena_push(c->arena, list, *n) = word[6] ? word + 7 : "";
	out->allow_devices = list;
	return true;
}

static int network_and_allow(struct co_build_opts *out, struct cmd_ctx *c,
			     const struct build_args *a)
{
	static const char *const networks[] = {"default", "none", "host", NULL};
	const char *const *words = cli_commas(c, &a->allow);
	size_t n_devices = 0;
	for (; words && *words; words++)
		if (!allowed_device(out, c, *words, &n_devices)) {
			int r = allowed(out, c, *words);
			if (r < 0)
				return r;
		}
	const char **devices = (const char **)out->allow_devices;
	if (n_devices)
		*co_arena_push(c->arena, devices, n_devices) = NULL;
	out->allow_devices = devices;
	out->cdi_dirs = a->cdi_dirs.n ? a->cdi_dirs.items : NULL;
	out->no_cache_stages = cli_commas(c, &a->no_cache_filter);
	if (!cli_one_of(a->network, networks))
		return co_fail(c->err, CO_E_USAGE, "--network %s: it is default, none or host",
			       a->network);
	if (a->network && strcmp(a->network, "default"))
		out->network = a->network;
	/* who gives a step the host's network here has allowed it */
	out->allow_host_network |= a->network && !strcmp(a->network, "host");
	return 0;
}

static int policy_and_sandbox(struct co_build_opts *out, struct cmd_ctx *c,
			      const struct build_args *a)
{
	static const char *const policies[] = {"enforce", "warn", "off", NULL};
	const char *names[16] = {"auto"};
	size_t n = 1;
	if (!cli_one_of(a->user_policy, policies))
		return co_fail(c->err, CO_E_USAGE, "--user-policy %s: it is enforce, warn or off",
			       a->user_policy);
	if (a->user_policy)
		out->user_policy = !strcmp(a->user_policy, "enforce") ? CO_USER_ENFORCE
				   : !strcmp(a->user_policy, "warn")  ? CO_USER_WARN
								      : CO_USER_OFF;
	for (size_t i = 0; co_sandboxes[i] && n < 15; i++)
		names[n++] = co_sandboxes[i]->name;
	names[n] = NULL;
	if (!cli_one_of(a->sandbox, names)) {
		co_fail(c->err, CO_E_USAGE, "--sandbox %s: there is none of this name", a->sandbox);
		return co_hint(c->err, "cooper doctor lists them");
	}
	if (a->sandbox && strcmp(a->sandbox, "auto"))
		out->sandbox = a->sandbox;
	return 0;
}

static int call_value(struct build_call *out, struct cmd_ctx *c, const struct build_args *a)
{
	static const char *const names[] = {"build", "check", "outline", "targets", "plan", NULL};
	out->method = a->check ? CALL_CHECK : a->dry_run ? CALL_PLAN : CALL_BUILD;
	out->json = false;
	if (a->check + a->dry_run + (a->call != NULL) > 1)
		return co_fail(c->err, CO_E_USAGE,
			       "--check, --call and --dry-run exclude each other");
	if (!a->call)
		return 0;
	size_t n = strcspn(a->call, ",");
	const char *rest = a->call + n;
	out->json = !strcmp(rest, ",format=json");
	if (*rest && !out->json && strcmp(rest, ",format=text") != 0)
		return co_fail(c->err, CO_E_USAGE, "--call %s: the format is text or json",
			       a->call);
	for (int i = 0; names[i]; i++)
		if (strlen(names[i]) == n && !memcmp(a->call, names[i], n)) {
			out->method = (enum build_method)i;
			return 0;
		}
	return co_fail(c->err, CO_E_USAGE,
		       "--call %s: it is build, check, outline, targets or plan", a->call);
}

static int lists(struct co_build_opts *out, struct cmd_ctx *c, const struct build_args *a)
{
	struct co_kv *kvs;
	int r = cli_kvs(&kvs, &out->n_build_args, c, &a->build_args, "--build-arg", true);
	if (r < 0)
		return r;
	out->build_args = kvs;
	r = cli_kvs(&kvs, &out->n_labels, c, &a->labels, "--label", false);
	if (r < 0)
		return r;
	out->labels = kvs;
	r = annotations(out, c, a);
	if (!r)
		r = contexts(out, c, a);
	if (!r)
		r = platforms(out, c, a);
	if (!r)
		r = secrets(c, &a->secrets, one_secret, &out->secrets, &out->n_secrets);
	if (!r)
		r = secrets(c, &a->ssh, one_ssh, &out->ssh, &out->n_ssh);
	return r ? r : add_hosts(out, c, a);
}

int build_opts_make(struct co_build_opts *out, struct build_call *call, struct cmd_ctx *c,
		    const struct build_args *a)
{
	*out = (struct co_build_opts){.context = c->argv[0],
				      .dockerfile = a->file,
				      .target = a->target,
				      .push = a->push,
				      .late_push = a->late_push,
				      .pull = a->pull,
				      .no_cache = a->no_cache,
				      .squash = a->squash,
				      .force_compression = a->force_compression,
				      .single_layer = a->single_layer,
				      .iidfile = a->iidfile,
				      .metadata_file = a->metadata_file,
				      .digest_file = a->digest_file,
				      .store_root = a->common.root,
				      .epoch = a->timestamp,
				      .compression_level = -1,
				      .check = a->check_rules};
	cli_registry_opts(&out->registry, &a->common);
	for (size_t i = 0; i < a->tags.n; i++)
		build_tag_add(out, c, a->tags.items[i]);
	int r = call_value(call, c, a);
	if (!r)
		r = lists(out, c, a);
	if (!r)
		r = limits(out, c, a);
	if (!r)
		r = layer_limits(out, c, a);
	if (!r)
		r = network_and_allow(out, c, a);
	if (!r)
		r = policy_and_sandbox(out, c, a);
	if (!r)
		r = build_cache(out, c, a);
	if (!r)
		r = build_compression(out, c, a->compression, a->compression_level,
				      "--compression");
	for (size_t i = 0; r == 0 && i < a->outputs.n; i++)
		r = build_output_add(out, c, a->outputs.items[i]);
	return r;
}
