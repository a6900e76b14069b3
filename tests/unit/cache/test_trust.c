/* SPDX-License-Identifier: MIT
 *
 * Keys, envelopes and documents: what is signed is what is read, and nothing else is.
 */
#include "../../../builder/cache/cache-internal.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>

/* openssl genpkey -algorithm ed25519, made for this test */
#define PRIVATE                                                                                    \
	"-----BEGIN PRIVATE KEY-----\n"                                                            \
	"MC4CAQAwBQYDK2VwBCIEIAnO8Z3ptLgaP47UeQ/C1A2Sw4wamN+aRt/Dkpfs+0Lm\n"                       \
	"-----END PRIVATE KEY-----\n"
#define PUBLIC                                                                                     \
	"-----BEGIN PUBLIC KEY-----\n"                                                             \
	"MCowBQYDK2VwAyEAQ2kk9iwW+StG8mnIUFJyrMoMRZcdEW3j1gk1r0XKce8=\n"                           \
	"-----END PUBLIC KEY-----\n"

static struct sign_key *load(const char *text)
{
	char path[] = "/tmp/cooper-key-XXXXXX";
	struct co_err err = CO_ERR_INIT;
	struct sign_key *k = NULL;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(co_write_all(fd, text, strlen(text)), 0);
	close(fd);
	int r = key_load(&k, path, &err);
	unlink(path);
	if (r < 0) {
		assert_int_equal(r, CO_E_INVALID);
		assert_true(err.hint[0]);
		return NULL;
	}
	return k;
}

static struct record sample(void)
{
	struct record r = {.created = 1700000000, .duration_ms = 12, .scope = "main"};
	co_digest_of(&r.key, "key", 3);
	co_digest_of(&r.layer.desc.digest, "blob", 4);
	co_digest_of(&r.layer.diff_id, "diff", 4);
	r.layer.desc.size = 4;
	r.layer.size = 10;
	strcpy(r.layer.desc.media_type, CO_MT_OCI_LAYER_GZIP);
	strcpy(r.what, "RUN echo \"ü\" <&>");
	return r;
}

