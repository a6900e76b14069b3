/* SPDX-License-Identifier: MIT
 *
 * Where an image goes besides store and registry, and the small files about it.
 */
#include "flow-internal.h"
#include <cooper/fs.h>
#include <cooper/layout.h>
#include <cooper/report.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A file that appears under its name only when it is complete. */
struct out_file {
	char tmp[4096];
	const char *dest;
	int fd;
};

static int file_begin(struct out_file *f, const char *dest, struct co_err *err)
{
	f->dest = dest;
	if (!strcmp(dest, "-")) {
		f->fd = dup(1);
		return f->fd < 0 ? co_fail_sys(err, "standard output") : 0;
	}
	int n = snprintf(f->tmp, sizeof(f->tmp), "%s.cooper-XXXXXX", dest);
	if (n < 0 || (size_t)n >= sizeof(f->tmp))
		return co_fail(err, CO_E_USAGE, "path too long: %s", dest);
	f->fd = mkostemp(f->tmp, O_CLOEXEC);
	if (f->fd < 0)
		return co_fail_sys(err, "write %s", dest);
	mode_t mask = umask(0);
	umask(mask);
	fchmod(f->fd, 0666 & ~mask);
	return 0;
}

static int file_end(struct out_file *f, int r, struct co_err *err)
{
	if (!strcmp(f->dest, "-"))
		return r;
	if (!r && rename(f->tmp, f->dest) < 0)
		r = co_fail_sys(err, "publish %s", f->dest);
	if (r < 0)
		unlink(f->tmp);
	return r;
}

static int write_archive(struct build *b, const struct co_output *o,
			 const struct co_descriptor *desc, struct co_err *err)
{
	struct out_file f;
	int r = file_begin(&f, o->dest, err);
	if (r < 0)
		return r;
	struct co_sink *sink = co_sink_fd(f.fd, true, o->dest);
	r = co_layout_write_tar(b->store, desc, b->o->tags, o->kind == CO_OUT_DOCKER, sink, err);
	return file_end(&f, r, err);
}

static int write_tree_tar(struct build *b, const struct co_output *o,
			  const struct co_descriptor *desc, struct co_err *err)
{
	auto_arena a = CO_ARENA_INIT;
	struct co_view v;
	struct out_file f;
	int r = co_view_open(&v, &a, b->store, desc, NULL, err);
	if (r < 0)
		return r;
	r = file_begin(&f, o->dest, err);
	if (!r) {
		r = co_report_export(&v, co_sink_fd(f.fd, true, o->dest), err);
		r = file_end(&f, r, err);
	}
	co_view_release(&v);
	return r;
}

/* Into a directory that exists or is made; ownership as far as the user may set it. */
static int write_local(struct build *b, const struct co_output *o, struct co_exec *x,
		       struct co_err *err)
{
	(void)b;
	const struct co_root *root;
	int r = co_exec_root(x, &root, err);
	if (!r)
		r = co_mkdir_p(o->dest, 0755, err);
	if (r < 0)
		return r;
	auto_fd fd = open(o->dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "output directory %s", o->dest);
	struct co_root dest = {.fd = fd};
	struct co_copy_source src = {.root = root, .keep_owner = true, .pattern = ".", .fd = -1};
	struct co_copy copy = {.sources = &src,
			       .n_sources = 1,
			       .dest = "/",
			       .bus = b->bus,
			       .owner_best_effort = true};
	return co_copy_run(&copy, &dest, err);
}

static int write_one(struct build *b, const struct co_output *o, const struct co_descriptor *desc,
		     struct co_exec *x, struct co_err *err)
{
	switch (o->kind) {
	case CO_OUT_TAR:
		return write_tree_tar(b, o, desc, err);
	case CO_OUT_LOCAL:
		return write_local(b, o, x, err);
	case CO_OUT_OCI:
	case CO_OUT_DOCKER:
	default:
		if (!o->tar)
			return co_layout_write_dir(b->store, desc, b->o->tags, o->dest, err);
		return write_archive(b, o, desc, err);
	}
}

int outputs_write(struct build *b, const struct co_descriptor *desc, struct co_exec *x,
		  struct co_err *err)
{
	for (size_t i = 0; i < b->o->n_outputs; i++) {
		const struct co_output *o = &b->o->outputs[i];
		int r = write_one(b, o, desc, x, err);
		if (r < 0)
			return co_wrap(err, "output %s", o->dest);
	}
	return 0;
}

static int put_file(const char *path, const char *text, struct co_err *err)
{
	return path ? co_write_file(AT_FDCWD, path, text, strlen(text), 0644, err) : 0;
}

#define ATTEMPTS_KEPT 1000

static void hear(void *ctx, const struct co_event *ev)
{
	struct build *b = ctx;
	if (ev->kind == CO_EV_ATTEMPT && json_array_size(b->attempts) < ATTEMPTS_KEPT) {
		json_t *o = json_object();
		co_json_attempt(o, ev);
		json_array_append_new(b->attempts, o);
	}
	co_emit(b->below, *ev);
}

void outputs_listen(struct build *b, struct co_bus *below)
{
	b->below = below;
	b->bus = below;
	if (!b->o->metadata_file)
		return;
	b->attempts = json_array();
	b->listener = (struct co_bus){hear, b};
	b->bus = &b->listener;
}

static int metadata(struct build *b, const struct co_build_result *res, struct co_err *err)
{
	char text[CO_DIGEST_TEXT];
	auto_json j = json_object();
	auto_buf names = CO_BUF_INIT(CO_BUF_TEXT);
	for (size_t i = 0; b->o->tags && b->o->tags[i]; i++)
		co_buf_addf(&names, "%s%s", i ? "," : "", b->o->tags[i]);
	if (res->config.set)
		json_object_set_new(j, "containerimage.config.digest",
				    json_string(co_digest_str(&res->config, text)));
	json_t *d = json_object();
	json_object_set_new(d, "mediaType", json_string(res->desc.media_type));
	json_object_set_new(d, "digest", json_string(co_digest_str(&res->desc.digest, text)));
	json_object_set_new(d, "size", json_integer(res->desc.size));
	json_object_set_new(j, "containerimage.descriptor", d);
	json_object_set_new(j, "containerimage.digest", json_string(text));
	if (names.len)
		json_object_set_new(j, "image.name", co_json_string(co_buf_str(&names)));
	if (json_array_size(b->attempts))
		json_object_set(j, "cooper.attempts", b->attempts);
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	co_json_write_pretty(&out, j);
	co_buf_addc(&out, '\n');
	return put_file(b->o->metadata_file, co_buf_str(&out), err);
}

int outputs_files(struct build *b, const struct co_build_result *res, struct co_err *err)
{
	char text[CO_DIGEST_TEXT];
	co_digest_str(&res->desc.digest, text);
	int r = put_file(b->o->digest_file, text, err);
	/* --iidfile: the image id, which is the config's digest (the index for several platforms)
	 */
	if (!r && b->o->iidfile)
		r = put_file(b->o->iidfile,
			     res->config.set ? co_digest_str(&res->config, text) : text, err);
	if (!r && b->o->metadata_file)
		r = metadata(b, res, err);
	return r;
}
