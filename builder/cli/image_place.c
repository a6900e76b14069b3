/* SPDX-License-Identifier: MIT */
#include "image_place.h"

int image_place_open(struct image_place *p, struct cmd_ctx *c, const struct common_opts *common,
		     const struct progress_opts *progress)
{
	*p = (struct image_place){0};
	int r = progress ? render_open(&p->render, progress, c->err) : 0;
	if (!r)
		r = cli_store(&p->store, common, c->err);
	if (!r)
		r = cli_registry(&p->registry, common, p->render ? render_bus(p->render) : NULL,
				 c->err);
	return r;
}

int image_place_close(struct image_place *p, struct cmd_ctx *c, int r)
{
	if (p->registry)
		co_registry_close(p->registry);
	if (p->store)
		co_store_close(p->store);
	return render_close(p->render, c, r);
}

static void look_fetched(struct image_place *p, struct cmd_ctx *c)
{
	co_registry_close(p->registry);
	p->registry = NULL;
	(void)render_close(p->render, c, 0);
	p->render = NULL;
}

int look_open(struct looked *l, struct cmd_ctx *c, const struct common_opts *common,
	      const char *name, const char *platform, bool with_layers)
{
	struct co_platform p;
	struct co_descriptor desc;
	*l = (struct looked){0};
	/* somebody who waits for a download; a script has no use for it */
	static const struct progress_opts shown = {.mode = "auto"};
	int r = cli_platform(&p, platform, c->err);
	if (!r)
		r = image_place_open(&l->place, c, common, isatty(2) ? &shown : NULL);
	if (!r)
		r = co_find_image(l->place.store, l->place.registry, name, &p, with_layers, &desc,
				  c->err);
	if (!r) /* what is printed now may go to the same terminal */
		look_fetched(&l->place, c);
	if (!r)
		r = co_view_open(&l->view, c->arena, l->place.store, &desc, &p, c->err);
	l->has_view = r == 0;
	return r;
}

int look_close(struct looked *l, struct cmd_ctx *c, int r)
{
	if (l->has_view)
		co_view_release(&l->view);
	return image_place_close(&l->place, c, r);
}
