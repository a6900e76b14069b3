/* SPDX-License-Identifier: MIT
 *
 * Why a source is not there, and what the user may have meant.
 */
#include "context-internal.h"
#include <cooper/inroot.h>
#include <cooper/str.h>
#include <fcntl.h>

static bool leaves_tree(const char *path)
{
	int depth = 0;
	while (*path) {
		size_t n = strcspn(path, "/");
		if (n == 2 && !memcmp(path, "..", 2)) {
			if (--depth < 0)
				return true;
		} else if (n && !(n == 1 && *path == '.')) {
			depth++;
		}
		path += n + (path[n] == '/');
	}
	return false;
}

/* The name in the directory that is nearest to what was written; NULL when none is. */
static const char *nearest_in(struct co_arena *a, const struct co_copy_source *s, const char *dir,
			      const char *word)
{
	struct co_names names;
	auto_fd fd = co_inroot_open(s->root->fd, dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || co_names_read(&names, fd) < 0)
		return NULL;
	const char **list = NULL;
	size_t n = 0;
	for (size_t i = 0; i < names.n; i++) {
		const char *path =
			co_arena_printf(a, "%s%s%s", dir, *dir ? "/" : "", names.items[i]);
		if (!s->ignore || !co_ignore_match(s->ignore, path))
			*co_arena_push(a, list, n) = co_arena_strdup(a, names.items[i]);
	}
	co_names_release(&names);
	*co_arena_push(a, list, n) = NULL;
	return co_nearest(word, list);
}

/* The path with its first missing component replaced by a near name. */
static const char *suggestion(struct co_arena *a, const struct co_copy_source *s,
			      const char *pattern)
{
	const char *clean = co_path_clean_rel(a, pattern), *dir = "";
	for (const char *p = clean; *p;) {
		size_t n = strcspn(p, "/");
		const char *word = co_arena_strndup(a, p, n);
		const char *next = co_arena_strndup(a, clean, (size_t)(p - clean) + n);
		auto_fd fd = co_inroot_open(s->root->fd, next, O_PATH, 0);
		p += n;
		if (fd < 0) {
			const char *near = nearest_in(a, s, dir, word);
			return near ? co_arena_printf(a, "%s%s%s%s", dir, *dir ? "/" : "", near, p)
				    : NULL;
		}
		dir = next;
		p += *p == '/';
	}
	return NULL;
}

/* Where the path as written is a link, whose end is missing: the link's text. */
static const char *dangling(struct co_arena *a, const struct co_copy_source *s, const char *pattern)
{
	char text[4097];
	const char *clean = co_path_clean_rel(a, pattern);
	auto_fd fd = co_inroot_open(s->root->fd, clean, O_PATH | O_NOFOLLOW, 0);
	ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", text, sizeof(text) - 1);
	return n < 0 ? NULL : co_arena_strndup(a, text, (size_t)n);
}

int source_missing(const struct co_copy_source *s, const char *pattern, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	co_fail(err, CO_E_NOT_FOUND, "%s: not found in the %s", pattern,
		s->keep_owner ? "source stage or image" : "build context");
	const char *target = dangling(&a, s, pattern), *near = suggestion(&a, s, pattern);
	if (target)
		return co_hint(err, "it is a link to %s, which is not there", target);
	if (leaves_tree(pattern))
		return co_hint(err,
			       "nothing outside of the build context can be copied, and \"..\" "
			       "stops at its root: build from a directory further up, or "
			       "give the other one with --build-context");
	if (near)
		return co_hint(err, "did you mean %s?", near);
	return err->code;
}

int source_ignored(const struct co_copy_source *s, const char *pattern, struct co_err *err)
{
	(void)s;
	co_fail(err, CO_E_NOT_FOUND, "%s: excluded by the ignore file (.dockerignore)", pattern);
	return co_hint(err, "remove the line that excludes it, or add a line \"!%s\" at the end",
		       pattern);
}
