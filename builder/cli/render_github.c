/* SPDX-License-Identifier: MIT
 *
 * For the log of a GitHub Actions job: plain lines in groups, findings as annotations. The runner
 * obeys commands it sees in the log, so everything that is not one of ours is written while
 * commands are stopped under a random token that no step can know.
 *
 * Groups can not be interleaved: of the steps that run side by side one is live, and what the
 * others say is kept until it is done.
 */
#include "render-internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct step_text {
	struct plain *plain; /* NULL: free */
	int step;
	bool done, failed;
};
struct github {
	FILE *f;
	char token[33];
	bool stopped;
	struct plain *plain; /* what belongs to no step */
	struct open_steps steps;
	struct step_text texts[MAX_OPEN_STEPS];
	int live; /* the step whose group is open; 0: none */
};

static void stop_commands(struct github *g)
{
	uint8_t bytes[16];
	if (g->stopped)
		return;
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort(); /* without a secret token the log of a step could command the runner */
	co_hex(bytes, sizeof(bytes), g->token);
	fprintf(g->f, "::stop-commands::%s\n", g->token);
	g->stopped = true;
}

static void allow_commands(struct github *g)
{
	if (g->stopped)
		fprintf(g->f, "::%s::\n", g->token);
	g->stopped = false;
}

void github_escape(struct co_buf *out, const char *s, size_t len, bool property)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
			co_buf_addf(out, "%%%02X", c);
		else if (c >= ' ' || c == '\t')
			co_buf_addc(out, (char)c);
	}
}

void github_annotation(struct co_buf *out, const char *level, const char *file, struct co_pos pos,
		       const char *title, const char *text, size_t len)
{
	const char *sep = " ";
	co_buf_addf(out, "::%s", level);
	if (file && pos.line) {
		co_buf_adds(out, " file=");
		github_escape(out, file, strlen(file), true);
		co_buf_addf(out, ",line=%u", pos.line);
		if (pos.end_line > pos.line)
			co_buf_addf(out, ",endLine=%u", pos.end_line);
		if (pos.col)
			co_buf_addf(out, ",col=%u", pos.col);
		sep = ",";
	}
	if (title) {
		co_buf_addf(out, "%stitle=", sep);
		github_escape(out, title, strlen(title), true);
	}
	co_buf_adds(out, "::");
	github_escape(out, text, len, false);
	co_buf_addc(out, '\n');
}

static void annotate(struct github *g, const char *level, const char *file, struct co_pos pos,
		     const char *title, const char *text, size_t len)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	github_annotation(&b, level, file, pos, title, text, len);
	allow_commands(g);
	fputs(co_buf_str(&b), g->f);
}

static void *github_open(FILE *f)
{
	struct github *g = co_xcalloc(1, sizeof(*g));
	g->f = f;
	g->plain = plain_new();
	open_steps_init(&g->steps);
	return g;
}

static void put_text(struct github *g, struct co_buf *text)
{
	if (text->len) {
		stop_commands(g);
		fwrite(co_buf_str(text), 1, text->len, g->f);
	}
	co_buf_clear(text);
}

static struct step_text *find_text(struct github *g, int step)
{
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++)
		if (g->texts[i].plain && g->texts[i].step == step)
			return &g->texts[i];
	return NULL;
}

static void open_group(struct github *g, const struct open_step *o)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	allow_commands(g);
	github_escape(&b, o->label, strlen(o->label), false);
	fprintf(g->f, "::group::%s\n", co_buf_str(&b));
	g->live = o->step;
}

static void close_group(struct github *g)
{
	if (!g->live)
		return;
	allow_commands(g);
	fprintf(g->f, "::endgroup::\n");
	g->live = 0;
}

/* The whole of a step that is done; a group is folded away, so a failed one's output follows it. */
static void put_done(struct github *g, struct step_text *t)
{
	struct open_step *o = open_step_find(&g->steps, t->step);
	if (o && o->tail.text.len && g->live != t->step)
		open_group(g, o);
	put_text(g, plain_finish(t->plain));
	close_group(g);
	if (o && t->failed && o->tail.text.len) {
		stop_commands(g);
		tail_print(g->f, &o->tail, o->label);
	}
	if (o)
		open_step_end(o);
	plain_free(t->plain);
	memset(t, 0, sizeof(*t));
}

