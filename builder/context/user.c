/* SPDX-License-Identifier: MIT
 *
 * Users of an image, read from its own passwd and group: no NSS, nothing loaded, files bounded
 * (CVE-2024-9676, CVE-2026-47262). The rules are those of runc's user look-up; a malformed line
 * never turns into uid 0.
 */
#include "context-internal.h"
#include <cooper/inroot.h>
#include <cooper/str.h>

#define FILE_MAX_BYTES (1u << 20)
#define MAX_ID	       INT32_MAX
#define MAX_GROUPS     65536 /* NGROUPS_MAX */

/* One line of passwd or group, cut at its colons. */
struct line {
	struct piece {
		const char *p;
		size_t n;
	} f[7];
	size_t n;
};

static bool next_line(const char **text, struct line *out)
{
	while (*text && **text) {
		const char *p = *text;
		size_t n = strcspn(p, "\n");
		*text = p + n + (p[n] == '\n');
		for (; n && co_is_space(*p); n--)
			p++;
		while (n && co_is_space(p[n - 1]))
			n--;
		if (!n || *p == '#')
			continue;
		*out = (struct line){0};
		for (const char *end = p + n; out->n < 7;) {
			const char *colon = out->n < 6 ? memchr(p, ':', (size_t)(end - p)) : NULL;
			out->f[out->n++] = (struct piece){p, (size_t)((colon ? colon : end) - p)};
			if (!colon)
				break;
			p = colon + 1;
		}
		return true;
	}
	return false;
}

static bool piece_is(const struct piece *f, const char *s, size_t n)
{
	return f->n == n && !memcmp(f->p, s, n);
}

/* Digits only; leading zeros are decimal. False also when out of range. */
static bool piece_id(const struct piece *f, uint32_t *out)
{
	uint64_t v = 0;
	for (size_t i = 0; i < f->n; i++) {
		if (!co_is_digit(f->p[i]))
			return false;
		v = v * 10 + (uint64_t)(f->p[i] - '0');
		if (v > MAX_ID)
			return false;
	}
	*out = (uint32_t)v;
	return f->n > 0;
}

enum number { NOT_NUMBER, NUMBER, OUT_OF_RANGE };

/* A number as the user may write it: a sign, then digits. */
static enum number parse_number(const char *s, size_t n, uint64_t max, uint32_t *out)
{
	bool minus = n && *s == '-';
	if (n && (*s == '-' || *s == '+')) {
		s++;
		n--;
	}
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++) {
		if (!co_is_digit(s[i]))
			return NOT_NUMBER;
		if (v <= max)
			v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (!n)
		return NOT_NUMBER;
	if (v > max || (minus && v))
		return OUT_OF_RANGE;
	*out = (uint32_t)v;
	return NUMBER;
}

static int bad_range(const char *what, const char *s, size_t n, struct co_err *err)
{
	return co_fail(err, CO_E_INVALID, "%s id %.*s is out of range (0 to 2147483647)", what,
		       n > 40 ? 40 : (int)n, s);
}

/* The first line whose name is s, else the first one whose id (field 2) is. */
static bool find_line(const char *text, const char *s, size_t n, bool by_id, uint32_t id,
		      struct line *out)
{
	uint32_t v;
	struct line l;
	for (const char *p = text; n && next_line(&p, &l);)
		if (l.n >= 3 && piece_is(&l.f[0], s, n)) {
			*out = l;
			return true;
		}
	for (const char *p = text; by_id && next_line(&p, &l);)
		if (l.n >= 3 && piece_id(&l.f[2], &v) && v == id) {
			*out = l;
			return true;
		}
	return false;
}

static void keep(char *out, size_t size, const struct piece *f)
{
	size_t n = f->n < size ? f->n : size - 1;
	memcpy(out, f->p, n);
	out[n] = '\0';
}

