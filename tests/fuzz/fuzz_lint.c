/* SPDX-License-Identifier: MIT
 *
 * fuzz_lint.c — the build checks over any text that parses. A first line that starts with "opt " is
 * the caller's check options.
 */
#include "fuzz.h"
#include <cooper/arena.h>
#include <cooper/lint.h>
#include <cooper/str.h>
#include <string.h>

static bool ignored(void *ctx, const char *path)
{
	(void)ctx;
	must(path[0] && path[0] != '/');
	return path[0] == 's';
}

static void check(const struct co_findings *found, const struct co_dockerfile *d)
{
	unsigned last = 0;
	for (size_t i = 0; i < found->n; i++) {
		const struct co_finding *f = &found->items[i];
		must(f->rule && f->rule->name && f->text && f->text[0]);
		must(f->pos.line >= last && f->pos.line >= 1);
		last = f->pos.line;
	}
	must(d->n_stages > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const args[] = {"A", "TAG", NULL};
	struct co_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct co_findings found = {0};
	struct co_lint_opts opts = {.build_args = args, .ignored = ignored};
	const char *text = co_arena_dup(&a, data, size), *rest = text;
	if (co_starts(text, "opt ")) {
		size_t n = strcspn(text, "\n");
		opts.check = co_arena_strndup(&a, text + 4, n - 4);
		rest = text + n + (text[n] == '\n');
	}
	struct co_source src = {"Dockerfile", rest, size - (size_t)(rest - text)};
	struct co_dockerfile *d = NULL;
	if (co_dockerfile_parse(&d, &a, &src, &err) == 0) {
		int r = co_lint(&found, &a, d, &opts, &err);
		must(r == 0 || r == CO_E_SYNTAX || r == CO_E_LIMIT);
		must(r == err.code);
		check(&found, d);
	}
	co_arena_release(&a);
	return 0;
}
