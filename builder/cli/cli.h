/* SPDX-License-Identifier: MIT
 *
 * cli.h — what the commands share. A command is one file exporting one const entry; its option
 * table is the source of parsing, --help, manual pages and completions.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/err.h>
#include <cooper/event.h>
#include <cooper/digest.h>
#include <cooper/flow.h>
#include <cooper/str.h>
#include <stdbool.h>
#include <stdio.h>

enum opt_kind {
	OPT_FLAG,  /* bool: --x, --x=true|false */
	OPT_TEXT,  /* const char * */
	OPT_LIST,  /* struct text_list: may repeat */
	OPT_COUNT, /* unsigned */
};
struct text_list {
	const char **items; /* NULL-ended */
	size_t n;
};
struct opt {
	const char *name; /* long name */
	char letter;	  /* short one, 0 if none */
	enum opt_kind kind;
	const char *arg;  /* placeholder in help, NULL for flags */
	const char *help; /* one line */
	size_t offset;	  /* into the command's option struct */
};
#define OPT_END                                                                                    \
	{                                                                                          \
		NULL, 0, OPT_FLAG, NULL, NULL, 0                                                   \
	}

/* What every command may be told. */
struct common_opts {
	const char *root; /* --root: the store */
	const char *authfile;
	struct text_list insecure;
	bool http1;
	bool help;
};
#define COMMON_OPTS(type, member)                                                                  \
	{"root",                                                                                   \
	 0,                                                                                        \
	 OPT_TEXT,                                                                                 \
	 "DIR",                                                                                    \
	 "keep images and cache in DIR (also $COOPER_ROOT)",                                       \
	 offsetof(type, member.root)},                                                             \
	{                                                                                          \
		"help", 'h', OPT_FLAG, NULL, "show this help", offsetof(type, member.help)         \
	}
#define REGISTRY_OPTS(type, member)                                                                \
	{"authfile",                                                                               \
	 0,                                                                                        \
	 OPT_TEXT,                                                                                 \
	 "FILE",                                                                                   \
	 "read registry credentials from FILE",                                                    \
	 offsetof(type, member.authfile)},                                                         \
		{"insecure-registry",                                                              \
		 0,                                                                                \
		 OPT_LIST,                                                                         \
		 "HOST[:PORT]",                                                                    \
		 "allow plain http and unverified TLS for this registry",                          \
		 offsetof(type, member.insecure)},                                                 \
	{                                                                                          \
		"http1", 0, OPT_FLAG, NULL, "do not use HTTP/2", offsetof(type, member.http1)      \
	}

/* Commands that move data or build tell how they show it. */
struct progress_opts {
	const char *mode;
	bool quiet;
};
#define PROGRESS_OPTS(type, member)                                                                \
	{"progress",                                                                               \
	 0,                                                                                        \
	 OPT_TEXT,                                                                                 \
	 "MODE",                                                                                   \
	 "auto, tty, plain, json (rawjson) or quiet",                                              \
	 offsetof(type, member.mode)},                                                             \
	{                                                                                          \
		"quiet", 'q', OPT_FLAG, NULL, "show no progress, print the result only",           \
			offsetof(type, member.quiet)                                               \
	}

/* A flag that other builders have and this one does not carry out: refused by name with reason and
 * cure, never silently ignored. */
struct refusal {
	const char *name;
	char letter;	  /* 0 if none */
	bool takes_value; /* a bare flag means "true" otherwise */
	const char *ok;	  /* the value that asks for what happens anyway: accepted. NULL: none */
	const char *reason, *cure;
};

struct cmd_ctx {
	struct co_arena *arena;
	struct co_err *err;
	int argc; /* positional arguments */
	char **argv;
	bool reported; /* a renderer has shown err already */
};
struct command {
	const char *name;
	const char *usage;    /* "[OPTIONS] CONTEXT" */
	const char *summary;  /* one line */
	const char *detail;   /* paragraphs, may be NULL */
	const char *examples; /* lines, may be NULL */
	const struct opt *opts;
	const struct refusal *refused; /* name NULL ends it; may be NULL */
	size_t size;		       /* of its option struct, zeroed before parsing */
	int min_args, max_args;	       /* max < 0: any */
	bool hidden;
	/* 0 or a negative code with err set; a positive value is an exit status of its own. */
	int (*run)(struct cmd_ctx *c, void *opts);
};
extern const struct command *const commands[]; /* NULL-ended */

