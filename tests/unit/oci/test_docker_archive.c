/* SPDX-License-Identifier: MIT
 *
 * test_docker_archive.c — docker archives of other makes, and hostile ones.
 */
#include "archive_test.h"

struct docker {
	struct co_descriptor layer[2];
	struct co_digest diff[2];
	char *layer_text[2], *config;
	size_t layer_len[2];
	char config_hex[CO_DIGEST_TEXT];
};

static char *blob_text(struct fixture *f, const struct co_digest *d, size_t *len)
{
	char *text, *out;
	assert_ok(co_store_blob_read(f->store, d, 1 << 24, &text, len, &f->err), &f->err);
	out = co_arena_dup(&f->arena, text, *len);
	free(text);
	return out;
}

static void make_docker(struct fixture *f, struct docker *k, enum co_compression packed)
{
	char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
	struct co_digest d;
	for (int i = 0; i < 2; i++) {
		k->layer[i] = put_layer(f, "f", i ? "two" : "one", packed, &k->diff[i]);
		k->layer_text[i] = blob_text(f, &k->layer[i].digest, &k->layer_len[i]);
	}
	/* the first layer comes twice */
	k->config =
		co_arena_printf(&f->arena,
				"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":"
				"\"layers\",\"diff_ids\":[\"%s\",\"%s\",\"%s\"]}}",
				co_digest_str(&k->diff[0], a), co_digest_str(&k->diff[1], b), a);
	co_digest_of(&d, k->config, strlen(k->config));
	co_digest_hex(&d, k->config_hex);
	start_over(f);
}

static void put_manifest(struct fixture *f, struct co_buf *tar, const char *config, const char *l0,
			 const char *l1, const char *l2)
{
	const char *text = co_arena_printf(
		&f->arena,
		"[{\"Config\":\"%s\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"%s\",\"%s\",\"%s\"]}]",
		config, l0, l1, l2);
	file(tar, "manifest.json", text, strlen(text));
	finish(tar);
}

static void docker_forms(void **state)
{
	struct fixture *f = *state;
	struct docker k;
	struct co_descriptor got;
	for (int packed = CO_COMP_GZIP; packed <= CO_COMP_NONE; packed++) {
		auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
		make_docker(f, &k, (enum co_compression)packed);
		const char *config = co_arena_printf(&f->arena, "%s.json", k.config_hex);
		/* as docker before 25: a directory a layer, a link for the second copy */
		file(&tar, "aa/VERSION", "1.0", 3);
		file(&tar, "aa/layer.tar", k.layer_text[0], k.layer_len[0]);
		file(&tar, "./bb/layer.tar", k.layer_text[1], k.layer_len[1]);
		sym(&tar, "cc/layer.tar", "../aa/layer.tar");
		file(&tar, config, k.config, strlen(k.config));
		file(&tar, "repositories", "{}", 2);
		put_manifest(f, &tar, config, "aa/layer.tar", "bb/layer.tar", "cc/layer.tar");
		assert_ok(read_tar(f, &tar, NULL, &got), &f->err);
		assert_complete(f, &got);
		struct co_manifest m = get_manifest(f, &got);
		assert_int_equal(m.n_layers, 3);
		for (int i = 0; i < 3; i++) {
			assert_true(co_digest_eq(&m.layers[i].digest, &k.layer[i % 2].digest));
			assert_string_equal(m.layers[i].media_type, k.layer[i % 2].media_type);
		}
		assert_string_equal(got.platform.arch, "amd64");
		/* VERSION is not kept: manifest, config, two layers */
		assert_int_equal(count_files(f, "blobs/sha256"), 4);
		assert_ok(read_tar(f, &tar, "app:1", &got), &f->err);
		assert_ok(read_tar(f, &tar, "docker.io/library/app:1", &got), &f->err);
		assert_ok(read_tar(f, &tar, "1", &got), &f->err);
		assert_int_equal(read_tar(f, &tar, "app:2", &got), CO_E_NOT_FOUND);
	}
}

