/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include <grp.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static const char *const objects[] = {"f", "d", "l", "p"};

static void make_objects(void)
{
	make_file("f", "text", 0644);
	TRY(mkdir("d", 0755));
	TRY(symlink("f", "l"));
	TRY(mkfifo("p", 0644));
}

void probe_modes(void)
{
	make_objects();
	for (unsigned m = 0; m <= 07777; m += 0111 * 3 + 01000) {
		for (size_t i = 0; i < 4; i++) {
			say("chmod", chmod(objects[i], m));
			say_stat(objects[i], objects[i]);
		}
	}
	TRY(chmod("f", 04755));
	TRY(chown("f", 1, 1));
	say_stat("chown drops set-id", "f");
	TRY(chmod("f", 06755));
	TRY(chown("f", (uid_t)-1, 2));
	say_stat("group too", "f");
	TRY(chmod("f", 02644));
	TRY(chown("f", 0, 0));
	say_stat("not without x", "f");
	TRY(chmod("d", 02755));
	TRY(chown("d", 3, 4));
	say_stat("not of directories", "d");
	TRY(mkdir("d/sub", 0755));
	say_stat("inherits", "d/sub");
	make_file("d/file", "x", 0644);
	say_stat("inherits", "d/file");
	TRY(symlink("x", "d/link"));
	say_stat("inherits", "d/link");
	TRY(mkdir("d/sub/deep", 0700));
	say_stat("inherits", "d/sub/deep");
	TRY(fchmodat(AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW));
	TRY(chmod("none", 0600));
	TRY(chmod("f", 0));
	int fd = open("f", O_RDWR);
	say("root opens anything", fd < 0 ? -1 : 0);
	close(fd);
	TRY(access("f", R_OK | W_OK));
	TRY(access("f", X_OK));
	TRY(access("d", X_OK));
	TRY(access("f", 8));
}

static void make_entry(const char *name, mode_t type)
{
	int r = S_ISDIR(type)	? mkdir(name, 0755)
		: S_ISLNK(type) ? symlink("target", name)
		: S_ISCHR(type) ? mknod(name, S_IFCHR | 0644, makedev(1, 3))
				: mknod(name, type | 0644, 0);
	if (r < 0)
		say(name, -1);
}

/* Every way to make an entry after every way to lose one: nothing of the old one may show through,
 * whatever inode number the file system picks. */
static void numbers_used_again(void)
{
	static const struct {
		mode_t type;
		int lost; /* 0 removed, 1 renamed over */
	} old[] = {{S_IFDIR, 0}, {S_IFREG, 0}, {S_IFREG, 1},
		   {S_IFCHR, 0}, {S_IFCHR, 1}, {S_IFIFO, 1}};
	static const mode_t new[] = {S_IFDIR, S_IFREG, S_IFLNK, S_IFIFO, S_IFCHR};
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		for (size_t j = 0; j < sizeof(new) / sizeof(new[0]); j++) {
			make_entry("old", old[i].type);
			if (chown("old", 77, 78) < 0 || chmod("old", 04700) < 0)
				say("old", -1);
			if (old[i].lost)
				make_file("over", "x", 0644);
			if (old[i].lost ? rename("over", "old") : remove("old"))
				say("lose", -1);
			make_entry("new", new[j]);
			say_stat("new", "new");
			if (new[j] != S_IFLNK && chmod("new", 0751) < 0)
				say("chmod", -1);
			say_stat("new", "new");
			if (new[j] == S_IFDIR)
				say("open", open("new", O_RDONLY | O_DIRECTORY) >= 0);
			remove("new");
			remove("old");
		}
	}
}

