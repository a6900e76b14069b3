/* SPDX-License-Identifier: MIT
 *
 * test_sink.c — chains, sticky errors, and the bytes of the compressors.
 */
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/stream.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#define MIB (1u << 20)

/* Compressible, yet not trivial; the same everywhere. */
static char *sample(size_t n)
{
	char *p = malloc(n + 1);
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = x >> 30 ? (char)('a' + (i >> 3) % 23) : (char)(x >> 16);
	}
	return p;
}

typedef struct co_sink *(*make_sink)(struct co_sink *below, int level, unsigned threads);

static void compress_to(struct co_buf *out, make_sink make, const char *data, size_t n, int level,
			unsigned threads, size_t step)
{
	struct co_err err = CO_ERR_INIT;
	struct co_sink *s = make(co_sink_buf(out), level, threads);

	for (size_t at = 0; at < n; at += step)
		co_sink_write(s, data + at, n - at < step ? n - at : step);
	assert_int_equal(co_sink_close(s, &err), 0);
}

static void expand_is(const struct co_buf *packed, const char *data, size_t n)
{
	struct co_source_stream *s = co_stream_inflate(co_stream_mem(packed->data, packed->len), 0);
	struct co_err err = CO_ERR_INIT;
	auto_free char *out = malloc(n + 1);
	size_t got = 0;
	ssize_t r;

	while ((r = co_stream_read(s, out + got, n + 1 - got, &err)) > 0)
		got += (size_t)r;
	if (r < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(got, n);
	assert_memory_equal(out, data, n);
	co_stream_close(s);
}

static const size_t sizes[] = {0, 1, 511, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 77};

static void check_compressor(make_sink make)
{
	auto_free char *data = sample(6 * MIB);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		auto_buf one = CO_BUF_INIT(16 * MIB), many = CO_BUF_INIT(16 * MIB);

		compress_to(&one, make, data, sizes[i], -1, 1, 12345);
		compress_to(&many, make, data, sizes[i], -1, 4, 3 * MIB);
		assert_int_equal(one.len, many.len);
		assert_memory_equal(one.data, many.data, one.len);
		expand_is(&one, data, sizes[i]);
	}
}

static void test_gzip(void **state)
{
	(void)state;
	check_compressor(co_sink_gzip);
}

static void test_zstd(void **state)
{
	(void)state;
	check_compressor(co_sink_zstd);
}

static void test_levels(void **state)
{
	static const int levels[] = {0, 1, 9, 99};
	auto_free char *data = sample(3 * MIB);

	(void)state;
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		auto_buf g = CO_BUF_INIT(16 * MIB), z = CO_BUF_INIT(16 * MIB);

		compress_to(&g, co_sink_gzip, data, 3 * MIB, levels[i], 2, MIB);
		expand_is(&g, data, 3 * MIB);
		if (levels[i] > 9)
			continue;
		compress_to(&z, co_sink_zstd, data, 3 * MIB, levels[i], 2, MIB);
		expand_is(&z, data, 3 * MIB);
	}
}

/* A member each MiB, every one readable by itself; nothing in a header may differ between machines.
 * RFC 1952. */
static void test_gzip_member(void **state)
{
	static const uint8_t head[8] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0};
	auto_free char *data = sample(3 * MIB), *out = malloc(MIB);
	auto_buf packed = CO_BUF_INIT(16 * MIB);
	size_t at = 0;

	(void)state;
	compress_to(&packed, co_sink_gzip, data, 3 * MIB, -1, 0, 99999);
	for (size_t member = 0; member < 3; member++) {
		z_stream z = {0};

		assert_memory_equal(packed.data + at, head, sizeof(head));
		assert_int_equal((uint8_t)packed.data[at + 9], 255);
		assert_int_equal(inflateInit2(&z, 31), Z_OK);
		z.next_in = (unsigned char *)packed.data + at;
		z.avail_in = (uInt)(packed.len - at);
		z.next_out = (unsigned char *)out;
		z.avail_out = MIB;
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.avail_out, 0);
		assert_memory_equal(out, data + member * MIB, MIB);
		at = packed.len - z.avail_in;
		inflateEnd(&z);
	}
	assert_int_equal(at, packed.len);
}

/* Incompressible data takes libdeflate's stored blocks, zeros its longest matches. */
static void test_gzip_extremes(void **state)
{
	auto_free char *data = calloc(1, 4 * MIB);
	auto_buf zeros = CO_BUF_INIT(16 * MIB), noise = CO_BUF_INIT(16 * MIB);
	uint64_t x = 88172645463325252u;

	(void)state;
	compress_to(&zeros, co_sink_gzip, data, 4 * MIB, -1, 2, MIB);
	assert_true(zeros.len < 8192);
	expand_is(&zeros, data, 4 * MIB);
	for (size_t i = 0; i < 4 * MIB; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		data[i] = (char)x;
	}
	compress_to(&noise, co_sink_gzip, data, 4 * MIB, -1, 2, MIB);
	assert_true(noise.len < 4 * MIB + 4096);
	expand_is(&noise, data, 4 * MIB);
}

