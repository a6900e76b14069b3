/* SPDX-License-Identifier: MIT
 *
 * What a step under the interposer finds in its root besides the image: /proc and /sys of this
 * machine, a /dev of a few devices, resolv.conf and hosts, and the mounts of the RUN instruction.
 */
#include "guest.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static const struct {
	const char *name;
	unsigned major, minor;
} devices[] = {{"null", 1, 3},	  {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8},
	       {"urandom", 1, 9}, {"tty", 5, 0},  {"ptmx", 5, 2}};

/* The path that a mount's target has in the root. The image's /dev is covered by ours: what it
 * calls null leads nowhere (CVE-2025-31133 is about following it). */
static int place_of(const struct guest *g, const char *target, char *path, size_t size)
{
	int root = g->st->root->fd;
	const char *name = co_starts(target, "/dev/") ? target + 5 : "";
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return co_inroot_resolve(root, target, path, size);
	if (co_inroot_resolve(root, "/dev", path, size) < 0)
		return -1;
	size_t n = strlen(path);
	if ((size_t)snprintf(path + n, size - n, "/%s", name) < size - n)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

/* Takes fd. */
static int add(struct guest *g, int fd, const char *target, uint32_t flags, bool writable,
	       struct co_err *err)
{
	struct co_ip_session *s = g->session;
	struct stat sb;
	auto_fd own = fd;
	char path[4096];
	if (own < 0 || fstat(own, &sb) < 0)
		return co_fail_sys(err, "source of mount %s", target);
	if (s->n_mounts == CO_IP_MOUNTS)
		return co_fail(err, CO_E_LIMIT, "more than %d mounts in a step", CO_IP_MOUNTS);
	if (place_of(g, target, path, sizeof(path)) < 0)
		return co_fail_sys(err, "mount target %s", target);
	struct co_ip_mount *m = &s->mounts[s->n_mounts];
	if (!*path || strlen(path) + 2 > sizeof(m->target))
		return co_fail(err, CO_E_UNSUPPORTED, "mount target %s: is the root or too long",
			       target);
	m->target[0] = '/';
	memcpy(m->target + 1, path, strlen(path) + 1);
	m->flags = flags | (S_ISDIR(sb.st_mode) ? 0 : CO_IPM_FILE);
	g->writable[s->n_mounts] = writable;
	g->mounts[s->n_mounts++] = co_steal_fd(&own);
	return 0;
}

/* Makes sure that listings of the directory above show the mount. */
static int stub(struct guest *g, const char *target, bool dir, struct co_err *err)
{
	char path[4096];
	bool in_dev = co_inroot_resolve(g->st->root->fd, target, path, sizeof(path)) == 0 &&
		      co_starts(path, "dev/");
	/* the image's /dev is covered by ours */
	auto_fd fd = in_dev ? stub_open(&g->in_dev, g->dir, path, dir, err)
			    : stub_open(&g->st->stubs, g->st->root->fd, target, dir, err);
	return fd < 0 ? err->code : 0;
}

int guest_claim(struct co_owntab *t, int dirfd, const char *name, uint32_t uid, uint32_t gid,
		uint32_t mode, uint32_t major_no, uint32_t minor_no)
{
	struct owntab_key key;
	struct co_own own = {uid, gid, mode, major_no, minor_no};
	if (!t)
		return S_ISCHR(mode) ? 0 : fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW);
	if (co_owntab_key(dirfd, name, &key, NULL) < 0)
		return -1;
	return co_owntab_set(t, &key, &own);
}

static int claim(struct guest *g, int dirfd, const char *name, uint32_t uid, uint32_t gid,
		 uint32_t mode, uint32_t major_no, uint32_t minor_no)
{
	return guest_claim(g->st->root->owners, dirfd, name, uid, gid, mode, major_no, minor_no);
}

static int empty_file(int dir, const char *name)
{
	auto_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	return fd < 0 ? -1 : 0;
}

