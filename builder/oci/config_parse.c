/* SPDX-License-Identifier: MIT
 *
 * config_parse.c — an image config from its JSON. Everything that is kept lives in the arena.
 */
#include "oci-internal.h"
#include <cooper/buf.h>
#include <cooper/str.h>
#include <string.h>

static const char what[] = "image config";

/* Members with a place in struct co_config. */
static const char *const known_top[] = {"architecture", "author", "config",	"created",
					"history",	"os",	  "os.version", "rootfs",
					"variant",	NULL};
static const char *const known_config[] = {
	"User",	  "ExposedPorts", "Env",	 "Entrypoint", "Cmd",	"Volumes", "WorkingDir",
	"Labels", "StopSignal",	  "Healthcheck", "OnBuild",    "Shell", NULL};
/* Members that tell of the base's own birth: not true of an image built on it. */
static const char *const stale_top[] = {"id",
					"parent",
					"container",
					"container_config",
					"docker_version",
					"moby.buildkit.cache.v0",
					"moby.buildkit.buildinfo.v1",
					NULL};
static const char *const stale_config[] = {
	"Hostname",  "Domainname", "AttachStdin",     "AttachStdout", "AttachStderr", "Tty",
	"OpenStdin", "StdinOnce",  "NetworkDisabled", "MacAddress",   "Image",	      NULL};

static const char *find(const char *const *list, const char *key)
{
	for (; *list; list++)
		if (co_ieq(*list, key))
			return *list;
	return NULL;
}

/* What nobody here knows, as a JSON text. A known name in other letters is refused: a Go program
 * would read it as the known one. */
static int unknown_members(const char **out, struct co_arena *a, const json_t *object,
			   const char *const *known, const char *const *stale, struct co_err *err)
{
	auto_json rest = json_object();
	const char *key;
	json_t *value;
	*out = NULL;
	json_object_foreach((json_t *)object, key, value)
	{
		const char *name = find(known, key);
		if (name && strcmp(name, key))
			return co_fail(err, CO_E_INVALID, "%s: member \"%s\" should be \"%s\"",
				       what, key, name);
		if (!name && !find(stale, key) && !json_is_null(value))
			json_object_set(rest, key, value);
	}
	if (!json_object_size(rest))
		return 0;
	auto_buf text = CO_BUF_INIT(2 * OCI_DOC_MAX);
	co_json_write(&text, rest);
	if (text.overflow)
		return co_fail(err, CO_E_LIMIT, "%s: its unknown members are too large", what);
	*out = co_arena_strndup(a, text.data, text.len);
	return 0;
}

static int get_strings(struct co_strs *out, bool *has, struct co_arena *a, const json_t *object,
		       const char *key, struct co_err *err)
{
	const json_t *array;
	int r = oci_get_typed(&array, object, key, JSON_ARRAY, what, err);
	if (r < 0)
		return r;
	if (has)
		*has = array != NULL;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *j = json_array_get(array, i);
		if (!json_is_string(j) || strlen(json_string_value(j)) != json_string_length(j))
			return co_fail(err, CO_E_INVALID, "%s: %s holds more than plain strings",
				       what, key);
		co_strs_add(out, a, json_string_value(j));
	}
	return 0;
}

/* {"8080/tcp":{}}: only the keys count. */
static int get_set(struct co_strs *out, struct co_arena *a, const json_t *object, const char *key,
		   struct co_err *err)
{
	const json_t *set;
	const char *name;
	json_t *value;
	int r = oci_get_typed(&set, object, key, JSON_OBJECT, what, err);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)set, name, value) co_strs_add(out, a, name);
	return 0;
}

static int get_labels(struct co_config *c, struct co_arena *a, const json_t *object,
		      struct co_err *err)
{
	const json_t *map;
	const char *key;
	json_t *value;
	int r = oci_get_typed(&map, object, "Labels", JSON_OBJECT, what, err);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)map, key, value)
	{
		struct co_kvpair *kv = co_arena_push(a, c->labels.items, c->labels.n);
		kv->key = co_arena_strdup(a, key);
		r = oci_get_string(&kv->value, a, map, key, what, err);
		if (r < 0)
			return r;
		if (!kv->value)
			kv->value = "";
	}
	return 0;
}

static int get_health(struct co_config *c, struct co_arena *a, const json_t *object,
		      struct co_err *err)
{
	const json_t *j;
	int r = oci_get_typed(&j, object, "Healthcheck", JSON_OBJECT, what, err);
	if (r < 0 || !j)
		return r;
	struct co_healthcheck *h = co_arena_new(a, struct co_healthcheck);
	struct co_strs test = {0};
	r = get_strings(&test, NULL, a, j, "Test", err);
	h->test = test.items;
	h->n_test = test.n;
	if (!r)
		r = oci_get_int(&h->interval, j, "Interval", what, err);
	if (!r)
		r = oci_get_int(&h->timeout, j, "Timeout", what, err);
	if (!r)
		r = oci_get_int(&h->start_period, j, "StartPeriod", what, err);
	if (!r)
		r = oci_get_int(&h->start_interval, j, "StartInterval", what, err);
	if (!r)
		r = oci_get_int(&h->retries, j, "Retries", what, err);
	if (!r)
		c->health = h;
	return r;
}

