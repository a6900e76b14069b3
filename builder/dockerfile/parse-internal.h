/* SPDX-License-Identifier: MIT
 *
 * parse-internal.h — what the files of the parser share.
 *
 * The text goes through three stages: lines.c joins physical lines to the text of one instruction
 * and remembers where each byte came from; split.c takes keyword and flags off it; forms.c reads
 * the arguments. Bodies of here-documents are read last, by heredoc.c, from the lines below.
 */
#pragma once
#include <cooper/buf.h>
#include <cooper/dockerfile.h>
#include <cooper/str.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT     (16u << 20)
#define MAX_LINE     65535u
#define MAX_INSN     (1u << 20)
#define MAX_INSNS    500000u
#define MAX_HEREDOCS 256u

enum form {
	FORM_BASE,
	FORM_COMMAND,
	FORM_PATHS,
	FORM_LIST,
	FORM_WORDS,
	FORM_TEXT,
	FORM_PAIRS,
	FORM_NAMES,
	FORM_HEALTH,
	FORM_TRIGGER
};
enum flag_kind { FLAG_BOOL, FLAG_VALUE, FLAG_LIST, FLAG_DURATION, FLAG_COUNT };

/* A stretch of joined text that comes from one physical line. */
struct piece {
	size_t at;
	unsigned line, col;
};

struct parser {
	struct co_arena *a;
	const struct co_source *src;
	const char *at; /* next unread byte of the source */
	unsigned line;	/* number of the line read last */
	char escape;
	bool directives_done;
	unsigned seen; /* bit per directive */
	/* the instruction at hand */
	const char *text; /* joined, NUL-terminated, in the arena */
	size_t len;
	struct co_buf joined;
	struct piece *pieces; /* owned */
	size_t n_pieces, cap_pieces;
	struct co_buf scratch;
	/* arguments gathered so far; copied to the arena at their exact size */
	const char **args;	/* owned */
	struct co_pos *arg_pos; /* owned */
	size_t n_args, cap_args;
	struct co_kv *kvs; /* owned */
	size_t n_kvs, cap_kvs;
	/* comment lines since the last instruction */
	const char **comments;
	size_t n_comments;
	struct co_parse_warning *warnings;
	size_t n_warnings;
};

/* ---- lines.c ---- */
struct line {
	const char *s; /* without byte-order mark */
	size_t n;      /* without line ending */
};
/* 1 and a line, 0 at the end, or an error (line too long). */
int next_line(struct parser *p, struct line *l, struct co_err *err);
/* 1 and p->text, 0 at the end, or an error. *first: number of the first line. */
int next_insn(struct parser *p, unsigned *first, struct co_err *err);
/* Where a byte of p->text stands in the source. */
struct co_pos pos_of(const struct parser *p, const char *at);
/* CO_E_SYNTAX with the place of a byte of p->text. */
int fail_at(struct parser *p, const char *at, struct co_err *err, const char *fmt, ...)
	co_printf(4, 5);
int fail_pos(struct parser *p, struct co_pos pos, int code, struct co_err *err, const char *fmt,
	     ...) co_printf(5, 6);

/* ---- directive.c ---- */
/* Looks at a line, whose first character stands in column col, while directives are still possible:
 * 1 it was one, 0 not (none will follow). */
int read_directive(struct parser *p, const char *s, size_t n, unsigned col, struct co_err *err);
/* Values of `syntax` and `check` as tools that only look for them see them. */
int find_directives(struct parser *p, struct co_dockerfile *d, struct co_err *err);

/* ---- split.c ---- */
/* Length of the white space (Unicode) or of the character at s; 0 when there is none. */
size_t space_len(const char *s, const char *end);
size_t char_len(const char *s, const char *end);
const char *skip_space(const char *s, const char *end);
const char *trim_right(const char *s, const char *end);
/* What separates plain words: tab, vertical tab, form feed, carriage return, blank. */
bool is_blank(char c);
const char *skip_blank(const char *s, const char *end);
const char *skip_word(const char *s, const char *end);
/* Reads flags in front of the arguments into insn; returns where the arguments start. */
const char *take_flags(struct parser *p, struct co_insn *insn, const char *s, const char *end);

/* ---- insn.c ---- */
enum form insn_form(enum co_op op);
bool insn_heredocs(enum co_op op);
/* The op of a keyword, or CO_OP_COUNT. */
enum co_op insn_find(const char *s, size_t n);
const char *insn_nearest(struct co_arena *a, const char *word);
/* Checks the flags of insn against its rows; drops those that say nothing. */
int insn_check_flags(struct parser *p, struct co_insn *insn, struct co_err *err);

/* ---- forms.c, form_pairs.c ---- */
void add_arg(struct parser *p, const char *text, const char *at);
void add_kv(struct parser *p, const char *key, const char *value, const char *at);
/* A slice of p->text as a string; shares the memory when it ends where the text ends. */
const char *slice(struct parser *p, const char *s, const char *end);
/* Reads [s,end) — the whole instruction — into insn. nested: it is an ONBUILD trigger. */
int parse_insn(struct parser *p, struct co_insn *insn, const char *s, const char *end,
	       struct co_err *err);
int form_pairs(struct parser *p, struct co_insn *insn, const char *s, const char *end,
	       struct co_err *err);
int form_names(struct parser *p, const char *s, const char *end, struct co_err *err);

/* ---- jsonargs.c ---- */
enum json_args { JSON_NOT_ARRAY, JSON_STRINGS, JSON_MIXED, JSON_NUL };
/* Reads a JSON array of strings as Go does (bad UTF-8 becomes U+FFFD) and adds its elements as
 * arguments. *at: the element that is no string, or that holds a NUL. */
enum json_args json_args(struct parser *p, const char *s, const char *end, const char **at);

/* ---- words.c ---- */
/* The shell-word lexer with no variable set, as the frontend uses it to find markers. */
struct lexer {
	bool raw_quotes, raw_escapes; /* keep them in the words */
	struct co_buf word;	      /* the word being built */
	struct co_buf stack;	      /* open constructs, a byte each */
	const char *start;	      /* where the word began */
	bool in_word;
	int (*done)(void *ctx, struct lexer *lx); /* called with each word; < 0 stops */
	void *ctx;
};
/* 0, or < 0 when the text is not well-formed (or done stopped it). */
int lex_words(struct lexer *lx, const char *s, const char *end);

/* ---- heredoc.c ---- */
/* Reads the bodies of the markers on the line into insn (the trigger, for ONBUILD), and makes the
 * whole text of the instruction: p->text, then each body and its terminator. */
int read_heredocs(struct parser *p, struct co_insn *insn, const char **original,
		  struct co_err *err);
/* Names heredoc sources of COPY and ADD "<<N" and refuses a heredoc destination. */
int resolve_heredocs(struct parser *p, struct co_insn *insn, struct co_err *err);
