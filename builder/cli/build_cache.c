/* SPDX-License-Identifier: MIT
 *
 * --cache-from, --cache-to, --cache-repo and what belongs to them.
 */
#include "build_args.h"
#include <string.h>

/* buildx's attributes that ask for what happens anyway. */
static bool harmless(const char *k, const char *v)
{
	static const struct {
		const char *key, *value;
	} list[] = {{"image-manifest", "true"},
		    {"oci-mediatypes", "true"},
		    {"ignore-error", "true"},
		    {"force-compression", "false"},
		    {NULL, NULL}};
	for (size_t i = 0; list[i].key; i++)
		if (!strcmp(k, list[i].key) && co_ieq(v, list[i].value))
			return true;
	return false;
}

static int bad(struct cmd_ctx *c, const char *flag, const char *text, const char *why)
{
	co_fail(c->err, CO_E_USAGE, "%s %s: %s", flag, text, why);
	return co_hint(c->err, "%s REPOSITORY, type=registry,ref=REPOSITORY, type=local,%s=DIR%s",
		       flag, strcmp(flag, "--cache-to") ? "src" : "dest",
		       strcmp(flag, "--cache-to") ? "" : " or type=inline");
}

static int attribute(struct co_cache_place *p, struct cmd_ctx *c, const char *flag,
		     const char *text, const char *k, const char *v)
{
	bool to = p->write;
	if (!strcmp(k, "ref") || (!to && !strcmp(k, "src")) || (to && !strcmp(k, "dest"))) {
		bool is_ref = !strcmp(k, "ref");
		if (is_ref != (p->kind == CO_CACHE_REGISTRY))
			return bad(c, flag, text, "the place does not fit the type");
		p->where = v;
		return 0;
	}
	if (to && !strcmp(k, "mode")) {
		if (strcmp(v, "min") && strcmp(v, "max"))
			return bad(c, flag, text, "mode is min or max");
		p->max = !strcmp(v, "max");
		return 0;
	}
	return harmless(k, v) ? 0 : bad(c, flag, text, "an attribute is not known");
}

static int one_place(struct co_cache_place *p, struct cmd_ctx *c, const char *flag,
		     const char *text)
{
	struct co_kv *kvs;
	size_t n;
	int r = cli_csv(c, text, flag, &kvs, &n);
	if (r < 0)
		return r;
	if (n == 1 && !kvs[0].value && *text) {
		p->where = text;
		return 0;
	}
	const char *type = "registry";
	for (size_t i = 0; i < n; i++)
		if (!strcmp(kvs[i].key, "type"))
			type = kvs[i].value ? kvs[i].value : "";
	if (!strcmp(type, "local"))
		p->kind = CO_CACHE_DIR;
	else if (!strcmp(type, "inline") && p->write)
		p->kind = CO_CACHE_INLINE;
	else if (strcmp(type, "registry"))
		return bad(c, flag, text, "the type is not known here");
	for (size_t i = 0; r == 0 && i < n; i++)
		if (strcmp(kvs[i].key, "type"))
			r = attribute(p, c, flag, text, kvs[i].key,
				      kvs[i].value ? kvs[i].value : "");
	if (!r && p->kind != CO_CACHE_INLINE && (!p->where || !*p->where))
		return bad(c, flag, text, "the place is missing");
	return r;
}

int cli_cache_places(struct co_cache_place **list, size_t *n, struct cmd_ctx *c,
		     const struct text_list *texts, const char *flag, bool read, bool write)
{
	for (size_t i = 0; i < texts->n; i++) {
		struct co_cache_place p = {.read = read, .write = write};
		/* --cache-repo keeps everything, as those who have one repository for it expect */
		p.max = read && write;
		int r = one_place(&p, c, flag, texts->items[i]);
		if (r < 0)
			return r;
		*co_arena_push(c->arena, *list, *n) = p;
	}
	return 0;
}

const char *const *cli_commas(struct cmd_ctx *c, const struct text_list *texts)
{
	const char **list = NULL;
	size_t n = 0;
	for (size_t i = 0; i < texts->n; i++)
		for (const char *p = texts->items[i];; p++) {
			size_t len = strcspn(p, ",");
			if (len)
				*co_arena_push(c->arena, list, n) =
					co_arena_strndup(c->arena, p, len);
			p += len;
			if (!*p)
				break;
		}
	if (n)
		*co_arena_push(c->arena, list, n) = NULL;
	return list;
}

int cli_age(int64_t *seconds, struct cmd_ctx *c, const char *text, const char *flag)
{
	int64_t ns;
	uint64_t days;
	size_t n = text ? strlen(text) : 0;
	if (!text)
		return 0;
	/* Go's durations end at hours; ages are told in days */
	if (n > 1 && n < 8 && text[n - 1] == 'd' &&
	    co_parse_u64(co_arena_strndup(c->arena, text, n - 1), &days)) {
		*seconds = (int64_t)days * 86400;
		return 0;
	}
	if (!co_parse_duration(text, &ns) || ns < 0)
		return co_fail(c->err, CO_E_USAGE, "%s %s: not a duration such as 7d, 72h or 30m",
			       flag, text);
	*seconds = ns / 1000000000;
	return 0;
}

int build_cache(struct co_build_opts *out, struct cmd_ctx *c, const struct build_args *a)
{
	struct co_cache_place *list = NULL;
	int r = cli_cache_places(&list, &out->n_cache_places, c, &a->cache_from, "--cache-from",
				 true, false);
	if (!r)
		r = cli_cache_places(&list, &out->n_cache_places, c, &a->cache_to, "--cache-to",
				     false, true);
	if (!r)
		r = cli_cache_places(&list, &out->n_cache_places, c, &a->cache_repo, "--cache-repo",
				     true, true);
	if (!r)
		r = cli_age(&out->cache_ttl_s, c, a->cache_ttl, "--cache-ttl");
	out->cache_places = list;
	out->cache_key = a->cache_key;
	out->cache_trust = cli_commas(c, &a->cache_trust);
	out->cache_scopes = cli_commas(c, &a->cache_scope);
	out->explain_cache = a->explain_cache;
	return r;
}
