/* SPDX-License-Identifier: MIT
 *
 * Documents in a place are OCI manifests: one GET brings the record (an annotation), and the layers
 * they name keep a registry's clean-up from taking the blobs away.
 */
#include "cache-internal.h"
#include <cooper/clock.h>
#include <cooper/image.h>

#define ARTIFACT   "application/vnd.cooper.cache.v1"
#define EMPTY_TYPE "application/vnd.oci.empty.v1+json"
#define PLAIN_CONFIG                                                                               \
	"{\"architecture\":\"unknown\",\"os\":\"unknown\",\"rootfs\":{\"type\":\"layers\",\"diff_" \
	"ids\":[]}}"

void document_config(bool plain, struct co_descriptor *out, const char **text)
{
	*text = plain ? PLAIN_CONFIG : EMPTY_CONFIG;
	*out = (struct co_descriptor){.size = (int64_t)strlen(*text)};
	snprintf(out->media_type, sizeof(out->media_type), "%s",
		 plain ? CO_MT_OCI_CONFIG : EMPTY_TYPE);
	co_digest_of(&out->digest, *text, strlen(*text));
}

void document_write(struct co_buf *out, const char *note, const json_t *value,
		    const struct co_descriptor *layers, size_t n, bool plain)
{
	auto_buf text = CO_BUF_INIT(DOC_MAX);
	auto_json notes = json_object();
	const char *config;
	char when[40];
	struct co_manifest m = {.media_type = CO_MT_OCI_MANIFEST,
				.artifact_type = plain ? NULL : ARTIFACT,
				.layers = (struct co_descriptor *)layers,
				.n_layers = n,
				.annotations = notes};
	document_config(plain, &m.config, &config);
	co_json_write(&text, value);
	json_object_set_new(notes, note, json_string(co_buf_str(&text)));
	json_object_set_new(notes, NOTE_CREATED,
			    json_string(co_rfc3339(co_wall_s(), when, sizeof(when))));
	co_manifest_write(out, &m);
}

static json_t *parse_note(const json_t *notes, const char *name)
{
	const char *text = co_json_str(notes, name);
	struct co_err err = CO_ERR_INIT;
	json_t *j = NULL;
	if (!text || co_json_parse(&j, text, strlen(text), "cache record", &err) < 0)
		return NULL;
	return j;
}

bool document_read(struct document *d, const char *text, size_t len)
{
	struct co_manifest m;
	struct co_err err = CO_ERR_INIT;
	memset(d, 0, sizeof(*d));
	if (co_manifest_parse(&m, &d->arena, text, len, NULL, &err) < 0)
		return false;
	json_t *one = parse_note(m.annotations, NOTE_RECORD);
	json_t *many = parse_note(m.annotations, NOTE_RECORDS);
	const char *when = co_json_str(m.annotations, NOTE_CREATED);
	if (!when || !co_parse_rfc3339(when, &d->created))
		d->created = 0;
	d->notes = json_is_array(many) ? json_incref(many) : json_array();
	if (one)
		json_array_append(d->notes, one);
	json_decref(one);
	json_decref(many);
	d->layers = m.layers;
	d->n_layers = m.n_layers;
	for (size_t i = 0; i < d->n_layers; i++)
		d->layers[i].annotations = NULL;
	co_manifest_release(&m);
	return true;
}

void document_release(struct document *d)
{
	json_decref(d->notes);
	d->notes = NULL;
	co_arena_release(&d->arena);
}
