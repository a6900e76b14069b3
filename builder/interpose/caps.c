/* SPDX-License-Identifier: MIT
 *
 * Capabilities: the calls that show and change them, and what execve makes of them.
 */
#include "ids.h"
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <sys/stat.h>

#define LAST_CAP 40

struct cap_header {
	uint32_t version;
	int32_t pid;
};
struct cap_data {
	uint32_t effective, permitted, inheritable;
};

static int sets_of(uint32_t version)
{
	return version == _LINUX_CAPABILITY_VERSION_1 ? 1
	       : version == _LINUX_CAPABILITY_VERSION_2 || version == _LINUX_CAPABILITY_VERSION_3
		       ? 2
		       : 0;
}

static long header(const struct call *c, struct cap_header *h)
{
	long r = guest_read(h, (void *)c->a[0], sizeof(*h));
	if (r < 0)
		return r;
	if (sets_of(h->version))
		return h->pid < 0 ? -EINVAL : 0;
	uint32_t v = _LINUX_CAPABILITY_VERSION_3;
	r = guest_write((void *)c->a[0], &v, sizeof(v));
	return r < 0 ? r : c->a[1] ? -EINVAL : 1;
}

long h_capget(struct call *c)
{
	struct cap_header h;
	long r = header(c, &h);
	if (r)
		return r < 0 ? r : 0;
	if (h.pid && sys2(SYS_kill, h.pid, 0) == -ESRCH)
		return -ESRCH;
	if (!c->a[1])
		return 0;
	const struct co_ip_cred *k = cred();
	struct cap_data d[2];
	for (int i = 0; i < 2; i++)
		d[i] = (struct cap_data){(uint32_t)(k->effective >> 32 * i),
					 (uint32_t)(k->permitted >> 32 * i),
					 (uint32_t)(k->inheritable >> 32 * i)};
	return guest_write((void *)c->a[1], d, sizeof(d[0]) * (size_t)sets_of(h.version));
}

long h_capset(struct call *c)
{
	struct cap_header h;
	struct cap_data d[2] = {{0}};
	long r = header(c, &h);
	if (r)
		return r < 0 ? r : 0;
	if (h.pid && h.pid != (int32_t)sys0(SYS_gettid) && h.pid != (int32_t)sys0(SYS_getpid))
		return -EPERM;
	r = guest_read(d, (void *)c->a[1], sizeof(d[0]) * (size_t)sets_of(h.version));
	if (r < 0)
		return r;
	struct co_ip_cred *k = cred_change();
	uint64_t e = d[0].effective | (uint64_t)d[1].effective << 32;
	uint64_t p = d[0].permitted | (uint64_t)d[1].permitted << 32;
	uint64_t i = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	uint64_t all = (1ull << (LAST_CAP + 1)) - 1;
	e &= all, p &= all, i &= all;
	if (p & ~k->permitted || e & ~p)
		return -EPERM;
	if (i & ~(k->inheritable | k->bounding) ||
	    (!cred_cap(k, CAP_SETPCAP) && i & ~(k->inheritable | k->permitted)))
		return -EPERM;
	k->effective = e;
	k->permitted = p;
	k->inheritable = i;
	k->ambient &= p & i;
	g.cred_epoch++;
	return 0;
}

