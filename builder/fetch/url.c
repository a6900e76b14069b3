/* SPDX-License-Identifier: MIT
 *
 * ADD url: one download, hashed on the way; a wrong checksum leaves nothing.
 */
#include <cooper/auto.h>
#include <cooper/fetch.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

bool co_url_is_http(const char *s)
{
	return (co_starts(s, "http://") || co_starts(s, "https://")) && !co_url_is_git(s);
}

static int checksum_fails(const char *url, const struct co_digest *want,
			  const struct co_digest *got, struct co_err *err)
{
	char a[CO_DIGEST_TEXT], b[CO_DIGEST_TEXT];
	co_fail(err, CO_E_INTEGRITY, "%s: checksum is %s, expected %s", url, co_digest_str(got, a),
		co_digest_str(want, b));
	return co_hint(err,
		       "if the new content is what you want, write --checksum=%s; nothing was kept",
		       a);
}

int co_fetch_url(struct co_fetched *out, struct co_store *s, struct co_registry *r, const char *url,
		 const char *header, const char *checksum, struct co_err *err)
{
	struct co_fetched f = {.fd = -1, .mtime = -1};
	struct co_digest want = {0};
	struct co_err bad = CO_ERR_INIT;
	if (checksum && *checksum &&
	    (co_digest_parse(&want, checksum, &bad) < 0 || want.alg != CO_SHA256)) {
		co_fail(err, CO_E_SYNTAX, "--checksum=%s: not a sha256 checksum", checksum);
		return co_hint(err, "write --checksum=sha256:<64 hex digits>");
	}
	int tmp = co_store_tmp_fd(s, err);
	if (tmp < 0)
		return tmp;
	/* O_TMPFILE: the file never has a name, so nothing can be left behind */
	auto_fd fd = openat(tmp, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return co_fail_sys(err, "make a file for %s", url);
	struct co_download d = {.url = url, .header = header};
	struct co_sink *sink =
		co_sink_hash(co_sink_fd(fd, false, url), CO_SHA256, &f.digest, &f.size);
	int e = co_download(r, &d, sink, err);
	if (e < 0)
		return e;
	if (want.set && !co_digest_eq(&want, &f.digest))
		return checksum_fails(url, &want, &f.digest, err);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return co_fail_sys(err, "rewind %s", url);
	f.mtime = d.last_modified;
	memcpy(f.filename, d.filename, sizeof(f.filename));
	f.fd = co_steal_fd(&fd);
	*out = f;
	return 0;
}
