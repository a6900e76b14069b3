/* SPDX-License-Identifier: MIT
 *
 * RUN: user, environment, mounts, limits → one process in the sandbox.
 */
#include "exec-internal.h"
#include <cooper/clock.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define DISK_FULL (1u << 20)

static int need_sandbox(struct co_exec *x, struct co_err *err)
{
	if (x->sandbox)
		return 0;
	struct co_bus *bus = mask_bus_init(&x->mask, x->o->bus);
	return co_sandbox_open(&x->sandbox, x->o->sandbox, x->o->place, bus, err);
}

static bool env_has(const char *const *env, size_t n, const char *key)
{
	size_t len = strlen(key);
	for (size_t i = 0; i < n; i++)
		if (!strncmp(env[i], key, len) && env[i][len] == '=')
			return true;
	return false;
}

static const char **run_env(struct co_exec *x, const struct co_step *step,
			    const struct co_user *user, const struct mount_set *m)
{
	const char **env = NULL;
	size_t n = 0;
	/* what a mount or device brings takes the place of a variable of that name */
	for (size_t i = 0; step->env[i]; i++) {
		size_t len = strcspn(step->env[i], "=");
		if (!env_has(m->env, m->n_env, co_arena_strndup(x->a, step->env[i], len)))
			*co_arena_push(x->a, env, n) = step->env[i];
	}
	for (size_t i = 0; i < m->n_env; i++)
		*co_arena_push(x->a, env, n) = m->env[i];
	if (!env_has(env, n, "PATH"))
		*co_arena_push(x->a, env, n) = "PATH=" CO_DEFAULT_PATH;
	if (!env_has(env, n, "HOME"))
		*co_arena_push(x->a, env, n) = co_arena_printf(x->a, "HOME=%s", user->home);
	*co_arena_push(x->a, env, n) = NULL;
	return env;
}

static int run_network(struct co_exec *x, const struct co_step *step, enum co_net *out,
		       struct co_err *err)
{
	const char *net = step->network;
	if (!strcmp(net, "default") && x->o->network)
		net = x->o->network;
	if (!strcmp(net, "host") && strcmp(step->network, "default") && !x->o->allow_host_network) {
		co_fail(err, CO_E_POLICY, "RUN --network=host is not allowed");
		return co_hint(err, "allow it with --allow=network.host");
	}
	*out = !strcmp(net, "none")   ? CO_NET_NONE
	       : !strcmp(net, "host") ? CO_NET_HOST
				      : CO_NET_DEFAULT;
	return 0;
}

static int run_refusals(struct co_exec *x, const struct co_step *step, struct co_err *err)
{
	if (!strcmp(step->security, "insecure") && !x->o->allow_insecure) {
		co_fail(err, CO_E_POLICY, "RUN --security=insecure is not allowed");
		return co_hint(err, "allow it with --allow=security.insecure");
	}
	return 0;
}

/* What is left for a step to write is about nothing. */
static bool disk_full(const struct co_root *root)
{
	struct statvfs v;
	return fstatvfs(root->fd, &v) == 0 &&
	       ((uint64_t)v.f_bavail * v.f_frsize < DISK_FULL || (v.f_files && !v.f_favail));
}

