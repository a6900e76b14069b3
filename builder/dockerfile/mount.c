/* SPDX-License-Identifier: MIT
 *
 * mount.c — the value of RUN --mount: a CSV record of options, each allowed for some types.
 */
#include "values-internal.h"
#include <cooper/buf.h>

#define MAX_FIELDS 64

#define BIND   (1u << CO_MOUNT_BIND)
#define CACHE  (1u << CO_MOUNT_CACHE)
#define TMPFS  (1u << CO_MOUNT_TMPFS)
#define SECRET (1u << CO_MOUNT_SECRET)
#define SSH    (1u << CO_MOUNT_SSH)
#define EVERY  (BIND | CACHE | TMPFS | SECRET | SSH)

static const char *const type_names[] = {"bind", "cache", "tmpfs", "secret", "ssh", NULL};
static const char *const sharing_names[] = {"shared", "private", "locked", NULL};

struct mount_state {
	struct co_mount m;
	bool ro_given, sharing_given;
	const char *key, *value; /* of the option at hand */
	struct co_err *err;
};

/* ---- options ---- */

static int bad_value(struct mount_state *st)
{
	return co_fail(st->err, CO_E_SYNTAX, "invalid value for %s: %s", st->key, st->value);
}

static int name_index(const char *const *names, const char *text)
{
	for (int i = 0; names[i]; i++)
		if (co_ieq(names[i], text))
			return i;
	return -1;
}

static int set_type(struct mount_state *st)
{
	int i = name_index(type_names, st->value);
	if (i >= 0) {
		st->m.type = (enum co_mount_type)i;
		return 0;
	}
	const char *near = co_nearest(st->value, type_names);
	co_fail(st->err, CO_E_SYNTAX, "unsupported mount type \"%s\"", st->value);
	return near ? co_hint(st->err, "did you mean %s?", near)
		    : co_hint(st->err, "the types are bind, cache, tmpfs, secret and ssh");
}

static int set_from(struct mount_state *st)
{
	st->m.from = st->value;
	return 0;
}

static int set_source(struct mount_state *st)
{
	st->m.source = st->value;
	return 0;
}

static int set_target(struct mount_state *st)
{
	st->m.target = st->value;
	return 0;
}

static int set_readonly(struct mount_state *st)
{
	st->ro_given = true;
	return value_bool(st->value, &st->m.readonly) ? 0 : bad_value(st);
}

static int set_readwrite(struct mount_state *st)
{
	bool rw = false;
	if (!value_bool(st->value, &rw))
		return bad_value(st);
	st->ro_given = true;
	st->m.readonly = !rw;
	return 0;
}

static int set_id(struct mount_state *st)
{
	st->m.id = st->value;
	return 0;
}

static int set_sharing(struct mount_state *st)
{
	int i = name_index(sharing_names, st->value);
	if (i >= 0) {
		st->sharing_given = true;
		st->m.sharing = (enum co_sharing)i;
		return 0;
	}
	const char *near = co_nearest(st->value, sharing_names);
	co_fail(st->err, CO_E_SYNTAX, "unsupported sharing value \"%s\"", st->value);
	return near ? co_hint(st->err, "did you mean %s?", near)
		    : co_hint(st->err, "the values are shared, private and locked");
}

static int set_size(struct mount_state *st)
{
	return co_parse_size(st->value, &st->m.size) ? 0 : bad_value(st);
}

static int set_mode(struct mount_state *st)
{
	st->m.has_mode = true;
	if (co_parse_octal(st->value, &st->m.mode) && st->m.mode <= 07777)
		return 0;
	return co_fail(st->err, CO_E_SYNTAX, "invalid value %s for mode", st->value);
}

static int parse_owner(struct mount_state *st, bool *has, uint32_t *out)
{
	uint64_t v;
	/* the largest number means "no one" to chown(2) */
	if (!co_parse_u64(st->value, &v) || v >= UINT32_MAX)
		return co_fail(st->err, CO_E_SYNTAX, "invalid value %s for %s", st->value, st->key);
	*has = true;
	*out = (uint32_t)v;
	return 0;
}

static int set_uid(struct mount_state *st)
{
	return parse_owner(st, &st->m.has_uid, &st->m.uid);
}

static int set_gid(struct mount_state *st)
{
	return parse_owner(st, &st->m.has_gid, &st->m.gid);
}