static int make_dev(struct guest *g, int dev, struct co_err *err)
{
	static const char *const links[][2] = {{"fd", "/proc/self/fd"},
					       {"stdin", "/proc/self/fd/0"},
					       {"stdout", "/proc/self/fd/1"},
					       {"stderr", "/proc/self/fd/2"}};
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i][1], dev, links[i][0]) < 0)
			return co_fail_sys(err, "make the step's /dev/%s", links[i][0]);
	static const char *const dirs[] = {"pts", "shm", "mqueue"};
	for (size_t i = 0; i < 3; i++) {
		mode_t mode = i == 1 ? 01777 : 0755;
		if (mkdirat(dev, dirs[i], mode) < 0 || fchmodat(dev, dirs[i], mode, 0) < 0)
			return co_fail_sys(err, "make the step's /dev/%s", dirs[i]);
	}
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		char path[64];
		struct stat sb;
		snprintf(path, sizeof(path), "/dev/%s", devices[i].name);
		auto_fd fd = open(path, O_PATH | O_CLOEXEC);
		/* ptmx may be a link to pts/ptmx, whose number is the same */
		if (fd < 0 || fstat(fd, &sb) < 0 || !S_ISCHR(sb.st_mode) ||
		    sb.st_rdev != makedev(devices[i].major, devices[i].minor))
			continue;
		if (empty_file(dev, devices[i].name) < 0 ||
		    claim(g, dev, devices[i].name, 0, 0, S_IFCHR | 0666, devices[i].major,
			  devices[i].minor) < 0)
			return co_fail_sys(err, "make the step's %s", path);
		int r = add(g, co_steal_fd(&fd), path, 0, true, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_dev(struct guest *g, struct co_err *err)
{
	int r = stub(g, "/dev", true, err);
	if (r < 0)
		return r;
	if (mkdirat(g->dir, "dev", 0755) < 0)
		return co_fail_sys(err, "make the step's /dev");
	auto_fd dev = openat(g->dir, "dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dev < 0)
		return co_fail_sys(err, "make the step's /dev");
	r = add(g, openat(g->dir, "dev", O_PATH | O_CLOEXEC), "/dev", 0, true, err);
	if (!r)
		r = make_dev(g, dev, err);
	auto_fd pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!r && pts >= 0)
		r = add(g, co_steal_fd(&pts), "/dev/pts", 0, true, err);
	return r;
}

static int add_kernel(struct guest *g, const char *path, uint32_t flags, struct co_err *err)
{
	int r = stub(g, path, true, err);
	auto_fd fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r < 0 || fd < 0)
		return r;
	/* real root could turn the kernel's knobs in /proc/sys; others only reach their own files
	 */
	bool writable = flags & CO_IPM_PROC && g->st->root->owners && geteuid() != 0;
	return add(g, co_steal_fd(&fd), path, flags, writable, err);
}

