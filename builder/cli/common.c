/* SPDX-License-Identifier: MIT */
#include "cli.h"
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int out_file_begin(struct out_file *f, const char *path, const char *what, struct co_err *err)
{
	f->tmp[0] = '\0';
	f->name = path && strcmp(path, "-") ? path : NULL;
	if (!f->name && isatty(1)) {
		co_fail(err, CO_E_USAGE, "%s: standard output is a terminal", what);
		return co_hint(err, "name a file with -o FILE, or redirect the output");
	}
	if (!f->name) {
		f->name = "standard output";
		f->fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
		return f->fd < 0 ? co_fail_sys(err, "standard output") : 0;
	}
	int n = snprintf(f->tmp, sizeof(f->tmp), "%s.cooper-XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(f->tmp))
		return co_fail(err, CO_E_USAGE, "path too long: %s", path);
	f->fd = mkostemp(f->tmp, O_CLOEXEC);
	if (f->fd < 0)
		return co_fail_sys(err, "write %s", path);
	mode_t mask = umask(0);
	umask(mask);
	fchmod(f->fd, 0666 & ~mask);
	return 0;
}

int out_file_end(struct out_file *f, int r, struct co_err *err)
{
	if (!f->tmp[0])
		return r;
	if (r >= 0 && rename(f->tmp, f->name) < 0)
		r = co_fail_sys(err, "publish %s", f->name);
	if (r < 0)
		unlink(f->tmp);
	return r;
}

int cli_write_digest(const char *path, const struct co_digest *d, struct co_err *err)
{
	char text[CO_DIGEST_TEXT];
	co_digest_str(d, text);
	return co_write_file(AT_FDCWD, path, text, strlen(text), 0644, err);
}

bool cli_one_of(const char *word, const char *const *list)
{
	for (size_t i = 0; word && list[i]; i++)
		if (!strcmp(word, list[i]))
			return true;
	return !word;
}

/* One CSV field from *at: quotes as encoding/csv has them ("" inside quotes is one quote). */
static bool csv_field(const char **at, struct co_buf *out)
{
	const char *p = *at;
	bool quoted = *p == '"';
	for (p += quoted; *p && (quoted || *p != ','); p++) {
		if (quoted && *p == '"' && p[1] != '"') {
			quoted = false;
			p++;
			break;
		}
		if (quoted && *p == '"')
			p++;
		co_buf_addc(out, *p);
	}
	*at = p;
	return !quoted && (*p == ',' || !*p);
}

int cli_csv(struct cmd_ctx *c, const char *text, const char *flag, struct co_kv **out, size_t *n)
{
	*out = NULL;
	*n = 0;
	for (const char *p = text;; p++) {
		auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
		if (!csv_field(&p, &b))
			return co_fail(c->err, CO_E_USAGE, "%s %s: a quote is not closed", flag,
				       text);
		char *field = co_arena_strndup(c->arena, co_buf_str(&b), b.len);
		char *eq = strchr(field, '=');
		struct co_kv kv = {.key = field, .value = eq ? eq + 1 : NULL};
		if (eq)
			*eq = '\0';
		*co_arena_push(c->arena, *out, *n) = kv;
		if (!*p)
			return 0;
	}
}

/* Columns as wide as their widest cell; the first row is the heading. */
void print_table(FILE *f, const char *const *cells, size_t columns, size_t rows)
{
	size_t width[16] = {0};
	for (size_t i = 0; i < rows * columns; i++) {
		size_t n = text_width(cells[i], strlen(cells[i]));
		if (n > width[i % columns])
			width[i % columns] = n;
	}
	for (size_t r = 0; r < rows; r++)
		for (size_t k = 0; k < columns; k++) {
			const char *cell = cells[r * columns + k];
			if (k + 1 == columns)
				fprintf(f, "%s\n", cell);
			else
				fprintf(f, "%s%*s   ", cell,
					(int)(width[k] - text_width(cell, strlen(cell))), "");
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
