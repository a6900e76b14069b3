/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include <sys/mman.h>

static void link_text(const char *path)
{
	char buf[256] = "";
	ssize_t n = readlink(path, buf, sizeof(buf) - 1);
	if (n < 0)
		say(path, n);
	else
		say_text(path, buf);
}

static void where(const char *name)
{
	char buf[4096];
	say_text(name, getcwd(buf, sizeof(buf)) ? buf : strerrorname_np(errno));
}

static void opens(const char *path, int flags)
{
	char name[300];
	int fd = open(path, flags, 0644);
	snprintf(name, sizeof(name), "open %.200s %x", path, flags);
	say(name, fd < 0 ? -1 : 0);
	if (fd >= 0)
		close(fd);
}

/* clang-format off */
static const char *const names[] = {"d/f", "ld/f", "la/f", "lup", "loop1", "dangling", "mixed", "ld/", "ld",
	"d/f/", "d//f", "d/./f", "d/../d/f", "ld/../d/f", "la/..", "/..", "/../../", "//",
	"", "d/f/..", "d/none/..", "ldslash", "ldslash/f", "./././d", "/work-paths/la/e/..", "/bin/../work-paths/ld/f", NULL};
/* clang-format on */

static void names_of_all_kinds(void)
{
	for (size_t i = 0; names[i]; i++) {
		char what[300];
		struct stat a, b;
		int r = stat(names[i], &a), e = errno;
		int l = lstat(names[i], &b);
		snprintf(what, sizeof(what), "stat %s %o %s lstat", names[i],
			 r ? 0 : a.st_mode & S_IFMT, r ? strerrorname_np(e) : "");
		say(what, l ? -1 : (long)(b.st_mode & S_IFMT));
		opens(names[i], O_RDONLY);
		opens(names[i], O_RDONLY | O_NOFOLLOW);
		opens(names[i], O_RDONLY | O_DIRECTORY);
		opens(names[i], O_PATH);
		opens(names[i], O_PATH | O_NOFOLLOW);
		say("access", access(names[i], R_OK));
		link_text(names[i]);
	}
}

static void links(void)
{
	TRY(mkdir("d", 0755));
	TRY(mkdir("d/e", 0755));
	make_file("d/f", "text", 0644);
	TRY(symlink("d", "ld"));
	TRY(symlink("/work-paths/d", "la"));
	TRY(symlink("../../../../work-paths/d/f", "lup"));
	TRY(symlink("loop2", "loop1"));
	TRY(symlink("loop1", "loop2"));
	TRY(symlink("nowhere", "dangling"));
	TRY(symlink("/work-paths/made-through", "create"));
	TRY(symlink("la/e/../f", "mixed"));
	TRY(symlink("ld/", "ldslash"));
	names_of_all_kinds();
	opens("create", O_WRONLY | O_CREAT);
	say_stat("made", "made-through");
	opens("create", O_WRONLY | O_CREAT | O_EXCL);
	opens("dangling", O_WRONLY | O_CREAT | O_EXCL);
	opens("loop1", O_WRONLY | O_CREAT);
	opens("d/", O_WRONLY | O_CREAT);
	opens("new/", O_WRONLY | O_CREAT);
	opens("d", O_WRONLY);
	opens("d/f", O_RDONLY | O_DIRECTORY);
}

static void directories(void)
{
	TRY(mkdir("m/", 0755));
	TRY(mkdir("m", 0755));
	TRY(mkdir("ld", 0755));
	TRY(mkdir("dangling", 0755));
	TRY(mkdir("none/x", 0755));
	TRY(mkdir("/", 0755));
	TRY(mkdir(".", 0755));
	TRY(mkdir("..", 0755));
	TRY(rmdir("m/."));
	TRY(rmdir("m/.."));
	TRY(rmdir("ld/"));
	TRY(rmdir("d/f"));
	TRY(rmdir("d"));
	TRY(rmdir("m/"));
	TRY(rmdir("/"));
	TRY(unlink("d"));
	TRY(unlink("d/"));
	TRY(unlink("d/f/"));
	TRY(unlink("none"));
	TRY(unlink("ld/"));
	TRY(unlink("/"));
	TRY(chdir("ld/e"));
	where("cwd");
	TRY(chdir("../.."));
	where("cwd");
	TRY(chdir("/../../work-paths/la"));
	where("cwd");
	TRY(chdir("f"));
	TRY(chdir("loop"));
	TRY(mkdir("gone", 0755));
	TRY(chdir("gone"));
	TRY(rmdir("../gone"));
	where("cwd gone");
	TRY(mkdir("in-gone", 0755));
	TRY(chdir("/work-paths"));
}

