/* SPDX-License-Identifier: MIT
 *
 * digest.h — sha256/sha512 digests as values, and a running hash.
 * Grammar: OCI image-spec descriptor.md; strictness: CVE-2024-3727 (a digest string is checked
 * before it may become part of a URL or a path).
 */
#pragma once
#include <cooper/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum co_digest_alg { CO_SHA256 = 0, CO_SHA512 = 1 };
struct co_digest {
	uint8_t alg;
	bool set; /* false: no digest */
	uint8_t bytes[64];
};
#define CO_DIGEST_TEXT 140 /* "sha512:" + 128 + NUL, rounded up */

/* Accepts "sha256:"+64 or "sha512:"+128 lower-case hex, nothing else. */
int co_digest_parse(struct co_digest *out, const char *text, struct co_err *err) co_must_check;
/* Writes "sha256:…" and returns buf. */
const char *co_digest_str(const struct co_digest *d, char buf[CO_DIGEST_TEXT]);
/* Only the hex part, for file names. Returns buf. */
const char *co_digest_hex(const struct co_digest *d, char buf[CO_DIGEST_TEXT]);
bool co_digest_eq(const struct co_digest *a, const struct co_digest *b);
void co_digest_of(struct co_digest *out, const void *data, size_t len); /* sha256 */

struct co_hash; /* a running hash; opaque (EVP_MD_CTX) */
struct co_hash *co_hash_new(enum co_digest_alg alg);
void co_hash_add(struct co_hash *h, const void *data, size_t len);
/* Finishes and frees h. */
void co_hash_done(struct co_hash *h, struct co_digest *out);
void co_hash_free(struct co_hash *h);
/* Typed, framed absorb for keys: u32 tag, u64 length, bytes (cache key design; no joins). */
void co_hash_field(struct co_hash *h, uint32_t tag, const void *data, size_t len);
