/* SPDX-License-Identifier: MIT
 *
 * Why is a step not cached? Each step leaves what went into its key, by name, in
 * STORE/cache/steps/: the next build of the same project compares. Values are kept as hashes, but
 * for the attributes of files. Lines: "key<TAB>…", then "name<TAB>value".
 */
#include "cache-internal.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <stdlib.h>
#include <sys/stat.h>

#define STEP_MAX   (16u << 20)
#define INPUTS_MAX 40000
#define TELL_MAX   5

struct pair {
	const char *name, *value;
};
struct old_step {
	char *text; /* owned; lines are cut in it */
	char key[80];
	struct pair *list; /* owned; sorted by name */
	size_t n;
};

static void step_path(const struct co_cache_step *s, bool by_place, char *out, size_t size)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	struct co_digest d;
	char hex[CO_DIGEST_TEXT];
	co_hash_field(h, 1, s->project, strlen(s->project));
	co_hash_field(h, 2, s->stage, strlen(s->stage));
	if (by_place) {
		co_hash_field(h, 3, &s->position, sizeof(s->position));
	} else {
		co_hash_field(h, 4, s->text, strlen(s->text));
		co_hash_field(h, 5, &s->nth, sizeof(s->nth));
	}
	co_hash_done(h, &d);
	snprintf(out, size, "cache/steps/%.40s", co_digest_hex(&d, hex));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static void sort(struct pair *list, size_t n)
{
	if (n)
		qsort(list, n, sizeof(*list), by_name);
}

static bool read_step(struct co_cache *c, const char *path, struct old_step *out)
{
	size_t len;
	struct co_err err = CO_ERR_INIT;
	memset(out, 0, sizeof(*out));
	if (co_read_file(co_store_fd(c->store), path, STEP_MAX, &out->text, &len, &err) < 0)
		return false;
	size_t room = 0;
	for (char *p = out->text, *end; *p; p = end + 1) {
		end = strchr(p, '\n');
		char *tab = end ? memchr(p, '\t', (size_t)(end - p)) : NULL;
		if (!tab)
			break;
		*tab = *end = '\0';
		if (!out->key[0]) {
			snprintf(out->key, sizeof(out->key), "%s", tab + 1);
			continue;
		}
		if (out->n == room) {
			room = room ? 2 * room : 64;
			out->list = co_xrealloc(out->list, room, sizeof(*out->list));
		}
		out->list[out->n++] = (struct pair){p, tab + 1};
	}
	sort(out->list, out->n);
	return true;
}

static void old_release(struct old_step *o)
{
	free(o->text);
	free(o->list);
}

static void add_clean(struct co_buf *b, const char *s)
{
	for (; *s; s++)
		co_buf_addc(b, (unsigned char)*s < ' ' ? '?' : *s);
}

static void write_step(struct co_cache *c, const struct co_cache_step *s, const char *key)
{
	char path[120];
	struct co_err err = CO_ERR_INIT;
	auto_buf b = CO_BUF_INIT(STEP_MAX);
	int dir = co_store_fd(c->store);
	co_buf_addf(&b, "key\t%s\n", key);
	for (size_t i = 0; i < s->n; i++) {
		add_clean(&b, s->inputs[i].name);
		co_buf_addc(&b, '\t');
		add_clean(&b, s->inputs[i].value);
		co_buf_addc(&b, '\n');
	}
	/* best effort: without it the next miss is just not explained */
	mkdirat(dir, "cache", 0700);
	mkdirat(dir, "cache/steps", 0700);
	step_path(s, false, path, sizeof(path));
	int r = b.overflow ? 0 : co_write_file(dir, path, b.data, b.len, 0600, &err);
	co_buf_clear(&b);
	co_buf_addf(&b, "key\t%s\ninstruction\t", key);
	add_clean(&b, s->text);
	co_buf_addc(&b, '\n');
	step_path(s, true, path, sizeof(path));
	if (!r && co_write_file(dir, path, b.data, b.len, 0600, &err) < 0)
		co_err_clear(&err);
}

/* ---- the difference in words ---- */

struct words {
	struct co_buf *out;
	unsigned told, more;
	const char *changed; /* name of what has another value, the last one told */
	unsigned other;	     /* what is new or gone */
};

static void tell(struct words *w, const char *name, const char *what)
{
	if (w->told == TELL_MAX) {
		w->more++;
		return;
	}
	if (w->told++)
		co_buf_adds(w->out, "; ");
	co_sanitize(w->out, name, strlen(name), false);
	co_buf_addc(w->out, ' ');
	co_buf_adds(w->out, what);
}

