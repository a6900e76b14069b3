/* SPDX-License-Identifier: MIT
 *
 * test_layout.c — OCI layout directories and archives that cooper writes and reads itself.
 */
#include "oci_test.h"
#include "../stream/rawtar.h"
#include <dirent.h>

static const char *const two_names[] = {"app:1.2", "reg.example:5000/team/app", NULL};

/* Another store in the same scratch directory. */
static struct co_store *fresh(struct fixture *f)
{
	struct co_store *s;
	char root[300];
	snprintf(root, sizeof(root), "%s/other-XXXXXX", f->dir);
	assert_non_null(mkdtemp(root));
	assert_ok(co_store_open(&s, root, &f->err), &f->err);
	return s;
}

static int read_dir(struct fixture *f, const char *dir, const char *select,
		    struct co_descriptor *out)
{
	co_err_clear(&f->err);
	return co_layout_read_dir(f->store, dir, select, out, &f->err);
}

static int read_tar(struct fixture *f, const struct co_buf *tar, const char *select,
		    struct co_descriptor *out)
{
	co_err_clear(&f->err);
	return co_layout_read_tar(f->store, co_stream_mem(tar->data, tar->len), "x.tar", select,
				  out, &f->err);
}

static void assert_same(const struct co_descriptor *a, const struct co_descriptor *b)
{
	assert_true(co_digest_eq(&a->digest, &b->digest));
	assert_int_equal(a->size, b->size);
	assert_string_equal(a->media_type, b->media_type);
	assert_null(a->annotations);
}

/* Goes on with an empty store; the old one is closed. */
static void start_over(struct fixture *f)
{
	struct co_store *s = fresh(f);
	co_store_close(f->store);
	f->store = s;
	snprintf(f->root, sizeof(f->root), "%s", co_store_path(s));
}

