/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include <dirent.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <utime.h>

static void stat_fd(const char *name, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0) {
		say(name, -1);
		return;
	}
	printf("%s: %06o %u:%u\n", name, st.st_mode, st.st_uid, st.st_gid);
}

static void creating(void)
{
	static const mode_t masks[] = {022, 077, 0, 0777, 0277};
	for (size_t i = 0; i < 5; i++) {
		char name[64];
		umask(masks[i]);
		for (mode_t m = 0; m <= 07777; m += 0333) {
			snprintf(name, sizeof(name), "c-%03o-%04o", masks[i], m);
			int fd = open(name, O_RDWR | O_CREAT | O_EXCL, m);
			say("open", fd < 0 ? -1 : 0);
			say("write", fd < 0 ? -1 : write(fd, "x", 1));
			stat_fd("fstat", fd);
			close(fd);
			say_stat(name, name);
			fd = open(name, O_RDWR);
			say("again", fd < 0 ? -1 : 0);
			close(fd);
			strcat(name, "d");
			TRY(mkdir(name, m));
			say_stat(name, name);
		}
		TRY(mkfifo(i ? "p1" : "p0", 0666));
		say_stat("fifo", i ? "p1" : "p0");
		unlink("p1");
	}
	umask(022);
}

static void flags(void)
{
	make_file("t", "0123456789", 0644);
	int fd = open("t", O_RDWR | O_TRUNC);
	say_stat("truncated", "t");
	close(fd);
	fd = open("t", O_WRONLY | O_APPEND);
	TRY(fcntl(fd, F_GETFL));
	TRY(fcntl(fd, F_GETFD));
	close(fd);
	fd = open("t", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	TRY(fcntl(fd, F_GETFD));
	TRY(fchmod(fd, 0600));
	close(fd);
	fd = open("t", O_PATH);
	say("chmod of O_PATH", fchmod(fd, 0600));
	say("chown of O_PATH", fchown(fd, 0, 0));
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR, 0640);
	stat_fd("tmpfile", fd);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	close(fd);
	TRY(truncate("t", 5));
	say_stat("t", "t");
	TRY(truncate("none", 5));
	TRY(truncate(".", 5));
	struct statfs fs;
	TRY(statfs(".", &fs));
	TRY(statfs("none", &fs));
	int in = inotify_init1(IN_NONBLOCK);
	say("watch", inotify_add_watch(in, "t", IN_MODIFY) < 0 ? -1 : 0);
	say("watch", inotify_add_watch(in, "none", IN_MODIFY));
	close(in);
}

static void times(void)
{
	struct timespec t[2] = {{1000, 5}, {2000, 6}};
	struct timeval v[2] = {{3000, 5}, {4000, 6}};
	struct utimbuf u = {5000, 6000};
	struct stat st;
	TRY(symlink("t", "lt"));
	TRY(utimensat(AT_FDCWD, "t", t, 0));
	stat("t", &st);
	printf("%ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	       (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	TRY(utimensat(AT_FDCWD, "lt", t, AT_SYMLINK_NOFOLLOW));
	lstat("lt", &st);
	printf("link %ld\n", (long)st.st_mtim.tv_sec);
	TRY(utimes("lt", v));
	stat("t", &st);
	printf("%ld\n", (long)st.st_mtim.tv_sec);
	TRY(utime("t", &u));
	stat("t", &st);
	printf("%ld\n", (long)st.st_mtim.tv_sec);
	TRY(utime("none", &u));
	v[0].tv_usec = 1000000;
	TRY(utimes("t", v));
	TRY(utimensat(AT_FDCWD, "t", NULL, 0));
	int fd = open("t", O_RDONLY);
	TRY(futimens(fd, t));
	TRY(futimesat(AT_FDCWD, "t", NULL));
	close(fd);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void nodes(void)
{
	TRY(mkdir("n", 0755));
	TRY(mknod("n/null", S_IFCHR | 0666, makedev(1, 3)));
	TRY(mknod("n/disk", S_IFBLK | 0600, makedev(254, 70000)));
	TRY(mknod("n/reg", S_IFREG | 0640, 0));
	TRY(mknod("n/plain", 0604, 0));
	TRY(mknod("n/fifo", S_IFIFO | 0200, 0));
	TRY(mknod("n/sock", S_IFSOCK | 0700, 0));
	TRY(mknod("n/null", S_IFCHR | 0666, makedev(1, 3)));
	TRY(mknod("none/null", S_IFCHR | 0666, makedev(1, 3)));
	TRY(symlink("null", "n/link"));
	static const char *const names[] = {"n/null", "n/disk", "n/reg", "n/plain",
					    "n/fifo", "n/sock", "n/link"};
	for (size_t i = 0; i < 7; i++)
		say_stat(names[i], names[i]);
	TRY(chmod("n/null", 0604));
	TRY(chown("n/null", 5, 6));
	say_stat("changed", "n/null");
	TRY(rename("n/null", "n/null2"));
	say_stat("renamed", "n/null2");
	TRY(link("n/null2", "n/null3"));
	say_stat("linked", "n/null3");
	struct dirent **list;
	int n = scandir("n", &list, NULL, by_name);
	for (int i = 0; i < n; i++)
		printf("entry %s type %d\n", list[i]->d_name, list[i]->d_type);
	TRY(open("n/sock", O_RDONLY));
	int fd = open("n/fifo", O_RDWR | O_NONBLOCK);
	say("fifo", fd < 0 ? -1 : 0);
}

void probe_files(void)
{
	creating();
	flags();
	times();
	nodes();
}
