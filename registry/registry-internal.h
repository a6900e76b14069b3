/* SPDX-License-Identifier: MIT
 *
 * What the files of this module share: addresses, challenges, credentials, the HTTP engine.
 *
 * The engine: a `req` is one logical request. It is started with req_start, moves through waiting
 * (for its time, for a token, for a free place at the host), running, redirected, retried, and ends
 * with on_done, called from http_run. All of it happens in one thread and one curl multi handle.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/arena.h>
#include <cooper/buf.h>
#include <cooper/registry.h>
#include <cooper/stream.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REG_MAX_MANIFEST (4u << 20)
#define REG_MAX_JSON	 (4u << 20)
#define REG_MAX_ERROR	 (64u << 10)
#define REG_MAX_TOKEN	 (1u << 20)
#define REG_MAX_HOPS	 10u
#define REG_MAX_DEPTH	 4u

/* ---- url.c: addresses ---- */
struct url {
	char scheme[8]; /* "http" or "https" */
	char host[256]; /* lower case; IPv6 without brackets */
	char port[8];	/* never empty */
	bool has_user;
};
/* Only http and https; numeric IPv4 spellings become dotted quads. */
bool url_parse(const char *text, struct url *out);
bool url_same_origin(const char *a, const char *b);
/* Resolves a Location or Link against the address it came from. NULL when it is no http address or
 * carries a user name. To be freed. */
char *url_resolve(const char *base, const char *location);
/* A registry behind a TLS proxy that it does not know of says http: for the same host TLS stays.
 * To be freed. */
char *url_keep_tls(const char *from, const char *to);
/* For messages: without user and query. Returns buf. */
const char *url_shown(const char *text, char *buf, size_t len);
enum addr_class { ADDR_PUBLIC, ADDR_PRIVATE, ADDR_LINK_LOCAL, ADDR_LOOPBACK, ADDR_ANY };
/* What a host name or IP literal stands for; names other than localhost are ADDR_PUBLIC. */
enum addr_class url_class(const char *host);
/* May a server at `from` send us to `to`? Literal loopback, link-local and unspecified addresses
 * (strict: private ones too) only when `from` is of the same class (SSRF through realm, Location,
 * Link and redirects). */
bool url_may_go(const char *from, const char *to, bool strict);
/* Host part of "host:port" or "[::1]:5000" into out. */
void url_host_only(const char *hostport, char *out, size_t len);

/* ---- proxy.c ---- */
/* The proxy for an address from the environment, "" for none. Borrowed from the environment. */
const char *proxy_for(const struct url *u);
bool proxy_excluded(const char *no_proxy, const char *host, const char *port);

/* ---- challenge.c, scope.c ---- */
enum auth_kind { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };
struct challenge {
	enum auth_kind kind;
	char realm[1024], service[256], scope[1024];
};
/* The first Basic or Bearer challenge in the header values (one a line). */
bool challenge_parse(const char *text, struct challenge *out);
/* Adds "type:name:actions" to a blank-separated list, merging actions of the same resource. True
 * when the list changed. */
bool scope_add(struct co_buf *list, const char *scope);
bool scope_covers(const char *list, const char *wanted);

/* ---- creds.c, creds_file.c, creds_helper.c ---- */
struct cred {
	struct cred *next;
	char *key;  /* host, or host/path: what was asked for */
	char *user; /* NULL: anonymous */
	char *password;
	char *identity; /* refresh token */
	char *bearer;	/* used as it is */
	char *from;	/* file or helper, for messages */
	bool fixed;	/* set by login: not looked up */
};
/* Looks up (and remembers) the credentials for a repository. *out is never NULL on success. */
int cred_find(struct co_registry *r, const char *host, const char *path, struct cred **out,
	      struct co_err *err);
void cred_set(struct co_registry *r, const char *host, const char *user, const char *password);
void cred_forget(struct co_registry *r);
void cred_free(struct cred *c);
/* One document: fills c when it has an entry. 1 found, 0 not. */
int cred_from_doc(json_t *doc, const char *from, const char *host, const char *path, struct cred *c,
		  struct co_err *err);