static void directory(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor a = put_image(f, "a", 2, CO_COMP_GZIP, "linux/amd64");
	struct co_descriptor b = put_image(f, "b", 1, CO_COMP_ZSTD, "linux/arm64"), got;
	const char *dir = in_dir(f, "new/layout");
	char digest[CO_DIGEST_TEXT];
	struct stat st;
	assert_ok(co_layout_write_dir(f->store, &a, two_names, dir, &f->err), &f->err);
	assert_ok(co_layout_write_dir(f->store, &b, NULL, dir, &f->err), &f->err);
	assert_int_equal(stat(co_arena_printf(&f->arena, "%s/oci-layout", dir), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	start_over(f);
	assert_ok(read_dir(f, dir, "1.2", &got), &f->err);
	assert_same(&got, &a);
	assert_complete(f, &got);
	static const char *const selects[] = {"app:1.2", "docker.io/library/app:1.2", "latest",
					      "reg.example:5000/team/app"};
	for (size_t i = 0; i < 4; i++) {
		assert_ok(read_dir(f, dir, selects[i], &got), &f->err);
		assert_same(&got, &a);
	}
	assert_ok(read_dir(f, dir, co_digest_str(&b.digest, digest), &got), &f->err);
	assert_same(&got, &b);
	assert_complete(f, &got);
	assert_ok(read_dir(f, dir, co_arena_printf(&f->arena, "any@%s", digest), &got), &f->err);
	assert_same(&got, &b);
	assert_int_equal(read_dir(f, dir, "2", &got), CO_E_NOT_FOUND);
	assert_int_equal(read_dir(f, dir, "sha256:12", &got), CO_E_INVALID);
	assert_int_equal(read_dir(f, dir, NULL, &got), CO_E_USAGE);
	assert_non_null(strstr(f->err.hint, "1.2"));
}

static void directory_names_move(void **state)
{
	struct fixture *f = *state;
	static const char *const name[] = {"app:1", NULL};
	struct co_descriptor a = put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64");
	struct co_descriptor b = put_image(f, "b", 1, CO_COMP_GZIP, "linux/amd64"), got;
	const char *dir = in_dir(f, "layout");
	for (int i = 0; i < 2; i++) {
		assert_ok(co_layout_write_dir(f->store, &a, name, dir, &f->err), &f->err);
		assert_ok(read_dir(f, dir, NULL, &got), &f->err);
		assert_same(&got, &a);
		assert_ok(co_layout_write_dir(f->store, &b, name, dir, &f->err), &f->err);
		assert_ok(read_dir(f, dir, NULL, &got), &f->err);
		assert_same(&got, &b);
	}
	/* a stranger's entries and members stay */
	auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY);
	static const char index[] =
		"{\"schemaVersion\":2,\"mine\":1,\"manifests\":[{\"mediaType\":"
		"\"application/vnd.example.other\",\"digest\":\"sha256:"
		"0000000000000000000000000000000000000000000000000000000000000000\",\"size\":3,"
		"\"urls\":[\"x\"],\"annotations\":{\"org.opencontainers.image.ref.name\":\"z\"}}]}";
	assert_ok(co_write_file(fd, "index.json", index, strlen(index), 0644, &f->err), &f->err);
	assert_ok(co_layout_write_dir(f->store, &a, name, dir, &f->err), &f->err);
	char *text;
	size_t len;
	assert_ok(co_read_file(fd, "index.json", 1 << 20, &text, &len, &f->err), &f->err);
	assert_non_null(strstr(text, "\"urls\""));
	assert_non_null(strstr(text, "\"mine\": 1"));
	free(text);
	assert_ok(read_dir(f, dir, NULL, &got), &f->err);
	assert_same(&got, &a);
	/* what is no index is not written over */
	assert_ok(co_write_file(fd, "index.json", "{}", 2, 0644, &f->err), &f->err);
	assert_int_equal(co_layout_write_dir(f->store, &a, name, dir, &f->err), CO_E_INVALID);
}

static void directory_of_platforms(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor list[2] = {put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64"),
					put_image(f, "b", 1, CO_COMP_GZIP, "linux/arm64")};
	struct co_descriptor ix = put_index(f, list, 2), got;
	const char *dir = in_dir(f, "layout"), *flat = in_dir(f, "flat");
	char digest[CO_DIGEST_TEXT];
	assert_ok(co_layout_write_dir(f->store, &ix, two_names, dir, &f->err), &f->err);
	assert_ok(co_layout_write_dir(f->store, &list[0], NULL, flat, &f->err), &f->err);
	assert_ok(co_layout_write_dir(f->store, &list[1], NULL, flat, &f->err), &f->err);
	start_over(f);
	assert_ok(read_dir(f, dir, NULL, &got), &f->err);
	assert_same(&got, &ix);
	assert_complete(f, &list[0]);
	assert_complete(f, &list[1]);
	start_over(f);
	/* an image inside the index */
	assert_ok(read_dir(f, dir, co_digest_str(&list[1].digest, digest), &got), &f->err);
	assert_true(co_digest_eq(&got.digest, &list[1].digest));
	assert_int_equal(got.size, list[1].size);
	assert_complete(f, &list[1]);
	assert_false(co_store_has(f->store, &list[0].digest, NULL));
	/* the platforms of one image, nameless: index.json is the image */
	assert_ok(read_dir(f, flat, NULL, &got), &f->err);
	assert_true(co_media_is_index(got.media_type));
	assert_complete(f, &list[0]);
}

static void rewrite_blob(struct fixture *f, const char *dir, const struct co_digest *d,
			 const char *text)
{
	char hex[CO_DIGEST_TEXT];
	const char *path =
		co_arena_printf(&f->arena, "%s/blobs/sha256/%s", dir, co_digest_hex(d, hex));
	assert_ok(co_write_file(AT_FDCWD, path, text, strlen(text), 0644, &f->err), &f->err);
}

static void hostile_directories(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor a = put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64"), got;
	struct co_manifest m = get_manifest(f, &a);
	const char *dir = in_dir(f, "layout");
	char hex[CO_DIGEST_TEXT];
	assert_ok(co_layout_write_dir(f->store, &a, NULL, dir, &f->err), &f->err);
	start_over(f);
	size_t n = count_files(f, "blobs/sha256");
	const char *blob = co_arena_printf(&f->arena, "%s/blobs/sha256/%s", dir,
					   co_digest_hex(&m.layers[0].digest, hex));
	rewrite_blob(f, dir, &m.layers[0].digest, "something else");
	assert_int_equal(read_dir(f, dir, NULL, &got), CO_E_INTEGRITY);
	assert_non_null(strstr(f->err.msg, hex));
	/* a pipe would hang */
	assert_int_equal(unlink(blob), 0);
	assert_int_equal(mkfifo(blob, 0600), 0);
	assert_int_equal(read_dir(f, dir, NULL, &got), CO_E_INVALID);
	/* a link leads out of the layout: looked up inside it, where there is nothing */
	assert_int_equal(unlink(blob), 0);
	assert_int_equal(symlink("/etc/passwd", blob), 0);
	assert_int_equal(read_dir(f, dir, NULL, &got), CO_E_NOT_FOUND);
	assert_int_equal(unlink(blob), 0);
	assert_int_equal(read_dir(f, dir, NULL, &got), CO_E_NOT_FOUND);
	assert_non_null(strstr(f->err.msg, hex));
	/* the config came before the layer, and is what it says it is */
	assert_true(count_files(f, "blobs/sha256") <= n + 2);
	rewrite_blob(f, dir, &a.digest, "{}");
	start_over(f);
	assert_int_equal(read_dir(f, dir, NULL, &got), CO_E_INTEGRITY);
	auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(unlinkat(fd, "oci-layout", 0), 0);
	assert_int_equal(read_dir(f, dir, NULL, &got), CO_E_INVALID);
	co_err_clear(&f->err);
	assert_ok(co_write_file(fd, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}", 30, 0644,
				&f->err),
		  &f->err);
	assert_int_equal(read_dir(f, dir, NULL, &got), CO_E_UNSUPPORTED);
	assert_int_equal(read_dir(f, in_dir(f, "nowhere"), NULL, &got), CO_E_NOT_FOUND);
}

