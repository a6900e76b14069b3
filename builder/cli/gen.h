/* SPDX-License-Identifier: MIT
 *
 * gen.h — texts made from the option tables.
 */
#pragma once
#include "cli.h"

/* cmd NULL: the page about all of them. */
void gen_man_page(struct co_buf *out, const struct command *cmd);
void gen_bash(struct co_buf *out);
void gen_zsh(struct co_buf *out);
void gen_fish(struct co_buf *out);
void gen_reference(struct co_buf *out);	 /* docs/commands.md */
void gen_exit_codes(struct co_buf *out); /* docs/exit-codes.md */
