/* SPDX-License-Identifier: MIT
 *
 * The history of an image, newest first.
 */
#include "report-internal.h"

int co_report_history(struct co_history_row **out, size_t *n, struct co_arena *a, struct co_view *v,
		      struct co_err *err)
{
	const struct co_config *c = &v->config;
	struct co_history_row *rows = NULL;
	size_t layer = 0;
	(void)err;
	if (c->n_history)
		rows = co_arena_alloc(a, c->n_history * sizeof(*rows));
	for (size_t i = 0; i < c->n_history; i++) {
		const struct co_history *h = &c->history[i];
		struct co_history_row *row = &rows[c->n_history - 1 - i];
		*row = (struct co_history_row){.created = h->created,
					       .created_by = h->created_by,
					       .comment = h->comment,
					       .empty = h->empty_layer};
		if (h->empty_layer)
			continue;
		if (layer < v->manifest.n_layers)
			row->size = (uint64_t)v->manifest.layers[layer].size;
		if (layer < c->n_diff_ids)
			row->diff_id = c->diff_ids[layer];
		layer++;
	}
	*out = rows;
	*n = c->n_history;
	return 0;
}
