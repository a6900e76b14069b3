/* SPDX-License-Identifier: MIT
 *
 * The gate on the final user. The image's own passwd decides (even a number can be a name in it),
 * so it is read: from the tree when there is one, else straight from the layers. What was found out
 * about a stack of layers is remembered, so that a cached build reads nothing.
 */
#include "flow-internal.h"
#include <cooper/fs.h>
#include <cooper/gate.h>
#include <cooper/inroot.h>
#include <cooper/json.h>
#include <cooper/report.h>
#include <stdlib.h>

#define FILE_MAX   (1u << 20)
#define RECORD_MAX 65536

struct account_files {
	char *passwd, *group; /* owned; NULL when absent */
};

static void release_files(struct account_files *f)
{
	free(f->passwd);
	free(f->group);
}

static int read_layers(struct build *b, struct co_exec *x, const struct co_descriptor *image,
		       struct account_files *f, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_view v;
	size_t len;
	int r = co_exec_fetch(x, err);
	if (!r)
		r = co_view_open(&v, &a, b->store, image, NULL, err);
	if (r < 0)
		return r;
	r = co_report_slurp(&v, "etc/passwd", FILE_MAX, &f->passwd, &len, err);
	if (!r)
		r = co_report_slurp(&v, "etc/group", FILE_MAX, &f->group, &len, err);
	co_view_release(&v);
	return r;
}

static int read_files(struct build *b, struct co_exec *x, const struct co_descriptor *image,
		      struct account_files *f, struct co_err *err)
{
	const struct co_root *root;
	int r = co_exec_root_at_hand(x, &root, err);
	if (r < 0)
		return r;
	if (!r)
		return read_layers(b, x, image, f, err);
	f->passwd = co_inroot_slurp(root->fd, "etc/passwd", FILE_MAX, NULL);
	f->group = co_inroot_slurp(root->fd, "etc/group", FILE_MAX, NULL);
	return 0;
}

/* ---- verdicts that were reached before ---- */

static void user_key(const struct co_config *c, struct co_digest *out)
{
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, "cooper-user/1", 13);
	for (size_t i = 0; i < c->n_diff_ids; i++)
		co_hash_field(h, 2, c->diff_ids[i].bytes, 32);
	co_hash_field(h, 3, c->user, strlen(c->user));
	co_hash_done(h, out);
}

static void record_name(const struct co_config *c, char *out, size_t size)
{
	struct co_digest d;
	char hex[CO_DIGEST_TEXT];
	user_key(c, &d);
	snprintf(out, size, "users/%s.json", co_digest_hex(&d, hex));
}

static bool recall(struct build *b, const char *name, struct co_user_verdict *v)
{
	auto_free char *text = NULL;
	auto_json doc = NULL;
	size_t len;
	struct co_err err = CO_ERR_INIT;
	if (co_read_file(co_store_fd(b->store), name, RECORD_MAX, &text, &len, &err) < 0 ||
	    co_json_parse(&doc, text, len, name, &err) < 0)
		return false;
	const char *why = co_json_str(doc, "why"), *advice = co_json_str(doc, "advice");
	if (!why || !advice)
		return false;
	memset(v, 0, sizeof(*v));
	v->root = json_is_true(json_object_get(doc, "root"));
	v->unresolvable = json_is_true(json_object_get(doc, "unresolvable"));
	snprintf(v->why, sizeof(v->why), "%s", why);
	snprintf(v->advice, sizeof(v->advice), "%s", advice);
	return true;
}

static void remember(struct build *b, const char *name, const struct co_config *c,
		     const struct co_user_verdict *v)
{
	char layer[CO_DIGEST_TEXT];
	auto_json doc = json_object();
	auto_buf out = CO_BUF_INIT(RECORD_MAX);
	struct co_err ignore = CO_ERR_INIT;
	json_object_set_new(doc, "root", json_boolean(v->root));
	json_object_set_new(doc, "unresolvable", json_boolean(v->unresolvable));
	json_object_set_new(doc, "why", co_json_string(v->why));
	json_object_set_new(doc, "advice", co_json_string(v->advice));
	if (c->n_diff_ids) /* co_store_gc keeps it as long as this */
		json_object_set_new(
			doc, "layer",
			json_string(co_digest_str(&c->diff_ids[c->n_diff_ids - 1], layer)));
	co_json_write(&out, doc);
	/* only an acceleration: a store that can not take it does not fail the build */
	if (mkdirat(co_store_fd(b->store), "users", 0700) == 0 || errno == EEXIST) {
		int r = co_write_file(co_store_fd(b->store), name, out.data, out.len, 0600,
				      &ignore);
		(void)r;
	}
}

