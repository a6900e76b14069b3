/* SPDX-License-Identifier: MIT */
#include "cli.h"
#include <cooper/clock.h>
#include <stdlib.h>
#include <string.h>

int cli_store(struct co_store **out, const struct common_opts *o, struct co_err *err)
{
	return co_store_open(out, o->root, err);
}

void cli_registry_opts(struct co_registry_opts *out, const struct common_opts *o)
{
	out->auth_file = o->authfile;
	out->insecure_hosts = o->insecure.items;
	out->http1 = o->http1;
}

int cli_registry(struct co_registry **out, const struct common_opts *o, struct co_bus *bus,
		 struct co_err *err)
{
	struct co_registry_opts ro = {.bus = bus};
	cli_registry_opts(&ro, o);
	return co_registry_open(out, &ro, err);
}

int cli_kvs(struct co_kv **out, size_t *n, struct cmd_ctx *c, const struct text_list *list,
	    const char *flag, bool from_env)
{
	*out = NULL;
	*n = 0;
	for (size_t i = 0; i < list->n; i++) {
		const char *text = list->items[i];
		const char *eq = strchr(text, '=');
		size_t len = eq ? (size_t)(eq - text) : strlen(text);
		struct co_kv kv = {.key = co_arena_strndup(c->arena, text, len)};
		kv.value = eq ? eq + 1 : from_env ? getenv(kv.key) : "";
		if (!len)
			return co_fail(c->err, CO_E_USAGE, "%s %s: the name is empty", flag, text);
		if (!kv.value)
			continue; /* not in the environment: as if it had not been given */
		*co_arena_push(c->arena, *out, *n) = kv;
	}
	return 0;
}

int cli_platform(struct co_platform *out, const char *text, struct co_err *err)
{
	if (!text) {
		co_platform_host(out);
		return 0;
	}
	int r = co_platform_parse(out, text, err);
	return r < 0 ? co_wrap(err, "--platform %s", text) : 0;
}

/* Columns as wide as their widest cell; the first row is the heading. */
void print_table(FILE *f, const char *const *cells, size_t columns, size_t rows)
{
	size_t width[16] = {0};
	for (size_t i = 0; i < rows * columns; i++) {
		size_t n = strlen(cells[i]);
		if (n > width[i % columns])
			width[i % columns] = n;
	}
	for (size_t r = 0; r < rows; r++)
		for (size_t k = 0; k < columns; k++) {
			const char *cell = cells[r * columns + k];
			if (k + 1 == columns)
				fprintf(f, "%s\n", cell);
			else
				fprintf(f, "%-*s   ", (int)width[k], cell);
		}
}

const char *ago(int64_t then, char *buf, size_t len)
{
	int64_t s = co_wall_s() - then;
	static const struct {
		int64_t s;
		const char *name;
	} units[] = {{31536000, "year"}, {2592000, "month"}, {604800, "week"}, {86400, "day"},
		     {3600, "hour"},	 {60, "minute"},     {1, "second"}};
	if (s < 1)
		s = 1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t n = s / units[i].s;
		if (!n)
			continue;
		snprintf(buf, len, "%lld %s%s ago", (long long)n, units[i].name, n > 1 ? "s" : "");
		return buf;
	}
	return buf;
}
