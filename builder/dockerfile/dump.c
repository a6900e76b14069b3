/* SPDX-License-Identifier: MIT
 *
 * The tree as text, one line a node, for tests and for looking.
 */
#include "parse-internal.h"

/* In quotes, with what is not printable ASCII or valid UTF-8 as \xNN. */
static void put_quoted(struct co_buf *out, const char *s)
{
	const char *end = s + strlen(s);
	co_buf_addc(out, '"');
	while (s < end) {
		unsigned char c = (unsigned char)*s;
		size_t n = char_len(s, end);
		if (c == '\n')
			co_buf_adds(out, "\\n");
		else if (c == '\t')
			co_buf_adds(out, "\\t");
		else if (c == '\r')
			co_buf_adds(out, "\\r");
		else if (c == '"' || c == '\\')
			co_buf_addf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f || (c >= 0x80 && n == 1))
			co_buf_addf(out, "\\x%02x", c);
		else
			co_buf_add(out, s, n);
		s += n;
	}
	co_buf_addc(out, '"');
}

static void put_field(struct co_buf *out, const char *label, const char *value)
{
	if (!value)
		return;
	co_buf_addf(out, " %s=", label);
	put_quoted(out, value);
}

static void put_pos(struct co_buf *out, struct co_pos pos)
{
	co_buf_addf(out, " %u:%u", pos.line, pos.col);
	if (pos.end_line > pos.line)
		co_buf_addf(out, "-%u", pos.end_line);
}

static void put_heredocs(struct co_buf *out, const struct co_insn *insn, const char *indent)
{
	for (size_t i = 0; i < insn->n_heredocs; i++) {
		const struct co_heredoc *h = &insn->heredocs[i];
		co_buf_addf(out, "%sheredoc", indent);
		put_pos(out, h->pos);
		put_field(out, "name", h->name);
		if (h->fd)
			co_buf_addf(out, " fd=%u", h->fd);
		co_buf_addf(out, "%s%s", h->strip_tabs ? " strip" : "",
			    h->expand ? "" : " literal");
		put_field(out, "body", h->body);
		co_buf_addc(out, '\n');
	}
}

static void put_parts(struct co_buf *out, const struct co_insn *insn, const char *indent)
{
	for (size_t i = 0; i < insn->n_comments; i++) {
		co_buf_addf(out, "%scomment ", indent);
		put_quoted(out, insn->comments[i]);
		co_buf_addc(out, '\n');
	}
	for (size_t i = 0; i < insn->n_flags; i++) {
		co_buf_addf(out, "%sflag", indent);
		put_pos(out, insn->flags[i].pos);
		co_buf_addf(out, " --%s", insn->flags[i].name);
		if (insn->flags[i].value) {
			co_buf_addc(out, '=');
			put_quoted(out, insn->flags[i].value);
		}
		co_buf_addc(out, '\n');
	}
	for (size_t i = 0; i < insn->n_args; i++) {
		co_buf_addf(out, "%sarg", indent);
		put_pos(out, insn->arg_pos[i]);
		co_buf_addc(out, ' ');
		put_quoted(out, insn->args[i]);
		co_buf_addc(out, '\n');
	}
	for (size_t i = 0; i < insn->n_kvs; i++) {
		co_buf_addf(out, "%skv", indent);
		put_pos(out, insn->kvs[i].pos);
		put_field(out, "key", insn->kvs[i].key);
		put_field(out, "value", insn->kvs[i].value);
		co_buf_addc(out, '\n');
	}
	put_heredocs(out, insn, indent);
}

static void put_head(struct co_buf *out, const struct co_insn *insn, const char *indent)
{
	co_buf_addf(out, "%s%s", indent, co_op_name(insn->op));
	put_pos(out, insn->pos);
	if (strcmp(insn->keyword, co_op_name(insn->op)))
		put_field(out, "keyword", insn->keyword);
	co_buf_addf(out, "%s%s%s\n", insn->json ? " json" : "", insn->legacy_kv ? " legacy" : "",
		    insn->none ? " none" : "");
}

static void put_insn(struct co_buf *out, const struct co_insn *insn)
{
	put_head(out, insn, "");
	put_parts(out, insn, "  ");
	if (insn->inner) {
		put_head(out, insn->inner, "  ");
		put_parts(out, insn->inner, "    ");
	}
	if (insn->pos.end_line > insn->pos.line) {
		co_buf_adds(out, "  original ");
		put_quoted(out, insn->original);
		co_buf_addc(out, '\n');
	}
}

void co_dockerfile_dump(struct co_buf *out, const struct co_dockerfile *d)
{
	co_buf_addf(out, "dockerfile escape=%c", d->escape);
	put_field(out, "syntax", d->syntax);
	put_field(out, "check", d->check);
	co_buf_addc(out, '\n');
	for (size_t i = 0; i < d->n_globals; i++)
		put_insn(out, d->globals[i]);
	for (size_t i = 0; i < d->n_stages; i++) {
		const struct co_stage_ast *st = &d->stages[i];
		co_buf_addf(out, "stage %zu", i);
		put_field(out, "base", st->base);
		put_field(out, "name", st->name);
		put_field(out, "name_raw", st->name_raw);
		put_field(out, "platform", st->platform);
		co_buf_addc(out, '\n');
		put_insn(out, st->from);
		for (size_t k = 0; k < st->n_insns; k++)
			put_insn(out, st->insns[k]);
	}
	for (size_t i = 0; i < d->n_warnings; i++) {
		co_buf_addf(out, "warning %s", d->warnings[i].rule);
		put_pos(out, d->warnings[i].pos);
		co_buf_addc(out, ' ');
		put_quoted(out, d->warnings[i].text);
		co_buf_addc(out, '\n');
	}
}
