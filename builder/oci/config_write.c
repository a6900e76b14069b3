/* SPDX-License-Identifier: MIT
 *
 * config_write.c — the one form in which cooper writes a config: its digest is the image's id.
 */
#include "oci-internal.h"
#include <cooper/buf.h>
#include <stdlib.h>
#include <string.h>

static void set_text(json_t *j, const char *key, const char *value)
{
	if (value && *value)
		oci_set_string(j, key, value);
}

static void set_list(json_t *j, const char *key, const struct co_strs *s, bool even_empty)
{
	if (s->n || even_empty)
		json_object_set_new(j, key, co_json_string_array(s->items, s->n));
}

static void set_int(json_t *j, const char *key, int64_t v)
{
	if (v)
		json_object_set_new(j, key, json_integer(v));
}

/* Takes map. */
static void set_sorted(json_t *j, const char *key, json_t *map)
{
	if (json_object_size(map))
		json_object_set_new(j, key, co_json_sorted(map));
	json_decref(map);
}

static void set_set(json_t *j, const char *key, const struct co_strs *s)
{
	json_t *map = json_object();
	for (size_t i = 0; i < s->n; i++) {
		auto_json name = co_json_string(s->items[i]);
		json_object_set_new(map, json_string_value(name), json_object());
	}
	set_sorted(j, key, map);
}

static void set_labels(json_t *j, const struct co_config *c)
{
	json_t *map = json_object();
	for (size_t i = 0; i < c->labels.n; i++)
		oci_set_string(map, c->labels.items[i].key, c->labels.items[i].value);
	set_sorted(j, "Labels", map);
}

static void set_health(json_t *j, const struct co_healthcheck *h)
{
	if (!h)
		return;
	json_t *out = json_object();
	set_list(out, "Test", &(struct co_strs){h->test, h->n_test}, false);
	set_int(out, "Interval", h->interval);
	set_int(out, "Timeout", h->timeout);
	set_int(out, "StartPeriod", h->start_period);
	set_int(out, "StartInterval", h->start_interval);
	set_int(out, "Retries", h->retries);
	json_object_set_new(j, "Healthcheck", out);
}

/* The text was written by co_json_write, so it parses. */
static json_t *parse_extra(const char *text)
{
	return text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
}

static json_t *run_config(const struct co_config *c)
{
	static const char args_escaped[] = "ArgsEscaped"; /* the one with a place of its own */
	auto_json extra = parse_extra(c->extra_config);
	json_t *j = json_object();
	set_text(j, "User", c->user);
	set_set(j, "ExposedPorts", &c->ports);
	set_list(j, "Env", &c->env, false);
	set_list(j, "Entrypoint", &c->entrypoint, c->has_entrypoint);
	set_list(j, "Cmd", &c->cmd, c->has_cmd);
	set_set(j, "Volumes", &c->volumes);
	set_text(j, "WorkingDir", c->workdir);
	set_labels(j, c);
	set_text(j, "StopSignal", c->stop_signal);
	if (json_object_get(extra, args_escaped))
		json_object_set(j, args_escaped, json_object_get(extra, args_escaped));
	set_health(j, c->health);
	set_list(j, "OnBuild", &c->onbuild, false);
	set_list(j, "Shell", &c->shell, false);
	json_object_update_missing(j, extra);
	return j;
}

static json_t *history(const struct co_config *c)
{
	json_t *list = json_array();
	for (size_t i = 0; i < c->n_history; i++) {
		const struct co_history *h = &c->history[i];
		json_t *j = json_object();
		set_text(j, "created", h->created);
		set_text(j, "created_by", h->created_by);
		set_text(j, "author", h->author);
		set_text(j, "comment", h->comment);
		if (h->empty_layer)
			json_object_set_new(j, "empty_layer", json_true());
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *rootfs(const struct co_config *c)
{
	char text[CO_DIGEST_TEXT];
	json_t *j = json_object(), *ids = json_array();
	for (size_t i = 0; i < c->n_diff_ids; i++)
		json_array_append_new(ids, json_string(co_digest_str(&c->diff_ids[i], text)));
	json_object_set_new(j, "type", json_string("layers"));
	json_object_set_new(j, "diff_ids", ids);
	return j;
}

void co_config_write(struct co_buf *out, const struct co_config *c)
{
	auto_json extra = parse_extra(c->extra);
	auto_json j = json_object();
	oci_set_string(j, "architecture", c->platform.arch);
	set_text(j, "author", c->author);
	json_object_set_new(j, "config", run_config(c));
	set_text(j, "created", c->created);
	json_object_set_new(j, "history", history(c));
	oci_set_string(j, "os", c->platform.os);
	set_text(j, "os.version", c->os_version);
	json_object_set_new(j, "rootfs", rootfs(c));
	set_text(j, "variant", c->platform.variant);
	if (extra)
		json_object_update_missing(j, extra);
	auto_json sorted = co_json_sorted(j);
	co_json_write(out, sorted);
}
