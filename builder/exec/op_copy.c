/* SPDX-License-Identifier: MIT
 *
 * COPY, the local half of ADD, and WORKDIR.
 */
#include "exec-internal.h"
#include <fcntl.h>
#include <stdlib.h>

static struct co_copy_source *add_source(struct co_exec *x, struct copy_job *job)
{
	struct co_copy_source *s = co_arena_push(x->a, job->sources, job->n_sources);
	s->fd = -1;
	return s;
}

/* A checkout's times are those of the checkout, or of the last edit: what is committed has its
 * commit's, as it has in a context that is a git URL. */
void source_times(const struct co_exec *x, struct co_copy_source *s)
{
	if (!x->o->epoch_of_commit || s->keep_owner)
		return;
	s->has_mtime = true;
	s->mtime = (struct timespec){.tv_sec = (time_t)x->o->layer.epoch};
}

static void add_bodies(struct co_exec *x, const struct co_step *step, struct copy_job *job)
{
	for (size_t i = 0; i < step->n_bodies; i++) {
		struct co_copy_source *s = add_source(x, job);
		s->pattern = step->body_names[i];
		s->content = step->bodies[i];
		s->content_len = strlen(step->bodies[i]);
		s->mode = 0644;
		s->mtime.tv_sec = (time_t)x->o->layer.epoch;
	}
}

static int add_local(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		     struct copy_job *job, struct co_err *err)
{
	struct origin_tree tree;
	struct co_origin context = {.kind = CO_FROM_CONTEXT};
	bool opened = false;
	for (size_t i = 0; i < step->n_sources; i++) {
		const char *source = step->sources[i];
		int r = 0;
		if (source_is_remote(source)) {
			if (step->op == CO_OP_COPY) {
				co_fail(err, CO_E_SYNTAX, "source can't be a URL for COPY: %s",
					source);
				return co_hint(err, "use ADD --checksum=sha256:… for downloads");
			}
			r = add_remote(x, step, source, job, err);
			if (r < 0)
				return r;
			continue;
		}
		if (step->checksum) {
			return co_fail(err, CO_E_SYNTAX,
				       "--checksum requires HTTP(S) or Git sources, and %s is a "
				       "local file",
				       source);
		}
		if (!opened)
			r = origin_open(x, step->has_from ? &step->from : &context,
					&st->config.platform, &tree, err);
		if (r < 0)
			return r;
		opened = true;
		struct co_copy_source *s = add_source(x, job);
		s->root = tree.root;
		s->ignore = tree.ignore;
		s->keep_owner = tree.keep_owner;
		source_times(x, s);
		s->pattern = source;
	}
	return 0;
}

int copy_job_open(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		  struct copy_job *job, struct co_err *err)
{
	memset(job, 0, sizeof(*job));
	int r = add_local(x, st, step, job, err);
	if (r < 0) {
		copy_job_close(job);
		return r;
	}
	add_bodies(x, step, job);
	job->copy = (struct co_copy){.sources = job->sources,
				     .n_sources = job->n_sources,
				     .dest = step->dest,
				     .chmod = step->chmod,
				     .excludes = step->excludes,
				     .n_excludes = step->n_excludes,
				     .parents = step->parents,
				     .link = step->link,
				     .bus = x->o->bus};
	if (step->op == CO_OP_ADD && !step->has_unpack)
		job->copy.unpack = CO_UNPACK_AUTO;
	else if (step->has_unpack && step->unpack)
		job->copy.unpack = CO_UNPACK_ALWAYS;
	return 0;
}

int copy_job_run(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		 struct copy_job *job, const struct co_root *root, struct co_err *err)
{
	(void)x;
	(void)st;
	if (step->chown) {
		job->copy.has_owner = true;
		int r = co_chown_resolve(&job->copy.uid, &job->copy.gid, root, step->chown, err);
		if (r < 0)
			return co_wrap(err, "--chown=%s", step->chown);
	}
	return co_copy_run(&job->copy, root, err);
}

void copy_job_close(struct copy_job *job)
{
	for (size_t i = 0; i < job->n_fds; i++)
		co_close_fd(&job->fds[i]);
	for (size_t i = 0; i < job->n_trees; i++)
		co_root_close(&job->trees[i]);
	job->n_fds = job->n_trees = 0;
}

/* ---- WORKDIR ---- */

struct made {
	const struct co_root *root;
	uint32_t uid, gid;
	int errnum;
};

static void own_new_dir(void *ctx, int dirfd, const char *name)
{
	struct made *m = ctx;
	if (co_root_set_owner_mode(m->root, dirfd, name, m->uid, m->gid, 0755) < 0)
		m->errnum = errno;
}

int op_workdir(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	       const struct co_root *root, struct co_err *err)
{
	(void)x;
	struct co_user user = {0};
	const char *name = st->config.user;
	if (name && *name) {
		int r = co_user_resolve(&user, root, name, err);
		if (r < 0)
			return co_wrap(err, "USER %s", name);
	}
	struct made made = {.root = root, .uid = user.uid, .gid = user.gid};
	co_user_release(&user);
	auto_fd fd = co_inroot_mkdirs(root->fd, step->value, 0755, own_new_dir, &made);
	if (made.errnum) {
		errno = made.errnum;
		co_root_fail_owner(made.uid, made.gid, err);
		return co_wrap(err, "make directory %s", step->value);
	}
	return fd < 0 ? co_fail_sys(err, "make directory %s", step->value) : 0;
}
