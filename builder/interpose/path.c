/* SPDX-License-Identifier: MIT */
#include "path.h"

#define MAX_LINKS 40

/* What can be said about a name by looking at it. */
struct shape {
	size_t len, last; /* last: place of the last slash */
	bool slash;	  /* contains one */
	bool plain;	  /* no empty, "." or ".." component, no slash at the end */
	bool name;	  /* the last component is a name */
	bool mounts;	  /* a component has the name of a mount */
};

static void look(struct shape *s, const char *p)
{
	*s = (struct shape){.plain = true};
	size_t i = 0;
	while (p[i]) {
		if (p[i] == '/') {
			s->slash = true;
			s->last = i++;
			s->plain &= p[i] != '/' && p[i];
			s->name = false;
			continue;
		}
		size_t start = i;
		while (p[i] && p[i] != '/')
			i++;
		size_t n = i - start;
		s->name = !(p[start] == '.' && (n == 1 || (n == 2 && p[start + 1] == '.')));
		s->plain &= s->name;
		if (g.mount_names & name_bit(p + start, n))
			s->mounts = true;
	}
	s->len = i;
}

void where_place(struct where *w, const char *text)
{
	const char *rest;
	size_t len = text_len(text);
	const struct co_ip_mount *m = mount_at(text, len, &rest);
	w->guest = *text ? text : "/";
	w->readonly = m && m->flags & CO_IPM_READONLY;
	w->is_mount = m && !*rest;
	if (m && m->flags & CO_IPM_FILE && !*rest) {
		/* a file has no name below a directory of ours: its descriptor's link stands for it
		 */
		w->dir = AT_FDCWD;
		w->rel = fd_path(w->link, sizeof(w->link), m->fd);
		w->follow = true;
		return;
	}
	w->dir = m ? m->fd : FD(CO_IPF_ROOT);
	w->rel = m ? rest : text;
	while (*w->rel == '/')
		w->rel++;
	if (!*w->rel)
		w->rel = w->slash ? "./" : ".";
}

/* The state of a walk: `rest` is what is still to be resolved, text[0..len) what is done. */
struct walk {
	char *text;
	size_t len;
	char rest[PATH_SIZE];
	char link[PATH_SIZE];
	const char *at;
	int links;
	bool follow;
	bool magic;	   /* the last component is a link only the kernel can follow */
	const char *whole; /* the name as given: what the cache learns. NULL: nothing */
	size_t whole_dir;
	bool dots; /* it is not plain */
	bool skip; /* what is known of it may be used */
};

/* Puts the target of a link in front of what is left. */
static long substitute(struct walk *k, const char *target, size_t n)
{
	size_t left = text_len(k->at);
	if (++k->links > MAX_LINKS)
		return -ELOOP;
	if (n + left + 2 > sizeof(k->rest))
		return -ENAMETOOLONG;
	memmove(k->rest + n + 1, k->at, left + 1);
	memmove(k->rest, target, n);
	k->rest[n] = '/';
	if (!left) /* keep the meaning of a link's own slash at the end only */
		k->rest[n] = '\0';
	k->at = k->rest;
	if (*target == '/') {
		k->len = text_len(g.root);
		memcpy(k->text, g.root, k->len);
	}
	return 0;
}

static void go_up(struct walk *k)
{
	size_t low = text_len(g.root);
	while (k->len > low && k->text[k->len - 1] != '/')
		k->len--;
	if (k->len > low)
		k->len--;
}

/* Reads text[0..len) (a whole name below its directory's place) as a link: its length, or error. */
static long read_link(struct walk *k, struct where *w)
{
	k->text[k->len] = '\0';
	where_place(w, k->text);
	if (w->is_mount)
		return -EINVAL;
	return sys4(SYS_readlinkat, w->dir, w->rel, k->link, sizeof(k->link) - 1);
}

