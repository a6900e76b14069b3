/* SPDX-License-Identifier: MIT
 *
 * Build contexts: a directory as it is, or an archive unpacked below the store's tmp.
 */
#include "context-internal.h"
#include <cooper/fs.h>
#include <cooper/tar.h>
#include <fcntl.h>

#define CONTEXT_MAX (64ull << 30)

int co_context_open_dir(struct co_context *out, const char *path, struct co_err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		co_fail_sys(err, "build context %s", path);
		return co_hint(err, "the context is the directory whose files COPY may take");
	}
	*out = (struct co_context){.root = {.fd = co_steal_fd(&fd)},
				   .describe = co_xasprintf("directory %s", path),
				   .epoch = -1};
	return 0;
}

static int unpack_context(struct co_store *s, struct co_source_stream *in, int dir,
			  struct co_err *err)
{
	struct co_root root = {.fd = dir};
	struct co_tar_reader *tar;
	/* owners of a context mean nothing: everything is copied as root's */
	struct co_unpack u = {.mode = CO_UNPACK_PLAIN,
			      .root = &root,
			      .dest = "",
			      .force_owner = true,
			      .uid = geteuid(),
			      .gid = getegid()};
	(void)s;
	int r = co_tar_reader_open(&tar, co_stream_inflate(in, CONTEXT_MAX), NULL, err);
	if (r < 0)
		return r;
	r = co_unpack(tar, &u, err);
	co_tar_reader_close(tar);
	if (!r && !u.entries)
		r = co_fail(err, CO_E_INVALID, "the archive is empty");
	return r;
}

/* Its directory stays, empty: the store sweeps that when the process is gone. */
static void empty_dir(struct co_root *root)
{
	struct co_names names;
	if (co_names_read(&names, root->fd) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		(void)co_root_remove(root, root->fd, names.items[i]);
	co_names_release(&names);
}

int co_context_open_tar(struct co_context *out, struct co_store *s, struct co_source_stream *in,
			const char *what, struct co_err *err)
{
	char name[64];
	int tmp = co_store_tmp_fd(s, err);
	auto_fd dir = tmp < 0 ? -1 : co_mkdtemp_at(tmp, "context", name, sizeof(name), err);
	if (dir < 0) {
		co_stream_close(in);
		return err->code;
	}
	if (unpack_context(s, in, dir, err) < 0) {
		struct co_err ignored = CO_ERR_INIT;
		int r = co_remove_tree(tmp, name, &ignored);
		(void)r;
		co_wrap(err, "build context %s", what);
		return co_hint(err,
			       "a context that is no directory must be a tar archive, plain or "
			       "compressed; a Dockerfile alone is given with -f -");
	}
	*out = (struct co_context){.root = {.fd = co_steal_fd(&dir)},
				   .describe = co_xasprintf("archive %s", what),
				   .epoch = -1,
				   .temporary = true};
	return 0;
}

int co_context_open_text(struct co_context *out, struct co_store *s, char *text, size_t len,
			 const char *what, struct co_err *err)
{
	char name[64];
	int tmp = co_store_tmp_fd(s, err);
	auto_fd dir = tmp < 0 ? -1 : co_mkdtemp_at(tmp, "context", name, sizeof(name), err);
	if (dir < 0) {
		free(text);
		return err->code;
	}
	*out = (struct co_context){.root = {.fd = co_steal_fd(&dir)},
				   .describe = co_xasprintf("empty context beside %s", what),
				   .epoch = -1,
				   .temporary = true,
				   .text = text,
				   .text_len = len};
	return 0;
}

void co_context_release(struct co_context *c)
{
	if (c->temporary && c->root.fd >= 0)
		empty_dir(&c->root);
	co_root_close(&c->root);
	c->root.fd = -1;
	co_ignore_free(co_steal(&c->ignore));
	free((void *)co_steal(&c->text));
	free((void *)co_steal(&c->describe));
}
