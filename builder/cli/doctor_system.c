/* SPDX-License-Identifier: MIT
 *
 * Looks at the machine without changing anything.
 */
#include "doctor.h"
#include <cooper/fs.h>
#include <cooper/proc.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <jansson.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define SMALL_FILE	      (1u << 20)
#define LANDLOCK_VERSION_FLAG 1u

const char *doctor_status(struct doctor *d, const char *key)
{
	auto_free char *text = NULL;
	struct co_err ignore = CO_ERR_INIT;
	size_t len, n = strlen(key);
	if (co_read_file(AT_FDCWD, "/proc/self/status", SMALL_FILE, &text, &len, &ignore) < 0)
		return "";
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (strncmp(p, key, n) || p[n] != ':')
			continue;
		p += n + 1;
		p += strspn(p, "\t ");
		return co_arena_strndup(d->arena, p, strcspn(p, "\n"));
	}
	return "";
}

/* Does /etc/subuid (or subgid) give this user a range? The largest counts. */
static uint64_t sub_range(const char *file)
{
	auto_free char *text = NULL;
	struct co_err ignore = CO_ERR_INIT;
	size_t len;
	uint64_t best = 0, count;
	char uid[24];
	const struct passwd *pw = getpwuid(getuid());
	snprintf(uid, sizeof(uid), "%u", getuid());
	if (co_read_file(AT_FDCWD, file, SMALL_FILE, &text, &len, &ignore) < 0)
		return 0;
	for (char *line = text, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		char *start = strchr(line, ':'), *size = start ? strchr(start + 1, ':') : NULL;
		if (!size)
			continue;
		*start = '\0';
		if (strcmp(line, uid) && !(pw && !strcmp(line, pw->pw_name)))
			continue;
		if (co_parse_u64(size + 1, &count) && count > best)
			best = count;
	}
	return best;
}

static void ids(struct doctor *d)
{
	uint64_t uids = sub_range("/etc/subuid"), gids = sub_range("/etc/subgid");
	auto_free char *newuidmap = co_proc_find("newuidmap");
	auto_free char *newgidmap = co_proc_find("newgidmap");
	char text[160];
	if (getuid() == 0) {
		doctor_add(d, "system", "subordinate ids", DOCTOR_INFO,
			   "not needed: running as root", "");
		return;
	}
	snprintf(text, sizeof(text), "%llu uids, %llu gids, newuidmap %s, newgidmap %s",
		 (unsigned long long)uids, (unsigned long long)gids,
		 newuidmap ? "found" : "missing", newgidmap ? "found" : "missing");
	if (!d->namespaces) {
		doctor_add(d, "system", "subordinate ids", DOCTOR_INFO,
			   "of no use: namespaces are refused here", "");
		return;
	}
	bool ok = uids >= 65536 && gids >= 65536 && newuidmap && newgidmap;
	/* the cure stands beside the sandbox that it would mend */
	doctor_add(d, "system", "subordinate ids", ok ? DOCTOR_OK : DOCTOR_NO,
		   co_arena_strdup(d->arena, text), "");
}

static void landlock(struct doctor *d)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
	if (abi > 0)
		doctor_add(d, "system", "Landlock", DOCTOR_OK,
			   co_arena_printf(d->arena, "ABI %ld", abi), "");
	else
		doctor_add(d, "system", "Landlock", DOCTOR_NO,
			   co_arena_strdup(d->arena, strerror(errno)),
			   d->contained
				   ? "a node with Linux 5.13 or later and landlock in its list "
				     "of LSMs, and a seccomp profile that knows it"
				   : "boot a kernel of 5.13 or later with landlock in its list "
				     "of LSMs");
}

static void seccomp(struct doctor *d)
{
	uint32_t trap = SECCOMP_RET_TRAP;
	bool ok = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &trap) == 0;
	const char *mode = doctor_status(d, "Seccomp");
	const char *around =
		!strcmp(mode, "2") ? "a filter is in force already" : "no filter in force";
	doctor_add(d, "system", "seccomp", ok ? DOCTOR_OK : DOCTOR_NO,
		   ok ? co_arena_printf(d->arena, "filters with traps; %s", around)
		      : co_arena_strdup(d->arena, strerror(errno)),
		   "");
}

void doctor_system(struct doctor *d)
{
	struct utsname u = {0};
	uname(&u);
	doctor_add(d, "system", "versions", DOCTOR_INFO,
		   co_arena_printf(d->arena,
				   "cooper " COOPER_VERSION ", Linux %s %s, libc %s, "
				   "jansson %s",
				   u.release, u.machine, gnu_get_libc_version(),
				   jansson_version_str()),
		   "");
	doctor_add(d, "system", "user", DOCTOR_INFO,
		   co_arena_printf(d->arena, "uid %u, gid %u, capabilities %s, no_new_privs %s",
				   getuid(), getgid(), doctor_status(d, "CapEff"),
				   doctor_status(d, "NoNewPrivs")),
		   "");
	ids(d);
	landlock(d);
	seccomp(d);
	auto_free char *git = co_proc_find("git");
	doctor_add(d, "system", "git", git ? DOCTOR_OK : DOCTOR_NO,
		   git ? co_arena_strdup(d->arena, git) : "not found",
		   git ? "" : "install git if contexts or ADD name repositories");
}
