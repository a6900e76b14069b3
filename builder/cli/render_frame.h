/* SPDX-License-Identifier: MIT
 *
 * render_frame.h — lines that stay and lines that are drawn again, on one terminal. The cursor
 * rests below the last line of the frame.
 */
#pragma once
#include <cooper/buf.h>
#include <stdbool.h>
#include <stdio.h>

enum frame_look { FRAME_DONE, FRAME_CACHED, FRAME_ERROR, FRAME_WARNING };
#define FRAME_MAX_LINES 128
struct frame {
	FILE *f;
	bool is_tty, color;
	unsigned cols, rows;
	struct co_buf kept; /* lines to be written above the next frame */
	struct co_buf live; /* the frame being made */
	size_t n_live;
	unsigned next_widths[FRAME_MAX_LINES];
	unsigned widths[FRAME_MAX_LINES]; /* columns of the lines on the screen now */
	size_t n_shown;
};
void frame_init(struct frame *fr, FILE *f);
void frame_release(struct frame *fr);
/* Lines that stay: text is clean. keep_step is cut to the terminal's width, with right at its edge.
 */
void frame_keep(struct frame *fr, enum frame_look look, const char *text);
void frame_keep_step(struct frame *fr, enum frame_look look, const char *text, const char *right);
/* A new frame: begin asks for the terminal's size, end replaces the one on the screen. */
void frame_begin(struct frame *fr);
void frame_line(struct frame *fr, const char *text, const char *right);
void frame_end(struct frame *fr);
/* Writes what is kept and leaves no frame on the screen. */
void frame_clear(struct frame *fr);
