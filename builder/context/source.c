/* SPDX-License-Identifier: MIT
 *
 * From a source's text to the things it names. Leading "/" and ".." are cut off; links on the way
 * and at the end are followed inside the tree; wildcards look at real directories only.
 */
#include "context-internal.h"
#include <cooper/inroot.h>
#include <cooper/str.h>
#include <fcntl.h>

#define MAX_LINKS 40

struct resolver {
	struct co_arena *a;
	const struct co_copy_source *s;
	struct matches *out;
	struct co_err *err;
};
enum outcome { FOUND, MISSING, IGNORED };

static const char *join(struct co_arena *a, const char *dir, const char *name)
{
	return *dir ? co_arena_printf(a, "%s/%s", dir, name) : co_arena_strdup(a, name);
}

static int stat_path(const struct co_copy_source *s, const char *path, struct co_meta *m,
		     char *link, size_t size)
{
	auto_fd fd = co_inroot_open(s->root->fd, path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || co_root_stat(s->root, fd, "", m) < 0)
		return -1;
	if (!S_ISLNK(m->mode) || !link)
		return 0;
	ssize_t n = readlinkat(fd, "", link, size - 1);
	if (n < 0)
		return -1;
	link[n] = '\0';
	return 0;
}

static bool is_ignored(const struct co_copy_source *s, const char *real, const struct co_meta *m)
{
	if (!s->ignore || !co_ignore_match(s->ignore, real))
		return false;
	return !S_ISDIR(m->mode) || !visible_below(s, real);
}

/* Where path leads. An ignored link leads nowhere: a context without it would not have it. */
static enum outcome follow(struct resolver *x, const char *path, const char **real,
			   struct co_meta *m)
{
	char link[4097];
	unsigned links = 0;
	const char *done = "";
	while (*path) {
		size_t n = strcspn(path, "/");
		const char *name = co_arena_strndup(x->a, path, n);
		path += n;
		path += strspn(path, "/");
		if (!n || !strcmp(name, "."))
			continue;
		const char *next = co_path_clean_rel(x->a, join(x->a, done, name));
		if (stat_path(x->s, next, m, link, sizeof(link)) < 0)
			return MISSING;
		if (!S_ISLNK(m->mode)) {
			done = next;
			continue;
		}
		if (x->s->ignore && co_ignore_match(x->s->ignore, next))
			return IGNORED;
		if (++links > MAX_LINKS)
			return MISSING;
		path = co_arena_printf(x->a, "%s/%s", link, path);
		done = *link == '/' ? "" : done;
	}
	/* the last step may have been a link to the root, or ".." */
	if (stat_path(x->s, done, m, NULL, 0) < 0)
		return MISSING;
	*real = done;
	return is_ignored(x->s, done, m) ? IGNORED : FOUND;
}

static void add_match(struct resolver *x, const char *name, const char *real,
		      const struct co_meta *m)
{
	*co_arena_push(x->a, x->out->items, x->out->n) =
		(struct match){.name = name, .real = real, .meta = *m};
}

static const char *unescape(struct co_arena *a, const char *text)
{
	char *out = co_arena_strdup(a, text), *to = out;
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		*to++ = *p;
	}
	*to = '\0';
	return out;
}

/* A whole path without wildcards. */
static int add_literal(struct resolver *x, const char *path, const char *shown)
{
	const char *real;
	struct co_meta m;
	enum outcome o = follow(x, path, &real, &m);
	if (o == MISSING && strchr(path, '\\')) {
		path = unescape(x->a, path);
		o = follow(x, path, &real, &m);
	}
	if (o == MISSING)
		return source_missing(x->s, shown, x->err);
	if (o == IGNORED)
		return source_ignored(x->s, shown, x->err);
	add_match(x, co_path_base(path), real, &m);
	return 0;
}

static int expand(struct resolver *x, const char *dir, const char *rest);

