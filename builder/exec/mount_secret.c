/* SPDX-License-Identifier: MIT
 *
 * Secrets and ssh agents. A secret is a file in the step's memory and a variable of its process,
 * nowhere else.
 */
#include "mounts-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdlib.h>

#define SECRET_MAX (500u << 10)

const struct co_secret *secret_find(const struct co_secret *list, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].id, id))
			return &list[i];
	return NULL;
}

int secret_read(struct co_arena *a, const struct co_secret *s, const char **data, size_t *len,
		struct co_err *err)
{
	if (s->env) {
		const char *v = getenv(s->env);
		if (!v)
			return co_fail(err, CO_E_NOT_FOUND, "secret %s: variable %s is not set",
				       s->id, s->env);
		*data = co_arena_strdup(a, v);
		*len = strlen(v);
		return 0;
	}
	auto_free char *text = NULL;
	int r = co_read_file(AT_FDCWD, s->file, SECRET_MAX, &text, len, err);
	if (r < 0)
		return co_wrap(err, "secret %s", s->id);
	*data = co_arena_dup(a, text, *len);
	return 0;
}

/* The value and, when it has several, each of its longer lines are hidden in logs. The line end
 * that files have is not part of what a step prints. */
static void remember_secret(struct co_exec *x, struct mount_set *m, const char *data)
{
	size_t len = strlen(data);
	while (len && (data[len - 1] == '\n' || data[len - 1] == '\r'))
		len--;
	*co_arena_push(x->a, m->secrets, m->n_secrets) = co_arena_strndup(x->a, data, len);
	if (!memchr(data, '\n', len))
		return;
	for (const char *p = data; *p;) {
		size_t n = strcspn(p, "\r\n");
		if (n >= 8)
			*co_arena_push(x->a, m->secrets, m->n_secrets) =
				co_arena_strndup(x->a, p, n);
		p += n + (p[n] != '\0');
	}
}

int mount_secret_open(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		      struct mount_set *m, struct co_err *err)
{
	const struct co_secret *s = secret_find(x->o->secrets, x->o->n_secrets, mt->id);
	if (!s) {
		if (!mt->required)
			return 0;
		co_fail(err, CO_E_NOT_FOUND, "secret %s: not found", mt->id);
		return co_hint(err,
			       "give it with --secret id=%s,src=FILE or --secret id=%s,env=NAME",
			       mt->id, mt->id);
	}
	const char *data = "";
	size_t len;
	int r = secret_read(x->a, s, &data, &len, err);
	if (r < 0)
		return r;
	remember_secret(x, m, data);
	if (mt->env)
		*co_arena_push(x->a, m->env, m->n_env) =
			co_arena_printf(x->a, "%s=%s", mt->env, data);
	if (mt->env && !mt->target)
		return 0;
	struct co_mount_op *op = mount_add_op(x, m);
	op->kind = CO_MOP_FILE;
	op->target = mt->target ? mount_target(x, st, mt->target)
				: co_arena_printf(x->a, "/run/secrets/%s", mt->id);
	op->data = data;
	op->len = len;
	op->readonly = true;
	op->mode = mt->has_mode ? mt->mode : 0400;
	op->uid = mt->has_uid ? mt->uid : 0;
	op->gid = mt->has_gid ? mt->gid : 0;
	return 0;
}

int mount_ssh_open(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		   struct mount_set *m, struct co_err *err)
{
	const char *id = mt->id && *mt->id ? mt->id : "default";
	const struct co_secret *s = secret_find(x->o->ssh, x->o->n_ssh, id);
	if (!s) {
		if (!mt->required)
			return 0;
		co_fail(err, CO_E_NOT_FOUND, "ssh agent %s: not given", id);
		return co_hint(err, "give it with --ssh %s[=SOCKET]", id);
	}
	int fd = open(s->file, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "ssh agent socket %s", s->file);
	int r = mount_keep_fd(m, fd, err);
	if (r < 0)
		return r;
	struct co_mount_op *op = mount_add_op(x, m);
	op->kind = CO_MOP_SOCKET;
	op->target = mt->target ? mount_target(x, st, mt->target)
				: co_arena_printf(x->a, "/run/buildkit/ssh_agent.%u", m->n_agents);
	op->src_fd = fd;
	op->mode = mt->has_mode ? mt->mode : 0600;
	op->uid = mt->has_uid ? mt->uid : 0;
	op->gid = mt->has_gid ? mt->gid : 0;
	if (m->n_agents++ == 0)
		*co_arena_push(x->a, m->env, m->n_env) =
			co_arena_printf(x->a, "SSH_AUTH_SOCK=%s", op->target);
	return 0;
}
