/* SPDX-License-Identifier: MIT
 *
 * The two directions between the host's names and the guest's.
 */
#include "path.h"
#include "slots.h"
#include <sys/stat.h>

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

static uint32_t cwd_generation(void)
{
	return cache_gen(true);
}

/* The working directory's name holds until somebody changes directory, or moves one. */
static long known_cwd(char *out)
{
	uint32_t seq = __atomic_load_n(&g.cwd_seq, __ATOMIC_ACQUIRE);
	uint32_t gen = cwd_generation();
	if (seq & 1 || g.cwd_gen != gen + 1)
		return 0;
	long n = text_put(out, out + sizeof(g.cwd), g.cwd) - out;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&g.cwd_seq, __ATOMIC_RELAXED) == seq ? n : 0;
}

static void learn_cwd(const char *text, uint32_t gen)
{
	uint32_t seq = __atomic_load_n(&g.cwd_seq, __ATOMIC_RELAXED);
	/* a vfork child has a directory of its own but shares this memory */
	if (text_len(text) >= sizeof(g.cwd) || slot_is_guest_of_parent() || seq & 1 ||
	    !__atomic_compare_exchange_n(&g.cwd_seq, &seq, seq + 1, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return;
	text_put(g.cwd, g.cwd + sizeof(g.cwd), text);
	g.cwd_gen = gen + 1;
	__atomic_store_n(&g.cwd_seq, seq + 2, __ATOMIC_RELEASE);
}

/* Called before and after: what is learnt in between must not stay. */
void name_cwd_changed(void)
{
	__atomic_store_n(&g.cwd_gen, 0, __ATOMIC_RELEASE);
	__atomic_fetch_add(&g.cwd_seq, 2, __ATOMIC_ACQ_REL);
}

static long name_of_cwd(char *out, size_t size)
{
	char host[PATH_SIZE + 1];
	uint32_t gen = cwd_generation();
	long n = known_cwd(out);
	if (n > 0)
		return n;
	n = sys2(SYS_getcwd, host, PATH_SIZE);
	if (n < 0)
		return n;
	if (!name_to_guest(out, size, host))
		return -ENOTDIR;
	/* a removed directory's name says so, and changes without our doing */
	if (!text_ends(out, " (deleted)"))
		learn_cwd(out, gen);
	return (long)text_len(out);
}

/* What the cache calls the directory that a descriptor is open on: no name begins with NUL. */
struct fd_key {
	char nul[8];
	uint64_t dev, ino;
};

/* Only a directory that is still somewhere can be found again. */
static bool fd_key(struct fd_key *k, int fd)
{
	struct stat st;
	if (sys2(SYS_fstat, fd, &st) < 0 || !S_ISDIR(st.st_mode) || !st.st_nlink)
		return false;
	*k = (struct fd_key){.dev = st.st_dev, .ino = st.st_ino};
	return true;
}

/* A mount may be shared with other steps: what they move or remove in it is not counted here. */
static bool in_mount(const char *text)
{
	const char *rest;
	return mount_at(text, text_len(text), &rest);
}

long name_of_fd(int fd, char *out, size_t size)
{
	char host[PATH_SIZE + 1], t[40];
	struct fd_key key;
	size_t known;
	if (fd == AT_FDCWD)
		return name_of_cwd(out, size);
	uint32_t gen = cache_gen(true);
	bool dir = paths_on() && fd_key(&key, fd);
	if (dir && cache_find((const char *)&key, sizeof(key), out, &known, gen))
		return (long)known;
	long n = sys4(SYS_readlinkat, AT_FDCWD, fd_path(t, sizeof(t), fd), host, PATH_SIZE);
	if (n < 0)
		return n == -ENOENT ? -EBADF : n;
	host[n] = '\0';
	if (!name_to_guest(out, size, host))
		return -ENOTDIR;
	n = (long)text_len(out);
	if (dir && !in_mount(out))
		cache_add((const char *)&key, sizeof(key), out, (size_t)n, gen);
	return n;
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
		if (!m->target[n] && (n == len || text[n] == '/') &&
		    n >= best_len) { /* of two at one place the later hides the earlier */
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