/* One component that is not "." or "..". Returns 1 to go on, 0 when the walk is over. */
static long step(struct walk *k, struct where *w, size_t n, bool last)
{
	size_t dir_len = k->len;
	if (k->len + n + 2 > PATH_SIZE)
		return -ENAMETOOLONG;
	k->text[k->len] = '/';
	memcpy(k->text + k->len + 1, k->at, n);
	k->len += n + 1;
	k->text[k->len] = '\0';
	k->at += n;
	if (last && !k->follow)
		return 0;
	long r = read_link(k, w);
	if (r == -EINVAL)
		return 1;
	if (r < 0) {
		return last ? 0 : r;
	}
	k->link[r] = '\0';
	if (text_starts(k->text, "/proc/")) /* says something else to each process */
		k->whole = NULL;
	if (dir_len && proc_magic(k->text, dir_len, k->text + dir_len + 1, n)) {
		r = proc_link(k->text, k->link, sizeof(k->link));
		if (r <= 0 ||
		    (last && !text_ends(k->text, "/exe") && !text_ends(k->text, "/root"))) {
			k->magic = true;
			return last ? 0 : r < 0 ? r : -ENOENT;
		}
		k->len = 0; /* the whole tree's name, even in a chroot */
		r = substitute(k, k->link, (size_t)r);
		k->len = 0;
		return r < 0 ? r : 1;
	}
	k->len = dir_len;
	r = substitute(k, k->link, (size_t)r);
	return r < 0 ? r : 1;
}

static bool is_dots(const char *p, size_t n)
{
	return p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'));
}

/* How much of the name, to a slash, has no empty, "." or ".." component. */
static size_t plain_part(const char *p)
{
	size_t i = 1;
	for (size_t n = 1;; n++) {
		if (p[n] && p[n] != '/')
			continue;
		if (n == i || is_dots(p + i, n - i) || !p[n])
			return i;
		i = n + 1;
	}
}

/* Starts from the longest leading directory that is known already. */
static void skip_known(struct walk *k)
{
	size_t n = text_len(k->at), got;
	while (n && k->at[n - 1] != '/')
		n--;
	if (k->dots && n > 1) {
		if (cache_find(k->at, n - 1, k->text, &got, cache_gen(true))) {
			k->len = got;
			k->at += n - 1;
			return;
		}
		n = plain_part(k->at);
	}
	uint32_t gen = cache_gen(false);
	for (; n > 1; n--) {
		if (k->at[n - 1] != '/')
			continue;
		if (cache_find(k->at, n - 1, k->text, &got, gen)) {
			k->len = got;
			k->at += n - 1;
			return;
		}
	}
}

/* The walk has come to the last component of the name as it was given: its directory is known. */
static void learn(struct walk *k, uint32_t gen)
{
	if (!text_starts(k->text, "/proc/"))
		cache_add(k->whole, k->whole_dir, k->text, k->len, gen);
	k->whole = NULL;
}

static long must_be_directory(struct walk *k, struct where *w)
{
	if (!k->len)
		return 0;
	uint32_t gen = cache_gen(true);
	size_t n = k->len;
	char key[256]; /* the name and "/.": what that leads to is a directory */
	bool fits = n + 3 < sizeof(key);
	if (fits) {
		memcpy(key, k->text, n);
		key[n] = '/';
		key[n + 1] = '.';
		if (cache_find(key, n + 2, key, &n, gen))
			return 0;
	}
	k->text[k->len] = '\0';
	where_place(w, k->text);
	long fd = sys4(SYS_openat, w->dir, w->rel, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd >= 0) {
		sys1(SYS_close, fd);
		if (fits && !text_starts(k->text, "/proc/"))
			cache_add(key, k->len + 2, k->text, k->len, gen);
	}
	return fd < 0 && fd != -EMFILE && fd != -ENFILE ? fd : 0;
}

static long walk(struct walk *k, struct where *w)
{
	uint32_t gen = cache_gen(false), whole_gen = cache_gen(k->dots);
	if (k->skip)
		skip_known(k);
	for (;;) {
		while (*k->at == '/')
			k->at++;
		size_t n = 0;
		while (k->at[n] && k->at[n] != '/')
			n++;
		if (!n)
			return 0;
		if (is_dots(k->at, n)) {
			long r = must_be_directory(k, w);
			if (r < 0)
				return r;
			if (n == 2)
				go_up(k);
			k->at += n;
			continue;
		}
		const char *z = k->at + n;
		while (*z == '/')
			z++;
		bool was_last = !*z;
		k->text[k->len] = '\0';
		if (was_last && k->whole)
			learn(k, whole_gen);
		long r = step(k, w, n, was_last);
		if (r <= 0)
			return r;
		if (!was_last && !k->links)
			cache_add(k->text, k->len, k->text, k->len, gen);
	}
}

