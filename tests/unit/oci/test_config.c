/* SPDX-License-Identifier: MIT */
#include "oci_test.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static int parse(struct co_config *c, struct co_arena *a, const char *json, struct co_err *err)
{
	return co_config_parse(c, a, json, strlen(json), err);
}

static void rewrite(const char *json, const char *want)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_config c;
	struct co_err err = CO_ERR_INIT;
	assert_ok(parse(&c, &a, json, &err), &err);
	co_config_write(&out, &c);
	assert_string_equal(co_buf_str(&out), want);
}

/* What BuildKit writes comes out as it went in. */
static void round_trips(void **state)
{
	static const char *const rows[] = {
		"{\"architecture\":\"amd64\",\"config\":{},\"history\":[],\"os\":\"linux\","
		"\"rootfs\":"
		"{\"type\":\"layers\",\"diff_ids\":[]}}",
		"{\"architecture\":\"arm64\",\"author\":\"me "
		"\\u003cme@x\\u003e\",\"config\":{\"User\":"
		"\"10001\",\"ExposedPorts\":{\"80/tcp\":{},\"8080/udp\":{}},\"Env\":[\"PATH=/bin\","
		"\"A=b\\u0026c\\n\",\"E=\"],\"Entrypoint\":[\"/app\"],\"Cmd\":[\"--serve\"],"
		"\"Volumes\":{\"/data\":{}},\"WorkingDir\":\"/"
		"srv\",\"Labels\":{\"a\":\"\",\"k\":\"v\"}"
		",\"StopSignal\":\"SIGTERM\",\"ArgsEscaped\":true,\"Healthcheck\":{\"Test\":["
		"\"CMD-SHELL\",\"curl -f http://localhost/\"],\"Interval\":30000000000,\"Timeout\":"
		"3000000000,\"StartPeriod\":5000000000,\"StartInterval\":1000000000,\"Retries\":3},"
		"\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/bash\",\"-c\"]},\"created\":"
		"\"2026-01-02T03:04:05Z\",\"history\":[{\"created\":\"2026-01-02T03:04:05.678Z\","
		"\"created_by\":\"RUN x # buildkit\",\"comment\":\"buildkit.dockerfile.v0\"},{"
		"\"created_by\":\"ENV "
		"A=b\",\"author\":\"me\",\"comment\":\"c\",\"empty_layer\":true}],"
		"\"os\":\"linux\",\"os.features\":[\"x\"],\"os.version\":\"1\",\"rootfs\":{"
		"\"type\":"
		"\"layers\",\"diff_ids\":[\"" D1 "\"]},\"variant\":\"v8\"}",
		/* an empty list is not an absent one; a layer may come twice */
		"{\"architecture\":\"amd64\",\"config\":{\"Entrypoint\":[],\"Cmd\":[]},\"history\":"
		"[{},"
		"{\"comment\":\"x\"}],\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_"
		"ids\":[\"" D1 "\",\"" D1 "\"]}}",
		/* members nobody here knows */
		"{\"architecture\":\"amd64\",\"config\":{\"Env\":[\"A=b\"],\"StopTimeout\":10,"
		"\"x.deep\":{\"a\":[1,null,{\"b\":-5}]}},\"history\":[],\"mysterious\":{\"z\":1,"
		"\"a\":"
		"\"\\u003c\"},\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},"
		"\"zzz\":false}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rewrite(rows[i], rows[i]);
}

static void sorts_and_drops(void **state)
{
	(void)state;
	rewrite("{\"os\":\"linux\",\"id\":\"x\",\"parent\":\"y\",\"container\":\"z\",\"docker_"
		"version\":"
		"\"1\",\"container_config\":{\"Cmd\":[\"x\"]},\"moby.buildkit.cache.v0\":\"AA\","
		"\"architecture\":\"amd64\",\"config\":{\"Hostname\":\"h\",\"AttachStdin\":false,"
		"\"Image\":\"sha256:x\",\"OnBuild\":null,\"Entrypoint\":null,\"Labels\":{\"b\":"
		"\"1\","
		"\"a\":\"2\"},\"Volumes\":{\"/z\":{},\"/"
		"a\":{}},\"Env\":null},\"rootfs\":{\"diff_ids\":"
		"null}}",
		"{\"architecture\":\"amd64\",\"config\":{\"Volumes\":{\"/a\":{},\"/"
		"z\":{}},\"Labels\":{"
		"\"a\":\"2\",\"b\":\"1\"}},\"history\":[],\"os\":\"linux\",\"rootfs\":{\"type\":"
		"\"layers\",\"diff_ids\":[]}}");
}

static void history_fits_the_layers(void **state)
{
	(void)state;
	/* too many entries: the later ones become empty */
	rewrite("{\"architecture\":\"a\",\"os\":\"l\",\"history\":[{\"created_by\":\"1\"},"
		"{\"created_by\":\"2\"},{\"created_by\":\"3\",\"empty_layer\":true}],"
		"\"rootfs\":{\"diff_ids\":[\"" D1 "\"]}}",
		"{\"architecture\":\"a\",\"config\":{},\"history\":[{\"created_by\":\"1\"},"
		"{\"created_by\":\"2\",\"empty_layer\":true},{\"created_by\":\"3\",\"empty_layer\":"
		"true}],\"os\":\"l\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]}}");
	/* too few */
	rewrite("{\"architecture\":\"a\",\"os\":\"l\",\"history\":[{\"created_by\":\"1\"}],"
		"\"rootfs\":{\"diff_ids\":[\"" D1 "\",\"" D2 "\"]}}",
		"{\"architecture\":\"a\",\"config\":{},\"history\":[{\"created_by\":\"1\"},"
		"{\"created_by\":\"created by "
		"buildkit\",\"comment\":\"buildkit.exporter.image.v0\"}],"
		"\"os\":\"l\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\",\"" D2
		"\"]}}");
}

static void refusals(void **state)
{
	static const char *const rows[] = {
		"",
		"null",
		"[]",
		"\"x\"",
		"{",
		"{\"os\":1}",
		"{\"config\":[]}",
		"{\"os\":\"linux\",\"os\":\"linux\"}",
		"{\"architecture\":\"a\",\"Architecture\":\"b\"}",
		"{\"Config\":{\"User\":\"root\"}}",
		"{\"config\":{\"user\":\"root\"}}",
		"{\"config\":{\"User\":\"a\\u0000b\"}}",
		"{\"config\":{\"Env\":\"A=b\"}}",
		"{\"config\":{\"Env\":[1]}}",
		"{\"config\":{\"Env\":[\"A=\\u0000\"]}}",
		"{\"config\":{\"Labels\":{\"a\":1}}}",
		"{\"config\":{\"Volumes\":[\"/x\"]}}",
		"{\"config\":{\"Healthcheck\":{\"Interval\":1.5}}}",
		"{\"config\":{\"Healthcheck\":{\"Retries\":\"3\"}}}",
		"{\"config\":{\"Healthcheck\":{\"Interval\":99999999999999999999}}}",
		"{\"rootfs\":{\"diff_ids\":[\"sha256:../../etc\"]}}",
		"{\"rootfs\":{\"diff_ids\":[1]}}",
		"{\"rootfs\":{\"type\":\"windows\",\"diff_ids\":[]}}",
		"{\"history\":[1]}",
		"{\"history\":{}}",
		"{\"created\":5}",
		"{\"os\":\"lllllllllllllllllllllllllllllllllllllllllllllllllllllllll\"}",
		"{\"os\":\"\xff\xfe\"}"};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_arena a = CO_ARENA_INIT;
		struct co_config c = {.created = "untouched"};
		struct co_err err = CO_ERR_INIT;
		int r = parse(&c, &a, rows[i], &err);
		if (r != CO_E_INVALID && r != CO_E_UNSUPPORTED)
			fail_msg("row %zu accepted: %s (%d)", i, rows[i], r);
		assert_string_equal(c.created, "untouched");
	}
}