/* "This user of these layers is not root" is an entry of the cache as well, on the last layer that
 * was made: a runner that finds all steps cached need not download layers to learn it. */
static void share_key(const struct co_config *c, struct co_digest *out)
{
	struct co_digest d;
	user_key(c, &d);
	struct co_hash *h = co_hash_new(CO_SHA256);
	co_hash_field(h, 1, "cooper-user-is-not-root/1", 25);
	co_hash_field(h, 2, d.bytes, 32);
	co_hash_done(h, out);
}

static bool recall_shared(struct build *b, const struct co_config *c, struct co_user_verdict *v)
{
	struct co_digest key;
	struct co_layer layer;
	share_key(c, &key);
	if (b->o->no_cache || !b->o->n_cache_places || !co_cache_get(b->cache, &key, &layer))
		return false;
	memset(v, 0, sizeof(*v));
	return true;
}

static int share(struct build *b, struct co_exec *x, const struct co_config *c, bool found,
		 struct co_err *err)
{
	struct co_cache_entry *list = NULL, e = {.result = true};
	struct co_layer layer;
	size_t n = 0;
	co_exec_entries(x, &list, &n);
	while (n && !list[n - 1].result)
		n--;
	if (!n || !b->o->n_cache_places)
		return 0;
	share_key(c, &e.key);
	e.layer = list[n - 1].layer;
	int r = 0;
	if (!found && !co_cache_get(b->cache, &e.key, &layer))
		r = co_cache_put(b->cache, &e.key, &e.layer, "the user is not root", 0, err);
	*co_arena_push(&b->arena, b->facts, b->n_facts) = e;
	return r;
}

static int decide(struct build *b, struct co_exec *x, const struct co_config *c,
		  const struct co_descriptor *image, struct co_user_verdict *v, struct co_err *err)
{
	char name[CO_DIGEST_TEXT + 16];
	const char *user = c->user;
	if (!user || !*user || *user == ':') {
		co_gate_user(v, user, NULL, NULL);
		return 0;
	}
	record_name(c, name, sizeof(name));
	if (recall(b, name, v))
		return v->root || v->unresolvable ? 0 : share(b, x, c, false, err);
	if (recall_shared(b, c, v))
		return share(b, x, c, true, err);
	struct account_files f = {0};
	int r = read_files(b, x, image, &f, err);
	if (!r) {
		co_gate_user(v, user, f.passwd, f.group);
		remember(b, name, c, v);
	}
	release_files(&f);
	return r || v->root || v->unresolvable ? r : share(b, x, c, false, err);
}

int gate_user(struct build *b, struct co_exec *x, const struct co_built *built,
	      const struct co_descriptor *image, struct co_err *err)
{
	if (b->o->user_policy == CO_USER_OFF)
		return 0;
	struct co_user_verdict v;
	int r = decide(b, x, &built->config, image, &v, err);
	if (r < 0 || !v.root)
		return r;
	struct co_pos pos = built->user_pos.line ? built->user_pos : built->from_pos;
	bool inherited = !built->user_pos.line && built->config.user && *built->config.user;
	co_emit(b->bus, (struct co_event){.kind = CO_EV_POLICY,
					  .rule = "RootUser",
					  .text = v.why,
					  .file = b->source.name,
					  .pos = pos,
					  .ok = b->o->user_policy == CO_USER_WARN});
	if (b->o->user_policy == CO_USER_WARN)
		return 0;
	co_fail(err, CO_E_POLICY, "%s%s", v.why,
		inherited ? " (inherited from the base image)" : "");
	co_hint(err, "%s; or --user-policy=warn if root is what you want", v.advice);
	return co_locate(err, &b->source, pos);
}
