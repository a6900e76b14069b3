/* SPDX-License-Identifier: MIT
 *
 * Cache mounts in a place: the directory as one layer under the tag of its id. The last writer's
 * stays: a cache mount is a convenience, and any state of it is as good as another.
 */
#include "cache-internal.h"
#include <cooper/clock.h>
#include <cooper/stream.h>
#include <cooper/str.h>
#include <cooper/tar.h>

static void mount_key(const char *id, struct co_digest *out)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, "cooper-cache-mount/1", 20);
	co_hash_field(h, 2, id, strlen(id));
	co_hash_done(h, out);
}

/* The record of the first place and scope that has one. */
static bool find(struct co_cache *c, struct place *p, const char *scope,
		 const struct co_digest *key, struct record *out)
{
	struct tagged t = {.place = p};
	auto_document d = {.notes = NULL};
	tag_of("m1", scope, key, t.tag);
	places_get(c, &t, 1);
	bool ok = t.code == 0 && document_read(&d, co_buf_str(&t.body), t.body.len) &&
		  envelope_open(out, json_array_get(d.notes, 0), c->trust) == ENV_GOOD &&
		  co_digest_eq(&out->key, key) && !strcmp(out->scope, scope) &&
		  !is_lost(c, &out->layer.desc.digest) && !too_old(c, out->created);
	co_buf_release(&t.body);
	return ok;
}

static int unpack(struct co_cache *c, const struct record *r, const struct co_root *root,
		  struct co_err *err)
{
	int fd;
	int64_t size;
	struct co_digest got;
	struct co_tar_reader *tar;
	int e = co_store_blob_fd(c->store, &r->layer.desc.digest, &fd, &size, err);
	if (e < 0)
		return e;
	struct co_source_stream *in = co_stream_hash(
		co_stream_inflate(co_stream_fd(fd, true, "cache mount"), 0), CO_SHA256, &got, NULL);
	e = co_tar_reader_open(&tar, in, NULL, err);
	if (e < 0)
		return e;
	struct co_unpack u = {.mode = CO_UNPACK_PLAIN, .root = root, .dest = "", .bus = c->bus};
	e = co_unpack(tar, &u, err);
	co_tar_reader_close(tar);
	if (!e && !co_digest_eq(&got, &r->layer.diff_id))
		e = co_fail(err, CO_E_INTEGRITY, "its content is not what was recorded");
	return e;
}

int co_cache_mount_load(struct co_cache *c, const char *id, const struct co_root *dir)
{
	struct co_digest key;
	struct co_err err = CO_ERR_INIT;
	struct record r;
	mount_key(id, &key);
	for (size_t i = 0; i < c->n_places; i++)
		for (size_t s = 0; c->scopes[s]; s++) {
			struct place *p = &c->places[i];
			if (!place_reads(p) || !find(c, p, c->scopes[s], &key, &r))
				continue;
			/* gone: as if it had never been there */
			if (p->ops->fetch(p, &r.layer.desc, 1, &err) < 0)
				return 0;
			int e = unpack(c, &r, dir, &err);
			if (e < 0)
				co_warn(c->bus, "CacheMount",
					"the cache mount %s from %s is of no use: %s", id, p->name,
					err.msg);
			return e < 0 ? e : 1;
		}
	return 0;
}

bool co_cache_wants_mounts(const struct co_cache *c)
{
	for (size_t i = 0; i < c->n_places; i++)
		if (c->places[i].max && place_writes(&c->places[i]))
			return true;
	return false;
}

static int pack(struct co_cache *c, const struct co_root *dir, struct co_layer *out,
		struct co_err *err)
{
	struct co_layer l = {0};
	struct co_sink *below = co_store_sink(c->store, NULL, -1, &l.desc.digest, &l.desc.size);
	struct co_sink *zip = co_sink_compress(below, CO_COMP_ZSTD, -1, 0);
	struct co_sink *top = co_sink_hash(zip, CO_SHA256, &l.diff_id, &l.size);
	/* times stay: tools compare them to find what is stale */
	int r = co_tree_write_tar(dir, INT64_MIN, false, top, err);
	if (r < 0)
		return r;
	snprintf(l.desc.media_type, sizeof(l.desc.media_type), "%s", CO_MT_OCI_LAYER_ZSTD);
	*out = l;
	return 0;
}

static int save_in(struct co_cache *c, struct place *p, const struct record *r, struct co_err *err)
{
	struct co_descriptor blobs[2] = {r->layer.desc};
	struct tagged t = {.place = p, .body = CO_BUF_INIT(DOC_MAX)};
	struct co_digest got;
	struct record there;
	const char *text;
	if (find(c, p, r->scope, &r->key, &there) &&
	    co_digest_eq(&there.layer.diff_id, &r->layer.diff_id))
		return 0;
	document_config(p->plain, &blobs[1], &text);
	int e = co_store_put(c->store, text, strlen(text), &got, err);
	if (!e)
		e = p->ops->put_blobs(p, blobs, 2, NULL, 0, err);
	auto_json env = envelope_make(r, c->key);
	document_write(&t.body, NOTE_RECORD, env, &r->layer.desc, 1, p->plain);
	tag_of("m1", r->scope, &r->key, t.tag);
	if (!e)
		e = p->ops->put(p, &t, 1, err);
	co_buf_release(&t.body);
	return e;
}

void co_cache_mount_save(struct co_cache *c, const char *id, const struct co_root *dir)
{
	struct record r = {.created = co_wall_s()};
	struct co_err err = CO_ERR_INIT;
	if (!co_cache_wants_mounts(c))
		return;
	mount_key(id, &r.key);
	snprintf(r.scope, sizeof(r.scope), "%s", c->scopes[0]);
	if (strlen(id) < sizeof(r.what) && co_utf8_valid(id, strlen(id)))
		snprintf(r.what, sizeof(r.what), "%s", id);
	if (pack(c, dir, &r.layer, &err) < 0) {
		co_warn(c->bus, "CacheMount", "the cache mount %s is not written: %s", id, err.msg);
		return;
	}
	for (size_t i = 0; i < c->n_places; i++) {
		struct place *p = &c->places[i];
		struct co_err one = CO_ERR_INIT;
		if (p->max && place_writes(p) && save_in(c, p, &r, &one) < 0 &&
		    one.code != CO_E_INTERRUPTED)
			place_gave_up(p, true, &one);
	}
}
