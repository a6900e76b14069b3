/* SPDX-License-Identifier: MIT
 *
 * test_view.c — opening images, inspect, history, paths through links, small files, and layers that
 * are damaged or hostile.
 */
#include "image.h"

static void index_of(struct image *im, const char *arch, const struct co_descriptor *child,
		     struct co_descriptor *out)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_descriptor d = *child;
	struct co_err err = CO_ERR_INIT;
	char platform[64];
	snprintf(platform, sizeof(platform), "linux/%s", arch);
	assert_int_equal(co_platform_parse(&d.platform, platform, &err), 0);
	struct co_index ix = {.media_type = CO_MT_OCI_INDEX, .manifests = &d, .n = 1};
	co_index_write(&b, &ix);
	put_doc(im, &b, out, CO_MT_OCI_INDEX);
}

static void indexes(void **state)
{
	(void)state;
	struct image im;
	struct co_view v;
	struct co_descriptor ix, outer;
	struct co_platform amd, arm;
	struct co_err err = CO_ERR_INIT, missing = CO_ERR_INIT;
	image_open(&im);
	image_add(&im, "f a=1");
	image_finish(&im);
	index_of(&im, "amd64", &im.desc, &ix);
	index_of(&im, "amd64", &ix, &outer);
	assert_int_equal(co_platform_parse(&amd, "linux/amd64", &err), 0);
	assert_int_equal(co_platform_parse(&arm, "linux/arm64", &err), 0);
	assert_int_equal(co_view_open(&v, &im.arena, im.store, &ix, &amd, &err), 0);
	assert_true(co_digest_eq(&v.desc.digest, &im.desc.digest));
	co_view_release(&v);
	assert_int_equal(co_view_open(&v, &im.arena, im.store, &outer, &amd, &err), 0);
	co_view_release(&v);
	assert_int_equal(co_view_open(&v, &im.arena, im.store, &ix, &arm, &missing),
			 CO_E_NOT_FOUND);
	assert_non_null(strstr(missing.msg, "linux/arm64"));
	for (int i = 0; i < 5; i++) {
		struct co_descriptor next;
		index_of(&im, "amd64", &outer, &next);
		outer = next;
	}
	struct co_err deep = CO_ERR_INIT;
	assert_int_equal(co_view_open(&v, &im.arena, im.store, &outer, &amd, &deep), CO_E_INVALID);
	image_close(&im);
}

static void not_there(void **state)
{
	(void)state;
	struct image im;
	struct co_view v;
	struct co_err err = CO_ERR_INIT;
	image_open(&im);
	image_finish(&im);
	im.desc.digest.bytes[0] ^= 1;
	assert_int_equal(co_view_open(&v, &im.arena, im.store, &im.desc, NULL, &err),
			 CO_E_NOT_FOUND);
	assert_non_null(strstr(err.msg, "manifest"));
	image_close(&im);
}

static void inspect(void **state)
{
	(void)state;
	struct image im;
	struct co_view v;
	struct co_err err = CO_ERR_INIT;
	char text[CO_DIGEST_TEXT];
	json_t *doc;
	image_open(&im);
	image_add(&im, "f a=1");
	image_add(&im, "f b=1");
	im.config.user = "app";
	image_finish(&im);
	image_view(&im, &v);
	assert_int_equal(co_report_inspect(&doc, &v, &err), 0);
	assert_string_equal(co_json_str(doc, "digest"), co_digest_str(&im.desc.digest, text));
	assert_string_equal(co_json_str(doc, "id"),
			    co_digest_str(&im.manifest.config.digest, text));
	assert_string_equal(co_json_str(doc, "mediaType"), CO_MT_OCI_MANIFEST);
	assert_string_equal(co_json_str(doc, "platform"), "linux/amd64");
	json_t *layers = json_object_get(doc, "layers");
	assert_int_equal(json_array_size(layers), 2);
	assert_string_equal(co_json_str(json_array_get(layers, 1), "diffId"),
			    co_digest_str(&im.config.diff_ids[1], text));
	assert_int_equal(co_json_int(doc, "size", -1),
			 im.manifest.layers[0].size + im.manifest.layers[1].size);
	json_t *config = json_object_get(json_object_get(doc, "image"), "config");
	assert_string_equal(co_json_str(config, "User"), "app");
	json_decref(doc);
	co_view_release(&v);
	image_close(&im);
}

