/* SPDX-License-Identifier: MIT
 *
 * A record says which layer a key stands for. Outside the store it travels in an envelope (DSSE:
 * the payload as it was signed, base64, and its signatures), so that a reader checks bytes and not
 * its own idea of them.
 */
#include "cache-internal.h"
#include <cooper/str.h>
#include <stdio.h>

#define FORMAT	     1
#define PAYLOAD_TYPE "application/vnd.cooper.cache.record.v1+json"

json_t *record_json(const struct record *r)
{
	char text[CO_DIGEST_TEXT];
	json_t *j = json_object(), *blob = json_object();
	json_object_set_new(blob, "mediaType", json_string(r->layer.desc.media_type));
	json_object_set_new(blob, "digest",
			    json_string(co_digest_str(&r->layer.desc.digest, text)));
	json_object_set_new(blob, "size", json_integer(r->layer.desc.size));
	json_object_set_new(j, "format", json_integer(FORMAT));
	json_object_set_new(j, "key", json_string(co_digest_str(&r->key, text)));
	json_object_set_new(j, "scope", co_json_string(r->scope));
	json_object_set_new(j, "layer", blob);
	json_object_set_new(j, "diff_id", json_string(co_digest_str(&r->layer.diff_id, text)));
	json_object_set_new(j, "size", json_integer((json_int_t)r->layer.size));
	json_object_set_new(j, "empty", json_boolean(r->layer.empty));
	if (r->created)
		json_object_set_new(j, "created", json_integer(r->created));
	if (r->duration_ms)
		json_object_set_new(j, "duration_ms", json_integer(r->duration_ms));
	if (r->what[0])
		json_object_set_new(j, "what", co_json_string(r->what));
	return j;
}

static bool get_digest(const json_t *doc, const char *name, struct co_digest *out)
{
	struct co_err err = CO_ERR_INIT;
	const char *text = co_json_str(doc, name);
	return text && co_digest_parse(out, text, &err) == 0;
}

static bool get_text(const json_t *doc, const char *name, char *out, size_t size)
{
	const char *text = co_json_str(doc, name);
	int n = snprintf(out, size, "%s", text ? text : "");
	return n >= 0 && (size_t)n < size;
}

bool record_parse(struct record *out, const json_t *j)
{
	struct record r = {0};
	const json_t *blob = json_object_get(j, "layer");
	struct co_descriptor *d = &r.layer.desc;
	d->size = co_json_int(blob, "size", -1);
	int64_t size = co_json_int(j, "size", -1);
	r.layer.empty = json_is_true(json_object_get(j, "empty"));
	r.created = co_json_int(j, "created", 0);
	r.duration_ms = co_json_int(j, "duration_ms", 0);
	if (co_json_int(j, "format", 0) != FORMAT || d->size < 0 || size < 0 || r.created < 0 ||
	    !get_digest(j, "key", &r.key) || !get_digest(blob, "digest", &d->digest) ||
	    !get_digest(j, "diff_id", &r.layer.diff_id) ||
	    !get_text(blob, "mediaType", d->media_type, sizeof(d->media_type)) ||
	    !d->media_type[0] || !get_text(j, "scope", r.scope, sizeof(r.scope)) ||
	    !get_text(j, "what", r.what, sizeof(r.what)))
		return false;
	r.layer.size = (uint64_t)size;
	*out = r;
	return true;
}

/* What is signed: type and payload with their lengths. */
static void pae(struct co_buf *out, const char *payload, size_t len)
{
	co_buf_addf(out, "DSSEv1 %zu %s %zu ", strlen(PAYLOAD_TYPE), PAYLOAD_TYPE, len);
	co_buf_add(out, payload, len);
}

json_t *envelope_make(const struct record *r, const struct sign_key *k)
{
	auto_buf text = CO_BUF_INIT(RECORD_MAX), b64 = CO_BUF_INIT(2 * RECORD_MAX);
	auto_json j = record_json(r);
	co_json_write(&text, j);
	co_base64_encode(&b64, text.data, text.len);
	json_t *env = json_object(), *sigs = json_array();
	json_object_set_new(env, "payloadType", json_string(PAYLOAD_TYPE));
	json_object_set_new(env, "payload", json_string(co_buf_str(&b64)));
	json_object_set_new(env, "signatures", sigs);
	if (!k)
		return env;
	auto_buf msg = CO_BUF_INIT(2 * RECORD_MAX), sig = CO_BUF_INIT(256);
	struct co_err err = CO_ERR_INIT;
	pae(&msg, co_buf_str(&text), text.len);
	if (key_sign(k, co_buf_str(&msg), msg.len, &sig, &err) == 0) {
		json_t *one = json_object();
		json_object_set_new(one, "keyid", json_string(key_id(k)));
		json_object_set_new(one, "sig", json_string(co_buf_str(&sig)));
		json_array_append_new(sigs, one);
	}
	return env;
}

static bool is_trusted(const json_t *env, const struct co_buf *payload,
		       struct sign_key *const *trust)
{
	const json_t *sigs = json_object_get(env, "signatures");
	auto_buf msg = CO_BUF_INIT(2 * RECORD_MAX);
	pae(&msg, co_buf_str(payload), payload->len);
	/* a handful is plenty; more would be work for us */
	for (size_t i = 0; i < json_array_size(sigs) && i < 8; i++) {
		const char *sig = co_json_str(json_array_get(sigs, i), "sig");
		for (size_t k = 0; sig && trust[k]; k++)
			if (key_verify(trust[k], co_buf_str(&msg), msg.len, sig))
				return true;
	}
	return false;
}

enum envelope_state envelope_open(struct record *out, const json_t *env,
				  struct sign_key *const *trust)
{
	auto_buf payload = CO_BUF_INIT(RECORD_MAX);
	auto_json j = NULL;
	struct co_err err = CO_ERR_INIT;
	const char *type = co_json_str(env, "payloadType"), *b64 = co_json_str(env, "payload");
	if (!type || strcmp(type, PAYLOAD_TYPE) || !b64 || strlen(b64) > 2 * RECORD_MAX ||
	    !co_base64_decode(&payload, b64, strlen(b64)) || payload.overflow)
		return ENV_BROKEN;
	/* the signature first: nothing that a stranger wrote is looked at closer than that */
	if (trust && !is_trusted(env, &payload, trust))
		return ENV_UNTRUSTED;
	if (co_json_parse(&j, co_buf_str(&payload), payload.len, "cache record", &err) < 0 ||
	    !record_parse(out, j))
		return ENV_BROKEN;
	return ENV_GOOD;
}

void tag_of(const char *kind, const char *scope, const struct co_digest *key, char out[TAG_MAX])
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	struct co_digest d;
	char hex[CO_DIGEST_TEXT];
	co_hash_field(h, 1, scope, strlen(scope));
	co_hash_field(h, 2, key->bytes, 32);
	co_hash_done(h, &d);
	snprintf(out, TAG_MAX, "%.8s-%.64s", kind, co_digest_hex(&d, hex));
}