/* Layers packed in a way that no manifest can name are unpacked. */
static void docker_with_xz(void **state)
{
	struct fixture *f = *state;
	struct docker k;
	struct co_descriptor got;
	auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
	char *packed[2];
	size_t len[2];
	make_docker(f, &k, CO_COMP_NONE);
	if (system("command -v xz >/dev/null") != 0)
		skip();
	for (int i = 0; i < 2; i++) {
		const char *path = in_dir(f, i ? "l1" : "l0");
		assert_ok(co_write_file(AT_FDCWD, path, k.layer_text[i], k.layer_len[i], 0600,
					&f->err),
			  &f->err);
		assert_int_equal(system(co_arena_printf(&f->arena, "xz %s", path)), 0);
		assert_ok(co_read_file(AT_FDCWD, co_arena_printf(&f->arena, "%s.xz", path), 1 << 20,
				       &packed[i], &len[i], &f->err),
			  &f->err);
		file(&tar, i ? "b" : "a", packed[i], len[i]);
		free(packed[i]);
	}
	file(&tar, "c", k.config, strlen(k.config));
	put_manifest(f, &tar, "c", "a", "b", "a");
	assert_ok(read_tar(f, &tar, NULL, &got), &f->err);
	assert_complete(f, &got);
	struct co_manifest m = get_manifest(f, &got);
	assert_true(co_digest_eq(&m.layers[2].digest, &k.diff[0]));
	assert_string_equal(m.layers[2].media_type, CO_MT_OCI_LAYER);
}

static void hostile_docker_archives(void **state)
{
	struct fixture *f = *state;
	struct docker k;
	struct co_descriptor got;
	make_docker(f, &k, CO_COMP_NONE);
	char *wrong = co_arena_strdup(&f->arena, k.config_hex);
	wrong[0] = wrong[0] == 'a' ? 'b' : 'a';
	const char *named = co_arena_printf(&f->arena, "%s.json", k.config_hex);
	const char *misnamed = co_arena_printf(&f->arena, "%s.json", wrong);
	const struct {
		const char *config, *layer[3];
		int want;
	} rows[] = {
		{named, {"a", "b", "a"}, 0},
		{named, {"/a", "./b", "x/../a"}, 0},
		{named, {"../../a", "hard", "link"}, 0},
		{named, {"b", "b", "a"}, CO_E_INTEGRITY},
		{named, {"a", "a", "a"}, CO_E_INTEGRITY},
		{named, {"a", "b", "loop1"}, CO_E_NOT_FOUND},
		{named, {"a", "b", "out"}, CO_E_NOT_FOUND},
		{named, {"a", "b", "missing"}, CO_E_NOT_FOUND},
		{named, {"a", "b", "/etc/passwd"}, CO_E_NOT_FOUND},
		{"missing.json", {"a", "b", "a"}, CO_E_NOT_FOUND},
		{misnamed, {"a", "b", "a"}, CO_E_INTEGRITY},
		{"a", {"a", "b", "a"}, CO_E_INVALID},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
		start_over(f);
		file(&tar, "a", "decoy", 5); /* the last of one name counts */
		file(&tar, "a", k.layer_text[0], k.layer_len[0]);
		file(&tar, "b", k.layer_text[1], k.layer_len[1]);
		raw_add(&tar, &(struct raw_member){.type = '1', .name = "hard", .link = "b"});
		sym(&tar, "link", "x/../../a");
		sym(&tar, "loop1", "loop2");
		sym(&tar, "loop2", "loop1");
		sym(&tar, "out", "../../../../../../../../etc/passwd");
		sym(&tar, "/tmp/evil", "/etc/passwd");
		raw_add(&tar, &(struct raw_member){.type = '6', .name = "pipe"});
		file(&tar, named, k.config, strlen(k.config));
		file(&tar, misnamed, k.config, strlen(k.config));
		put_manifest(f, &tar, rows[i].config, rows[i].layer[0], rows[i].layer[1],
			     rows[i].layer[2]);
		int r = read_tar(f, &tar, NULL, &got);
		if (r != rows[i].want)
			fail_msg("row %zu: %d %s", i, r, f->err.msg);
		if (r == 0)
			assert_complete(f, &got);
	}
}

