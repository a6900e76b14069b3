/* SPDX-License-Identifier: MIT
 *
 * tags.c — list and delete.
 */
#include "registry-internal.h"
#include <cooper/json.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define PAGE	  1000
#define MAX_TAGS  200000
#define MAX_PAGES 1000

struct tag_list {
	char **items;
	size_t n;
};

static void list_free(struct tag_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
}

static int add_page(struct tag_list *l, const struct req *q, struct co_err *err)
{
	auto_json doc = NULL;
	int r = co_json_parse(&doc, co_buf_str(&q->body_in), q->body_in.len, "list of tags", err);

	if (r < 0)
		return r;
	json_t *tags = json_object_get(doc, "tags");
	if (tags && !json_is_array(tags) && !json_is_null(tags))
		return co_fail(err, CO_E_REGISTRY, "the list of tags is not a list");
	size_t n = json_array_size(tags);
	if (l->n + n > MAX_TAGS)
		return co_fail(err, CO_E_LIMIT, "more than %d tags", MAX_TAGS);
	l->items = co_xrealloc(l->items, l->n + n + 1, sizeof(*l->items));
	for (size_t i = 0; i < n; i++) {
		const char *t = json_string_value(json_array_get(tags, i));

		/* what is no tag may hold anything, escape sequences too */
		if (t && strlen(t) <= 128 &&
		    strspn(t,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
			    strlen(t))
			l->items[l->n++] = co_xstrdup(t);
	}
	return 0;
}

/* <address>; rel="next", at the same origin only. NULL: the last page. */
static char *next_page(const struct req *q)
{
	const char *l = q->head.link, *from = l ? strchr(l, '<') : NULL;
	const char *to = from ? strchr(from, '>') : NULL;

	if (!to || (!strstr(to, "rel=\"next\"") && !strstr(to, "rel=next")))
		return NULL;
	auto_free char *text = co_xasprintf("%.*s", (int)(to - from - 1), from + 1);
	char *url = url_resolve(q->cur, text);
	if (url && !url_same_origin(url, q->origin)) {
		free(url);
		url = NULL;
	}
	return url;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_all(struct co_registry *r, const struct co_ref *repo, struct tag_list *l,
		    struct co_err *err)
{
	auto_free char *next = co_xasprintf("/v2/%s/tags/list?n=%d", repo->path, PAGE);

	for (unsigned page = 0; next; page++) {
		auto_req q = req_new(r, repo->host, "GET");

		if (page >= MAX_PAGES)
			return co_fail(err, CO_E_LIMIT, "more than %d pages of tags", MAX_PAGES);
		req_url(q, "%s", next);
		req_scope(q, repo->path, "pull");
		q->accept = "application/json";
		q->max_body = REG_MAX_JSON;
		int e = http_do(q, err);
		if (!e)
			e = req_result(q, NULL, err);
		if (!e)
			e = add_page(l, q, err);
		if (e < 0)
			return e;
		free(next);
		next = next_page(q);
	}
	return 0;
}

int co_registry_tags(struct co_registry *r, const struct co_ref *repo, char ***tags, size_t *n,
		     struct co_err *err)
{
	struct tag_list l = {0};
	char name[600];
	int e = read_all(r, repo, &l, err);

	if (e < 0) {
		list_free(&l);
		return co_wrap(err, "tags of %s", ref_repo(repo, name, sizeof(name)));
	}
	qsort(l.items, l.n, sizeof(*l.items), by_name);
	*tags = l.items;
	*n = l.n;
	return 0;
}

static int delete_digest(struct co_registry *r, const struct co_ref *ref, struct co_err *err)
{
	char digest[CO_DIGEST_TEXT];
	auto_req q = req_new(r, ref->host, "DELETE");

	req_url(q, "/v2/%s/manifests/%s", ref->path, co_digest_str(&ref->digest, digest));
	req_scope(q, ref->path, "pull,delete");
	int e = http_do(q, err);
	if (!e)
		e = req_result(q, NULL, err);
	if (e == CO_E_UNSUPPORTED || (e < 0 && q->status == 400))
		co_hint(err, "deleting is switched off at this registry; its administrator (or its "
			     "web page) can do it");
	return e;
}

int co_registry_delete(struct co_registry *r, const struct co_ref *ref, struct co_err *err)
{
	struct co_descriptor d;
	struct co_ref by_digest = *ref;
	char name[1024];

	if (!ref->digest.set) {
		int e = co_registry_head(r, ref, &d, err);

		if (e < 0)
			return e;
		by_digest.digest = d.digest;
	}
	int e = delete_digest(r, &by_digest, err);
	return e ? co_wrap(err, "delete %s", co_ref_str(ref, name, sizeof(name))) : 0;
}
