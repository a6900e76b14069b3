/* SPDX-License-Identifier: MIT
 *
 * The created_by text of each instruction, as the BuildKit frontend writes it (tools parse it).
 */
#include "plan-internal.h"
#include <stdio.h>

static void add_quoted(struct co_buf *b, const char *s)
{
	co_buf_addc(b, '"');
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;
		if (ch == '"' || ch == '\\')
			co_buf_addf(b, "\\%c", ch);
		else if (ch == '\n')
			co_buf_adds(b, "\\n");
		else if (ch == '\t')
			co_buf_adds(b, "\\t");
		else if (ch == '\r')
			co_buf_adds(b, "\\r");
		else if (ch < 0x20 || ch == 0x7f)
			co_buf_addf(b, "\\x%02x", ch);
		else
			co_buf_addc(b, (char)ch);
	}
	co_buf_addc(b, '"');
}

static void add_quoted_list(struct co_buf *b, const char *const *items, size_t n)
{
	co_buf_addc(b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			co_buf_addc(b, ' ');
		add_quoted(b, items[i]);
	}
	co_buf_addc(b, ']');
}

static void add_plain_list(struct co_buf *b, const char *const *items, size_t n)
{
	co_buf_addc(b, '[');
	for (size_t i = 0; i < n; i++)
		co_buf_addf(b, "%s%s", i ? " " : "", items[i]);
	co_buf_addc(b, ']');
}

/* Go prints a duration as 1m30s. */
static void add_duration(struct co_buf *b, int64_t ns)
{
	co_buf_addc(b, '"');
	int64_t s = ns / 1000000000;
	int64_t rest = ns % 1000000000;
	if (s >= 3600)
		co_buf_addf(b, "%lldh", (long long)(s / 3600));
	if (s >= 60)
		co_buf_addf(b, "%lldm", (long long)(s / 60 % 60));
	if (s == 0 && rest) {
		co_buf_addf(b, "%gms", (double)rest / 1e6);
	} else if (rest) {
		char frac[16];
		snprintf(frac, sizeof(frac), "%09lld", (long long)rest);
		size_t n = 9;
		while (n && frac[n - 1] == '0')
			n--;
		co_buf_addf(b, "%lld.%.*ss", (long long)(s % 60), (int)n, frac);
	} else {
		co_buf_addf(b, "%llds", (long long)(s % 60));
	}
	co_buf_addc(b, '"');
}

static void add_health(struct co_buf *b, const struct co_healthcheck *h)
{
	co_buf_adds(b, "&{");
	add_quoted_list(b, h->test, h->n_test);
	const int64_t ns[] = {h->interval, h->timeout, h->start_period, h->start_interval};
	for (size_t i = 0; i < 4; i++) {
		co_buf_addc(b, ' ');
		add_duration(b, ns[i]);
	}
	if (h->retries >= 0x20 && h->retries < 0x7f)
		co_buf_addf(b, " '%c'}", (int)h->retries);
	else
		co_buf_addf(b, " '\\x%02x'}", (unsigned)h->retries & 0xff);
}

/* Every ARG as often as it was declared, with the value that the command sees. */
static void add_run(struct co_buf *b, const struct eval *ev)
{
	const struct co_scope *scope = ev->scope;
	if (scope->n_declared)
		co_buf_addf(b, "|%zu ", scope->n_declared);
	for (size_t i = 0; i < scope->n_declared; i++) {
		const char *value = co_scope_get(scope, scope->declared[i]);
		co_buf_addf(b, "%s=%s ", scope->declared[i], value ? value : "");
	}
	for (size_t i = 0; i < ev->out->n_argv; i++)
		co_buf_addf(b, "%s%s", i ? " " : "", ev->out->argv[i]);
	co_buf_adds(b, " # buildkit");
}

static void add_copy(struct co_buf *b, const struct eval *ev)
{
	const struct co_step *s = ev->out;
	if (s->parents)
		co_buf_adds(b, "--parents ");
	if (s->chown)
		co_buf_addf(b, "--chown=%s ", s->chown);
	if (s->chmod_text)
		co_buf_addf(b, "--chmod=%s ", s->chmod_text);
	for (size_t i = 0; i < s->n_sources; i++)
		co_buf_addf(b, "%s ", s->sources[i]);
	for (size_t i = 0; i < s->n_bodies; i++)
		co_buf_addf(b, "<<%s ", s->body_names[i]);
	co_buf_adds(b, s->dest_text);
	co_buf_adds(b, " # buildkit");
}

static void add_kvs(struct co_buf *b, const struct co_step *s)
{
	for (size_t i = 0; i < s->n_kvs; i++) {
		co_buf_addf(b, "%s%s", i ? " " : "", s->kvs[i].key);
		if (s->kvs[i].value)
			co_buf_addf(b, "=%s", s->kvs[i].value);
	}
}

static void add_arguments(struct co_buf *b, const struct eval *ev)
{
	const struct co_step *s = ev->out;
	switch (s->op) {
	case CO_OP_RUN:
		add_run(b, ev);
		break;
	case CO_OP_COPY:
	case CO_OP_ADD:
		add_copy(b, ev);
		break;
	case CO_OP_ENV:
	case CO_OP_LABEL:
	case CO_OP_ARG:
		add_kvs(b, s);
		break;
	case CO_OP_CMD:
	case CO_OP_ENTRYPOINT:
		add_quoted_list(b, s->argv, s->n_argv);
		break;
	case CO_OP_SHELL:
		add_plain_list(b, s->argv, s->n_argv);
		break;
	case CO_OP_EXPOSE:
	case CO_OP_VOLUME:
		add_plain_list(b, s->words, s->n_words);
		break;
	case CO_OP_HEALTHCHECK:
		add_health(b, s->health);
		break;
	case CO_OP_FROM:
	case CO_OP_WORKDIR:
	case CO_OP_USER:
	case CO_OP_STOPSIGNAL:
	case CO_OP_ONBUILD:
	case CO_OP_MAINTAINER:
	case CO_OP_COUNT:
	default:
		co_buf_adds(b, s->value ? s->value : "");
	}
}

const char *step_created_by(struct co_arena *a, const struct eval *ev)
{
	if (ev->out->op == CO_OP_ONBUILD)
		return NULL;
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_buf_addf(&b, "%s ", co_op_name(ev->out->op));
	add_arguments(&b, ev);
	return co_arena_strdup(a, co_buf_str(&b));
}
