/* SPDX-License-Identifier: MIT
 *
 * -o, --output: "type=oci,dest=image.tar", "DIR", "-".
 */
#include "build_args.h"
#include <string.h>
#include <unistd.h>

/* One -o taken apart; what a type does not know is refused in the end. */
struct out_spec {
	const char *text, *type, *dest, *name, *compression, *level;
	bool push, tar, has_tar, docker_types;
};

static int bad(struct cmd_ctx *c, const struct out_spec *s, const char *why)
{
	return co_fail(c->err, CO_E_USAGE, "--output %s: %s", s->text, why);
}

static int unknown_key(struct cmd_ctx *c, const struct out_spec *s, const char *key)
{
	static const char *const keys[] = {
		"type", "dest",		  "name",	 "push",
		"tar",	"oci-mediatypes", "compression", "compression-level",
		NULL};
	const char *near = co_nearest(key, keys);
	co_fail(c->err, CO_E_USAGE, "--output %s: unknown attribute \"%s\"", s->text, key);
	if (near)
		return co_hint(c->err, "did you mean %s=?", near);
	return co_hint(c->err,
		       "known are type, dest, name, push, tar, oci-mediatypes, compression, "
		       "compression-level and annotation.KEY");
}

/* Attributes of docker's exporters that say what cooper does anyway, or that it can not do. */
static int fixed_key(struct cmd_ctx *c, const struct out_spec *s, const struct co_kv *kv,
		     bool *known)
{
	static const struct {
		const char *key, *value, *why;
	} rows[] = {
		{"rewrite-timestamp", "true", "times in new layers are always set"},
		{"unpack", "false", "there is no daemon to unpack for"},
		{"store", "true", "the image is always kept in the store"},
		{"push-by-digest", "false", "an image is pushed under its names"},
		{"buildinfo", "false", "build information is not put into the image"},
		{"context", "default", "there is no daemon, so there is no docker context"},
	};
	*known = false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(kv->key, rows[i].key))
			continue;
		*known = true;
		if (kv->value && co_ieq(kv->value, rows[i].value))
			return 0;
		co_fail(c->err, CO_E_UNSUPPORTED, "--output %s: %s=%s is not carried out: %s",
			s->text, kv->key, kv->value ? kv->value : "", rows[i].why);
		return co_hint(c->err, "leave the attribute out");
	}
	return 0;
}

static int annotation(struct co_build_opts *out, struct cmd_ctx *c, const struct out_spec *s,
		      const struct co_kv *kv)
{
	const char *key = kv->key + strlen("annotation.");
	if (!*key || !kv->value)
		return bad(c, s, "annotation.KEY=VALUE is incomplete");
	struct co_kv *list = (struct co_kv *)out->annotations;
	*co_arena_push(c->arena, list, out->n_annotations) =
		(struct co_kv){.key = key, .value = kv->value};
	out->annotations = list;
	return 0;
}

static int one_key(struct co_build_opts *out, struct cmd_ctx *c, struct out_spec *s,
		   const struct co_kv *kv)
{
	const struct {
		const char *key;
		const char **text;
	} texts[] = {{"type", &s->type},
		     {"dest", &s->dest},
		     {"name", &s->name},
		     {"compression", &s->compression},
		     {"compression-level", &s->level}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(kv->key, texts[i].key)) {
			if (!kv->value || !*kv->value)
				return bad(c, s, "an attribute has no value");
			*texts[i].text = kv->value;
			return 0;
		}
	bool oci = true, known;
	const char *value = kv->value ? kv->value : "true";
	if (!strcmp(kv->key, "push"))
		return build_bool(&s->push, c, value, "--output push=");
	if (!strcmp(kv->key, "tar")) {
		s->has_tar = true;
		return build_bool(&s->tar, c, value, "--output tar=");
	}
	if (!strcmp(kv->key, "force-compression"))
		return build_bool(&out->force_compression, c, value, "--output force-compression=");
	if (!strcmp(kv->key, "oci-mediatypes")) {
		int r = build_bool(&oci, c, value, "--output oci-mediatypes=");
		s->docker_types = !oci;
		return r;
	}
	if (co_starts(kv->key, "annotation."))
		return annotation(out, c, s, kv);
	int r = fixed_key(c, s, kv, &known);
	return r < 0 || known ? r : unknown_key(c, s, kv->key);
}

