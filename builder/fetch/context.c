/* SPDX-License-Identifier: MIT
 *
 * CONTEXT and --build-context arguments.
 */
#include <cooper/auto.h>
#include <cooper/fetch.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int from_fd(struct co_context *out, struct co_store *s, int fd, const char *what,
		   struct co_err *err)
{
	return co_context_open_tar(out, s, co_stream_fd(fd, true, what), what, err);
}

static int from_url(struct co_context *out, struct co_store *s, struct co_registry *r,
		    const char *url, struct co_err *err)
{
	struct co_fetched f;
	int e = co_fetch_url(&f, s, r, url, NULL, NULL, err);
	return e ? e : from_fd(out, s, f.fd, url, err);
}

int co_fetch_context(struct co_context *out, struct co_store *s, struct co_registry *r,
		     const char *spec, struct co_err *err)
{
	char commit[65];
	if (!strcmp(spec, "-")) {
		if (isatty(0)) {
			co_fail(err, CO_E_USAGE,
				"the context should come from stdin, which is a terminal");
			return co_hint(err, "pipe a tar archive: tar c . | cooper build -");
		}
		return from_fd(out, s, fcntl(0, F_DUPFD_CLOEXEC, 3), "context from stdin", err);
	}
	if (co_url_is_git(spec))
		return co_fetch_git(out, s, spec, NULL, commit, err);
	if (co_url_is_http(spec))
		return from_url(out, s, r, spec, err);
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
