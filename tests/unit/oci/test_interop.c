/* SPDX-License-Identifier: MIT
 *
 * test_interop.c — what other tools make of our layouts and archives, and we of theirs. Each test
 * is skipped where its tool is not installed.
 */
#include "oci_test.h"

static bool have(const char *tool)
{
	auto_free char *cmd = co_xasprintf("command -v %s >/dev/null 2>&1", tool);
	return system(cmd) == 0;
}

#define need(tool)                                                                                 \
	do {                                                                                       \
		if (!have(tool))                                                                   \
			skip();                                                                    \
	} while (0)

static void run(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A shell command in the scratch directory, which must succeed. */
static void run(struct fixture *f, const char *fmt, ...)
{
	va_list ap;
	char *cmd, *full;
	va_start(ap, fmt);
	assert_true(vasprintf(&cmd, fmt, ap) > 0);
	va_end(ap);
	full = co_xasprintf("cd %s && { %s ; } >>log 2>&1", f->dir, cmd);
	int r = system(full);
	if (r != 0) {
		auto_free char *show = co_xasprintf("tail -20 %s/log >&2", f->dir);
		r = system(show);
		fail_msg("failed: %s", cmd);
	}
	free(full);
	free(cmd);
}

static const char *const names[] = {"app:1.2", NULL};

static struct co_descriptor sample(struct fixture *f, enum co_compression packed)
{
	struct co_descriptor d = put_image(f, "interop", 3, packed, "linux/amd64");
	assert_ok(co_layout_write_dir(f->store, &d, names, in_dir(f, "layout"), &f->err), &f->err);
	return d;
}

static void to_file(struct fixture *f, const struct co_descriptor *d, bool docker, const char *name)
{
	int fd = open(in_dir(f, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_ok(co_layout_write_tar(f->store, d, names, docker, co_sink_fd(fd, true, name),
				      &f->err),
		  &f->err);
}

static void start_over(struct fixture *f)
{
	co_store_close(f->store);
	assert_ok(co_remove_tree(AT_FDCWD, f->root, &f->err), &f->err);
	assert_ok(co_store_open(&f->store, f->root, &f->err), &f->err);
}

static void from_file(struct fixture *f, const char *name, const char *select,
		      struct co_descriptor *out)
{
	int fd = open(in_dir(f, name), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(co_layout_read_tar(f->store, co_stream_fd(fd, true, name), name, select, out,
				     &f->err),
		  &f->err);
}

/* From a pipe, which cannot be rewound. */
static void from_command(struct fixture *f, const char *cmd, struct co_descriptor *out)
{
	auto_free char *full = co_xasprintf("cd %s && %s", f->dir, cmd);
	FILE *p = popen(full, "re");
	assert_non_null(p);
	assert_ok(co_layout_read_tar(f->store, co_stream_fd(fileno(p), false, "pipe"), "pipe", NULL,
				     out, &f->err),
		  &f->err);
	assert_int_equal(pclose(p), 0);
}

static void assert_config(struct fixture *f, const struct co_descriptor *d)
{
	struct co_manifest m = get_manifest(f, d);
	struct co_config c;
	char *text;
	size_t len;
	assert_complete(f, d);
	assert_ok(co_store_blob_read(f->store, &m.config.digest, 1 << 20, &text, &len, &f->err),
		  &f->err);
	assert_ok(co_config_parse(&c, &f->arena, text, len, &f->err), &f->err);
	assert_non_null(strstr(text, "\"salt\":\"interop\""));
	free(text);
	assert_int_equal(c.n_diff_ids, 3);
	assert_int_equal(m.n_layers, 3);
}

static void skopeo_reads_ours(void **state)
{
	struct fixture *f = *state;
	char hex[CO_DIGEST_TEXT];
	need("skopeo");
	struct co_descriptor d = sample(f, CO_COMP_GZIP);
	co_digest_hex(&d.digest, hex);
	to_file(f, &d, false, "oci.tar");
	to_file(f, &d, true, "docker.tar");
	run(f, "skopeo inspect oci:layout:1.2 | grep -q '\"Digest\": \"sha256:%s\"'", hex);
	run(f, "skopeo inspect oci-archive:oci.tar:1.2 | grep -q 'sha256:%s'", hex);
	run(f, "skopeo inspect oci-archive:docker.tar:1.2 | grep -q 'sha256:%s'", hex);
	run(f, "skopeo inspect --config docker-archive:docker.tar | grep -q interop");
	run(f, "skopeo inspect docker-archive:docker.tar:app:1.2 | grep -q amd64");
	/* copying checks every digest */
	run(f, "skopeo copy oci:layout:1.2 dir:copy1");
	run(f, "skopeo copy oci-archive:oci.tar:1.2 dir:copy2");
	run(f, "skopeo copy docker-archive:docker.tar dir:copy3");
	run(f, "cmp copy1/manifest.json copy2/manifest.json");
}

static void skopeo_writes_ours(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor d, got;
	static const enum co_compression kinds[] = {CO_COMP_GZIP, CO_COMP_ZSTD, CO_COMP_NONE};
	need("skopeo");
	for (size_t i = 0; i < 3; i++) {
		d = sample(f, kinds[i]);
		run(f, "rm -rf b.tar c.tar back");
		/* docker's types know no zstd */
		bool docker = kinds[i] != CO_COMP_ZSTD;
		if (docker)
			run(f, "skopeo copy oci:layout:1.2 docker-archive:b.tar:app:1.2");
		run(f, "skopeo copy oci:layout:1.2 oci-archive:c.tar:1.2");
		run(f, "skopeo copy oci:layout:1.2 oci:back:x");
		start_over(f);
		if (docker) {
			from_file(f, "b.tar", NULL, &got);
			assert_config(f, &got);
			from_file(f, "b.tar", "app:1.2", &got);
			start_over(f);
			from_command(f, "cat b.tar", &got);
			assert_config(f, &got);
			start_over(f);
		}
		from_file(f, "c.tar", NULL, &got);
		assert_config(f, &got);
		/* it packs plain layers on the way */
		assert_true(kinds[i] == CO_COMP_NONE || co_digest_eq(&got.digest, &d.digest));
		start_over(f);
		assert_ok(co_layout_read_dir(f->store, in_dir(f, "back"), "x", &got, &f->err),
			  &f->err);
		assert_config(f, &got);
		/* it packs plain layers on the way */
		assert_true(kinds[i] == CO_COMP_NONE || co_digest_eq(&got.digest, &d.digest));
	}
}

static void skopeo_index(void **state)
{
	struct fixture *f = *state;
	need("skopeo");
	struct co_descriptor list[2] = {put_image(f, "interop", 3, CO_COMP_GZIP, "linux/amd64"),
					put_image(f, "arm", 1, CO_COMP_GZIP, "linux/arm/v7")};
	struct co_descriptor ix = put_index(f, list, 2), got;
	assert_ok(co_layout_write_dir(f->store, &ix, names, in_dir(f, "layout"), &f->err), &f->err);
	run(f, "skopeo --override-arch arm --override-variant v7 inspect oci:layout:1.2 | grep -q "
	       "'\"Architecture\": \"arm\"'");
	run(f, "skopeo copy --all oci:layout:1.2 oci-archive:all.tar:x");
	start_over(f);
	from_file(f, "all.tar", "x", &got);
	assert_true(co_digest_eq(&got.digest, &ix.digest));
	assert_config(f, &list[0]);
}

static void umoci_unpacks(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor got;
	need("umoci");
	sample(f, CO_COMP_GZIP);
	run(f, "umoci ls --layout layout | grep -qx 1.2");
	run(f, "umoci stat --image layout:1.2 | grep -q test");
	run(f, "umoci unpack --rootless --image layout:1.2 bundle");
	run(f, "test \"$(cat bundle/rootfs/file2)\" = interop");
	/* it changes the image in place: we read the result */
	run(f, "umoci config --image layout:1.2 --tag new --config.user 1000");
	start_over(f);
	assert_ok(co_layout_read_dir(f->store, in_dir(f, "layout"), "new", &got, &f->err), &f->err);
	assert_config(f, &got);
}

static void podman_and_buildah(void **state)
{
	struct fixture *f = *state;
	struct co_descriptor got;
	const char *podman = "podman --root $PWD/pod --runroot $PWD/podrun --storage-driver vfs";
	const char *buildah = "buildah --root $PWD/pod --runroot $PWD/podrun --storage-driver vfs";
	need("podman");
	need("buildah");
	struct co_descriptor d = sample(f, CO_COMP_GZIP);
	to_file(f, &d, true, "docker.tar");
	auto_free char *probe = co_xasprintf("cd %s && %s info >/dev/null 2>&1", f->dir, podman);
	if (system(probe) != 0)
		skip();
	run(f, "%s load -i docker.tar", podman);
	run(f, "%s save --format docker-archive -o p-docker.tar app:1.2", podman);
	run(f, "%s save --format oci-archive -o p-oci.tar app:1.2", podman);
	run(f, "%s push app:1.2 oci-archive:b-oci.tar:app:1.2", buildah);
	run(f, "%s push app:1.2 docker-archive:b-docker.tar:app:1.2", buildah);
	static const char *const files[] = {"p-docker.tar", "p-oci.tar", "b-oci.tar",
					    "b-docker.tar"};
	for (size_t i = 0; i < 4; i++) {
		start_over(f);
		from_file(f, files[i], NULL, &got);
		assert_config(f, &got);
		from_file(f, files[i], "app:1.2", &got);
	}
	run(f, "%s rmi -a -f && chmod -R u+rwX pod podrun", podman);
}

static void jq_reads_documents(void **state)
{
	struct fixture *f = *state;
	char hex[CO_DIGEST_TEXT];
	need("jq");
	struct co_descriptor d = sample(f, CO_COMP_GZIP);
	run(f, "jq -e '.manifests | length == 1' layout/index.json");
	run(f, "jq -e '.imageLayoutVersion == \"1.0.0\"' layout/oci-layout");
	run(f, "jq -e '.layers | length == 3' layout/blobs/sha256/%s",
	    co_digest_hex(&d.digest, hex));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(skopeo_reads_ours),  fixture_test(skopeo_writes_ours),
		fixture_test(skopeo_index),	  fixture_test(umoci_unpacks),
		fixture_test(podman_and_buildah), fixture_test(jq_reads_documents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
