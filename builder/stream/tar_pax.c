/* SPDX-License-Identifier: MIT
 *
 * tar_pax.c — one member as header bytes. POSIX.1-2017 pax, "ustar Interchange Format" and "pax
 * Header Block"; xattrs as star writes them (SCHILY.xattr.NAME, raw value). What this file makes of
 * an entry is part of every layer digest: golden tests hold it still.
 */
#include "tar-internal.h"
#include <cooper/str.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OCTAL7	07777777u      /* seven digits and a NUL */
#define OCTAL11 077777777777ll /* eleven digits and a NUL */

/* "LEN KEY=VALUE\n", where LEN counts itself. */
static void pax_record(struct co_buf *pax, const char *key, const void *value, size_t n)
{
	size_t body = 1 + strlen(key) + 1 + n + 1, len = body, digits;

	do {
		digits = (size_t)snprintf(NULL, 0, "%zu", len);
		if (digits + body == len)
			break;
		len = digits + body;
	} while (true);
	co_buf_addf(pax, "%zu %s=", len, key);
	co_buf_add(pax, value, n);
	co_buf_addc(pax, '\n');
}

static void pax_text(struct co_buf *pax, const char *key, const char *value)
{
	pax_record(pax, key, value, strlen(value));
}

static void pax_number(struct co_buf *pax, const char *key, int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, v);
	pax_text(pax, key, text);
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* Stand-in for a name that is in a record: the same as far as it goes, in ASCII. */
static void put_cut(char *field, size_t size, const char *s)
{
	for (size_t i = 0; i < size && s[i]; i++)
		field[i] = (unsigned char)s[i] < 0x80 ? s[i] : '_';
}

/* At the last slash that leaves at most 155 bytes before it. */
static bool put_split(struct ustar *h, const char *name)
{
	size_t len = strlen(name), at = 0;

	for (size_t i = 1; i <= sizeof(h->prefix) && i + 1 < len; i++)
		if (name[i] == '/')
			at = i;
	if (!at || len - at - 1 > sizeof(h->name))
		return false;
	memcpy(h->prefix, name, at);
	memcpy(h->name, name + at + 1, len - at - 1);
	return true;
}

static void put_name(struct ustar *h, const char *name, struct co_buf *pax)
{
	size_t len = strlen(name);

	if (is_ascii(name)) {
		if (len <= sizeof(h->name)) {
			memcpy(h->name, name, len);
			return;
		}
		if (put_split(h, name))
			return;
	}
	pax_text(pax, "path", name);
	put_cut(h->name, sizeof(h->name), name);
}

static void put_link(struct ustar *h, const char *link, struct co_buf *pax)
{
	size_t len = strlen(link);

	if (is_ascii(link) && len <= sizeof(h->linkname)) {
		memcpy(h->linkname, link, len);
		return;
	}
	pax_text(pax, "linkpath", link);
	put_cut(h->linkname, sizeof(h->linkname), link);
}

static void put_octal(char *field, size_t digits, uint64_t v)
{
	field[digits] = 0;
	for (size_t i = digits; i-- > 0; v >>= 3)
		field[i] = (char)('0' + (v & 7));
}

static void put_small(char field[8], uint32_t v, const char *key, struct co_buf *pax)
{
	if (v > OCTAL7) {
		pax_number(pax, key, v);
		v = 0;
	}
	put_octal(field, 7, v);
}

static void put_large(char field[12], int64_t v, const char *key, struct co_buf *pax)
{
	if (v < 0 || v > OCTAL11) {
		pax_number(pax, key, v);
		v = 0;
	}
	put_octal(field, 11, (uint64_t)v);
}

static void put_checksum(struct ustar *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned sum = 0;

	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += p[i];
	put_octal(h->chksum, 6, sum);
}

static void put_magic(struct ustar *h)
{
	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
}

/* Names that are no UTF-8 need their own character set, else readers refuse or mangle them. */
static void put_charset(const struct co_tar_entry *e, const char *name, struct co_buf *pax)
{
	if (!co_utf8_valid(name, strlen(name)) ||
	    (e->link && !co_utf8_valid(e->link, strlen(e->link))))
		pax_text(pax, "hdrcharset", "BINARY");
}

void tar_fill(struct ustar *h, const struct co_tar_entry *e, const char *name, char type,
	      struct co_buf *pax)
{
	bool device = type == '3' || type == '4';

	memset(h, 0, sizeof(*h));
	put_charset(e, name, pax);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		char key[13 + 256];

		snprintf(key, sizeof(key), "SCHILY.xattr.%s", e->xattrs[i].name);
		pax_record(pax, key, e->xattrs[i].value, e->xattrs[i].size);
	}
	if (device) {
		put_small(h->devmajor, e->dev_major, "SCHILY.devmajor", pax);
		put_small(h->devminor, e->dev_minor, "SCHILY.devminor", pax);
	} else {
		put_octal(h->devmajor, 7, 0);
		put_octal(h->devminor, 7, 0);
	}
	put_octal(h->mode, 7, e->mode & 07777);
	put_small(h->gid, e->gid, "gid", pax);
	if (type == '1' || type == '2')
		put_link(h, e->link, pax);
	put_large(h->mtime, e->mtime.tv_sec, "mtime", pax);
	put_name(h, name, pax);
	put_large(h->size, type == '0' ? (int64_t)e->size : 0, "size", pax);
	put_small(h->uid, e->uid, "uid", pax);
	h->typeflag = type;
	put_magic(h);
	put_checksum(h);
}

void tar_fill_pax(struct ustar *h, const char *name, uint64_t size)
{
	char text[sizeof(h->name) + 1];
	const char *slash = NULL;

	memset(h, 0, sizeof(*h));
	for (const char *p = name; *p; p++)
		if (*p == '/' && p[1])
			slash = p;
	snprintf(text, sizeof(text), "PaxHeaders.0/%s", slash ? slash + 1 : name);
	put_cut(h->name, sizeof(h->name), text);
	put_octal(h->mode, 7, 0644);
	put_octal(h->uid, 7, 0);
	put_octal(h->gid, 7, 0);
	put_octal(h->size, 11, size);
	put_octal(h->mtime, 11, 0);
	put_octal(h->devmajor, 7, 0);
	put_octal(h->devminor, 7, 0);
	h->typeflag = 'x';
	put_magic(h);
	put_checksum(h);
}
