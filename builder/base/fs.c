/* SPDX-License-Identifier: MIT */
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/fs.h>
#include <cooper/root.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>

int co_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t co_read_full(int fd, void *data, size_t len)
{
	size_t got = 0;
	while (got < len) {
		ssize_t n = read(fd, (char *)data + got, len - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static void random_name(char *out, size_t size, const char *prefix)
{
	uint64_t r = 0;
	if (getrandom(&r, sizeof(r), 0) < 0)
		r = (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)&r;
	snprintf(out, size, "%s-%016llx", prefix, (unsigned long long)r);
}

int co_write_file(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		  struct co_err *err)
{
	char tmp[4096 + 32];
	int n = snprintf(tmp, sizeof(tmp) - 20, "%s.tmp", path);
	if (n < 0 || (size_t)n >= sizeof(tmp) - 20)
		return co_fail(err, CO_E_USAGE, "path too long: %s", path);
	auto_free char *stem = co_xstrdup(tmp);
	random_name(tmp, sizeof(tmp), stem);
	auto_fd fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return co_fail_sys(err, "write %s", path);
	if (co_write_all(fd, data, len) < 0 || fchmod(fd, mode) < 0 ||
	    renameat(dirfd, tmp, dirfd, path) < 0) {
		co_fail_sys(err, "write %s", path);
		unlinkat(dirfd, tmp, 0);
		return err->code;
	}
	return 0;
}

int co_read_file(int dirfd, const char *path, size_t max, char **out, size_t *len,
		 struct co_err *err)
{
	auto_fd fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return co_fail_sys(err, "open %s", path);
	auto_buf b = CO_BUF_INIT(max);
	int r = co_buf_read_fd(&b, fd, path, err);
	if (r < 0)
		return r;
	*len = b.len;
	*out = co_buf_take(&b);
	return 0;
}

int co_mkdir_p(const char *path, mode_t mode, struct co_err *err)
{
	auto_free char *copy = co_xstrdup(path);
	for (char *p = copy + 1; *copy; p++) {
		if (*p && *p != '/')
			continue;
		char c = *p;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST) {
			struct stat st;
			int e = errno;
			if (stat(copy, &st) < 0 || !S_ISDIR(st.st_mode)) {
				errno = e;
				return co_fail_sys(err, "make directory %s", copy);
			}
		}
		*p = c;
		if (!c)
			break;
	}
	return 0;
}

int co_mkdtemp_at(int dirfd, const char *prefix, char *out, size_t size, struct co_err *err)
{
	for (int i = 0; i < 16; i++) {
		random_name(out, size, prefix);
		if (mkdirat(dirfd, out, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			break;
		}
		int fd = openat(dirfd, out, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		break;
	}
	return co_fail_sys(err, "make a temporary directory");
}

int co_remove_tree(int dirfd, const char *name, struct co_err *err)
{
	struct co_root native = {.fd = -1};
	if (co_root_remove(&native, dirfd, name) < 0)
		return co_fail_sys(err, "remove %s", name);
	return 0;
}

#define SMALL (16u << 10)

static int64_t copy_slow(int out, int in, int64_t len, int64_t done)
{
	char small[SMALL], *buf = small;
	size_t size = SMALL;
	auto_free char *big = NULL;
	while (len < 0 || done < len) {
		if (done >= SMALL && !big) {
			size = 256u << 10;
			buf = big = co_xrealloc(NULL, 1, size);
		}
		size_t want =
			len < 0 || (uint64_t)(len - done) > size ? size : (size_t)(len - done);
		ssize_t n = read(in, buf, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		if (co_write_all(out, buf, (size_t)n) < 0)
			return -1;
		done += n;
	}
	return done;
}

int64_t co_copy_fd(int out, int in, int64_t len)
{
	int64_t done = 0;
	while (len < 0 || done < len) {
		size_t want = len < 0 || len - done > (1 << 30) ? 1u << 30 : (size_t)(len - done);
		ssize_t n = copy_file_range(in, NULL, out, NULL, want, 0);
		if (n < 0)
			return done ? -1 : copy_slow(out, in, len, done);
		if (n == 0)
			/* some file systems answer 0 at once (proc); reading tells the truth */
			return done ? done : copy_slow(out, in, len, done);
		done += n;
	}
	return done;
}

static int copy_holes(int out, int in, off_t size)
{
	for (off_t at = 0; at < size;) {
		off_t data = lseek(in, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t hole = data < 0 ? -1 : lseek(in, data, SEEK_HOLE);
		if (data < 0 || hole < 0)
			return -1;
		if (lseek(in, data, SEEK_SET) < 0 || lseek(out, data, SEEK_SET) < 0)
			return -1;
		if (co_copy_fd(out, in, hole - data) != hole - data)
			return -1;
		at = hole;
	}
	return ftruncate(out, size);
}

int co_clone_fd(int out, int in)
{
	struct stat st;
	if (fstat(in, &st) < 0)
		return -1;
	/* asking for better ways costs more than the copy */
	if (S_ISREG(st.st_mode) && st.st_size <= SMALL)
		return copy_slow(out, in, -1, 0) < 0 ? -1 : 0;
	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	/* fewer blocks than bytes: a sparse file */
	if (S_ISREG(st.st_mode) && (int64_t)st.st_blocks * 512 < st.st_size && st.st_size > 65536)
		return copy_holes(out, in, st.st_size);
	return co_copy_fd(out, in, -1) < 0 ? -1 : 0;
}
