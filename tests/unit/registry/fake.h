/* SPDX-License-Identifier: MIT
 *
 * fake.h — a tiny HTTP server with scripted answers, for what a real registry cannot be made to do.
 * One child process accepts, one more serves each connection (one request each). Requests are kept
 * as text in shared memory.
 */
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum fake_how {
	FAKE_PLAIN,   /* send the answer, close */
	FAKE_ENDLESS, /* the answer, then rubbish for ever */
	FAKE_DRIP,    /* one byte of the answer every 300 ms */
};
struct fake_answer {
	const char *match; /* start of the request line */
	const char *text;  /* head and body */
	size_t len;	   /* 0: strlen(text) */
	int times;	   /* 0: always */
	enum fake_how how;
};
struct fake_shared {
	int used[64];
	size_t len;
	char log[1 << 20];
};
struct fake {
	pid_t pid;
	int port;
	struct fake_shared *shared;
};

static inline void fake_write(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			_exit(0);
		p += w;
		n -= (size_t)w;
	}
}

/* Reads the head and then as much body as Content-Length tells. A body under 4 kB is kept after its
 * head, in however many pieces it comes; of a longer one only the head is. */
static inline bool fake_read(int fd, char *head, size_t size)
{
	size_t n = 0;
	char *end = NULL;

	while (!end && n + 1 < size) {
		ssize_t r = recv(fd, head + n, size - n - 1, 0);

		if (r <= 0 || head[0] == 0x16) /* a TLS hello */
			return false;
		n += (size_t)r;
		head[n] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	if (!end)
		return false;
	const char *length = strcasestr(head, "\r\ncontent-length:");
	size_t left = length ? strtoul(length + 17, NULL, 10) : 0;
	size_t body = (size_t)(end + 4 - head), have = n - body;
	bool keep = left < 4000 && body + left < size;
	char chunk[65536];

	while (have < left) {
		ssize_t r = keep ? recv(fd, head + body + have, left - have, 0)
				 : recv(fd, chunk, sizeof(chunk), 0);

		if (r <= 0)
			return false;
		have += (size_t)r;
	}
	head[keep ? body + left : body] = '\0';
	return true;
}

static inline void fake_serve(int fd, const struct fake_answer *list, struct fake_shared *sh)
{
	static const char none[] = "HTTP/1.1 418 No Script\r\nContent-Length: 0\r\n\r\n";
	static const char filler[] = "x-fill: 0123456789012345678901234567890123456789\r\n";
	static char head[65536];

	if (!fake_read(fd, head, sizeof(head)))
		return;
	size_t n = strlen(head), at = __atomic_fetch_add(&sh->len, n, __ATOMIC_SEQ_CST);
	if (at + n < sizeof(sh->log))
		memcpy(sh->log + at, head, n);
	for (size_t i = 0; list[i].match; i++) {
		const struct fake_answer *a = &list[i];
		size_t len = a->len ? a->len : strlen(a->text);

		if (strncmp(head, a->match, strlen(a->match)) != 0)
			continue;
		if (a->times && __atomic_fetch_add(&sh->used[i], 1, __ATOMIC_SEQ_CST) >= a->times)
			continue;
		if (a->how == FAKE_DRIP)
			for (size_t k = 0; k < len; k++, usleep(300000))
				fake_write(fd, a->text + k, 1);
		else
			fake_write(fd, a->text, len);
		while (a->how == FAKE_ENDLESS)
			fake_write(fd, filler, sizeof(filler) - 1);
		return;
	}
	fake_write(fd, none, sizeof(none) - 1);
}

/* The list must live as long as the server: it is copied by fork only. */
static inline void fake_listen(struct fake *f, int *fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(*fd, 64) < 0 ||
	    getsockname(*fd, (struct sockaddr *)&a, &len) < 0)
		abort();
	f->port = ntohs(a.sin_port);
	f->shared = mmap(NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f->shared == MAP_FAILED)
		abort();
}

static inline void fake_run(struct fake *f, int fd, const struct fake_answer *list)
{
	f->pid = fork();
	if (f->pid < 0)
		abort();
	if (f->pid > 0) {
		close(fd);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			continue;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			fake_serve(c, list, f->shared);
			shutdown(c, SHUT_WR);
			_exit(0);
		}
		close(c);
	}
}

static inline void fake_stop(struct fake *f)
{
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	munmap(f->shared, sizeof(*f->shared));
}

/* How often a text occurs in what was asked. */
static inline int fake_count(const struct fake *f, const char *text)
{
	int n = 0;

	for (const char *p = f->shared->log; (p = strcasestr(p, text)); p++)
		n++;
	return n;
}
