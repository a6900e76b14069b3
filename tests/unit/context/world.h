/* SPDX-License-Identifier: MIT
 *
 * world.h — a place for copies: DIR/src is copied from, DIR/dst into, DIR/outside must never
 * change.
 */
#pragma once
#include <cooper/auto.h>
#include <cooper/buf.h>
#include <cooper/context.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

struct world {
	char dir[64];
	struct co_root src, dst;
	struct co_ignore *ignore;
	struct co_arena arena;
	char warnings[1024];
	struct co_bus bus;
};

static inline bool sh(const struct world *w, const char *script)
{
	char cmd[4096];
	snprintf(cmd, sizeof(cmd), "cd %s && { %s\n}", w->dir, script);
	return system(cmd) == 0;
}

static inline void keep_warning(void *ctx, const struct co_event *ev)
{
	struct world *w = ctx;
	if (ev->kind == CO_EV_WARNING)
		snprintf(w->warnings, sizeof(w->warnings), "%s", ev->text);
}

static inline int world_root(const struct world *w, const char *name)
{
	char path[96];
	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void world_open(struct world *w, const char *setup)
{
	memset(w, 0, sizeof(*w));
	strcpy(w->dir, "/tmp/cooper-copy-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->bus = (struct co_bus){keep_warning, w};
	assert_true(sh(w, "umask 022; mkdir src dst outside && echo safe >outside/sentinel &&"
			  "touch -d @1 outside outside/sentinel"));
	char script[4000];
	snprintf(script, sizeof(script), "umask 022; set -e; %s", *setup ? setup : ":");
	if (!sh(w, script))
		fail_msg("setup failed: %s", setup);
	w->src = (struct co_root){.fd = world_root(w, "src")};
	w->dst = (struct co_root){.fd = world_root(w, "dst")};
	auto_buf text = CO_BUF_INIT(CO_BUF_SMALL);
	struct co_err err = CO_ERR_INIT;
	auto_fd fd = openat(w->src.fd, ".dockerignore", O_RDONLY);
	if (fd < 0)
		return;
	assert_int_equal(co_buf_read_fd(&text, fd, "ignore", &err), 0);
	if (co_ignore_parse(&w->ignore, co_buf_str(&text), text.len, "ignore", &err) < 0)
		w->ignore = NULL;
}

static inline void world_close(struct world *w)
{
	assert_true(sh(w, "test \"$(ls -A outside)\" = sentinel &&"
			  "test \"$(cat outside/sentinel)\" = safe &&"
			  "test $(stat -c %Y outside) = 1 && test $(stat -c %Y outside/sentinel) = "
			  "1"));
	co_root_close(&w->src);
	co_root_close(&w->dst);
	co_ignore_free(w->ignore);
	co_arena_release(&w->arena);
	assert_true(sh(w, "chmod -R u+rwx . ; rm -rf ../$(basename $PWD)"));
}

/* A copy from the words of a COPY line: options, sources, destination. "<<name=text" is a
 * here-document; "--stage" takes owners along as --from does; "--unpack" is ADD. */
struct job {
	struct co_copy copy;
	struct co_copy_source sources[8];
	const char *excludes[8];
};

static inline void job_option(struct world *w, struct job *j, char *word)
{
	struct co_err err = CO_ERR_INIT;
	char *value = strchr(word, '=');
	if (value)
		value++;
	if (co_starts(word, "--chown=")) {
		j->copy.has_owner = true;
		assert_int_equal(co_chown_resolve(&j->copy.uid, &j->copy.gid, &w->dst, value, &err),
				 0);
	} else if (co_starts(word, "--chmod=")) {
		assert_int_equal(co_chmod_parse(&j->copy.chmod, &w->arena, value, &err), 0);
	} else if (co_starts(word, "--exclude=")) {
		j->excludes[j->copy.n_excludes++] = value;
	} else if (!strcmp(word, "--parents")) {
		j->copy.parents = true;
	} else if (!strcmp(word, "--link")) {
		j->copy.link = true;
	} else if (!strcmp(word, "--unpack")) {
		j->copy.unpack = CO_UNPACK_AUTO;
	} else if (!strcmp(word, "--stage")) {
		for (size_t i = 0; i < 8; i++)
			j->sources[i].keep_owner = true;
	} else {
		fail_msg("test: %s", word);
	}
}

static inline void job_source(struct world *w, struct job *j, char *word)
{
	struct co_copy_source *s = &j->sources[j->copy.n_sources++];
	s->fd = -1;
	if (!co_starts(word, "<<")) {
		s->root = &w->src;
		s->ignore = w->ignore;
		s->pattern = word;
		return;
	}
	char *eq = strchr(word, '=');
	*eq = 0;
	s->pattern = word + 2;
	s->content = eq + 1;
	s->content_len = strlen(s->content);
	s->mode = 0644;
	s->mtime.tv_sec = 1000;
}

static inline void job_init(struct world *w, struct job *j, const char *line)
{
	char *text = co_arena_strdup(&w->arena, line), *word, *rest = text, *last = NULL;
	memset(j, 0, sizeof(*j));
	j->copy.sources = j->sources;
	j->copy.excludes = j->excludes;
	j->copy.bus = &w->bus;
	j->copy.owner_best_effort = geteuid() != 0;
	while ((word = strsep(&rest, " "))) {
		if (co_starts(word, "--")) {
			job_option(w, j, word);
			continue;
		}
		if (last)
			job_source(w, j, last);
		last = word;
	}
	j->copy.dest = last;
}

static inline int run_line(struct world *w, const char *line, struct co_err *err)
{
	struct job j;
	job_init(w, &j, line);
	return co_copy_run(&j.copy, &w->dst, err);
}
