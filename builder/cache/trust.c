/* SPDX-License-Identifier: MIT
 *
 * Keys: Ed25519 for those who have a release key, a shared secret (HMAC-SHA256) for those who do
 * not. Both give the same signature for the same bytes.
 */
#include "cache-internal.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#define KEY_FILE_MAX 65536
#define SECRET_MIN   16

struct sign_key {
	EVP_PKEY *pkey; /* NULL: a secret */
	bool private;
	char *secret;
	size_t len;
	char id[40];
};

static void name_key(struct sign_key *k)
{
	uint8_t raw[64];
	size_t len = sizeof(raw);
	struct co_digest d;
	if (k->pkey) {
		if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &len) != 1)
			len = 0;
		co_digest_of(&d, raw, len);
	} else {
		unsigned n = 32;
		memset(&d, 0, sizeof(d));
		HMAC(EVP_sha256(), k->secret, (int)k->len, (const unsigned char *)"key id", 6,
		     d.bytes, &n);
	}
	co_hex(d.bytes, 8, k->id);
}

static int load_pem(struct sign_key *k, const char *text, size_t len, const char *file,
		    struct co_err *err)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	if (!bio)
		co_oom();
	k->private = strstr(text, "PRIVATE KEY-----") != NULL;
	/* an encrypted key gets an empty password: nobody is there to be asked */
	k->pkey = k->private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"")
			     : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (k->pkey && EVP_PKEY_base_id(k->pkey) == EVP_PKEY_ED25519)
		return 0;
	co_fail(err, CO_E_INVALID, "%s: not an Ed25519 key without password", file);
	return co_hint(err, "make one: openssl genpkey -algorithm ed25519 -out cache.pem; openssl "
			    "pkey -in cache.pem -pubout -out cache.pub");
}

static int load_secret(struct sign_key *k, const char *text, size_t len, const char *file,
		       struct co_err *err)
{
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len < SECRET_MIN) {
		co_fail(err, CO_E_INVALID, "%s: a secret has at least %d bytes", file, SECRET_MIN);
		return co_hint(err, "make one: openssl rand -hex 32 >%s", file);
	}
	k->secret = co_xcalloc(1, len + 1);
	memcpy(k->secret, text, len);
	k->len = len;
	k->private = true;
	return 0;
}

int key_load(struct sign_key **out, const char *file, struct co_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int r = co_read_file(AT_FDCWD, file, KEY_FILE_MAX, &text, &len, err);
	if (r < 0)
		return r;
	struct sign_key *k = co_xcalloc(1, sizeof(*k));
	r = strstr(text, "-----BEGIN ") ? load_pem(k, text, len, file, err)
					: load_secret(k, text, len, file, err);
	OPENSSL_cleanse(text, len);
	if (r < 0) {
		key_free(k);
		return r;
	}
	name_key(k);
	*out = k;
	return 0;
}

void key_free(struct sign_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	if (k->secret)
		OPENSSL_cleanse(k->secret, k->len);
	free(k->secret);
	free(k);
}

bool key_can_sign(const struct sign_key *k)
{
	return k->private;
}

const char *key_id(const struct sign_key *k)
{
	return k->id;
}

static void mac(const struct sign_key *k, const char *text, size_t len, uint8_t out[32])
{
	unsigned n = 32;
	HMAC(EVP_sha256(), k->secret, (int)k->len, (const unsigned char *)text, len, out, &n);
}

int key_sign(const struct sign_key *k, const char *text, size_t len, struct co_buf *out,
	     struct co_err *err)
{
	uint8_t sig[64];
	size_t n = 32;
	if (k->secret) {
		mac(k, text, len, sig);
	} else {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		n = sizeof(sig);
		bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
			  EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text, len) == 1;
		EVP_MD_CTX_free(ctx);
		ERR_clear_error();
		if (!ok)
			return co_fail(err, CO_E_INTERNAL, "signing failed");
	}
	co_base64_encode(out, sig, n);
	return 0;
}

bool key_verify(const struct sign_key *k, const char *text, size_t len, const char *sig)
{
	auto_buf raw = CO_BUF_INIT(256);
	uint8_t want[32];
	if (!co_base64_decode(&raw, sig, strlen(sig)) || raw.overflow)
		return false;
	if (k->secret) {
		mac(k, text, len, want);
		return raw.len == 32 && CRYPTO_memcmp(want, raw.data, 32) == 0;
	}
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
		  EVP_DigestVerify(ctx, (const unsigned char *)co_buf_str(&raw), raw.len,
				   (const unsigned char *)text, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}