void probe_owners(void)
{
	make_objects();
	for (size_t i = 0; i < 4; i++) {
		say("lchown", lchown(objects[i], 1000 + (uid_t)i, 2000));
		say_stat(objects[i], objects[i]);
		say("chown", chown(objects[i], (uid_t)-1, 3000));
		say_stat(objects[i], objects[i]);
		say("chown", chown(objects[i], 7, (gid_t)-1));
		say_stat(objects[i], objects[i]);
	}
	TRY(fchownat(AT_FDCWD, "l", 8, 9, AT_SYMLINK_NOFOLLOW));
	say_stat("l", "l");
	int fd = open("f", O_RDONLY);
	TRY(fchown(fd, 11, 12));
	say_stat("f", "f");
	TRY(fchownat(fd, "", 13, 14, AT_EMPTY_PATH));
	say_stat("f", "f");
	TRY(unlink("f"));
	struct stat st;
	TRY(fstat(fd, &st));
	printf("unlinked: %u:%u nlink %lu\n", st.st_uid, st.st_gid, (unsigned long)st.st_nlink);
	close(fd);
	make_file("f", "new", 0644);
	say_stat("a new file is not the old one", "f");
	TRY(chown("f", 21, 22));
	TRY(link("f", "g"));
	TRY(unlink("f"));
	say_stat("hard link keeps it", "g");
	TRY(rename("g", "d/h"));
	say_stat("so does rename", "d/h");
	TRY(chown("none", 1, 1));
	TRY(chown("", 1, 1));
	for (int i = 0; i < 50; i++) {
		make_file("again", "x", 0640);
		if (chown("again", 77, 78) < 0 || unlink("again") < 0)
			say("again", -1);
	}
	make_file("again", "x", 0640);
	say_stat("again", "again");
	numbers_used_again();
}

static void as_user(void)
{
	struct stat st;
	TRY(open("secret", O_RDONLY));
	TRY(open("secret", O_WRONLY));
	TRY(open("group", O_RDONLY) >= 0);
	TRY(open("group", O_WRONLY));
	TRY(open("mine", O_RDWR) >= 0);
	TRY(open("denied-to-me", O_RDONLY));
	TRY(open("closed/f", O_RDONLY));
	TRY(stat("closed/f", &st));
	TRY(stat("secret", &st));
	TRY(access("secret", R_OK));
	TRY(access("secret", F_OK));
	TRY(access("mine", R_OK | W_OK));
	TRY(open("new", O_WRONLY | O_CREAT, 0644));
	TRY(mkdir("newdir", 0755));
	TRY(symlink("x", "newlink"));
	TRY(unlink("mine"));
	TRY(rename("mine", "yours"));
	TRY(chmod("secret", 0666));
	TRY(chmod("mine", 0640));
	TRY(chown("mine", 0, 0));
	TRY(chown("mine", (uid_t)-1, 100));
	TRY(chown("mine", 1000, (gid_t)-1));
	TRY(utimensat(AT_FDCWD, "secret", NULL, 0));
	TRY(utimensat(AT_FDCWD, "mine", NULL, 0));
	TRY(truncate("secret", 0));
	TRY(chdir("closed"));
	TRY(chdir("open"));
	TRY(open("f", O_WRONLY | O_CREAT, 0600) >= 0);
	say_stat("created", "f");
	TRY(mkdir("sub", 0700));
	say_stat("created", "sub");
	TRY(symlink("x", "l"));
	say_stat("created", "l");
	TRY(mkfifo("p", 0600));
	say_stat("created", "p");
	TRY(mknod("dev", S_IFCHR | 0600, 0x103));
	TRY(unlink("roots"));
	TRY(rename("roots", "r2"));
	TRY(rename("f", "roots"));
	TRY(unlink("f"));
	TRY(chroot("/"));
	TRY(link("/work-users/group", "hard"));
	int fd = open("ro", O_WRONLY | O_CREAT | O_EXCL, 0444);
	say("write-only made read-only", write(fd, "x", 1));
	close(fd);
	TRY(open("ro", O_WRONLY));
	TRY(open("ro", O_RDONLY) >= 0);
	TRY(chmod("ro", 02755));
	say_stat("set-id kept for the own group", "ro");
	TRY(rmdir("sub"));
	TRY(execl("/work-users/noexec", "noexec", NULL));
	TRY(execl("/work-users/root-only", "root-only", NULL));
	TRY(setxattr("/work-users/secret", "user.x", "y", 1, 0));
	TRY(open(".", O_TMPFILE | O_RDWR, 0600) >= 0);
}

static void as_member(void)
{
	TRY(open("group", O_RDONLY) >= 0);
	TRY(open("denied-to-group", O_RDONLY));
	gid_t other[2] = {200, 100};
	TRY(setgroups(2, other));
}

