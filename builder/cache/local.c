/* SPDX-License-Identifier: MIT */
#include "local.h"
#include <cooper/auto.h>
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <cooper/json.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_MAX 65536

static void record_name(const struct co_digest *key, char *out, size_t size)
{
	char hex[CO_DIGEST_TEXT];
	snprintf(out, size, "cache/%s.json", co_digest_hex(key, hex));
}

static bool read_digest(const json_t *doc, const char *key, struct co_digest *out)
{
	struct co_err err = CO_ERR_INIT;
	const char *text = co_json_str(doc, key);
	return text && co_digest_parse(out, text, &err) == 0;
}

static bool read_record(const json_t *doc, struct co_layer *layer)
{
	struct co_layer l = {0};
	const json_t *blob = json_object_get(doc, "layer");
	const char *type = co_json_str(blob, "mediaType");
	l.desc.size = co_json_int(blob, "size", -1);
	l.size = (uint64_t)co_json_int(doc, "size", 0);
	l.empty = json_is_true(json_object_get(doc, "empty"));
	if (!type || strlen(type) >= sizeof(l.desc.media_type) || l.desc.size < 0 ||
	    !read_digest(blob, "digest", &l.desc.digest) ||
	    !read_digest(doc, "diff_id", &l.diff_id))
		return false;
	strcpy(l.desc.media_type, type);
	*layer = l;
	return true;
}

int cache_local_get(struct co_store *s, const struct co_digest *key, struct co_layer *layer)
{
	char name[CO_DIGEST_TEXT + 16];
	record_name(key, name, sizeof(name));
	auto_free char *text = NULL;
	size_t len;
	struct co_err err = CO_ERR_INIT;
	if (co_read_file(co_store_fd(s), name, RECORD_MAX, &text, &len, &err) < 0)
		return 0;
	auto_json doc = NULL;
	struct co_layer l;
	if (co_json_parse(&doc, text, len, name, &err) < 0 || !read_record(doc, &l))
		return 0;
	int64_t size;
	if (!co_store_has(s, &l.desc.digest, &size) || size != l.desc.size)
		return 0;
	*layer = l;
	return 1;
}

int cache_local_put(struct co_store *s, const struct co_digest *key, const struct co_layer *layer,
		    struct co_err *err)
{
	char name[CO_DIGEST_TEXT + 16], text[CO_DIGEST_TEXT];
	record_name(key, name, sizeof(name));
	auto_json doc = json_object();
	json_t *blob = json_object();
	json_object_set_new(blob, "mediaType", json_string(layer->desc.media_type));
	json_object_set_new(blob, "digest", json_string(co_digest_str(&layer->desc.digest, text)));
	json_object_set_new(blob, "size", json_integer(layer->desc.size));
	json_object_set_new(doc, "layer", blob);
	json_object_set_new(doc, "diff_id", json_string(co_digest_str(&layer->diff_id, text)));
	json_object_set_new(doc, "size", json_integer((json_int_t)layer->size));
	json_object_set_new(doc, "empty", json_boolean(layer->empty));
	json_object_set_new(doc, "created", json_integer(co_wall_s()));
	auto_buf out = CO_BUF_INIT(RECORD_MAX);
	co_json_write(&out, doc);
	if (mkdirat(co_store_fd(s), "cache", 0700) < 0 && errno != EEXIST)
		return co_fail_sys(err, "make the cache directory");
	return co_write_file(co_store_fd(s), name, out.data, out.len, 0600, err);
}