/* index → index → … : refused at some depth, and walked once each. */
static void nested_indexes(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor list[64], got;
	struct co_descriptor d = put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64");
	const char *dir = in_dir(f, "layout");
	for (int depth = 0; depth < 4; depth++) {
		for (int i = 0; i < 64; i++)
			list[i] = d;
		d = put_index(f, list, 64);
	}
	assert_ok(co_layout_write_dir(f->store, &d, NULL, dir, &f->err), &f->err);
	assert_ok(read_dir(f, dir, NULL, &got), &f->err);
	d = put_index(f, &d, 1);
	assert_int_equal(co_layout_write_dir(f->store, &d, NULL, dir, &f->err), CO_E_INVALID);
}

static void write_tar(struct fixture *f, const struct co_descriptor *d, const char *const *names,
		      bool docker, struct co_buf *out)
{
	assert_ok(co_layout_write_tar(f->store, d, names, docker, co_sink_buf(out), &f->err),
		  &f->err);
}

static void archives(void **state)
{
	struct fixture *f = *state;
	for (int docker = 0; docker < 2; docker++) {
		auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
		auto_buf again = CO_BUF_INIT(CO_BUF_TEXT);
		struct co_descriptor a = put_image(f, "a", 2, CO_COMP_GZIP, "linux/amd64"), got;
		write_tar(f, &a, two_names, docker, &tar);
		sleep(docker ? 0 : 1);
		write_tar(f, &a, two_names, docker, &again);
		assert_int_equal(tar.len, again.len);
		assert_memory_equal(tar.data, again.data, tar.len);
		assert_true(docker == (memmem(tar.data, tar.len, "manifest.json", 13) != NULL));
		start_over(f);
		assert_ok(read_tar(f, &tar, NULL, &got), &f->err);
		assert_same(&got, &a);
		assert_complete(f, &got);
		assert_ok(read_tar(f, &tar, "1.2", &got), &f->err);
		assert_ok(read_tar(f, &tar, "app:1.2", &got), &f->err);
		assert_int_equal(read_tar(f, &tar, "app:3", &got), CO_E_NOT_FOUND);
		/* nothing but the image is there, and nothing in tmp */
		assert_int_equal(count_files(f, "blobs/sha256"), 4);
		auto_dir d = opendir(co_store_tmp_path(f->store));
		for (struct dirent *e; (e = readdir(d));)
			assert_int_equal(e->d_name[0], '.');
	}
}