static void moving(void)
{
	make_file("a", "a", 0644);
	make_file("b", "b", 0644);
	TRY(rename("a", "a2"));
	TRY(rename("a2", "b"));
	TRY(rename("none", "b"));
	TRY(rename("b", "none/b"));
	TRY(rename("b", "d"));
	TRY(rename("d", "b"));
	TRY(rename("d", "d/inside"));
	TRY(rename("b", "b/"));
	TRY(rename("ld", "ld2"));
	TRY(rename("d", "moved"));
	say("old name through the cache", access("/work-paths/d/f", R_OK));
	say("new name", access("/work-paths/moved/f", R_OK));
	say("link to the old name", access("/work-paths/la/f", R_OK));
	TRY(rename("/work-paths/moved", "/work-paths/d"));
	say("link again", access("/work-paths/la/f", R_OK));
	TRY(unlink("la"));
	TRY(mkdir("la", 0755));
	say("a directory where a link was", access("/work-paths/la/f", R_OK));
	TRY(rmdir("la"));
	TRY(symlink("d", "la"));
	say("a link where a directory was", access("/work-paths/la/f", R_OK));
	TRY(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "d", 1));
	TRY(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "ld2", 2));
	TRY(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "ld2", 2));
	TRY(rename("/", "x"));
	TRY(rename(".", "x"));
	TRY(link("b", "hard"));
	TRY(link("b", "hard"));
	TRY(link("d", "hard2"));
	TRY(link("ld2", "hardlink-of-link"));
	say_stat("link of a link", "hardlink-of-link");
	TRY(linkat(AT_FDCWD, "ld2", AT_FDCWD, "x", AT_SYMLINK_FOLLOW));
	TRY(link("none", "x"));
	TRY(link("b", "none/x"));
	TRY(symlink("x", "b"));
	TRY(symlink("", "empty"));
	TRY(symlink("x", "new/"));
}