/* Nothing is live: those that were done meanwhile, then one that has something to say. */
static void next_live(struct github *g)
{
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++)
		if (g->texts[i].plain && g->texts[i].done)
			put_done(g, &g->texts[i]);
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++) {
		struct step_text *t = &g->texts[i];
		struct open_step *o = t->plain ? open_step_find(&g->steps, t->step) : NULL;
		if (!o || !o->tail.text.len)
			continue;
		open_group(g, o);
		put_text(g, plain_text(t->plain));
		return;
	}
}

static void step_event(struct github *g, const struct co_event *ev)
{
	struct step_text *t = find_text(g, ev->step);
	for (size_t i = 0; !t && ev->kind == CO_EV_STEP_START && i < MAX_OPEN_STEPS; i++)
		if (!g->texts[i].plain) {
			t = &g->texts[i];
			*t = (struct step_text){.plain = plain_new(), .step = ev->step};
		}
	if (!t)
		return;
	struct open_step *o = ev->kind == CO_EV_STEP_START ? open_step_begin(&g->steps, ev)
							   : open_step_find(&g->steps, ev->step);
	if (ev->kind == CO_EV_STEP_OUTPUT && o) {
		tail_add(&o->tail, ev->text, event_len(ev));
		if (!g->live)
			open_group(g, o);
	}
	struct co_buf *text = plain_add(t->plain, ev);
	if (ev->kind == CO_EV_STEP_DONE) {
		t->done = true;
		t->failed = !ev->ok;
	}
	if (g->live == ev->step && ev->kind == CO_EV_STEP_OUTPUT)
		put_text(g, text);
	if (t->done && (!g->live || g->live == ev->step)) {
		put_done(g, t);
		next_live(g);
	}
}

static void annotate_attempt(struct github *g, const struct co_event *ev)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	struct open_step *o = open_step_find(&g->steps, ev->step);
	if (!ev->total)
		return;
	attempt_label(&b, ev);
	if (o)
		co_buf_addf(&b, ", in %s", o->label);
	annotate(g, "warning", NULL, (struct co_pos){0}, "blocked by the sandbox", co_buf_str(&b),
		 b.len);
}

static void github_event(void *self, const struct co_event *ev)
{
	struct github *g = self;
	switch (ev->kind) {
	case CO_EV_STEP_START:
	case CO_EV_STEP_OUTPUT:
	case CO_EV_STEP_DONE:
		step_event(g, ev);
		break;
	case CO_EV_POLICY:
	case CO_EV_WARNING:
		/* a refusal comes again as the error that ends the build */
		if (ev->kind == CO_EV_WARNING || ev->ok)
			annotate(g, "warning", ev->file, ev->pos, ev->rule,
				 ev->text ? ev->text : "", event_len(ev));
		break;
	case CO_EV_ATTEMPT:
		annotate_attempt(g, ev);
		break;
	case CO_EV_BUILD_START:
	case CO_EV_TRANSFER:
	case CO_EV_NOTE:
	case CO_EV_CACHE:
	case CO_EV_RESULT:
	case CO_EV_BUILD_DONE:
	case CO_EV_COUNT:
	default:
		put_text(g, plain_add(g->plain, ev));
		break;
	}
	fflush(g->f);
}

/* What never came to its end is shown as far as it came. */
static void put_rest(struct github *g)
{
	if (g->live) {
		struct step_text *t = find_text(g, g->live);
		if (t)
			put_done(g, t);
		close_group(g);
	}
	for (size_t i = 0; i < MAX_OPEN_STEPS; i++)
		if (g->texts[i].plain)
			put_done(g, &g->texts[i]);
}

static void github_error(void *self, const struct co_err *err)
{
	struct github *g = self;
	const char *text = err->msg[0] ? err->msg : co_err_text(err->code);
	put_rest(g);
	annotate(g, "error", err->file[0] ? err->file : NULL, err->pos, co_err_text(err->code),
		 text, strlen(text));
	stop_commands(g);
	error_print(g->f, err, false);
}

static void github_close(void *self)
{
	struct github *g = self;
	put_rest(g);
	put_text(g, plain_finish(g->plain));
	allow_commands(g);
	fflush(g->f);
	plain_free(g->plain);
	open_steps_release(&g->steps);
	free(g);
}

const struct renderer_ops render_github = {.name = "github",
					   .open = github_open,
					   .event = github_event,
					   .error = github_error,
					   .close = github_close};
