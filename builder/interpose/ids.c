/* SPDX-License-Identifier: MIT */
#include "ids.h"
#include "slots.h"
#include <linux/securebits.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define KEEP ((uint32_t)-1)

struct co_ip_cred *cred_change(void)
{
	if (!slot_is_guest_of_parent())
		return &g.cred;
	int32_t pid = (int32_t)sys0(SYS_getpid);
	uint32_t n = g.n_children;
	for (uint32_t i = 0; i < n; i++)
		if (g.child[i].pid == pid)
			return &g.child[i].cred;
	/* forget children that are gone, or, when there are too many, the oldest */
	uint32_t kept = 0;
	for (uint32_t i = n == CHILD_CREDS; i < n; i++)
		if (sys2(SYS_kill, g.child[i].pid, 0) == 0)
			g.child[kept++] = g.child[i];
	g.child[kept].pid = pid;
	g.child[kept].cred = g.cred;
	g.n_children = kept + 1;
	return &g.child[kept].cred;
}

void cred_child_done(void)
{
	int32_t pid = (int32_t)sys0(SYS_getpid);
	for (uint32_t i = 0; i < g.n_children; i++)
		if (g.child[i].pid == pid) {
			g.child[i] = g.child[--g.n_children];
			return;
		}
}

/* The C library makes every thread repeat a change of ids. The repetition must not be judged by, or
 * applied to, what the first one left: setreuid(a, b) may swap. */
static struct {
	long nr, a, b, c, result;
	int32_t pid;
	uint32_t n;
	int32_t tid[62];
} last;

static bool repeated(struct call *c, long *result)
{
	int32_t tid = (int32_t)sys0(SYS_gettid), pid = (int32_t)sys0(SYS_getpid);
	bool same = last.nr == c->nr && last.a == c->a[0] && last.b == c->a[1] &&
		    last.c == c->a[2] && last.pid == pid && last.n && last.n < 62;
	for (uint32_t i = 0; same && i < last.n; i++)
		same = last.tid[i] != tid;
	if (same) {
		last.tid[last.n++] = tid;
		*result = last.result;
		return true;
	}
	last.nr = c->nr;
	last.a = c->a[0];
	last.b = c->a[1];
	last.c = c->a[2];
	last.pid = pid;
	last.n = 1;
	last.tid[0] = tid;
	return false;
}

/* What leaving or entering uid 0 does to capabilities. */
static void adjust_caps(struct co_ip_cred *c, uint32_t r, uint32_t e, uint32_t s)
{
	if (c->securebits & 1u << SECURE_NO_SETUID_FIXUP)
		return;
	bool had_root = !r || !e || !s, has_root = !c->ruid || !c->euid || !c->suid;
	if (had_root && !has_root && !(c->securebits & 1u << SECURE_KEEP_CAPS))
		c->permitted = c->effective = 0;
	if (had_root && !has_root)
		c->ambient = 0;
	if (!e && c->euid)
		c->effective = 0;
	if (e && !c->euid)
		c->effective = c->permitted;
}

static void adjust_fs_caps(struct co_ip_cred *c, uint32_t old)
{
	const uint64_t fs = 1ull << CAP_CHOWN | 1ull << CAP_MKNOD | 1ull << CAP_DAC_OVERRIDE |
			    1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER | 1ull << CAP_FSETID |
			    1ull << CAP_LINUX_IMMUTABLE | 1ull << CAP_MAC_OVERRIDE;
	if (c->securebits & 1u << SECURE_NO_SETUID_FIXUP)
		return;
	if (!old && c->fsuid)
		c->effective &= ~fs;
	if (old && !c->fsuid)
		c->effective |= c->permitted & fs;
}

static bool known_uid(const struct co_ip_cred *c, uint32_t v)
{
	return v == KEEP || v == c->ruid || v == c->euid || v == c->suid;
}

static bool known_gid(const struct co_ip_cred *c, uint32_t v)
{
	return v == KEEP || v == c->rgid || v == c->egid || v == c->sgid;
}