static void archive_members_are_sorted(void **state)
{
	struct fixture *f = *state;
	auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_descriptor a = put_image(f, "a", 3, CO_COMP_GZIP, "linux/amd64");
	struct co_tar_reader *r;
	struct co_tar_entry e;
	char last[256] = "";
	int n = 0;
	write_tar(f, &a, two_names, true, &tar);
	assert_ok(co_tar_reader_open(&r, co_stream_mem(tar.data, tar.len), NULL, &f->err), &f->err);
	while (co_tar_next(r, &e, &f->err) > 0) {
		assert_true(strcmp(last, e.path) < 0);
		snprintf(last, sizeof(last), "%s", e.path);
		assert_int_equal(e.mtime.tv_sec, 0);
		assert_int_equal(e.uid + e.gid, 0);
		assert_int_equal(e.mode & 07777, S_ISDIR(e.mode) ? 0755 : 0644);
		n++;
	}
	co_tar_reader_close(r);
	assert_int_equal(f->err.code, 0);
	assert_int_equal(n, 2 + 5 + 3);
}

static void compressed_archives(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor a = put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64"), got;
	for (int kind = CO_COMP_GZIP; kind <= CO_COMP_NONE; kind++) {
		auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
		assert_ok(co_layout_write_tar(f->store, &a, two_names, false,
					      co_sink_compress(co_sink_buf(&tar),
							       (enum co_compression)kind, -1, 1),
					      &f->err),
			  &f->err);
		assert_ok(read_tar(f, &tar, NULL, &got), &f->err);
		assert_same(&got, &a);
		/* cut short */
		tar.len -= tar.len / 3;
		assert_true(read_tar(f, &tar, NULL, &got) < 0);
	}
}

static void docker_cannot_load_zstd(void **state)
{
	struct fixture *f = *state;
	auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_descriptor a = put_image(f, "a", 2, CO_COMP_ZSTD, "linux/amd64"), got;
	struct co_manifest before = get_manifest(f, &a);
	write_tar(f, &a, two_names, true, &tar);
	start_over(f);
	assert_ok(read_tar(f, &tar, NULL, &got), &f->err);
	assert_complete(f, &got);
	struct co_manifest m = get_manifest(f, &got);
	assert_true(co_digest_eq(&m.config.digest, &before.config.digest));
	assert_string_equal(m.layers[1].media_type, CO_MT_OCI_LAYER);
	assert_null(memmem(tar.data, tar.len, "\x28\xb5\x2f\xfd", 4));
}

static void several_platforms_for_docker(void **state)
{
	struct fixture *f = *state;
	auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_platform host;
	char text[128];
	co_platform_host(&host);
	struct co_descriptor list[2] = {
		put_image(f, "other", 1, CO_COMP_GZIP, "linux/mips"),
		put_image(f, "ours", 1, CO_COMP_GZIP, co_platform_str(&host, text, sizeof(text)))};
	struct co_descriptor ix = put_index(f, list, 2), got;
	struct co_manifest m = get_manifest(f, &list[1]);
	char hex[CO_DIGEST_TEXT];
	write_tar(f, &ix, two_names, true, &tar);
	const char *want =
		co_arena_printf(&f->arena,
				"[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"app:1.2\","
				"\"reg.example:5000/team/app:latest\"],\"Layers\":[",
				co_digest_hex(&m.config.digest, hex));
	assert_non_null(memmem(tar.data, tar.len, want, strlen(want)));
	start_over(f);
	assert_ok(read_tar(f, &tar, NULL, &got), &f->err);
	assert_same(&got, &ix);
}

