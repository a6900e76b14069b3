/* SPDX-License-Identifier: MIT
 *
 * A device node where the kernel refuses to make one (a user namespace, a container without MKNOD):
 * an empty file that says in an attribute of its own what it stands for. Owner and mode are the
 * file's; overlayfs keeps the attribute when it copies the file up.
 */
#include "root-internal.h"
#include <cooper/auto.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

int node_make(int dirfd, const char *name, uint32_t mode, uint32_t major_no, uint32_t minor_no)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%c %u %u", S_ISCHR(mode) ? 'c' : 'b', major_no,
			 minor_no);
	auto_fd fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (fsetxattr(fd, OWNTAB_NODE, text, (size_t)n, 0) == 0 && fchmod(fd, mode & 07777) == 0)
		return 0;
	int saved = errno;
	unlinkat(dirfd, name, 0);
	errno = saved;
	return -1;
}

void node_read(int dirfd, const char *name, struct co_meta *m)
{
	char path[320], text[64];
	int len =
		snprintf(path, sizeof(path), "/proc/self/fd/%d%s%s", dirfd, *name ? "/" : "", name);
	if (len < 0 || (size_t)len >= sizeof(path))
		return;
	ssize_t n = *name ? lgetxattr(path, OWNTAB_NODE, text, sizeof(text) - 1)
			  : getxattr(path, OWNTAB_NODE, text, sizeof(text) - 1);
	char kind;
	unsigned major_no, minor_no;
	if (n <= 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%c %u %u", &kind, &major_no, &minor_no) != 3 ||
	    (kind != 'c' && kind != 'b'))
		return;
	m->mode = (m->mode & 07777) | (kind == 'c' ? S_IFCHR : S_IFBLK);
	m->dev_major = major_no;
	m->dev_minor = minor_no;
}
