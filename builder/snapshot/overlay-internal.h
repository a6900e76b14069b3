/* SPDX-License-Identifier: MIT
 *
 * What the files of the overlay backend share.
 */
#pragma once
#include "snapshot-internal.h"

#define MAX_LOWERS 500

struct overlay {
	struct co_digest lowers[MAX_LOWERS]; /* bottom first */
	size_t n;
	size_t pushes; /* layers put on top so far */
	/* the step at work */
	char name[256]; /* its directory below the store; "" if none */
	int dir;	/* descriptor of it */
	struct co_root merged;
	/* a read-only view of the lowers */
	char view_name[256];
	struct co_root view;
	size_t view_pushes; /* it shows the lowers as they were then */
};

/* overlay_mount.c: mounts dir/merged from the lowers and, when writable, dir/fs and dir/work. */
int overlay_mount(struct co_rootfs *r, int dir, bool writable, struct co_root *out,
		  struct co_err *err);
void overlay_unmount(int dir, struct co_root *root);
/* overlay_diff.c: writes what the upper directory changes in the view of the lowers (NULL: there
 * are none). */
int overlay_diff(struct layer_out *out, int upper, const struct co_root *lower, struct co_err *err);
