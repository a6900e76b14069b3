/* SPDX-License-Identifier: MIT
 *
 * unpack.c — an archive into a root: names, order of work. Attack list: docs/security.md.
 */
#include "unpack-internal.h"
#include <cooper/str.h>
#include <cooper/auto.h>
#include <cooper/clock.h>
#include <string.h>

int full_path(struct unpacker *x, const char *name, char full[FULL_MAX], const char **rel,
	      struct co_err *err)
{
	size_t base = strlen(x->dest), at = base;

	memcpy(full, x->dest, base + 1);
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && !memcmp(p, "..", 2))
			return co_fail(err, CO_E_INVALID, "the name \"%s\" leaves the archive",
				       name);
		if (n > NAME_MAX)
			return co_fail(err, CO_E_INVALID, "a file name of more than 255 bytes");
		if (n > 0 && !(n == 1 && *p == '.')) {
			if (at + n + 2 > FULL_MAX)
				return co_fail(err, CO_E_LIMIT, "a path of more than %d bytes",
					       FULL_MAX);
			if (at)
				full[at++] = '/';
			memcpy(full + at, p, n);
			at += n;
		}
		p += n;
		p += *p == '/';
	}
	full[at] = 0;
	*rel = full + base + (base && at > base);
	return 0;
}

char *split_last(char *full)
{
	char *slash = strrchr(full, '/');

	if (slash) {
		*slash = 0;
		return slash + 1;
	}
	return full;
}

static int do_root(struct unpacker *x, const struct co_tar_entry *e, struct co_err *err)
{
	if (e->hardlink || !S_ISDIR(e->mode))
		return co_fail(err, CO_E_INVALID, "would replace the root by something else");
	/* ADD leaves the directory it unpacks into as it is, like docker. */
	return x->u->mode == CO_UNPACK_PLAIN ? 0 : entry_root(x, e, err);
}

static int do_whiteout(struct unpacker *x, enum wh_kind kind, const char *full, const char *target,
		       struct co_err *err)
{
	char dir[FULL_MAX];

	if (kind == WH_SKIP)
		return 0;
	if (kind == WH_BAD)
		return co_fail(err, CO_E_INVALID, "a malformed whiteout");
	co_put_text(dir, sizeof(dir), full);
	if (split_last(dir) == dir)
		*dir = 0;
	return whiteout_apply(x, kind, dir, target, err);
}

static int do_entry(struct unpacker *x, struct co_tar_entry *e, struct co_err *err)
{
	char full[FULL_MAX], dir[FULL_MAX];
	const char *rel, *target, *name;
	int r = full_path(x, e->path, full, &rel, err);

	if (r < 0)
		return r;
	if (!*rel)
		return do_root(x, e, err);
	if (x->u->mode != CO_UNPACK_PLAIN) {
		enum wh_kind kind = whiteout_kind(rel, &target);

		if (kind != WH_NONE)
			return do_whiteout(x, kind, full, target, err);
	} else if (x->u->force_owner) {
		e->uid = x->u->uid;
		e->gid = x->u->gid;
	}
	co_put_text(dir, sizeof(dir), full);
	name = split_last(dir);
	name = full + (name - dir);
	if (name == full)
		*dir = 0;
	r = parent_enter(x, dir, true, err);
	return r < 0 ? r : entry_make(x, e, full, name, err);
}

static int run(struct unpacker *x, struct co_err *err)
{
	struct co_tar_entry e;
	const char *rel;
	char full[FULL_MAX];
	int r = full_path(x, x->u->dest ? x->u->dest : "", full, &rel, err);

	if (r < 0)
		return co_wrap(err, "unpack to %s", x->u->dest);
	if (strlen(full) >= sizeof(x->dest))
		return co_fail(err, CO_E_INVALID, "the destination's name is too long");
	co_put_text(x->dest, sizeof(x->dest), full);
	while ((r = co_tar_next(x->reader, &e, err)) > 0) {
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		if (do_entry(x, &e, err) < 0)
			return co_wrap(err, "%s", e.path);
		x->u->entries++;
	}
	return r < 0 ? r : late_apply(x, err);
}

int co_unpack(struct co_tar_reader *r, struct co_unpack *u, struct co_err *err)
{
	struct unpacker *x = co_xcalloc(1, sizeof(*x));
	int result;

	x->u = u;
	x->root = u->root;
	x->reader = r;
	x->euid = geteuid();
	x->egid = getegid();
	x->parent.fd = -1;
	u->entries = 0;
	result = run(x, err);
	parent_forget(x);
	co_arena_release(&x->arena);
	free(x->made.keys);
	free(x->late);
	free(x);
	return result;
}
