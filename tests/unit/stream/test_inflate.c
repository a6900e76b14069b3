/* SPDX-License-Identifier: MIT
 *
 * test_inflate.c — every compression that a layer or an ADDed archive comes in: whole, in pieces,
 * cut, damaged, too large.
 */
#include <archive.h>
#include <archive_entry.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/stream.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#define TEXT_SIZE 300000

static char *text(void)
{
	char *p = malloc(TEXT_SIZE);

	for (size_t i = 0; i < TEXT_SIZE; i++)
		p[i] = (char)('a' + (i * i / 7) % 26);
	return p;
}

static void gzip_part(struct co_buf *out, const char *data, size_t n)
{
	struct co_err err = CO_ERR_INIT;
	struct co_sink *s = co_sink_gzip(co_sink_buf(out), -1, 1);

	co_sink_write(s, data, n);
	assert_int_equal(co_sink_close(s, &err), 0);
}

static void zstd_part(struct co_buf *out, const char *data, size_t n)
{
	struct co_err err = CO_ERR_INIT;
	struct co_sink *s = co_sink_zstd(co_sink_buf(out), -1, 1);

	co_sink_write(s, data, n);
	assert_int_equal(co_sink_close(s, &err), 0);
}

static la_ssize_t to_buf(struct archive *a, void *ctx, const void *data, size_t n)
{
	(void)a;
	co_buf_add(ctx, data, n);
	return (la_ssize_t)n;
}

static void archive_part(struct co_buf *out, const char *filter, const char *data, size_t n)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	archive_write_set_format_raw(a);
	assert_int_equal(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open(a, out, NULL, to_buf, NULL), ARCHIVE_OK);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_size(e, (int64_t)n);
	archive_write_header(a, e);
	assert_int_equal(archive_write_data(a, data, n), n);
	archive_entry_free(e);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
}

static void bzip2_part(struct co_buf *out, const char *data, size_t n)
{
	archive_part(out, "bzip2", data, n);
}

static void xz_part(struct co_buf *out, const char *data, size_t n)
{
	archive_part(out, "xz", data, n);
}

static void plain_part(struct co_buf *out, const char *data, size_t n)
{
	co_buf_add(out, data, n);
}

/* A stream that gives one byte at a time at first: magic bytes in pieces. */
struct drip {
	const char *data;
	size_t len, at;
};

static ssize_t drip_read(void *self, void *data, size_t len, struct co_err *err)
{
	struct drip *d = self;
	size_t n = d->at < 20 ? 1 : 1000;

	(void)err;
	if (n > len)
		n = len;
	if (n > d->len - d->at)
		n = d->len - d->at;
	if (n)
		memcpy(data, d->data + d->at, n);
	d->at += n;
	return (ssize_t)n;
}

static void drip_free(void *self)
{
	(void)self;
}

static const struct co_source_ops drip_ops = {drip_read, drip_free};

/* Reads everything with buffers of `step` bytes; the number of bytes or the error's code. */
static int64_t expand(const struct co_buf *packed, struct co_buf *out, size_t step, uint64_t max,
		      struct co_err *err)
{
	struct drip d = {packed->data, packed->len, 0};
	struct co_source_stream *s = co_stream_inflate(co_stream_new(&drip_ops, &d), max);
	auto_free char *buf = malloc(step);
	ssize_t n;

	while ((n = co_stream_read(s, buf, step, err)) > 0)
		co_buf_add(out, buf, (size_t)n);
	if (n < 0) {
		struct co_err again = CO_ERR_INIT;

		assert_int_equal(co_stream_read(s, buf, step, &again), n);
		assert_string_equal(again.msg, err->msg);
	} else
		assert_int_equal(d.at, d.len); /* a hash below saw everything */
	co_stream_close(s);
	return n < 0 ? n : (int64_t)out->len;
}

static const struct format {
	const char *name;
	void (*add)(struct co_buf *out, const char *data, size_t n);
	bool joins; /* streams may follow each other */
} formats[] = {
	{"plain", plain_part, true}, {"gzip", gzip_part, true}, {"zstd", zstd_part, true},
	{"bzip2", bzip2_part, true}, {"xz", xz_part, true},
};
#define FORMATS (sizeof(formats) / sizeof(*formats))

static void test_whole(void **state)
{
	auto_free char *data = text();

	(void)state;
	for (size_t i = 0; i < FORMATS; i++) {
		for (size_t step = 1; step < 2 * TEXT_SIZE; step = step * 50 + 13) {
			auto_buf packed = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
			struct co_err err = CO_ERR_INIT;

			formats[i].add(&packed, data, TEXT_SIZE);
			if (expand(&packed, &out, step, 0, &err) != TEXT_SIZE)
				fail_msg("%s: %s", formats[i].name, err.msg);
			assert_memory_equal(out.data, data, TEXT_SIZE);
		}
	}
}

