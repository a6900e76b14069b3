/* SPDX-License-Identifier: MIT */
#include "local.h"
#include <cooper/arena.h>
#include <stdlib.h>

struct co_cache {
	struct co_store *store; /* borrowed */
	struct co_bus *bus;	/* borrowed */
};

int co_cache_open(struct co_cache **out, struct co_store *s, struct co_bus *bus, struct co_err *err)
{
	(void)err;
	struct co_cache *c = co_xcalloc(1, sizeof(*c));
	c->store = s;
	c->bus = bus;
	*out = c;
	return 0;
}

int co_cache_get(struct co_cache *c, const struct co_digest *key, struct co_layer *layer)
{
	return cache_local_get(c->store, key, layer);
}

int co_cache_put(struct co_cache *c, const struct co_digest *key, const struct co_layer *layer,
		 struct co_err *err)
{
	return cache_local_put(c->store, key, layer, err);
}

void co_cache_close(struct co_cache *c)
{
	free(c);
}
