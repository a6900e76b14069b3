/* SPDX-License-Identifier: MIT
 *
 * An image in the store may lack layers that nobody needed here: its base's, or those that a cache
 * gave. STORE/cache/from-<hex>.json remembers the repository that has them.
 */
#include "flow-internal.h"
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <sys/stat.h>

#define DOC_MAX	 (4u << 20)
#define NOTE_MAX 4096

static void note_name(const struct co_digest *d, char *out, size_t size)
{
	char hex[CO_DIGEST_TEXT];
	snprintf(out, size, "cache/from-%s.json", co_digest_hex(d, hex));
}

int source_note(struct co_store *s, const struct co_digest *blob, const struct co_ref *repo,
		struct co_err *err)
{
	char name[CO_DIGEST_TEXT + 32], text[CO_DIGEST_TEXT];
	auto_json doc = json_object();
	auto_buf out = CO_BUF_INIT(NOTE_MAX);
	note_name(blob, name, sizeof(name));
	json_object_set_new(doc, "created", json_integer(co_wall_s()));
	json_object_set_new(doc, "blob", json_string(co_digest_str(blob, text)));
	json_object_set_new(doc, "host", json_string(repo->host));
	json_object_set_new(doc, "path", json_string(repo->path));
	co_json_write(&out, doc);
	if (mkdirat(co_store_fd(s), "cache", 0700) < 0 && errno != EEXIST)
		return co_fail_sys(err, "make the cache directory");
	return co_write_file(co_store_fd(s), name, out.data, out.len, 0600, err);
}

static bool source_of(struct co_store *s, const struct co_digest *blob, struct co_ref *out)
{
	char name[CO_DIGEST_TEXT + 32];
	auto_free char *text = NULL;
	auto_json doc = NULL;
	size_t len;
	struct co_err err = CO_ERR_INIT;
	note_name(blob, name, sizeof(name));
	if (co_read_file(co_store_fd(s), name, NOTE_MAX, &text, &len, &err) < 0 ||
	    co_json_parse(&doc, text, len, name, &err) < 0)
		return false;
	const char *host = co_json_str(doc, "host"), *path = co_json_str(doc, "path");
	auto_buf ref = CO_BUF_INIT(NOTE_MAX);
	co_buf_addf(&ref, "%s/%s", host ? host : "", path ? path : "");
	return co_ref_parse(out, co_buf_str(&ref), &err) == 0;
}

static int complete_manifest(struct co_store *s, struct co_registry *r, const char *text,
			     size_t len, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_manifest m;
	int e = co_manifest_parse(&m, &a, text, len, NULL, err);
	if (e < 0)
		return e;
	for (size_t i = 0; e == 0 && i < m.n_layers;) {
		struct co_ref from, other;
		struct co_blob_job *jobs = NULL;
		size_t n = 0;
		/* runs of layers from one repository together */
		for (; i < m.n_layers; i++) {
			const struct co_descriptor *d = &m.layers[i];
			if (co_store_has(s, &d->digest, NULL) || !source_of(s, &d->digest, &other))
				continue;
			if (n && (strcmp(from.host, other.host) || strcmp(from.path, other.path)))
				break;
			from = other;
			co_arena_push(&a, jobs, n)->desc = *d;
		}
		if (n)
			e = co_registry_fetch(r, s, &from, jobs, n, err);
	}
	co_manifest_release(&m);
	return e;
}

int sources_complete(struct co_store *s, struct co_registry *r, const struct co_descriptor *desc,
		     struct co_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int e = co_store_blob_read(s, &desc->digest, DOC_MAX, &text, &len, err);
	if (e < 0)
		return e;
	if (!co_media_is_index(desc->media_type))
		return complete_manifest(s, r, text, len, err);
	auto_arena a = CO_ARENA_INIT;
	struct co_index ix;
	e = co_index_parse(&ix, &a, text, len, desc->media_type, err);
	if (e < 0)
		return e;
	for (size_t i = 0; e == 0 && i < ix.n; i++)
		if (co_store_has(s, &ix.manifests[i].digest, NULL))
			e = sources_complete(s, r, &ix.manifests[i], err);
	co_index_release(&ix);
	return e;
}
