/* SPDX-License-Identifier: MIT */
#include <cooper/clock.h>
#include <cooper/str.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The one piece of process-wide state of this floor: a signal handler has no other place. */
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

bool co_interrupted(void)
{
	return interrupted != 0;
}

void co_interrupt_install(void)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGPIPE, &ignore, NULL);
}

int64_t co_mono_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t co_wall_s(void)
{
	return (int64_t)time(NULL);
}

void co_sleep_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
	nanosleep(&t, NULL);
}

const char *co_rfc3339(int64_t s, char *buf, size_t len)
{
	time_t t = (time_t)s;
	struct tm tm;
	gmtime_r(&t, &tm);
	snprintf(buf, len, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return buf;
}

bool co_parse_rfc3339(const char *text, int64_t *out)
{
	struct tm tm = {0};
	int n = 0;
	if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6 ||
	    !n)
		return false;
	const char *p = text + n;
	if (*p == '.')
		for (p++; co_is_digit(*p); p++)
			;
	int sign = 0, hours = 0, minutes = 0;
	if (*p == '+' || *p == '-') {
		sign = *p == '+' ? -1 : 1;
		if (sscanf(p + 1, "%2d:%2d", &hours, &minutes) != 2)
			return false;
	} else if (*p != 'Z' && *p != 'z') {
		return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*out = (int64_t)timegm(&tm) + sign * (hours * 3600 + minutes * 60);
	return true;
}

bool co_parse_http_date(const char *text, int64_t *out)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = {0};
	char mon[4] = "";
	if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &tm.tm_mday, mon, &tm.tm_year,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return false;
	const char *at = strstr(months, mon);
	if (!at || strlen(mon) != 3 || (at - months) % 3)
		return false;
	tm.tm_mon = (int)(at - months) / 3;
	tm.tm_year -= 1900;
	*out = (int64_t)timegm(&tm);
	return true;
}
