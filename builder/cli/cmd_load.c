/* SPDX-License-Identifier: MIT
 *
 * load: images from archives and layout directories into the store, under the names found in them.
 */
#include "commands.h"
#include <cooper/fs.h>
#include <cooper/json.h>
#include <cooper/layout.h>
#include <cooper/tar.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DOC_MAX	  (4u << 20)
#define MAX_NAMES 1024

struct load_opts {
	struct common_opts common;
	const char *input;
	bool quiet;
};
static const struct opt load_table[] = {
	{"input", 'i', OPT_TEXT, "FILE", "archive or layout directory (default: standard input)",
	 offsetof(struct load_opts, input)},
	{"quiet", 'q', OPT_FLAG, NULL, "print digests only", offsetof(struct load_opts, quiet)},
	COMMON_OPTS(struct load_opts, common),
	OPT_END};

/* One image of the archive: how to select it there, how to call it here. */
struct found {
	const char *select, *name;
};
struct names {
	struct cmd_ctx *c;
	struct found *items;
	size_t n;
};

static void add_name(struct names *l, const char *select, const char *name)
{
	struct co_arena *a = l->c->arena;
	struct co_ref ref;
	struct co_err ignore = CO_ERR_INIT;
	char full[1024];
	/* an archive says the same name twice: short for docker, long for others */
	if (co_ref_parse(&ref, name, &ignore) == 0)
		name = co_ref_str(&ref, full, sizeof(full));
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->items[i].name, name))
			return;
	if (l->n == MAX_NAMES)
		return;
	struct found f = {co_arena_strdup(a, select), co_arena_strdup(a, name)};
	*co_arena_push(a, l->items, l->n) = f;
}

/* manifest.json of docker archives. */
static void names_of_docker(struct names *l, const json_t *doc)
{
	for (size_t i = 0; i < json_array_size(doc); i++) {
		const json_t *tags = json_object_get(json_array_get(doc, i), "RepoTags");
		for (size_t k = 0; k < json_array_size(tags); k++) {
			const char *tag = json_string_value(json_array_get(tags, k));
			if (tag)
				add_name(l, tag, tag);
		}
	}
}

/* index.json of layouts: containerd's full name, else a reference name that is a full one. */
static void names_of_index(struct names *l, const json_t *doc)
{
	const json_t *list = json_object_get(doc, "manifests");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *m = json_array_get(list, i);
		const json_t *notes = json_object_get(m, "annotations");
		const char *full = co_json_str(notes, "io.containerd.image.name");
		const char *ref = co_json_str(notes, "org.opencontainers.image.ref.name");
		const char *digest = co_json_str(m, "digest");
		if (!full && ref && strpbrk(ref, "/:"))
			full = ref;
		if (full && digest)
			add_name(l, digest, full);
	}
}

static void names_of_text(struct names *l, const char *member, const char *text, size_t len)
{
	struct co_err ignore = CO_ERR_INIT;
	json_t *parsed;
	if (co_json_parse(&parsed, text, len, member, &ignore) < 0)
		return; /* the reader of the archive has the last word on what is wrong */
	auto_json doc = parsed;
	if (!strcmp(member, "index.json"))
		names_of_index(l, doc);
	else
		names_of_docker(l, doc);
}

static int read_member(struct co_tar_reader *tar, struct co_buf *out, struct co_err *err)
{
	char block[16384];
	ssize_t n;
	while ((n = co_tar_read(tar, block, sizeof(block), err)) > 0)
		co_buf_add(out, block, (size_t)n);
	return n < 0 ? (int)n : 0;
}

static int names_of_archive(struct names *l, int fd, const char *what)
{
	struct co_tar_reader *tar;
	struct co_tar_entry e;
	struct co_source_stream *s = co_stream_inflate(co_stream_fd(fd, false, what), 0);
	int r = co_tar_reader_open(&tar, s, NULL, l->c->err);
	if (r < 0)
		return r;
	while ((r = co_tar_next(tar, &e, l->c->err)) > 0) {
		const char *name = co_starts(e.path, "./") ? e.path + 2 : e.path;
		if ((strcmp(name, "index.json") && strcmp(name, "manifest.json")) ||
		    e.size > DOC_MAX)
			continue;
		const char *member = !strcmp(name, "index.json") ? "index.json" : "manifest.json";
		auto_buf text = CO_BUF_INIT(DOC_MAX);
		r = read_member(tar, &text, l->c->err);
		if (r < 0)
			break;
		names_of_text(l, member, co_buf_str(&text), text.len);
	}
	co_tar_reader_close(tar);
	return r < 0 ? r : 0;
}

