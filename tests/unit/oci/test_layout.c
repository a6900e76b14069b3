/* SPDX-License-Identifier: MIT
 *
 * test_layout.c — OCI layout directories and archives that cooper writes and reads itself.
 */
#include "archive_test.h"
#include <dirent.h>

static const char *const two_names[] = {"app:1.2", "reg.example:5000/team/app", NULL};

static int read_dir(struct fixture *f, const char *dir, const char *select,
		    struct co_descriptor *out)
{
	co_err_clear(&f->err);
	return co_layout_read_dir(f->store, dir, select, out, &f->err);
}

static void assert_same(const struct co_descriptor *a, const struct co_descriptor *b)
{
	assert_true(co_digest_eq(&a->digest, &b->digest));
	assert_int_equal(a->size, b->size);
	assert_string_equal(a->media_type, b->media_type);
	assert_null(a->annotations);
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

/* Images that share a layer and a tag, in one archive and in one directory. */
static void several_images(void **state)
{
	struct fixture *f = *state;
	static const char *const names[2][2] = {{"docker.io/library/app:1", NULL},
						{"docker.io/library/db:1", NULL}};
	for (int docker = 0; docker < 2; docker++) {
		struct co_layout_image list[2] = {
			{put_image(f, "a", 1, CO_COMP_GZIP, "linux/amd64"), names[0]},
			{put_image(f, "a", 2, CO_COMP_GZIP, "linux/amd64"), names[1]}};
		const char *dir = in_dir(f, docker ? "both-d" : "both");
		auto_buf tar = CO_BUF_INIT(CO_BUF_TEXT);
		struct co_descriptor got;
		assert_ok(co_layout_write_tar_many(f->store, list, 2, docker, co_sink_buf(&tar),
						   &f->err),
			  &f->err);
		for (int i = 0; i < 2; i++)
			assert_ok(co_layout_write_dir(f->store, &list[i].desc, names[i], dir,
						      &f->err),
				  &f->err);
		start_over(f);
		assert_true(read_tar(f, &tar, NULL, &got) < 0);
		for (int i = 0; i < 2; i++) {
			assert_ok(read_tar(f, &tar, i ? "db:1" : "app:1", &got), &f->err);
			assert_same(&got, &list[i].desc);
			assert_complete(f, &got);
			assert_ok(read_dir(f, dir, i ? "db:1" : "app:1", &got), &f->err);
			assert_same(&got, &list[i].desc);
		}
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
		fixture_test(several_images),
		fixture_test(archive_members_are_sorted),
		fixture_test(compressed_archives),
		fixture_test(docker_cannot_load_zstd),
		fixture_test(several_platforms_for_docker),
		fixture_test(corrupt_oci_archive),
		fixture_test(missing_blob_is_not_exported),
		fixture_test(full_output),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