static void hostile_sizes(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf b = CO_BUF_INIT(64 << 20);
	struct co_config c;
	struct co_err err = CO_ERR_INIT, deep = CO_ERR_INIT;
	(void)state;
	co_buf_adds(&b, "{\"os\":\"linux\"");
	while (b.len < (4 << 20))
		co_buf_adds(&b, "                                                                ");
	co_buf_adds(&b, "}");
	assert_int_equal(co_config_parse(&c, &a, b.data, b.len, &err), CO_E_LIMIT);
	co_buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		co_buf_adds(&b, "{\"a\":[");
	assert_int_equal(co_config_parse(&c, &a, b.data, b.len, &deep), CO_E_INVALID);
}

static void scratch(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_platform p = {"linux", "amd64", ""};
	struct co_config c, other;
	(void)state;
	co_config_init(&c, &p);
	co_config_init(&other, &p);
	co_config_write(&out, &c);
	assert_string_equal(
		co_buf_str(&out),
		"{\"architecture\":\"amd64\",\"config\":{\"Env\":[\"PATH=" CO_DEFAULT_PATH
		"\"],\"WorkingDir\":\"/\"},\"history\":[],\"os\":\"linux\",\"rootfs\":{"
		"\"type\":\"layers\",\"diff_ids\":[]}}");
	/* the default is shared, changes are not */
	co_config_setenv(&c, &a, "PATH", "/x");
	co_strs_add(&c.env, &a, "B=1");
	assert_string_equal(co_config_getenv(&c, "PATH"), "/x");
	assert_string_equal(co_config_getenv(&other, "PATH"), CO_DEFAULT_PATH);
	assert_int_equal(other.env.n, 1);
}

