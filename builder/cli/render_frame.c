/* SPDX-License-Identifier: MIT */
#include "render_frame.h"
#include "render-internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define KEPT_MAX (4u << 20)

static unsigned env_number(const char *name, unsigned fallback)
{
	const char *v = getenv(name);
	uint64_t n;
	return v && co_parse_u64(v, &n) && n > 0 && n < 10000 ? (unsigned)n : fallback;
}

static void ask_size(struct frame *fr)
{
	struct winsize w;
	if (fr->is_tty && ioctl(fileno(fr->f), TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row) {
		fr->cols = w.ws_col;
		fr->rows = w.ws_row;
	} else {
		fr->cols = env_number("COLUMNS", 80);
		fr->rows = env_number("LINES", 24);
	}
	if (fr->cols < 2)
		fr->cols = 2;
}

void frame_init(struct frame *fr, FILE *f)
{
	memset(fr, 0, sizeof(*fr));
	fr->f = f;
	fr->is_tty = fileno(f) >= 0 && isatty(fileno(f));
	fr->color = fr->is_tty && color_wanted(f);
	fr->kept.max = KEPT_MAX;
	fr->live.max = KEPT_MAX;
	ask_size(fr);
}

void frame_release(struct frame *fr)
{
	co_buf_release(&fr->kept);
	co_buf_release(&fr->live);
}

static const char *look_on(const struct frame *fr, enum frame_look look)
{
	static const char *const codes[] = {[FRAME_DONE] = "\033[34m",
					    [FRAME_CACHED] = "\033[34m",
					    [FRAME_ERROR] = "\033[31m",
					    [FRAME_WARNING] = "\033[33m"};
	return fr->color ? codes[look] : "";
}

/* text cut to the line, right at its end; the last column stays free so that nothing wraps. Returns
 * the columns used. */
static unsigned fit_line(const struct frame *fr, struct co_buf *out, const char *text,
			 const char *right)
{
	size_t room = fr->cols - 1, len = strlen(text);
	size_t rw = right ? strlen(right) : 0;
	if (!rw || rw + 8 > room) {
		size_t n = text_fit(text, len, room);
		co_buf_add(out, text, n);
		return (unsigned)text_width(text, n);
	}
	size_t n = text_fit(text, len, room - rw - 1);
	size_t used = text_width(text, n);
	co_buf_add(out, text, n);
	for (; used < room - rw; used++)
		co_buf_addc(out, ' ');
	co_buf_adds(out, right);
	return (unsigned)room;
}

void frame_keep(struct frame *fr, enum frame_look look, const char *text)
{
	co_buf_addf(&fr->kept, "%s%s%s\n", look_on(fr, look), text, fr->color ? "\033[0m" : "");
}

void frame_keep_step(struct frame *fr, enum frame_look look, const char *text, const char *right)
{
	ask_size(fr);
	co_buf_adds(&fr->kept, look_on(fr, look));
	fit_line(fr, &fr->kept, text, right);
	co_buf_adds(&fr->kept, fr->color ? "\033[0m\n" : "\n");
}

void frame_begin(struct frame *fr)
{
	ask_size(fr);
	co_buf_clear(&fr->live);
	fr->n_live = 0;
}

void frame_line(struct frame *fr, const char *text, const char *right)
{
	/* what does not fit on the screen could never be erased again */
	if (fr->n_live >= FRAME_MAX_LINES || fr->n_live + 1 >= fr->rows)
		return;
	fr->next_widths[fr->n_live++] = fit_line(fr, &fr->live, text, right);
	co_buf_addc(&fr->live, '\n');
}

/* Up over the frame on the screen and away with it. A terminal made narrower has folded its lines.
 */
static void erase(struct frame *fr)
{
	unsigned up = 0;
	for (size_t i = 0; i < fr->n_shown; i++)
		up += fr->widths[i] > fr->cols ? (fr->widths[i] + fr->cols - 1) / fr->cols : 1;
	if (up)
		fprintf(fr->f, "\r\033[%uA\033[J", up);
	fr->n_shown = 0;
}

static void write_kept(struct frame *fr)
{
	fwrite(co_buf_str(&fr->kept), 1, fr->kept.len, fr->f);
	co_buf_clear(&fr->kept);
}

void frame_end(struct frame *fr)
{
	erase(fr);
	write_kept(fr);
	fwrite(co_buf_str(&fr->live), 1, fr->live.len, fr->f);
	memcpy(fr->widths, fr->next_widths, sizeof(fr->widths));
	fr->n_shown = fr->n_live;
	fflush(fr->f);
}

void frame_clear(struct frame *fr)
{
	ask_size(fr);
	erase(fr);
	write_kept(fr);
	fflush(fr->f);
}
