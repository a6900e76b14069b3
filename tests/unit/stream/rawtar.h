/* SPDX-License-Identifier: MIT
 *
 * rawtar.h — archives for tests, from one-line descriptions, with no rule enforced: what our writer
 * would refuse to write is what the reader must survive.
 *
 *   "d a | f a/b=text | l s>target | h new>old | p fifo | c dev:1,3 | f name@uid,gid,mode=text"
 */
#pragma once
#include <cooper/buf.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct raw_member {
	char type;
	const char *name, *link, *data;
	size_t size;
	unsigned mode, uid, gid, major, minor;
	long long mtime;
};

static inline void raw_octal(char *field, int digits, unsigned long long v)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*llo", digits, v);
	memcpy(field, text, (size_t)digits);
}

static inline void raw_pad(struct co_buf *out)
{
	while (out->len % 512)
		co_buf_addc(out, 0);
}

static inline void raw_header(struct co_buf *out, const struct raw_member *m)
{
	char h[512] = {0};
	unsigned sum = 0;

	memcpy(h, m->name, strnlen(m->name, 100));
	raw_octal(h + 100, 7, m->mode);
	raw_octal(h + 108, 7, m->uid);
	raw_octal(h + 116, 7, m->gid);
	raw_octal(h + 124, 11, m->size);
	raw_octal(h + 136, 11, (unsigned long long)m->mtime);
	memset(h + 148, ' ', 8);
	h[156] = m->type;
	if (m->link)
		memcpy(h + 157, m->link, strnlen(m->link, 100));
	memcpy(h + 257, "ustar\00000", 8);
	raw_octal(h + 329, 7, m->major);
	raw_octal(h + 337, 7, m->minor);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	raw_octal(h + 148, 6, sum);
	h[154] = 0;
	co_buf_add(out, h, sizeof(h));
}

static inline void raw_add(struct co_buf *out, const struct raw_member *m)
{
	raw_header(out, m);
	if (m->data)
		co_buf_add(out, m->data, m->size);
	raw_pad(out);
}

/* Long names go through a GNU long name member. */
static inline void raw_long(struct co_buf *out, char type, const char *text)
{
	struct raw_member m = {.type = type, .name = "././@LongLink"};

	if (strlen(text) <= 100)
		return;
	m.data = text;
	m.size = strlen(text) + 1;
	raw_add(out, &m);
}

/* A PAX header with one record for the next member. */
static inline void raw_pax(struct co_buf *out, const char *key, const void *value, size_t n)
{
	size_t body = 1 + strlen(key) + 1 + n + 1, len = body;
	struct raw_member m = {.type = 'x', .name = "PaxHeader"};
	struct co_buf rec = CO_BUF_INIT(4u << 20);

	while (len != body + (size_t)snprintf(NULL, 0, "%zu", len))
		len = body + (size_t)snprintf(NULL, 0, "%zu", len);
	co_buf_addf(&rec, "%zu %s=", len, key);
	co_buf_add(&rec, value, n);
	co_buf_addc(&rec, '\n');
	m.data = rec.data;
	m.size = rec.len;
	raw_add(out, &m);
	co_buf_release(&rec);
}

static inline void raw_one(struct co_buf *out, char *text)
{
	static const char types[] = "f0d5l2h1p6c3b4";
	struct raw_member m = {.uid = geteuid(), .gid = getegid(), .mtime = 1000000000};
	char *mark = strpbrk(text, "=>"), *at;

	assert(text[1] == ' ' && strchr(types, text[0]));
	m.type = strchr(types, text[0])[1];
	m.mode = m.type == '5' ? 0755 : 0644;
	m.name = text + 2;
	if (mark && *mark == '=') {
		m.data = mark + 1;
		m.size = strlen(m.data);
	} else if (mark)
		m.link = mark + 1;
	if (mark)
		*mark = 0;
	if ((at = strchr(text, ':')) && sscanf(at, ":%u,%u", &m.major, &m.minor) == 2)
		*at = 0;
	if ((at = strchr(text, '@')) && sscanf(at, "@%u,%u,%o", &m.uid, &m.gid, &m.mode) == 3)
		*at = 0;
	if (m.link)
		raw_long(out, 'K', m.link);
	raw_long(out, 'L', m.name);
	raw_add(out, &m);
}

static inline void raw_end(struct co_buf *out)
{
	static const char zeros[1024];

	co_buf_add(out, zeros, sizeof(zeros));
}

/* Members of a description, without the end marker. */
static inline void raw_members(struct co_buf *out, const char *spec)
{
	char *copy = strdup(spec), *rest = copy, *part;

	while ((part = strsep(&rest, "|"))) {
		size_t len;

		while (*part == ' ' && part[1])
			part++;
		len = strlen(part);
		if (rest && len && part[len - 1] == ' ')
			part[len - 1] = 0;
		if (*part)
			raw_one(out, part);
	}
	free(copy);
}