static void test_chain(void **state)
{
	auto_buf out = CO_BUF_INIT(MIB);
	struct co_digest diff = {0}, blob = {0}, want;
	uint64_t diff_size = 0, blob_size = 0;
	struct co_err err = CO_ERR_INIT;
	struct co_sink *s;

	(void)state;
	s = co_sink_hash(co_sink_buf(&out), CO_SHA256, &blob, &blob_size);
	s = co_sink_compress(s, CO_COMP_GZIP, -1, 0);
	s = co_sink_hash(s, CO_SHA256, &diff, &diff_size);
	co_sink_write(s, "hello ", 6);
	co_sink_write(s, "", 0);
	co_sink_write(s, "world", 5);
	assert_false(diff.set);
	assert_int_equal(co_sink_close(s, &err), 0);
	co_digest_of(&want, "hello world", 11);
	assert_true(co_digest_eq(&diff, &want));
	co_digest_of(&want, out.data, out.len);
	assert_true(co_digest_eq(&blob, &want));
	assert_int_equal(diff_size, 11);
	assert_int_equal(blob_size, out.len);
}

/* The bottom fails: writes stop, close tells why, nothing is set. */
static void test_sticky(void **state)
{
	static const enum co_compression kinds[] = {CO_COMP_NONE, CO_COMP_GZIP, CO_COMP_ZSTD};
	auto_free char *data = sample(4 * MIB);

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		auto_buf out = CO_BUF_INIT(1000);
		struct co_err err = CO_ERR_INIT;
		struct co_digest digest = {0};
		struct co_sink *s =
			co_sink_hash(co_sink_compress(co_sink_buf(&out), kinds[i], -1, 2),
				     CO_SHA256, &digest, NULL);

		co_sink_write(s, data, 4 * MIB);
		co_sink_write(s, data, 4 * MIB);
		assert_int_equal(co_sink_close(s, &err), CO_E_LIMIT);
		assert_string_equal(err.msg, "more than 1000 bytes");
		assert_false(digest.set);
	}
}

static void test_abort(void **state)
{
	auto_free char *data = sample(4 * MIB);
	struct co_digest digest = {0};

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		struct co_sink *s =
			co_sink_compress(co_sink_null(), (enum co_compression)kind, -1, 3);

		s = co_sink_hash(s, CO_SHA256, &digest, NULL);
		co_sink_write(s, data, 4 * MIB);
		co_sink_abort(s);
		assert_false(digest.set);
	}
	co_sink_abort(NULL);
}

static void test_fd(void **state)
{
	auto_free char *data = sample(MIB), *back = malloc(MIB);
	char name[] = "/tmp/cooper-sink-XXXXXX";
	int fd = mkstemp(name);
	struct co_err err = CO_ERR_INIT;
	struct co_sink *s = co_sink_fd(fd, true, "a file");
	size_t at = 0;

	(void)state;
	for (size_t step = 1; at < MIB; at += step, step = step * 3 + 1)
		co_sink_write(s, data + at, MIB - at < step ? MIB - at : step);
	assert_int_equal(co_sink_close(s, &err), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = open(name, O_RDONLY);
	unlink(name);
	assert_int_equal(read(fd, back, MIB), MIB);
	assert_memory_equal(back, data, MIB);
	/* Not writable, not owned. */
	s = co_sink_fd(fd, false, "a file");
	co_sink_write(s, "x", 1);
	assert_int_equal(co_sink_close(s, &err), CO_E_SYSTEM);
	assert_non_null(strstr(err.msg, "write a file"));
	close(fd);
}

static void test_full_disk(void **state)
{
	struct co_err err = CO_ERR_INIT;
	int fd = open("/dev/full", O_WRONLY);
	struct co_sink *s;

	(void)state;
	if (fd < 0)
		skip();
	s = co_sink_gzip(co_sink_fd(fd, true, "/dev/full"), -1, 1);
	co_sink_write(s, "x", 1);
	assert_int_equal(co_sink_close(s, &err), CO_E_NO_SPACE);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(co_compression_name(CO_COMP_GZIP), "gzip");
	assert_string_equal(co_compression_name(CO_COMP_ZSTD), "zstd");
	assert_string_equal(co_compression_name(CO_COMP_NONE), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_zstd),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_gzip_member),
		cmocka_unit_test(test_gzip_extremes),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_fd),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