static void test_joined(void **state)
{
	auto_free char *data = text();

	(void)state;
	for (size_t i = 0; i < FORMATS; i++) {
		auto_buf packed = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
		struct co_err err = CO_ERR_INIT;

		formats[i].add(&packed, data, 1000);
		formats[i].add(&packed, data + 1000, 0);
		formats[i].add(&packed, data + 1000, TEXT_SIZE - 1000);
		if (expand(&packed, &out, 4096, 0, &err) != TEXT_SIZE)
			fail_msg("%s: %s", formats[i].name, err.msg);
		assert_memory_equal(out.data, data, TEXT_SIZE);
	}
}

static void test_empty(void **state)
{
	(void)state;
	for (size_t i = 0; i < FORMATS; i++) {
		auto_buf packed = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
		struct co_err err = CO_ERR_INIT;

		formats[i].add(&packed, "", 0);
		if (expand(&packed, &out, 4096, 0, &err) != 0)
			fail_msg("%s: %s", formats[i].name, err.msg);
	}
}

static void test_cut(void **state)
{
	auto_free char *data = text();

	(void)state;
	for (size_t i = 1; i < FORMATS; i++) {
		auto_buf packed = CO_BUF_INIT(8u << 20);
		size_t whole;

		formats[i].add(&packed, data, TEXT_SIZE);
		whole = packed.len;
		for (size_t cut = 1; cut < whole - 12; cut = cut * 3 / 2 + 1) {
			auto_buf part = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
			struct co_err err = CO_ERR_INIT;

			co_buf_add(&part, packed.data, whole - cut);
			if (expand(&part, &out, 4096, 0, &err) != CO_E_INVALID)
				fail_msg("%s cut by %zu of %zu", formats[i].name, cut, whole);
		}
	}
}

static void test_damaged(void **state)
{
	auto_free char *data = text();

	(void)state;
	for (size_t i = 1; i < FORMATS; i++) {
		auto_buf packed = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
		struct co_err err = CO_ERR_INIT;

		formats[i].add(&packed, data, TEXT_SIZE);
		packed.data[packed.len / 2] ^= 0x55;
		packed.data[packed.len - 6] ^= 0x55;
		assert_int_equal(expand(&packed, &out, 4096, 0, &err), CO_E_INVALID);
		assert_int_equal(strncmp(err.msg, formats[i].name, strlen(formats[i].name)), 0);
	}
}

static void test_max(void **state)
{
	auto_free char *data = text();

	(void)state;
	for (size_t i = 0; i < FORMATS; i++) {
		auto_buf packed = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
		struct co_err err = CO_ERR_INIT;

		formats[i].add(&packed, data, TEXT_SIZE);
		assert_int_equal(expand(&packed, &out, 4096, TEXT_SIZE, &err), TEXT_SIZE);
		co_buf_clear(&out);
		assert_int_equal(expand(&packed, &out, 4096, TEXT_SIZE - 1, &err), CO_E_LIMIT);
		assert_true(out.len < TEXT_SIZE);
	}
}

static void test_gzip_padding(void **state)
{
	static const char zeros[200000];
	auto_buf packed = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
	struct co_err err = CO_ERR_INIT;

	(void)state;
	gzip_part(&packed, "hello", 5);
	co_buf_add(&packed, zeros, 1);
	assert_int_equal(expand(&packed, &out, 4096, 0, &err), 5);
	co_buf_add(&packed, zeros, sizeof(zeros));
	co_buf_clear(&out);
	assert_int_equal(expand(&packed, &out, 4096, 0, &err), 5);
	co_buf_adds(&packed, "x");
	co_buf_clear(&out);
	assert_int_equal(expand(&packed, &out, 4096, 0, &err), CO_E_INVALID);
}

static void test_gzip_rubbish(void **state)
{
	auto_buf packed = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
	struct co_err err = CO_ERR_INIT;

	(void)state;
	gzip_part(&packed, "hello", 5);
	co_buf_adds(&packed, "rubbish");
	assert_int_equal(expand(&packed, &out, 4096, 0, &err), CO_E_INVALID);
}

