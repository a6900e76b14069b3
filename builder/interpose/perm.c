/* SPDX-License-Identifier: MIT
 *
 * Permission checks. On disk everything is open to the step's one real user, so for a virtual user
 * without the capabilities to ignore modes the answers are computed here (path_resolution(7),
 * capabilities(7)).
 */
#include "owner.h"
#include <sys/stat.h>
#include <unistd.h>

struct co_ip_cred *cred(void)
{
	if (!g.n_children)
		return &g.cred;
	int32_t pid = (int32_t)sys0(SYS_getpid);
	for (uint32_t i = 0; i < g.n_children && i < CHILD_CREDS; i++)
		if (g.child[i].pid == pid)
			return &g.child[i].cred;
	return &g.cred;
}

bool cred_in_group(const struct co_ip_cred *c, uint32_t gid)
{
	if (c->fsgid == gid)
		return true;
	for (uint32_t i = 0; i < c->n_groups && i < CO_IP_GROUPS; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

bool cred_plain_root(void)
{
	const struct co_ip_cred *c = cred();
	return !c->fsuid && !c->fsgid && cred_cap(c, CAP_DAC_OVERRIDE);
}

static long check(const struct co_ip_cred *c, uint32_t uid, bool in_group, const struct meta *m,
		  int want, bool override)
{
	uint32_t bits = uid == m->uid ? m->mode >> 6 : in_group ? m->mode >> 3 : m->mode;
	if ((bits & (uint32_t)want) == (uint32_t)want)
		return 0;
	if (override && (S_ISDIR(m->mode) || !(want & X_OK) || m->mode & 0111))
		return 0;
	if (c && cred_cap(c, CAP_DAC_READ_SEARCH) &&
	    (want == R_OK || (S_ISDIR(m->mode) && !(want & W_OK))))
		return 0;
	return -EACCES;
}

long may(const struct meta *m, int want)
{
	const struct co_ip_cred *c = cred();
	return check(c, c->fsuid, cred_in_group(c, m->gid), m, want, cred_cap(c, CAP_DAC_OVERRIDE));
}

long may_real(const struct meta *m, int want)
{
	const struct co_ip_cred *c = cred();
	bool in_group = c->rgid == m->gid;
	for (uint32_t i = 0; i < c->n_groups && i < CO_IP_GROUPS; i++)
		in_group |= c->groups[i] == m->gid;
	bool override = !c->ruid && c->permitted >> CAP_DAC_OVERRIDE & 1;
	return check(NULL, c->ruid, in_group, m, want, override);
}

long may_own(const struct meta *m)
{
	const struct co_ip_cred *c = cred();
	return c->fsuid == m->uid || cred_cap(c, CAP_FOWNER) ? 0 : -EPERM;
}

/* Directories that this user was found to be able to search. */
#define KNOWN 128
static struct {
	uint64_t hash;
	uint32_t gen, epoch;
} known[KNOWN];

static long may_search_text(struct where *probe, char *text, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3ull;
	uint32_t gen = g.shared->perm_gen + g.shared->gen;
	size_t slot = (h ^ h >> 31) % KNOWN;
	if (known[slot].hash == h && known[slot].gen == gen && known[slot].epoch == g.cred_epoch)
		return 0;
	struct meta m;
	char saved = text[n];
	text[n] = '\0';
	where_place(probe, text);
	long r = meta_get(probe, &m);
	text[n] = saved;
	if (r < 0)
		return r == -ENOENT ? 0 : r; /* the operation itself will say so */
	if (S_ISLNK(m.mode)) /* of /proc: what it leads to is the kernel's to check */
		return 0;
	r = S_ISDIR(m.mode) ? may(&m, X_OK) : -ENOTDIR;
	if (r == 0 && !g.n_children) {
		known[slot].hash = h;
		known[slot].gen = gen;
		known[slot].epoch = g.cred_epoch;
	}
	return r;
}

static long may_search_fd(int dirfd)
{
	struct meta m;
	long r = dirfd == AT_FDCWD ? 0 : meta_get_fd(dirfd, &m);
	if (dirfd == AT_FDCWD) {
		struct where here = {.dir = AT_FDCWD, .rel = "."};
		r = meta_get(&here, &m);
	}
	return r < 0 ? 0 : S_ISDIR(m.mode) ? may(&m, X_OK) : 0;
}

long may_reach(struct where *w)
{
	struct where probe;
	if (cred_plain_root() || !*w->rel)
		return 0;
	if (w->guest == NULL)
		return *w->rel == '/' ? 0 : may_search_fd(w->dir);
	probe.slash = false;
	probe.follow = false;
	char text[PATH_SIZE];
	size_t n = (size_t)(text_put(text, text + sizeof(text), w->guest) - text);
	while (n > 1 && text[n - 1] == '/')
		n--;
	for (size_t i = 1; i < n; i++) {
		if (text[i] != '/')
			continue;
		long r = may_search_text(&probe, text, i);
		if (r < 0)
			return r;
	}
	return n > 1 ? may_search_text(&probe, text, 0) : 0;
}

/* The name of w's directory: a place by itself. */
static void parent_of(const struct where *w, struct where *dir)
{
	dir->slash = false;
	dir->follow = false;
	if (w->guest) {
		size_t n = text_len(w->guest);
		while (n > 1 && w->guest[n - 1] == '/')
			n--;
		while (n > 1 && w->guest[n - 1] != '/')
			n--;
		if (n > 1)
			n--;
		memcpy(dir->text, w->guest, n);
		dir->text[n] = '\0';
		where_place(dir, n == 1 ? "" : dir->text);
		return;
	}
	size_t n = text_len(w->rel);
	while (n && w->rel[n - 1] == '/')
		n--;
	while (n && w->rel[n - 1] != '/')
		n--;
	memcpy(dir->in, w->rel, n);
	dir->in[n] = '\0';
	dir->dir = w->dir;
	dir->rel = n ? dir->in : ".";
	dir->follow = true;
	dir->guest = NULL;
}

long meta_parent(struct where *w, struct meta *m)
{
	struct where dir;
	parent_of(w, &dir);
	return meta_get(&dir, m);
}

long may_change_dir(struct where *w, bool removing)
{
	if (cred_plain_root())
		return 0;
	long r = may_reach(w);
	struct meta dir, m;
	if (r < 0)
		return r;
	r = meta_parent(w, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = S_ISDIR(dir.mode) ? may(&dir, W_OK | X_OK) : -ENOTDIR;
	if (r < 0 || !removing || !(dir.mode & S_ISVTX))
		return r;
	const struct co_ip_cred *c = cred();
	if (c->fsuid == dir.uid || cred_cap(c, CAP_FOWNER) || meta_get(w, &m) < 0)
		return 0;
	return c->fsuid == m.uid ? 0 : -EPERM;
}