static int set_required(struct mount_state *st)
{
	return value_bool(st->value, &st->m.required) ? 0 : bad_value(st);
}

static int set_env(struct mount_state *st)
{
	if (!*st->value || strchr(st->value, '='))
		return bad_value(st);
	st->m.env = st->value;
	return 0;
}

struct option {
	const char *key;
	unsigned types; /* that may have it */
	bool bare;	/* may stand without a value, which then is "true" */
	int (*set)(struct mount_state *st);
};
static const struct option options[] = {
	{"type", EVERY, false, set_type},
	{"from", BIND | CACHE, false, set_from},
	{"source", BIND | CACHE | SECRET, false, set_source},
	{"src", BIND | CACHE | SECRET, false, set_source},
	{"target", EVERY, false, set_target},
	{"dst", EVERY, false, set_target},
	{"destination", EVERY, false, set_target},
	{"readonly", EVERY, true, set_readonly},
	{"ro", EVERY, true, set_readonly},
	{"readwrite", EVERY, true, set_readwrite},
	{"rw", EVERY, true, set_readwrite},
	{"id", EVERY, false, set_id},
	{"sharing", CACHE, false, set_sharing},
	{"size", TMPFS, false, set_size},
	{"mode", CACHE | SECRET | SSH, false, set_mode},
	{"uid", CACHE | SECRET | SSH, false, set_uid},
	{"gid", CACHE | SECRET | SSH, false, set_gid},
	{"required", SECRET | SSH, true, set_required},
	{"env", SECRET, false, set_env},
};
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* ---- the CSV record ---- */

static int csv_fail(const char *what, struct co_err *err)
{
	return co_fail(err, CO_E_SYNTAX, "failed to parse csv mounts: %s", what);
}

/* A quoted field, s behind its first quote. Returns what follows it, or NULL. */
static const char *csv_quoted(struct co_buf *field, const char *s)
{
	for (;; s++) {
		if (!*s)
			return NULL;
		if (*s == '"' && *++s != '"')
			return !*s || *s == ',' ? s : NULL;
		co_buf_addc(field, *s);
	}
}

static int csv_split(char **fields, size_t *n, struct co_arena *a, const char *csv,
		     struct co_err *err)
{
	auto_buf field = CO_BUF_INIT(CO_BUF_TEXT);
	if (!*csv)
		return csv_fail("empty value", err);
	for (const char *s = csv;; s++) {
		if (*n == MAX_FIELDS)
			return co_fail(err, CO_E_LIMIT, "more than %d options in one mount",
				       MAX_FIELDS);
		co_buf_clear(&field);
		if (*s == '"') {
			s = csv_quoted(&field, s + 1);
			if (!s)
				return csv_fail("extraneous or missing \" in quoted-field", err);
		} else {
			size_t len = strcspn(s, ",");
			if (memchr(s, '"', len))
				return csv_fail("bare \" in non-quoted-field", err);
			co_buf_add(&field, s, len);
			s += len;
		}
		fields[(*n)++] = co_arena_strdup(a, co_buf_str(&field));
		if (!*s)
			return 0;
	}
}

/* ---- the whole ---- */

static const struct option *find_option(const char *key)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (co_ieq(options[i].key, key))
			return &options[i];
	return NULL;
}

static int unknown_key(const char *key, const char *field, struct co_err *err)
{
	const char *names[N_OPTIONS + 1] = {NULL};
	for (size_t i = 0; i < N_OPTIONS; i++)
		names[i] = options[i].key;
	const char *near = co_nearest(key, names);
	co_fail(err, CO_E_SYNTAX, "unexpected key '%s' in '%s'", key, field);
	return near ? co_hint(err, "did you mean %s?", near) : err->code;
}

struct field {
	const struct option *option;
	const char *value;
};