/* opts.c */
int opts_parse(struct cmd_ctx *c, const struct command *cmd, int argc, char **argv, void *out);
void help_print(FILE *f, const struct command *cmd);
void help_all(FILE *f);
const struct command *command_find(const char *name);
/* gen.c: manual pages, completions and reference pages from the tables, as files below dir. what:
 * man, completions, docs. */
int gen_run(struct cmd_ctx *c, const char *what, const char *dir);
/* Spelled as help shows it: "-t, --tag NAME". Returns buf. */
const char *opt_text(const struct opt *o, char *buf, size_t len);

/* errors.c: the one place where an error becomes text. */
void error_print(FILE *f, const struct co_err *err, bool color);
bool color_wanted(FILE *f);

/* common.c */
int cli_store(struct co_store **out, const struct common_opts *o, struct co_err *err) co_must_check;
int cli_registry(struct co_registry **out, const struct common_opts *o, struct co_bus *bus,
		 struct co_err *err) co_must_check;
void cli_registry_opts(struct co_registry_opts *out, const struct common_opts *o);
/* "K=V" texts; without "=" the value comes from the environment when from_env. */
int cli_kvs(struct co_kv **out, size_t *n, struct cmd_ctx *c, const struct text_list *list,
	    const char *flag, bool from_env) co_must_check;
int cli_platform(struct co_platform *out, const char *text, struct co_err *err) co_must_check;
/* A file that appears under its name only when it is complete; "-" or NULL is standard output,
 * refused when that is a terminal (what names the command). fd is to be closed before end. */
struct out_file {
	const char *name;
	char tmp[4096];
	int fd;
};
int out_file_begin(struct out_file *f, const char *path, const char *what,
		   struct co_err *err) co_must_check;
/* Publishes, or with r < 0 drops it. Returns r or the failure. */
int out_file_end(struct out_file *f, int r, struct co_err *err);
int cli_write_digest(const char *path, const struct co_digest *d, struct co_err *err) co_must_check;
/* Is word (NULL: not given, fine) in the NULL-ended list? */
bool cli_one_of(const char *word, const char *const *list);
/* "a=b,c" with CSV quoting as docker's flags have it; fields in the arena. */
int cli_csv(struct cmd_ctx *c, const char *text, const char *flag, struct co_kv **out,
	    size_t *n) co_must_check;
/* Columns that clean UTF-8 text takes on a terminal; the bytes of it that fit into cols. */
size_t text_width(const char *s, size_t len);
size_t text_fit(const char *s, size_t len, size_t cols);
/* Prints text from an image or a registry: no control characters reach the terminal. */
void print_clean(FILE *f, const char *text);
/* Columns as wide as their widest cell; the first row is the heading. At most 16 columns. */
void print_table(FILE *f, const char *const *cells, size_t columns, size_t rows);
const char *ago(int64_t then, char *buf, size_t len);

/* render.c: renderers of events, one const entry each. */
struct renderer;
struct renderer_ops {
	const char *name;
	void *(*open)(FILE *f);
	void (*event)(void *self, const struct co_event *ev);
	/* The error that ends it all, in this renderer's form; NULL: errors.c does it. */
	void (*error)(void *self, const struct co_err *err);
	void (*close)(void *self);
};
extern const struct renderer_ops render_tty, render_plain, render_json, render_quiet, render_github;
/* mode: auto tty plain json quiet (rawjson is docker's name for json); NULL is auto. Shows on
 * standard error. */
int render_open(struct renderer **out, const struct progress_opts *o,
		struct co_err *err) co_must_check;
struct co_bus *render_bus(struct renderer *r);
/* Ends it; r < 0 lets the renderer show c->err. Returns r. NULL is allowed. */
int render_close(struct renderer *rd, struct cmd_ctx *c, int r);
