/* SPDX-License-Identifier: MIT
 *
 * str.h — side-effect-free text helpers: no locale, no allocation unless said.
 */
#pragma once
#include <cooper/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct co_arena;
struct co_buf;

bool co_starts(const char *s, const char *prefix);
bool co_ends(const char *s, const char *suffix);
bool co_ieq(const char *a, const char *b); /* ASCII case-insensitive */
/* ASCII only, whatever the locale. */
bool co_is_space(char c);
bool co_is_digit(char c);
bool co_is_alpha(char c);
bool co_is_alnum(char c);
char co_lower(char c);
/* Decimal, whole string, no sign, no blanks. False on overflow or rubbish. */
bool co_parse_u64(const char *s, uint64_t *out);
bool co_parse_i64(const char *s, int64_t *out);
bool co_parse_octal(const char *s, uint32_t *out);
/* "64m", "1.5g", "512" → bytes (units of 1024). */
bool co_parse_size(const char *s, uint64_t *out);
/* Go durations: "1h30m", "250ms", "0" → nanoseconds. */
bool co_parse_duration(const char *s, int64_t *ns);
/* Edit distance (insert, delete, change, swap of neighbours), and the nearest of a NULL-ended list
 * for "did you mean": NULL when nothing is near (distance over a third of the length, at least 1
 * and at most 3). */
unsigned co_distance(const char *a, const char *b);
const char *co_nearest(const char *word, const char *const *list);
/* 12.3MB style into buf (decimal units as docker shows them). Returns buf. */
const char *co_human_size(uint64_t bytes, char *buf, size_t len);
/* Lexical clean of a slash path: no "//", "/./", no trailing "/"; ".." resolved lexically and never
 * above the root; result relative without leading "/" ("" is the root). In the arena. */
char *co_path_clean_rel(struct co_arena *a, const char *path);
/* Copies a text with its end into an array. One that does not fit is a bug of the caller's and ends
 * the program: what comes from outside is measured before. */
void co_put_text(char *out, size_t size, const char *text);
/* Base name: pointer into path, "" when it ends with "/". */
const char *co_path_base(const char *path);
/* Valid UTF-8? */
bool co_utf8_valid(const char *s, size_t len);
/* Appends text made safe for a terminal and for CI logs: ESC and other controls shown as ^[, \x.. ;
 * tabs and newlines kept when multi_line, else shown. Source: CI workflow command injection. */
void co_sanitize(struct co_buf *out, const char *s, size_t len, bool multi_line);
void co_hex(const uint8_t *bytes, size_t n, char *out); /* 2n+1 chars, lower case */
void co_base64_encode(struct co_buf *out, const void *data, size_t len);
/* Standard alphabet, padding optional, blanks ignored. False on rubbish. */
bool co_base64_decode(struct co_buf *out, const char *s, size_t len);
