/* SPDX-License-Identifier: MIT
 *
 * names.h — the names in a directory, in byte order: readdir's order must reach neither a layer nor
 * a key.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/err.h>
#include <stddef.h>

struct co_names {
	char **items; /* in the arena */
	size_t n;
	struct co_arena arena;
};
/* Reads from the start, whatever the descriptor's position; "." and ".." are left out. 0, or -1
 * with errno and nothing to release. */
int co_names_read(struct co_names *out, int dirfd) co_must_check;
void co_names_release(struct co_names *n);
