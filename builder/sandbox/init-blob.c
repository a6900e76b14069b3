/* SPDX-License-Identifier: MIT
 *
 * The program of init.c, as the build made it, inside the library.
 */
#include "sandbox-internal.h"

/* Global, because what stands in a table of addresses for a local symbol has lost its offset on
 * aarch64. */
__asm__(".section .rodata\n"
	".balign 16\n"
	".globl init_image_start, init_image_end\n"
	".hidden init_image_start, init_image_end\n"
	"init_image_start:\n"
	".incbin \"" INIT_IMAGE "\"\n"
	"init_image_end:\n"
	".previous\n");
extern const char init_image_start[] __attribute__((visibility("hidden"))),
	init_image_end[] __attribute__((visibility("hidden")));

const void *init_image(size_t *size)
{
	*size = (size_t)(init_image_end - init_image_start);
	return init_image_start;
}
