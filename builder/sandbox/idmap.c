/* SPDX-License-Identifier: MIT
 *
 * Id maps of a user namespace. A process may map itself alone; more needs someone outside: root, or
 * the set-id programs newuidmap and newgidmap, which obey /etc/subuid and /etc/subgid. That someone
 * is a helper process, forked before this one leaves.
 */
#include "sandbox-internal.h"
#include <cooper/fs.h>
#include <cooper/proc.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define MAP_MAX 4096

struct answer {
	bool ok;
	char why[200];
};
struct ids {
	struct id_range range[ID_RANGES];
	size_t n;
};
struct idmap {
	pid_t helper;
	int go, answer; /* owned */
};

static bool parse_line(char *line, const char *user, const char *number, struct id_range *out)
{
	char *save = NULL, *name = strtok_r(line, ":", &save);
	char *first = strtok_r(NULL, ":", &save), *count = strtok_r(NULL, ":", &save);
	uint64_t a, n;
	if (!name || !first || !count || (strcmp(name, number) && (!user || strcmp(name, user))))
		return false;
	if (!co_parse_u64(first, &a) || !co_parse_u64(count, &n) || !n || a + n > UINT32_MAX)
		return false;
	*out = (struct id_range){(uint32_t)a, (uint32_t)n};
	return true;
}

size_t idmap_ranges(const char *file, const char *user, uint32_t uid, struct id_range *out,
		    size_t max)
{
	struct co_err ignore = CO_ERR_INIT;
	auto_free char *text = NULL;
	char number[16];
	size_t len, n = 0;
	if (co_read_file(AT_FDCWD, file, 4u << 20, &text, &len, &ignore) < 0)
		return 0;
	snprintf(number, sizeof(number), "%u", uid);
	for (char *line = text; line && n < max;) {
		char *end = strchr(line, '\n');
		if (end)
			*end = '\0';
		n += parse_line(line, user, number, &out[n]);
		line = end ? end + 1 : NULL;
	}
	return n;
}

/* ---- in the helper ---- */

static bool run_tool(const char *tool, pid_t pid, uint32_t self, const struct ids *ids,
		     struct answer *a)
{
	auto_arena arena = CO_ARENA_INIT;
	auto_buf errs = CO_BUF_INIT(sizeof(a->why));
	const char *argv[2 + 3 * (ID_RANGES + 1) + 1];
	size_t n = 0;
	uint64_t next = 1;
	argv[n++] = tool;
	argv[n++] = co_arena_printf(&arena, "%d", (int)pid);
	argv[n++] = "0";
	argv[n++] = co_arena_printf(&arena, "%u", self);
	argv[n++] = "1";
	for (size_t i = 0; i < ids->n; i++) {
		argv[n++] = co_arena_printf(&arena, "%llu", (unsigned long long)next);
		argv[n++] = co_arena_printf(&arena, "%u", ids->range[i].first);
		argv[n++] = co_arena_printf(&arena, "%u", ids->range[i].count);
		next += ids->range[i].count;
	}
	argv[n] = NULL;
	struct co_proc p = {.argv = argv, .cwd = -1, .timeout_s = 10};
	struct co_err err = CO_ERR_INIT;
	int status;
	if (co_proc_run(&p, NULL, &errs, &status, &err) < 0)
		snprintf(a->why, sizeof(a->why), "%.*s", (int)sizeof(a->why) - 1, err.msg);
	else if (status)
		snprintf(a->why, sizeof(a->why), "%s: %.*s", tool,
			 (int)strcspn(co_buf_str(&errs), "\n"), co_buf_str(&errs));
	else
		return true;
	return false;
}

/* Root maps every id it has to itself. */
static bool map_all(const char *kind, pid_t pid, struct answer *a)
{
	char path[64];
	struct co_err err = CO_ERR_INIT;
	auto_free char *text = NULL;
	auto_buf map = CO_BUF_INIT(MAP_MAX);
	size_t len;
	snprintf(path, sizeof(path), "/proc/self/%s_map", kind);
	if (co_read_file(AT_FDCWD, path, 64u << 10, &text, &len, &err) < 0) {
		snprintf(a->why, sizeof(a->why), "%.*s", (int)sizeof(a->why) - 1, err.msg);
		return false;
	}
	unsigned inside, count;
	int used;
	for (const char *p = text; sscanf(p, "%u %*u %u%n", &inside, &count, &used) == 2; p += used)
		co_buf_addf(&map, "%u %u %u\n", inside, inside, count);
	snprintf(path, sizeof(path), "/proc/%d/%s_map", (int)pid, kind);
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && map.len && write(fd, map.data, map.len) == (ssize_t)map.len)
		return true;
	snprintf(a->why, sizeof(a->why), "write %s: %s", path, strerror(errno));
	return false;
}

