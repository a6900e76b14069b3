/* SPDX-License-Identifier: MIT
 *
 * RUN --mount: options → mount operations for the sandbox, and the keys of bind mounts.
 */
#include "mounts-internal.h"
#include <cooper/fs.h>
#include <stdlib.h>

int mount_keep_fd(struct mount_set *m, int fd, struct co_err *err)
{
	if (m->n_fds == sizeof(m->fds) / sizeof(m->fds[0])) {
		close(fd);
		return co_fail(err, CO_E_LIMIT, "more than %zu mounts in one step", m->n_fds);
	}
	m->fds[m->n_fds++] = fd;
	return 0;
}

struct co_mount_op *mount_add_op(struct co_exec *x, struct mount_set *m)
{
	return co_arena_push(x->a, m->ops, m->n);
}

const char *mount_target(struct co_exec *x, struct stage_run *st, const char *target)
{
	const char *base = target[0] == '/' || !st->config.workdir ? "" : st->config.workdir;
	return co_arena_printf(
		x->a, "/%s", co_path_clean_rel(x->a, co_arena_printf(x->a, "%s/%s", base, target)));
}

static void open_script(struct co_exec *x, const struct co_step *step, struct mount_set *m)
{
	struct co_mount_op *op = mount_add_op(x, m);
	op->kind = CO_MOP_FILE;
	op->target = step->argv[step->n_argv - 1];
	op->data = step->script;
	op->len = strlen(step->script);
	op->readonly = true;
	op->mode = 0755;
}

static void open_hosts(struct co_exec *x, const struct co_step *step, struct mount_set *m)
{
	if (!x->o->add_hosts || !x->o->add_hosts[0])
		return;
	auto_buf b = CO_BUF_INIT(CO_BUF_SMALL);
	co_buf_addf(&b, "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n",
		    run_hostname(step));
	for (size_t i = 0; x->o->add_hosts[i]; i++) {
		const char *colon = strchr(x->o->add_hosts[i], ':');
		if (colon)
			co_buf_addf(&b, "%s\t%.*s\n", colon + 1, (int)(colon - x->o->add_hosts[i]),
				    x->o->add_hosts[i]);
	}
	struct co_mount_op *op = mount_add_op(x, m);
	op->kind = CO_MOP_FILE;
	op->target = "/etc/hosts";
	op->data = co_arena_strndup(x->a, co_buf_str(&b), b.len);
	op->len = b.len;
	op->readonly = true;
	op->mode = 0644;
}

static void open_tmpfs(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		       struct mount_set *m)
{
	struct co_mount_op *op = mount_add_op(x, m);
	op->kind = CO_MOP_TMPFS;
	op->target = mount_target(x, st, mt->target);
	op->size = mt->size;
	op->mode = 01777;
	op->readonly = mt->readonly;
}

static int open_one(struct co_exec *x, struct stage_run *st, const struct co_step *step, size_t i,
		    struct mount_set *m, struct co_err *err)
{
	const struct co_mount *mt = &step->mounts[i];
	switch (mt->type) {
	case CO_MOUNT_BIND:
		return mount_bind_open(x, st, mt, &step->mount_from[i], m, err);
	case CO_MOUNT_CACHE:
		return mount_cache_open(x, st, step, i, m, err);
	case CO_MOUNT_SECRET:
		return mount_secret_open(x, st, mt, m, err);
	case CO_MOUNT_SSH:
		return mount_ssh_open(x, st, mt, m, err);
	case CO_MOUNT_TMPFS:
	default:
		open_tmpfs(x, st, mt, m);
		return 0;
	}
}

/* No target means the working directory; that must not be the root either. */
static int check_targets(struct co_exec *x, struct stage_run *st, const struct co_step *step,
			 struct co_err *err)
{
	for (size_t i = 0; i < step->n_mounts; i++) {
		const char *target = step->mounts[i].target;
		if (!target || mount_target(x, st, target)[1])
			continue;
		co_fail(err, CO_E_SYNTAX,
			"invalid mount target \"%s\": the root can not be covered", target);
		return co_hint(err, "%s",
			       *target ? "name a directory below it"
				       : "a mount without target= covers the working directory: "
					 "give it a target, or a WORKDIR before");
	}
	return 0;
}

int mounts_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		struct mount_set *m, struct co_err *err)
{
	open_hosts(x, step, m);
	int r = check_targets(x, st, step, err);
	if (!r)
		r = mount_caches_open(x, st, step, m, err);
	for (size_t i = 0; r == 0 && i < step->n_mounts; i++)
		r = open_one(x, st, step, i, m, err);
	if (!r && step->script)
		open_script(x, step, m);
	return r;
}

void mounts_close(struct co_exec *x, struct mount_set *m)
{
	struct co_err ignored = CO_ERR_INIT;
	int tmp = m->n_temps ? co_store_tmp_fd(x->o->store, &ignored) : -1;
	for (size_t i = 0; i < m->n_fds; i++)
		close(m->fds[i]);
	for (size_t i = 0; i < m->n_temps; i++) {
		int r = co_remove_tree(tmp, m->temps[i], &ignored);
		(void)r; /* what stays is swept when this process is gone */
	}
	m->n_fds = m->n_temps = 0;
}

int mount_source_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		     size_t index, struct co_digest *out, struct co_err *err)
{
	const struct co_mount *mt = &step->mounts[index];
	struct origin_tree tree;
	bool known;
	int r = origin_key(x, &step->mount_from[index], &st->config.platform, out, &known, err);
	if (!r && !known)
		r = origin_open(x, &step->mount_from[index], &st->config.platform, &tree, err);
	if (r < 0 || known)
		return r;
	struct co_copy_source src = {.root = tree.root,
				     .ignore = tree.ignore,
				     .pattern = mt->source && *mt->source ? mt->source : ".",
				     .fd = -1};
	struct co_copy copy = {.sources = &src, .n_sources = 1, .dest = "/"};
	r = co_copy_digest(&copy, out, err);
	return r < 0 ? co_wrap(err, "mount source") : 0;
}

int mounts_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	       struct co_digest **out, size_t *n, struct co_err *err)
{
	*out = NULL;
	*n = 0;
	for (size_t i = 0; i < step->n_mounts; i++) {
		struct co_digest d;
		if (step->mounts[i].type != CO_MOUNT_BIND)
			continue;
		int r = mount_source_key(x, st, step, i, &d, err);
		if (r < 0)
			return r;
		*co_arena_push(x->a, *out, *n) = d;
	}
	return 0;
}
