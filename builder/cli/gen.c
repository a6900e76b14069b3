/* SPDX-License-Identifier: MIT
 *
 * `cooper __gen`: which files there are. They are checked in, and a test compares.
 */
#include "gen.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <string.h>

static int put(struct cmd_ctx *c, const char *dir, const char *name, const struct co_buf *text)
{
	const char *path = co_arena_printf(c->arena, "%s/%s", dir, name);
	return co_write_file(AT_FDCWD, path, co_buf_str(text), text->len, 0644, c->err);
}

static int gen_man(struct cmd_ctx *c, const char *dir)
{
	auto_buf main_page = CO_BUF_INIT(CO_BUF_TEXT);
	gen_man_page(&main_page, NULL);
	int r = put(c, dir, "cooper.1", &main_page);
	for (size_t i = 0; r == 0 && commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
		gen_man_page(&b, commands[i]);
		r = put(c, dir, co_arena_printf(c->arena, "cooper-%s.1", commands[i]->name), &b);
	}
	return r;
}

static int put_made(struct cmd_ctx *c, const char *dir, const char *name,
		    void (*make)(struct co_buf *))
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	make(&b);
	return put(c, dir, name, &b);
}

int gen_run(struct cmd_ctx *c, const char *what, const char *dir)
{
	int r = co_mkdir_p(dir, 0755, c->err);
	if (r < 0)
		return r;
	if (!strcmp(what, "man"))
		return gen_man(c, dir);
	if (!strcmp(what, "completions")) {
		r = put_made(c, dir, "cooper.bash", gen_bash);
		if (!r)
			r = put_made(c, dir, "_cooper", gen_zsh);
		return r ? r : put_made(c, dir, "cooper.fish", gen_fish);
	}
	if (!strcmp(what, "docs")) {
		r = put_made(c, dir, "commands.md", gen_reference);
		return r ? r : put_made(c, dir, "exit-codes.md", gen_exit_codes);
	}
	return co_fail(c->err, CO_E_USAGE, "cooper __gen: man, completions or docs, not \"%s\"",
		       what);
}
