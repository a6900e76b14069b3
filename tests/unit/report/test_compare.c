/* SPDX-License-Identifier: MIT
 *
 * test_compare.c — which difference of two images is the first, and what it is called.
 */
#include "image.h"

struct row {
	const char *layers[2][2]; /* of the first and of the second image; NULL: no layer */
	const char *place, *what, *attribute, *first, *second; /* NULL: any text */
};

static void build(struct image *im, const char *const layers[2])
{
	for (int i = 0; i < 2 && layers[i]; i++)
		image_add(im, layers[i]);
	image_finish(im);
}

/* Two images in one store. */
static void start(struct image *x, struct image *y)
{
	image_open(x);
	*y = (struct image){.store = x->store, .config = x->config, .manifest = x->manifest};
}

static void finish(struct image *x, struct image *y)
{
	co_arena_release(&y->arena);
	image_close(x);
}

static int compare(struct image *x, struct image *y, struct co_difference *d)
{
	struct co_err err = CO_ERR_INIT;
	struct co_view a, b;
	image_view(x, &a);
	image_view(y, &b);
	int r = co_report_compare(d, &x->arena, &a, &b, &err);
	co_view_release(&a);
	co_view_release(&b);
	if (r < 0)
		fail_msg("%s", err.msg);
	return r;
}

static void expect(const char *is, const char *want, const char *about)
{
	if (want && strcmp(is, want) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", about, is, want);
}

static void layers(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{{{"f a=1"}, {"f a=2"}}, "layer 1 of 1", "/a", "content", NULL, NULL},
		{{{"f a=1"}, {"f a=22"}}, "layer 1 of 1", "/a", "size", "1", "2"},
		{{{"f a=1"}, {"d a"}}, "layer 1 of 1", "/a", "type", "file", "directory"},
		{{{"f a=1 | f b=1"}, {"f a=1"}}, NULL, "/b", "presence", "file", "missing"},
		{{{"f a=1"}, {"d 0 | f a=1"}}, NULL, "/0", "presence", "missing", "directory"},
		{{{"f a@0,0,644=1"}, {"f a@0,0,600=1"}}, NULL, "/a", "mode", "0644", "0600"},
		{{{"f a@1,2,644=1"}, {"f a@1,3,644=1"}}, NULL, "/a", "owner", "1:2", "1:3"},
		{{{"l a>x"}, {"l a>y"}}, NULL, "/a", "link target", "x", "y"},
		{{{"f x=1 | h a>x"}, {"f x=1 | f a=1"}}, NULL, "/a", "type", "hard link", "file"},
		{{{"c a:1,3"}, {"c a:1,5"}}, NULL, "/a", "device number", "1:3", "1:5"},
		/* the lower layer is the one to mend */
		{{{"f a=1", "f b=1"}, {"f a=2", "f b=2"}}, "layer 1 of 2", "/a", "content"},
		{{{"f a=1", "f b=1"}, {"f a=1", "f b=2"}}, "layer 2 of 2", "/b", "content"},
		/* the first path of a walk, not of the archive */
		{{{"f z=1 | f b=1"}, {"f z=2 | f b=2"}}, NULL, "/b", "content"},
		{{{"f a=1 | f b=1"}, {"f b=1 | f a=1"}}, NULL, "", "archive format"},
		{{{"f a=1", "f b=1"}, {"f a=1"}}, "manifest", "", "number of layers", "2", "1"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct image x, y;
		struct co_difference d;
		char about[64];
		start(&x, &y);
		build(&x, r->layers[0]);
		build(&y, r->layers[1]);
		snprintf(about, sizeof(about), "row %zu", i);
		if (compare(&x, &y, &d) != 1)
			fail_msg("%s: no difference", about);
		expect(d.place, r->place, about);
		expect(d.what, r->what, about);
		expect(d.attribute, r->attribute, about);
		expect(d.values[0], r->first, about);
		expect(d.values[1], r->second, about);
		assert_non_null(d.why);
		assert_true(d.why[0]);
		if (r->place && strstr(r->place, "layer"))
			expect(d.step, r->place[6] == '1' ? "layer 0" : "layer 1", about);
		finish(&x, &y);
	}
}

static void documents(void **state)
{
	(void)state;
	struct image x, y;
	struct co_difference d;
	start(&x, &y);
	image_add(&x, "f a=1");
	image_add(&y, "f a=1");
	image_finish(&x);
	image_finish(&y);
	assert_int_equal(compare(&x, &y, &d), 0);
	co_config_setenv(&x.config, &x.arena, "A", "1");
	co_config_setenv(&y.config, &y.arena, "A", "2");
	image_finish(&x);
	image_finish(&y);
	assert_int_equal(compare(&x, &y, &d), 1);
	assert_string_equal(d.place, "config");
	assert_non_null(strstr(d.what, "Env["));
	assert_string_equal(d.attribute, "value");
	y.config = x.config;
	y.config.created = "2026-01-02T03:04:06Z";
	image_finish(&y);
	assert_int_equal(compare(&x, &y, &d), 1);
	assert_string_equal(d.what, "created");
	assert_non_null(strstr(d.why, "SOURCE_DATE_EPOCH"));
	/* the same config, and a note at the manifest */
	y.config = x.config;
	auto_json notes = json_pack("{s:s}", "k", "v");
	y.manifest.annotations = notes;
	image_finish(&y);
	assert_int_equal(compare(&x, &y, &d), 1);
	assert_string_equal(d.place, "manifest");
	assert_non_null(strstr(d.what, "annotations"));
	finish(&x, &y);
}

/* Known causes by name, whatever differs in the content. */
static void causes(void **state)
{
	(void)state;
	static const char *const rows[][2] = {{"f m.pyc=1", "PYTHONDONTWRITEBYTECODE"},
					      {"f var/log/x=1", "log"},
					      {"f x.gz=1", "gzip -n"},
					      {"f etc/machine-id=1", "identity"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image x, y;
		struct co_difference d;
		auto_free char *other = strdup(rows[i][0]);
		other[strlen(other) - 1] = '2';
		start(&x, &y);
		image_add(&x, rows[i][0]);
		image_add(&y, other);
		image_finish(&x);
		image_finish(&y);
		assert_int_equal(compare(&x, &y, &d), 1);
		if (!strstr(d.why, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], d.why);
		finish(&x, &y);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(layers), cmocka_unit_test(documents),
					   cmocka_unit_test(causes)};
	return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