/* Does a key of "auths" mean this host (all spellings)? */
bool cred_key_matches(const char *key, const char *want);
const char *cred_server_key(const char *host); /* the key docker writes */
const char *cred_helper_of(json_t *doc, const char *host, bool *is_default);
int helper_get(const char *name, const char *server, struct cred *c, struct co_err *err);
int helper_put(const char *name, const char *server, const char *user, const char *secret,
	       struct co_err *err);
int helper_erase(const char *name, const char *server, bool *was_there, struct co_err *err);
/* The file that login writes. To be freed; NULL with an error. */
char *cred_login_file(struct co_registry *r, struct co_err *err);

/* ---- hosts and tokens ---- */
enum scheme { SCHEME_UNKNOWN, SCHEME_HTTPS, SCHEME_HTTP };
enum ping { PING_NEVER, PING_RUNNING, PING_DONE };
struct host {
	struct host *next;
	char name[256]; /* as in references: "docker.io" */
	char api[256];	/* where it is served: "registry-1.docker.io" */
	bool may_plain, insecure, peeked;
	enum scheme scheme;
	struct challenge auth;
	enum ping ping;
	unsigned active, active_big;
	int64_t pause_until; /* mono ns: all wait after a 429 */
	bool tls_loaded;
	char *ca_blob; /* owned; NULL: the default bundle */
	size_t ca_len;
	char *cert, *key; /* owned; client certificate files */
};
struct host *host_get(struct co_registry *r, const char *name);
struct host *host_of_url(struct co_registry *r, const char *url);
/* "https://registry-1.docker.io". Returns buf. */
const char *host_base(const struct host *h, char *buf, size_t len);

/* peek.c: a registry on loopback that certainly speaks http without TLS. */
bool peek_plain(const struct host *h);

enum token_state { TOKEN_NONE, TOKEN_FETCHING, TOKEN_READY, TOKEN_FAILED };
struct token {
	struct token *next;
	struct host *host;
	struct cred *cred;
	char *scopes;
	char *value;
	int64_t born, expires; /* mono ns */
	enum token_state state;
	bool narrowed; /* asked again without the scopes of other repositories */
	bool by_get;   /* the POST form was refused */
	struct co_err err;
};

/* ---- the engine ---- */
struct http_head {
	char *location, *link; /* owned */
	struct co_buf challenges;
	char content_type[128], digest[CO_DIGEST_TEXT], subject[CO_DIGEST_TEXT];
	char range[64], content_range[96], etag[256], retry_after[64], modified[64];
	int64_t content_length, min_chunk; /* -1 absent */
	size_t total;
};
enum req_state { REQ_WAIT, REQ_RUNNING, REQ_DONE };
struct req {
	struct req *next;
	struct co_registry *r;
	struct host *host; /* whose credentials and scheme apply */
	const char *method;
	char *url;    /* owned; absolute, or "/v2/…" at the host */
	char *cur;    /* owned; the hop we are at; NULL before the first */
	char *origin; /* owned; the only origin that may see credentials */
	struct co_buf scopes;
	char cred_path[256];			   /* repository whose credentials count */
	const char *accept;			   /* NULL: any */
	char content_type[128], content_range[64]; /* of the body */
	char *extra;				   /* owned; one more header for the first origin */
	char *secret;	     /* owned; Authorization value for the first origin (raw requests) */
	bool raw;	     /* no registry authentication */
	bool strict;	     /* redirects may not go to private literals */
	bool big;	     /* counts against the connections of a host */
	bool once;	     /* no retry here: the owner starts over */
	bool redirect_is_ok; /* HEAD: sent elsewhere means it is there */
	bool fresh_token;    /* a long upload follows */
	bool is_ping;
	/* upload */
	const void *body; /* owned when own_body */
	char *own_body;
	int fd;				     /* -1: from memory; borrowed */
	int64_t body_off, body_len, body_at; /* body_len < 0: no body */
	/* download */
	size_t max_body; /* of what is gathered in `body_in` */
	int (*on_data)(struct req *q, const void *data, size_t len);
	int64_t expect;	   /* size of the whole, -1 unknown */
	int64_t delivered; /* bytes given to on_data over all tries */
	int64_t skip;	   /* bytes to drop: the server ignored Range */
	int64_t tried_at;  /* delivered at the last retry */
	bool if_range;	   /* resume only the same entity (etag) */
	char entity[256];
	void (*on_progress)(struct req *q, int64_t done);
	int64_t progress_at;
	/* result */
	int status; /* 0: no answer; see err */
	struct http_head head;
	struct co_buf body_in;
	struct co_err err;
	void (*on_done)(struct req *q); /* NULL: the caller keeps and frees the request */
	void *ctx;
	/* engine */
	enum req_state state;
	int64_t not_before;
	unsigned tries, hops, auth_tries;
	bool listed, cut, sent_auth, counted, checked_head;
	bool tls_done; /* the last hop got through its TLS handshake */
	uint64_t pass; /* last pass of the loop that looked at it */
	CURL *easy;
	struct curl_slist *headers;
	struct token *token;
	char curl_err[CURL_ERROR_SIZE];
};

