/* SPDX-License-Identifier: MIT
 *
 * An image's files without running it: ls, cat, export.
 */
#include "commands.h"
#include "image_place.h"
#include <cooper/clock.h>
#include <cooper/json.h>
#include <string.h>

#define LOOK_NAMES                                                                                 \
	"NAME is a name or id in the store, oci:DIR[:TAG], oci-archive:FILE,\n"                    \
	"docker-archive:FILE or docker://REFERENCE; a name that is not in the store is fetched\n"  \
	"from its registry."

struct ls_opts {
	struct common_opts common;
	const char *platform, *format;
	bool details, recursive;
};
static const struct opt ls_table[] = {
	{"long", 'l', OPT_FLAG, NULL, "mode, owner, size, time and layer too",
	 offsetof(struct ls_opts, details)},
	{"recursive", 'R', OPT_FLAG, NULL, "everything below PATH",
	 offsetof(struct ls_opts, recursive)},
	{"format", 0, OPT_TEXT, "FORMAT", "text (default) or json: one object a line",
	 offsetof(struct ls_opts, format)},
	{"platform", 0, OPT_TEXT, "OS/ARCH", "which image of an index (default: this machine's)",
	 offsetof(struct ls_opts, platform)},
	REGISTRY_OPTS(struct ls_opts, common),
	COMMON_OPTS(struct ls_opts, common),
	OPT_END};

static void mode_text(const struct co_tar_entry *e, char out[11])
{
	static const struct {
		uint32_t type;
		char c;
	} kinds[] = {{S_IFDIR, 'd'}, {S_IFLNK, 'l'}, {S_IFCHR, 'c'},
		     {S_IFBLK, 'b'}, {S_IFIFO, 'p'}, {S_IFSOCK, 's'}};
	memcpy(out, "----------", 11);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((e->mode & S_IFMT) == kinds[i].type)
			out[0] = kinds[i].c;
	for (int i = 0; i < 9; i++)
		if (e->mode & (0400u >> i))
			out[1 + i] = "rwx"[i % 3];
	if (e->mode & S_ISUID)
		out[3] = out[3] == 'x' ? 's' : 'S';
	if (e->mode & S_ISGID)
		out[6] = out[6] == 'x' ? 's' : 'S';
	if (e->mode & S_ISVTX)
		out[9] = out[9] == 'x' ? 't' : 'T';
}

static void print_long(const struct co_tree_entry *t)
{
	const struct co_tar_entry *e = &t->e;
	char mode[11], when[40], size[48];
	mode_text(e, mode);
	co_rfc3339((int64_t)e->mtime.tv_sec, when, sizeof(when));
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
		snprintf(size, sizeof(size), "%u, %u", e->dev_major, e->dev_minor);
	else
		snprintf(size, sizeof(size), "%llu", (unsigned long long)e->size);
	printf("%s  %5u %5u  %10s  %s  %3u  ", mode, e->uid, e->gid, size, when, t->layer);
}

static void print_json(const struct co_tree_entry *t)
{
	const struct co_tar_entry *e = &t->e;
	char mode[11], when[40], octal[12];
	auto_json j = json_object();
	mode_text(e, mode);
	snprintf(octal, sizeof(octal), "%04o", e->mode & 07777);
	json_object_set_new(j, "path", co_json_string(e->path));
	json_object_set_new(j, "type", json_stringn(mode[0] == '-' ? "f" : mode, 1));
	json_object_set_new(j, "mode", json_string(octal));
	json_object_set_new(j, "uid", json_integer(e->uid));
	json_object_set_new(j, "gid", json_integer(e->gid));
	json_object_set_new(j, "size", json_integer((json_int_t)e->size));
	json_object_set_new(j, "mtime",
			    json_string(co_rfc3339((int64_t)e->mtime.tv_sec, when, sizeof(when))));
	json_object_set_new(j, "layer", json_integer(t->layer));
	if (e->link)
		json_object_set_new(j, e->hardlink ? "hardlink" : "target",
				    co_json_string(e->link));
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_json_write(&b, j);
	printf("%s\n", co_buf_str(&b));
}

static void print_entry(const struct ls_opts *o, const struct co_tree_entry *t, size_t skip)
{
	if (o->format && !strcmp(o->format, "json")) {
		print_json(t);
		return;
	}
	if (o->details)
		print_long(t);
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	co_sanitize(&b, t->e.path + skip, strlen(t->e.path + skip), false);
	if (t->e.link) {
		co_buf_adds(&b, t->e.hardlink ? " == " : " -> ");
		co_sanitize(&b, t->e.link, strlen(t->e.link), false);
	}
	printf("%s%s\n", co_buf_str(&b), S_ISDIR(t->e.mode) && !o->details ? "/" : "");
}

/* Entries are sorted and relative; dir "" is the root. */
static void list_dir(const struct ls_opts *o, const struct co_tree *tree, const char *dir)
{
	size_t n = strlen(dir), skip = n ? n + 1 : 0;
	for (size_t i = 0; i < tree->n; i++) {
		const char *path = tree->items[i].e.path;
		if (n && (strncmp(path, dir, n) || path[n] != '/'))
			continue;
		if (!path[skip] || (!o->recursive && strchr(path + skip, '/')))
			continue;
		print_entry(o, &tree->items[i], skip);
	}
}

static int no_such_path(struct cmd_ctx *c, const char *path)
{
	co_fail(c->err, CO_E_NOT_FOUND, "%s: no such file in %s", path, c->argv[0]);
	return co_hint(c->err, "cooper ls -R %s lists what is there", c->argv[0]);
}

