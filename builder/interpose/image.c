/* SPDX-License-Identifier: MIT */
#include <cooper/interpose.h>

__asm__(".section .rodata\n"
	".balign 16\n"
	".globl co_interpose_image\n"
	"co_interpose_image:\n"
	".incbin \"" INTERPOSE_IMAGE "\"\n"
	"co_interpose_end:\n"
	".balign 8\n"
	".globl co_interpose_size\n"
	"co_interpose_size:\n"
	".quad co_interpose_end - co_interpose_image\n"
	".text\n");
