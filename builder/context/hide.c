/* SPDX-License-Identifier: MIT
 *
 * A store inside the context is no part of it: it changes with each build, and a copy of it would
 * hold the copy before.
 */
#include "context-internal.h"
#include <cooper/str.h>

static bool path_of(int fd, char *out, size_t size)
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, out, size - 1);
	if (n <= 0 || out[0] != '/')
		return false;
	out[n] = '\0';
	return true;
}

void co_context_hide_store(struct co_context *c, const struct co_store *s, struct co_bus *bus)
{
	char root[4096], store[4096];
	if (c->temporary || !path_of(c->root.fd, root, sizeof(root)) ||
	    !path_of(co_store_fd(s), store, sizeof(store)))
		return;
	size_t n = strcmp(root, "/") ? strlen(root) : 0;
	if (strncmp(root, store, n) != 0 || store[n] != '/' || !store[n + 1])
		return;
	const char *inside = store + n + 1;
	if (c->ignore && co_ignore_match(c->ignore, inside))
		return;
	ignore_add_path(&c->ignore, inside);
	co_note(bus, "the store %s lies in the build context: it is not copied", store);
}
