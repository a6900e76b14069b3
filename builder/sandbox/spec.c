/* SPDX-License-Identifier: MIT
 *
 * The orders for the step's first process, and its program, as memory files.
 */
#include "sandbox-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SPEC_MAX (64u << 20)
#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

static int memory_image(const void *data, size_t size)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	auto_fd fd = memfd_create("cooper-step", flags | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("cooper-step", flags);
	if (fd < 0 || co_write_all(fd, data, size) < 0)
		return -1;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -1;
	return co_steal_fd(&fd);
}

/* Where memory files may not be executed (vm.memfd_noexec=2): a nameless file. */
static int file_image(const void *data, size_t size)
{
	static const char *const dirs[] = {"/dev/shm", "/tmp", "/var/tmp", "/run", NULL};
	char path[32];
	for (const char *const *p = dirs; *p; p++) {
		auto_fd fd = open(*p, O_TMPFILE | O_RDWR | O_CLOEXEC, 0500);
		if (fd < 0 || co_write_all(fd, data, size) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		/* executing needs that nobody holds it for writing; and a noexec mount says so here
		 */
		int again = open(path, O_RDONLY | O_CLOEXEC);
		if (again >= 0 && access(path, X_OK) == 0)
			return again;
		if (again >= 0)
			close(again);
	}
	return -1;
}

int spec_image(const void *data, size_t size)
{
	int fd = memory_image(data, size);
	return fd >= 0 ? fd : file_image(data, size);
}

int spec_image_fd(void)
{
	size_t size;
	const void *data = init_image(&size);
	return spec_image(data, size);
}

static void align(struct co_buf *b)
{
	while (b->len % 8)
		co_buf_addc(b, '\0');
}

/* Strings, then the list of their offsets; returns the list's offset. */
static uint32_t add_list(struct co_buf *b, const char *const *list)
{
	auto_buf offsets = CO_BUF_INIT(SPEC_MAX);
	for (; list && *list; list++) {
		uint64_t at = b->len;
		co_buf_add(&offsets, &at, sizeof(at));
		co_buf_add(b, *list, strlen(*list) + 1);
	}
	uint64_t end = 0;
	co_buf_add(&offsets, &end, sizeof(end));
	align(b);
	uint32_t at = (uint32_t)b->len;
	co_buf_add(b, offsets.data, offsets.len);
	return at;
}

static void add_groups(struct co_buf *b, const struct co_run *run, struct init_spec *s)
{
	bool has = false;
	s->groups = (uint32_t)b->len;
	for (size_t i = 0; i < run->n_groups; i++)
		has |= run->groups[i] == run->gid;
	/* a process whose group is missing from its own list escapes "group may not" permissions */
	if (!has)
		co_buf_add(b, &run->gid, sizeof(run->gid));
	co_buf_add(b, run->groups, run->n_groups * sizeof(*run->groups));
	s->n_groups = (uint32_t)run->n_groups + !has;
	align(b);
}

int spec_make(const struct co_run *run, const struct filter *filter, const struct limits *limits,
	      uint32_t flags, uint64_t caps)
{
	struct init_spec s = {.magic = INIT_MAGIC,
			      .flags = flags,
			      .uid = run->uid,
			      .gid = run->gid,
			      .caps = caps,
			      .page_size = (uint32_t)sysconf(_SC_PAGESIZE)};
	auto_buf b = CO_BUF_INIT(SPEC_MAX);
	co_buf_add(&b, &s, sizeof(s));
	align(&b);
	add_groups(&b, run, &s);
	if (filter) {
		s.filter = (uint32_t)b.len;
		s.n_filter = (uint32_t)filter->n;
		co_buf_add(&b, filter->insns, filter->n * sizeof(*filter->insns));
		align(&b);
	}
	s.argv = add_list(&b, run->argv);
	s.env = add_list(&b, run->env);
	limits_spec(limits, run, &s);
	s.size = (uint32_t)b.len;
	if (b.overflow) {
		errno = E2BIG;
		return -1;
	}
	memcpy(b.data, &s, sizeof(s));
	auto_fd fd = memfd_create("orders", MFD_CLOEXEC);
	if (fd < 0 || co_write_all(fd, b.data, b.len) < 0)
		return -1;
	return co_steal_fd(&fd);
}

int spec_program(int spec, const char *path)
{
	size_t n = strlen(path) + 1;
	return pwrite(spec, path, n, offsetof(struct init_spec, program)) == (ssize_t)n ? 0 : -1;
}

int spec_interposer(int spec, uint32_t fd)
{
	return pwrite(spec, &fd, sizeof(fd), offsetof(struct init_spec, interposer)) ==
			       (ssize_t)sizeof(fd)
		       ? 0
		       : -1;
}
