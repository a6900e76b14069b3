/* SPDX-License-Identifier: MIT
 *
 * fetch.h — what a build brings in besides images: files by URL, git trees, remote contexts.
 * Nothing is used before its checksum, where one is given, was verified.
 */
#pragma once
#include <cooper/context.h>
#include <cooper/err.h>
#include <cooper/registry.h>
#include <cooper/store.h>

/* ADD url: downloads into the store's tmp. checksum "sha256:<hex>" or NULL; INTEGRITY on mismatch,
 * and nothing is kept. header: see struct co_download. */
struct co_fetched {
	int fd; /* owned; the file, unlinked already */
	struct co_digest digest;
	uint64_t size;
	int64_t mtime; /* Last-Modified, -1 unknown */
	char filename[256];
};
int co_fetch_url(struct co_fetched *out, struct co_store *s, struct co_registry *r, const char *url,
		 const char *header, const char *checksum, struct co_err *err) co_must_check;

bool co_url_is_http(const char *s);
/* git@…, git://, ssh://, http(s)://….git[#ref[:dir]] and ?ref= forms. */
bool co_url_is_git(const char *s);
/* Checks a tree out below the store's tmp with the host's git (no hooks, no local protocol, no
 * credentials of the user's config unless given). checksum: commit id or a prefix of one. */
struct co_git_opts {
	bool keep_git_dir;
	const char *checksum;
	const char *auth_header; /* GIT_AUTH_HEADER / token as header value, or NULL */
	const char *http_header; /* for a context by http: a whole header line, or NULL */
};
int co_fetch_git(struct co_context *out, struct co_store *s, const char *url,
		 const struct co_git_opts *opts, char commit[65], struct co_err *err) co_must_check;
/* When the commit was made that is checked out in the git work tree which the directory lies in
 * (found as git finds it: upwards, on one file system; GIT_DIR and its like do not count). Reads
 * the repository itself: no program is run. 1: *out is set; 0: no work tree, or nothing committed
 * yet; <0: it can not be read. */
int co_git_commit_time(int64_t *out, int dirfd, struct co_err *err) co_must_check;
/* --build-context and CONTEXT arguments: directory, tar file, "-" (stdin), git URL, http(s). What
 * comes from stdin or http and is no archive is a Dockerfile, and the context is empty. opts may be
 * NULL. */
int co_fetch_context(struct co_context *out, struct co_store *s, struct co_registry *r,
		     const char *spec, const struct co_git_opts *opts,
		     struct co_err *err) co_must_check;