static int list_path(struct cmd_ctx *c, const struct ls_opts *o, const struct co_tree *tree,
		     const char *path)
{
	const char *clean = co_path_clean_rel(c->arena, path);
	if (!*clean) {
		list_dir(o, tree, "");
		return 0;
	}
	const struct co_tree_entry *e = co_tree_find(tree, clean);
	if (!e)
		return no_such_path(c, path);
	if (S_ISDIR(e->e.mode)) {
		const char *dir = e->e.path;
		size_t len = strlen(dir);
		while (len && dir[len - 1] == '/')
			len--;
		list_dir(o, tree, co_arena_strndup(c->arena, dir, len));
		return 0;
	}
	print_entry(o, e, 0);
	return 0;
}

static int run_ls(struct cmd_ctx *c, void *opts)
{
	static const char *const formats[] = {"text", "json", NULL};
	const struct ls_opts *o = opts;
	struct looked l;
	struct co_tree tree;
	if (!cli_one_of(o->format, formats))
		return co_fail(c->err, CO_E_USAGE, "cooper ls: --format is text or json");
	int r = look_open(&l, c, &o->common, c->argv[0], o->platform, true);
	if (!r)
		r = co_report_tree(&tree, c->arena, &l.view, c->err);
	if (!r && c->argc == 1)
		list_dir(o, &tree, "");
	for (int i = 1; r == 0 && i < c->argc; i++)
		r = list_path(c, o, &tree, c->argv[i]);
	return look_close(&l, c, r);
}

const struct command cmd_ls = {
	.name = "ls",
	.usage = "[OPTIONS] NAME [PATH…]",
	.summary = "List the files of an image",
	.detail = LOOK_NAMES
	"\nWith -l the last column before the path is the layer that an entry comes from.",
	.examples =
		"  cooper ls app:1 /etc\n"
		"  cooper ls -lR app:1 usr/local\n"
		"  cooper ls -R --format json app:1 | jq -r 'select(.mode >= \"4000\") | .path'",
	.opts = ls_table,
	.size = sizeof(struct ls_opts),
	.min_args = 1,
	.max_args = -1,
	.run = run_ls};

struct cat_opts {
	struct common_opts common;
	const char *platform;
};
static const struct opt cat_table[] = {{"platform", 0, OPT_TEXT, "OS/ARCH",
					"which image of an index (default: this machine's)",
					offsetof(struct cat_opts, platform)},
				       REGISTRY_OPTS(struct cat_opts, common),
				       COMMON_OPTS(struct cat_opts, common),
				       OPT_END};

static int cat_one(struct cmd_ctx *c, struct looked *l, const struct co_tree *tree,
		   const char *path)
{
	const struct co_tree_entry *e = co_tree_find(tree, co_path_clean_rel(c->arena, path));
	if (!e)
		return no_such_path(c, path);
	if (!e->e.hardlink && !S_ISREG(e->e.mode))
		return co_fail(c->err, CO_E_INVALID, "%s is not a regular file", path);
	return co_report_cat(&l->view, tree, e, co_sink_fd(1, false, "standard output"), c->err);
}

static int run_cat(struct cmd_ctx *c, void *opts)
{
	const struct cat_opts *o = opts;
	struct looked l;
	struct co_tree tree;
	int r = look_open(&l, c, &o->common, c->argv[0], o->platform, true);
	if (!r)
		r = co_report_tree(&tree, c->arena, &l.view, c->err);
	for (int i = 1; r == 0 && i < c->argc; i++)
		r = cat_one(c, &l, &tree, c->argv[i]);
	return look_close(&l, c, r);
}

const struct command cmd_cat = {.name = "cat",
				.usage = "[OPTIONS] NAME PATH…",
				.summary = "Print files of an image",
				.detail = LOOK_NAMES "\nLinks are followed inside the image.",
				.examples = "  cooper cat app:1 /etc/os-release",
				.opts = cat_table,
				.size = sizeof(struct cat_opts),
				.min_args = 2,
				.max_args = -1,
				.run = run_cat};

struct export_opts {
	struct common_opts common;
	const char *platform, *output;
};
static const struct opt export_table[] = {
	{"output", 'o', OPT_TEXT, "FILE", "where to (default: standard output)",
	 offsetof(struct export_opts, output)},
	{"platform", 0, OPT_TEXT, "OS/ARCH", "which image of an index (default: this machine's)",
	 offsetof(struct export_opts, platform)},
	REGISTRY_OPTS(struct export_opts, common),
	COMMON_OPTS(struct export_opts, common),
	OPT_END};

static int run_export(struct cmd_ctx *c, void *opts)
{
	const struct export_opts *o = opts;
	struct looked l;
	struct out_file f;
	int r = look_open(&l, c, &o->common, c->argv[0], o->platform, true);
	if (!r)
		r = out_file_begin(&f, o->output, "cooper export", c->err);
	if (!r) {
		r = co_report_export(&l.view, co_sink_fd(f.fd, true, f.name), c->err);
		r = out_file_end(&f, r, c->err);
	}
	return look_close(&l, c, r);
}

const struct command cmd_export = {.name = "export",
				   .usage = "[OPTIONS] NAME",
				   .summary = "Write the files of an image as one tar",
				   .detail = LOOK_NAMES,
				   .examples = "  cooper export -o rootfs.tar app:1\n"
					       "  cooper export app:1 | tar -tv",
				   .opts = export_table,
				   .size = sizeof(struct export_opts),
				   .min_args = 1,
				   .max_args = 1,
				   .run = run_export};
