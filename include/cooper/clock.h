/* SPDX-License-Identifier: MIT
 *
 * clock.h — time. Only progress and lock time-outs look at a clock: nothing that reaches an image.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

int64_t co_mono_ns(void);
int64_t co_wall_s(void);
void co_sleep_ms(unsigned ms); /* ends early on a signal */
/* Seconds since the epoch as RFC 3339 "2026-01-02T03:04:05Z". Returns buf. */
const char *co_rfc3339(int64_t s, char *buf, size_t len);
bool co_parse_rfc3339(const char *text, int64_t *out); /* fraction and offset understood */
bool co_parse_http_date(const char *text, int64_t *out);
/* Set by the handler that the command line installs for SIGINT, SIGTERM and SIGHUP: long loops and
 * waits look here and fail with CO_E_INTERRUPTED. */
bool co_interrupted(void);
void co_interrupt_install(void);