/* A file of this step's own with the given content; O_PATH. */
static int content(struct guest *g, const void *data, size_t len, uint32_t uid, uint32_t gid,
		   uint32_t mode)
{
	char name[16];
	snprintf(name, sizeof(name), "f%u", g->n_files++);
	auto_fd fd = openat(g->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool virtual = g->st->root->owners;
	if (fd < 0 || co_write_all(fd, data, len) < 0 ||
	    fchmod(fd, virtual ? (mode & 0777) | 0600 : mode & 07777) < 0 ||
	    claim(g, g->dir, name, uid, gid, S_IFREG | (mode & 07777), 0, 0) < 0)
		return -1;
	return openat(g->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int add_text(struct guest *g, const char *target, const char *text, struct co_err *err)
{
	if (!text)
		return 0;
	int r = stub(g, target, false, err);
	return r < 0 ? r : add(g, content(g, text, strlen(text), 0, 0, 0644), target, 0, true, err);
}

static int add_tmpfs(struct guest *g, const struct co_mount_op *op, struct co_err *err)
{
	char name[16];
	snprintf(name, sizeof(name), "t%u", g->n_files++);
	if (mkdirat(g->dir, name, 0700) < 0 || fchmodat(g->dir, name, op->mode & 01777, 0) < 0)
		return co_fail_sys(err, "make a directory for %s", op->target);
	if (op->size)
		co_warn(g->st->s->bus, NULL,
			"mount %s: its size can not be limited in this sandbox", op->target);
	return add(g, openat(g->dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC), op->target,
		   op->readonly ? CO_IPM_READONLY : 0, !op->readonly, err);
}

static bool forbidden(const char *target)
{
	return co_starts(target, "/proc/") || co_starts(target, "/sys/") ||
	       !strcmp(target, "/proc") || !strcmp(target, "/sys");
}

static int add_op(struct guest *g, const struct co_mount_op *op, struct co_err *err)
{
	struct stat sb;
	bool dir = op->kind == CO_MOP_TMPFS;
	uint32_t flags = op->readonly ? CO_IPM_READONLY : 0;
	if (op->kind == CO_MOP_BIND)
		dir = fstat(op->src_fd, &sb) == 0 && S_ISDIR(sb.st_mode);
	if (forbidden(op->target))
		return co_fail(err, CO_E_SANDBOX, "mount target %s: nothing may be mounted there",
			       op->target);
	int r = stub(g, op->target, dir, err);
	if (r < 0)
		return r;
	switch (op->kind) {
	case CO_MOP_TMPFS:
		return add_tmpfs(g, op, err);
	case CO_MOP_FILE:
		return add(g, content(g, op->data, op->len, op->uid, op->gid, op->mode), op->target,
			   flags | CO_IPM_READONLY, false, err);
	case CO_MOP_SOCKET:
		g->st->scratch = g->dir;
		return add(g, agent_bind(g->st, op, g->n_files++), op->target, flags, true, err);
	case CO_MOP_DEVICE:
	case CO_MOP_BIND:
	default:
		return add(g, fcntl(op->src_fd, F_DUPFD_CLOEXEC, 3), op->target, flags,
			   !op->readonly, err);
	}
}

int guest_mounts(struct guest *g, struct co_err *err)
{
	int r = add_kernel(g, "/proc", CO_IPM_PROC, err);
	if (!r)
		r = add_kernel(g, "/sys", 0, err);
	if (!r)
		r = add_dev(g, err);
	if (!r)
		r = add_text(g, "/etc/resolv.conf", g->st->resolv, err);
	if (!r)
		r = add_text(g, "/etc/hosts", g->st->hosts, err);
	for (size_t i = 0; !r && i < g->st->run->n_mounts; i++)
		r = add_op(g, &g->st->run->mounts[i], err);
	return r;
}

/* ---- Landlock: the kernel's word on the same world ---- */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ull << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif
#define ACCESS_IOCTL_DEV (1ull << 15)
#define SCOPE_BOTH	 3ull /* abstract sockets, signals */
#define READ                                                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILE_ONLY                                                                                  \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                               \
	 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | ACCESS_IOCTL_DEV)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

static int allow(int ruleset, int fd, uint64_t access)
{
	struct stat sb;
	if (fstat(fd, &sb) == 0 && !S_ISDIR(sb.st_mode))
		access &= FILE_ONLY;
	struct landlock_path_beneath_attr a = {.allowed_access = access, .parent_fd = fd};
	return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
}

int guest_landlock(const struct guest *g)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	/* the first version refuses every rename between directories */
	if (abi < 2)
		return -1;
	uint64_t all = (1ull << (abi >= 5 ? 16 : abi >= 3 ? 15 : 14)) - 1;
	struct ruleset_attr a = {.fs = all, .scoped = abi >= 6 ? SCOPE_BOTH : 0};
	size_t size = abi >= 6 ? sizeof(a) : abi >= 4 ? 16 : 8;
	auto_fd rules = (int)syscall(SYS_landlock_create_ruleset, &a, size, 0);
	if (rules < 0 || allow(rules, g->st->root->fd, all) < 0)
		return -1;
	const struct co_ip_session *s = g->session;
	for (uint32_t i = 0; i < s->n_mounts; i++)
		if (allow(rules, g->mounts[i], g->writable[i] ? all : (READ & all)) < 0)
			return -1;
	return co_steal_fd(&rules);
}