static int parse_run_config(struct co_config *c, struct co_arena *a, const json_t *doc,
			    struct co_err *err)
{
	const json_t *j;
	int r = oci_get_typed(&j, doc, "config", JSON_OBJECT, what, err);
	if (r < 0 || !j)
		return r;
	r = oci_get_string(&c->user, a, j, "User", what, err);
	if (!r)
		r = oci_get_string(&c->workdir, a, j, "WorkingDir", what, err);
	if (!r)
		r = oci_get_string(&c->stop_signal, a, j, "StopSignal", what, err);
	if (!r)
		r = get_set(&c->ports, a, j, "ExposedPorts", err);
	if (!r)
		r = get_set(&c->volumes, a, j, "Volumes", err);
	if (!r)
		r = get_strings(&c->env, NULL, a, j, "Env", err);
	if (!r)
		r = get_strings(&c->entrypoint, &c->has_entrypoint, a, j, "Entrypoint", err);
	if (!r)
		r = get_strings(&c->cmd, &c->has_cmd, a, j, "Cmd", err);
	if (!r)
		r = get_strings(&c->onbuild, NULL, a, j, "OnBuild", err);
	if (!r)
		r = get_strings(&c->shell, NULL, a, j, "Shell", err);
	if (!r)
		r = get_labels(c, a, j, err);
	if (!r)
		r = get_health(c, a, j, err);
	if (!r)
		r = unknown_members(&c->extra_config, a, j, known_config, stale_config, err);
	return r;
}

static int parse_diff_ids(struct co_config *c, struct co_arena *a, const json_t *doc,
			  struct co_err *err)
{
	const json_t *rootfs, *ids;
	int r = oci_get_typed(&rootfs, doc, "rootfs", JSON_OBJECT, what, err);
	if (r < 0 || !rootfs)
		return r;
	const char *type = co_json_str(rootfs, "type");
	if (type && *type && strcmp(type, "layers"))
		return co_fail(err, CO_E_UNSUPPORTED, "%s: rootfs of type \"%.40s\"", what, type);
	r = oci_get_typed(&ids, rootfs, "diff_ids", JSON_ARRAY, what, err);
	for (size_t i = 0; !r && i < json_array_size(ids); i++) {
		const char *text = json_string_value(json_array_get(ids, i));
		r = co_digest_parse(co_arena_push(a, c->diff_ids, c->n_diff_ids), text ? text : "",
				    err);
		if (r < 0)
			co_wrap(err, "%s: rootfs", what);
	}
	return r;
}

static int parse_history(struct co_config *c, struct co_arena *a, const json_t *doc,
			 struct co_err *err)
{
	const json_t *list;
	int r = oci_get_typed(&list, doc, "history", JSON_ARRAY, what, err);
	for (size_t i = 0; !r && i < json_array_size(list); i++) {
		const json_t *j = json_array_get(list, i);
		struct co_history *h = co_arena_push(a, c->history, c->n_history);
		if (!json_is_object(j))
			return co_fail(err, CO_E_INVALID, "%s: history is not a list of objects",
				       what);
		r = oci_get_string(&h->created, a, j, "created", what, err);
		if (!r)
			r = oci_get_string(&h->created_by, a, j, "created_by", what, err);
		if (!r)
			r = oci_get_string(&h->comment, a, j, "comment", what, err);
		if (!r)
			r = oci_get_string(&h->author, a, j, "author", what, err);
		h->empty_layer = json_is_true(json_object_get(j, "empty_layer"));
	}
	return r;
}

/* The entries that are not empty must be as many as the layers (moby/buildkit, image exporter). */
static void repair_history(struct co_config *c, struct co_arena *a)
{
	size_t layers = 0;
	for (size_t i = 0; i < c->n_history; i++) {
		if (layers == c->n_diff_ids)
			c->history[i].empty_layer = true;
		layers += !c->history[i].empty_layer;
	}
	for (; layers < c->n_diff_ids; layers++) {
		struct co_history *h = co_arena_push(a, c->history, c->n_history);
		h->created = c->created;
		h->created_by = "created by buildkit";
		h->comment = "buildkit.exporter.image.v0";
	}
}

static int parse_top(struct co_config *c, struct co_arena *a, const json_t *doc, struct co_err *err)
{
	struct co_platform *p = &c->platform;
	if (!json_is_object(doc))
		return co_fail(err, CO_E_INVALID, "%s: not a JSON object", what);
	if (!oci_copy_text(p->os, sizeof(p->os), json_object_get(doc, "os")) ||
	    !oci_copy_text(p->arch, sizeof(p->arch), json_object_get(doc, "architecture")) ||
	    !oci_copy_text(p->variant, sizeof(p->variant), json_object_get(doc, "variant")))
		return co_fail(err, CO_E_INVALID, "%s: invalid os, architecture or variant", what);
	int r = oci_get_string(&c->os_version, a, doc, "os.version", what, err);
	if (!r)
		r = oci_get_string(&c->author, a, doc, "author", what, err);
	if (!r)
		r = oci_get_string(&c->created, a, doc, "created", what, err);
	if (!r)
		r = parse_run_config(c, a, doc, err);
	if (!r)
		r = parse_diff_ids(c, a, doc, err);
	if (!r)
		r = parse_history(c, a, doc, err);
	if (!r)
		r = unknown_members(&c->extra, a, doc, known_top, stale_top, err);
	return r;
}

int co_config_parse(struct co_config *out, struct co_arena *a, const char *json, size_t len,
		    struct co_err *err)
{
	struct co_config c = {0};
	auto_json doc = NULL;
	if (len > OCI_DOC_MAX)
		return co_fail(err, CO_E_LIMIT, "%s: more than %u bytes", what, OCI_DOC_MAX);
	int r = co_json_parse(&doc, json, len, what, err);
	if (!r)
		r = parse_top(&c, a, doc, err);
	if (r < 0)
		return r;
	repair_history(&c, a);
	*out = c;
	return 0;
}
