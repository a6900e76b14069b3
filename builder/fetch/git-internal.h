/* SPDX-License-Identifier: MIT
 *
 * What the files of git fetching share.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/fetch.h>

/* A git URL taken apart. Strings in the arena. */
struct git_url {
	const char *remote;
	const char *shown; /* the same without user and password */
	const char *ref, *subdir, *checksum;
	bool keep_git_dir, has_keep;
	bool no_submodules;
	bool fetch_commit;	/* ask for the commit itself, not for what names it */
	bool times_of_checkout; /* else every file gets the commit's time */
};

/* git_url.c */
int git_url_parse(struct git_url *g, struct co_arena *a, const char *url,
		  const struct co_git_opts *opts, struct co_err *err) co_must_check;

/* git_tree.c: a checked out tree as a source of files: no ".git" at any depth unless kept, and all
 * times set when when >= 0. */
int git_tree_settle(int dirfd, bool keep_git_dir, int64_t when, struct co_err *err) co_must_check;
