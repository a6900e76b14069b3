/* SPDX-License-Identifier: MIT
 *
 * The Dockerfile of a context and its ignore file.
 */
#include "context-internal.h"
#include <cooper/fs.h>
#include <cooper/inroot.h>
#include <cooper/str.h>
#include <fcntl.h>

#define DOCKERFILE_MAX (16u << 20)
#define IGNORE_MAX     (4u << 20)

/* Reads a file of the context. 1: it is not there. */
static int read_inside(struct co_context *c, const char *path, size_t max, char **text, size_t *len,
		       struct co_err *err)
{
	char *got = co_inroot_slurp(c->root.fd, path, max, len);
	if (got) {
		*text = got;
		return 0;
	}
	if (errno == ENOENT || errno == ENOTDIR)
		return 1;
	if (errno == EFBIG)
		return co_fail(err, CO_E_LIMIT, "%s: larger than %zu bytes", path, max);
	if (errno == EINVAL)
		return co_fail(err, CO_E_INVALID, "%s: not a regular file", path);
	return co_fail_sys(err, "%s", path);
}

/* A path of the command line: the user's own, relative to the working directory. 1: not there. */
static int read_outside(const struct co_context *c, const char *path, size_t max, char **text,
			size_t *len, struct co_err *err)
{
	struct stat st;
	if (c->temporary || stat(path, &st) < 0)
		return 1;
	if (S_ISDIR(st.st_mode))
		return co_fail(err, CO_E_USAGE, "%s is a directory", path);
	return co_read_file(AT_FDCWD, path, max, text, len, err);
}

static int no_dockerfile(struct co_context *c, const char *name, struct co_err *err)
{
	struct co_names names;
	const char *near = NULL;
	co_fail(err, CO_E_NOT_FOUND, "%s: not found in the %s", name, c->describe);
	co_hint(err, "name it with -f, or give another directory as the context");
	if (co_names_read(&names, c->root.fd) < 0)
		return err->code;
	for (size_t i = 0; i < names.n && !near; i++)
		if (!strcmp(names.items[i], "Containerfile") ||
		    co_starts(names.items[i], "Dockerfile.") ||
		    co_ieq(names.items[i], "dockerfile") || co_ends(names.items[i], ".Dockerfile"))
			near = names.items[i];
	*co_arena_push(&names.arena, names.items, names.n) = NULL;
	if (!near)
		near = co_nearest(co_path_base(name), (const char *const *)names.items);
	if (near && strchr(name, '/') == NULL)
		co_hint(err, "did you mean -f %s?", near);
	co_names_release(&names);
	return err->code;
}

int co_context_dockerfile(struct co_context *c, const char *name, char **text, size_t *len,
			  char **name_out, struct co_err *err)
{
	static const char *const usual[] = {"Dockerfile", "dockerfile", NULL};
	int r = 1;
	const char *found = name;
	if (c->text && name)
		return co_fail(err, CO_E_USAGE, "-f %s, and the context is a Dockerfile alone",
			       name);
	if (c->text) {
		*text = memcpy(co_xcalloc(1, c->text_len + 1), c->text, c->text_len);
		*len = c->text_len;
		*name_out = co_xstrdup("Dockerfile");
		return 0;
	}
	if (name) {
		r = read_outside(c, name, DOCKERFILE_MAX, text, len, err);
		if (r == 1)
			r = read_inside(c, name, DOCKERFILE_MAX, text, len, err);
	}
	for (size_t i = 0; !name && r == 1 && usual[i]; i++) {
		found = usual[i];
		r = read_inside(c, found, DOCKERFILE_MAX, text, len, err);
	}
	if (r == 1)
		return no_dockerfile(c, name ? name : usual[0], err);
	if (!r)
		*name_out = co_xstrdup(found);
	return r;
}

int co_context_load_ignore(struct co_context *c, const char *dockerfile, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	auto_free char *text = NULL;
	size_t len = 0;
	int r = 1;
	/* archives and repositories bring what they bring */
	if (c->temporary)
		return 0;
	bool is_stdin = dockerfile && !strcmp(dockerfile, "-");
	const char *what = co_arena_printf(&a, "%s.dockerignore",
					   dockerfile && !is_stdin ? dockerfile : "Dockerfile");
	if (dockerfile && !is_stdin)
		r = read_outside(c, what, IGNORE_MAX, &text, &len, err);
	if (r == 1 && !is_stdin)
		r = read_inside(c, what, IGNORE_MAX, &text, &len, err);
	if (r == 1)
		r = read_inside(c, what = ".containerignore", IGNORE_MAX, &text, &len, err);
	if (r == 1)
		r = read_inside(c, what = ".dockerignore", IGNORE_MAX, &text, &len, err);
	struct co_ignore *ig = NULL;
	if (r == 0)
		r = co_ignore_parse(&ig, text, len, what, err);
	if (r < 0)
		return r;
	co_ignore_free(c->ignore);
	c->ignore = ig;
	return 0;
}
