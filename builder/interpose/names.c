/* SPDX-License-Identifier: MIT
 *
 * The two directions between the host's names and the guest's.
 */
#include "path.h"

const char *fd_path(char *b, size_t size, int fd)
{
	text_num(text_put(b, b + size, "/proc/self/fd/"), b + size, (uint32_t)fd, 10);
	return b;
}

/* Does s begin with the directory prefix? Gives what follows it. */
static const char *below(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix)
		s++, prefix++;
	return !*prefix && (!*s || *s == '/') ? s : NULL;
}

bool name_to_guest(char *out, size_t size, const char *host)
{
	const char *best = NULL, *target = "";
	size_t best_len = 0;
	const char *rest = below(host, g.ses->root);
	if (rest) {
		best = rest;
		best_len = text_len(g.ses->root);
	}
	for (uint32_t i = 0; i < g.ses->n_mounts; i++) {
		const struct co_ip_mount *m = &g.ses->mounts[i];
		rest = below(host, m->source);
		if (rest && text_len(m->source) > best_len) {
			best = rest;
			best_len = text_len(m->source);
			target = m->target;
		}
	}
	if (!best)
		return false;
	char *end = out + size;
	char *p = text_put(text_put(out, end, target), end, best);
	if (p == out)
		text_put(out, end, "/");
	return true;
}

bool name_in_chroot(char *path)
{
	if (!g.root[0])
		return true;
	const char *rest = below(path, g.root);
	if (!rest)
		return false;
	size_t n = text_len(rest);
	memmove(path, *rest ? rest : "/", n ? n + 1 : 2);
	return true;
}

long name_of_fd(int fd, char *out, size_t size)
{
	char host[PATH_SIZE + 1], t[40];
	long n;
	if (fd == AT_FDCWD) {
		n = sys2(SYS_getcwd, host, PATH_SIZE);
		if (n > 0)
			n--;
	} else {
		n = sys4(SYS_readlinkat, AT_FDCWD, fd_path(t, sizeof(t), fd), host, PATH_SIZE);
		if (n == -ENOENT)
			n = -EBADF;
	}
	if (n < 0)
		return n;
	host[n] = '\0';
	if (!name_to_guest(out, size, host))
		return -ENOTDIR;
	return (long)text_len(out);
}

const struct co_ip_mount *mount_at(const char *text, size_t len, const char **rest)
{
	const struct co_ip_mount *best = NULL;
	size_t best_len = 0;
	for (uint32_t i = 0; i < g.ses->n_mounts; i++) {
		const struct co_ip_mount *m = &g.ses->mounts[i];
		size_t n = 0;
		while (n < len && m->target[n] == text[n])
			n++;
		if (!m->target[n] && (n == len || text[n] == '/') && n > best_len) {
			best = m;
			best_len = n;
		}
	}
	*rest = text + best_len;
	return best;
}

bool mount_below(const char *text)
{
	for (uint32_t i = 0; i < g.ses->n_mounts; i++) {
		const char *rest = below(g.ses->mounts[i].target, text);
		if (rest && *rest)
			return true;
	}
	return false;
}