static long ambient(struct co_ip_cred *k, long op, uint64_t cap)
{
	if (op == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap ? -EINVAL : (long)(k->ambient = 0);
	if (cap > LAST_CAP)
		return -EINVAL;
	uint64_t bit = 1ull << cap;
	if (op == PR_CAP_AMBIENT_IS_SET)
		return !!(k->ambient & bit);
	if (op == PR_CAP_AMBIENT_LOWER)
		k->ambient &= ~bit;
	else if (op != PR_CAP_AMBIENT_RAISE)
		return -EINVAL;
	else if (!(k->permitted & k->inheritable & bit) ||
		 k->securebits & 1u << SECURE_NO_CAP_AMBIENT_RAISE)
		return -EPERM;
	else
		k->ambient |= bit;
	return 0;
}

static long keep_caps(struct co_ip_cred *k, uint64_t on)
{
	uint32_t bit = 1u << SECURE_KEEP_CAPS;
	if (on > 1)
		return -EINVAL;
	if (k->securebits & 1u << SECURE_KEEP_CAPS_LOCKED)
		return -EPERM;
	k->securebits = on ? k->securebits | bit : k->securebits & ~bit;
	return 0;
}

static long drop_bounding(struct co_ip_cred *k, uint64_t cap)
{
	if (!cred_cap(k, CAP_SETPCAP))
		return -EPERM;
	if (cap > LAST_CAP)
		return -EINVAL;
	k->bounding &= ~(1ull << cap);
	return 0;
}

static long prctl_ids(struct call *c)
{
	struct co_ip_cred *k = cred_change();
	uint64_t v = (uint64_t)c->a[1];
	switch (c->a[0]) {
	case PR_GET_KEEPCAPS:
		return k->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return keep_caps(k, v);
	case PR_CAPBSET_READ:
		return v > LAST_CAP ? -EINVAL : (long)(k->bounding >> v & 1);
	case PR_CAPBSET_DROP:
		return drop_bounding(k, v);
	case PR_GET_SECUREBITS:
		return k->securebits;
	case PR_SET_SECUREBITS:
		if (!cred_cap(k, CAP_SETPCAP))
			return -EPERM;
		k->securebits = (uint32_t)v;
		return 0;
	case PR_CAP_AMBIENT:
		return ambient(k, c->a[1], (uint64_t)c->a[2]);
	case PR_SET_NO_NEW_PRIVS:
		if (v != 1 || c->a[2] || c->a[3] || c->a[4])
			return -EINVAL;
		k->no_new_privs = 1;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return c->a[1] || c->a[2] || c->a[3] || c->a[4] ? -EINVAL : (long)k->no_new_privs;
	default:
		return -ENOSYS;
	}
}

/* Options whose effect would break the interposer are only remembered. */
long h_prctl(struct call *c)
{
	switch (c->a[0]) {
	case PR_SET_SECCOMP: /* a filter of the guest's would also hold our calls */
		return c->a[1] == 2 ? 0 : -EINVAL;
	case PR_GET_SECCOMP:
		return 0;
	case PR_SET_DUMPABLE: /* would close our own /proc/self/fd */
		if ((uint64_t)c->a[1] > 1)
			return -EINVAL;
		g.dumpable = (uint32_t)c->a[1];
		return 0;
	case PR_GET_DUMPABLE:
		return g.dumpable;
	default:
		break;
	}
	long r = ids_on() ? prctl_ids(c) : -ENOSYS;
	return r == -ENOSYS ? sys5(SYS_prctl, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4]) : r;
}

/* ---- execve ---- */

struct file_caps {
	bool there, effective;
	uint64_t permitted, inheritable;
};

/* security.capability, revision 2 or 3 (linux/capability.h). */
static void read_file_caps(const struct meta *m, struct file_caps *f)
{
	static const char name[] = "security.capability";
	struct owntab_xattr x;
	const uint8_t *key;
	uint32_t size, v[5];
	const uint8_t *block = owntab_block(g.tab, m->claimed ? m->xattrs : 0, &size);
	for (uint32_t pos = 0; owntab_record(block, size, &pos, &x, &key);) {
		if (x.key_len != sizeof(name) - 1 || memcmp(key, name, x.key_len) ||
		    x.value_len < sizeof(v))
			continue;
		memcpy(v, key + x.key_len, sizeof(v));
		f->there = v[0] >> 24 == 2 || v[0] >> 24 == 3;
		f->effective = v[0] & 1;
		f->permitted = v[1] | (uint64_t)v[3] << 32;
		f->inheritable = v[2] | (uint64_t)v[4] << 32;
	}
}

void cred_exec(struct co_ip_cred *c, const struct meta *m, bool *secure)
{
	struct file_caps f = {0};
	uint32_t old_euid = c->euid, old_egid = c->egid;
	uint64_t old = c->permitted;
	if (!c->no_new_privs) {
		if (m->mode & S_ISUID)
			c->euid = m->uid;
		if ((m->mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
			c->egid = m->gid;
		read_file_caps(m, &f);
	}
	bool set_id = c->euid != old_euid || c->egid != old_egid;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	bool root = !(c->securebits & 1u << SECURE_NOROOT);
	if (root && (!c->euid || !c->ruid)) {
		f.permitted = f.inheritable = ~0ull;
		f.effective = !c->euid;
		f.there = true;
	}
	if (set_id || f.there)
		c->ambient = root && !c->ruid && !set_id ? c->ambient : 0;
	c->permitted = (c->inheritable & f.inheritable) | (f.permitted & c->bounding) | c->ambient;
	c->effective = f.effective ? c->permitted : c->ambient;
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	*secure = set_id || (c->ruid && c->permitted & ~old);
}
