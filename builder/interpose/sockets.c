/* SPDX-License-Identifier: MIT
 *
 * A unix socket's name goes through the kernel as a string of at most 108 bytes and comes back as
 * it was given, so a translated name must be short, and recognisable on its way back: a link to the
 * root, made by the sandbox, and the path below it; else the real path; else a descriptor's link.
 * Where ids are the kernel's, a user of the step may not search the directories above the root: the
 * descriptor's link it is.
 */
#include "sockets.h"
#include "attempts.h"
#include "signals.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define NAME_AT	  ((long)offsetof(struct sockaddr_un, sun_path))
#define NAME_MAX_ ((long)sizeof(((struct sockaddr_un *)0)->sun_path))

/* Joins a directory's name and rel; false when it is too long. */
static bool join(struct sockaddr_un *out, const char *dir, const char *rel)
{
	size_t n = text_len(dir), k = text_len(rel);
	if (!n || n + k + 2 > (size_t)NAME_MAX_)
		return false;
	char *end = out->sun_path + NAME_MAX_;
	text_put(text_put(text_put(out->sun_path, end, dir), end, "/"), end, rel);
	return true;
}

static bool shorten(const struct where *w, struct sockaddr_un *out)
{
	char t[40];
	const char *rest;
	out->sun_family = AF_UNIX;
	if (!ids_on())
		return join(out, fd_path(t, sizeof(t), w->dir), w->rel);
	if (w->dir == FD(CO_IPF_ROOT))
		return join(out, g.ses->alias, w->rel) || join(out, g.ses->root, w->rel) ||
		       join(out, fd_path(t, sizeof(t), w->dir), w->rel);
	const struct co_ip_mount *m =
		w->guest ? mount_at(w->guest, text_len(w->guest), &rest) : NULL;
	return (m && join(out, m->source, w->rel)) ||
	       join(out, fd_path(t, sizeof(t), w->dir), w->rel);
}

/* The kernel's form of an address: its length; 0 when it is not a name in the file system or needs
 * no change. */
static long translate(const void *addr, long len, struct where *w, struct sockaddr_un *out,
		      bool making)
{
	struct sockaddr_un in;
	char name[NAME_MAX_ + 1];
	if (len <= NAME_AT || len > (long)sizeof(in) || !addr)
		return 0;
	long r = guest_read(&in, addr, (size_t)len);
	if (r < 0)
		return r;
	if (in.sun_family != AF_UNIX || !in.sun_path[0])
		return 0;
	memcpy(name, in.sun_path, (size_t)(len - NAME_AT));
	name[len - NAME_AT] = '\0';
	r = where_find(w, AT_FDCWD, name, making ? W_CHANGE : W_FOLLOW);
	if (r < 0)
		return r == -EBUSY || r == -EEXIST ? -EADDRINUSE : r;
	struct meta m;
	if (w->maybe_link && meta_get(w, &m) == 0 && S_ISLNK(m.mode) && (r = where_follow(w)) < 0)
		return r;
	if (ids_on()) {
		r = making ? may_change_dir(w, false) : may_reach(w);
		if (r == 0 && !making && meta_get(w, &m) == 0)
			r = may(&m, 2 /* W_OK */);
		if (r < 0)
			return r;
	}
	memset(out, 0, sizeof(*out));
	if (!paths_on() || (w->dir == AT_FDCWD && !w->guest)) {
		memcpy(out, &in, (size_t)len);
		return len;
	}
	if (w->dir == AT_FDCWD) { /* a mounted file */
		out->sun_family = AF_UNIX;
		text_put(out->sun_path, out->sun_path + NAME_MAX_, w->rel);
	} else if (!shorten(w, out)) {
		return -ENAMETOOLONG;
	}
	return NAME_AT + (long)text_len(out->sun_path) + 1;
}

long h_bind(struct call *c)
{
	struct where w;
	struct sockaddr_un a;
	long len = translate((void *)c->a[1], c->a[2], &w, &a, true);
	if (len < 0)
		return len;
	if (!len)
		return sys3(SYS_bind, c->a[0], c->a[1], c->a[2]);
	long r = sys3(SYS_bind, c->a[0], &a, len);
	if (r == 0)
		new_entry(&w, S_IFSOCK | 0777, 0, 0);
	return r;
}

/* Abstract names belong to the machine's network; the kernel keeps the step among its own. Its
 * own network may be an empty one. */
static bool leads_out(const struct call *c, char name[NAME_MAX_ + 1])
{
	struct sockaddr_un in;
	size_t n = (size_t)c->a[2];
	memset(&in, 0, sizeof(in));
	if (c->a[2] <= NAME_AT || n > sizeof(in) || guest_read(&in, (void *)c->a[1], n) < 0)
		return false;
	if (in.sun_family != AF_UNIX) {
		name[0] = '\0';
		return g.flags & CO_IP_OFFLINE;
	}
	if (in.sun_path[0])
		return false;
	in.sun_path[0] = '@';
	n -= (size_t)NAME_AT;
	memcpy(name, in.sun_path, n);
	name[n] = '\0';
	return true;
}

long h_connect(struct call *c)
{
	struct where w;
	struct sockaddr_un a;
	char name[NAME_MAX_ + 1];
	long len = translate((void *)c->a[1], c->a[2], &w, &a, false);
	if (len < 0)
		return len;
	if (!len && leads_out(c, name)) {
		long r = call_waiting(c, SYS_connect, c->a);
		if (r == -EPERM || r == -ENETUNREACH)
			attempt_note(SYS_connect, c->a, name);
		return r;
	}
	if (!len)
		return call_resume(c);
	const long args[6] = {c->a[0], (long)&a, len};
	return call_waiting(c, SYS_connect, args);
}