/* An archive is read once for its names and once for each image: a pipe becomes a file first. */
static int open_input(struct cmd_ctx *c, const struct load_opts *o, struct co_store *s, int *out)
{
	bool in = !o->input || !strcmp(o->input, "-");
	auto_fd fd = in ? fcntl(0, F_DUPFD_CLOEXEC, 3) : open(o->input, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(c->err, "%s", in ? "standard input" : o->input);
	if (in && isatty(0)) {
		co_fail(c->err, CO_E_USAGE, "cooper load: standard input is a terminal");
		return co_hint(c->err, "name the archive with -i FILE");
	}
	if (lseek(fd, 0, SEEK_SET) == 0) {
		*out = co_steal_fd(&fd);
		return 0;
	}
	int dir = co_store_tmp_fd(s, c->err);
	if (dir < 0)
		return dir;
	auto_fd copy = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (copy < 0) {
		copy = openat(dir, "load", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
		unlinkat(dir, "load", 0);
	}
	if (copy < 0 || co_copy_fd(copy, fd, -1) < 0)
		return co_fail_sys(c->err, "copy the archive into the store's tmp");
	*out = co_steal_fd(&copy);
	return 0;
}

static int read_one(struct cmd_ctx *c, struct co_store *s, int fd, const char *what,
		    const char *select, struct co_descriptor *desc)
{
	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return co_layout_read_dir(s, what, select, desc, c->err);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return co_fail_sys(c->err, "%s", what);
	return co_layout_read_tar(s, co_stream_fd(fd, false, what), what, select, desc, c->err);
}

static int store_one(struct cmd_ctx *c, const struct load_opts *o, struct co_store *s,
		     const struct co_descriptor *desc, const char *name)
{
	struct co_ref ref;
	char full[1024], digest[CO_DIGEST_TEXT];
	co_digest_str(&desc->digest, digest);
	if (name) {
		int r = co_ref_parse(&ref, name, c->err);
		if (!r)
			r = co_store_tag(s, co_ref_str(&ref, full, sizeof(full)), desc, c->err);
		if (r < 0)
			return r;
	}
	if (o->quiet)
		printf("%s\n", digest);
	else
		printf("Loaded image: %s %s\n",
		       name ? co_ref_familiar(&ref, full, sizeof(full)) : "", digest);
	return 0;
}

static int find_names(struct names *l, int fd, const char *what)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return co_fail_sys(l->c->err, "%s", what);
	if (!S_ISDIR(st.st_mode))
		return names_of_archive(l, fd, what);
	auto_free char *text = NULL;
	size_t len;
	int r = co_read_file(fd, "index.json", DOC_MAX, &text, &len, l->c->err);
	if (!r)
		names_of_text(l, "index.json", text, len);
	return r;
}

static int load(struct cmd_ctx *c, const struct load_opts *o, struct co_store *s)
{
	const char *what = o->input && strcmp(o->input, "-") ? o->input : "standard input";
	struct names l = {.c = c};
	struct co_descriptor desc;
	auto_fd fd = -1;
	int r = open_input(c, o, s, &fd);
	if (!r && !c->argc)
		r = find_names(&l, fd, what);
	if (r < 0)
		return r;
	for (int i = 0; r == 0 && i < c->argc; i++) {
		if (i == 0)
			r = read_one(c, s, fd, what, NULL, &desc);
		if (!r)
			r = store_one(c, o, s, &desc, c->argv[i]);
	}
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		r = read_one(c, s, fd, what, l.items[i].select, &desc);
		if (!r)
			r = store_one(c, o, s, &desc, l.items[i].name);
	}
	if (r < 0 || c->argc || l.n)
		return r;
	co_fail(c->err, CO_E_USAGE, "%s: the image in it has no name", what);
	return co_hint(c->err, "give it one: cooper load -i %s NAME", what);
}

static int run_load(struct cmd_ctx *c, void *opts)
{
	const struct load_opts *o = opts;
	struct co_store *s;
	int r = cli_store(&s, &o->common, c->err);
	if (r < 0)
		return r;
	r = load(c, o, s);
	co_store_close(s);
	return r;
}

const struct command cmd_load = {
	.name = "load",
	.usage = "[OPTIONS] [NAME…]",
	.summary = "Read images from an archive or a layout directory into the store",
	.detail = "Takes docker archives and OCI layouts, compressed or not. Without NAME every "
		  "image\n"
		  "gets the names the archive has for it; with NAME the one image in it is called "
		  "so.",
	.examples = "  cooper load -i app.tar\n"
		    "  docker save app:1 | cooper load\n"
		    "  cooper load -i ./layout app:2",
	.opts = load_table,
	.size = sizeof(struct load_opts),
	.max_args = -1,
	.run = run_load};
