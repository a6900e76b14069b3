/* SPDX-License-Identifier: MIT
 *
 * The program of init.c, as the build made it, inside the library.
 */
#include "sandbox-internal.h"

__asm__(".section .rodata\n"
	".balign 16\n"
	"init_image_start:\n"
	".incbin \"" INIT_IMAGE "\"\n"
	"init_image_end:\n"
	".previous\n");
extern const char init_image_start[], init_image_end[];

const void *init_image(size_t *size)
{
	*size = (size_t)(init_image_end - init_image_start);
	return init_image_start;
}