long h_sendto(struct call *c)
{
	struct where w;
	struct sockaddr_un a;
	long len = translate((void *)c->a[4], c->a[5], &w, &a, false);
	if (len < 0)
		return len;
	if (!len)
		return call_resume(c);
	const long args[6] = {c->a[0], c->a[1], c->a[2], c->a[3], (long)&a, len};
	return call_waiting(c, SYS_sendto, args);
}

/* Credentials in a message must be the real ones. Returns whether any were there. */
static bool real_credentials(char *control, size_t n)
{
	bool any = false;
	if (!ids_on())
		return false;
	for (size_t at = 0; at + sizeof(struct cmsghdr) <= n;) {
		struct cmsghdr *h = (void *)(control + at);
		if (h->cmsg_len < sizeof(*h) || h->cmsg_len > n - at)
			break;
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS &&
		    h->cmsg_len >= CMSG_LEN(sizeof(struct ucred))) {
			struct ucred *u = (void *)CMSG_DATA(h);
			u->uid = g.real_uid;
			u->gid = g.real_gid;
			any = true;
		}
		at += CMSG_ALIGN(h->cmsg_len);
	}
	return any;
}

/* *as_is: nothing has to be translated, and nothing was sent. */
static long send_message(struct call *c, struct msghdr *from, long flags, bool *as_is)
{
	struct where w;
	struct sockaddr_un a;
	struct msghdr m;
	char control[4096] __attribute__((aligned(16)));
	long len = 0;
	*as_is = false;
	if (guest_read(&m, from, sizeof(m)) < 0)
		return -EFAULT;
	if (m.msg_name && m.msg_namelen)
		len = translate(m.msg_name, m.msg_namelen, &w, &a, false);
	if (len < 0)
		return len;
	bool creds = m.msg_control && m.msg_controllen && m.msg_controllen <= sizeof(control) &&
		     guest_read(control, m.msg_control, m.msg_controllen) == 0 &&
		     real_credentials(control, m.msg_controllen);
	*as_is = !len && !creds;
	if (*as_is)
		return 0;
	if (len) {
		m.msg_name = &a;
		m.msg_namelen = (socklen_t)len;
	}
	if (creds)
		m.msg_control = control;
	const long args[6] = {c->a[0], (long)&m, flags};
	return call_waiting(c, SYS_sendmsg, args);
}

long h_sendmsg(struct call *c)
{
	bool as_is;
	long r = send_message(c, (void *)c->a[1], c->a[2], &as_is);
	return as_is ? call_resume(c) : r;
}

/* Does a message name a socket in the file system, or bear credentials? */
static bool wants_translation(const struct msghdr *m)
{
	uint16_t family = 0;
	if (ids_on() && m->msg_control && m->msg_controllen)
		return true;
	if (!m->msg_name || m->msg_namelen < sizeof(family))
		return false;
	return guest_read(&family, m->msg_name, sizeof(family)) == 0 && family == AF_UNIX;
}

/* Fewer messages may be sent than were given: if any needs us, the first one. */
long h_sendmmsg(struct call *c)
{
	struct mmsghdr *list = (void *)c->a[1], m;
	uint32_t n = (uint32_t)c->a[2] < 1024 ? (uint32_t)c->a[2] : 1024, i = 0;
	while (i < n && guest_read(&m, &list[i], sizeof(m)) == 0 && !wants_translation(&m.msg_hdr))
		i++;
	if (i == n)
		return call_resume(c);
	bool as_is;
	const long args[6] = {c->a[0], (long)list, c->a[3]};
	long r = send_message(c, &list[0].msg_hdr, c->a[3], &as_is);
	if (as_is)
		r = call_waiting(c, SYS_sendmsg, args);
	if (r < 0)
		return r;
	uint32_t len = (uint32_t)r;
	r = guest_write(&list[0].msg_len, &len, sizeof(len));
	return r < 0 ? r : 1;
}

/* What a name was before translate() made it. */
static void translate_back(struct sockaddr_un *a, char *name, size_t size)
{
	const char *p = a->sun_path;
	char guest[PATH_SIZE], root[40];
	size_t n = text_len(g.ses->alias);
	text_put(name, name + size, p);
	if (n && text_starts(p, g.ses->alias) && p[n] == '/') {
		text_put(name, name + size, p + n);
	} else if (text_starts(p, fd_path(root, sizeof(root), FD(CO_IPF_ROOT)))) {
		text_put(name, name + size, p + text_len(root));
	} else if (p[0] == '/' && name_to_guest(guest, sizeof(guest), p)) {
		text_put(name, name + size, guest);
	}
	name_in_chroot(name);
}

/* getsockname, getpeername */
long h_sockname(struct call *c)
{
	struct sockaddr_storage s;
	struct sockaddr_un *a = (void *)&s;
	int32_t room, len = sizeof(s);
	char name[NAME_MAX_ + 1];
	memset(&s, 0, sizeof(s));
	if (guest_read(&room, (void *)c->a[2], sizeof(room)) < 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	long r = sys3(c->nr, c->a[0], &s, &len);
	if (r < 0)
		return r;
	if (len > (int32_t)sizeof(s))
		len = sizeof(s);
	if (a->sun_family == AF_UNIX && len > NAME_AT && a->sun_path[0]) {
		translate_back(a, name, sizeof(name));
		text_put(a->sun_path, a->sun_path + NAME_MAX_, name);
		len = (int32_t)(NAME_AT + (long)text_len(a->sun_path) + 1);
	}
	r = guest_write((void *)c->a[1], &s, (size_t)(len < room ? len : room));
	return r < 0 ? r : guest_write((void *)c->a[2], &len, sizeof(len));
}
