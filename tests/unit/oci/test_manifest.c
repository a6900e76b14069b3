/* SPDX-License-Identifier: MIT */
#include "oci_test.h"

#define D1	   "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2	   "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define CONFIG(mt) "{\"mediaType\":\"" mt "\",\"digest\":\"" D1 "\",\"size\":7}"
#define OCI_CONFIG CONFIG("application/vnd.oci.image.config.v1+json")
#define LAYER                                                                                      \
	"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"" D2          \
	"\",\"size\":9}"
#define HEAD "\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
#define GOOD "{" HEAD "\"config\":" OCI_CONFIG ",\"layers\":[" LAYER "]}"

static int parse(const char *json, const char *type, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_manifest m;
	int r = co_manifest_parse(&m, &a, json, strlen(json), type, err);
	if (!r)
		co_manifest_release(&m);
	return r;
}

static void reads(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_manifest m;
	struct co_err err = CO_ERR_INIT;
	static const char json[] =
		"{" HEAD "\"artifactType\":\"text/x\",\"config\":" OCI_CONFIG ",\"layers\":[" LAYER
		"," LAYER "],\"subject\":" LAYER ",\"annotations\":{\"b\":\"2\",\"a\":\"1\"}}";
	(void)state;
	assert_ok(co_manifest_parse(&m, &a, json, strlen(json), CO_MT_OCI_MANIFEST, &err), &err);
	assert_string_equal(m.media_type, CO_MT_OCI_MANIFEST);
	assert_string_equal(m.artifact_type, "text/x");
	assert_int_equal(m.config.size, 7);
	assert_int_equal(m.n_layers, 2);
	assert_string_equal(m.layers[1].media_type, CO_MT_OCI_LAYER_GZIP);
	assert_true(m.has_subject);
	assert_string_equal(co_json_str(m.annotations, "a"), "1");
	co_manifest_release(&m);
}

