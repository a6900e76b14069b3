/* SPDX-License-Identifier: MIT
 *
 * What an image says about itself: inspect, history.
 */
#include "commands.h"
#include "image_place.h"
#include <cooper/clock.h>
#include <cooper/json.h>
#include <string.h>

#define DOC_MAX (4u << 20)

#define LOOK_NAMES                                                                                 \
	"NAME is a name or id in the store, oci:DIR[:TAG], oci-archive:FILE,\n"                    \
	"docker-archive:FILE or docker://REFERENCE; a name that is not in the store is asked\n"    \
	"from its registry."

struct inspect_opts {
	struct common_opts common;
	const char *platform;
	bool raw, config;
};
static const struct opt inspect_table[] = {
	{"raw", 0, OPT_FLAG, NULL, "the manifest's bytes as they are",
	 offsetof(struct inspect_opts, raw)},
	{"config", 0, OPT_FLAG, NULL, "the config's bytes as they are",
	 offsetof(struct inspect_opts, config)},
	{"platform", 0, OPT_TEXT, "OS/ARCH", "which image of an index (default: this machine's)",
	 offsetof(struct inspect_opts, platform)},
	REGISTRY_OPTS(struct inspect_opts, common),
	COMMON_OPTS(struct inspect_opts, common),
	OPT_END};

static int print_blob(struct looked *l, const struct co_digest *d, struct co_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int r = co_store_blob_read(l->place.store, d, DOC_MAX, &text, &len, err);
	if (!r)
		fwrite(text, 1, len, stdout);
	return r;
}

static int print_report(struct looked *l, struct co_err *err)
{
	json_t *doc;
	int r = co_report_inspect(&doc, &l->view, err);
	if (r < 0)
		return r;
	auto_json owned = doc;
	auto_buf b = CO_BUF_INIT(4 * CO_BUF_TEXT);
	co_json_write_pretty(&b, owned);
	printf("%s\n", co_buf_str(&b));
	return 0;
}

static int inspect_one(struct cmd_ctx *c, const struct inspect_opts *o, const char *name)
{
	struct looked l;
	int r = look_open(&l, c, &o->common, name, o->platform, false);
	if (!r && o->raw)
		r = print_blob(&l, &l.view.desc.digest, c->err);
	else if (!r && o->config)
		r = print_blob(&l, &l.view.manifest.config.digest, c->err);
	else if (!r)
		r = print_report(&l, c->err);
	return look_close(&l, c, r);
}

static int run_inspect(struct cmd_ctx *c, void *opts)
{
	const struct inspect_opts *o = opts;
	int r = 0;
	if (o->raw && o->config)
		return co_fail(c->err, CO_E_USAGE,
			       "cooper inspect: --raw and --config exclude each other");
	for (int i = 0; r == 0 && i < c->argc; i++)
		r = inspect_one(c, o, c->argv[i]);
	return r;
}

const struct command cmd_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] NAME…",
	.summary = "Show manifest and config of an image as JSON",
	.detail = LOOK_NAMES " No layer is fetched. One document for each NAME.",
	.examples = "  cooper inspect app:1\n"
		    "  cooper inspect --config debian:12 | jq .config.Env\n"
		    "  cooper inspect --raw docker://registry.example/app:1",
	.opts = inspect_table,
	.size = sizeof(struct inspect_opts),
	.min_args = 1,
	.max_args = -1,
	.run = run_inspect};

struct history_opts {
	struct common_opts common;
	const char *platform, *format;
	bool no_trunc;
};
static const struct opt history_table[] = {
	{"no-trunc", 0, OPT_FLAG, NULL, "show the whole CREATED BY text",
	 offsetof(struct history_opts, no_trunc)},
	{"format", 0, OPT_TEXT, "FORMAT", "table (default) or json: one object a line",
	 offsetof(struct history_opts, format)},
	{"platform", 0, OPT_TEXT, "OS/ARCH", "which image of an index (default: this machine's)",
	 offsetof(struct history_opts, platform)},
	REGISTRY_OPTS(struct history_opts, common),
	COMMON_OPTS(struct history_opts, common),
	OPT_END};

