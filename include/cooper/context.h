/* SPDX-License-Identifier: MIT
 *
 * context.h — what the user may COPY: the build context, its ignore file, and the copy itself.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/digest.h>
#include <cooper/dockerfile.h>
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/root.h>
#include <cooper/store.h>

/* ---- ignore files (facts/dockerfile-language 12) ---- */
struct co_ignore;
/* Parses patterns; `what` names the file in errors. Never backtracks exponentially. */
int co_ignore_parse(struct co_ignore **out, const char *text, size_t len, const char *what,
		    struct co_err *err) co_must_check;
void co_ignore_free(struct co_ignore *ig); /* NULL allowed */
/* Is this path (relative to the context, no leading "/") ignored? Parents decide too. */
bool co_ignore_match(const struct co_ignore *ig, const char *path);
bool co_ignore_has_negation(const struct co_ignore *ig);
/* COPY wildcard: * ? [..] with \ ; never crosses "/"; "**" only when globstar. */
bool co_glob_match(const char *pattern, const char *path, bool globstar);

/* ---- contexts ---- */
struct co_context {
	struct co_root root;	  /* read only */
	struct co_ignore *ignore; /* owned; NULL: nothing is ignored */
	const char *describe;	  /* "directory ./app", for messages; owned */
	int64_t epoch;		  /* git commit time of a checkout; -1 unknown */
	bool temporary;		  /* unpacked below the store's tmp */
	const char *text;	  /* the Dockerfile, when it came alone; owned */
	size_t text_len;
};
/* A local directory. */
int co_context_open_dir(struct co_context *out, const char *path, struct co_err *err) co_must_check;
/* A tar stream (compressed or not), unpacked below the store's tmp. Takes in. */
int co_context_open_tar(struct co_context *out, struct co_store *s, struct co_source_stream *in,
			const char *what, struct co_err *err) co_must_check;
/* Reads the Dockerfile: name NULL: "Dockerfile", else "dockerfile" (looked up in-root for a tar,
 * relative to the working directory first for a directory as docker does). *name_out is what to
 * show. Buffers are to be freed. */
int co_context_dockerfile(struct co_context *c, const char *name, char **text, size_t *len,
			  char **name_out, struct co_err *err) co_must_check;
/* Loads NAME.dockerignore beside the Dockerfile, else .containerignore, else .dockerignore. */
int co_context_load_ignore(struct co_context *c, const char *dockerfile,
			   struct co_err *err) co_must_check;
/* An empty context whose Dockerfile is text (taken, from malloc). */
int co_context_open_text(struct co_context *out, struct co_store *s, char *text, size_t len,
			 const char *what, struct co_err *err) co_must_check;
/* A store that lies in the directory is not copied; said on the bus. After co_context_load_ignore.
 */
void co_context_hide_store(struct co_context *c, const struct co_store *s, struct co_bus *bus);
void co_context_release(struct co_context *c);

/* ---- copying (COPY, ADD of local files; facts/dockerfile-language 8) ---- */
struct co_copy_source {
	const struct co_root *root;	/* tree to take from; NULL for inline content */
	const struct co_ignore *ignore; /* NULL: none */
	bool keep_owner;		/* from a stage or image: owners stay */
	const char *pattern;		/* expanded source; for inline content the file's name */
	const char *content;		/* inline (heredoc): content_len bytes */
	size_t content_len;
	int fd;		       /* a downloaded file: pattern names it; -1 if unused */
	struct timespec mtime; /* of inline content and downloads */
	bool has_mtime;	       /* of everything in the tree too, instead of its own */
	uint32_t mode;	       /* 0644 inline, 0600 downloads */
};
enum co_unpack_choice { CO_UNPACK_NEVER, CO_UNPACK_AUTO, CO_UNPACK_ALWAYS };
struct co_copy {
	const struct co_copy_source *sources;
	size_t n_sources;
	const char *dest; /* expanded; relative ones are already joined to WORKDIR; a trailing "/"
			     counts */
	bool has_owner;
	uint32_t uid, gid;
	const struct co_chmod *chmod; /* NULL: none */
	const char *const *excludes;  /* patterns */
	size_t n_excludes;
	bool parents, link;
	/* The digest is to tell times too (whole seconds, no later than times_max): files of
	 * another stage keep theirs. */
	bool times;
	int64_t times_max;
	/* NEVER copies archives. AUTO: files of a tree that are archives by content (ADD). ALWAYS:
	 * downloads too. What is no archive is copied. */
	enum co_unpack_choice unpack;
	/* Told by co_copy_digest of each entry with its content's digest (unset for directories,
	 * links and further names of a file). NULL: nobody listens. */
	void (*seen)(void *ctx, const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
		     const struct co_digest *content);
	void *seen_ctx;
	bool owner_best_effort; /* an owner that may not be set is left (output to a directory) */
	struct co_bus *bus;
};
/* Content key of what would be written: names, types, modes, owners, link targets, kept xattrs and
 * bytes, never mtime (but see times); also the destination and options. Fails as co_copy_run would
 * for a missing literal source. */
int co_copy_digest(const struct co_copy *c, struct co_digest *out,
		   struct co_err *err) co_must_check;
/* Carries it out inside dest (already holding the stage's tree). */
int co_copy_run(const struct co_copy *c, const struct co_root *dest,
		struct co_err *err) co_must_check;

/* ---- users of an image ---- */
struct co_user {
	uint32_t uid, gid;
	uint32_t *groups; /* supplementary, owned */
	size_t n_groups;
	char name[256];	 /* "" when only a number is known */
	char home[1024]; /* "/" when unknown */
};
/* Resolves "user[:group]" in a root's /etc/passwd and /etc/group as runc does: names first, then
 * numbers 0…2^31-1; a missing name is an error; "" is root. No NSS, bounded files. */
int co_user_resolve(struct co_user *out, const struct co_root *root, const char *text,
		    struct co_err *err) co_must_check;
/* The same on the two files' texts (either may be NULL): for images that are not unpacked. */
int co_user_resolve_text(struct co_user *out, const char *passwd, const char *group,
			 const char *text, struct co_err *err) co_must_check;
/* --chown: only-user-number → gid the same number; name → its primary group. */
int co_chown_resolve(uint32_t *uid, uint32_t *gid, const struct co_root *root, const char *text,
		     struct co_err *err) co_must_check;
void co_user_release(struct co_user *u);
