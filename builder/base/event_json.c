/* SPDX-License-Identifier: MIT
 *
 * The event that is written in two places: the stream of events and the metadata file.
 */
#include <cooper/event.h>
#include <cooper/json.h>
#include <string.h>

static void put(json_t *o, const char *key, const char *s)
{
	if (s && *s)
		json_object_set_new(o, key, co_json_string(s));
}

void co_json_attempt(json_t *o, const struct co_event *ev)
{
	json_object_set_new(o, "step", json_integer(ev->step));
	put(o, "what", ev->name);
	put(o, "call", ev->rule);
	put(o, "detail", ev->text);
	put(o, "binary", ev->binary);
	if (ev->args_len) {
		json_t *list = json_array();
		for (size_t at = 0; at < ev->args_len; at += strlen(ev->args + at) + 1)
			json_array_append_new(list, co_json_string(ev->args + at));
		json_object_set_new(o, "arguments", list);
	}
	if (ev->args_cut)
		json_object_set_new(o, "arguments_cut", json_true());
	json_object_set_new(o, "count", json_integer((json_int_t)ev->done));
}
