/* SPDX-License-Identifier: MIT
 *
 * The step's own mounts, parents before children, whatever order they came in. Sources are
 * descriptors, targets are looked up inside the root with everything mounted so far in place.
 */
#include "guest.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct item {
	const struct co_mount_op *op;
	struct source *source;
	unsigned depth;
};

void mounts_grab(struct step *st, struct source *sources)
{
	for (size_t i = 0; i < st->run->n_mounts; i++) {
		const struct co_mount_op *op = &st->run->mounts[i];
		sources[i] = (struct source){.fd = -1, .tree = -1};
		if (op->kind == CO_MOP_BIND || op->kind == CO_MOP_DEVICE)
			source_grab(&sources[i], op->src_fd, false);
	}
}

static int need_scratch(struct step *st)
{
	if (st->scratch >= 0)
		return 0;
	auto_fd target = open(st->points[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0 || mount_fs("tmpfs", "mode=0700", MS_NOSUID | MS_NODEV, target) < 0)
		return -1;
	st->scratch = open(st->points[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return st->scratch < 0 ? -1 : 0;
}

/* A file with the given content, in memory. */
static int make_file(struct step *st, const struct co_mount_op *op, unsigned number)
{
	char name[16];
	if (need_scratch(st) < 0)
		return -1;
	snprintf(name, sizeof(name), "%u", number);
	auto_fd fd = openat(st->scratch, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || co_write_all(fd, op->data, op->len) < 0)
		return -1;
	bool claimed = st->guest; /* others' ids exist in the table only */
	if (claimed ? guest_claim(st->root->owners, st->scratch, name, op->uid, op->gid,
				  S_IFREG | (op->mode & 07777), 0, 0) < 0
		    : fchown(fd, op->uid, op->gid) < 0)
		return -1;
	if (fchmod(fd, claimed ? (op->mode & 0777) | 0600 : op->mode & 07777) < 0)
		return -1;
	return openat(st->scratch, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int mount_tmpfs(const struct co_mount_op *op, int target)
{
	char data[64];
	int n = snprintf(data, sizeof(data), "mode=%04o", op->mode & 07777);
	if (op->size)
		snprintf(data + n, sizeof(data) - (size_t)n, ",size=%llu",
			 (unsigned long long)op->size);
	return mount_fs("tmpfs", data, MS_NOSUID | MS_NODEV | (op->readonly ? MS_RDONLY : 0),
			target);
}

static int mount_one(struct step *st, const struct item *it, unsigned number, int target)
{
	const struct co_mount_op *op = it->op;
	unsigned long flags = MS_NODEV | (op->readonly ? MS_RDONLY : 0);
	switch (op->kind) {
	case CO_MOP_TMPFS:
		return mount_tmpfs(op, target);
	case CO_MOP_FILE: {
		auto_fd file = make_file(st, op, number);
		return file < 0 ? -1 : mount_bind(file, target, flags | MS_NOSUID);
	}
	case CO_MOP_SOCKET: {
		auto_fd file = need_scratch(st) < 0 ? -1 : agent_bind(st, op, number);
		return file < 0 ? -1 : mount_bind(file, target, MS_NODEV | MS_NOSUID);
	}
	case CO_MOP_DEVICE:
		return mount_source(it->source, target,
				    (flags & ~(unsigned long)MS_NODEV) | MS_NOSUID | MS_NOEXEC);
	case CO_MOP_BIND:
	default:
		return mount_source(it->source, target, flags);
	}
}

/* What /proc and /sys say is the kernel's word; nothing is put there. */
static bool forbidden(const char *path)
{
	return !*path || !strcmp(path, "proc") || !strcmp(path, "sys") ||
	       co_starts(path, "proc/") || co_starts(path, "sys/");
}

static int place(struct step *st, const struct item *it, unsigned number)
{
	const struct co_mount_op *op = it->op;
	char path[4096];
	struct stat sb;
	bool dir = op->kind == CO_MOP_TMPFS;
	if (op->kind == CO_MOP_BIND)
		dir = fstat(op->src_fd, &sb) == 0 && S_ISDIR(sb.st_mode);
	if (co_inroot_resolve(st->in, op->target, path, sizeof(path)) < 0)
		return co_fail_sys(st->err, "mount target %s", op->target);
	if (forbidden(path))
		return co_fail(st->err, CO_E_SANDBOX,
			       "mount target %s: nothing may be mounted there", op->target);
	auto_fd target = stub_open(&st->stubs, st->in, op->target, dir, st->err);
	if (target < 0)
		return target;
	if (mount_one(st, it, number, target) < 0)
		return co_fail_sys(st->err, "mount %s", op->target);
	return 0;
}

static unsigned depth(const char *target)
{
	auto_arena a = CO_ARENA_INIT;
	const char *p = co_path_clean_rel(&a, target);
	unsigned n = 1;
	for (; *p; p++)
		n += *p == '/';
	return n;
}

static void insert(struct item *items, size_t n, const struct co_mount_op *op,
		   struct source *source)
{
	struct item it = {op, source, depth(op->target)};
	size_t i = n;
	for (; i > 0 && items[i - 1].depth > it.depth; i--)
		items[i] = items[i - 1];
	items[i] = it;
}

static bool given(const struct co_run *run, const char *target)
{
	auto_arena a = CO_ARENA_INIT;
	for (size_t i = 0; i < run->n_mounts; i++)
		if (!strcmp(co_path_clean_rel(&a, run->mounts[i].target), target + 1))
			return true;
	return false;
}

int mounts_make(struct step *st, struct source *sources)
{
	struct co_mount_op own[] = {
		{.kind = CO_MOP_FILE, .target = "/etc/resolv.conf", .data = st->resolv},
		{.kind = CO_MOP_FILE, .target = "/etc/hosts", .data = st->hosts}};
	size_t n = 0, max = st->run->n_mounts + 2;
	auto_free struct item *items = co_xcalloc(max, sizeof(*items));
	for (size_t i = 0; i < 2; i++) {
		if (!own[i].data || given(st->run, own[i].target))
			continue;
		own[i].len = strlen(own[i].data);
		own[i].mode = 0644;
		own[i].readonly = true;
		insert(items, n++, &own[i], NULL);
	}
	for (size_t i = 0; i < st->run->n_mounts; i++)
		insert(items, n++, &st->run->mounts[i], &sources[i]);
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = place(st, &items[i], (unsigned)i);
	return r;
}
