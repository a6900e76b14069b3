/* SPDX-License-Identifier: MIT
 *
 * test_tree.c — the flattened tree: by table, against what unpacking the layers makes, and as the
 * archive of an export.
 */
#include "image.h"
#include <cooper/root.h>

struct row {
	const char *id;
	const char *layers[4];
	const char *want;
	bool differs; /* from unpacking into one directory */
};
static const struct row rows[] = {
#include "tree_rows.inc"
};

static void content(struct co_view *v, const struct co_tree *t, const struct co_tree_entry *e,
		    struct co_buf *out)
{
	struct co_err err = CO_ERR_INIT;
	if (co_report_cat(v, t, e, co_sink_buf(out), &err) < 0)
		fail_msg("cat %s: %s", e->e.path, err.msg);
}

static char kind_of(const struct co_tree_entry *e)
{
	return e->e.hardlink	     ? 'h'
	       : S_ISDIR(e->e.mode)  ? 'd'
	       : S_ISLNK(e->e.mode)  ? 'l'
	       : S_ISFIFO(e->e.mode) ? 'p'
				     : 'f';
}

static void describe(struct co_view *v, const struct co_tree *t, struct co_buf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct co_tree_entry *e = &t->items[i];
		co_buf_addf(out, "%s%c %s", i ? "|" : "", kind_of(e), e->e.path);
		if (e->e.link)
			co_buf_addf(out, ">%s", e->e.link);
		if (S_ISREG(e->e.mode)) {
			auto_buf data = CO_BUF_INIT(CO_BUF_TEXT);
			content(v, t, e, &data);
			assert_int_equal(data.len, e->e.size);
			co_buf_addf(out, "=%s", co_buf_str(&data));
		}
		co_buf_addf(out, "#%u", e->layer);
	}
}

static void unpack(struct image *im, struct co_root *root, struct co_source_stream *s)
{
	struct co_err err = CO_ERR_INIT;
	struct co_tar_reader *r;
	struct co_unpack u = {.mode = CO_UNPACK_FLAT, .root = root, .dest = ""};
	(void)im;
	assert_int_equal(co_tar_reader_open(&r, co_stream_inflate(s, 0), NULL, &err), 0);
	if (co_unpack(r, &u, &err) < 0)
		fail_msg("unpack: %s", err.msg);
	co_tar_reader_close(r);
}

static int make_root(struct image *im, const char *name)
{
	char path[96];
	snprintf(path, sizeof(path), "%s/%s", im->dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void export_to(struct image *im, struct co_view *v, const char *name)
{
	auto_buf tar = CO_BUF_INIT(64u << 20);
	struct co_err err = CO_ERR_INIT;
	if (co_report_export(v, co_sink_buf(&tar), &err) < 0)
		fail_msg("export: %s", err.msg);
	struct co_root root = {.fd = make_root(im, name)};
	unpack(im, &root, co_stream_mem(tar.data, tar.len));
	co_root_close(&root);
}

/* Exported and unpacked at once must be the same as unpacked layer by layer. */
static void against_unpacking(struct image *im, struct co_view *v, const struct row *row)
{
	char cmd[700];
	struct co_root root = {.fd = make_root(im, "flat")};
	for (size_t i = 0; i < v->manifest.n_layers; i++) {
		struct co_err err = CO_ERR_INIT;
		int fd;
		assert_int_equal(
			co_store_blob_fd(im->store, &v->manifest.layers[i].digest, &fd, NULL, &err),
			0);
		unpack(im, &root, co_stream_fd(fd, true, "layer"));
	}
	co_root_close(&root);
	export_to(im, v, "export");
	snprintf(cmd, sizeof(cmd),
		 "cd %s && list() { (cd $1 && find . -mindepth 1 -printf '%%p %%y %%m %%U:%%G %%n "
		 "%%l ' \\( -type f -printf '%%s ' -exec cat {} \\; -o -true \\) -printf '\\n' | "
		 "sort); } && list flat >f && list export >e && diff f e",
		 im->dir);
	if (!row->differs && system(cmd) != 0)
		fail_msg("%s: an export differs from unpacking", row->id);
}

static void one_row(void **state)
{
	const struct row *row = *state;
	struct image im;
	struct co_view v;
	struct co_tree t;
	struct co_err err = CO_ERR_INIT;
	auto_buf got = CO_BUF_INIT(CO_BUF_TEXT);
	image_open(&im);
	for (size_t i = 0; i < 4 && row->layers[i]; i++)
		image_add(&im, row->layers[i]);
	image_finish(&im);
	image_view(&im, &v);
	if (co_report_tree(&t, &im.arena, &v, &err) < 0)
		fail_msg("%s: %s", row->id, err.msg);
	describe(&v, &t, &got);
	if (strcmp(co_buf_str(&got), row->want))
		fail_msg("%s:\n got %s\nwant %s", row->id, co_buf_str(&got), row->want);
	for (size_t i = 0; i < t.n; i++)
		if (kind_of(&t.items[i]) != 'l')
			assert_ptr_equal(co_tree_find(&t, t.items[i].e.path), &t.items[i]);
	if (geteuid() == 0) /* rows have root's files */
		against_unpacking(&im, &v, row);
	co_view_release(&v);
	image_close(&im);
}

int main(void)
{
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	struct CMUnitTest tests[N];
	for (size_t i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){rows[i].id, one_row, NULL, NULL,
					       (void *)(uintptr_t)&rows[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
