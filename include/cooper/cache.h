/* SPDX-License-Identifier: MIT
 *
 * cache.h — step key to layer. An entry is immutable; a blob that vanished is a miss, never a
 * failure. Only records written by cooper itself are candidates, never images (CVE-2024-24557).
 */
#pragma once
#include <cooper/digest.h>
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/snapshot.h>
#include <cooper/store.h>

struct co_cache;
int co_cache_open(struct co_cache **out, struct co_store *s, struct co_bus *bus,
		  struct co_err *err) co_must_check;
/* 1: hit (*layer filled, its blob is in the store), 0: miss. Never fails. */
int co_cache_get(struct co_cache *c, const struct co_digest *key, struct co_layer *layer);
int co_cache_put(struct co_cache *c, const struct co_digest *key, const struct co_layer *layer,
		 struct co_err *err) co_must_check;
void co_cache_close(struct co_cache *c);
