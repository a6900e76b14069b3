/* SPDX-License-Identifier: MIT
 *
 * push.c — an image from the store to one or several repositories: blobs, then manifests from the
 * leaves up, and when all repositories have everything, the tags. A name that stands for the image
 * already is left alone: a registry takes a manifest only when it has all that it names.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

struct pusher {
	struct co_registry *r;
	struct co_store *s;
	const struct co_ref *refs;
	size_t n_refs;
	bool *there;	       /* in the graph's arena, for each ref: nothing is to be done */
	struct co_ref *mounts; /* in the graph's arena: given ones, and repositories done */
	size_t n_mounts;
	struct graph *g;
};

static bool same_repo(const struct co_ref *a, const struct co_ref *b)
{
	return !strcmp(a->host, b->host) && !strcmp(a->path, b->path);
}

/* The push scope first: some registries honour only that one. To be freed. */
static char *scopes_for(const struct pusher *p, const struct co_ref *repo)
{
	auto_buf list = CO_BUF_INIT(8u << 10);
	struct co_buf *out = &list;
	char scope[400];

	snprintf(scope, sizeof(scope), "repository:%s:pull,push", repo->path);
	scope_add(out, scope);
	for (size_t i = 0; i < p->n_mounts; i++) {
		const struct co_ref *m = &p->mounts[i];

		if (strcmp(m->host, repo->host) != 0 || !strcmp(m->path, repo->path))
			continue;
		snprintf(scope, sizeof(scope), "repository:%s:pull", m->path);
		scope_add(out, scope);
	}
	return co_buf_take(out);
}

/* Blobs that are in no place but a repository we may read: through the store, so that the upload
 * can be repeated. */
static int bring(const struct pusher *p, const struct co_descriptor *blobs, size_t n,
		 struct co_err *err)
{
	char name[600];

	for (size_t i = 0; i < n; i++) {
		struct co_err first = CO_ERR_INIT;
		int r = CO_E_NOT_FOUND;

		for (size_t k = 0; r < 0 && k < p->n_mounts; k++) {
			struct blob_job j = {
				.store = p->s, .repo = &p->mounts[k], .desc = blobs[i]};
			struct co_err one = CO_ERR_INIT;

			r = blob_fetch_all(p->r, &j, 1, &one);
			if (r < 0 && !first.code) {
				first = one;
				co_wrap(&first, "%s", ref_repo(&p->mounts[k], name, sizeof(name)));
			}
			if (r == CO_E_INTERRUPTED)
				break;
		}
		if (r < 0 && first.code) {
			*err = first;
			return err->code;
		}
		if (r < 0) {
			char d[CO_DIGEST_TEXT];

			co_fail(err, CO_E_NOT_FOUND, "%s is not in the store",
				co_digest_str(&blobs[i].digest, d));
			return co_hint(err, "pull the image again");
		}
	}
	return 0;
}

static int push_all_blobs(const struct push_set *set, const struct pusher *p, struct co_err *err)
{
	struct graph *g = p->g;
	bool *missing = co_arena_alloc(&g->arena, g->n_blobs + 1);
	struct co_descriptor *rest = NULL;
	size_t n = 0;
	int e = push_blobs(set, g->blobs, g->n_blobs, missing, err);

	for (size_t i = 0; !e && i < g->n_blobs; i++)
		if (missing[i])
			*co_arena_push(&g->arena, rest, n) = g->blobs[i];
	if (e < 0 || !n)
		return e;
	e = bring(p, rest, n, err);
	return e ? e : push_blobs(set, rest, n, missing, err);
}

static int put_one(const struct pusher *p, const struct co_ref *to, const char *scopes,
		   const struct co_descriptor *d, struct co_err *err)
{
	auto_free char *json = NULL;
	size_t len;
	int e = co_store_blob_read(p->s, &d->digest, REG_MAX_MANIFEST, &json, &len, err);

	return e ? e : manifest_put(p->r, to, scopes, json, len, d->media_type, err);
}

/* Blobs and all manifests but the root. */
static int fill_repo(struct pusher *p, const struct co_ref *repo, struct co_err *err)
{
	auto_free char *list = scopes_for(p, repo);
	char name[600];
	struct push_set set = {.r = p->r,
			       .store = p->s,
			       .repo = repo,
			       .scopes = list,
			       .mounts = p->mounts,
			       .n_mounts = p->n_mounts};
	int e = push_all_blobs(&set, p, err);
	for (size_t i = 0; !e && i + 1 < p->g->n_manifests; i++) {
		struct co_ref to = *repo;

		to.tag[0] = '\0';
		to.digest = p->g->manifests[i].digest;
		e = put_one(p, &to, list, &p->g->manifests[i], err);
	}
	if (e < 0)
		return co_wrap(err, "push to %s", ref_repo(repo, name, sizeof(name)));
	*co_arena_push(&p->g->arena, p->mounts, p->n_mounts) = *repo;
	return 0;
}

