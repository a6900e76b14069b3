/* SPDX-License-Identifier: MIT
 *
 * pull.c — a whole image into the store.
 */
#include "registry-internal.h"

int co_registry_pull(struct co_registry *r, struct co_store *s, const struct co_ref *ref,
		     const struct co_platform *platform, struct co_descriptor *desc,
		     struct co_err *err)
{
	auto_graph g = {0};
	struct co_descriptor d;
	char name[1024];
	int e = co_registry_resolve(r, s, ref, platform, &d, err);

	if (e < 0)
		return e;
	co_ref_str(ref, name, sizeof(name));
	e = graph_load(&g, s, &d, err);
	if (e < 0)
		return co_wrap(err, "%s", name);
	struct blob_job *jobs = co_arena_alloc(&g.arena, (g.n_blobs + 1) * sizeof(*jobs));
	for (size_t i = 0; i < g.n_blobs; i++)
		jobs[i] = (struct blob_job){.store = s, .repo = ref, .desc = g.blobs[i]};
	e = blob_fetch_all(r, jobs, g.n_blobs, err);
	if (e < 0)
		return co_wrap(err, "%s", name);
	*desc = d;
	return 0;
}
