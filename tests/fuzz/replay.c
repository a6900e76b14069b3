/* SPDX-License-Identifier: MIT
 *
 * replay.c — runs a fuzz target over the files of a folder, each as it is and in changed copies.
 * The changes are the same on every run. A crash names the file on standard error.
 */
#include "fuzz.h"
#include <cooper/arena.h>
#include <cooper/buf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SEED (4u << 20)
#define MUTANTS	 200

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* An exact copy on the heap, so that ASan sees a read behind its end. */
static void feed(const char *data, size_t n)
{
	auto_free uint8_t *copy = malloc(n ? n : 1);
	if (!copy)
		abort();
	memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
}

/* Changes b in place: cuts, overwrites, doubles or drops a stretch. */
static void mutate(struct co_buf *b, uint64_t *rnd)
{
	size_t at = b->len ? next_random(rnd) % b->len : 0;
	size_t n = next_random(rnd) % 16;
	if (at + n > b->len)
		n = b->len - at;
	char keep[16];
	memcpy(keep, b->data + at, n);
	switch (next_random(rnd) % 4) {
	case 0:
		co_buf_cut(b, at);
		break;
	case 1:
		if (n)
			b->data[at] = (char)next_random(rnd);
		break;
	case 2:
		co_buf_add(b, keep, n);
		break;
	default:
		memmove(b->data + at, b->data + at + n, b->len - at - n);
		co_buf_cut(b, b->len - n);
		break;
	}
}

static void run_file(const struct co_buf *input)
{
	uint64_t rnd = 0x9e3779b97f4a7c15u + input->len;
	feed(co_buf_str(input), input->len);
	if (!input->len || input->len > 65536)
		return;
	for (unsigned i = 0; i < MUTANTS; i++) {
		auto_buf b = CO_BUF_INIT(MAX_SEED);
		co_buf_add(&b, input->data, input->len);
		for (uint64_t k = next_random(&rnd) % 4; b.len && k < 4; k++)
			mutate(&b, &rnd);
		feed(co_buf_str(&b), b.len);
	}
}

static unsigned run_folder(const char *path)
{
	unsigned n = 0;
	auto_dir d = opendir(path);
	if (!d) {
		fprintf(stderr, "cannot open %s\n", path);
		exit(2);
	}
	for (struct dirent *e; (e = readdir(d));) {
		struct stat st;
		struct co_err err = CO_ERR_INIT;
		auto_buf input = CO_BUF_INIT(MAX_SEED);
		auto_fd fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (co_buf_read_fd(&input, fd, e->d_name, &err) < 0) {
			fprintf(stderr, "%s\n", err.msg);
			exit(2);
		}
		fprintf(stderr, "%s\n", e->d_name);
		run_file(&input);
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	unsigned n = 0;
	for (int i = 1; i < argc; i++)
		n += run_folder(argv[i]);
	fprintf(stderr, "%u inputs\n", n);
	return n ? 0 : 1;
}