/* ---- docker archives of other makes ---- */

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

static void file(struct co_buf *tar, const char *name, const char *data, size_t len)
{
	raw_add(tar, &(struct raw_member){
			     .type = '0', .name = name, .data = data, .size = len, .mode = 0600});
}

static void sym(struct co_buf *tar, const char *name, const char *target)
{
	raw_add(tar, &(struct raw_member){.type = '2', .name = name, .link = target});
}

static void finish(struct co_buf *tar)
{
	for (int i = 0; i < 1024; i++)
		co_buf_addc(tar, 0);
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

static void corrupt_oci_archive(void **state)
{
	struct fixture *f = *state;
	auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_descriptor a = put_image(f, "needle-in-config", 1, CO_COMP_NONE, "linux/amd64"),
			     got;
	write_tar(f, &a, NULL, false, &tar);
	char *at = memmem(tar.data, tar.len, "needle-in-config", 16);
	assert_non_null(at);
	*at = 'N';
	start_over(f);
	assert_int_equal(read_tar(f, &tar, NULL, &got), CO_E_INTEGRITY);
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
	/* a blob that is a link to another one */
	auto_buf forged = CO_BUF_INIT(CO_BUF_TEXT);
	char index[1024], hex[CO_DIGEST_TEXT];
	struct co_digest d;
	co_digest_of(&d, "other", 5);
	file(&forged, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	file(&forged, "evil", "{}", 2);
	sym(&forged, co_arena_printf(&f->arena, "blobs/sha256/%s", co_digest_hex(&d, hex)),
	    "../../evil");
	snprintf(index, sizeof(index),
		 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" CO_MT_OCI_MANIFEST
		 "\",\"digest\":\"sha256:%s\",\"size\":2}]}",
		 hex);
	file(&forged, "index.json", index, strlen(index));
	finish(&forged);
	assert_int_equal(read_tar(f, &forged, NULL, &got), CO_E_INTEGRITY);
	assert_int_equal(count_files(f, "blobs/sha256"), 0);
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

static void missing_blob_is_not_exported(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor a = put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64");
	struct co_manifest m = get_manifest(f, &a);
	char hex[CO_DIGEST_TEXT];
	auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
	auto_free char *path =
		co_xasprintf("blobs/sha256/%s", co_digest_hex(&m.layers[0].digest, hex));
	assert_int_equal(unlinkat(co_store_fd(f->store), path, 0), 0);
	assert_int_equal(co_layout_write_tar(f->store, &a, NULL, false, co_sink_buf(&tar), &f->err),
			 CO_E_NOT_FOUND);
	assert_non_null(strstr(f->err.msg, hex));
	co_err_clear(&f->err);
	assert_int_equal(co_layout_write_dir(f->store, &a, NULL, in_dir(f, "l"), &f->err),
			 CO_E_NOT_FOUND);
	assert_int_equal(access(in_dir(f, "l/index.json"), F_OK), -1);
}

static void full_output(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor a = put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64");
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		skip();
	assert_int_equal(
		co_layout_write_tar(f->store, &a, NULL, true, co_sink_fd(fd, true, "out"), &f->err),
		CO_E_NO_SPACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(directory),
		fixture_test(directory_names_move),
		fixture_test(directory_of_platforms),
		fixture_test(hostile_directories),
		fixture_test(nested_indexes),
		fixture_test(archives),
		fixture_test(archive_members_are_sorted),
		fixture_test(compressed_archives),
		fixture_test(docker_cannot_load_zstd),
		fixture_test(several_platforms_for_docker),
		fixture_test(docker_forms),
		fixture_test(docker_with_xz),
		fixture_test(hostile_docker_archives),
		fixture_test(hostile_manifests),
		fixture_test(no_image_archives),
		fixture_test(corrupt_oci_archive),
		fixture_test(both_forms),
		fixture_test(missing_blob_is_not_exported),
		fixture_test(full_output),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