void probe_users(void)
{
	make_file("secret", "s", 0600);
	make_file("group", "g", 0640);
	make_file("mine", "m", 0600);
	make_file("denied-to-me", "d", 0077);
	make_file("denied-to-group", "d", 0606);
	make_file("noexec", "#!/probe show\n", 0644);
	make_file("root-only", "#!/probe show\n", 0700);
	TRY(chown("group", 0, 100));
	TRY(chown("denied-to-group", 0, 100));
	TRY(chown("mine", 1000, 1000));
	TRY(chown("denied-to-me", 1000, 100));
	TRY(mkdir("closed", 0700));
	make_file("closed/f", "f", 0666);
	TRY(mkdir("open", 0755));
	TRY(chmod("open", 01777));
	make_file("open/roots", "r", 0666);
	in_child(1000, 100, as_user);
	in_child(1001, 100, as_member);
	say_stat("open/ro", "open/ro");
	say_stat("open/hard", "open/hard");
	say_stat("open/l", "open/l");
}

static void list(const char *path)
{
	char buf[1000];
	ssize_t n = llistxattr(path, buf, sizeof(buf));
	say("list", n);
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(buf + i) + 1)
		say_text("  has", buf + i);
}

static const char access_acl[] = "system.posix_acl_access";
static const char default_acl[] = "system.posix_acl_default";

/* spec: pairs of an entry's tag (as linux/posix_acl.h numbers them) and its permissions. */
static void set_acl(const char *path, const char *name, const unsigned char *spec, size_t n)
{
	unsigned char acl[100] = {2};
	size_t len = 4;
	for (size_t i = 0; i < n; i += 2, len += 8) {
		bool named = spec[i] == 2 || spec[i] == 8;
		acl[len] = spec[i];
		acl[len + 2] = spec[i + 1];
		memset(acl + len + 4, named ? 0 : 0xff, 4);
	}
	say("set acl", setxattr(path, name, acl, len, 0));
	say_stat(path, path);
	list(path);
}
#define SET_ACL(path, name, ...)                                                                   \
	set_acl(path, name, (const unsigned char[]){__VA_ARGS__},                                  \
		sizeof((const unsigned char[]){__VA_ARGS__}))

static void say_acl(const char *path)
{
	unsigned char acl[100];
	ssize_t n = getxattr(path, access_acl, acl, sizeof(acl));
	say("acl", n);
	for (ssize_t i = 4; i + 8 <= n; i += 8)
		printf("  %d: %d\n", acl[i], acl[i + 2]);
}

static void probe_acls(void)
{
	TRY(mkdir("acl", 0755));
	make_file("acl/f", "text", 0600);
	TRY(mkdir("acl/d", 0700));
	TRY(symlink("f", "acl/l"));
	say_acl("acl/f");
	SET_ACL("acl/f", access_acl, 1, 6, 4, 4, 32, 0);
	say_acl("acl/f");
	TRY(chmod("acl/f", 04711));
	SET_ACL("acl/f", access_acl, 1, 0, 4, 5, 32, 1);
	SET_ACL("acl/l", access_acl, 1, 6, 4, 0, 32, 4);
	SET_ACL("acl/f", access_acl, 1, 6, 4, 4, 16, 5, 32, 0);
	SET_ACL("acl/f", access_acl, 1, 6, 2, 7, 4, 4, 8, 1, 16, 6, 32, 4);
	say_acl("acl/f");
	TRY(chmod("acl/f", 0750));
	say_acl("acl/f");
	SET_ACL("acl/f", access_acl, 1, 6, 2, 7, 4, 4, 32, 4); /* named, no mask */
	SET_ACL("acl/f", access_acl, 1, 6, 4, 4);
	SET_ACL("acl/f", access_acl, 4, 6, 1, 4, 32, 0);
	SET_ACL("acl/f", access_acl, 1, 8, 4, 4, 32, 0);
	SET_ACL("acl/f", access_acl, 1, 6, 1, 6, 4, 4, 32, 0);
	SET_ACL("acl/f", access_acl, 1, 6, 32, 0);
	SET_ACL("acl/f", access_acl, 64, 6);
	say_acl("acl/f");
	TRY(setxattr("acl/f", access_acl, "\1\0\0\0", 4, 0));
	TRY(setxattr("acl/f", access_acl, "\2\0\0", 3, 0));
	TRY(setxattr("acl/f", access_acl, "\2\0\0\0\1", 5, 0));
	SET_ACL("acl/f", access_acl, 1, 7, 4, 5, 32, 5);
	say_acl("acl/f");
	TRY(removexattr("acl/f", access_acl));
	SET_ACL("acl/f", default_acl, 1, 7, 4, 5, 32, 5);
	SET_ACL("acl/d", default_acl, 1, 7, 4, 5, 32, 5);
	SET_ACL("acl/d", access_acl, 1, 7, 4, 5, 32, 0);
	TRY(removexattr("acl/d", default_acl));
	TRY(getxattr("acl/d", default_acl, NULL, 0));
}