static void environment(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_config c;
	struct co_err err = CO_ERR_INIT;
	(void)state;
	assert_ok(parse(&c, &a,
			"{\"config\":{\"Env\":[\"A=1\",\"AB=2\",\"A=3\",\"BARE\",\"Z=a=b\"]}}",
			&err),
		  &err);
	assert_string_equal(co_config_getenv(&c, "A"), "3");
	assert_string_equal(co_config_getenv(&c, "Z"), "a=b");
	assert_string_equal(co_config_getenv(&c, "BARE"), "");
	assert_null(co_config_getenv(&c, "a"));
	assert_null(co_config_getenv(&c, "B"));
	co_config_setenv(&c, &a, "A", "4");
	co_config_setenv(&c, &a, "NEW", "");
	for (int i = 0; i < 40; i++)
		co_config_setenv(&c, &a, co_arena_printf(&a, "N%d", i), "x");
	assert_int_equal(c.env.n, 45);
	assert_string_equal(c.env.items[0], "A=4");
	assert_string_equal(c.env.items[1], "AB=2");
	assert_string_equal(c.env.items[2], "BARE");
	assert_string_equal(c.env.items[4], "NEW=");
	assert_string_equal(c.env.items[44], "N39=x");
}

/* A child stage grows its lists; the parent's stay. */
static void copies(void **state)
{
	(void)state;
	for (size_t n = 0; n < 10; n++) {
		auto_arena a = CO_ARENA_INIT;
		struct co_config parent = {.workdir = "/p"}, child;
		for (size_t i = 0; i < n; i++) {
			co_strs_add(&parent.env, &a, co_arena_printf(&a, "K%zu=v", i));
			co_config_set_label(&parent, &a, co_arena_printf(&a, "l%zu", i), "v");
		}
		co_config_copy(&child, &a, &parent);
		for (size_t i = 0; i < 9; i++) {
			co_config_setenv(&child, &a, co_arena_printf(&a, "K%zu", i), "w");
			co_config_set_label(&child, &a, co_arena_printf(&a, "l%zu", i), "w");
			co_strs_add(&child.onbuild, &a, "x");
		}
		assert_int_equal(parent.env.n, n);
		assert_int_equal(child.env.n, 9);
		assert_int_equal(child.labels.n, 9);
		assert_int_equal(parent.onbuild.n, 0);
		for (size_t i = 0; i < n; i++) {
			assert_true(strstr(parent.env.items[i], "=v") != NULL);
			assert_string_equal(parent.labels.items[i].value, "v");
			assert_string_equal(child.labels.items[i].value, "w");
		}
	}
}

static void bytes_that_are_no_utf8(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_config c = {.platform = {"linux", "amd64", ""}};
	(void)state;
	co_config_setenv(&c, &a, "A", "x\xffy");
	co_config_set_label(&c, &a, "k\xfe", "\xc3");
	co_strs_add(&c.volumes, &a, "/v\xff");
	co_config_write(&out, &c);
	assert_string_equal(
		co_buf_str(&out),
		"{\"architecture\":\"amd64\",\"config\":{\"Env\":[\"A=x\xef\xbf\xbdy\"],"
		"\"Volumes\":{\"/v\xef\xbf\xbd\":{}},\"Labels\":{\"k\xef\xbf\xbd\":"
		"\"\xef\xbf\xbd\"}},\"history\":[],\"os\":\"linux\",\"rootfs\":{\"type\":"
		"\"layers\",\"diff_ids\":[]}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(sorts_and_drops),
		cmocka_unit_test(history_fits_the_layers),
		cmocka_unit_test(refusals),
		cmocka_unit_test(hostile_sizes),
		cmocka_unit_test(scratch),
		cmocka_unit_test(environment),
		cmocka_unit_test(copies),
		cmocka_unit_test(bytes_that_are_no_utf8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
