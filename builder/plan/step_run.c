/* SPDX-License-Identifier: MIT
 *
 * Evaluation of RUN: command line, heredocs, environment, mounts and flags.
 */
#include "plan-internal.h"

/* Where a RUN heredoc that starts with #! is put for the step (BuildKit's place). */
#define SCRIPT_DIR "/dev/pipes/"

static bool lone_heredoc(const struct co_insn *insn)
{
	if (insn->n_heredocs != 1 || !insn->n_args)
		return false;
	/* the whole command line is the marker: digits, <<, -, one word */
	const char *s = insn->args[0];
	while (co_is_space(*s))
		s++;
	if (!co_starts(s, "<<"))
		return false;
	s += 2;
	if (*s == '-')
		s++;
	while (co_is_space(*s))
		s++;
	return s[strcspn(s, " \t")] == '\0';
}

/* A command with several documents, or with more words: the shell must understand heredocs. */
static const char *reassemble(struct co_arena *a, const struct co_insn *insn)
{
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_buf_adds(&b, insn->args[0]);
	for (size_t i = 0; i < insn->n_heredocs; i++) {
		const struct co_heredoc *h = &insn->heredocs[i];
		co_buf_addf(&b, "\n%s%s", h->body, h->name);
	}
	return co_arena_strndup(a, co_buf_str(&b), b.len);
}

static void run_argv(struct eval *ev)
{
	const struct co_insn *insn = ev->insn;
	struct co_step *s = ev->out;
	if (insn->json) {
		for (size_t i = 0; i < insn->n_args; i++)
			*co_arena_push(ev->a, s->argv, s->n_argv) = insn->args[i];
		*co_arena_push(ev->a, s->argv, s->n_argv) = NULL;
		s->n_argv--;
		return;
	}
	const char *text = insn->n_args ? insn->args[0] : "";
	if (lone_heredoc(insn)) {
		text = insn->heredocs[0].body;
		if (co_starts(text, "#!")) {
			s->script = text;
			text = co_arena_printf(ev->a, SCRIPT_DIR "%s", insn->heredocs[0].name);
		}
	} else if (insn->n_heredocs) {
		text = reassemble(ev->a, insn);
	}
	struct co_strs fallback;
	const struct co_strs *shell = plan_shell(ev->config, &fallback);
	for (size_t i = 0; i < shell->n; i++)
		*co_arena_push(ev->a, s->argv, s->n_argv) = shell->items[i];
	*co_arena_push(ev->a, s->argv, s->n_argv) = text;
	*co_arena_push(ev->a, s->argv, s->n_argv) = NULL;
	s->n_argv--;
}

static void run_env(struct eval *ev)
{
	struct co_step *s = ev->out;
	const struct co_scope *scope = ev->scope;
	const struct co_plan_opts *o = ev->plan->opts;
	size_t n = 0, nk = 0;
	for (size_t i = 0; i < scope->n; i++) {
		if (!scope->vars[i].value)
			continue;
		const char *kv =
			co_arena_printf(ev->a, "%s=%s", scope->vars[i].key, scope->vars[i].value);
		*co_arena_push(ev->a, s->env, n) = kv;
		*co_arena_push(ev->a, s->key_env, nk) = kv;
	}
	/* proxy arguments reach the step undeclared and stay out of history and key */
	for (size_t i = 0; i < o->n_build_args; i++) {
		const struct co_kv *kv = &o->build_args[i];
		if (kv->value && plan_is_proxy_arg(kv->key) && !co_scope_get(scope, kv->key))
			*co_arena_push(ev->a, s->env, n) =
				co_arena_printf(ev->a, "%s=%s", kv->key, kv->value);
	}
	*co_arena_push(ev->a, s->env, n) = NULL;
	*co_arena_push(ev->a, s->key_env, nk) = NULL;
}

static int run_mount(struct eval *ev, const struct co_flag *f, struct co_err *err)
{
	struct co_step *s = ev->out;
	struct co_mount m;
	struct co_origin origin = {.kind = CO_FROM_CONTEXT};
	if (co_mount_parse(&m, ev->a, f->value ? f->value : "", ev->plan->dockerfile->escape,
			   &ev->vars, err) < 0)
		return co_locate(err, &ev->plan->dockerfile->source, f->pos);
	if (m.from && co_plan_origin(&origin, ev->a, ev->plan, ev->stage->index, m.from, err) < 0)
		return co_locate(err, &ev->plan->dockerfile->source, f->pos);
	size_t n = s->n_mounts;
	*co_arena_push(ev->a, s->mount_from, n) = origin;
	*co_arena_push(ev->a, s->mounts, s->n_mounts) = m;
	return 0;
}