struct warning {
	struct warning *next;
	char *text;
};
struct co_registry {
	struct co_bus *bus;
	char *auth_file;
	char **insecure; /* owned, NULL-ended */
	bool http1;
	unsigned max_conn, retries;
	unsigned connect_s, low_speed_s, low_speed_upload_s, base_delay_ms;
	char *ca_file, *ca_path;
	CURLM *multi;
	CURLSH *share;
	pid_t pid;
	struct host *hosts;
	struct token *tokens;
	struct cred *creds;
	struct warning *warnings;
	unsigned n_warnings;
	struct req *reqs;
	uint64_t pass;
	bool stop; /* set by a batch that has failed */
};

struct req *req_new(struct co_registry *r, const char *host, const char *method);
void req_url(struct req *q, const char *fmt, ...) co_printf(2, 3);
void req_scope(struct req *q, const char *path, const char *actions);
void req_start(struct req *q);
void req_free(struct req *q);
static inline void req_free_ptr(struct req **q)
{
	if (*q)
		req_free(*q);
	*q = NULL;
}
#define auto_req co_cleanup(req_free_ptr) struct req *
/* Runs until nothing is left, or stop is set (then the rest is dropped without on_done). */
int http_run(struct co_registry *r, struct co_err *err);
/* Starts one request and runs it to its end. Fails only without an answer. */
int http_do(struct req *q, struct co_err *err);
int http_engine_ready(struct co_registry *r, struct co_err *err);
void http_engine_close(struct co_registry *r);
void http_drop_all(struct co_registry *r);

/* http_curl.c */
int http_arm(struct req *q, const char *authorization); /* 0 or a code with q->err set */
size_t http_on_header(char *data, size_t size, size_t n, void *ctx);
size_t http_on_body(char *data, size_t size, size_t n, void *ctx);
size_t http_on_read(char *data, size_t size, size_t n, void *ctx);
int http_on_seek(void *ctx, curl_off_t offset, int origin);
/* http_head.c */
void head_clear(struct http_head *h);
void head_line(struct req *q, const char *line, size_t len);
/* "bytes 5-9/10" must continue at `from` and agree with the size. */
bool head_range_ok(const char *content_range, int64_t from, int64_t size);
/* http_finish.c: what an ended transfer means. True when the request has come to its end. */
bool http_finish(struct req *q, CURLcode code);
/* tls.c */
void tls_load(struct co_registry *r, struct host *h);
void tls_find_bundle(struct co_registry *r);

/* auth.c: 1 header set (to be freed), 0 none needed, 2 wait, negative: q->err. */
int auth_header(struct req *q, char **out);
/* A 401 came: true when another try makes sense. */
bool auth_challenged(struct req *q);
/* token.c: the token for this request, which may still have to be waited for. */
struct token *token_get(struct req *q, struct cred *c);
/* What a token server's answer says. 0, or a code with err set; *value to be freed. */
int token_parse(const char *json, size_t len, char **value, char **refresh, int64_t *lifetime_s,
		struct co_err *err);
void tokens_retry_failed(struct co_registry *r);
void tokens_free(struct co_registry *r);

/* retry.c */
bool retry_status(int status);
/* Milliseconds until try number n (0…); -1: the server asks for more than we wait. */
int64_t retry_delay(const struct co_registry *r, unsigned n, const char *retry_after);
bool retry_curl(CURLcode code);