static void relative(void)
{
	int d = open("d", O_RDONLY | O_DIRECTORY), f = open("d/f", O_RDONLY);
	TRY(faccessat(d, "f", R_OK, 0));
	TRY(faccessat(d, "../b", R_OK, 0));
	TRY(faccessat(d, "../ld2/f", R_OK, 0));
	TRY(faccessat(d, "/work-paths/b", R_OK, 0));
	TRY(faccessat(f, "x", R_OK, 0));
	TRY(faccessat(99, "x", R_OK, 0));
	TRY(faccessat(99, "/work-paths", R_OK, 0));
	TRY(mkdirat(d, "sub", 0755));
	TRY(mkdirat(d, "../sub2", 0755));
	TRY(unlinkat(d, "sub", 0));
	TRY(unlinkat(d, "sub", AT_REMOVEDIR));
	TRY(unlinkat(d, "../sub2", AT_REMOVEDIR));
	TRY(unlinkat(d, "f", 0x4000));
	TRY(fchdir(f));
	TRY(fchdir(d));
	where("after fchdir");
	TRY(access("f", R_OK));
	TRY(access("../b", R_OK));
	TRY(chdir("/work-paths"));
	struct stat st;
	TRY(fstatat(d, "", &st, AT_EMPTY_PATH));
	TRY(fstatat(d, "", &st, 0));
	TRY(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	TRY(fstatat(99, "", &st, AT_EMPTY_PATH));
	close(d);
	close(f);
}

/* What is known of names is still right when others take their places. */
static void replaced(void)
{
	TRY(mkdir("p", 0755));
	TRY(mkdir("p/one", 0755));
	TRY(mkdir("p/one/in", 0755));
	TRY(mkdir("p/other", 0755));
	make_file("p/one/in/f", "1", 0644);
	make_file("p/other/f", "2", 0600);
	int one = open("p/one", O_RDONLY | O_DIRECTORY);
	TRY(faccessat(one, "in/f", R_OK, 0));
	TRY(faccessat(one, "../other/f", R_OK, 0));
	TRY(rename("p/one", "p/two"));
	TRY(faccessat(one, "in/f", R_OK, 0));
	TRY(faccessat(one, "../two/in/f", R_OK, 0));
	TRY(unlink("p/two/in/f"));
	TRY(rmdir("/work-paths/p/two/in"));
	TRY(symlink("/work-paths/p/other", "p/two/in"));
	say_stat("a link to another directory", "/work-paths/p/two/in/f");
	TRY(faccessat(one, "in/f", R_OK, 0));
	TRY(unlink("p/two/in"));
	TRY(mkdir("p/two/in", 0755));
	make_file("/work-paths/p/two/in/f", "3", 0640);
	TRY(symlink("/work-paths/p/other", "p/link"));
	say_stat("through the descriptor", "/work-paths/p/two/in/f");
	TRY(unlink("p/two/in/f"));
	TRY(rmdir("p/two/in"));
	TRY(link("p/link", "p/two/in"));
	say_stat("a link that was somewhere else", "/work-paths/p/two/in/f");
	TRY(unlink("p/two/in"));
	TRY(rmdir("p/two"));
	TRY(faccessat(one, "in/f", R_OK, 0));
	TRY(mkdirat(one, "new/", 0755));
	TRY(mkdir("p/two", 0755));
	close(one);
	one = open("p/two", O_RDONLY | O_DIRECTORY); /* perhaps the number of the one that went */
	TRY(mkdirat(one, "x/", 0755));
	say_stat("made in the new one", "/work-paths/p/two/x");
	close(one);
}

/* Pointers that lead nowhere. */
static void bad_pointers(void)
{
	struct stat st;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *edge = page + 4096 - 2;
	munmap(page + 4096, 4096);
	void *volatile nowhere = (void *)8;
	void *bad = nowhere;
	memcpy(edge, "b", 2);
	TRY(stat(edge, &st));
	memcpy(edge, "bb", 2);
	say("runs off the page", stat(edge, &st));
	say("open", open(bad, O_RDONLY));
	say("stat name", stat(bad, &st));
	say("stat buffer", syscall(SYS_newfstatat, AT_FDCWD, "b", bad, 0));
	say("fstat buffer", syscall(SYS_fstat, 0, bad));
	say("readlink name", readlink(bad, page, 10));
	say("readlink buffer", readlink("ld2", bad, 10));
	say("readlink size", readlink("ld2", page, 0));
	say("getcwd", syscall(SYS_getcwd, bad, 100));
	say("getcwd short", syscall(SYS_getcwd, page, 3));
	say("mkdir", mkdir(bad, 0755));
	say("rename", rename("b", bad));
	say("symlink", symlink(bad, "x"));
	say("chmod", chmod(bad, 0644));
	say("chown", chown(bad, 0, 0));
	say("execve", execve(bad, NULL, NULL));
	say("execve arguments", syscall(SYS_execve, "/probe", bad, NULL));
	say("utimensat", utimensat(AT_FDCWD, "b", bad, 0));
	say("statx", syscall(SYS_statx, AT_FDCWD, "b", 0, 0x7ff, bad));
	say("truncate", truncate(bad, 0));
	char *deep = malloc(5000);
	memset(deep, 'a', 4999);
	deep[4999] = 0;
	say("long name", open(deep, O_RDONLY));
	deep[300] = 0;
	say("long component", open(deep, O_RDONLY));
	say("long component", mkdir(deep, 0755));
	free(deep);
}

static void in_chroot(void)
{
	struct stat st;
	TRY(mkdir("jail", 0755));
	TRY(mkdir("jail/in", 0755));
	make_file("jail/in/f", "x", 0644);
	TRY(symlink("/in/f", "jail/l"));
	TRY(symlink("../../../in/f", "jail/up"));
	TRY(chroot("none"));
	TRY(chroot("b"));
	TRY(chroot("jail"));
	TRY(chdir("/"));
	where("cwd in the jail");
	TRY(access("/in/f", R_OK));
	TRY(stat("/l", &st));
	TRY(stat("/up", &st));
	TRY(stat("/../in/f", &st));
	TRY(stat("/probe", &st));
	TRY(chdir("in"));
	where("cwd");
	TRY(stat("../../../probe", &st));
	TRY(stat("../l", &st));
}

void probe_paths(void)
{
	links();
	directories();
	moving();
	relative();
	replaced();
	bad_pointers();
	in_child(-1, -1, in_chroot);
	where("after the jail");
}
