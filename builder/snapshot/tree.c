/* SPDX-License-Identifier: MIT
 *
 * A whole tree as one tar (type=tar exports).
 */
#include "snapshot-internal.h"
#include <fcntl.h>
#include <stdlib.h>

#define MAX_DEPTH 2000

struct export
{
	struct layer_out out;
	char path[8192];
	size_t len;
	unsigned depth;
};

static int export_dir(struct export *x, int fd, struct co_err *err)
{
	if (++x->depth > MAX_DEPTH)
		return co_fail(err, CO_E_LIMIT, "directories nested deeper than %d", MAX_DEPTH);
	struct co_names names;
	int e = names_read(&names, fd, err);
	size_t len = x->len;
	for (size_t i = 0; e == 0 && i < names.n; i++) {
		const char *name = names.items[i];
		size_t n = strlen(name);
		struct co_meta m;
		if (len + n + 2 > sizeof(x->path)) {
			e = co_fail(err, CO_E_LIMIT, "path too long below /%s", x->path);
			break;
		}
		if (len)
			x->path[len] = '/';
		memcpy(x->path + len + (len > 0), name, n + 1);
		x->len = len + (len > 0) + n;
		if (co_root_stat(x->out.root, fd, name, &m) < 0)
			e = co_fail_sys(err, "stat /%s", x->path);
		if (!e)
			e = layer_add(&x->out, fd, name, x->path, &m, err);
		if (!e && S_ISDIR(m.mode)) {
			auto_fd sub =
				openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			e = sub < 0 ? co_fail_sys(err, "open /%s", x->path)
				    : export_dir(x, sub, err);
		}
		x->len = len;
		x->path[len] = '\0';
	}
	co_names_release(&names);
	x->depth--;
	return e;
}

int co_tree_write_tar(const struct co_root *root, int64_t clamp_epoch, bool clamp,
		      struct co_sink *out, struct co_err *err)
{
	struct co_layer_opts o = {.epoch = clamp_epoch, .clamp = clamp};
	struct export *x = co_xcalloc(1, sizeof(*x));
	x->out.root = root;
	x->out.o = &o;
	x->out.links = link_map_new();
	x->out.tar = co_tar_writer_new(out);
	auto_fd fd = openat(root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int e = fd < 0 ? co_fail_sys(err, "open the tree") : export_dir(x, fd, err);
	if (e < 0)
		layer_abort(&x->out);
	else
		e = co_tar_writer_close(co_steal(&x->out.tar), err);
	link_map_free(co_steal(&x->out.links));
	free(x);
	return e;
}