static int failed(const struct co_step *step, const struct co_result *res, const struct co_run *run,
		  const struct co_root *root, struct co_err *err)
{
	const char *last = step->argv[step->n_argv - 1];
	size_t n = strcspn(last, "\n");
	if (n > 120)
		n = 120;
	char what[256];
	snprintf(what, sizeof(what), "%.*s%s", (int)n, last, last[n] ? " …" : "");
	if (res->timed_out) {
		co_fail(err, CO_E_TIMEOUT, "RUN %s: stopped after %u s", what, run->timeout_s);
		return co_hint(err, "raise --timeout, or find out why the command hangs");
	}
	if (res->output_cut) {
		co_fail(err, CO_E_LIMIT, "RUN %s: wrote more than the output limit", what);
		return co_hint(err, "raise --output-limit, or send the output to a file");
	}
	if (WIFSIGNALED(res->status)) {
		int sig = WTERMSIG(res->status);
		co_fail(err, CO_E_RUN_FAILED, "RUN %s: killed by signal %d (%s)", what, sig,
			strsignal(sig));
		if (res->oom)
			co_hint(err, "the step ran out of memory");
		return err->code;
	}
	int code = WEXITSTATUS(res->status);
	co_fail(err, CO_E_RUN_FAILED, "RUN %s: exit code %d", what, code);
	if (disk_full(root))
		co_hint(err, "the disk is full: no space is left where the store is (--root)");
	else if (code == 127)
		co_hint(err, "exit code 127: a command was not found in the image's PATH");
	else if (code == 126)
		co_hint(err, "exit code 126: a command was found but could not be executed");
	return err->code;
}

static int ready_cwd(struct stage_run *st, const struct co_root *root, struct co_err *err)
{
	const char *dir = st->config.workdir;
	if (!dir || !*dir)
		return 0;
	auto_fd fd = co_inroot_mkdirs(root->fd, dir, 0755, NULL, NULL);
	if (fd < 0)
		return co_fail_sys(err, "working directory %s", dir);
	return 0;
}

const char *run_hostname(const struct co_step *step)
{
	return step->hostname && *step->hostname ? step->hostname : "buildkitsandbox";
}

static int run_process(struct co_exec *x, struct stage_run *st, const struct co_step *step,
		       const struct co_root *root, const struct mount_set *m, struct co_err *err)
{
	struct co_user user = {0};
	int r = co_user_resolve(&user, root, st->config.user ? st->config.user : "", err);
	if (r < 0)
		return co_wrap(err, "USER %s", st->config.user);
	struct co_run run = {.argv = step->argv,
			     .env = run_env(x, step, &user, m),
			     .cwd = st->config.workdir && *st->config.workdir ? st->config.workdir
									      : "/",
			     .uid = user.uid,
			     .gid = user.gid,
			     .groups = user.groups,
			     .n_groups = user.n_groups,
			     .mounts = m->ops,
			     .n_mounts = m->n,
			     .hostname = run_hostname(step),
			     .arch = st->config.platform.arch,
			     .insecure = !strcmp(step->security, "insecure"),
			     .memory = x->o->memory,
			     .pids = x->o->pids,
			     .output = x->o->output_limit,
			     .cpus = x->o->cpus,
			     .timeout_s = x->o->timeout_s,
			     .step = (int)x->step};
	struct co_result res = {0};
	r = run_network(x, step, &run.net, err);
	if (!r)
		r = co_sandbox_run(x->sandbox, root, &run, &res, err);
	co_user_release(&user);
	if (r == CO_E_RUN_FAILED) /* a program that is not there is a failed RUN like another */
		return co_wrap(err, "RUN %.100s", step->argv[step->n_argv - 1]);
	if (r < 0)
		return r;
	return res.status || res.timed_out || res.output_cut ? failed(step, &res, &run, root, err)
							     : 0;
}

int op_run(struct co_exec *x, struct stage_run *st, const struct co_step *step,
	   const struct co_root *root, struct co_err *err)
{
	int r = run_refusals(x, step, err);
	if (!r)
		r = need_sandbox(x, err);
	if (!r)
		r = ready_cwd(st, root, err);
	if (r < 0)
		return r;
	struct mount_set m = {0};
	r = mounts_open(x, st, step, &m, err);
	if (!r)
		r = devices_open(x, step, &m, err);
	x->mask.secrets = m.secrets;
	x->mask.n_secrets = m.n_secrets;
	if (!r)
		r = run_process(x, st, step, root, &m, err);
	mask_bus_end(&x->mask);
	if (!r)
		mount_caches_save(x, step, &m);
	mounts_close(x, &m);
	return r;
}
