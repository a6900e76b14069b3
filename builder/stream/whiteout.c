/* SPDX-License-Identifier: MIT
 *
 * whiteout.c — deletions in a layer. OCI image-spec layer.md: ".wh.NAME" and ".wh..wh..opq" hide
 * what LOWER layers have, wherever they stand in the archive; what the same layer brings stays.
 */
#include "unpack-internal.h"
#include <cooper/auto.h>
#include <cooper/inroot.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PREFIX	   ".wh."
#define META	   ".wh..wh."
#define OPAQUE	   ".wh..wh..opq"
#define WIPE_DEPTH 512

enum wh_kind whiteout_kind(const char *rel, const char **target)
{
	const char *slash;

	while ((slash = strchr(rel, '/'))) {
		if (co_starts(rel, META))
			return WH_SKIP;
		if (co_starts(rel, PREFIX))
			return WH_BAD;
		rel = slash + 1;
	}
	if (!co_starts(rel, PREFIX))
		return WH_NONE;
	if (!strcmp(rel, OPAQUE))
		return WH_OPAQUE;
	if (co_starts(rel, META))
		return WH_SKIP;
	rel += strlen(PREFIX);
	*target = rel;
	return !*rel || !strcmp(rel, ".") || !strcmp(rel, "..") ? WH_BAD : WH_DELETE;
}

bool is_overlay_whiteout(const struct co_meta *m)
{
	return S_ISCHR(m->mode) && !m->dev_major && !m->dev_minor;
}

int set_opaque(struct unpacker *x, int dirfd, const char *name, struct co_err *err)
{
	auto_fd fd =
		openat(dirfd, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	(void)x;
	if (fd < 0)
		return co_fail_sys(err, "open a directory to mark it opaque");
	if (fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0)
		return co_fail_sys(err, "mark a directory opaque");
	return 0;
}

/* FLAT: removes what this layer did not make below fd. Returns the number of entries left, or -1
 * with errno. */
static int64_t wipe(struct unpacker *x, int dirfd, const char *name, unsigned depth);

static int64_t wipe_entry(struct unpacker *x, int dirfd, const struct stat *dir, const char *name,
			  unsigned depth)
{
	bool ours = made_has(x, dir->st_dev, dir->st_ino, name);
	struct stat st;
	int64_t left = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (S_ISDIR(st.st_mode) && st.st_dev == dir->st_dev && depth < WIPE_DEPTH)
		left = wipe(x, dirfd, name, depth + 1);
	if (left < 0)
		return -1;
	if (ours || left > 0)
		return 1;
	return co_root_remove(x->root, dirfd, name);
}

static int64_t wipe(struct unpacker *x, int dirfd, const char *name, unsigned depth)
{
	auto_dir d = NULL;
	struct stat st;
	struct dirent *entry;
	int64_t left = 0, n;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	d = fdopendir(fd);
	if (!d) {
		co_close_fd(&fd);
		return -1;
	}
	if (fstat(fd, &st) < 0)
		return -1;
	while ((errno = 0, entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		n = wipe_entry(x, fd, &st, entry->d_name, depth);
		if (n < 0)
			return -1;
		left += n;
	}
	return errno ? -1 : left;
}

/* The tree's shape changes below directories that may be open: look them up anew. */
static int flat_apply(struct unpacker *x, enum wh_kind kind, const char *target, struct co_err *err)
{
	struct stat dir;
	int64_t n;

	if (fstat(x->parent.fd, &dir) < 0)
		return co_fail_sys(err, "whiteout");
	n = kind == WH_OPAQUE ? wipe(x, x->parent.fd, ".", 0)
			      : wipe_entry(x, x->parent.fd, &dir, target, 0);
	if (n >= 0)
		parent_forget(x);
	else
		return co_fail_sys(err, "whiteout");
	return 0;
}

static int overlay_apply(struct unpacker *x, enum wh_kind kind, const char *dir, const char *target,
			 struct co_err *err)
{
	int fd = x->parent.fd;
	struct stat st;

	if (kind == WH_OPAQUE) {
		/* overlayfs merges roots whatever they say. */
		if (!*dir)
			return co_fail(err, CO_E_UNSUPPORTED,
				       "the layer hides everything below the root");
		return set_opaque(x, fd, "", err);
	}
	if (mknodat(fd, target, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST || fstatat(fd, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return co_fail_sys(err, "make a whiteout");
	return S_ISDIR(st.st_mode) ? set_opaque(x, fd, target, err) : 0;
}

int whiteout_apply(struct unpacker *x, enum wh_kind kind, const char *dir, const char *target,
		   struct co_err *err)
{
	bool overlay = x->u->mode == CO_UNPACK_OVERLAY;
	int r = parent_enter(x, dir, overlay, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return overlay ? overlay_apply(x, kind, dir, target, err)
		       : flat_apply(x, kind, target, err);
}
