/* SPDX-License-Identifier: MIT
 *
 * ENV, LABEL and ARG: words with quotes and escapes, kept as written.
 */
#include "parse-internal.h"

void add_kv(struct parser *p, const char *key, const char *value, const char *at)
{
	if (p->n_kvs == p->cap_kvs) {
		p->cap_kvs = p->cap_kvs ? p->cap_kvs * 2 : 16;
		p->kvs = co_xrealloc(p->kvs, p->cap_kvs, sizeof(*p->kvs));
	}
	p->kvs[p->n_kvs++] = (struct co_kv){key, value, pos_of(p, at)};
}

/* The next word: *s is moved behind it, the word is [*w, result). Equal when there is none: the
 * end, or an escape character that stands alone before it. */
static const char *next_word(const char **s, const char *end, char escape, const char **w)
{
	const char *c = skip_space(*s, end);
	char quote = 0;
	*w = c;
	while (c < end && (quote || !space_len(c, end))) {
		if (*c == escape && quote != '\'') {
			if (c + 1 == end) { /* an escape at the very end says nothing */
				*s = end;
				return c;
			}
			c++;
		} else if (quote ? *c == quote : *c == '\'' || *c == '"') {
			quote = quote ? 0 : *c;
		}
		c += char_len(c, end);
	}
	*s = c;
	return c;
}

static int blank_name(struct parser *p, const char *at, const char *op, struct co_err *err)
{
	return fail_at(p, at, err, "%s names can not be blank", op);
}

/* `ENV key the rest is the value` */
static int legacy_pair(struct parser *p, struct co_insn *insn, const char *s, const char *end,
		       struct co_err *err)
{
	const char *stop = skip_word(s, end), *value = skip_blank(stop, end);
	const char *op = co_op_name(insn->op);
	if (stop == end) {
		fail_at(p, s, err, "%s must have two arguments", op);
		return co_hint(err, "write %s name=value", op);
	}
	insn->legacy_kv = true;
	add_kv(p, slice(p, s, stop), slice(p, value, end), s);
	return 0;
}

int form_pairs(struct parser *p, struct co_insn *insn, const char *s, const char *end,
	       struct co_err *err)
{
	const char *w, *at = s, *stop = next_word(&at, end, p->escape, &w);
	const char *op = co_op_name(insn->op);
	if (w == stop)
		return fail_at(p, s, err, "%s requires at least one argument", op);
	if (!memchr(w, '=', (size_t)(stop - w)))
		return legacy_pair(p, insn, s, end, err);
	for (; w < stop; stop = next_word(&at, end, p->escape, &w)) {
		const char *eq = memchr(w, '=', (size_t)(stop - w));
		int n = stop - w > 80 ? 80 : (int)(stop - w);
		if (!eq)
			return fail_at(p, w, err,
				       "can't find = in \"%.*s\", must be of the form: name=value",
				       n, w);
		if (eq == w)
			return blank_name(p, w, op, err);
		add_kv(p, slice(p, w, eq), slice(p, eq + 1, stop), w);
	}
	return 0;
}

int form_names(struct parser *p, const char *s, const char *end, struct co_err *err)
{
	const char *w, *at = s, *stop;
	while (stop = next_word(&at, end, p->escape, &w), w < stop) {
		const char *eq = memchr(w, '=', (size_t)(stop - w));
		if (eq == w)
			return blank_name(p, w, "ARG", err);
		add_kv(p, slice(p, w, eq ? eq : stop), eq ? slice(p, eq + 1, stop) : NULL, w);
	}
	return p->n_kvs ? 0 : fail_at(p, s, err, "ARG requires at least one argument");
}