/* A reference that has a tag is pushed under it, a digest must be the image's own. */
static int check_refs(const struct pusher *p, const struct co_descriptor *root, struct co_err *err)
{
	char name[1024], d[CO_DIGEST_TEXT];

	if (!p->n_refs)
		return co_fail(err, CO_E_USAGE, "nothing to push to");
	for (size_t i = 0; i < p->n_refs; i++) {
		const struct co_ref *r = &p->refs[i];

		if (r->digest.set && !co_digest_eq(&r->digest, &root->digest))
			return co_fail(err, CO_E_USAGE, "%s: the image's digest is %s",
				       co_ref_str(r, name, sizeof(name)),
				       co_digest_str(&root->digest, d));
	}
	return 0;
}

/* One question for each name; where the answer is yes, it was the only one of the push. */
static int ask_refs(struct pusher *p, const struct co_descriptor *root, struct co_err *err)
{
	auto_free char *json = NULL;
	char name[1024];
	size_t len;
	int e = co_store_blob_read(p->s, &root->digest, REG_MAX_MANIFEST, &json, &len, err);

	p->there = co_arena_alloc(&p->g->arena, p->n_refs * sizeof(bool));
	if (e < 0 || manifest_has_subject(json, len))
		return e;
	for (size_t i = 0; i < p->n_refs; i++) {
		const struct co_ref *ref = &p->refs[i];
		auto_free char *scopes = scopes_for(p, ref);

		e = manifest_there(p->r, ref, scopes, &root->digest, &p->there[i], err);
		if (e < 0)
			return co_wrap(err, "push to %s", ref_repo(ref, name, sizeof(name)));
		if (!p->there[i])
			continue;
		co_note(p->r->bus, "%s is this image already", co_ref_str(ref, name, sizeof(name)));
		*co_arena_push(&p->g->arena, p->mounts, p->n_mounts) = *ref;
	}
	return 0;
}

static int put_tags(const struct pusher *p, const struct co_descriptor *root, struct co_err *err)
{
	char name[1024];

	for (size_t i = 0; i < p->n_refs; i++) {
		struct co_ref to = p->refs[i];

		if (p->there[i])
			continue;
		if (to.tag[0])
			to.digest.set = false;
		int e = put_one(p, &to, NULL, root, err);
		if (e < 0)
			return co_wrap(err, "push %s", co_ref_str(&p->refs[i], name, sizeof(name)));
	}
	return 0;
}

int co_registry_push(struct co_registry *r, struct co_store *s, const struct co_descriptor *desc,
		     const struct co_ref *refs, size_t n_refs, const struct co_ref *mount_from,
		     size_t n_mount, struct co_err *err)
{
	auto_graph g = {0};
	struct pusher p = {.r = r, .s = s, .refs = refs, .n_refs = n_refs, .g = &g};
	int e = graph_load(&g, s, desc, err);

	if (!e)
		e = check_refs(&p, desc, err);
	for (size_t i = 0; !e && i < n_mount; i++)
		*co_arena_push(&g.arena, p.mounts, p.n_mounts) = mount_from[i];
	if (!e)
		e = ask_refs(&p, &g.manifests[g.n_manifests - 1], err);
	for (size_t i = 0; !e && i < n_refs; i++) {
		bool done = p.there[i];

		for (size_t k = 0; k < i; k++)
			done |= same_repo(&refs[k], &refs[i]);
		if (!done)
			e = fill_repo(&p, &refs[i], err);
	}
	return e ? e : put_tags(&p, &g.manifests[g.n_manifests - 1], err);
}

int co_registry_push_blob(struct co_registry *r, struct co_store *s, const struct co_ref *repo,
			  const struct co_descriptor *blob, struct co_err *err)
{
	char scope[400], d[CO_DIGEST_TEXT], name[600];
	bool missing = false;
	struct push_set set = {.r = r, .store = s, .repo = repo, .scopes = scope};

	snprintf(scope, sizeof(scope), "repository:%s:pull,push", repo->path);
	int e = push_blobs(&set, blob, 1, &missing, err);
	if (!e && missing)
		e = co_fail(err, CO_E_NOT_FOUND, "%s is not in the store",
			    co_digest_str(&blob->digest, d));
	return e ? co_wrap(err, "push to %s", ref_repo(repo, name, sizeof(name))) : 0;
}
