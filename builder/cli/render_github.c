/* SPDX-License-Identifier: MIT
 *
 * For the log of a GitHub Actions job: plain lines in groups, findings as annotations. The runner
 * obeys commands it sees in the log, so everything that is not one of ours is written while
 * commands are stopped under a random token that no step can know.
 */
#include "render-internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct github {
	FILE *f;
	void *plain;
	char token[33];
	bool stopped, group;
	struct tail tail;
	char label[512];
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
	fputs(co_buf_str(&b), g->f);
}

static void *github_open(FILE *f)
{
	struct github *g = co_xcalloc(1, sizeof(*g));
	g->f = f;
	g->tail = (struct tail)TAIL_INIT;
	g->plain = render_plain.open(f);
	return g;
}

static void end_group(struct github *g)
{
	if (!g->group)
		return;
	allow_commands(g);
	fprintf(g->f, "::endgroup::\n");
	g->group = false;
}

static void start_group(struct github *g, const struct co_event *ev)
{
	auto_buf label = CO_BUF_INIT(CO_BUF_SMALL);
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	end_group(g);
	allow_commands(g);
	step_label(&label, ev->stage, ev->step, ev->count, ev->name);
	github_escape(&b, co_buf_str(&label), label.len, false);
	fprintf(g->f, "::group::%s\n", co_buf_str(&b));
	g->group = true;
	snprintf(g->label, sizeof(g->label), "%s", co_buf_str(&label));
	tail_clear(&g->tail);
}

/* A group is folded away: what a failed step said is shown again below it. */
static void failed_step(struct github *g)
{
	end_group(g);
	stop_commands(g);
	if (g->tail.text.len)
		tail_print(g->f, &g->tail, g->label);
}

static void github_event(void *self, const struct co_event *ev)
{
	struct github *g = self;
	if (ev->kind == CO_EV_WARNING || ev->kind == CO_EV_POLICY) {
		bool error = ev->kind == CO_EV_POLICY && !ev->ok;
		allow_commands(g);
		/* a refusal comes again as the error that ends the build */
		if (!error)
			annotate(g, "warning", ev->file, ev->pos, ev->rule,
				 ev->text ? ev->text : "", event_len(ev));
	}
	if (ev->kind == CO_EV_STEP_START)
		start_group(g, ev);
	if (ev->kind == CO_EV_STEP_OUTPUT)
		tail_add(&g->tail, ev->text, event_len(ev));
	stop_commands(g);
	render_plain.event(g->plain, ev);
	if (ev->kind == CO_EV_STEP_DONE) {
		if (ev->ok)
			end_group(g);
		else
			failed_step(g);
	}
	fflush(g->f);
}

static void github_error(void *self, const struct co_err *err)
{
	struct github *g = self;
	const char *text = err->msg[0] ? err->msg : co_err_text(err->code);
	end_group(g);
	allow_commands(g);
	annotate(g, "error", err->file[0] ? err->file : NULL, err->pos, co_err_text(err->code),
		 text, strlen(text));
	stop_commands(g);
	error_print(g->f, err, false);
}

static void github_close(void *self)
{
	struct github *g = self;
	render_plain.close(g->plain);
	end_group(g);
	allow_commands(g);
	fflush(g->f);
	co_buf_release(&g->tail.text);
	free(g);
}

const struct renderer_ops render_github = {.name = "github",
					   .open = github_open,
					   .event = github_event,
					   .error = github_error,
					   .close = github_close};