/* The option of a field, as far as it can be judged before variables are expanded. */
static int read_key(struct field *out, struct co_arena *a, const char *text, struct co_err *err)
{
	size_t len = strcspn(text, "=");
	char *key = co_arena_strndup(a, text, len);
	out->option = find_option(key);
	if (!out->option)
		return text[len] ? unknown_key(key, text, err)
				 : co_fail(err, CO_E_SYNTAX,
					   "invalid field '%s' must be a key=value pair", text);
	if (!text[len]) {
		out->value = "true";
		return out->option->bare
			       ? 0
			       : co_fail(err, CO_E_SYNTAX,
					 "invalid field '%s' must be a key=value pair", text);
	}
	const char *dollar = strchr(text + len, '$');
	if (out->option->set == set_from && dollar && dollar[1]) {
		co_fail(err, CO_E_SYNTAX, "'from' doesn't support variable expansion");
		return co_hint(err, "define a stage: FROM %s AS name, and mount from=name",
			       text + len + 1);
	}
	out->value = text + len + 1;
	return 0;
}

static int read_field(struct field *out, struct co_arena *a, const char *text, char escape,
		      const struct co_vars *vars, struct co_err *err)
{
	char *value;
	int r = read_key(out, a, text, err);
	if (r < 0 || !strchr(text, '='))
		return r;
	r = co_expand(&value, a, out->value, escape, vars, err);
	if (!r)
		out->value = value;
	return r;
}

static int apply(struct mount_state *st, const struct field *f)
{
	st->key = f->option->key;
	st->value = f->value;
	if (f->option->types & (1u << st->m.type))
		return f->option->set(st);
	return co_fail(st->err, CO_E_SYNTAX, "unexpected key '%s' for mount type '%s'", st->key,
		       type_names[st->m.type]);
}

static bool given(const char *text)
{
	return text && *text;
}

static int finish_secret(struct mount_state *st)
{
	struct co_mount *m = &st->m;
	if (!given(m->source) && !given(m->target) && !given(m->id))
		return co_fail(st->err, CO_E_SYNTAX,
			       "invalid secret mount. one of source, target required");
	if (given(m->source) && given(m->id))
		return co_fail(st->err, CO_E_SYNTAX, "both source and id can't be set");
	if (given(m->source))
		m->id = m->source;
	else if (!given(m->id))
		m->id = co_path_base(m->target);
	if (!*m->id)
		return co_fail(st->err, CO_E_SYNTAX, "secret mount has no id: target %s ends in /",
			       m->target);
	return 0;
}

static int finish(struct mount_state *st, struct co_arena *a)
{
	struct co_mount *m = &st->m;
	bool writable = m->type == CO_MOUNT_CACHE || m->type == CO_MOUNT_TMPFS;
	if (!st->ro_given)
		m->readonly = !writable;
	if (m->type == CO_MOUNT_SECRET) {
		int r = finish_secret(st);
		if (r < 0)
			return r;
	}
	if (m->type == CO_MOUNT_SSH && !given(m->id))
		m->id = "default";
	if (m->type == CO_MOUNT_SECRET || m->type == CO_MOUNT_SSH) {
		if (m->target && !*m->target)
			m->target = NULL;
	} else if (!m->target) {
		m->target = ""; /* the working directory */
	}
	if (given(m->target) && m->target[0] == '/' && !*co_path_clean_rel(a, m->target))
		return co_fail(st->err, CO_E_SYNTAX, "invalid mount target \"%s\"", m->target);
	return 0;
}

int co_mount_parse(struct co_mount *out, struct co_arena *a, const char *csv, char escape,
		   const struct co_vars *vars, struct co_err *err)
{
	struct mount_state st = {.err = err};
	char *texts[MAX_FIELDS];
	struct field fields[MAX_FIELDS];
	size_t n = 0;
	int r = csv_split(texts, &n, a, csv, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_field(&fields[i], a, texts[i], escape, vars, err);
	/* the type decides on the others, wherever it stands */
	for (size_t i = 0; r == 0 && i < n; i++)
		if (fields[i].option->set == set_type)
			r = apply(&st, &fields[i]);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (fields[i].option->set != set_type)
			r = apply(&st, &fields[i]);
	if (!r)
		r = finish(&st, a);
	if (!r)
		*out = st.m;
	return r;
}

static const char *no_value(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return NULL;
}

int co_mount_check(struct co_arena *a, const char *csv, char escape, struct co_err *err)
{
	struct co_vars vars = {.get = no_value};
	struct co_mount ignored;
	struct field field;
	char *texts[MAX_FIELDS];
	size_t n = 0;
	if (!strchr(csv, '$'))
		return co_mount_parse(&ignored, a, csv, escape, &vars, err);
	int r = csv_split(texts, &n, a, csv, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_key(&field, a, texts[i], err);
	return r;
}
