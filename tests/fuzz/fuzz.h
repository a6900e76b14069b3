/* SPDX-License-Identifier: MIT
 *
 * fuzz.h — the one function of a fuzz target, as libFuzzer calls it. Returns 0; aborts on a fault.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise of the code under test. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)
