/* SPDX-License-Identifier: MIT */
#include "oci_test.h"

static void parses(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"Linux/AMD64/v1", "linux/amd64"},
		{"linux/amd64/v3", "linux/amd64/v3"},
		{"linux/aarch64", "linux/arm64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/8", "linux/arm64"},
		{"linux/arm64/v8.0", "linux/arm64"},
		{"linux/arm64/v9", "linux/arm64/v9"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/6", "linux/arm/v6"},
		{"linux/armhf", "linux/arm/v7"},
		{"linux/armel", "linux/arm/v6"},
		{"linux/i386", "linux/386"},
		{"linux/i686", "linux/386"},
		{"arm64", "linux/arm64"},
		{"s390x", "linux/s390x"},
		{"macos/arm64", "darwin/arm64"},
		{"windows/amd64", "windows/amd64"},
		{"linux/riscv64", "linux/riscv64"},
		{"linux/ppc64el", "linux/ppc64le"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct co_platform p;
		struct co_err err = CO_ERR_INIT;
		char buf[128];
		assert_ok(co_platform_parse(&p, rows[i].text, &err), &err);
		assert_string_equal(co_platform_str(&p, buf, sizeof(buf)), rows[i].want);
	}
}

static void refuses(void **state)
{
	static const char *const rows[] = {"",
					   "/",
					   "linux/",
					   "/amd64",
					   "linux//v7",
					   "linux/arm/v7/x",
					   "linux/arm/v7/",
					   "toaster",
					   "linux/amd 64",
					   "lin\nux/amd64",
					   "windows(10.0)/amd64",
					   "../amd64",
					   "linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct co_platform p = {.os = "untouched"};
		struct co_err err = CO_ERR_INIT;
		assert_int_equal(co_platform_parse(&p, rows[i], &err), CO_E_USAGE);
		assert_string_equal(p.os, "untouched");
		assert_true(err.hint[0]);
	}
}

static void host(void **state)
{
	struct co_platform p, q;
	struct co_err err = CO_ERR_INIT;
	(void)state;
	co_platform_host(&p);
	assert_string_equal(p.os, "linux");
	assert_true(p.arch[0] && !strchr(p.arch, '_'));
	/* a system alone means this machine's architecture */
	assert_ok(co_platform_parse(&q, "linux", &err), &err);
	assert_true(co_platform_eq(&p, &q));
}

static void equality(void **state)
{
	struct co_platform a = {"linux", "arm64", "v8"}, b = {"linux", "aarch64", ""};
	struct co_platform c = {"linux", "arm", ""}, d = {"linux", "arm", "v6"};
	(void)state;
	assert_true(co_platform_eq(&a, &b));
	assert_false(co_platform_eq(&a, &c));
	assert_false(co_platform_eq(&c, &d));
}

/* "wanted: entries of the index = the one chosen", counting from 0; -1 for none. */
static void selection(void **state)
{
	static const struct {
		const char *want, *have[5];
		int chosen;
	} rows[] = {
		{"linux/amd64", {"linux/arm64", "linux/amd64"}, 1},
		{"linux/amd64", {"linux/amd64", "linux/amd64"}, 0}, /* among equals the first */
		{"linux/amd64", {"linux/arm64", "linux/s390x"}, -1},
		{"linux/amd64", {"windows/amd64"}, -1},
		{"linux/amd64", {"linux/amd64/v3", "linux/amd64/v2"}, -1},
		{"linux/amd64/v3", {"linux/amd64", "linux/amd64/v2", "linux/386"}, 1},
		{"linux/amd64/v3", {"linux/amd64/v4", "linux/386", "linux/amd64"}, 2},
		{"linux/amd64", {"linux/386", "linux/arm64"}, 0},
		{"linux/amd64", {"linux/386", "linux/amd64"}, 1},
		{"linux/386", {"linux/amd64"}, -1},
		{"linux/arm64", {"linux/arm64/v8"}, 0},
		{"linux/arm64/v8", {"linux/arm64"}, 0},
		{"linux/arm64", {"linux/arm64/v9", "linux/arm/v7"}, 1},
		{"linux/arm64/v9", {"linux/arm64/v8", "linux/arm64/v8.4"}, 1},
		{"linux/arm64/v8.2", {"linux/arm64/v8.3", "linux/arm64"}, 1},
		{"linux/arm64", {"linux/arm/v5", "linux/arm/v6", "linux/arm/v7"}, 2},
		{"linux/arm", {"linux/arm/v5", "linux/arm/v7", "linux/arm64"}, 1},
		{"linux/arm/v7", {"linux/arm/v5", "linux/arm/v6"}, 1},
		{"linux/arm/v6", {"linux/arm/v7", "linux/arm/v5"}, 1},
		{"linux/arm/v5", {"linux/arm/v6"}, -1},
		{"linux/amd64", {"unknown/unknown"}, -1},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct co_descriptor list[5] = {0};
		struct co_index ix = {.manifests = list};
		struct co_platform want;
		struct co_err err = CO_ERR_INIT;
		for (; ix.n < 5 && rows[i].have[ix.n]; ix.n++) {
			strcpy(list[ix.n].media_type, CO_MT_OCI_MANIFEST);
			assert_ok(co_platform_parse(&list[ix.n].platform, rows[i].have[ix.n], &err),
				  &err);
		}
		assert_ok(co_platform_parse(&want, rows[i].want, &err), &err);
		const struct co_descriptor *d = co_index_select(&ix, &want);
		int got = d ? (int)(d - list) : -1;
		if (got != rows[i].chosen)
			fail_msg("row %zu (%s): chose %d, not %d", i, rows[i].want, got,
				 rows[i].chosen);
	}
}

static void selection_skips_what_is_no_image(void **state)
{
	struct co_platform want = {"linux", "amd64", ""};
	struct co_descriptor list[3] = {0};
	struct co_index ix = {.manifests = list, .n = 3};
	json_t *notes = json_pack("{s:s}", "vnd.docker.reference.type", "attestation-manifest");
	(void)state;
	for (int i = 0; i < 3; i++)
		strcpy(list[i].media_type, CO_MT_OCI_MANIFEST);
	list[0].annotations = notes;
	list[0].platform = want;
	strcpy(list[1].media_type, "application/vnd.example.thing");
	list[1].platform = want;
	/* the only image has no platform: it is the one */
	assert_ptr_equal(co_index_select(&ix, &want), &list[2]);
	/* two without: no telling */
	list[1] = list[2];
	assert_null(co_index_select(&ix, &want));
	json_decref(notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),    cmocka_unit_test(refuses),
		cmocka_unit_test(host),	     cmocka_unit_test(equality),
		cmocka_unit_test(selection), cmocka_unit_test(selection_skips_what_is_no_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
