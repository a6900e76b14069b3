/* SPDX-License-Identifier: MIT
 *
 * download.c — plain HTTP(S) downloads into a sink, by the same engine.
 */
#include "registry-internal.h"
#include <cooper/clock.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MAX (UINT64_C(16) << 30)
#define TELL_NS	    INT64_C(100000000)

struct download {
	struct co_registry *r;
	struct co_sink *sink; /* owned */
	uint64_t max;
	int64_t told_at;
	const char *name;
};

static void tell(struct download *d, const struct req *q, int64_t done, bool end)
{
	int64_t now = co_mono_ns();
	int64_t total = end ? done : q->delivered ? 0 : q->head.content_length;

	if (!end && now - d->told_at < TELL_NS)
		return;
	d->told_at = now;
	co_emit(d->r->bus, (struct co_event){.kind = CO_EV_TRANSFER,
					     .name = d->name,
					     .dir = CO_DIR_PULL,
					     .done = (uint64_t)done,
					     .total = total < 0 ? 0 : (uint64_t)total,
					     .finished = end,
					     .ok = end});
}

static int on_data(struct req *q, const void *data, size_t len)
{
	struct download *d = q->ctx;

	if ((uint64_t)q->delivered + len > d->max)
		return co_fail(&q->err, CO_E_LIMIT, "more than %llu bytes",
			       (unsigned long long)d->max);
	if (co_sink_write(d->sink, data, len) < 0)
		return co_sink_close(co_steal(&d->sink), &q->err);
	tell(d, q, q->delivered + (int64_t)len, false);
	return 0;
}

static int hex(char c)
{
	c = co_lower(c);
	return co_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Last element of the path, decoded; "" when that is no file name. */
static void file_name(const char *url, char *out, size_t size)
{
	const char *p = strstr(url, "://");
	size_t n = 0;

	out[0] = '\0';
	p = p ? strpbrk(p + 3, "/?#") : NULL;
	if (!p || *p != '/')
		return;
	size_t len = strcspn(p, "?#"), at = len;
	while (at && p[at - 1] != '/')
		at--;
	for (size_t i = at; i < len && n + 1 < size; i++) {
		bool coded = p[i] == '%' && i + 2 < len && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0;
		char c = coded ? (char)(hex(p[i + 1]) << 4 | hex(p[i + 2])) : p[i];

		i += coded ? 2 : 0;
		if (c == '/' || c == '\0' || (unsigned char)c < ' ') {
			out[0] = '\0';
			return;
		}
		out[n++] = c;
		out[n] = '\0';
	}
	if (!strcmp(out, ".") || !strcmp(out, ".."))
		out[0] = '\0';
}

/* One header line, nothing smuggled in. */
static bool header_ok(const char *h)
{
	size_t n = strcspn(h, ":");

	if (!n || !h[n])
		return false;
	for (const char *p = h; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

static int run(struct download *d, struct co_download *what, struct req *q, struct co_err *err)
{
	int e = http_do(q, err);

	if (!e)
		e = req_result(q, NULL, err);
	if (!e && q->status != 200 && q->status != 206)
		e = co_fail(err, CO_E_NETWORK, "unexpected answer %d", q->status);
	if (!e)
		e = co_sink_close(co_steal(&d->sink), err);
	co_sink_abort(co_steal(&d->sink));
	if (e < 0)
		return e;
	tell(d, q, q->delivered, true);
	if (!co_parse_http_date(q->head.modified, &what->last_modified))
		what->last_modified = -1;
	file_name(q->cur, what->filename, sizeof(what->filename));
	snprintf(what->etag, sizeof(what->etag), "%s", q->head.etag);
	return 0;
}

int co_download(struct co_registry *r, struct co_download *d, struct co_sink *out,
		struct co_err *err)
{
	char shown[320];
	struct url u;
	struct download self = {
		.r = r, .sink = out, .max = d->max_bytes ? d->max_bytes : DEFAULT_MAX};

	self.name = url_shown(d->url, shown, sizeof(shown));
	if (!url_parse(d->url, &u) || (d->header && !header_ok(d->header))) {
		co_sink_abort(out);
		return co_fail(err, CO_E_USAGE, "%s: %s", shown,
			       url_parse(d->url, &u) ? "the extra header is not \"Name: value\""
						     : "not an http or https address");
	}
	auto_req q = req_new(r, host_of_url(r, d->url)->name, "GET");
	req_url(q, "%s", d->url);
	q->raw = true;
	q->big = true;
	q->if_range = true;
	q->extra = co_xstrdup(d->header);
	q->on_data = on_data;
	q->ctx = &self;
	int e = run(&self, d, q, err);
	return e ? co_wrap(err, "download %s", shown) : 0;
}
