/* SPDX-License-Identifier: MIT
 *
 * Finding, pulling and pushing whole images.
 */
#include "flow-internal.h"
#include <cooper/layout.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* "DIR[:tag]": the part behind the last colon selects, unless a directory of the whole name exists.
 */
static int from_layout(struct co_store *s, const char *spec, struct co_descriptor *out,
		       struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct stat st;
	char *dir = co_arena_strdup(&a, spec);
	char *slash = strrchr(dir, '/');
	char *cut = strpbrk(slash ? slash : dir, ":@");
	if (!cut || stat(dir, &st) == 0)
		return co_layout_read_dir(s, dir, NULL, out, err);
	*cut = '\0';
	return co_layout_read_dir(s, dir, cut + 1, out, err);
}

static int from_archive(struct co_store *s, const char *path, struct co_descriptor *out,
			struct co_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "%s", path);
	return co_layout_read_tar(s, co_stream_fd(fd, true, path), path, NULL, out, err);
}

static int from_registry(struct co_store *s, struct co_registry *r, const struct co_ref *ref,
			 const struct co_platform *p, bool with_layers, struct co_descriptor *out,
			 struct co_err *err)
{
	if (with_layers)
		return co_registry_pull(r, s, ref, p, out, err);
	return co_registry_resolve(r, s, ref, p, out, err);
}

/* An id prefix as `cooper images` shows it. */
static int from_id(struct co_store *s, const char *name, struct co_descriptor *out, bool *found,
		   struct co_err *err)
{
	*found = false;
	const char *hex = co_starts(name, "sha256:") ? name + 7 : name;
	size_t n = strspn(hex, "0123456789abcdef");
	if (n < 6 || hex[n] || n > 64)
		return 0;
	struct co_store_image *list;
	size_t count;
	int r = co_store_list(s, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count && !*found; i++) {
		char text[CO_DIGEST_TEXT];
		if (strncmp(co_digest_hex(&list[i].desc.digest, text), hex, n))
			continue;
		*out = list[i].desc;
		*found = true;
	}
	free(list);
	return 0;
}

/* Names of files are no names of images; who gave one wants to be told how it is written. */
static int not_found(const char *name, struct co_err *err)
{
	struct stat sb;
	if (stat(name, &sb) < 0)
		return err->code;
	if (S_ISDIR(sb.st_mode))
		return co_hint(err, "a directory is named oci:%s", name);
	return co_hint(err, "a file is named docker-archive:%s or oci-archive:%s", name, name);
}

int co_find_image(struct co_store *s, struct co_registry *r, const char *name,
		  const struct co_platform *platform, bool with_layers, struct co_descriptor *out,
		  struct co_err *err)
{
	struct co_ref ref;
	struct co_store_image img;
	char full[1024];
	bool found;
	if (co_starts(name, "oci:"))
		return from_layout(s, name + 4, out, err);
	if (co_starts(name, "oci-archive:"))
		return from_archive(s, name + 12, out, err);
	if (co_starts(name, "docker-archive:"))
		return from_archive(s, name + 15, out, err);
	bool remote = co_starts(name, "docker://");
	if (remote)
		name += 9;
	int e = remote ? 0 : from_id(s, name, out, &found, err);
	if (e < 0 || (!remote && found))
		return e;
	e = co_ref_parse(&ref, name, err);
	if (e < 0)
		return remote ? e : not_found(name, err);
	struct co_err local = CO_ERR_INIT;
	if (!remote &&
	    co_store_lookup(s, co_ref_str(&ref, full, sizeof(full)), &img, &local) == 0) {
		*out = img.desc;
		/* without a network what is there must do: who needs more will say so */
		if (with_layers && sources_complete(s, r, &img.desc, &local) == CO_E_INTERRUPTED)
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
		return 0;
	}
	e = from_registry(s, r, &ref, platform, with_layers, out, err);
	if (e >= 0 || remote)
		return e;
	co_wrap(err, "%s is not in the local store", name);
	return not_found(name, err);
}

int co_pull_image(struct co_store *s, struct co_registry *r, const char *name,
		  const struct co_platform *platform, struct co_descriptor *out, struct co_err *err)
{
	struct co_ref ref;
	char full[1024];
	int e = co_ref_parse(&ref, name, err);
	if (!e)
		e = co_registry_pull(r, s, &ref, platform, out, err);
	if (!e)
		e = co_store_tag(s, co_ref_str(&ref, full, sizeof(full)), out, err);
	return e;
}

int co_push_image(struct co_store *s, struct co_registry *r, const char *name, const char *dest,
		  struct co_descriptor *out, struct co_err *err)
{
	struct co_ref ref;
	int e = co_ref_parse(&ref, dest ? dest : name, err);
	if (!e)
		e = co_find_image(s, r, name, NULL, true, out, err);
	if (!e)
		e = co_registry_push(r, s, out, &ref, 1, NULL, 0, err);
	return e;
}