static void add_names(struct co_build_opts *out, struct cmd_ctx *c, const char *names)
{
	while (names && *names) {
		size_t n = strcspn(names, ",");
		if (n)
			build_tag_add(out, c, co_arena_strndup(c->arena, names, n));
		names += n + (names[n] == ',');
	}
}

/* type=image and type=registry: the store has the image anyway. */
static int to_store(struct co_build_opts *out, struct cmd_ctx *c, const struct out_spec *s)
{
	if (s->dest)
		return bad(c, s, "dest= belongs to oci, docker, tar and local");
	if (s->has_tar)
		return bad(c, s, "tar= belongs to oci");
	out->push |= s->push || !strcmp(s->type, "registry");
	return 0;
}

static int to_file(struct co_build_opts *out, struct cmd_ctx *c, const struct out_spec *s,
		   enum co_output_kind kind)
{
	struct co_output o = {.kind = kind, .dest = s->dest ? s->dest : "-", .tar = true};
	bool dir = kind == CO_OUT_LOCAL || (s->has_tar && !s->tar);
	if (s->push)
		return bad(c, s, "push= belongs to image; or give --push as well");
	if (s->has_tar && kind != CO_OUT_OCI)
		return bad(c, s, "tar= belongs to oci");
	if (s->has_tar)
		o.tar = s->tar;
	if (dir && (!s->dest || !strcmp(s->dest, "-")))
		return bad(c, s, "dest=DIRECTORY is missing");
	if (!s->dest && kind == CO_OUT_DOCKER) {
		co_fail(c->err, CO_E_UNSUPPORTED,
			"--output %s: there is no daemon to load the image into", s->text);
		return co_hint(c->err, "write an archive: -o type=docker,dest=image.tar");
	}
	if (!strcmp(o.dest, "-") && isatty(1)) {
		bad(c, s, "standard output is a terminal");
		return co_hint(c->err, "name a file with dest=, or redirect the output");
	}
	struct co_output *list = (struct co_output *)out->outputs;
	*co_arena_push(c->arena, list, out->n_outputs) = o;
	out->outputs = list;
	return 0;
}

static int by_type(struct co_build_opts *out, struct cmd_ctx *c, const struct out_spec *s)
{
	static const char *const types[] = {"oci",   "docker",	 "tar",	      "local",
					    "image", "registry", "cacheonly", NULL};
	static const enum co_output_kind kinds[] = {CO_OUT_OCI, CO_OUT_DOCKER, CO_OUT_TAR,
						    CO_OUT_LOCAL};
	for (size_t i = 0; i < 4; i++)
		if (!strcmp(s->type, types[i]))
			return to_file(out, c, s, kinds[i]);
	if (!strcmp(s->type, "image") || !strcmp(s->type, "registry"))
		return to_store(out, c, s);
	if (!strcmp(s->type, "cacheonly"))
		return s->dest || s->push ? bad(c, s, "cacheonly writes nothing") : 0;
	const char *near = co_nearest(s->type, types);
	co_fail(c->err, CO_E_USAGE, "--output %s: unknown type \"%s\"", s->text, s->type);
	return near ? co_hint(c->err, "did you mean type=%s?", near)
		    : co_hint(c->err, "types are oci, docker, tar, local, image and registry");
}

int build_output_add(struct co_build_opts *out, struct cmd_ctx *c, const char *text)
{
	struct out_spec s = {.text = text, .tar = true};
	struct co_kv *kvs;
	size_t n;
	int r = cli_csv(c, text, "--output", &kvs, &n);
	if (r < 0)
		return r;
	if (n == 1 && !kvs[0].value) { /* "-" or a directory */
		s.dest = kvs[0].key;
		s.type = strcmp(text, "-") ? "local" : "tar";
		return *text ? by_type(out, c, &s) : bad(c, &s, "the value is empty");
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = one_key(out, c, &s, &kvs[i]);
	if (!r && !s.type)
		r = bad(c, &s, "type= is missing");
	if (!r)
		r = by_type(out, c, &s);
	if (!r && (s.compression || s.level))
		r = build_compression(out, c, s.compression, s.level, "--output");
	if (!r)
		add_names(out, c, s.name);
	out->docker_types |= s.docker_types;
	return r;
}
