/* SPDX-License-Identifier: MIT
 *
 * fuzz_manifest.c — configs, manifests, indexes and platform names. What is accepted is written in
 * one form: writing, reading and writing again gives the same bytes.
 */
#include "fuzz.h"
#include <cooper/arena.h>
#include <cooper/buf.h>
#include <cooper/image.h>
#include <string.h>

#define DOC_MAX (4u << 20)

static void same(const struct co_buf *a, const struct co_buf *b)
{
	must(a->len == b->len && !memcmp(co_buf_str(a), co_buf_str(b), a->len));
}

static void try_config(const char *text, size_t len)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf once = CO_BUF_INIT(64u << 20);
	auto_buf twice = CO_BUF_INIT(64u << 20);
	struct co_err err = CO_ERR_INIT;
	struct co_config c, again, child;
	size_t layers = 0;
	int r = co_config_parse(&c, &a, text, len, &err);
	must(r == err.code);
	if (r < 0)
		return;
	for (size_t i = 0; i < c.n_history; i++)
		layers += !c.history[i].empty_layer;
	must(layers == c.n_diff_ids);
	co_config_write(&once, &c);
	must(!once.overflow);
	if (once.len > DOC_MAX)
		return; /* escapes may make it longer than what is read */
	must(co_config_parse(&again, &a, once.data, once.len, &err) == 0);
	co_config_write(&twice, &again);
	same(&once, &twice);
	co_config_copy(&child, &a, &c);
	co_config_setenv(&child, &a, "A", "b");
	must(!strcmp(co_config_getenv(&child, "A"), "b"));
	co_buf_clear(&twice);
	co_config_write(&twice, &c);
	same(&once, &twice);
}

static void try_manifest(const char *text, size_t len)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf once = CO_BUF_INIT(64u << 20);
	auto_buf twice = CO_BUF_INIT(64u << 20);
	struct co_err err = CO_ERR_INIT;
	struct co_manifest m, again;
	struct co_index ix;
	int r = co_manifest_parse(&m, &a, text, len, NULL, &err);
	must(r == err.code);
	if (r < 0)
		return;
	/* never both (CVE-2021-41190) */
	must(co_index_parse(&ix, &a, text, len, NULL, &err) < 0);
	co_err_clear(&err);
	co_manifest_write(&once, &m);
	if (once.len <= DOC_MAX) {
		must(co_manifest_parse(&again, &a, once.data, once.len, m.media_type, &err) == 0);
		must(again.n_layers == m.n_layers);
		co_manifest_write(&twice, &again);
		same(&once, &twice);
		co_manifest_release(&again);
	}
	co_manifest_release(&m);
}

static void try_index(const char *text, size_t len)
{
	auto_arena a = CO_ARENA_INIT;
	auto_buf once = CO_BUF_INIT(64u << 20);
	auto_buf twice = CO_BUF_INIT(64u << 20);
	struct co_platform want = {"linux", "arm64", "v8"};
	struct co_err err = CO_ERR_INIT;
	struct co_index ix, again;
	int r = co_index_parse(&ix, &a, text, len, NULL, &err);
	must(r == err.code);
	if (r < 0)
		return;
	const struct co_descriptor *d = co_index_select(&ix, &want);
	must(!d || (d >= ix.manifests && d < ix.manifests + ix.n));
	co_index_write(&once, &ix);
	if (once.len <= DOC_MAX) {
		must(co_index_parse(&again, &a, once.data, once.len, ix.media_type, &err) == 0);
		co_index_write(&twice, &again);
		same(&once, &twice);
		co_index_release(&again);
	}
	co_index_release(&ix);
}

static void try_platform(const char *text)
{
	struct co_platform p, q;
	struct co_err err = CO_ERR_INIT;
	char buf[128];
	if (co_platform_parse(&p, text, &err) < 0)
		return;
	must(co_platform_parse(&q, co_platform_str(&p, buf, sizeof(buf)), &err) == 0);
	must(!memcmp(&p, &q, sizeof(p)) && co_platform_eq(&p, &q));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = CO_ARENA_INIT;
	const char *text = co_arena_dup(&a, data, size);
	try_config((const char *)data, size);
	try_manifest((const char *)data, size);
	try_index((const char *)data, size);
	try_platform(text);
	return 0;
}