/* error.c: 0 for 2xx, else the error. what: "push layer" or NULL. */
int req_result(struct req *q, const char *what, struct co_err *err);
/* Code of the first error in the body, "" if none. */
void error_code(const struct req *q, char *code, size_t len);
bool req_not_found(const struct req *q);
/* A transfer that ended without an answer. */
void error_curl(struct req *q, CURLcode code);

/* ---- transfers ---- */
#define REG_ACCEPT_MANIFEST                                                                        \
	CO_MT_OCI_INDEX ", " CO_MT_DOCKER_LIST ", " CO_MT_OCI_MANIFEST ", " CO_MT_DOCKER_MANIFEST
/* One blob or manifest by digest into a sink. */
struct blob_job {
	struct co_registry *r;
	struct co_store *store;
	const struct co_ref *repo;
	struct co_descriptor desc;
	bool manifest;
	struct co_sink *sink; /* owned; NULL: into the store */
	struct co_hash *hash; /* owned; only with a caller's sink */
	bool given;	      /* the sink came from the caller */
	int64_t told_at;      /* time of the last progress event */
	struct co_err *err;   /* of the batch */
};
/* One TRANSFER event; not more than ten a second unless it is the last. */
void tell_progress(struct co_registry *r, int64_t *told_at, const struct co_digest *d,
		   enum co_event_dir dir, int64_t done, int64_t total, bool finished, bool cached);
int blob_fetch_all(struct co_registry *r, struct blob_job *jobs, size_t n, struct co_err *err);

/* Where a reference's manifest is: "tag" or digest text. Returns buf. */
const char *ref_target(const struct co_ref *ref, char buf[CO_DIGEST_TEXT]);
/* "host/path" for messages. */
const char *ref_repo(const struct co_ref *ref, char *buf, size_t len);
struct req *manifest_req(struct co_registry *r, const struct co_ref *ref, const char *method,
			 const char *actions);
/* An answered GET: digest checked against ref and header, type found. */
int manifest_take(const struct req *q, const struct co_ref *ref, struct co_descriptor *desc,
		  struct co_err *err);
int manifest_get(struct co_registry *r, const struct co_ref *ref, struct co_buf *out,
		 struct co_descriptor *desc, struct co_err *err);
/* Does the reference stand for that manifest already? Not known counts as no; an error only when
 * there was no answer at all. */
int manifest_there(struct co_registry *r, const struct co_ref *ref, const char *scopes,
		   const struct co_digest *digest, bool *there, struct co_err *err);
/* scopes NULL: pull and push of that repository. */
int manifest_put(struct co_registry *r, const struct co_ref *ref, const char *scopes,
		 const void *data, size_t len, const char *media_type, struct co_err *err);
/* Is it about another one? Then the other's list of referrers is part of what a push makes. */
bool manifest_has_subject(const void *data, size_t len);
bool media_is_foreign(const char *media_type);
/* Type of a manifest from its header and its body. */
int manifest_type(const char *content_type, const char *json, size_t len, char *out, size_t size,
		  struct co_err *err);
int referrers_add(struct co_registry *r, const struct co_ref *repo, const void *data, size_t len,
		  const char *media_type, struct co_err *err);

/* Everything an image consists of, children before parents. */
struct graph {
	struct co_arena arena;
	struct co_descriptor *blobs;
	size_t n_blobs;
	struct co_descriptor *manifests; /* the root is last */
	size_t n_manifests;
};
int graph_load(struct graph *g, struct co_store *s, const struct co_descriptor *root,
	       struct co_err *err);
void graph_release(struct graph *g);
#define auto_graph co_cleanup(graph_release) struct graph

struct push_set {
	struct co_registry *r;
	struct co_store *store;
	const struct co_ref *repo;
	const char *scopes; /* for all requests of the push: one token */
	const struct co_ref *mounts;
	size_t n_mounts;
};
/* Uploads what is not there. missing[i] is set for blobs that are neither there nor in the store.
 */
int push_blobs(const struct push_set *set, const struct co_descriptor *blobs, size_t n,
	       bool *missing, struct co_err *err);
