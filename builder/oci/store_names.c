/* SPDX-License-Identifier: MIT
 *
 * store_names.c — image names: one small file each, named by the hash of the name.
 */
#include "oci-internal.h"
#include "store-internal.h"
#include <cooper/auto.h>
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *record_path(const char *name, char buf[STORE_PATH_MAX])
{
	struct co_digest d;
	char hex[CO_DIGEST_TEXT];
	co_digest_of(&d, name, strlen(name));
	snprintf(buf, STORE_PATH_MAX, "images/%s", co_digest_hex(&d, hex));
	return buf;
}

int co_store_tag(struct co_store *s, const char *name, const struct co_descriptor *desc,
		 struct co_err *err)
{
	char path[STORE_PATH_MAX];
	struct co_descriptor bare = *desc;
	if (!*name || strlen(name) >= sizeof(((struct co_store_image *)0)->name))
		return co_fail(err, CO_E_USAGE, "image name of %zu bytes", strlen(name));
	bare.annotations = NULL;
	auto_json j = json_object();
	auto_buf text = CO_BUF_INIT(STORE_RECORD_MAX);
	oci_set_string(j, "name", name);
	json_object_set_new(j, "descriptor", oci_descriptor_json(&bare));
	json_object_set_new(j, "created", json_integer(co_wall_s()));
	co_json_write(&text, j);
	int r = store_write(s, record_path(name, path), text.data, text.len, err);
	return r < 0 ? co_wrap(err, "tag %s", name) : 0;
}

int co_store_untag(struct co_store *s, const char *name, struct co_err *err)
{
	char path[STORE_PATH_MAX];
	if (unlinkat(s->fd, record_path(name, path), 0) == 0)
		return 0;
	if (errno == ENOENT)
		return co_fail(err, CO_E_NOT_FOUND, "no image \"%.300s\" in the store", name);
	return co_fail_sys(err, "untag %.300s", name);
}

static int read_record(struct co_store *s, const char *path, struct co_store_image *out,
		       struct co_err *err)
{
	auto_free char *text = NULL;
	auto_json doc = NULL;
	size_t len;
	struct co_store_image img = {0};
	int r = co_read_file(s->fd, path, STORE_RECORD_MAX, &text, &len, err);
	if (!r)
		r = co_json_parse(&doc, text, len, path, err);
	if (r < 0)
		return r;
	if (!oci_copy_text(img.name, sizeof(img.name), json_object_get(doc, "name")) ||
	    !img.name[0])
		return co_fail(err, CO_E_INVALID, "store: %s: no name", path);
	r = oci_descriptor_parse(&img.desc, json_object_get(doc, "descriptor"), path, err);
	if (r < 0)
		return r;
	img.desc.annotations = NULL;
	img.created = co_json_int(doc, "created", 0);
	*out = img;
	return 0;
}

int co_store_lookup(struct co_store *s, const char *name, struct co_store_image *out,
		    struct co_err *err)
{
	char path[STORE_PATH_MAX];
	struct co_err why = CO_ERR_INIT;
	int r = read_record(s, record_path(name, path), out, &why);
	if (r == CO_E_NOT_FOUND)
		return co_fail(err, CO_E_NOT_FOUND, "no image \"%.300s\" in the store", name);
	if (r < 0 && !err->code)
		*err = why;
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct co_store_image *)a)->name,
		      ((const struct co_store_image *)b)->name);
}

int co_store_list(struct co_store *s, struct co_store_image **out, size_t *n, struct co_err *err)
{
	struct co_store_image *list = co_xcalloc(4, sizeof(*list));
	size_t count = 0, room = 4;
	auto_fd fd = openat(s->fd, "images", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		free(list);
		return co_fail_sys(err, "store: read images");
	}
	fd = -1;
	for (struct dirent *e; (e = readdir(d));) {
		char path[300];
		struct co_err why = CO_ERR_INIT;
		if (e->d_name[0] == '.')
			continue;
		if (count == room)
			list = co_xrealloc(list, room *= 2, sizeof(*list));
		snprintf(path, sizeof(path), "images/%s", e->d_name);
		/* a record that another process removes meanwhile, or a damaged one, is no image */
		if (read_record(s, path, &list[count], &why) == 0) {
			count++;
		} else if (why.code == CO_E_SYSTEM) {
			free(list);
			*err = why;
			return err->code;
		}
	}
	qsort(list, count, sizeof(*list), by_name);
	*out = list;
	*n = count;
	return 0;
}