static void test_bad_keys(void **state)
{
	(void)state;
	struct sign_key *k;
	assert_null(load("short"));
	assert_null(load("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
	assert_null(load("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"));
	struct co_err err = CO_ERR_INIT;
	assert_int_equal(key_load(&k, "/no/such/file", &err), CO_E_NOT_FOUND);
}

static void test_ed25519(void **state)
{
	(void)state;
	struct sign_key *priv = load(PRIVATE), *pub = load(PUBLIC);
	struct co_err err = CO_ERR_INIT;
	auto_buf sig = CO_BUF_INIT(256);
	assert_true(key_can_sign(priv));
	assert_false(key_can_sign(pub));
	assert_string_equal(key_id(priv), key_id(pub));
	assert_int_equal(key_sign(priv, "text", 4, &sig, &err), 0);
	assert_true(key_verify(pub, "text", 4, co_buf_str(&sig)));
	assert_true(key_verify(priv, "text", 4, co_buf_str(&sig)));
	assert_false(key_verify(pub, "Text", 4, co_buf_str(&sig)));
	assert_false(key_verify(pub, "text", 3, co_buf_str(&sig)));
	assert_false(key_verify(pub, "text", 4, ""));
	assert_false(key_verify(pub, "text", 4, "AAAA"));
	assert_false(key_verify(pub, "text", 4, "not base64 at all!"));
	key_free(priv);
	key_free(pub);
}

static void test_secret(void **state)
{
	(void)state;
	struct sign_key *a = load("0123456789abcdef\n"), *same = load("0123456789abcdef");
	struct sign_key *b = load("0123456789abcdeF");
	struct co_err err = CO_ERR_INIT;
	auto_buf sig = CO_BUF_INIT(256);
	assert_int_equal(key_sign(a, "text", 4, &sig, &err), 0);
	assert_true(key_verify(same, "text", 4, co_buf_str(&sig)));
	assert_false(key_verify(b, "text", 4, co_buf_str(&sig)));
	assert_false(key_verify(a, "texT", 4, co_buf_str(&sig)));
	/* not even a prefix of it */
	co_buf_cut(&sig, 40);
	assert_false(key_verify(a, "text", 4, co_buf_str(&sig)));
	key_free(a);
	key_free(same);
	key_free(b);
}

static void test_envelope(void **state)
{
	(void)state;
	struct sign_key *k = load(PRIVATE), *pub = load(PUBLIC), *other = load("0123456789abcdef");
	struct sign_key *trust[] = {other, pub, NULL}, *strangers[] = {other, NULL};
	struct record r = sample(), got;
	auto_json env = envelope_make(&r, k);
	auto_json plain = envelope_make(&r, NULL);
	assert_int_equal(envelope_open(&got, env, trust), ENV_GOOD);
	assert_true(co_digest_eq(&got.key, &r.key));
	assert_true(co_digest_eq(&got.layer.desc.digest, &r.layer.desc.digest));
	assert_true(co_digest_eq(&got.layer.diff_id, &r.layer.diff_id));
	assert_int_equal(got.layer.size, 10);
	assert_int_equal(got.created, r.created);
	assert_string_equal(got.what, r.what);
	assert_string_equal(got.scope, "main");
	assert_int_equal(envelope_open(&got, env, strangers), ENV_UNTRUSTED);
	assert_int_equal(envelope_open(&got, env, NULL), ENV_GOOD);
	assert_int_equal(envelope_open(&got, plain, NULL), ENV_GOOD);
	assert_int_equal(envelope_open(&got, plain, trust), ENV_UNTRUSTED);
	/* the same signature over another record */
	r.layer.desc.size++;
	auto_json changed = envelope_make(&r, NULL);
	json_object_set(changed, "signatures", json_object_get(env, "signatures"));
	assert_int_equal(envelope_open(&got, changed, trust), ENV_UNTRUSTED);
	key_free(k);
	key_free(pub);
	key_free(other);
}

/* Every field of a record is under its signature. */
static void test_every_byte_counts(void **state)
{
	(void)state;
	struct sign_key *k = load("0123456789abcdef");
	struct sign_key *trust[] = {k, NULL};
	struct record r = sample(), got;
	auto_json env = envelope_make(&r, k);
	auto_free char *text = co_xstrdup(co_json_str(env, "payload"));
	for (size_t i = 0; text[i]; i++) {
		char was = text[i];
		text[i] = was == 'A' ? 'B' : 'A';
		json_object_set_new(env, "payload", json_string(text));
		assert_int_not_equal(envelope_open(&got, env, trust), ENV_GOOD);
		text[i] = was;
	}
	json_object_set_new(env, "payload", json_string(text));
	assert_int_equal(envelope_open(&got, env, trust), ENV_GOOD);
	key_free(k);
}

#define TYPE "\"application/vnd.cooper.cache.record.v1+json\""

static void test_rubbish(void **state)
{
	(void)state;
	static const char *const list[] = {"{}",
					   "[]",
					   "null",
					   "{\"payload\":5}",
					   "{\"payloadType\":" TYPE
					   ",\"payload\":\"e30=\",\"signatures\":[]}",
					   "{\"payloadType\":" TYPE ",\"payload\":\"!\"}",
					   "{\"payloadType\":\"text/plain\",\"payload\":\"e30=\"}"};
	struct record got;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		auto_json j = json_loads(list[i], JSON_DECODE_ANY, NULL);
		assert_int_equal(envelope_open(&got, j, NULL), ENV_BROKEN);
	}
}

static void test_documents(void **state)
{
	(void)state;
	struct record r = sample(), got;
	for (int plain = 0; plain < 2; plain++) {
		auto_buf b = CO_BUF_INIT(DOC_MAX);
		auto_document d = {.notes = NULL};
		auto_json env = envelope_make(&r, NULL);
		document_write(&b, NOTE_RECORD, env, &r.layer.desc, 1, plain != 0);
		assert_true(document_read(&d, co_buf_str(&b), b.len));
		assert_int_equal(json_array_size(d.notes), 1);
		assert_int_equal(envelope_open(&got, json_array_get(d.notes, 0), NULL), ENV_GOOD);
		assert_int_equal(d.n_layers, 1);
		assert_true(d.created > 1700000000);
		assert_int_equal(strstr(co_buf_str(&b), "artifactType") != NULL, plain == 0);
	}
	struct document d;
	assert_false(document_read(&d, "{}", 2));
	document_release(&d);
}

/* Scope and key are framed: no two pairs share a tag. */
static void test_tags(void **state)
{
	(void)state;
	struct co_digest k1, k2;
	char a[TAG_MAX], b[TAG_MAX];
	co_digest_of(&k1, "1", 1);
	co_digest_of(&k2, "2", 1);
	tag_of("c1", "", &k1, a);
	assert_int_equal(strlen(a), 67);
	tag_of("c1", "", &k2, b);
	assert_string_not_equal(a, b);
	tag_of("c1", "main", &k1, b);
	assert_string_not_equal(a, b);
	tag_of("d1", "", &k1, b);
	assert_string_not_equal(a, b);
	tag_of("c1", "", &k1, b);
	assert_string_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bad_keys),
					   cmocka_unit_test(test_ed25519),
					   cmocka_unit_test(test_secret),
					   cmocka_unit_test(test_envelope),
					   cmocka_unit_test(test_every_byte_counts),
					   cmocka_unit_test(test_rubbish),
					   cmocka_unit_test(test_documents),
					   cmocka_unit_test(test_tags)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