/* An entry called "." or ".." can be neither made nor removed; which error that is, the kernel
 * says: the name is taken off before the walk and put back after it. */
static const char *take_dots(char *path)
{
	size_t n = text_len(path), at = n;
	while (at && path[at - 1] != '/')
		at--;
	if (!is_dots(path + at, n - at))
		return "";
	path[at] = '\0';
	return n - at == 1 ? "/." : "/..";
}

static long walk_from(struct where *w, const char *absolute, bool follow)
{
	struct shape s;
	struct walk k;
	look(&s, absolute);
	k.text = w->text;
	k.len = text_len(g.root);
	memcpy(k.text, g.root, k.len);
	k.follow = follow;
	k.magic = false;
	k.links = 0;
	w->slash = s.len > 1 && absolute[s.len - 1] == '/';
	if (w->slash && !(w->how & W_CHANGE))
		k.follow = true;
	text_put(k.rest, k.rest + sizeof(k.rest), absolute);
	const char *dots = w->how & W_CHANGE ? take_dots(k.rest) : "";
	k.at = k.rest;
	w->follow = w->maybe_link = false;
	k.whole = s.name && !g.root[0] ? absolute : NULL;
	k.dots = !s.plain;
	/* of a link with a slash behind it, a change means the link itself */
	k.skip = !g.root[0] && (s.name || !(w->how & W_CHANGE));
	k.whole_dir = s.last;
	long r = walk(&k, w);
	if (r < 0)
		return r;
	text_put(w->text + k.len, w->text + PATH_SIZE, dots);
	w->follow = false;
	if (w->slash && k.len && k.len + 2 < PATH_SIZE) {
		/* the kernel says what a slash at the end means for this operation */
		where_place(w, w->text);
		bool mount = w->is_mount;
		if (!mount) {
			w->text[k.len] = '/';
			w->text[k.len + 1] = '\0';
		}
	}
	where_place(w, w->text);
	if (k.magic)
		w->follow = follow;
	return 0;
}

long where_walk(struct where *w, bool follow)
{
	char absolute[PATH_SIZE];
	text_put(absolute, absolute + sizeof(absolute), w->in);
	return walk_from(w, absolute, follow);
}

/* The name in w->in below w->from as an absolute one. */
static long absolute_text(struct where *w, char *out)
{
	if (w->in[0] == '/') {
		text_put(out, out + PATH_SIZE, w->in);
		return 0;
	}
	long n = name_of_fd(w->from, out, PATH_SIZE);
	if (n < 0)
		return n;
	if (!name_in_chroot(out))
		return -ENOENT;
	n = (long)text_len(out);
	if ((size_t)n + text_len(w->in) + 2 > PATH_SIZE)
		return -ENAMETOOLONG;
	out[n] = '/';
	text_put(out + n + 1, out + PATH_SIZE, w->in);
	return 0;
}

static long resolve_slow(struct where *w, bool follow)
{
	char absolute[PATH_SIZE];
	long r = absolute_text(w, absolute);
	if (r == -ENOTDIR && w->in[0] != '/') {
		/* a directory that is nowhere in the guest's world: the kernel knows it */
		w->dir = w->from;
		w->rel = w->in;
		w->follow = follow;
		w->guest = NULL;
		return 0;
	}
	return r < 0 ? r : walk_from(w, absolute, follow);
}