static int from_line(struct co_user *u, const struct line *l, struct co_err *err)
{
	if (!piece_id(&l->f[2], &u->uid) || l->n < 4 || !piece_id(&l->f[3], &u->gid))
		return co_fail(err, CO_E_INVALID, "/etc/passwd: malformed line of user %.*s",
			       l->f[0].n > 80 ? 80 : (int)l->f[0].n, l->f[0].p);
	keep(u->name, sizeof(u->name), &l->f[0]);
	if (l->n > 5 && l->f[5].n)
		keep(u->home, sizeof(u->home), &l->f[5]);
	return 0;
}

static int find_user(struct co_user *u, const char *passwd, const char *s, size_t n,
		     struct co_err *err)
{
	uint32_t id = 0;
	struct line l;
	enum number kind = n ? parse_number(s, n, MAX_ID, &id) : NUMBER;
	if (find_line(passwd, s, n, kind == NUMBER, id, &l))
		return from_line(u, &l, err);
	if (kind == OUT_OF_RANGE)
		return bad_range("user", s, n, err);
	if (kind == NUMBER) {
		u->uid = id;
		return 0;
	}
	co_fail(err, CO_E_NOT_FOUND, "user \"%.*s\" is not in the image's /etc/passwd",
		n > 80 ? 80 : (int)n, s);
	return co_hint(err, "add it (adduser, useradd) before it is used, or use a number");
}

static int find_group(uint32_t *gid, const char *group, const char *s, size_t n, struct co_err *err)
{
	uint32_t id = 0;
	struct line l;
	enum number kind = parse_number(s, n, MAX_ID, &id);
	if (find_line(group, s, n, kind == NUMBER, id, &l)) {
		if (!piece_id(&l.f[2], gid))
			return co_fail(err, CO_E_INVALID,
				       "/etc/group: malformed line of group %.*s",
				       n > 80 ? 80 : (int)n, s);
		return 0;
	}
	if (kind == OUT_OF_RANGE)
		return bad_range("group", s, n, err);
	if (kind == NUMBER) {
		*gid = id;
		return 0;
	}
	co_fail(err, CO_E_NOT_FOUND, "group \"%.*s\" is not in the image's /etc/group",
		n > 80 ? 80 : (int)n, s);
	return co_hint(err, "add it (addgroup, groupadd) before it is used, or use a number");
}

static bool has_member(const struct piece *members, const char *name)
{
	size_t n = strlen(name);
	for (size_t at = 0; at < members->n;) {
		const char *p = members->p + at;
		const char *comma = memchr(p, ',', members->n - at);
		size_t len = comma ? (size_t)(comma - p) : members->n - at;
		if (len == n && !memcmp(p, name, n))
			return true;
		at += len + 1;
	}
	return false;
}

