/* SPDX-License-Identifier: MIT
 *
 * RUN --mount: options → mount operations for the sandbox, and the keys of bind mounts.
 */
#include "exec-internal.h"
#include <cooper/clock.h>
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SECRET_MAX (500u << 10)

static int keep_fd(struct mount_set *m, int fd, struct co_err *err)
{
	if (m->n_fds == sizeof(m->fds) / sizeof(m->fds[0])) {
		close(fd);
		return co_fail(err, CO_E_LIMIT, "more than %zu mounts in one step", m->n_fds);
	}
	m->fds[m->n_fds++] = fd;
	return 0;
}

static struct co_mount_op *add_op(struct co_exec *x, struct mount_set *m)
{
	return co_arena_push(x->a, m->ops, m->n);
}

static const char *absolute_target(struct co_exec *x, struct stage_run *st, const char *target)
{
	const char *base = target[0] == '/' || !st->config.workdir ? "" : st->config.workdir;
	return co_arena_printf(
		x->a, "/%s", co_path_clean_rel(x->a, co_arena_printf(x->a, "%s/%s", base, target)));
}

/* A private copy of a tree below the store's tmp: for writable binds (writes are discarded) and for
 * the context, whose entries belong to root in a step whoever owns them outside. */
static int private_copy(struct co_exec *x, const struct origin_tree *tree, const char *source,
			struct mount_set *m, const char **rel, int *fd, struct co_err *err)
{
	int tmp = co_store_tmp_fd(x->o->store, err);
	if (tmp < 0)
		return tmp;
	char name[64];
	auto_fd dir = co_mkdtemp_at(tmp, "bind", name, sizeof(name), err);
	if (dir < 0)
		return err->code;
	fchmod(dir, 0755);
	struct co_root root = {.fd = dir, .owners = x->owners};
	struct co_copy_source src = {.root = tree->root,
				     .ignore = tree->ignore,
				     .keep_owner = tree->keep_owner,
				     .pattern = source,
				     .fd = -1};
	auto_fd probe = co_inroot_open(tree->root->fd, source, O_PATH, 0);
	struct stat sb;
	bool is_dir = probe >= 0 && fstat(probe, &sb) == 0 && S_ISDIR(sb.st_mode);
	struct co_copy copy = {
		.sources = &src, .n_sources = 1, .dest = is_dir ? "/" : "/file", .bus = x->o->bus};
	int r = co_copy_run(&copy, &root, err);
	if (r < 0)
		return r;
	*rel = is_dir ? "" : "file";
	*fd = co_steal_fd(&dir);
	(void)m;
	return 0;
}

static int bind_source(struct co_exec *x, const struct co_mount *mt, const struct co_origin *from,
		       struct stage_run *st, struct mount_set *m, int *out, struct co_err *err)
{
	struct origin_tree tree;
	const char *source = mt->source && *mt->source ? mt->source : ".";
	int r = origin_open(x, from, &st->config.platform, &tree, err);
	if (r < 0)
		return r;
	auto_fd dir = -1;
	int root = tree.root->fd;
	if (!tree.keep_owner || !mt->readonly) {
		r = private_copy(x, &tree, source, m, &source, &dir, err);
		if (r < 0)
			return r;
		root = dir;
	}
	/* links in the source stay inside its tree (CVE-2024-1753) */
	int fd = co_inroot_open(root, source, O_PATH, 0);
	if (fd < 0)
		return co_fail_sys(err, "mount source %s", source);
	r = keep_fd(m, fd, err);
	if (!r)
		*out = fd;
	return r;
}

static int open_bind(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		     const struct co_origin *from, struct mount_set *m, struct co_err *err)
{
	int fd = -1;
	int r = bind_source(x, mt, from, st, m, &fd, err);
	if (r < 0)
		return r;
	struct co_mount_op *op = add_op(x, m);
	op->kind = CO_MOP_BIND;
	op->target = absolute_target(x, st, mt->target);
	op->src_fd = fd;
	op->readonly = mt->readonly;
	return 0;
}

/* An id names a directory by its hash, so that no id can name a path (CVE-2024-9675). */
static void cache_name(const char *id, unsigned attempt, char *out, size_t size)
{
	struct co_digest d;
	char hex[CO_DIGEST_TEXT];
	co_digest_of(&d, id, strlen(id));
	co_digest_hex(&d, hex);
	snprintf(out, size, attempt ? "%s.%u" : "%s", hex, attempt);
}

