/* SPDX-License-Identifier: MIT
 *
 * Records of this machine: STORE/cache/<key hex>.json, written by rename. A record that came from a
 * place keeps its envelope: whoever asks for trust later checks it again. An alias has the key
 * whose record it repeats: it is believed as far as that one.
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
	const char *alias = co_json_str(doc, "alias");
	if (alias && co_digest_parse(&out->alias, alias, &err) < 0) {
		json_decref(out->envelope);
		return 0;
	}
	out->built = !out->envelope && !alias;
	return 1;
}

static int write_record(struct co_cache *c, const struct record *r, const json_t *envelope,
			const struct co_digest *alias, struct co_err *err)
{
	char text[CO_DIGEST_TEXT];
	char name[CO_DIGEST_TEXT + 16];
	auto_json doc = json_object();
	auto_buf out = CO_BUF_INIT(3 * RECORD_MAX);
	record_name(&r->key, name, sizeof(name));
	/* what co_store_gc goes by */
	json_object_set_new(doc, "created", json_integer(r->created ? r->created : co_wall_s()));
	json_object_set_new(doc, "record", record_json(r));
	if (envelope)
		json_object_set(doc, "envelope", (json_t *)envelope);
	if (alias)
		json_object_set_new(doc, "alias", json_string(co_digest_str(alias, text)));
	co_json_write(&out, doc);
	if (mkdirat(co_store_fd(c->store), "cache", 0700) < 0 && errno != EEXIST)
		return co_fail_sys(err, "make the cache directory");
	return co_write_file(co_store_fd(c->store), name, out.data, out.len, 0600, err);
}

int local_write(struct co_cache *c, const struct record *r, const json_t *envelope,
		struct co_err *err)
{
	return write_record(c, r, envelope, NULL, err);
}

void co_cache_alias(struct co_cache *c, const struct co_digest *key, const struct co_digest *of)
{
	struct local_record l;
	struct co_err ignored = CO_ERR_INIT;
	if (!local_read(c, of, &l))
		return;
	json_decref(l.envelope);
	l.rec.key = *key;
	/* without it the content is looked at again next time */
	int r = l.alias.set ? 0 : write_record(c, &l.rec, NULL, of, &ignored);
	(void)r;
}

bool local_is_ours(struct co_cache *c, const struct local_record *l)
{
	struct local_record of;
	if (!l->alias.set)
		return l->built;
	if (!local_read(c, &l->alias, &of))
		return false;
	json_decref(of.envelope);
	return of.built && co_digest_eq(&of.rec.layer.desc.digest, &l->rec.layer.desc.digest);
}
