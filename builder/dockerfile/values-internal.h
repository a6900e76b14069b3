/* SPDX-License-Identifier: MIT
 *
 * What the files of expansion, option values and lint share.
 */
#pragma once
#include <cooper/dockerfile.h>
#include <cooper/str.h>
#include <string.h>

/* ---- rune.c: characters as Go's unicode package sees them ---- */
/* Code point at s, and its length in bytes. A byte that is not part of valid UTF-8 counts as one
 * character of its own, with a value above every code point. s must not be at its end. */
uint32_t rune_at(const char *s, size_t *len);
bool rune_is_letter(uint32_t c);
bool rune_is_digit(uint32_t c);
bool rune_is_space(uint32_t c);

/* ---- glob.c: the patterns of ${v#p} ${v%p} ${v/p/r} ---- */
enum glob_use { GLOB_PREFIX, GLOB_SUFFIX, GLOB_REPLACE };
struct glob_job {
	enum glob_use use;
	bool longest;		 /* ## and %% */
	bool all;		 /* ${v//p/r} */
	const char *replacement; /* GLOB_REPLACE */
	uint64_t *work;		 /* counts down; what cannot be paid fails with LIMIT */
};
/* Applies the pattern to value and appends what is left of it to out. `*` and `?` are special, a
 * backslash takes that away from them and from itself; time is at most value × pattern. */
int glob_apply(struct co_buf *out, const char *value, const char *pattern,
	       const struct glob_job *job, struct co_err *err) co_must_check;

/* ---- bool as Go's strconv reads it: 1 t T true TRUE True and their opposites ---- */
bool value_bool(const char *text, bool *out);