static int lock_cache(int mounts, const char *name, enum co_sharing sharing, int *lock,
		      struct co_err *err)
{
	char path[200];
	snprintf(path, sizeof(path), "%.160s.lock", name);
	auto_fd fd = openat(mounts, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return co_fail_sys(err, "cache mount lock");
	int how = sharing == CO_SHARE_SHARED ? LOCK_SH : LOCK_EX;
	if (sharing == CO_SHARE_PRIVATE)
		how |= LOCK_NB;
	while (flock(fd, how) < 0) {
		if (errno == EWOULDBLOCK)
			return 1;
		if (errno != EINTR)
			return co_fail_sys(err, "lock a cache mount");
		if (co_interrupted())
			return co_fail(err, CO_E_INTERRUPTED, "interrupted");
	}
	*lock = co_steal_fd(&fd);
	return 0;
}

/* private: the first directory that nobody uses; else the one of the id. */
static int pick_cache(int mounts, const char *id, enum co_sharing sharing, char *name, size_t size,
		      int *lock, struct co_err *err)
{
	for (unsigned i = 0; i < 1000; i++) {
		cache_name(id, i, name, size);
		int r = lock_cache(mounts, name, sharing, lock, err);
		if (r <= 0)
			return r;
	}
	return co_fail(err, CO_E_LIMIT, "more than 1000 users of a private cache mount");
}

static int seed_cache(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		      const struct co_origin *from, int dir, struct co_err *err)
{
	struct origin_tree tree;
	int r = origin_open(x, from, &st->config.platform, &tree, err);
	if (r < 0)
		return r;
	struct co_root root = {.fd = dir, .owners = x->owners};
	struct co_copy_source src = {.root = tree.root,
				     .ignore = tree.ignore,
				     .keep_owner = tree.keep_owner,
				     .pattern = mt->source && *mt->source ? mt->source : ".",
				     .fd = -1};
	struct co_copy copy = {.sources = &src, .n_sources = 1, .dest = "/", .bus = x->o->bus};
	return co_copy_run(&copy, &root, err);
}

static int make_cache(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		      const struct co_origin *from, int mounts, const char *name, int *out,
		      struct co_err *err)
{
	bool fresh = mkdirat(mounts, name, 0700) == 0;
	if (!fresh && errno != EEXIST)
		return co_fail_sys(err, "make a cache mount");
	auto_fd dir = openat(mounts, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return co_fail_sys(err, "open a cache mount");
	struct co_root root = {.fd = dir, .owners = x->owners};
	if (fresh &&
	    co_root_set_owner_mode(&root, dir, "", mt->has_uid ? mt->uid : 0,
				   mt->has_gid ? mt->gid : 0, mt->has_mode ? mt->mode : 0755) < 0)
		return co_fail_sys(err, "own a cache mount");
	if (fresh && mt->from) {
		int r = seed_cache(x, st, mt, from, dir, err);
		if (r < 0)
			return r;
	}
	*out = co_steal_fd(&dir);
	return 0;
}

/* BUILDKIT_CACHE_MOUNT_NS keeps the caches of several projects apart. */
static const char *cache_id(struct co_exec *x, const struct co_step *step,
			    const struct co_mount *mt, const char *target)
{
	const char *id = mt->id && *mt->id ? mt->id : target;
	if (!step->cache_ns || !*step->cache_ns)
		return id;
	return co_arena_printf(x->a, "%s/%s", step->cache_ns, id);
}

static int open_cache(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		      const struct co_mount *mt, const struct co_origin *from, struct mount_set *m,
		      struct co_err *err)
{
	int store = co_store_fd(x->o->store);
	if (mkdirat(store, "mounts", 0700) < 0 && errno != EEXIST)
		return co_fail_sys(err, "make the directory of cache mounts");
	auto_fd mounts = openat(store, "mounts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mounts < 0)
		return co_fail_sys(err, "open the directory of cache mounts");
	const char *target = absolute_target(x, st, mt->target);
	char name[160];
	int lock = -1, dir = -1;
	int r = pick_cache(mounts, cache_id(x, step, mt, target), mt->sharing, name, sizeof(name),
			   &lock, err);
	if (!r)
		r = keep_fd(m, lock, err);
	if (!r)
		r = make_cache(x, st, mt, from, mounts, name, &dir, err);
	if (!r)
		r = keep_fd(m, dir, err);
	if (r < 0)
		return r;
	struct co_mount_op *op = add_op(x, m);
	op->kind = CO_MOP_BIND;
	op->target = target;
	op->src_fd = dir;
	op->readonly = mt->readonly;
	return 0;
}

const struct co_secret *secret_find(const struct co_secret *list, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].id, id))
			return &list[i];
	return NULL;
}

int secret_read(struct co_exec *x, const struct co_secret *s, const char **data, size_t *len,
		struct co_err *err)
{
	if (s->env) {
		const char *v = getenv(s->env);
		if (!v)
			return co_fail(err, CO_E_NOT_FOUND, "secret %s: variable %s is not set",
				       s->id, s->env);
		*data = co_arena_strdup(x->a, v);
		*len = strlen(v);
		return 0;
	}
	auto_free char *text = NULL;
	int r = co_read_file(AT_FDCWD, s->file, SECRET_MAX, &text, len, err);
	if (r < 0)
		return co_wrap(err, "secret %s", s->id);
	*data = co_arena_dup(x->a, text, *len);
	return 0;
}

/* The whole value and, for files, each of its longer lines are hidden in logs. */
static void remember_secret(struct co_exec *x, struct mount_set *m, const char *data)
{
	*co_arena_push(x->a, m->secrets, m->n_secrets) = data;
	if (!strchr(data, '\n'))
		return;
	for (const char *p = data; *p;) {
		size_t n = strcspn(p, "\r\n");
		if (n >= 8)
			*co_arena_push(x->a, m->secrets, m->n_secrets) =
				co_arena_strndup(x->a, p, n);
		p += n + (p[n] != '\0');
	}
}

