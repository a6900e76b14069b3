/* SPDX-License-Identifier: MIT
 *
 * CONTEXT and --build-context arguments.
 */
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/fetch.h>
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DOCKERFILE_MAX (16u << 20)

static int from_fd(struct co_context *out, struct co_store *s, int fd, const char *what,
		   struct co_err *err)
{
	return co_context_open_tar(out, s, co_stream_fd(fd, true, what), what, err);
}

/* Archives begin with one of these, or have zeros behind the name of their first member. */
static bool looks_like_archive(const unsigned char *p, size_t n)
{
	static const struct {
		const char *magic;
		size_t len;
	} known[] = {{"\x1f\x8b", 2},
		     {"BZh", 3},
		     {"\xfd"
		      "7zXZ",
		      5},
		     {"\x28\xb5\x2f\xfd", 4}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (n >= known[i].len && !memcmp(p, known[i].magic, known[i].len))
			return true;
	return memchr(p, '\0', n) != NULL;
}

/* fd: a file; taken. */
static int archive_or_text(struct co_context *out, struct co_store *s, int fd, const char *what,
			   struct co_err *err)
{
	unsigned char head[512];
	auto_fd file = fd;
	ssize_t n = pread(file, head, sizeof(head), 0);
	if (n < 0 || lseek(file, 0, SEEK_SET) < 0)
		return co_fail_sys(err, "read %s", what);
	if (looks_like_archive(head, (size_t)n))
		return from_fd(out, s, co_steal_fd(&file), what, err);
	auto_buf text = CO_BUF_INIT(DOCKERFILE_MAX);
	int r = co_buf_read_fd(&text, file, what, err);
	if (r < 0)
		return r;
	size_t len = text.len;
	char *owned = co_buf_take(&text);
	return co_context_open_text(out, s, owned ? owned : co_xstrdup(""), len, what, err);
}

/* What is no file can be read only once. */
static int from_stdin(struct co_context *out, struct co_store *s, struct co_err *err)
{
	static const char what[] = "context from stdin";
	int tmp = co_store_tmp_fd(s, err);
	if (tmp < 0)
		return tmp;
	auto_fd fd = openat(tmp, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || co_copy_fd(fd, 0, -1) < 0)
		return co_fail_sys(err, "%s", what);
	return archive_or_text(out, s, co_steal_fd(&fd), what, err);
}

static int from_url(struct co_context *out, struct co_store *s, struct co_registry *r,
		    const char *url, const char *header, struct co_err *err)
{
	struct co_fetched f;
	int e = co_fetch_url(&f, s, r, url, header, NULL, err);
	return e ? e : archive_or_text(out, s, f.fd, url, err);
}

int co_fetch_context(struct co_context *out, struct co_store *s, struct co_registry *r,
		     const char *spec, const struct co_git_opts *opts, struct co_err *err)
{
	char commit[65];
	if (!strcmp(spec, "-")) {
		if (isatty(0)) {
			co_fail(err, CO_E_USAGE,
				"the context should come from stdin, which is a terminal");
			return co_hint(err, "pipe a tar archive: tar c . | cooper build -");
		}
		return from_stdin(out, s, err);
	}
	if (co_url_is_git(spec))
		return co_fetch_git(out, s, spec, opts, commit, err);
	if (co_url_is_http(spec))
		return from_url(out, s, r, spec, opts ? opts->http_header : NULL, err);
	if (co_starts(spec, "target:")) {
		co_fail(err, CO_E_UNSUPPORTED, "%s: there are no other build targets here", spec);
		return co_hint(err, "target: belongs to bake files; build that target first and "
				    "name its result, for example oci-layout://DIR");
	}
	struct stat st;
	if (stat(spec, &st) < 0) {
		co_fail_sys(err, "build context %s", spec);
		return co_hint(err, "the context is a directory, a tar archive, - or a URL");
	}
	if (S_ISDIR(st.st_mode))
		return co_context_open_dir(out, spec, err);
	int fd = open(spec, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "build context %s", spec);
	return from_fd(out, s, fd, spec, err);
}
