/* SPDX-License-Identifier: MIT
 *
 * Changes → tar → diff id → compress → digest → store, in one pass.
 * Rules: OCI image-spec layer.md; facts in docs/layers.md.
 */
#include "snapshot-internal.h"
#include <cooper/str.h>
#include <fcntl.h>
#include <stdlib.h>

#define XATTR_LIST_MAX	65536
#define XATTR_VALUE_MAX 65536
#define WHITEOUT	".wh."

int layer_begin(struct layer_out *l, struct co_store *s, const struct co_root *root,
		const struct co_layer_opts *o, struct co_bus *bus, struct co_err *err)
{
	(void)err;
	memset(l, 0, sizeof(*l));
	l->store = s;
	l->root = root;
	l->o = o;
	l->bus = bus;
	l->links = link_map_new();
	struct co_sink *blob = co_store_sink(s, NULL, -1, &l->digest, &l->blob_size);
	struct co_sink *packed = co_sink_compress(blob, o->compression, o->level, o->threads);
	l->tar = co_tar_writer_new(co_sink_hash(packed, CO_SHA256, &l->diff_id, &l->size));
	return 0;
}

/* Whole seconds: what a layer can hold in ustar; later than the epoch becomes the epoch. */
static struct timespec layer_time(const struct layer_out *l, struct timespec t)
{
	struct timespec out = {.tv_sec = t.tv_sec};
	if (l->o->clamp && out.tv_sec > (time_t)l->o->epoch)
		out.tv_sec = (time_t)l->o->epoch;
	return out;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct co_xattr *)a)->name, ((const struct co_xattr *)b)->name);
}

static int read_xattrs(struct layer_out *l, int dirfd, const char *name, struct co_arena *a,
		       struct co_tar_entry *e)
{
	char list[4096];
	ssize_t n = co_root_listxattr(l->root, dirfd, name, list, sizeof(list));
	if (n == 0 || (n < 0 && (errno == ENOTSUP || errno == EPERM)))
		return 0;
	char *all = list;
	if (n < 0 && errno == ERANGE) {
		all = co_arena_alloc(a, XATTR_LIST_MAX);
		n = co_root_listxattr(l->root, dirfd, name, all, XATTR_LIST_MAX);
	}
	if (n < 0)
		return -1;
	struct co_xattr *x = NULL;
	char *value = co_arena_alloc(a, XATTR_VALUE_MAX);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(all + at) + 1) {
		ssize_t size =
			co_root_getxattr(l->root, dirfd, name, all + at, value, XATTR_VALUE_MAX);
		if (size < 0)
			continue;
		struct co_xattr *one = co_arena_push(a, x, e->n_xattrs);
		one->name = co_arena_strdup(a, all + at);
		one->value = co_arena_dup(a, value, (size_t)size);
		one->size = (size_t)size;
	}
	if (e->n_xattrs)
		qsort(x, e->n_xattrs, sizeof(*x), by_name);
	e->xattrs = x;
	return 0;
}

static int settle_time(struct layer_out *l, int dirfd, const char *name, const struct co_meta *m)
{
	struct timespec t = layer_time(l, m->mtime);
	if (!l->settle || (t.tv_sec == m->mtime.tv_sec && t.tv_nsec == m->mtime.tv_nsec))
		return 0;
	return co_root_set_mtime(l->root, dirfd, name, t);
}

int layer_settle_dir(struct layer_out *l, int dirfd, const char *name, const struct co_meta *m)
{
	return settle_time(l, dirfd, name, m);
}

static int write_file(struct layer_out *l, int dirfd, const char *name,
		      const struct co_tar_entry *e, struct co_err *err)
{
	if (!e->size)
		return 0;
	auto_fd fd = co_root_open_read(l->root, dirfd, name);
	if (fd < 0)
		return co_fail_sys(err, "open /%s for its layer", e->path);
	uint64_t short_by = 0;
	if (co_tar_write_fd(l->tar, fd, e->size, &short_by) < 0)
		return 0; /* the stream keeps its error for close */
	if (short_by)
		co_warn(l->bus, NULL, "/%s shrank while it was written to the layer", e->path);
	return 0;
}

