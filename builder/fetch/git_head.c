/* SPDX-License-Identifier: MIT
 *
 * Which commit is checked out: HEAD, and the references it leads through.
 */
#include "git-read.h"
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define REF_MAX	  4096
#define MAX_STEPS 8

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool git_id_parse(struct git_id *out, const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");
	if ((n != 40 && n != 64) || (text[n] && !co_is_space(text[n])))
		return false;
	*out = (struct git_id){.len = n / 2};
	for (size_t i = 0; i < n / 2; i++)
		out->bytes[i] = (uint8_t)(hex(text[2 * i]) << 4 | hex(text[2 * i + 1]));
	return true;
}

/* It becomes a path: below refs/, and nothing that leads out of there. */
static bool is_name(const char *s)
{
	if (!co_starts(s, "refs/") || strlen(s) >= REF_MAX || strstr(s, "//") || co_ends(s, "/"))
		return false;
	for (const char *p = s; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (*p == '.')
			return false;
	}
	return true;
}

/* These belong to one work tree. */
static bool is_own(const char *name)
{
	return co_starts(name, "refs/worktree/") || co_starts(name, "refs/bisect/") ||
	       co_starts(name, "refs/rewritten/");
}

/* "<id> <name>" a line, sorted; "#" and "^" lines are about something else. */
static int from_packed(struct git_id *out, int common, const char *name, struct co_err *err)
{
	int fd = git_open_file(common, "packed-refs");
	if (fd < 0)
		return errno == ENOENT ? 0 : co_fail_sys(err, "packed-refs");
	auto_file f = fdopen(fd, "r");
	char line[REF_MAX + 80];
	if (!f) {
		close(fd);
		return co_fail_sys(err, "packed-refs");
	}
	while (fgets(line, sizeof(line), f)) {
		char *blank = strchr(line, ' ');
		line[strcspn(line, "\n")] = '\0';
		if (!blank || line[0] == '#' || strcmp(blank + 1, name) != 0)
			continue;
		if (!git_id_parse(out, line))
			return co_fail(err, CO_E_INVALID, "packed-refs: %s has no object", name);
		return 1;
	}
	return 0;
}

/* What HEAD or a reference says. HEAD was a symbolic link once. */
static int read_ref(struct co_buf *out, const struct git_dir *d, const char *name,
		    struct co_err *err)
{
	char target[REF_MAX];
	if (!strcmp(name, "HEAD")) {
		ssize_t n = readlinkat(d->dir, name, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = '\0';
			*out = (struct co_buf)CO_BUF_INIT(REF_MAX + 8);
			co_buf_addf(out, "ref: %s", target);
			return 0;
		}
		return git_read_text(d->dir, name, REF_MAX + 8, out, err);
	}
	return git_read_text(is_own(name) ? d->dir : d->common, name, REF_MAX + 8, out, err);
}

int git_head(struct git_id *out, const struct git_dir *d, struct co_err *err)
{
	char name[REF_MAX] = "HEAD";
	for (unsigned i = 0; i < MAX_STEPS; i++) {
		auto_buf text = CO_BUF_INIT(REF_MAX + 8);
		struct co_err none = CO_ERR_INIT;
		int r = read_ref(&text, d, name, &none);
		if (r == CO_E_NOT_FOUND && i)
			return from_packed(out, d->common, name, err);
		if (r < 0) {
			*err = none;
			return r;
		}
		const char *s = co_buf_str(&text);
		if (git_id_parse(out, s))
			return 1;
		if (!co_starts(s, "ref:"))
			return co_fail(err, CO_E_INVALID, "%s is damaged", name);
		s += strlen("ref:");
		while (co_is_space(*s))
			s++;
		/* what HEAD says where references lie in tables */
		if (!strcmp(s, "refs/heads/.invalid"))
			return co_fail(err, CO_E_UNSUPPORTED,
				       "its references are kept in a reftable");
		if (!is_name(s))
			return co_fail(err, CO_E_INVALID, "%s names no reference", name);
		snprintf(name, sizeof(name), "%s", s);
	}
	return co_fail(err, CO_E_INVALID, "HEAD leads through more than %d references", MAX_STEPS);
}
