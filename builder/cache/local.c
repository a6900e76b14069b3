/* SPDX-License-Identifier: MIT
 *
 * Records of this machine: STORE/cache/<key hex>.json, written by rename. A record that came from a
 * place keeps its envelope: whoever asks for trust later checks it again.
 */
#include "cache-internal.h"
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <stdio.h>
#include <sys/stat.h>

static void record_name(const struct co_digest *key, char *out, size_t size)
{
	char hex[CO_DIGEST_TEXT];
	snprintf(out, size, "cache/%s.json", co_digest_hex(key, hex));
}

int local_read(struct co_cache *c, const struct co_digest *key, struct local_record *out)
{
	char name[CO_DIGEST_TEXT + 16];
	auto_free char *text = NULL;
	size_t len;
	auto_json doc = NULL;
	struct co_err err = CO_ERR_INIT;
	record_name(key, name, sizeof(name));
	memset(out, 0, sizeof(*out));
	if (co_read_file(co_store_fd(c->store), name, 3 * RECORD_MAX, &text, &len, &err) < 0 ||
	    co_json_parse(&doc, text, len, name, &err) < 0 ||
	    !record_parse(&out->rec, json_object_get(doc, "record")) ||
	    !co_digest_eq(&out->rec.key, key))
		return 0;
	out->envelope = json_incref(json_object_get(doc, "envelope"));
	out->built = out->envelope == NULL;
	return 1;
}

int local_write(struct co_cache *c, const struct record *r, const json_t *envelope,
		struct co_err *err)
{
	char name[CO_DIGEST_TEXT + 16];
	auto_json doc = json_object();
	auto_buf out = CO_BUF_INIT(3 * RECORD_MAX);
	record_name(&r->key, name, sizeof(name));
	/* what co_store_gc goes by */
	json_object_set_new(doc, "created", json_integer(r->created ? r->created : co_wall_s()));
	json_object_set_new(doc, "record", record_json(r));
	if (envelope)
		json_object_set(doc, "envelope", (json_t *)envelope);
	co_json_write(&out, doc);
	if (mkdirat(co_store_fd(c->store), "cache", 0700) < 0 && errno != EEXIST)
		return co_fail_sys(err, "make the cache directory");
	return co_write_file(co_store_fd(c->store), name, out.data, out.len, 0600, err);
}
