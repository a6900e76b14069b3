/* SPDX-License-Identifier: MIT
 *
 * fuzz_expand.c — expansion, splitting, heredoc bodies, mounts, ports and signals. The input's
 * first line is the value of every variable whose name does not start with u; the rest is the word.
 */
#include "fuzz.h"
#include <cooper/buf.h>
#include <cooper/dockerfile.h>
#include <cooper/str.h>
#include <string.h>

static const char *get(void *ctx, const char *name)
{
	return name[0] == 'u' ? NULL : ctx;
}

static void undefined(void *ctx, const char *name)
{
	must(ctx && name);
}

static void check_error(int r, const struct co_err *err)
{
	must(r == err->code && err->msg[0]);
	must(r == CO_E_SYNTAX || r == CO_E_LIMIT);
}

/* ASCII blanks only: with the others the two would have to agree on what a blank is. */
static void add_solid(struct co_buf *out, const char *s)
{
	for (; *s; s++)
		if (!co_is_space(*s))
			co_buf_addc(out, *s);
}

/* Splitting loses blanks and nothing else. */
static void check_words(char **words, size_t n, const char *text)
{
	auto_buf a = CO_BUF_INIT(CO_BUF_TEXT);
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	for (size_t i = 0; i < n; i++) {
		must(words[i][0]);
		add_solid(&a, words[i]);
	}
	add_solid(&b, text);
	bool ascii = true;
	for (const char *s = text; *s; s++)
		ascii &= (unsigned char)*s < 0x80;
	must(!ascii || !strcmp(co_buf_str(&a), co_buf_str(&b)));
}

static void expand(struct co_arena *a, const char *word, char escape, const struct co_vars *vars)
{
	struct co_err err = CO_ERR_INIT, err2 = CO_ERR_INIT, err3 = CO_ERR_INIT;
	char *text = NULL, **words = NULL, *body = NULL;
	size_t n = 0;
	int r = co_expand(&text, a, word, escape, vars, &err);
	must(r == co_expand_words(&words, &n, a, word, escape, vars, &err2));
	if (r < 0) {
		must(!text && !words && !n);
		check_error(r, &err);
	} else {
		check_words(words, n, text);
	}
	r = co_expand_heredoc(&body, a, word, vars, &err3);
	must((r < 0) == !body);
	if (r < 0)
		check_error(r, &err3);
}

static void values(struct co_arena *a, const char *word, char escape, const struct co_vars *vars)
{
	struct co_err err = CO_ERR_INIT;
	struct co_mount m;
	char **ports = NULL;
	size_t n = 0;
	int r = co_mount_parse(&m, a, word, escape, vars, &err);
	if (r < 0)
		check_error(r, &err);
	else
		must((m.type == CO_MOUNT_SSH || m.target || m.id) && m.mode <= 07777);
	co_err_clear(&err);
	r = co_expose_parse(&ports, &n, a, word, &err);
	if (r < 0)
		check_error(r, &err);
	for (size_t i = 0; i < n; i++)
		must(co_is_digit(ports[i][0]) && strchr(ports[i], '/'));
	must((r == 0) == (n > 0));
	co_signal_valid(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct co_arena a = CO_ARENA_INIT;
	char *value = co_arena_dup(&a, data, size);
	char *word = strchr(value, '\n');
	if (word)
		*word++ = '\0';
	else
		word = value;
	struct co_vars vars = {.get = get, .undefined = undefined, .ctx = value};
	expand(&a, word, '\\', &vars);
	expand(&a, word, '`', &vars);
	values(&a, word, '\\', &vars);
	co_arena_release(&a);
	return 0;
}