static int open_secret(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
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
	int r = secret_read(x, s, &data, &len, err);
	if (r < 0)
		return r;
	remember_secret(x, m, data);
	if (mt->env)
		*co_arena_push(x->a, m->env, m->n_env) =
			co_arena_printf(x->a, "%s=%s", mt->env, data);
	if (mt->env && !mt->target)
		return 0;
	struct co_mount_op *op = add_op(x, m);
	op->kind = CO_MOP_FILE;
	op->target = mt->target ? absolute_target(x, st, mt->target)
				: co_arena_printf(x->a, "/run/secrets/%s", mt->id);
	op->data = data;
	op->len = len;
	op->readonly = true;
	op->mode = mt->has_mode ? mt->mode : 0400;
	op->uid = mt->has_uid ? mt->uid : 0;
	op->gid = mt->has_gid ? mt->gid : 0;
	return 0;
}

static int open_ssh(struct co_exec *x, struct stage_run *st, const struct co_mount *mt,
		    unsigned number, struct mount_set *m, struct co_err *err)
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
	int r = keep_fd(m, fd, err);
	if (r < 0)
		return r;
	struct co_mount_op *op = add_op(x, m);
	op->kind = CO_MOP_SOCKET;
	op->target = mt->target ? absolute_target(x, st, mt->target)
				: co_arena_printf(x->a, "/run/buildkit/ssh_agent.%u", number);
	op->src_fd = fd;
	op->mode = mt->has_mode ? mt->mode : 0600;
	op->uid = mt->has_uid ? mt->uid : 0;
	op->gid = mt->has_gid ? mt->gid : 0;
	if (number == 0)
		*co_arena_push(x->a, m->env, m->n_env) =
			co_arena_printf(x->a, "SSH_AUTH_SOCK=%s", op->target);
	return 0;
}

static void open_script(struct co_exec *x, const struct co_step *step, struct mount_set *m)
{
	struct co_mount_op *op = add_op(x, m);
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
	struct co_mount_op *op = add_op(x, m);
	op->kind = CO_MOP_FILE;
	op->target = "/etc/hosts";
	op->data = co_arena_strndup(x->a, co_buf_str(&b), b.len);
	op->len = b.len;
	op->readonly = true;
	op->mode = 0644;
}

static int open_one(struct co_exec *x, struct stage_run *st, const struct co_step *step, size_t i,
		    unsigned *ssh, struct mount_set *m, struct co_err *err)
{
	const struct co_mount *mt = &step->mounts[i];
	switch (mt->type) {
	case CO_MOUNT_BIND:
		return open_bind(x, st, mt, &step->mount_from[i], m, err);
	case CO_MOUNT_CACHE:
		return open_cache(x, st, step, mt, &step->mount_from[i], m, err);
	case CO_MOUNT_SECRET:
		return open_secret(x, st, mt, m, err);
	case CO_MOUNT_SSH:
		return open_ssh(x, st, mt, (*ssh)++, m, err);
	case CO_MOUNT_TMPFS:
	default: {
		struct co_mount_op *op = add_op(x, m);
		op->kind = CO_MOP_TMPFS;
		op->target = absolute_target(x, st, mt->target);
		op->size = mt->size;
		op->mode = 01777;
		op->readonly = mt->readonly;
		return 0;
	}
	}
}

int mounts_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		struct mount_set *m, struct co_err *err)
{
	unsigned ssh = 0;
	open_hosts(x, step, m);
	for (size_t i = 0; i < step->n_mounts; i++) {
		int r = open_one(x, st, step, i, &ssh, m, err);
		if (r < 0)
			return r;
	}
	if (step->script)
		open_script(x, step, m);
	return 0;
}

void mounts_close(struct mount_set *m)
{
	for (size_t i = 0; i < m->n_fds; i++)
		close(m->fds[i]);
	m->n_fds = 0;
}

int mounts_key(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	       struct co_digest **out, size_t *n, struct co_err *err)
{
	*out = NULL;
	*n = 0;
	for (size_t i = 0; i < step->n_mounts; i++) {
		const struct co_mount *mt = &step->mounts[i];
		if (mt->type != CO_MOUNT_BIND)
			continue;
		struct co_digest d;
		bool known;
		int r = origin_key(x, &step->mount_from[i], &st->config.platform, &d, &known, err);
		struct origin_tree tree;
		if (!r && !known)
			r = origin_open(x, &step->mount_from[i], &st->config.platform, &tree, err);
		if (r < 0)
			return r;
		if (!known) {
			struct co_copy_source src = {
				.root = tree.root,
				.ignore = tree.ignore,
				.pattern = mt->source && *mt->source ? mt->source : ".",
				.fd = -1};
			struct co_copy copy = {.sources = &src, .n_sources = 1, .dest = "/"};
			r = co_copy_digest(&copy, &d, err);
			if (r < 0)
				return co_wrap(err, "mount source");
		}
		*co_arena_push(x->a, *out, *n) = d;
	}
	return 0;
}
