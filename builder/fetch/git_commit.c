/* SPDX-License-Identifier: MIT
 *
 * When the commit was made that a directory of a git work tree shows.
 */
#include "git-read.h"
#include <cooper/fetch.h>
#include <cooper/str.h>
#include <string.h>

/* "committer NAME <MAIL> SECONDS ZONE" among the lines above the message. */
static bool committed(const char *text, int64_t *out)
{
	for (const char *p = text; *p && *p != '\n'; p += *p == '\n') {
		size_t n = strcspn(p, "\n");
		const char *line = p;
		p += n;
		if (!co_starts(line, "committer "))
			continue;
		const char *at = memrchr(line, '>', n);
		char digits[24];
		if (!at || at[1] != ' ')
			return false;
		at += 2;
		size_t len = strspn(at, "0123456789");
		if (!len || len >= sizeof(digits) || at + len > p)
			return *at == '-' ? (*out = 0, true) : false;
		memcpy(digits, at, len);
		digits[len] = '\0';
		return co_parse_i64(digits, out);
	}
	return false;
}

static int read_time(const struct git_dir *d, int64_t *out, struct co_err *err)
{
	struct git_id id;
	struct git_objects o;
	enum git_type type;
	int r = git_head(&id, d, err);
	if (r <= 0)
		return r;
	r = git_objects_open(&o, d->common, err);
	if (r < 0)
		return r;
	auto_buf text = CO_BUF_INIT(GIT_OBJECT_MAX);
	r = git_object_read(&o, &id, 0, &type, &text, err);
	git_objects_close(&o);
	if (r < 0)
		return r;
	if (type != GIT_COMMIT || !committed(co_buf_str(&text), out))
		return co_fail(err, CO_E_INVALID, "HEAD is no commit");
	return 1;
}

int co_git_commit_time(int64_t *out, int dirfd, struct co_err *err)
{
	struct git_dir d;
	int r = git_dir_find(&d, dirfd, err);
	if (r <= 0)
		return r < 0 ? co_wrap(err, "git work tree") : 0;
	r = read_time(&d, out, err);
	git_dir_close(&d);
	return r < 0 ? co_wrap(err, "git work tree") : r;
}