/* vendor.com/class, or that and =device */
static bool is_device(const char *name)
{
	const char *slash = strchr(name, '/');
	const char *end = name + strcspn(name, "=");
	if (!slash || slash > end || slash == name || slash + 1 == end)
		return false;
	for (const char *c = name; *c; c++) {
		bool mark = strchr("._-", *c) || c == slash || c == end ||
			    (c > end && strchr(":*", *c));
		if (!mark && !co_is_alpha(*c) && !co_is_digit(*c))
			return false;
	}
	return true;
}

static int device_option(struct eval *ev, const struct co_flag *f, const char *word, bool first,
			 struct co_device *d, struct co_err *err)
{
	static const char *const keys[] = {"name", "required", NULL};
	size_t len = strcspn(word, "=");
	const char *key = co_arena_strndup(ev->a, word, len);
	const char *value = word[len] ? word + len + 1 : NULL;
	if (co_ieq(key, "required") &&
	    (!value || co_ieq(value, "true") || co_ieq(value, "false"))) {
		d->required = !value || co_ieq(value, "true");
		return 0;
	}
	if (co_ieq(key, "required"))
		return eval_fail(ev, f->pos, err, "--device: required is true or false, not \"%s\"",
				 value);
	if (co_ieq(key, "name") && value) {
		d->name = value;
		return 0;
	}
	if (first && strchr(key, '/')) {
		d->name = word;
		return 0;
	}
	const char *near = co_nearest(key, keys);
	eval_fail(ev, f->pos, err, "--device: unknown option \"%s\"", word);
	return near ? co_hint(err, "did you mean %s?", near)
		    : co_hint(err, "write --device=vendor.com/class=device[,required]");
}

static int run_device(struct eval *ev, const struct co_flag *f, struct co_err *err)
{
	struct co_device d = {0};
	int r = 0;
	for (const char *p = f->value; r == 0 && p; p = *p ? p + 1 : NULL) {
		size_t n = strcspn(p, ",");
		r = device_option(ev, f, co_arena_strndup(ev->a, p, n), p == f->value, &d, err);
		p += n;
	}
	if (r < 0)
		return r;
	if (!d.name || !is_device(d.name)) {
		eval_fail(ev, f->pos, err, "invalid device \"%s\"", d.name ? d.name : f->value);
		return co_hint(err, "write --device=vendor.com/class=device[,required]");
	}
	*co_arena_push(ev->a, ev->out->devices, ev->out->n_devices) = d;
	return 0;
}

static int run_choice(struct eval *ev, const char *flag, const char *const *allowed,
		      const char **out, struct co_err *err)
{
	const struct co_flag *f = co_insn_flag(ev->insn, flag);
	*out = allowed[0];
	if (!f)
		return 0;
	const char *value = NULL;
	int r = eval_flag(ev, flag, &value, err);
	if (r < 0)
		return r;
	for (size_t i = 0; value && allowed[i]; i++)
		if (!strcmp(value, allowed[i])) {
			*out = allowed[i];
			return 0;
		}
	const char *near = value ? co_nearest(value, allowed) : NULL;
	eval_fail(ev, f->pos, err, "invalid --%s \"%s\"", flag, value ? value : "");
	if (near)
		return co_hint(err, "did you mean --%s=%s?", flag, near);
	return err->code;
}

int eval_run(struct eval *ev, struct co_err *err)
{
	static const char *const networks[] = {"default", "none", "host", NULL};
	static const char *const securities[] = {"sandbox", "insecure", NULL};
	struct co_step *s = ev->out;
	s->layer = true;
	run_argv(ev);
	run_env(ev);
	s->hostname = plan_build_arg(ev->plan->opts, "BUILDKIT_SANDBOX_HOSTNAME");
	s->cache_ns = plan_build_arg(ev->plan->opts, "BUILDKIT_CACHE_MOUNT_NS");
	int r = run_choice(ev, "network", networks, &s->network, err);
	if (!r)
		r = run_choice(ev, "security", securities, &s->security, err);
	for (size_t i = 0; r == 0 && i < ev->insn->n_flags; i++) {
		const struct co_flag *f = &ev->insn->flags[i];
		if (!strcmp(f->name, "mount"))
			r = run_mount(ev, f, err);
		else if (!strcmp(f->name, "device"))
			r = run_device(ev, f, err);
	}
	return r;
}