static void accepts(void **state)
{
	static const struct {
		const char *json, *type;
	} rows[] = {
		{GOOD, NULL},
		{GOOD, ""},
		{GOOD, CO_MT_OCI_MANIFEST},
		{GOOD, "Application/vnd.oci.image.manifest.v1+json; charset=utf-8"},
		/* the old OCI form without a type of its own */
		{"{\"schemaVersion\":2,\"config\":" OCI_CONFIG ",\"layers\":[]}", NULL},
		{"{\"schemaVersion\":2,\"config\":" OCI_CONFIG ",\"layers\":[]}",
		 CO_MT_DOCKER_MANIFEST},
		{"{\"schemaVersion\":2,\"config\":" OCI_CONFIG ",\"layers\":null}", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct co_err err = CO_ERR_INIT;
		assert_ok(parse(rows[i].json, rows[i].type, &err), &err);
	}
}

static const struct {
	const char *json, *type;
	int code;
} refused[] = {
	{"", NULL, CO_E_INVALID},
	{"[]", NULL, CO_E_INVALID},
	{"null", NULL, CO_E_INVALID},
	{"{}", NULL, CO_E_INVALID},
	/* two readings (CVE-2021-41190) */
	{"{" HEAD "\"config\":" OCI_CONFIG ",\"layers\":[],\"manifests\":[]}", NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":" OCI_CONFIG ",\"layers\":[],\"Manifests\":[]}", NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":" OCI_CONFIG ",\"layers\":[],\"Layers\":[]}", NULL, CO_E_INVALID},
	{GOOD, CO_MT_OCI_INDEX, CO_E_INVALID},
	{GOOD, CO_MT_DOCKER_MANIFEST, CO_E_INVALID},
	{GOOD, "application/json", CO_E_INVALID},
	{"{\"schemaVersion\":2,\"config\":" OCI_CONFIG ",\"layers\":[]}", CO_MT_OCI_INDEX,
	 CO_E_INVALID},
	{"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
	 "\"config\":" OCI_CONFIG ",\"layers\":[]}",
	 NULL, CO_E_INVALID},
	{"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, CO_E_UNSUPPORTED},
	{"{\"schemaVersion\":\"2\"}", NULL, CO_E_INVALID},
	{"{\"schemaVersion\":2.0,\"config\":" OCI_CONFIG ",\"layers\":[]}", NULL, CO_E_INVALID},
	{"{" HEAD "\"layers\":[]}", NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":" OCI_CONFIG "}", NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":null,\"layers\":[]}", NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":" OCI_CONFIG ",\"layers\":{}}", NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":" OCI_CONFIG ",\"layers\":[1]}", NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":" OCI_CONFIG ",\"layers\":[],\"subject\":7}", NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":" OCI_CONFIG ",\"layers\":[],\"annotations\":[]}", NULL,
	 CO_E_INVALID},
	/* descriptors */
	{"{" HEAD "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"sha256:../../x\",\"size\":1},"
	 "\"layers\":[]}",
	 NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"a/b\",\"size\":1},\"layers\":[]}", NULL,
	 CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1
	 "\",\"size\":-1},\"layers\":[]}",
	 NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1
	 "\",\"size\":1.5},\"layers\":[]}",
	 NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1
	 "\",\"size\":99999999999999999999},\"layers\":[]}",
	 NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1 "\"},\"layers\":[]}", NULL,
	 CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"\",\"digest\":\"" D1 "\",\"size\":1},\"layers\":[]}",
	 NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"a b\\n\",\"digest\":\"" D1
	 "\",\"size\":1},\"layers\":[]}",
	 NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1
	 "\",\"size\":1,\"platform\":{\"os\":7}},\"layers\":[]}",
	 NULL, CO_E_INVALID},
	{"{" HEAD "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" D1
	 "\",\"size\":1,\"annotations\":{\"a\":1}},\"layers\":[]}",
	 NULL, CO_E_INVALID},
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct co_err err = CO_ERR_INIT;
		int r = parse(refused[i].json, refused[i].type, &err);
		if (r != refused[i].code)
			fail_msg("row %zu: %d (%s): %s", i, r, err.msg, refused[i].json);
	}
}

static void writes(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_manifest m;
	struct co_err err = CO_ERR_INIT;
	static const char text[] =
		"{\n  \"schemaVersion\": 2,\n"
		"  \"mediaType\": \"application/vnd.oci.image.manifest.v1+json\",\n"
		"  \"config\": {\n"
		"    \"mediaType\": \"application/vnd.oci.image.config.v1+json\",\n"
		"    \"digest\": \"" D1 "\",\n    \"size\": 7\n  },\n"
		"  \"layers\": [\n    {\n"
		"      \"mediaType\": \"application/vnd.oci.image.layer.v1.tar+gzip\",\n"
		"      \"digest\": \"" D2 "\",\n      \"size\": 9,\n"
		"      \"annotations\": {\n        \"k\": \"\\u003cv\\u003e\"\n      }\n"
		"    }\n  ],\n"
		"  \"annotations\": {\n    \"a\": \"1\",\n    \"b\": \"2\"\n  }\n}";
	(void)state;
	assert_ok(co_manifest_parse(&m, &a, text, strlen(text), NULL, &err), &err);
	co_manifest_write(&out, &m);
	co_manifest_release(&m);
	assert_string_equal(co_buf_str(&out), text);
	/* no layers is a list, not null */
	co_buf_clear(&out);
	m = (struct co_manifest){0};
	co_manifest_write(&out, &m);
	assert_non_null(strstr(co_buf_str(&out), "\"layers\": []"));
}

static void index_round_trip(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_index ix;
	struct co_err err = CO_ERR_INIT;
	static const char text[] =
		"{\n  \"schemaVersion\": 2,\n"
		"  \"mediaType\": \"application/vnd.oci.image.index.v1+json\",\n"
		"  \"manifests\": [\n    {\n"
		"      \"mediaType\": \"application/vnd.oci.image.manifest.v1+json\",\n"
		"      \"digest\": \"" D1 "\",\n      \"size\": 5,\n"
		"      \"platform\": {\n        \"architecture\": \"arm\",\n        \"os\": "
		"\"linux\",\n"
		"        \"variant\": \"v7\"\n      }\n    }\n  ]\n}";
	(void)state;
	assert_ok(co_index_parse(&ix, &a, text, strlen(text), CO_MT_OCI_INDEX, &err), &err);
	assert_int_equal(ix.n, 1);
	assert_string_equal(ix.manifests[0].platform.variant, "v7");
	co_index_write(&out, &ix);
	co_index_release(&ix);
	assert_string_equal(co_buf_str(&out), text);
}

static void index_refuses(void **state)
{
	static const struct {
		const char *json, *type;
	} rows[] = {
		{"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", NULL},
		{"{\"schemaVersion\":2,\"manifests\":[],\"Layers\":[]}", NULL},
		{"{\"schemaVersion\":2,\"manifests\":[],\"config\":{}}", NULL},
		{"{\"schemaVersion\":2}", NULL},
		{"{\"schemaVersion\":2,\"manifests\":{}}", NULL},
		{"{\"schemaVersion\":2,\"manifests\":[]}", CO_MT_OCI_MANIFEST},
		{"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		 "\"manifests\":[]}",
		 CO_MT_DOCKER_LIST},
		{GOOD, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_arena a = CO_ARENA_INIT;
		struct co_index ix;
		struct co_err err = CO_ERR_INIT;
		if (co_index_parse(&ix, &a, rows[i].json, strlen(rows[i].json), rows[i].type,
				   &err) != CO_E_INVALID)
			fail_msg("row %zu accepted", i);
	}
}

static void too_large(void **state)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_manifest m;
	struct co_index ix;
	struct co_err err = CO_ERR_INIT, other = CO_ERR_INIT;
	size_t len = (4u << 20) + 1;
	auto_free char *big = co_xcalloc(1, len);
	(void)state;
	memset(big, ' ', len);
	assert_int_equal(co_manifest_parse(&m, &a, big, len, NULL, &err), CO_E_LIMIT);
	assert_int_equal(co_index_parse(&ix, &a, big, len, NULL, &other), CO_E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(writes),
		cmocka_unit_test(index_round_trip),
		cmocka_unit_test(index_refuses),
		cmocka_unit_test(too_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