static void hostile_manifests(void **state)
{
	struct fixture *f = *state;
	static const char *const rows[] = {"",
					   "{",
					   "{}",
					   "[]",
					   "[1]",
					   "[{}]",
					   "[{\"Config\":1}]",
					   "[{\"Config\":\"c\",\"Layers\":{}}]",
					   "[{\"Config\":\"c\",\"Layers\":[1]}]",
					   "[{\"Config\":\"c\",\"Layers\":[\"x\"]}]"};
	struct co_descriptor got;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
		file(&tar, "c", "{\"rootfs\":{\"diff_ids\":[]}}", 26);
		file(&tar, "manifest.json", rows[i], strlen(rows[i]));
		finish(&tar);
		if (read_tar(f, &tar, NULL, &got) != CO_E_INVALID)
			fail_msg("row %zu: %d %s", i, f->err.code, f->err.msg);
	}
	auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
	auto_free char *big = co_xcalloc(1, 2 << 20);
	file(&tar, "manifest.json", big, 2 << 20);
	finish(&tar);
	assert_int_equal(read_tar(f, &tar, NULL, &got), CO_E_LIMIT);
}

static void no_image_archives(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor got;
	auto_buf plain = CO_BUF_INIT(CO_BUF_TEXT);
	auto_buf old = CO_BUF_INIT(CO_BUF_TEXT);
	auto_buf junk = CO_BUF_INIT(CO_BUF_TEXT);
	file(&plain, "etc/hostname", "x", 1);
	finish(&plain);
	assert_int_equal(read_tar(f, &plain, NULL, &got), CO_E_INVALID);
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
	file(&old, "repositories", "{}", 2);
	finish(&old);
	assert_int_equal(read_tar(f, &old, NULL, &got), CO_E_UNSUPPORTED);
	assert_int_equal(read_tar(f, &junk, NULL, &got), CO_E_INVALID);
	for (int i = 0; i < 3000; i++)
		co_buf_addc(&junk, (char)(i * 7));
	assert_int_equal(read_tar(f, &junk, NULL, &got), CO_E_INVALID);
}

/* Docker 25 and later: both forms at once, where the layout may be sparse. */
static void both_forms(void **state)
{
	struct fixture *f = *state;
	struct docker k;
	struct co_descriptor got;
	auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
	static const char index[] =
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" CO_MT_OCI_MANIFEST
		"\",\"digest\":\"sha256:"
		"0000000000000000000000000000000000000000000000000000000000000000\",\"size\":2}]}";
	make_docker(f, &k, CO_COMP_NONE);
	char hex[2][CO_DIGEST_TEXT];
	const char *paths[3];
	for (int i = 0; i < 2; i++) {
		paths[i] = co_arena_printf(&f->arena, "blobs/sha256/%s",
					   co_digest_hex(&k.layer[i].digest, hex[i]));
		file(&tar, paths[i], k.layer_text[i], k.layer_len[i]);
	}
	paths[2] = co_arena_printf(&f->arena, "blobs/sha256/%s", k.config_hex);
	file(&tar, paths[2], k.config, strlen(k.config));
	file(&tar, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	file(&tar, "index.json", index, strlen(index));
	put_manifest(f, &tar, paths[2], paths[0], paths[1], paths[0]);
	assert_ok(read_tar(f, &tar, NULL, &got), &f->err);
	assert_complete(f, &got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(docker_forms),
		fixture_test(docker_with_xz),
		fixture_test(hostile_docker_archives),
		fixture_test(hostile_manifests),
		fixture_test(no_image_archives),
		fixture_test(both_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