/* An absolute, plain name without mounts in it: one look into the cache. */
static bool resolve_fast(struct where *w, const struct shape *s)
{
	size_t n = 0;
	if (s->last && !cache_find(w->in, s->last, w->text, &n, cache_gen(false)))
		return false;
	if (n + (s->len - s->last) + 1 > PATH_SIZE)
		return false;
	memcpy(w->text + n, w->in + s->last, s->len - s->last + 1);
	if (s->last && (s->mounts || n != s->last || memcmp(w->text, w->in, n))) {
		where_place(w, w->text);
		/* behind a link there may be a mount, and a mount may be the name itself */
		if (w->is_mount || text_starts(w->text, "/proc/"))
			return false;
		return true;
	}
	w->guest = w->text;
	w->dir = FD(CO_IPF_ROOT);
	w->rel = w->text + 1;
	return true;
}

static long find_translated(struct where *w)
{
	struct shape s;
	look(&s, w->in);
	w->maybe_link = w->how & W_FOLLOW;
	if (w->in[0] == '/') {
		if (s.plain && !g.root[0] && s.len > 1 && !(s.mounts && !s.last) &&
		    resolve_fast(w, &s))
			return 0;
	} else if (s.plain && !s.slash && !s.mounts && !g.any_readonly) {
		w->dir = w->from;
		w->rel = w->in;
		return 0;
	}
	return resolve_slow(w, w->how & W_FOLLOW);
}

long where_find(struct where *w, int dirfd, const char *name, unsigned how)
{
	w->follow = w->maybe_link = w->readonly = w->is_mount = w->slash = false;
	w->guest = NULL;
	w->from = dirfd;
	w->how = how;
	long n = 0;
	w->in[0] = '\0';
	if (name || !(how & W_EMPTY))
		n = guest_string(w->in, sizeof(w->in), name);
	if (n < 0)
		return n;
	if (fd_reserved(dirfd) && w->in[0] != '/')
		return -EBADF;
	if (!n) {
		if (!(how & W_EMPTY))
			return -ENOENT;
		w->dir = dirfd;
		w->rel = "";
		return 0;
	}
	if (!paths_on()) {
		w->dir = dirfd;
		w->rel = w->in;
		w->follow = how & W_FOLLOW;
		/* the kernel's link leads to the interposer */
		if (w->follow && proc_exe(dirfd, w->in, w->text, sizeof(w->text)) > 0)
			w->rel = w->text;
		return 0;
	}
	long r = find_translated(w);
	if (r < 0)
		return r;
	if (how & W_CHANGE) {
		if (w->is_mount || (w->guest && g.ses->n_mounts && mount_below(w->guest)))
			return -EBUSY;
		if (w->readonly)
			return -EROFS;
	}
	return 0;
}

long where_follow(struct where *w)
{
	char absolute[PATH_SIZE];
	long r = 0;
	if (w->guest)
		text_put(absolute, absolute + sizeof(absolute), w->guest);
	else
		r = absolute_text(w, absolute);
	if (r == 0 && w->guest && !name_in_chroot(absolute))
		r = -ENOENT;
	return r < 0 ? r : walk_from(w, absolute, true);
}

long where_guest(struct where *w)
{
	if (w->guest || !paths_on())
		return 0;
	char absolute[PATH_SIZE];
	long r = absolute_text(w, absolute);
	return r < 0 ? r : walk_from(w, absolute, w->how & W_FOLLOW);
}

const char *where_path(const struct where *w, char *out)
{
	char *end = out + WHERE_PATH, *p = out;
	if (w->dir == AT_FDCWD || w->rel[0] == '/') {
		text_put(p, end, w->rel);
		return out;
	}
	fd_path(out, WHERE_PATH, w->dir);
	if (*w->rel) {
		p = text_put(out + text_len(out), end, "/");
		text_put(p, end, w->rel);
	}
	return out;
}

long where_open(const struct where *w, int flags)
{
	char t[40];
	if (!*w->rel)
		return w->dir == AT_FDCWD
			       ? sys4(SYS_openat, AT_FDCWD, ".", flags | O_CLOEXEC, 0)
			       : sys4(SYS_openat, AT_FDCWD, fd_path(t, sizeof(t), w->dir),
				      flags | O_CLOEXEC, 0);
	return sys4(SYS_openat, w->dir, w->rel, flags | O_CLOEXEC | (w->follow ? 0 : O_NOFOLLOW),
		    0);
}
