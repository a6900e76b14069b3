/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include <grp.h>

void say(const char *name, long value)
{
	int e = errno;
	printf("%s: %ld%s%s\n", name, value, value == -1 ? " " : "",
	       value == -1 ? strerrorname_np(e) : "");
	fflush(stdout);
	errno = 0;
}

void say_text(const char *name, const char *text)
{
	printf("%s: \"%s\"\n", name, text);
	fflush(stdout);
}

void say_stat(const char *name, const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0) {
		say(name, -1);
		return;
	}
	bool dev = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode);
	printf("%s: %06o %u:%u nlink %lu rdev %lx size %ld\n", name, st.st_mode, st.st_uid,
	       st.st_gid, S_ISDIR(st.st_mode) ? 0ul : (unsigned long)st.st_nlink,
	       dev ? (unsigned long)st.st_rdev : 0ul, S_ISREG(st.st_mode) ? (long)st.st_size : 0l);
	fflush(stdout);
}

void in_child(int uid, int gid, void (*fn)(void))
{
	int status;
	fflush(stdout);
	pid_t p = fork();
	if (p == 0) {
		if (uid >= 0) {
			gid_t none = (gid_t)gid;
			if (setgroups(1, &none) || setgid((gid_t)gid) || setuid((uid_t)uid))
				say("change ids", -1);
		}
		fn();
		fflush(stdout);
		_exit(0);
	}
	waitpid(p, &status, 0);
	if (status)
		say("child ended with", status);
}

void make_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0)
		say(path, -1);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} parts[] = {
		{"paths", probe_paths},	    {"files", probe_files},   {"modes", probe_modes},
		{"owners", probe_owners},   {"users", probe_users},   {"ids", probe_ids},
		{"caps", probe_caps},	    {"exec", probe_exec},     {"sockets", probe_sockets},
		{"signals", probe_signals}, {"xattrs", probe_xattrs}, {"proc", probe_proc}};
	umask(022);
	if (argc > 1 && !strcmp(argv[1], "show")) { /* executed by probe_exec */
		uid_t r, e, s;
		getresuid(&r, &e, &s);
		printf("%s shows %u %u %u, %d arguments, last \"%s\", mask %o\n", argv[0], r, e, s,
		       argc, argv[argc - 1], umask(022));
		return 0;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char dir[32];
		if (argc > 1 && strcmp(argv[1], parts[i].name))
			continue;
		snprintf(dir, sizeof(dir), "/work-%s", parts[i].name);
		printf("== %s\n", parts[i].name);
		if (mkdir(dir, 0755) < 0 || chdir(dir) < 0)
			say(dir, -1);
		in_child(-1, -1, parts[i].fn);
		TRY(chdir("/"));
	}
	return 0;
}