static int read_target(int dirfd, const char *name, struct co_arena *a, const char **out)
{
	char target[4097];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	*out = co_arena_strndup(a, target, (size_t)n);
	return 0;
}

int layer_drop_socket(struct layer_out *l, int dirfd, const char *name, const char *path,
		      struct co_err *err)
{
	if (l->settle && unlinkat(dirfd, name, 0) < 0)
		return co_fail_sys(err, "remove the socket /%s", path);
	return 0;
}

int layer_add(struct layer_out *l, int dirfd, const char *name, const char *path,
	      const struct co_meta *m, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	if (co_starts(co_path_base(path), WHITEOUT)) {
		co_fail(err, CO_E_UNSUPPORTED, "/%s: a layer can not hold a file of this name",
			path);
		return co_hint(err, "names that begin with " WHITEOUT
				    " say in a layer that something was deleted: rename it");
	}
	if (S_ISSOCK(m->mode))
		return layer_drop_socket(l, dirfd, name, path, err);
	struct co_tar_entry e = {.path = path,
				 .mode = m->mode,
				 .uid = m->uid,
				 .gid = m->gid,
				 .dev_major = m->dev_major,
				 .dev_minor = m->dev_minor,
				 .mtime = layer_time(l, m->mtime)};
	const char *first = NULL;
	if (!S_ISDIR(m->mode) && m->nlink > 1)
		first = link_map_put(l->links, m->dev, m->ino, path);
	l->entries++;
	if (first) {
		e.hardlink = true;
		e.link = first;
		co_tar_write_entry(l->tar, &e);
		return 0;
	}
	if (S_ISREG(m->mode))
		e.size = m->size;
	if (S_ISLNK(m->mode) && read_target(dirfd, name, &a, &e.link) < 0)
		return co_fail_sys(err, "read the link /%s", path);
	if (read_xattrs(l, dirfd, name, &a, &e) < 0)
		return co_fail_sys(err, "read the extended attributes of /%s", path);
	co_tar_write_entry(l->tar, &e);
	int r = S_ISREG(m->mode) ? write_file(l, dirfd, name, &e, err) : 0;
	if (r < 0)
		return r;
	if (!S_ISDIR(m->mode) && settle_time(l, dirfd, name, m) < 0)
		return co_fail_sys(err, "set the time of /%s", path);
	return 0;
}

static int add_marker(struct layer_out *l, const char *path, struct co_err *err)
{
	(void)err;
	/* mode 0, time 0, root: as containerd writes them */
	struct co_tar_entry e = {.path = path, .mode = S_IFREG};
	l->entries++;
	co_tar_write_entry(l->tar, &e);
	return 0;
}

int layer_whiteout(struct layer_out *l, const char *path, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash + 1 - path) : 0;
	return add_marker(l, co_arena_printf(&a, "%.*s" WHITEOUT "%s", dir, path, path + dir), err);
}

const char *layer_media_type(const struct co_layer_opts *o)
{
	if (o->docker_types && o->compression == CO_COMP_GZIP)
		return CO_MT_DOCKER_LAYER;
	if (o->compression == CO_COMP_ZSTD)
		return CO_MT_OCI_LAYER_ZSTD;
	return o->compression == CO_COMP_NONE ? CO_MT_OCI_LAYER : CO_MT_OCI_LAYER_GZIP;
}

int layer_finish(struct layer_out *l, struct co_layer *out, struct co_err *err)
{
	struct co_tar_writer *tar = co_steal(&l->tar);
	int r = co_tar_writer_close(tar, err);
	link_map_free(co_steal(&l->links));
	if (r < 0)
		return co_wrap(err, "write the layer");
	memset(out, 0, sizeof(*out));
	co_put_text(out->desc.media_type, sizeof(out->desc.media_type), layer_media_type(l->o));
	out->desc.digest = l->digest;
	out->desc.size = l->blob_size;
	out->diff_id = l->diff_id;
	out->size = l->size;
	out->empty = l->entries == 0;
	return 0;
}

void layer_abort(struct layer_out *l)
{
	if (l->tar)
		co_tar_writer_abort(co_steal(&l->tar));
	link_map_free(co_steal(&l->links));
}
