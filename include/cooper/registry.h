/* SPDX-License-Identifier: MIT
 *
 * registry.h — image references, and the client side of the OCI distribution protocol (v1.1).
 * One libcurl multi loop serves all transfers of a call; calls block. Credentials stay inside this
 * module and are never logged. Rules: distribution-spec; docs/registry.md.
 */
#pragma once
#include <cooper/buf.h>
#include <cooper/digest.h>
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/image.h>
#include <cooper/store.h>
#include <stdbool.h>

/* ---- references ---- */
struct co_ref {
	char host[256]; /* "docker.io", "localhost:5000", "[::1]:5000" */
	char path[256]; /* "library/debian" */
	char tag[129];	/* "" only when a digest was given without a tag */
	struct co_digest digest;
};
/* docker's normalisation: docker.io, library/, latest. Errors name what is wrong. */
int co_ref_parse(struct co_ref *out, const char *text, struct co_err *err) co_must_check;
/* "docker.io/library/debian:12@sha256:…" ; the short form that docker shows ("debian:12"). */
const char *co_ref_str(const struct co_ref *r, char *buf, size_t len);
const char *co_ref_familiar(const struct co_ref *r, char *buf, size_t len);

/* ---- client ---- */
struct co_registry;
struct co_registry_opts {
	const char *auth_file;		   /* --authfile; NULL: the usual places in order */
	const char *const *insecure_hosts; /* NULL-ended; plain http or unverified TLS allowed */
	bool http1;			   /* no HTTP/2 */
	unsigned max_connections;	   /* per host; 0: 4 */
	unsigned retries;		   /* 0: 6 */
	struct co_bus *bus;
};
int co_registry_open(struct co_registry **out, const struct co_registry_opts *opts,
		     struct co_err *err) co_must_check;
/* A forked process may go on using r: it makes connections of its own. */
void co_registry_close(struct co_registry *r);

/* Manifest (or index) bytes by tag or digest into out; the digest is computed and checked.
 * NOT_FOUND, AUTH, NETWORK, REGISTRY, INTEGRITY. */
int co_registry_manifest(struct co_registry *r, const struct co_ref *ref, struct co_buf *out,
			 struct co_descriptor *desc, struct co_err *err) co_must_check;
/* HEAD only: what does the tag point at? */
int co_registry_head(struct co_registry *r, const struct co_ref *ref, struct co_descriptor *desc,
		     struct co_err *err) co_must_check;
/* Brings the manifest for `platform` (chosen from an index; all platforms when NULL) and its config
 * into the store, no layers. *desc is the platform's manifest (or the index when NULL). */
int co_registry_resolve(struct co_registry *r, struct co_store *s, const struct co_ref *ref,
			const struct co_platform *platform, struct co_descriptor *desc,
			struct co_err *err) co_must_check;
/* Downloads blobs in parallel, verifying size and digest while streaming; each into its own sink
 * (taken; NULL: into the store, skipped when it is there). Resumes by Range, retries with backoff.
 * With a caller's sink a retry that cannot resume fails. */
struct co_blob_job {
	struct co_descriptor desc;
	struct co_sink *sink;
};
int co_registry_fetch(struct co_registry *r, struct co_store *s, const struct co_ref *ref,
		      struct co_blob_job *jobs, size_t n, struct co_err *err) co_must_check;
/* resolve + fetch of everything. */
int co_registry_pull(struct co_registry *r, struct co_store *s, const struct co_ref *ref,
		     const struct co_platform *platform, struct co_descriptor *desc,
		     struct co_err *err) co_must_check;
/* Pushes an image or index from the store under every ref (same or different repositories): HEAD,
 * cross-repository mount from the repositories in mount_from (same host only; may be NULL),
 * upload, children before index, tags last. A blob that is not in the store but known to lie in a
 * mount_from repository is mounted, or streamed from there. */
int co_registry_push(struct co_registry *r, struct co_store *s, const struct co_descriptor *desc,
		     const struct co_ref *refs, size_t n_refs, const struct co_ref *mount_from,
		     size_t n_mount, struct co_err *err) co_must_check;
/* Single blobs and manifests (layer cache, overlapped upload). */
int co_registry_push_blob(struct co_registry *r, struct co_store *s, const struct co_ref *repo,
			  const struct co_descriptor *blob, struct co_err *err) co_must_check;
int co_registry_put_manifest(struct co_registry *r, const struct co_ref *ref, const void *data,
			     size_t len, const char *media_type, struct co_err *err) co_must_check;
int co_registry_blob_exists(struct co_registry *r, const struct co_ref *repo,
			    const struct co_digest *d, bool *exists,
			    struct co_err *err) co_must_check;
/* Many at once, in parallel: a batch costs about one round trip. Each job tells its own end in
 * `code` (0, NOT_FOUND, …); the call fails with the first failure that is more than NOT_FOUND, and
 * then too every job's code counts. */
struct co_manifest_job {
	struct co_ref ref;
	const void *data; /* to put */
	size_t len;
	const char *media_type;
	struct co_buf body;	   /* of a get; the caller sets max and releases */
	struct co_descriptor desc; /* of a get */
	int code;
};
int co_registry_get_many(struct co_registry *r, struct co_manifest_job *jobs, size_t n,
			 struct co_err *err) co_must_check;
int co_registry_put_many(struct co_registry *r, struct co_manifest_job *jobs, size_t n,
			 struct co_err *err) co_must_check;
int co_registry_blobs_exist(struct co_registry *r, const struct co_ref *repo,
			    const struct co_digest *digests, size_t n, bool *exists,
			    struct co_err *err) co_must_check;
/* Uploads (or mounts from a repository of the same host) what is not there. */
int co_registry_push_blobs(struct co_registry *r, struct co_store *s, const struct co_ref *repo,
			   const struct co_descriptor *blobs, size_t n,
			   const struct co_ref *mount_from, size_t n_mount,
			   struct co_err *err) co_must_check;
/* Sorted; each tag and the list are to be freed. */
int co_registry_tags(struct co_registry *r, const struct co_ref *repo, char ***tags, size_t *n,
		     struct co_err *err) co_must_check;
int co_registry_delete(struct co_registry *r, const struct co_ref *ref,
		       struct co_err *err) co_must_check;

/* ---- credentials ---- */
/* Checks them against the registry, then stores (credential helper when configured, else
 * config.json 0600, written by rename, other members kept). */
int co_login(struct co_registry *r, const char *host, const char *user, const char *password,
	     struct co_err *err) co_must_check;
int co_logout(struct co_registry *r, const char *host, bool *was_there,
	      struct co_err *err) co_must_check;

/* ---- plain HTTP(S) downloads (ADD url, contexts): same retry and proxy rules ---- */
struct co_download {
	const char *url;
	const char *header; /* extra "Name: value" for url's host only; NULL */
	uint64_t max_bytes; /* 0: 16 GiB */
	/* out: */
	int64_t last_modified; /* seconds, -1 unknown */
	char filename[256];    /* from the final URL's path; "" if none */
	char etag[256];
};
/* Into a sink (taken). Redirects followed (<= 10), no downgrade https → http. */
int co_download(struct co_registry *r, struct co_download *d, struct co_sink *out,
		struct co_err *err) co_must_check;
