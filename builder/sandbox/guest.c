/* SPDX-License-Identifier: MIT */
#include "guest.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* High, so that programs which count on low numbers find them free, and below any usual limit. */
#define FD_TOP 1024

int guest_image(void)
{
	return spec_image(co_interpose_image, co_interpose_size);
}

static void set_cred(struct co_ip_cred *c, const struct co_run *run)
{
	bool has = false;
	c->ruid = c->euid = c->suid = c->fsuid = run->uid;
	c->rgid = c->egid = c->sgid = c->fsgid = run->gid;
	c->bounding = creds_caps(false);
	c->effective = c->permitted = run->uid ? 0 : c->bounding;
	for (size_t i = 0; i < run->n_groups && c->n_groups < CO_IP_GROUPS; i++) {
		has |= run->groups[i] == run->gid;
		c->groups[c->n_groups++] = run->groups[i];
	}
	if (!has && c->n_groups < CO_IP_GROUPS)
		c->groups[c->n_groups++] = run->gid;
}

static uint32_t fd_base(uint32_t n)
{
	struct rlimit l;
	rlim_t top = getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < FD_TOP ? l.rlim_cur : FD_TOP;
	return top > n + 16 ? (uint32_t)top - n - 1 : 16;
}

static int fill_paths(struct guest *g, struct co_err *err)
{
	struct step *st = g->st;
	struct co_ip_session *s = g->session;
	char alias[sizeof(g->dir_path) + 8];
	if (guest_host_name(st->root->fd, s->root, sizeof(s->root)) < 0)
		return co_fail_sys(err, "name of the root's directory");
	snprintf(alias, sizeof(alias), "%s/r", g->dir_path);
	if (strlen(alias) < sizeof(s->alias) && symlinkat(s->root, g->dir, "r") == 0)
		memcpy(s->alias, alias, strlen(alias) + 1);
	int r = guest_mounts(g, err);
	if (r < 0)
		return r;
	r = lookup_program(st->root->fd, st->run, s->program, sizeof(s->program), err);
	if (!r)
		r = lookup_foreign(st->root->fd, s->program, err);
	for (uint32_t i = 0; i < s->n_mounts; i++) {
		if (guest_host_name(g->mounts[i], s->mounts[i].source,
				    sizeof(s->mounts[i].source)) < 0)
			return co_fail_sys(err, "source of mount %s", s->mounts[i].target);
	}
	return r;
}

/* For finding out whether calls without a trap are to blame for something (docs/interposer.md). */
#define TRAP_ONLY "COOPER_TRAP_ONLY"

static int fill(struct guest *g, uint32_t flags, struct co_err *err)
{
	struct step *st = g->st;
	struct co_ip_session *s = g->session;
	*s = (struct co_ip_session){.magic = CO_IP_MAGIC,
				    .flags = flags | (getenv(TRAP_ONLY) ? CO_IP_TRAP_ONLY : 0),
				    .real_uid = getuid(),
				    .real_gid = getgid(),
				    .umask = 022};
	set_cred(&s->cred, st->run);
	int r = flags & CO_IP_PATHS ? fill_paths(g, err) : 0;
	s->n_fds = CO_IPF_MOUNTS + s->n_mounts;
	s->fd_base = fd_base(s->n_fds);
	for (uint32_t i = 0; i < s->n_mounts; i++)
		s->mounts[i].fd = (int32_t)(s->fd_base + CO_IPF_MOUNTS + i);
	snprintf(g->message, sizeof(g->message), "%s=boot %x", CO_IP_ENV, s->fd_base);
	return r;
}

int guest_open(struct guest *g, struct step *st, int image, uint32_t flags, struct co_err *err)
{
	*g = (struct guest){.st = st, .session_fd = -1, .image = image, .dir = -1};
	for (size_t i = 0; i < CO_IP_MOUNTS; i++)
		g->mounts[i] = -1;
	g->session_fd = memfd_create("session", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (g->session_fd < 0 || ftruncate(g->session_fd, CO_IP_SESSION_SIZE) < 0 ||
	    fcntl(g->session_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return co_fail_sys(err, "make the step's session");
	void *map = mmap(NULL, CO_IP_SESSION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 g->session_fd, 0);
	if (map == MAP_FAILED)
		return co_fail_sys(err, "map the step's session");
	g->session = map;
	int r = flags & CO_IP_PATHS ? guest_dir_make(g, err) : 0;
	return r < 0 ? r : fill(g, flags, err);
}

void guest_close(struct guest *g)
{
	struct co_err ignore = CO_ERR_INIT;
	/* what the session says now is the step's word */
	if (g->session) {
		for (size_t i = 0; i < CO_IP_MOUNTS; i++)
			co_close_fd(&g->mounts[i]);
		munmap(g->session, CO_IP_SESSION_SIZE);
	}
	co_close_fd(&g->session_fd);
	stubs_remove(&g->in_dev, g->dir);
	if (g->dir_path[0])
		(void)!co_remove_tree(AT_FDCWD, g->dir_path, &ignore);
	co_close_fd(&g->dir);
}

static int put(int fd, int number)
{
	return dup2(fd, number) < 0 ? -1 : 0;
}

/* A number that is kept but has no use here: empty, the step's own files would get it, and could
 * not use them. Nothing can be mapped or reached through it. */
static int fill_number(int number)
{
	int fd = eventfd(0, 0);
	if (fd == number)
		return 0;
	int r = fd < 0 ? -1 : put(fd, number);
	co_close_fd(&fd);
	return r;
}

int guest_place(const struct guest *g)
{
	const struct co_ip_session *s = g->session;
	const struct co_owntab *tab = g->st->root->owners;
	int base = (int)s->fd_base;
	/* a directory of the outside never goes into a step with a root of its own */
	if (s->flags & CO_IP_PATHS && put(g->st->root->fd, base + CO_IPF_ROOT) < 0)
		return -1;
	if (!(s->flags & CO_IP_PATHS) && fill_number(base + CO_IPF_ROOT) < 0)
		return -1;
	if (put(g->session_fd, base + CO_IPF_SESSION) < 0 || put(g->image, base + CO_IPF_IMAGE) < 0)
		return -1;
	if (tab && put(co_owntab_fd(tab), base + CO_IPF_TABLE) < 0)
		return -1;
	if (!tab && fill_number(base + CO_IPF_TABLE) < 0)
		return -1;
	for (uint32_t i = 0; i < s->n_mounts; i++)
		if (put(g->mounts[i], s->mounts[i].fd) < 0)
			return -1;
	return 0;
}

const char **guest_env(const struct guest *g)
{
	const struct co_run *run = g->st->run;
	size_t n = 0;
	while (run->env && run->env[n])
		n++;
	const char **env = co_xcalloc(n + 2, sizeof(*env));
	if (n)
		memcpy(env, run->env, n * sizeof(*env));
	env[n] = g->message;
	return env;
}