static void write_to(const char *path, int flags)
{
	int fd = open(path, O_WRONLY | flags, 0600);
	say("write", write(fd, "x", 1));
	close(fd);
}

static void write_set_id(void)
{
	write_to("priv/mine", O_APPEND);
	say_stat("set-id goes with a write", "priv/mine");
	TRY(chmod("priv/mine", 06755));
	TRY(truncate("priv/mine", 1));
	say_stat("and with truncate", "priv/mine");
}

static void probe_privileges(const unsigned char *cap)
{
	static const char name[] = "security.capability";
	char buf[100];
	TRY(mkdir("priv", 0755));
	make_file("priv/f", "text", 0755);
	for (int i = 0; i < 5; i++) {
		TRY(setxattr("priv/f", "user.stays", "1", 1, 0));
		TRY(setxattr("priv/f", name, cap, 20, 0));
		TRY(getxattr("priv/f", name, buf, 100));
		if (i == 0)
			write_to("priv/f", O_APPEND);
		else if (i == 1)
			write_to("priv/f", O_TRUNC | O_CREAT);
		else if (i == 2)
			TRY(truncate("priv/f", 0));
		else if (i == 3)
			TRY(chown("priv/f", 5, 6));
		else
			TRY(chmod("priv/f", 0700));
		TRY(getxattr("priv/f", name, buf, 100));
		TRY(getxattr("priv/f", "user.stays", buf, 100));
	}
	make_file("priv/mine", "text", 0600);
	TRY(chown("priv/mine", 1000, 1000));
	TRY(chmod("priv/mine", 06755));
	write_to("priv/mine", O_APPEND);
	say_stat("root keeps set-id", "priv/mine");
	in_child(1000, 1000, write_set_id);
}

void probe_xattrs(void)
{
	static const unsigned char cap[20] = {1, 0, 0, 2, 0, 4};
	char buf[100];
	make_objects();
	TRY(setxattr("f", "user.a", "1", 1, 0));
	TRY(setxattr("f", "user.a", "12", 2, XATTR_CREATE));
	TRY(setxattr("f", "user.b", "12", 2, XATTR_REPLACE));
	TRY(getxattr("f", "user.a", buf, 100));
	TRY(getxattr("l", "user.a", buf, 100));
	TRY(lgetxattr("l", "user.a", buf, 100));
	TRY(getxattr("f", "user.none", buf, 100));
	TRY(getxattr("f", "user.a", buf, 0));
	TRY(setxattr("d", "user.a", "dir", 3, 0));
	TRY(lsetxattr("l", "user.a", "link", 4, 0));
	TRY(setxattr("p", "user.a", "fifo", 4, 0));
	TRY(setxattr("f", "security.capability", cap, 20, 0));
	TRY(getxattr("f", "security.capability", buf, 100));
	TRY(setxattr("f", "security.other", "o", 1, 0) == 0 || errno == EPERM ||
	    errno == EOPNOTSUPP);
	TRY(removexattr("f", "security.other") == 0 || errno);
	TRY(setxattr("f", "nonsense", "o", 1, 0));
	TRY(setxattr("f", "", "o", 1, 0));
	list("f");
	list("d");
	int fd = open("f", O_RDONLY);
	TRY(fsetxattr(fd, "user.c", "3", 1, 0));
	TRY(fgetxattr(fd, "user.c", buf, 100));
	TRY(fremovexattr(fd, "user.c"));
	TRY(fremovexattr(fd, "user.c"));
	TRY(removexattr("f", "security.capability"));
	TRY(removexattr("f", "security.capability"));
	close(fd);
	list("f");
	TRY(getxattr("none", "user.a", buf, 100));
	probe_acls();
	probe_privileges(cap);
}
