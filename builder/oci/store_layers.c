/* SPDX-License-Identifier: MIT
 *
 * store_layers.c — unpacked layers. A directory has its name only once it is complete.
 */
#include "store-internal.h"
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int co_store_layer_begin(struct co_store *s, char *name, size_t size, int *dirfd,
			 struct co_err *err)
{
	char sub[64];
	int tmp = co_store_tmp_fd(s, err);
	if (tmp < 0)
		return tmp;
	if (strlen(s->tmp_name) + sizeof(sub) + 1 > size)
		return co_fail(err, CO_E_INTERNAL, "no room for a layer's name");
	int fd = co_mkdtemp_at(tmp, "layer", sub, sizeof(sub), err);
	if (fd < 0)
		return co_wrap(err, "store");
	snprintf(name, size, "%s/%s", s->tmp_name, sub);
	*dirfd = fd;
	return 0;
}

static const char *layer_dir(const struct co_digest *diff_id, char buf[STORE_PATH_MAX])
{
	char hex[CO_DIGEST_TEXT];
	snprintf(buf, STORE_PATH_MAX, "layers/%s", co_digest_hex(diff_id, hex));
	return buf;
}

int co_store_layer_publish(struct co_store *s, const char *name, const struct co_digest *diff_id,
			   struct co_err *err)
{
	char path[STORE_PATH_MAX], text[CO_DIGEST_TEXT];
	if (renameat(s->fd, name, s->fd, layer_dir(diff_id, path)) == 0)
		return 0;
	if (errno != EEXIST && errno != ENOTEMPTY)
		return co_fail_sys(err, "store: publish layer %s", co_digest_str(diff_id, text));
	/* another build was faster */
	store_remove_quietly(s->fd, name);
	return 0;
}

bool co_store_layer_path(struct co_store *s, const struct co_digest *diff_id, char *path,
			 size_t size)
{
	char dir[STORE_PATH_MAX];
	char full[STORE_PATH_MAX + 4];
	struct stat st;
	int n = snprintf(full, sizeof(full), "%s/fs", layer_dir(diff_id, dir));
	if (!diff_id->set || (size_t)n >= size ||
	    fstatat(s->fd, full, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return false;
	memcpy(path, full, (size_t)n + 1);
	return true;
}
