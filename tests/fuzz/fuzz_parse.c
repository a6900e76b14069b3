/* SPDX-License-Identifier: MIT
 *
 * fuzz_parse.c — the Dockerfile parser: any bytes give a tree whose places lie inside the text, or
 * an error that has a place.
 */
#include "fuzz.h"
#include <cooper/buf.h>
#include <cooper/dockerfile.h>
#include <string.h>

static unsigned lines(const struct co_source *src)
{
	unsigned n = 1;
	for (size_t i = 0; i < src->len; i++)
		n += src->text[i] == '\n';
	return n;
}

static void check_pos(struct co_pos pos, unsigned n)
{
	must(pos.line >= 1 && pos.line <= n && pos.col >= 1);
	must(pos.end_line >= pos.line && pos.end_line <= n);
}

static void check_error(int r, const struct co_err *err, unsigned n)
{
	must(r == err->code && err->msg[0] && err->file[0]);
	must(err->code == CO_E_SYNTAX || err->code == CO_E_LIMIT || err->code == CO_E_UNSUPPORTED);
	check_pos(err->pos, n);
}

static void check_shape(const struct co_insn *i)
{
	bool pairs = i->op == CO_OP_ENV || i->op == CO_OP_LABEL || i->op == CO_OP_ARG;
	must((unsigned)i->op < CO_OP_COUNT && i->keyword && i->original);
	must(pairs ? i->n_kvs > 0 && !i->n_args : !i->n_kvs);
	must((i->op == CO_OP_ONBUILD) == (i->inner != NULL));
	if (i->op == CO_OP_COPY || i->op == CO_OP_ADD)
		must(i->n_args >= 2);
	else if (!pairs && !i->json && !i->none)
		must(i->n_args >= 1);
	for (size_t k = 0; k < i->n_heredocs; k++)
		must(i->heredocs[k].name && i->heredocs[k].body);
}

static void check_insn(const struct co_insn *i, unsigned n)
{
	check_shape(i);
	check_pos(i->pos, n);
	for (size_t k = 0; k < i->n_args; k++) {
		must(i->args[k] != NULL);
		check_pos(i->arg_pos[k], n);
	}
	for (size_t k = 0; k < i->n_kvs; k++) {
		must(i->kvs[k].key && i->kvs[k].key[0]);
		check_pos(i->kvs[k].pos, n);
	}
	for (size_t k = 0; k < i->n_flags; k++)
		check_pos(i->flags[k].pos, n);
	for (size_t k = 0; k < i->n_heredocs; k++)
		check_pos(i->heredocs[k].pos, n);
	if (i->inner)
		check_insn(i->inner, n);
}

static void parse_one(const struct co_source *src)
{
	struct co_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct co_insn *insn;
	unsigned n = lines(src);
	int r = co_dockerfile_parse_one(&insn, &a, src, &err);
	if (r < 0)
		check_error(r, &err, n);
	else
		check_insn(insn, n);
	co_arena_release(&a);
}

static void check_tree(const struct co_dockerfile *d, unsigned n)
{
	must(d->n_stages > 0 && (d->escape == '\\' || d->escape == '`'));
	for (size_t i = 0; i < d->n_globals; i++)
		check_insn(d->globals[i], n);
	for (size_t i = 0; i < d->n_stages; i++) {
		must(d->stages[i].base && d->stages[i].base[0]);
		check_insn(d->stages[i].from, n);
		for (size_t k = 0; k < d->stages[i].n_insns; k++) {
			const struct co_insn *insn = d->stages[i].insns[k];
			check_insn(insn, n);
			if (!insn->inner)
				continue;
			struct co_source src = {"trigger", insn->args[0], strlen(insn->args[0])};
			parse_one(&src);
		}
	}
	for (size_t i = 0; i < d->n_warnings; i++)
		check_pos(d->warnings[i].pos, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct co_arena a = CO_ARENA_INIT;
	struct co_err err = CO_ERR_INIT;
	struct co_source src = {"Dockerfile", (const char *)data, size};
	struct co_dockerfile *d;
	unsigned n = lines(&src);
	int r = co_dockerfile_parse(&d, &a, &src, &err);
	if (r < 0) {
		check_error(r, &err, n);
	} else {
		auto_buf out = CO_BUF_INIT(64u << 20);
		check_tree(d, n);
		co_dockerfile_dump(&out, d);
		must(out.len > 0);
	}
	co_arena_release(&a);
	parse_one(&src);
	return 0;
}