/* zstd:chunked layers begin, end or are interspersed with skippable frames. */
static void test_zstd_skippable(void **state)
{
	static const char frame[] = "\x5f\x2a\x4d\x18\x05\0\0\0abcde";
	auto_buf packed = CO_BUF_INIT(8u << 20), out = CO_BUF_INIT(8u << 20);
	struct co_err err = CO_ERR_INIT;

	(void)state;
	co_buf_add(&packed, frame, sizeof(frame) - 1);
	zstd_part(&packed, "hel", 3);
	co_buf_add(&packed, frame, sizeof(frame) - 1);
	zstd_part(&packed, "lo", 2);
	co_buf_add(&packed, frame, sizeof(frame) - 1);
	assert_int_equal(expand(&packed, &out, 3, 0, &err), 5);
	assert_memory_equal(out.data, "hello", 5);
	co_buf_cut(&packed, packed.len - 1);
	co_buf_clear(&out);
	assert_int_equal(expand(&packed, &out, 3, 0, &err), CO_E_INVALID);
}

static void test_zstd_window(void **state)
{
	/* A frame header that asks for a window of 2^28 bytes. */
	static const char frame[] = "\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00";
	auto_buf packed = CO_BUF_INIT(1u << 20), out = CO_BUF_INIT(1u << 20);
	struct co_err err = CO_ERR_INIT;

	(void)state;
	co_buf_add(&packed, frame, sizeof(frame) - 1);
	assert_int_equal(expand(&packed, &out, 4096, 0, &err), CO_E_LIMIT);
}

/* Names at the head of a tar that only begin like a magic number. */
static void test_not_magic(void **state)
{
	/* \375 is the first byte of xz's magic number */
	static const char *const heads[] = {"BZh9-file", "\x1f\x8b", "\x28\xb5", "\3757zXY", "P*M"};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		auto_buf packed = CO_BUF_INIT(1u << 20), out = CO_BUF_INIT(1u << 20);
		struct co_err err = CO_ERR_INIT;

		co_buf_adds(&packed, heads[i]);
		assert_int_equal(expand(&packed, &out, 4096, 0, &err), strlen(heads[i]));
	}
}

static ssize_t bad_read(void *self, void *data, size_t len, struct co_err *err)
{
	struct drip *d = self;
	ssize_t n = drip_read(d, data, len, err);

	return n ? n : co_fail(err, CO_E_NETWORK, "the line broke");
}

static const struct co_source_ops bad_ops = {bad_read, drip_free};

/* A failure below is told as it is, not as damage. */
static void test_input_fails(void **state)
{
	auto_free char *data = text();

	(void)state;
	for (size_t i = 0; i < FORMATS; i++) {
		auto_buf packed = CO_BUF_INIT(8u << 20);
		struct drip d = {0};
		struct co_source_stream *s;
		struct co_err err = CO_ERR_INIT;
		char buf[4096];
		ssize_t n;

		formats[i].add(&packed, data, TEXT_SIZE);
		d = (struct drip){packed.data, packed.len / 2, 0};
		s = co_stream_inflate(co_stream_new(&bad_ops, &d), 0);
		while ((n = co_stream_read(s, buf, sizeof(buf), &err)) > 0)
			;
		assert_int_equal(n, CO_E_NETWORK);
		assert_non_null(strstr(err.msg, "the line broke"));
		co_stream_close(s);
	}
}

static void test_hash(void **state)
{
	auto_free char *data = text();
	auto_buf packed = CO_BUF_INIT(8u << 20);
	struct co_digest inner = {0}, outer = {0}, want;
	uint64_t inner_size = 0, outer_size = 0;
	struct co_err err = CO_ERR_INIT;
	struct co_source_stream *s;
	char buf[5000];
	ssize_t n;

	(void)state;
	gzip_part(&packed, data, TEXT_SIZE);
	s = co_stream_hash(co_stream_mem(packed.data, packed.len), CO_SHA256, &outer, &outer_size);
	s = co_stream_hash(co_stream_inflate(s, 0), CO_SHA256, &inner, &inner_size);
	while ((n = co_stream_read(s, buf, sizeof(buf), &err)) > 0)
		;
	assert_int_equal(n, 0);
	assert_int_equal(co_stream_read(s, buf, sizeof(buf), &err), 0);
	co_digest_of(&want, packed.data, packed.len);
	assert_true(co_digest_eq(&outer, &want));
	co_digest_of(&want, data, TEXT_SIZE);
	assert_true(co_digest_eq(&inner, &want));
	assert_int_equal(inner_size, TEXT_SIZE);
	assert_int_equal(outer_size, packed.len);
	co_stream_close(s);
	co_stream_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	       cmocka_unit_test(test_joined),
		cmocka_unit_test(test_empty),	       cmocka_unit_test(test_cut),
		cmocka_unit_test(test_damaged),	       cmocka_unit_test(test_max),
		cmocka_unit_test(test_gzip_padding),   cmocka_unit_test(test_gzip_rubbish),
		cmocka_unit_test(test_zstd_skippable), cmocka_unit_test(test_zstd_window),
		cmocka_unit_test(test_not_magic),      cmocka_unit_test(test_input_fails),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
