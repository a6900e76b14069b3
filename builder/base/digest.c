/* SPDX-License-Identifier: MIT */
#include <cooper/arena.h>
#include <cooper/digest.h>
#include <cooper/str.h>
#include <endian.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	size_t bytes;
} algs[] = {[CO_SHA256] = {"sha256", 32}, [CO_SHA512] = {"sha512", 64}};

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int co_digest_parse(struct co_digest *out, const char *text, struct co_err *err)
{
	struct co_digest d = {.set = true};
	for (size_t a = 0; a < 2; a++) {
		size_t n = strlen(algs[a].name);
		if (strncmp(text, algs[a].name, n) || text[n] != ':')
			continue;
		const char *hex = text + n + 1;
		if (strnlen(hex, 2 * algs[a].bytes + 1) != 2 * algs[a].bytes)
			break;
		d.alg = (uint8_t)a;
		for (size_t i = 0; i < algs[a].bytes; i++) {
			int hi = hex_value(hex[2 * i]), lo = hex_value(hex[2 * i + 1]);
			if (hi < 0 || lo < 0)
				return co_fail(err, CO_E_INVALID, "invalid digest \"%.160s\"",
					       text);
			d.bytes[i] = (uint8_t)(hi << 4 | lo);
		}
		*out = d;
		return 0;
	}
	return co_fail(err, CO_E_INVALID, "invalid digest \"%.160s\"", text);
}

const char *co_digest_hex(const struct co_digest *d, char buf[CO_DIGEST_TEXT])
{
	co_hex(d->bytes, algs[d->alg].bytes, buf);
	return buf;
}

const char *co_digest_str(const struct co_digest *d, char buf[CO_DIGEST_TEXT])
{
	const char *alg = algs[d->alg].name;
	size_t n = strlen(alg);
	memcpy(buf, alg, n);
	buf[n] = ':';
	co_hex(d->bytes, algs[d->alg].bytes, buf + n + 1);
	return buf;
}

bool co_digest_eq(const struct co_digest *a, const struct co_digest *b)
{
	return a->set && b->set && a->alg == b->alg &&
	       !memcmp(a->bytes, b->bytes, algs[a->alg].bytes);
}

void co_digest_of(struct co_digest *out, const void *data, size_t len)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_add(h, data, len);
	co_hash_done(h, out);
}

struct co_hash {
	EVP_MD_CTX *ctx;
	enum co_digest_alg alg;
};

struct co_hash *co_hash_new(enum co_digest_alg alg)
{
	struct co_hash *h = co_xcalloc(1, sizeof(*h));
	h->alg = alg;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx ||
	    !EVP_DigestInit_ex(h->ctx, alg == CO_SHA256 ? EVP_sha256() : EVP_sha512(), NULL))
		co_oom();
	return h;
}

void co_hash_add(struct co_hash *h, const void *data, size_t len)
{
	EVP_DigestUpdate(h->ctx, data, len);
}

void co_hash_done(struct co_hash *h, struct co_digest *out)
{
	memset(out, 0, sizeof(*out));
	out->alg = (uint8_t)h->alg;
	out->set = true;
	EVP_DigestFinal_ex(h->ctx, out->bytes, NULL);
	co_hash_free(h);
}

void co_hash_free(struct co_hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void co_hash_field(struct co_hash *h, uint32_t tag, const void *data, size_t len)
{
	struct {
		uint32_t tag, pad;
		uint64_t len;
	} frame = {htole32(tag), 0, htole64(len)};
	co_hash_add(h, &frame, sizeof(frame));
	co_hash_add(h, data, len);
}
