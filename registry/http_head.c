/* SPDX-License-Identifier: MIT
 *
 * http_head.c — response headers: the few that matter, each with a maximum.
 */
#include "registry-internal.h"
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define MAX_WARNINGS 16
#define MAX_URL	     (16u << 10)
#define MAX_HEAD     (256u << 10)

void head_clear(struct http_head *h)
{
	free(h->location);
	free(h->link);
	co_buf_release(&h->challenges);
	memset(h, 0, sizeof(*h));
	h->challenges.max = 16u << 10;
	h->content_length = h->min_chunk = -1;
}

static void keep_text(char *out, size_t size, const char *value, size_t len)
{
	if (len >= size) /* cut values would be wrong ones */
		len = 0;
	memcpy(out, value, len);
	out[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < ' ' || out[i] == 0x7f)
			out[i] = '?';
}

static void keep_url(char **out, const char *value, size_t len)
{
	free(*out);
	*out = NULL;
	if (len && len < MAX_URL && !memchr(value, 0, len)) {
		*out = co_xcalloc(1, len + 1);
		memcpy(*out, value, len);
	}
}

static void keep_number(int64_t *out, const char *value, size_t len)
{
	char text[32];
	uint64_t v;

	keep_text(text, sizeof(text), value, len);
	if (co_parse_u64(text, &v) && v <= INT64_MAX)
		*out = (int64_t)v;
}

/* Warning: 299 - "text" — shown once, never acted on. */
static void warning(struct req *q, const char *value, size_t len)
{
	char text[512];
	struct co_registry *r = q->r;
	auto_buf safe = CO_BUF_INIT(2048);

	keep_text(text, sizeof(text), value, len);
	if (!co_starts(text, "299 ") || r->n_warnings >= MAX_WARNINGS)
		return;
	char *from = strchr(text, '"'), *to = strrchr(text, '"');
	if (!from || to == from)
		return;
	*to = '\0';
	for (struct warning *w = r->warnings; w; w = w->next)
		if (!strcmp(w->text, from + 1))
			return;
	struct warning *w = co_xcalloc(1, sizeof(*w));
	w->text = co_xstrdup(from + 1);
	w->next = r->warnings;
	r->warnings = w;
	r->n_warnings++;
	co_sanitize(&safe, w->text, strlen(w->text), false);
	co_warn(r->bus, NULL, "%s says: %s", q->host->name, co_buf_str(&safe));
}

static void store(struct req *q, const char *name, const char *v, size_t n)
{
	struct http_head *h = &q->head;

	if (co_ieq(name, "location"))
		keep_url(&h->location, v, n);
	else if (co_ieq(name, "link"))
		keep_url(&h->link, v, n);
	else if (co_ieq(name, "content-type"))
		keep_text(h->content_type, sizeof(h->content_type), v, n);
	else if (co_ieq(name, "content-length"))
		keep_number(&h->content_length, v, n);
	else if (co_ieq(name, "content-range"))
		keep_text(h->content_range, sizeof(h->content_range), v, n);
	else if (co_ieq(name, "range"))
		keep_text(h->range, sizeof(h->range), v, n);
	else if (co_ieq(name, "etag"))
		keep_text(h->etag, sizeof(h->etag), v, n);
	else if (co_ieq(name, "last-modified"))
		keep_text(h->modified, sizeof(h->modified), v, n);
	else if (co_ieq(name, "retry-after"))
		keep_text(h->retry_after, sizeof(h->retry_after), v, n);
	else if (co_ieq(name, "docker-content-digest"))
		keep_text(h->digest, sizeof(h->digest), v, n);
	else if (co_ieq(name, "oci-subject"))
		keep_text(h->subject, sizeof(h->subject), v, n);
	else if (co_ieq(name, "oci-chunk-min-length"))
		keep_number(&h->min_chunk, v, n);
	else if (co_ieq(name, "warning"))
		warning(q, v, n);
	else if (co_ieq(name, "www-authenticate")) {
		co_buf_add(&h->challenges, v, n);
		co_buf_addc(&h->challenges, '\n');
	}
}

void head_line(struct req *q, const char *line, size_t len)
{
	char name[64];
	const char *colon = memchr(line, ':', len);

	while (len && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (!colon || (size_t)(colon - line) >= sizeof(name) || colon >= line + len)
		return;
	keep_text(name, sizeof(name), line, (size_t)(colon - line));
	const char *v = colon + 1, *end = line + len;
	while (v < end && co_is_space(*v))
		v++;
	while (end > v && co_is_space(end[-1]))
		end--;
	store(q, name, v, (size_t)(end - v));
}

size_t http_on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct req *q = ctx;
	size_t len = size * n;
	size_t total = q->head.total + len;

	if (len > 5 && !memcmp(data, "HTTP/", 5)) { /* also after a 1xx */
		head_clear(&q->head);
		const char *sp = memchr(data, ' ', len);
		q->status = 0;
		for (const char *p = sp ? sp + 1 : data;
		     sp && p < data + len && co_is_digit(*p) && q->status < 1000; p++)
			q->status = q->status * 10 + (*p - '0');
	} else {
		head_line(q, data, len);
	}
	q->head.total = total;
	if (total > MAX_HEAD) {
		co_fail(&q->err, CO_E_LIMIT, "%s: the answer has more than %u bytes of headers",
			q->host->name, MAX_HEAD);
		return 0;
	}
	return len;
}

bool head_range_ok(const char *content_range, int64_t from, int64_t size)
{
	const char *p = content_range;
	char number[24];
	uint64_t v[3];

	if (!co_starts(p, "bytes "))
		return false;
	p += 6;
	for (int i = 0; i < 3; i++) {
		size_t n = strcspn(p, "-/");
		if (i == 2 && !strcmp(p, "*"))
			return true;
		if (n >= sizeof(number) || (i < 2 && p[n] != "-/"[i]) || (i == 2 && p[n]))
			return false;
		snprintf(number, sizeof(number), "%.*s", (int)n, p);
		if (!co_parse_u64(number, &v[i]))
			return false;
		if (i == 0 && v[0] != (uint64_t)from)
			return false;
		p += n + (i < 2);
	}
	return v[1] >= v[0] && v[1] < v[2] && (size < 0 || v[2] == (uint64_t)size);
}
