/* SPDX-License-Identifier: MIT
 *
 * retry.c — what is worth another try, and when.
 */
#include "registry-internal.h"
#include <cooper/clock.h>
#include <cooper/str.h>
#include <string.h>
#include <sys/random.h>

#define MAX_DELAY_MS	30000
#define MAX_RETRY_AFTER 120 /* seconds; a build does not sleep longer than that */

bool retry_status(int status)
{
	switch (status) {
	case 408:
	case 429:
	case 499:
	case 500:
	case 502:
	case 503:
	case 504:
	case 522:
		return true;
	default:
		return false;
	}
}

bool retry_curl(CURLcode code)
{
	static const CURLcode list[] = {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT,
					CURLE_PARTIAL_FILE,	    CURLE_OPERATION_TIMEDOUT,
					CURLE_GOT_NOTHING,	    CURLE_SEND_ERROR,
					CURLE_RECV_ERROR,	    CURLE_HTTP2,
					CURLE_HTTP2_STREAM,	    CURLE_COULDNT_RESOLVE_PROXY,
					CURLE_SSL_CONNECT_ERROR,    CURLE_AGAIN,
					CURLE_SEND_FAIL_REWIND};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == code)
			return true;
	return false;
}

static uint64_t random_below(uint64_t n)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != (ssize_t)sizeof(v))
		v = (uint64_t)co_mono_ns();
	return n ? v % n : 0;
}

/* Seconds the server asks for; 0 when it says nothing usable. */
static uint64_t asked_for(const char *retry_after)
{
	uint64_t s;
	int64_t date;

	if (co_parse_u64(retry_after, &s))
		return s;
	if (*retry_after && co_parse_http_date(retry_after, &date) && date > co_wall_s())
		return (uint64_t)(date - co_wall_s());
	return 0;
}

int64_t retry_delay(const struct co_registry *r, unsigned n, const char *retry_after)
{
	uint64_t asked = asked_for(retry_after);
	uint64_t cap = (uint64_t)r->base_delay_ms << (n > 10 ? 10 : n);

	if (asked > MAX_RETRY_AFTER)
		return -1;
	if (cap > MAX_DELAY_MS)
		cap = MAX_DELAY_MS;
	/* never at once, never all together */
	uint64_t delay = cap / 4 + random_below(cap - cap / 4 + 1);
	return (int64_t)(asked * 1000 > delay ? asked * 1000 + random_below(250) : delay);
}