static void set_uids(struct co_ip_cred *c, uint32_t r, uint32_t e, uint32_t s)
{
	uint32_t or = c->ruid, oe = c->euid, os = c->suid;
	c->ruid = r == KEEP ? or : r;
	c->euid = e == KEEP ? oe : e;
	c->suid = s == KEEP ? os : s;
	c->fsuid = c->euid;
	adjust_caps(c, or, oe, os);
	g.cred_epoch++;
}

static void set_gids(struct co_ip_cred *c, uint32_t r, uint32_t e, uint32_t s)
{
	c->rgid = r == KEEP ? c->rgid : r;
	c->egid = e == KEEP ? c->egid : e;
	c->sgid = s == KEEP ? c->sgid : s;
	c->fsgid = c->egid;
	g.cred_epoch++;
}

long h_getuid(struct call *c)
{
	const struct co_ip_cred *k = cred();
	if (c->nr == SYS_getuid)
		return k->ruid;
	if (c->nr == SYS_geteuid)
		return k->euid;
	return c->nr == SYS_getgid ? k->rgid : k->egid;
}

static long done(long r)
{
	last.result = r;
	return r;
}

long h_setuid(struct call *c)
{
	long r;
	struct co_ip_cred *k = cred_change();
	uint32_t v = (uint32_t)c->a[0];
	if (v == KEEP)
		return -EINVAL;
	if (repeated(c, &r))
		return r;
	if (cred_cap(k, CAP_SETUID))
		set_uids(k, v, v, v);
	else if (v == k->ruid || v == k->suid)
		set_uids(k, KEEP, v, KEEP);
	else
		return done(-EPERM);
	return done(0);
}

long h_setgid(struct call *c)
{
	long r;
	struct co_ip_cred *k = cred_change();
	uint32_t v = (uint32_t)c->a[0];
	if (v == KEEP)
		return -EINVAL;
	if (repeated(c, &r))
		return r;
	if (cred_cap(k, CAP_SETGID))
		set_gids(k, v, v, v);
	else if (v == k->rgid || v == k->sgid)
		set_gids(k, KEEP, v, KEEP);
	else
		return done(-EPERM);
	return done(0);
}

long h_setreuid(struct call *c)
{
	long res;
	struct co_ip_cred *k = cred_change();
	uint32_t r = (uint32_t)c->a[0], e = (uint32_t)c->a[1], or = k->ruid;
	if (repeated(c, &res))
		return res;
	if (!cred_cap(k, CAP_SETUID) &&
	    ((r != KEEP && r != k->ruid && r != k->euid) || !known_uid(k, e)))
		return done(-EPERM);
	uint32_t s = r != KEEP || (e != KEEP && e != or) ? (e == KEEP ? k->euid : e) : KEEP;
	set_uids(k, r, e, s);
	return done(0);
}

long h_setregid(struct call *c)
{
	long res;
	struct co_ip_cred *k = cred_change();
	uint32_t r = (uint32_t)c->a[0], e = (uint32_t)c->a[1], or = k->rgid;
	if (repeated(c, &res))
		return res;
	if (!cred_cap(k, CAP_SETGID) &&
	    ((r != KEEP && r != k->rgid && r != k->egid) || !known_gid(k, e)))
		return done(-EPERM);
	uint32_t s = r != KEEP || (e != KEEP && e != or) ? (e == KEEP ? k->egid : e) : KEEP;
	set_gids(k, r, e, s);
	return done(0);
}

long h_setresuid(struct call *c)
{
	long r;
	struct co_ip_cred *k = cred_change();
	const uint32_t v[3] = {(uint32_t)c->a[0], (uint32_t)c->a[1], (uint32_t)c->a[2]};
	if (repeated(c, &r))
		return r;
	for (int i = 0; i < 3; i++)
		if (!cred_cap(k, CAP_SETUID) && !known_uid(k, v[i]))
			return done(-EPERM);
	set_uids(k, v[0], v[1], v[2]);
	return done(0);
}

long h_setresgid(struct call *c)
{
	long r;
	struct co_ip_cred *k = cred_change();
	const uint32_t v[3] = {(uint32_t)c->a[0], (uint32_t)c->a[1], (uint32_t)c->a[2]};
	if (repeated(c, &r))
		return r;
	for (int i = 0; i < 3; i++)
		if (!cred_cap(k, CAP_SETGID) && !known_gid(k, v[i]))
			return done(-EPERM);
	set_gids(k, v[0], v[1], v[2]);
	return done(0);
}

