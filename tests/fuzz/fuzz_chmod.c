/* SPDX-License-Identifier: MIT
 *
 * fuzz_chmod.c — modes of --chmod: whatever is accepted gives a mode, and the same again.
 */
#include "fuzz.h"
#include <cooper/arena.h>
#include <cooper/dockerfile.h>

static void check(const struct co_chmod *c)
{
	uint32_t octal = 0;
	bool is_octal = co_chmod_octal(c, &octal);
	for (uint32_t mode = 0; mode <= 07777; mode += 0111) {
		uint32_t file = co_chmod_apply(c, mode, false);
		uint32_t dir = co_chmod_apply(c, mode, true);
		must(file <= 07777 && dir <= 07777);
		/* X gives x and takes nothing else */
		must(((file ^ dir) & ~0777u) == 0);
		must(!is_octal || (file == octal && dir == octal));
		must(file == co_chmod_apply(c, mode | 0100000, false));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct co_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	const struct co_chmod *c = NULL;
	const char *text = co_arena_dup(&a, data, size);
	int r = co_chmod_parse(&c, &a, text, &err);
	must((r == 0) == (c != NULL) && r == err.code);
	must(r == 0 || r == CO_E_SYNTAX || r == CO_E_LIMIT);
	if (c)
		check(c);
	co_arena_release(&a);
	return 0;
}
