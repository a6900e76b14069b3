/* SPDX-License-Identifier: MIT
 *
 * local.h — cache records as files: STORE/cache/<key hex>.json
 */
#pragma once
#include <cooper/cache.h>

int cache_local_get(struct co_store *s, const struct co_digest *key, struct co_layer *layer);
int cache_local_put(struct co_store *s, const struct co_digest *key, const struct co_layer *layer,
		    struct co_err *err) co_must_check;