static long give3(const struct call *c, uint32_t r, uint32_t e, uint32_t s)
{
	long k = guest_write((void *)c->a[0], &r, sizeof(r));
	if (k == 0)
		k = guest_write((void *)c->a[1], &e, sizeof(e));
	return k < 0 ? k : guest_write((void *)c->a[2], &s, sizeof(s));
}

long h_getresuid(struct call *c)
{
	const struct co_ip_cred *k = cred();
	return give3(c, k->ruid, k->euid, k->suid);
}

long h_getresgid(struct call *c)
{
	const struct co_ip_cred *k = cred();
	return give3(c, k->rgid, k->egid, k->sgid);
}

long h_setfsid(struct call *c)
{
	struct co_ip_cred *k = cred_change();
	uint32_t v = (uint32_t)c->a[0];
	if (c->nr == SYS_setfsuid) {
		uint32_t old = k->fsuid;
		if (v != KEEP && (cred_cap(k, CAP_SETUID) || known_uid(k, v) || v == old)) {
			k->fsuid = v;
			adjust_fs_caps(k, old);
		}
		g.cred_epoch++;
		return old;
	}
	uint32_t old = k->fsgid;
	if (v != KEEP && (cred_cap(k, CAP_SETGID) || known_gid(k, v) || v == old))
		k->fsgid = v;
	g.cred_epoch++;
	return old;
}

long h_getgroups(struct call *c)
{
	const struct co_ip_cred *k = cred();
	int size = (int)c->a[0];
	if (size < 0)
		return -EINVAL;
	if (!size)
		return k->n_groups;
	if ((uint32_t)size < k->n_groups)
		return -EINVAL;
	long r = guest_write((void *)c->a[1], k->groups, k->n_groups * sizeof(uint32_t));
	return r < 0 ? r : (long)k->n_groups;
}

long h_setgroups(struct call *c)
{
	struct co_ip_cred *k = cred_change();
	uint32_t list[CO_IP_GROUPS];
	if (!cred_cap(k, CAP_SETGID))
		return -EPERM;
	if ((uint64_t)c->a[0] > CO_IP_GROUPS)
		return -EINVAL;
	size_t n = (size_t)c->a[0];
	long r = guest_read(list, (void *)c->a[1], n * sizeof(uint32_t));
	if (r < 0)
		return r;
	/* the kernel keeps them sorted */
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j && list[j - 1] > list[j]; j--) {
			uint32_t t = list[j];
			list[j] = list[j - 1];
			list[j - 1] = t;
		}
	memcpy(k->groups, list, n * sizeof(uint32_t));
	k->n_groups = (uint32_t)n;
	g.cred_epoch++;
	return 0;
}

/* The other end of a socket: its virtual ids are in its own interposer, where ours are in ours. */
long h_peercred(struct call *c)
{
	struct ucred u;
	struct co_ip_cred peer;
	uint32_t len = sizeof(u), room;
	long r = guest_read(&room, (void *)c->a[4], sizeof(room));
	if (r < 0)
		return r;
	r = sys5(SYS_getsockopt, c->a[0], c->a[1], c->a[2], &u, &len);
	if (r < 0)
		return r;
	struct iovec l = {&peer, sizeof(peer)}, f = {&g.cred, sizeof(peer)};
	if (u.uid == g.real_uid && u.pid > 0) {
		bool me = u.pid == (int32_t)sys0(SYS_getpid);
		bool got = !me && sys6(SYS_process_vm_readv, u.pid, (long)&l, 1, (long)&f, 1, 0) ==
					  (long)sizeof(peer);
		u.uid = me ? cred()->euid : got ? peer.euid : 0;
		u.gid = me ? cred()->egid : got ? peer.egid : 0;
	}
	if (len > room)
		len = room;
	r = guest_write((void *)c->a[3], &u, len);
	return r < 0 ? r : guest_write((void *)c->a[4], &len, sizeof(len));
}