static void helper(pid_t pid, int go, int out, const struct ids *uids, const struct ids *gids)
{
	struct answer a = {.ok = false};
	uint32_t uid = geteuid(), gid = getegid();
	char byte;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) != 1)
		_exit(0);
	if (uid == 0)
		a.ok = map_all("gid", pid, &a) && map_all("uid", pid, &a);
	else /* groups first: a failure there leaves everything as it was */
		a.ok = run_tool("newgidmap", pid, gid, gids, &a) &&
		       run_tool("newuidmap", pid, uid, uids, &a);
	(void)!write(out, &a, sizeof(a));
	_exit(0);
}

/* ---- in the builder ---- */

static bool find_ids(struct ids *uids, struct ids *gids, char *why, size_t size)
{
	uint32_t uid = geteuid();
	struct passwd *pw = getpwuid(uid);
	const char *name = pw ? pw->pw_name : NULL;
	auto_free char *a = co_proc_find("newuidmap"), *b = co_proc_find("newgidmap");
	if (!a || !b) {
		snprintf(why, size, "newuidmap and newgidmap are not installed");
		return false;
	}
	uids->n = idmap_ranges("/etc/subuid", name, uid, uids->range, ID_RANGES);
	gids->n = idmap_ranges("/etc/subgid", name, uid, gids->range, ID_RANGES);
	if (uids->n && gids->n)
		return true;
	snprintf(why, size, "no ids for %s in %s", name ? name : "this user",
		 uids->n ? "/etc/subgid" : "/etc/subuid");
	return false;
}

struct idmap *idmap_begin(char *why, size_t size)
{
	struct ids uids = {.n = 0}, gids = {.n = 0};
	if (geteuid() != 0 && !find_ids(&uids, &gids, why, size))
		return NULL;
	int go[2] = {-1, -1}, out[2] = {-1, -1};
	pid_t self = getpid(), pid = -1;
	if (pipe2(go, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0) {
		close(go[1]);
		close(out[0]);
		helper(self, go[0], out[1], &uids, &gids);
	}
	co_close_fd(&go[0]);
	co_close_fd(&out[1]);
	if (pid < 0) {
		snprintf(why, size, "fork: %s", strerror(errno));
		co_close_fd(&go[1]);
		co_close_fd(&out[0]);
		return NULL;
	}
	struct idmap *m = co_xcalloc(1, sizeof(*m));
	*m = (struct idmap){pid, go[1], out[0]};
	return m;
}

int idmap_finish(struct idmap *m, bool write_it, char *why, size_t size)
{
	struct answer a = {.ok = !write_it};
	if (write_it) {
		snprintf(a.why, sizeof(a.why), "the helper died");
		(void)!write(m->go, "g", 1);
		(void)!co_read_full(m->answer, &a, sizeof(a));
	}
	close(m->go);
	close(m->answer);
	while (waitpid(m->helper, NULL, 0) < 0 && errno == EINTR)
		;
	free(m);
	if (a.ok)
		return 0;
	snprintf(why, size, "%s", a.why);
	return -1;
}

uint32_t idmap_end(const char *kind)
{
	char path[64];
	struct co_err ignore = CO_ERR_INIT;
	auto_free char *text = NULL;
	size_t len;
	uint64_t end = 0;
	unsigned inside, count;
	int used;
	snprintf(path, sizeof(path), "/proc/self/%s_map", kind);
	if (co_read_file(AT_FDCWD, path, 64u << 10, &text, &len, &ignore) < 0)
		return UINT32_MAX;
	for (const char *p = text; sscanf(p, "%u %*u %u%n", &inside, &count, &used) == 2; p += used)
		if (inside == end)
			end += count;
	return end < UINT32_MAX ? (uint32_t)end : UINT32_MAX;
}

static int put(const char *path, const char *text)
{
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static bool mapped(const char *path)
{
	char byte;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &byte, 1) == 1;
}

int idmap_single(uint32_t uid, uint32_t gid)
{
	char line[32];
	/* the half that a helper managed stays */
	if (!mapped("/proc/self/gid_map")) {
		if (put("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
			return -1;
		snprintf(line, sizeof(line), "0 %u 1\n", gid);
		if (put("/proc/self/gid_map", line) < 0)
			return -1;
	}
	if (mapped("/proc/self/uid_map"))
		return 0;
	snprintf(line, sizeof(line), "0 %u 1\n", uid);
	return put("/proc/self/uid_map", line);
}