/* An entry that the first component of a pattern names; rest is what follows it. */
static int expand_entry(struct resolver *x, const char *path, const char *rest)
{
	struct co_meta m;
	const char *real = path;
	if (stat_path(x->s, path, &m, NULL, 0) < 0)
		return 0;
	if (*rest)
		return S_ISDIR(m.mode) ? expand(x, path, rest) : 0;
	if (is_ignored(x->s, path, &m))
		return 0;
	if (S_ISLNK(m.mode)) {
		enum outcome o = follow(x, path, &real, &m);
		if (o != FOUND)
			return co_fail(x->err, CO_E_NOT_FOUND,
				       "%s is a link to something that is not there", path);
	}
	add_match(x, co_path_base(path), real, &m);
	return 0;
}

static int expand(struct resolver *x, const char *dir, const char *rest)
{
	size_t n = strcspn(rest, "/");
	const char *part = co_arena_strndup(x->a, rest, n);
	rest += n + (rest[n] == '/');
	if (!has_wildcard(part, n))
		return expand_entry(x, join(x->a, dir, unescape(x->a, part)), rest);
	struct pattern p;
	struct co_names names;
	if (!pattern_compile(&p, x->a, part, n, false))
		return co_fail(x->err, CO_E_SYNTAX, "malformed wildcard \"%s\"", part);
	auto_fd fd = co_inroot_open(x->s->root->fd, dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : co_fail_sys(x->err, "open the directory %s", dir);
	if (co_names_read(&names, fd) < 0)
		return co_fail_sys(x->err, "read the directory %s", dir);
	int r = 0;
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (pattern_run(&p, names.items[i]) & HIT_SELF)
			r = expand_entry(x, join(x->a, dir, names.items[i]), rest);
	co_names_release(&names);
	return r;
}

static int resolve_pattern(struct resolver *x, const char *text, const char *shown)
{
	const char *clean = co_path_clean_rel(x->a, text);
	if (!has_wildcard(clean, strlen(clean)))
		return add_literal(x, clean, shown);
	x->out->wildcard = true;
	/* what stands before the first wildcard may go through links */
	const char *rest = clean, *real;
	for (const char *p = clean; !has_wildcard(p, strcspn(p, "/")); rest = p)
		p += strcspn(p, "/") + 1;
	const char *head = co_arena_strndup(x->a, clean, (size_t)(rest - clean));
	struct co_meta m;
	if (follow(x, unescape(x->a, head), &real, &m) != FOUND || !S_ISDIR(m.mode))
		return 0;
	return expand(x, real, rest);
}

/* --parents: what is kept begins behind the first "/./". */
static int resolve_parents(struct resolver *x, const char *text)
{
	struct matches *out = x->out;
	const char *pivot = strstr(text, "/./");
	const char *base = pivot ? co_arena_strndup(x->a, text, (size_t)(pivot - text)) : "";
	const char *rest = co_path_clean_rel(x->a, pivot ? pivot + 3 : text);
	int r = resolve_pattern(x, base, text);
	if (r < 0)
		return r;
	for (size_t i = 0; i < out->n; i++)
		if (!S_ISDIR(out->items[i].meta.mode))
			return co_fail(x->err, CO_E_SYNTAX, "%s: %s is not a directory", text,
				       out->items[i].name);
	out->parents = true;
	out->keep_text = rest;
	if (!*rest)
		return 0;
	struct pattern *keep = co_arena_new(x->a, struct pattern);
	if (!pattern_compile(keep, x->a, rest, strlen(rest), true))
		return co_fail(x->err, CO_E_SYNTAX, "malformed wildcard \"%s\"", rest);
	out->keep = keep;
	out->wildcard = has_wildcard(rest, strlen(rest)) || out->wildcard;
	return 0;
}

int source_resolve(struct matches *out, struct co_arena *a, const struct co_copy *c,
		   const struct co_copy_source *s, struct co_err *err)
{
	struct resolver x = {.a = a, .s = s, .out = out, .err = err};
	*out = (struct matches){0};
	return c->parents ? resolve_parents(&x, s->pattern)
			  : resolve_pattern(&x, s->pattern, s->pattern);
}

int source_name(const char **out, const struct co_copy_source *s, struct co_err *err)
{
	const char *name = co_path_base(s->pattern);
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return co_fail(err, CO_E_SYNTAX, "\"%s\" is no file name", s->pattern);
	*out = name;
	return 0;
}