static void history(void **state)
{
	(void)state;
	struct image im;
	struct co_view v;
	struct co_err err = CO_ERR_INIT;
	struct co_history_row *rows;
	size_t n;
	image_open(&im);
	image_add(&im, "f a=1");
	struct co_history *h = co_arena_push(&im.arena, im.config.history, im.config.n_history);
	h->created_by = "ENV A=b";
	h->empty_layer = true;
	image_add(&im, "f b=1");
	image_finish(&im);
	image_view(&im, &v);
	assert_int_equal(co_report_history(&rows, &n, &im.arena, &v, &err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(rows[0].created_by, "layer 1");
	assert_int_equal(rows[0].size, im.manifest.layers[1].size);
	assert_true(co_digest_eq(&rows[0].diff_id, &im.config.diff_ids[1]));
	assert_string_equal(rows[1].created_by, "ENV A=b");
	assert_true(rows[1].empty && !rows[1].size && !rows[1].diff_id.set);
	assert_string_equal(rows[2].created_by, "layer 0");
	assert_int_equal(rows[2].size, im.manifest.layers[0].size);
	co_view_release(&v);
	image_close(&im);
}

static void find_through_links(void **state)
{
	(void)state;
	static const struct {
		const char *path, *found;
	} paths[] = {{"etc/passwd", "usr/etc/passwd"},
		     {"/etc/passwd", "usr/etc/passwd"},
		     {"etc/../etc/./passwd", "usr/etc/passwd"},
		     {"up", "usr/etc/passwd"},
		     {"usr/rel", "usr/etc"},
		     {"usr/rel/passwd", "usr/etc/passwd"},
		     {"etc", "usr/etc"},
		     {"loop", NULL},
		     {"dangling", NULL},
		     {"etc/nope", NULL},
		     {"usr/etc/passwd/x", NULL},
		     {"root/usr", "usr"},
		     {"root", NULL},
		     {"", NULL},
		     {"usr/etc/", "usr/etc"},
		     {"../../usr", "usr"}};
	struct image im;
	struct co_view v;
	struct co_tree t;
	struct co_err err = CO_ERR_INIT;
	image_open(&im);
	image_add(&im, "d usr|d usr/etc|f usr/etc/passwd=p|l etc>usr/etc|l up>../../../etc/passwd|"
		       "l usr/rel>etc|l loop>loop|l dangling>nope|l root>/");
	image_finish(&im);
	image_view(&im, &v);
	assert_int_equal(co_report_tree(&t, &im.arena, &v, &err), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct co_tree_entry *e = co_tree_find(&t, paths[i].path);
		if (!e != !paths[i].found || (e && strcmp(e->e.path, paths[i].found)))
			fail_msg("%s: found %s", paths[i].path, e ? e->e.path : "nothing");
	}
	const struct co_tree_entry *dir = co_tree_find(&t, "usr");
	auto_buf none = CO_BUF_INIT(CO_BUF_SMALL);
	assert_int_equal(co_report_cat(&v, &t, dir, co_sink_buf(&none), &err), CO_E_INVALID);
	co_view_release(&v);
	image_close(&im);
}

static void slurp_is(struct image *im, const char *path, size_t max, int code, const char *want)
{
	struct co_view v;
	struct co_err err = CO_ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	image_view(im, &v);
	int r = co_report_slurp(&v, path, max, &text, &len, &err);
	if (r != code)
		fail_msg("%s: %d %s", path, r, err.msg);
	if (!want)
		assert_null(text);
	else
		assert_string_equal(text, want);
	if (want)
		assert_int_equal(len, strlen(want));
	free(text);
	co_view_release(&v);
}

static void slurp(void **state)
{
	(void)state;
	struct image im;
	image_open(&im);
	image_add(&im, "d etc|f etc/passwd=old|f etc/group=g|f gone=x|f hidden/x=1|f t=far");
	image_add(&im, "f .wh.gone|f etc/.wh.group|d hidden|f hidden/.wh..wh..opq|h far>t");
	image_add(&im, "f etc/passwd=new|l etc/link>/etc/passwd|f empty|p pipe");
	image_finish(&im);
	slurp_is(&im, "etc/passwd", 100, 0, "new");
	slurp_is(&im, "/etc/passwd", 3, 0, "new");
	slurp_is(&im, "etc/passwd", 2, CO_E_LIMIT, NULL);
	slurp_is(&im, "etc/link", 100, 0, "new");
	slurp_is(&im, "etc/group", 100, 0, NULL);
	slurp_is(&im, "gone", 100, 0, NULL);
	slurp_is(&im, "hidden/x", 100, 0, NULL);
	slurp_is(&im, "nope", 100, 0, NULL);
	slurp_is(&im, "empty", 100, 0, "");
	slurp_is(&im, "far", 100, 0, "far");
	slurp_is(&im, "etc", 100, CO_E_INVALID, NULL);
	slurp_is(&im, "pipe", 100, CO_E_INVALID, NULL);
	image_close(&im);
}

/* Only the layers that are needed are read: the bottom one is not even there. */
static void slurp_stops_early(void **state)
{
	(void)state;
	struct image im;
	struct co_view v;
	struct co_tree t;
	struct co_err err = CO_ERR_INIT;
	char path[200], hex[CO_DIGEST_TEXT];
	image_open(&im);
	image_add(&im, "f etc/passwd=old");
	image_add(&im, "f etc/passwd=new");
	image_finish(&im);
	snprintf(path, sizeof(path), "%s/store/blobs/sha256/%s", im.dir,
		 co_digest_hex(&im.manifest.layers[0].digest, hex));
	assert_int_equal(unlink(path), 0);
	slurp_is(&im, "etc/passwd", 100, 0, "new");
	slurp_is(&im, "etc/group", 100, CO_E_NOT_FOUND, NULL);
	image_view(&im, &v);
	assert_int_equal(co_report_tree(&t, &im.arena, &v, &err), CO_E_NOT_FOUND);
	assert_non_null(strstr(err.msg, "layer 0"));
	co_view_release(&v);
	image_close(&im);
}

static int tree_code(struct image *im)
{
	struct co_view v;
	struct co_tree t;
	struct co_err err = CO_ERR_INIT;
	image_finish(im);
	image_view(im, &v);
	int r = co_report_tree(&t, &im->arena, &v, &err);
	if (r < 0) {
		/* the same answer, and nothing is published */
		auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
		struct co_err again = CO_ERR_INIT;
		assert_int_equal(co_report_export(&v, co_sink_buf(&out), &again), r);
	}
	co_view_release(&v);
	return r;
}

static void hostile_layers(void **state)
{
	(void)state;
	static const struct {
		const char *spec;
		int code;
	} rows[] = {{"f ../x=1", CO_E_INVALID},
		    {"f a/../../x=1", CO_E_INVALID},
		    {"f .wh.", CO_E_INVALID},
		    {"f a/.wh..", CO_E_INVALID},
		    {"f .wh.../x", CO_E_INVALID},
		    {"f .wh.a/x", CO_E_INVALID},
		    {"h a>a", 0},
		    {"h a>b|h b>a", 0},
		    {"h a>nope", 0},
		    {"l a>a|f a/x=1", 0},
		    {"l a>b|l b>a|f a/x=1", 0},
		    {"f a=1|f a/x=1", 0},
		    {"l a>../../..|f a/x=1", 0}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image im;
		image_open(&im);
		image_add(&im, rows[i].spec);
		int r = tree_code(&im);
		if (r != rows[i].code)
			fail_msg("%s: %d", rows[i].spec, r);
		image_close(&im);
	}
}

static void wrong_diff_id(void **state)
{
	(void)state;
	struct image im;
	image_open(&im);
	image_add(&im, "f a=1");
	im.config.diff_ids[0].bytes[5] ^= 1;
	assert_int_equal(tree_code(&im), CO_E_INTEGRITY);
	image_close(&im);
}

static void no_tar(void **state)
{
	(void)state;
	struct image im;
	image_open(&im);
	image_add_tar(&im, "this is no archive at all, but a text", 37);
	assert_int_equal(tree_code(&im), CO_E_INVALID);
	image_close(&im);
}

/* Attributes, owners, times, long names and large files survive an export. */
static void export_keeps(void **state)
{
	(void)state;
	struct image im;
	struct co_view v;
	struct co_err err = CO_ERR_INIT;
	auto_buf tar = CO_BUF_INIT(64u << 20), out = CO_BUF_INIT(64u << 20);
	struct raw_member m = {
		.type = '0', .name = "f", .mode = 04755, .uid = 70000, .gid = 5, .mtime = 12345};
	size_t big = 3u << 20;
	auto_free char *data = malloc(big);
	memset(data, 'z', big);
	m.data = data;
	m.size = big;
	image_open(&im);
	raw_pax(&tar, "SCHILY.xattr.user.k", "v\0w", 3);
	raw_add(&tar, &m);
	raw_end(&tar);
	image_add_tar(&im, tar.data, tar.len);
	image_finish(&im);
	image_view(&im, &v);
	assert_int_equal(co_report_export(&v, co_sink_buf(&out), &err), 0);
	struct co_tar_reader *r;
	struct co_tar_entry e;
	assert_int_equal(co_tar_reader_open(&r, co_stream_mem(out.data, out.len), NULL, &err), 0);
	assert_int_equal(co_tar_next(r, &e, &err), 1);
	assert_string_equal(e.path, "f");
	assert_int_equal(e.mode, S_IFREG | 04755);
	assert_int_equal(e.uid, 70000);
	assert_int_equal(e.gid, 5);
	assert_int_equal(e.mtime.tv_sec, 12345);
	assert_int_equal(e.size, big);
	assert_int_equal(e.n_xattrs, 1);
	assert_string_equal(e.xattrs[0].name, "user.k");
	assert_memory_equal(e.xattrs[0].value, "v\0w", 3);
	auto_free char *got = malloc(big);
	size_t at = 0;
	for (ssize_t n; at < big && (n = co_tar_read(r, got + at, big - at, &err)) > 0;)
		at += (size_t)n;
	assert_int_equal(at, big);
	assert_memory_equal(got, data, big);
	assert_int_equal(co_tar_next(r, &e, &err), 0);
	co_tar_reader_close(r);
	co_view_release(&v);
	image_close(&im);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(indexes),
		cmocka_unit_test(not_there),
		cmocka_unit_test(inspect),
		cmocka_unit_test(history),
		cmocka_unit_test(find_through_links),
		cmocka_unit_test(slurp),
		cmocka_unit_test(slurp_stops_early),
		cmocka_unit_test(hostile_layers),
		cmocka_unit_test(wrong_diff_id),
		cmocka_unit_test(no_tar),
		cmocka_unit_test(export_keeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
