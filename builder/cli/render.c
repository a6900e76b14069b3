/* SPDX-License-Identifier: MIT
 *
 * Which renderer shows a run, and its life.
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct renderer {
	const struct renderer_ops *ops;
	void *self;
	struct co_bus bus;
};

static const struct renderer_ops *const renderers[] = {&render_tty,   &render_plain,  &render_json,
						       &render_quiet, &render_github, NULL};

static bool on_github(void)
{
	const char *v = getenv("GITHUB_ACTIONS");
	return v && !strcmp(v, "true");
}

static const struct renderer_ops *choose(const char *mode)
{
	const char *term = getenv("TERM");
	bool is_auto = !mode || !strcmp(mode, "auto");
	if (mode && !strcmp(mode, "rawjson"))
		return &render_json;
	/* plain too: step output must not give the runner commands */
	if ((is_auto || !strcmp(mode, "plain")) && on_github())
		return &render_github;
	if (is_auto)
		return isatty(2) && !(term && !strcmp(term, "dumb")) ? &render_tty : &render_plain;
	for (size_t i = 0; renderers[i]; i++)
		if (!strcmp(renderers[i]->name, mode))
			return renderers[i];
	return NULL;
}

static void on_event(void *ctx, const struct co_event *ev)
{
	struct renderer *r = ctx;
	r->ops->event(r->self, ev);
}

int render_open(struct renderer **out, const struct progress_opts *o, struct co_err *err)
{
	static const char *const modes[] = {"auto",    "tty",	"plain",  "json",
					    "rawjson", "quiet", "github", NULL};
	const struct renderer_ops *ops = o->quiet ? &render_quiet : choose(o->mode);
	if (!ops) {
		const char *near = co_nearest(o->mode, modes);
		co_fail(err, CO_E_USAGE, "--progress %s: unknown mode", o->mode);
		return near ? co_hint(err, "did you mean --progress=%s?", near)
			    : co_hint(err, "modes are auto, tty, plain, json, rawjson and quiet");
	}
	struct renderer *r = co_xcalloc(1, sizeof(*r));
	r->ops = ops;
	r->self = ops->open(stderr);
	r->bus = (struct co_bus){.emit = on_event, .ctx = r};
	*out = r;
	return 0;
}

struct co_bus *render_bus(struct renderer *r)
{
	return &r->bus;
}

int render_close(struct renderer *rd, struct cmd_ctx *c, int r)
{
	if (!rd)
		return r;
	if (r < 0 && rd->ops->error) {
		rd->ops->error(rd->self, c->err);
		c->reported = true;
	}
	rd->ops->close(rd->self);
	free(rd);
	return r;
}
