/* SPDX-License-Identifier: MIT
 *
 * Where a source goes. Links in the destination are followed inside the root, except for --link,
 * whose files must not depend on what lower layers have: there whatever is in the way is replaced.
 */
#include "context-internal.h"
#include <cooper/inroot.h>
#include <cooper/str.h>
#include <fcntl.h>

bool dest_is_dir(const char *dest)
{
	const char *base = co_path_base(dest);
	return !*base || !strcmp(base, ".") || !strcmp(base, "..");
}

static uint32_t dir_mode(const struct copier *x)
{
	uint32_t mode;
	return x->c->chmod && co_chmod_octal(x->c->chmod, &mode) ? mode : 0755;
}

/* A directory on the way that nothing describes. */
static void made_dir(void *ctx, int dirfd, const char *name)
{
	struct copier *x = ctx;
	const struct co_copy *c = x->c;
	if (entry_claim(x, dirfd, name, c->has_owner ? c->uid : 0, c->has_owner ? c->gid : 0,
			dir_mode(x)) < 0)
		x->made_errno = errno;
}

/* One component of an independent path: a directory, whatever was there. */
static int plain_step(struct copier *x, int dir, const char *name)
{
	int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);
	if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP))
		return fd;
	if (co_root_remove(x->dest, dir, name) < 0 || co_root_mkdir(x->dest, dir, name, 0755) < 0)
		return -1;
	made_dir(x, dir, name);
	return openat(dir, name, flags);
}

static int plain_mkdirs(struct copier *x, const char *clean)
{
	auto_fd dir = co_inroot_open(x->dest->fd, "", O_PATH | O_DIRECTORY, 0);
	for (const char *p = clean; *p && dir >= 0;) {
		size_t n = strcspn(p, "/");
		int next = plain_step(x, dir, co_arena_strndup(&x->arena, p, n));
		if (next < 0)
			return -1;
		close(dir);
		dir = next;
		p += n + (p[n] == '/');
	}
	return co_steal_fd(&dir);
}

static int make_dir(struct copier *x, const char *path, int *out)
{
	x->made_errno = 0;
	auto_fd fd = x->independent ? plain_mkdirs(x, path)
				    : co_inroot_mkdirs(x->dest->fd, path, 0755, made_dir, x);
	if (fd < 0 && errno == ENOTDIR) {
		co_fail(x->err, CO_E_SYNTAX, "cannot copy to non-directory: /%s", path);
		return co_hint(x->err, "the destination, or something on the way to it, is a file");
	}
	if (fd < 0)
		return co_fail_sys(x->err, "make the directory /%s", path);
	if (x->made_errno) {
		errno = x->made_errno;
		return co_fail_sys(x->err, "set the owner of a directory of /%s", path);
	}
	*out = co_steal_fd(&fd);
	return 0;
}

/* Where the destination's text leads. */
static int resolve(struct copier *x, const char **out)
{
	char real[4096];
	if (x->independent) {
		*out = co_path_clean_rel(&x->arena, x->c->dest);
		return 0;
	}
	if (co_inroot_resolve(x->dest->fd, x->c->dest, real, sizeof(real)) < 0)
		return co_fail_sys(x->err, "destination %s", x->c->dest);
	*out = co_arena_strdup(&x->arena, real);
	return 0;
}

int place_dir(struct copier *x, int *fd, const char **path)
{
	int r = resolve(x, path);
	return r ? r : make_dir(x, *path, fd);
}

static bool leads_to_dir(struct copier *x, const char *path)
{
	auto_fd fd = co_inroot_open(x->dest->fd, path, O_PATH | O_DIRECTORY, 0);
	return fd >= 0;
}

int place_file(struct copier *x, const char *base, int *fd, const char **name, const char **path)
{
	const char *at;
	int r = resolve(x, &at);
	if (r < 0)
		return r;
	bool into = dest_is_dir(x->c->dest) || !*at || (!x->independent && leads_to_dir(x, at));
	if (into) {
		*name = base;
		*path = co_arena_printf(&x->arena, "%s%s%s", at, *at ? "/" : "", base);
		return make_dir(x, at, fd);
	}
	/* BuildKit would let the last one win; a directory that is there, or was made by a source
	 * before, takes them all */
	if (x->file_made) {
		co_fail(x->err, CO_E_SYNTAX,
			"more than one file for %s: with more than one source file the destination "
			"must be a directory and end with a /",
			x->c->dest);
		return co_hint(x->err, "write %s/ as the destination", x->c->dest);
	}
	x->file_made = true;
	*name = co_path_base(at);
	*path = at;
	size_t n = (size_t)(*name - at);
	return make_dir(x, co_arena_strndup(&x->arena, at, n ? n - 1 : 0), fd);
}