/* One line, printable; cut to width characters unless width is 0. */
static const char *one_line(struct co_arena *a, const char *text, size_t width)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_sanitize(&b, text ? text : "", text ? strlen(text) : 0, false);
	const char *s = co_buf_str(&b);
	size_t chars = 0, cut = 0, i = 0;
	for (; s[i] && width; i++) {
		if (((unsigned char)s[i] & 0xc0) == 0x80)
			continue;
		if (chars == width - 1)
			cut = i;
		if (++chars > width)
			return co_arena_printf(a, "%.*s…", (int)cut, s);
	}
	return co_arena_strdup(a, s);
}

static void history_json(const struct co_history_row *row)
{
	char digest[CO_DIGEST_TEXT];
	auto_json j = json_object();
	json_object_set_new(j, "CreatedAt", co_json_string(row->created ? row->created : ""));
	json_object_set_new(j, "CreatedBy", co_json_string(row->created_by ? row->created_by : ""));
	json_object_set_new(j, "Size", json_integer((json_int_t)row->size));
	json_object_set_new(j, "Comment", co_json_string(row->comment ? row->comment : ""));
	json_object_set_new(j, "EmptyLayer", json_boolean(row->empty));
	if (row->diff_id.set)
		json_object_set_new(j, "DiffID", json_string(co_digest_str(&row->diff_id, digest)));
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_json_write(&b, j);
	printf("%s\n", co_buf_str(&b));
}

static void history_row(struct cmd_ctx *c, const struct history_opts *o,
			const struct co_history_row *row, const char ***cells, size_t *n)
{
	char when[64] = "", bytes[32], digest[CO_DIGEST_TEXT];
	int64_t t;
	const char *created = row->created && co_parse_rfc3339(row->created, &t)
				      ? ago(t, when, sizeof(when))
				      : "N/A";
	const char *layer =
		row->diff_id.set && !row->empty ? co_digest_hex(&row->diff_id, digest) : "<none>";
	*co_arena_push(c->arena, *cells, *n) =
		co_arena_strndup(c->arena, layer, o->no_trunc ? strlen(layer) : 12);
	*co_arena_push(c->arena, *cells, *n) = co_arena_strdup(c->arena, created);
	*co_arena_push(c->arena, *cells, *n) =
		one_line(c->arena, row->created_by, o->no_trunc ? 0 : 45);
	*co_arena_push(c->arena, *cells, *n) =
		co_arena_strdup(c->arena, co_human_size(row->size, bytes, sizeof(bytes)));
	*co_arena_push(c->arena, *cells, *n) = one_line(c->arena, row->comment, 0);
}

static int show_history(struct cmd_ctx *c, const struct history_opts *o, struct co_view *v)
{
	static const char *const heads[] = {"LAYER", "CREATED", "CREATED BY", "SIZE", "COMMENT"};
	struct co_history_row *rows;
	size_t count, n = 0;
	const char **cells = NULL;
	int r = co_report_history(&rows, &count, c->arena, v, c->err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < 5; i++)
		*co_arena_push(c->arena, cells, n) = heads[i];
	bool json = o->format && !strcmp(o->format, "json");
	for (size_t i = 0; i < count; i++) {
		if (json)
			history_json(&rows[i]);
		else
			history_row(c, o, &rows[i], &cells, &n);
	}
	if (!json)
		print_table(stdout, cells, 5, n / 5);
	return 0;
}

static int run_history(struct cmd_ctx *c, void *opts)
{
	static const char *const formats[] = {"table", "json", NULL};
	const struct history_opts *o = opts;
	struct looked l;
	if (!cli_one_of(o->format, formats))
		return co_fail(c->err, CO_E_USAGE, "cooper history: --format is table or json");
	int r = look_open(&l, c, &o->common, c->argv[0], o->platform, false);
	if (!r)
		r = show_history(c, o, &l.view);
	return look_close(&l, c, r);
}

const struct command cmd_history = {
	.name = "history",
	.usage = "[OPTIONS] NAME",
	.summary = "Show the steps that an image was made of, newest first",
	.detail = LOOK_NAMES,
	.examples = "  cooper history app:1\n"
		    "  cooper history --no-trunc --format json app:1 | jq -r .CreatedBy",
	.opts = history_table,
	.size = sizeof(struct history_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_history};