/* "mode owner content" of files, else one hash. */
static const char *file_change(const char *was, const char *is)
{
	size_t m = strcspn(was, " "), n = strcspn(is, " ");
	if (!was[m] || !is[n])
		return "changed";
	size_t o = strcspn(was + m + 1, " "), p = strcspn(is + n + 1, " ");
	if (strcmp(was + m + 1 + o, is + n + 1 + p))
		return "changed";
	bool mode = m != n || memcmp(was, is, m) != 0;
	bool owner = o != p || memcmp(was + m + 1, is + n + 1, o) != 0;
	return mode && owner ? "has another mode and owner"
	       : mode	     ? "has another mode"
			     : "has another owner";
}

/* One that is in both, with different values. */
static void tell_change(struct words *w, const char *name, const char *was, const char *is)
{
	auto_buf text = CO_BUF_INIT(CO_BUF_SMALL);
	w->changed = name;
	if (*was != '=' || *is != '=') {
		tell(w, name, file_change(was, is));
		return;
	}
	co_buf_adds(&text, "changed: ");
	co_sanitize(&text, was + 1, strnlen(was + 1, 120), false);
	co_buf_adds(&text, " → ");
	co_sanitize(&text, is + 1, strnlen(is + 1, 120), false);
	tell(w, name, co_buf_str(&text));
}

static const char *input_value(const struct co_cache_step *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->inputs[i].name, name))
			return s->inputs[i].value;
	return NULL;
}

/* The files were not looked at then: which of them changed can not be told. */
static bool was_unseen(const struct old_step *old)
{
	for (size_t i = 0; i < old->n; i++)
		if (!strcmp(old->list[i].name, CO_CACHE_FILES_UNSEEN))
			return true;
	return false;
}

static void compare(struct words *w, const struct old_step *old, const struct co_cache_step *s)
{
	struct pair *now = co_xcalloc(s->n + 1, sizeof(*now));
	for (size_t i = 0; i < s->n; i++)
		now[i] = (struct pair){s->inputs[i].name, s->inputs[i].value};
	sort(now, s->n);
	bool unseen = was_unseen(old) && !input_value(s, CO_CACHE_FILES_UNSEEN);
	if (unseen)
		tell(w, CO_CACHE_FILES_UNSEEN, "changed");
	size_t i = 0, k = 0;
	while (i < s->n || k < old->n) {
		int d = i == s->n ? 1 : k == old->n ? -1 : strcmp(now[i].name, old->list[k].name);
		if (unseen && d < 0 && co_starts(now[i].name, "file "))
			i++;
		else if (unseen && d > 0 && !strcmp(old->list[k].name, CO_CACHE_FILES_UNSEEN))
			k++;
		else if (d < 0)
			tell(w, now[i++].name, "is new");
		else if (d > 0)
			tell(w, old->list[k++].name, "is gone");
		else if (strcmp(now[i].value, old->list[k].value))
			tell_change(w, now[i].name, old->list[k].value, now[i].value);
		w->other += d != 0;
		if (d == 0) {
			i++;
			k++;
		}
	}
	free(now);
	if (w->more)
		co_buf_addf(w->out, "; and %u more", w->more);
}

static const struct co_cache_input *input_of(const struct co_cache_step *s, const char *name)
{
	for (size_t i = 0; name && i < s->n; i++)
		if (!strcmp(s->inputs[i].name, name))
			return &s->inputs[i];
	return NULL;
}

static const struct co_cache_input *why_not(struct co_cache *c, const struct co_cache_step *s,
					    const struct old_step *old, const char *key,
					    struct co_buf *out)
{
	struct words w = {.out = out};
	struct old_step was;
	char path[120];
	if (old->text && !strcmp(old->key, key)) {
		co_buf_adds(out, "nothing changed, but its layer is no longer kept (cleaned up, "
				 "too old or lost)");
		return NULL;
	}
	if (old->text)
		compare(&w, old, s);
	if (w.told)
		return w.told == 1 && !w.other ? input_of(s, w.changed) : NULL;
	step_path(s, true, path, sizeof(path));
	bool known = read_step(c, path, &was);
	if (old->text) {
		co_buf_adds(out, "something changed that is not kept by name");
	} else if (known && was.n) {
		co_buf_adds(out, "the instruction is new here; it was: ");
		co_sanitize(out, was.list[0].value, strnlen(was.list[0].value, 120), false);
	} else {
		co_buf_adds(out, "no earlier build of this step is known here");
	}
	old_release(&was);
	return NULL;
}

const struct co_cache_input *co_cache_explain(struct co_cache *c, const struct co_cache_step *s,
					      bool hit, struct co_buf *why)
{
	const struct co_cache_input *only = NULL;
	char path[120], key[CO_DIGEST_TEXT];
	struct old_step old;
	co_digest_hex(&s->key, key);
	step_path(s, false, path, sizeof(path));
	bool known = read_step(c, path, &old);
	if (!hit)
		only = why_not(c, s, &old, key, why);
	if (!known || strcmp(old.key, key))
		write_step(c, s, key);
	old_release(&old);
	return only;
}
