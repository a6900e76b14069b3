/* SPDX-License-Identifier: MIT
 *
 * A repository of a registry as a place: tags are keys.
 */
#include "cache-internal.h"
#include <cooper/str.h>

static void set_tag(const struct place *p, const char *tag, struct co_ref *out)
{
	*out = p->ref;
	memset(&out->digest, 0, sizeof(out->digest));
	memcpy(out->tag, tag, strlen(tag) + 1);
}

/* Manifests of all places in one batch; a place that fails gives up alone. */
static void remote_get(struct co_cache *c, struct tagged **list, size_t n)
{
	struct co_manifest_job *jobs = co_xcalloc(n + 1, sizeof(*jobs));
	struct co_err err = CO_ERR_INIT;
	for (size_t i = 0; i < n; i++) {
		set_tag(list[i]->place, list[i]->tag, &jobs[i].ref);
		jobs[i].body.max = DOC_MAX;
	}
	int r = co_registry_get_many(c->registry, jobs, n, &err);
	for (size_t i = 0; i < n; i++) {
		int code = r == CO_E_INTERRUPTED ? r : jobs[i].code;
		list[i]->code = code;
		list[i]->body = jobs[i].body;
		if (code && code != CO_E_NOT_FOUND && code != CO_E_INTEGRITY &&
		    code != CO_E_INVALID && code != CO_E_INTERRUPTED)
			place_gave_up(list[i]->place, false, &err);
	}
	free(jobs);
}

static int remote_exist(struct place *p, const struct co_digest *d, size_t n, bool *out,
			struct co_err *err)
{
	return co_registry_blobs_exist(p->cache->registry, &p->ref, d, n, out, err);
}

static int remote_fetch(struct place *p, const struct co_descriptor *d, size_t n,
			struct co_err *err)
{
	struct co_blob_job *jobs = co_xcalloc(n + 1, sizeof(*jobs));
	for (size_t i = 0; i < n; i++)
		jobs[i].desc = d[i];
	int r = co_registry_fetch(p->cache->registry, p->cache->store, &p->ref, jobs, n, err);
	free(jobs);
	return r;
}

static int remote_put_blobs(struct place *p, const struct co_descriptor *d, size_t n,
			    const struct co_ref *from, size_t n_from, struct co_err *err)
{
	return co_registry_push_blobs(p->cache->registry, p->cache->store, &p->ref, d, n, from,
				      n_from, err);
}

static int remote_put(struct place *p, struct tagged *list, size_t n, struct co_err *err)
{
	struct co_manifest_job *jobs = co_xcalloc(n + 1, sizeof(*jobs));
	for (size_t i = 0; i < n; i++) {
		set_tag(p, list[i].tag, &jobs[i].ref);
		jobs[i].data = list[i].body.data;
		jobs[i].len = list[i].body.len;
		jobs[i].media_type = CO_MT_OCI_MANIFEST;
	}
	int r = co_registry_put_many(p->cache->registry, jobs, n, err);
	for (size_t i = 0; i < n; i++)
		list[i].code = jobs[i].code;
	free(jobs);
	return r;
}

static bool is_ours(const char *tag)
{
	return strlen(tag) == 67 &&
	       (co_starts(tag, "c1-") || co_starts(tag, "d1-") || co_starts(tag, "m1-"));
}

static int remote_list(struct place *p, struct co_arena *a, const char ***tags, size_t *n,
		       struct co_err *err)
{
	char **all = NULL;
	size_t count = 0;
	int r = co_registry_tags(p->cache->registry, &p->ref, &all, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (is_ours(all[i]))
			*co_arena_push(a, *tags, *n) = co_arena_strdup(a, all[i]);
		free(all[i]);
	}
	free(all);
	return 0;
}

static int remote_remove(struct place *p, const char *tag, struct co_err *err)
{
	struct co_ref ref;
	set_tag(p, tag, &ref);
	int r = co_registry_delete(p->cache->registry, &ref, err);
	if (r == CO_E_UNSUPPORTED)
		co_hint(err,
			"this registry deletes nothing on request: set a retention rule there for "
			"the tags c1-*, d1-* and m1-* of %s",
			p->name);
	return r;
}

const struct place_ops cache_in_registry = {.name = "registry",
					    .get = remote_get,
					    .exist = remote_exist,
					    .fetch = remote_fetch,
					    .put_blobs = remote_put_blobs,
					    .put = remote_put,
					    .list = remote_list,
					    .remove = remote_remove};
