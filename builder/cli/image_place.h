/* SPDX-License-Identifier: MIT
 *
 * image_place.h — what every command that looks into an image works with: store, client, renderer,
 * and the image found under the name that was given.
 */
#pragma once
#include "cli.h"
#include <cooper/report.h>

struct image_place {
	struct co_store *store;
	struct co_registry *registry;
	struct renderer *render;
};
/* progress NULL: nothing is shown. image_place_close is due even after a failure. */
int image_place_open(struct image_place *p, struct cmd_ctx *c, const struct common_opts *common,
		     const struct progress_opts *progress) co_must_check;
/* Returns r; shows c->err in the renderer's form when r < 0. */
int image_place_close(struct image_place *p, struct cmd_ctx *c, int r);

/* One image, opened; with_layers brings the blobs too. */
struct looked {
	struct image_place place;
	struct co_view view;
	bool has_view;
};
int look_open(struct looked *l, struct cmd_ctx *c, const struct common_opts *common,
	      const char *name, const char *platform, bool with_layers) co_must_check;
int look_close(struct looked *l, struct cmd_ctx *c, int r);