static int add_group(struct co_user *u, uint32_t gid, struct co_err *err)
{
	if (u->n_groups == MAX_GROUPS)
		return co_fail(err, CO_E_LIMIT, "user %s is in more than %d groups", u->name,
			       MAX_GROUPS);
	/* doubles at powers of two */
	if (!(u->n_groups & (u->n_groups - 1)))
		u->groups = co_xrealloc(u->groups, u->n_groups ? 2 * u->n_groups : 1,
					sizeof(*u->groups));
	u->groups[u->n_groups++] = gid;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* The primary group comes first; the others once each, in order. */
static void sort_groups(struct co_user *u)
{
	size_t n = 1;
	qsort(u->groups + 1, u->n_groups - 1, sizeof(*u->groups), by_id);
	for (size_t i = 1; i < u->n_groups; i++)
		if (u->groups[i] != u->gid && (n == 1 || u->groups[i] != u->groups[n - 1]))
			u->groups[n++] = u->groups[i];
	u->n_groups = n;
}

/* The primary group is one of them: a file that denies it to the group must stay closed (BuildKit's
 * fix of 2023). */
static int find_groups(struct co_user *u, const char *group, bool all, struct co_err *err)
{
	struct line l;
	uint32_t gid;
	int r = add_group(u, u->gid, err);
	for (const char *p = group; all && *u->name && r == 0 && next_line(&p, &l);)
		if (l.n >= 4 && has_member(&l.f[3], u->name) && piece_id(&l.f[2], &gid))
			r = add_group(u, gid, err);
	if (!r)
		sort_groups(u);
	return r;
}

int co_user_resolve_text(struct co_user *out, const char *passwd, const char *group,
			 const char *text, struct co_err *err)
{
	struct co_user u = {.home = "/"};
	size_t n = strcspn(text, ":");
	const char *g = text[n] ? text + n + 1 : "";
	int r = find_user(&u, passwd, text, n, err);
	if (!r && *g)
		r = find_group(&u.gid, group, g, strlen(g), err);
	if (!r)
		r = find_groups(&u, group, !*g, err);
	if (r < 0) {
		co_user_release(&u);
		return r;
	}
	*out = u;
	return 0;
}

/* NULL text when there is none. */
static int slurp(const struct co_root *root, const char *path, char **out, struct co_err *err)
{
	size_t len;
	*out = co_inroot_slurp(root->fd, path, FILE_MAX_BYTES, &len);
	if (!*out && errno != ENOENT && errno != ENOTDIR) {
		if (errno == EFBIG)
			return co_fail(err, CO_E_LIMIT, "the image's /%s is larger than %u bytes",
				       path, FILE_MAX_BYTES);
		if (errno == EINVAL)
			return co_fail(err, CO_E_INVALID, "the image's /%s is not a regular file",
				       path);
		return co_fail_sys(err, "the image's /%s", path);
	}
	return 0;
}

int co_user_resolve(struct co_user *out, const struct co_root *root, const char *text,
		    struct co_err *err)
{
	auto_free char *passwd = NULL, *group = NULL;
	int r = slurp(root, "etc/passwd", &passwd, err);
	if (!r)
		r = slurp(root, "etc/group", &group, err);
	return r ? r : co_user_resolve_text(out, passwd, group, text, err);
}

static int chown_user(uint32_t *uid, uint32_t *gid, const struct co_root *root, const char *s,
		      size_t n, struct co_err *err)
{
	enum number kind = parse_number(s, n, UINT32_MAX - 1, uid);
	if (kind == NUMBER) {
		*gid = *uid;
		return 0;
	}
	if (kind == OUT_OF_RANGE)
		return bad_range("user", s, n, err);
	auto_free char *passwd = NULL;
	struct co_user u = {0};
	int r = slurp(root, "etc/passwd", &passwd, err);
	if (!r)
		r = find_user(&u, passwd, s, n, err);
	*uid = u.uid;
	*gid = u.gid;
	return r;
}

static int chown_group(uint32_t *gid, const struct co_root *root, const char *s, struct co_err *err)
{
	size_t n = strlen(s);
	enum number kind = parse_number(s, n, UINT32_MAX - 1, gid);
	if (kind == NUMBER)
		return 0;
	if (kind == OUT_OF_RANGE)
		return bad_range("group", s, n, err);
	auto_free char *group = NULL;
	int r = slurp(root, "etc/group", &group, err);
	return r ? r : find_group(gid, group, s, n, err);
}

int co_chown_resolve(uint32_t *uid, uint32_t *gid, const struct co_root *root, const char *text,
		     struct co_err *err)
{
	uint32_t u, g;
	size_t n = strcspn(text, ":");
	if (!n || (text[n] && !text[n + 1]))
		return co_fail(err, CO_E_SYNTAX, "\"%s\" is not of the form user or user:group",
			       text);
	int r = chown_user(&u, &g, root, text, n, err);
	if (!r && text[n])
		r = chown_group(&g, root, text + n + 1, err);
	if (r < 0)
		return r;
	*uid = u;
	*gid = g;
	return 0;
}

void co_user_release(struct co_user *u)
{
	free(co_steal(&u->groups));
	u->n_groups = 0;
}
